"""Planning a sweep for hardware that is not here: its compilers run without it."""

from ncjax.hardware.forecast import GroupForecast, forecast
from ncjax.hardware.program_text import Collective, collectives
from ncjax.hardware.topology import CHIPS, Chip, Topology, find_topology

__all__ = [
    "CHIPS",
    "Chip",
    "Collective",
    "GroupForecast",
    "Topology",
    "collectives",
    "find_topology",
    "forecast",
]
