"""What `ncjax plan` prints."""

import json
from types import SimpleNamespace

import jax
import pytest

from ncjax import hardware
from ncjax.cli import plan
from ncjax.hardware import Chip, Collective, GroupForecast, Topology

pytestmark = pytest.mark.structure

HEAD = (
    "group 0: 45 runs of vgg13, batch 256: 30 fit into one program, train images streamed from the host; "
    "compiled in 20 s"
)
GROUP = GroupForecast(
    number=0,
    model="vgg13",
    batch_size=256,
    runs=45,
    fit=30,
    mesh=(2, 4),
    streamed=True,
    argument_bytes=2**30,
    temporary_bytes=2**31,
    program_bytes=2**28,
    available_bytes=2**34,
    collectives=(
        Collective("training", "all-reduce", 2**20, "gradient"),
        Collective("measuring", "all-gather", 2**20, ""),
        Collective("measuring", "all-gather", 2**21, ""),
    ),
    step_operations=2e12,
    step_bytes=2**24,
    step_instructions=300,
    least_step_seconds=0.01,
    step_seconds=0.034,
    epoch_seconds=68.0,
    measure_seconds=4.5,
    total_seconds=7200.0,
    compile_seconds=20.4,
)


def test_a_group_is_told_in_eight_lines():
    assert plan.lines_of(GROUP) == [
        HEAD,
        "  mesh        2 devices along runs × 4 along a batch",
        "  memory      3.25 GiB a device of 16 GiB: 1 GiB data and states, 2 GiB in between, 0.25 GiB program",
        "  messages    training: 1 all-reduce, 1 MiB",
        "  messages    measuring: 2 all-gather, 3 MiB",
        "  messages    outside: none",
        "  step        2e+03 G operations, 16 MiB moved, 300 instructions: 34 ms, 10 ms at full speed",
        "  estimated   1.13 min an epoch, 4.5 s a measurement, 2 h in all",
    ]


def test_the_command_writes_all_numbers_and_sums_up(monkeypatch, tmp_path, capsys):
    chip = Chip("cpu", 2**34, 1e9, 1e12, 1.0, 1e9)
    monkeypatch.setattr(hardware, "find_topology", lambda name: Topology(name, chip, jax.devices()[:8]))
    monkeypatch.setattr(hardware, "forecast", lambda *_: iter([GROUP, GROUP]))
    monkeypatch.setattr(plan, "asked_config", lambda _: None)
    for name, value in (("TOPOLOGY", "v5e:2x4"), ("JSON", str(tmp_path / "out.json")), ("GROUPS", [])):
        monkeypatch.setattr(plan, name, SimpleNamespace(value=value))
    plan.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"v5e:2x4: 8 {jax.devices()[0].device_kind}, compiled for without them"
    assert lines[-1].startswith("sweep: 4 h, 32 chip hours; an estimate, at 30% of full speed and 2 µs an instruction")
    written = json.loads((tmp_path / "out.json").read_text())
    assert (written["devices"], len(written["groups"]), written["groups"][0]["needed_bytes"]) == (8, 2, 13 * 2**28)


def test_a_group_that_is_no_number_is_one_line():
    with pytest.raises(ValueError, match="--groups: got '0,a', expected numbers such as 0,2"):
        plan._numbers(["0", "a"])


def test_a_compiler_that_is_missing_is_bad_input(monkeypatch):
    def missing(_):
        raise ModuleNotFoundError("--topology: v5e:2x2 needs the compiler of its chips")

    monkeypatch.setattr(hardware, "find_topology", missing)
    monkeypatch.setattr(plan, "asked_config", lambda _: None)
    monkeypatch.setattr(plan, "TOPOLOGY", SimpleNamespace(value="v5e:2x2"))
    with pytest.raises(ValueError, match="needs the compiler of its chips"):
        plan.main()
