"""Neural collapse and geometric complexity in JAX: metrics, compiled sweeps, few-shot transfer, claims.

``import ncjax`` loads nothing; ``ncjax.metrics`` and the other parts are loaded when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ncjax import claims, data, hardware, measurement, metrics, models, report, results, sweep, training, transfer

__version__ = "0.1.0"

__all__ = [
    "claims",
    "data",
    "hardware",
    "measurement",
    "metrics",
    "models",
    "report",
    "results",
    "sweep",
    "training",
    "transfer",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"ncjax.{name}")
    raise AttributeError(f"module 'ncjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
