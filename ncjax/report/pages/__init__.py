"""Pages: a sweep's report, the results pages, a comparison, the terminal's table."""
