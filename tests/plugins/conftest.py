"""What the plug-ins register is taken back, so that no other test sees it."""

import pytest

from ncjax import claims, measurement, transfer
from ncjax.results import columns

# Importing it registers things.
collect_ignore = ["my_plugins.py"]


@pytest.fixture(scope="package", autouse=True)
def taken_back():
    before = list(claims.CLAIMS), dict(transfer.HEADS), dict(measurement.MEASURES)
    yield
    claims.CLAIMS[:] = before[0]
    transfer.HEADS.clear()
    transfer.HEADS.update(before[1])
    measurement.MEASURES.clear()
    measurement.MEASURES.update(before[2])
    columns._ADDED.clear()
    columns._patterns.cache_clear()
