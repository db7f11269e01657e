import pytest

from ncjax import models


def test_an_unknown_lowering_is_named():
    with pytest.raises(ValueError, match="lowering: got 'matmull'"):
        models.resolve_lowering("matmull")
