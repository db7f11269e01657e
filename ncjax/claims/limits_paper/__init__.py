"""Claims of the Limits paper (Hui, Belkin, Nakkiran 2022), one file a claim."""
