"""What is measured of one run at one checkpoint, as pure functions of its state."""

from ncjax.measurement.checkpoint import MeasureSpec, measure, outputs_of

__all__ = ["MeasureSpec", "measure", "outputs_of"]
