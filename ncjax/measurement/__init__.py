"""What is measured of one run at one checkpoint, as pure functions of its state.

To add a measure: a function of a `Checkpoint` and of the columns known so far, in a file of its own; a line in
`MEASURES`; and a line for each column in `ncjax/results/columns.py`. What turns it on is a field of `MeasureSpec`.
"""

from ncjax.measurement.checkpoint import Checkpoint, outputs_of
from ncjax.measurement.measures import MEASURES, add_measure, measure
from ncjax.measurement.options import MeasureSpec

__all__ = ["MEASURES", "Checkpoint", "MeasureSpec", "add_measure", "measure", "outputs_of"]
