"""Neural collapse and geometric complexity in JAX: metrics, compiled sweeps, few-shot transfer, claims."""

__version__ = "0.1.0"
