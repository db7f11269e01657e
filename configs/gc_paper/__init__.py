"""Experiments of the GC paper."""
