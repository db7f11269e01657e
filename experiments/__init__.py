"""Entry points, run as ``python -m experiments.NAME``; thin: flags in, calls of ncjax, paths out."""
