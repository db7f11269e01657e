"""What to run: options, axes, grid, and when to measure."""
