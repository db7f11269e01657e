"""Names of slices."""

import pytest

from ncjax.hardware import CHIPS, find_topology
from ncjax.hardware import topology as module


@pytest.mark.parametrize("name", ["v5e", "v5e:", "v5e:2xa", "v5e:0x4", "", "tpu:2x2", ":2x2"])
def test_what_names_no_slice_is_one_line(name):
    with pytest.raises(ValueError, match=f"--topology: got '{name}', expected CHIP:SHAPE, CHIP one of v5e, v5p, v6e"):
        find_topology(name)


@pytest.mark.parametrize(("name", "extra"), [("v5e:2x2", "tpu"), ("h100:1x1x1", "cuda")])
def test_a_compiler_that_is_missing_is_named_with_the_way_to_install_it(name, extra, monkeypatch):
    monkeypatch.setattr(module.util, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'ncjax\[{extra}\]'"):
        find_topology(name)


def test_chips_are_ordered_by_memory_as_their_makers_say():
    assert sorted(CHIPS, key=lambda name: CHIPS[name].memory) == ["v5e", "v6e", "h100", "v5p", "h200"]
