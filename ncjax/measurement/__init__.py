"""What is measured of one run at one checkpoint, as pure functions of its state."""

from ncjax.measurement.checkpoint import MeasureSpec, measure, outputs_of
from ncjax.measurement.measures import MEASURES, add_measure

__all__ = ["MEASURES", "MeasureSpec", "add_measure", "measure", "outputs_of"]
