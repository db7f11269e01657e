"""Claims of the GC paper (Munn, Dherin, Gonzalvo 2024), one file a claim."""
