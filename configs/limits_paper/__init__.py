"""Experiments of the Limits paper."""
