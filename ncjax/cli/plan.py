"""Compiles a sweep for accelerators that are not here: does it fit, what do devices say, how long may it take.

python -m experiments.plan --config=configs/quickstart.py --topology=v5e:2x4 [--json=OUT]

Needs the compiler of the chips, not the chips: the extra tpu (v5e, v5p, v6e) or cuda (h100, h200) of this package.
Data that is not prepared is taken to have its published sizes.
"""

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from ncjax.cli import entry as launch
from ncjax.cli.config_flag import asked_config, define_config

if TYPE_CHECKING:
    from ncjax.hardware import GroupForecast, Topology

CONFIG = define_config()
TOPOLOGY = flags.DEFINE_string("topology", None, "Chip and shape: v5e:2x4, v5p:2x2x1, v6e:4x4, h100:1x1x8, h200:1x1x1.")
GROUPS = flags.DEFINE_list("groups", [], "Numbers of the groups to plan, from 0; all by default.")
JSON = flags.DEFINE_string("json", None, "File for all numbers of the forecast.", **launch.SHARED)
flags.mark_flags_as_required(["config", "topology"])


def main() -> None:
    """Prints a forecast for each group, and the sum."""
    import jax

    from ncjax.hardware import find_topology, forecast

    # With a compiler for accelerators installed JAX would look for them.
    jax.config.update("jax_platforms", "cpu")
    config = asked_config(CONFIG)
    try:
        topology = find_topology(str(TOPOLOGY.value))
    except ModuleNotFoundError as error:
        raise ValueError(str(error)) from None
    print(f"{topology.name}: {len(topology.devices)} {topology.devices[0].device_kind}, compiled for without them")
    groups = []
    for group in forecast(config, topology, _numbers(GROUPS.value or [])):
        groups.append(group)
        print("\n".join(lines_of(group)), flush=True)
    print(closing_line(groups, topology))
    if JSON.value:
        written = {"topology": topology.name, "devices": len(topology.devices), "groups": [as_json(g) for g in groups]}
        Path(JSON.value).write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def _numbers(texts: list[str]) -> list[int]:
    if not all(text.isdigit() for text in texts):
        raise ValueError(f"--groups: got {','.join(texts)!r}, expected numbers such as 0,2")
    return [int(text) for text in texts]


def lines_of(group: "GroupForecast") -> list[str]:
    """A group's forecast in words."""
    along_runs, along_batch = group.mesh
    fits = "all fit into one program" if group.fit >= group.runs else f"{group.fit} fit into one program"
    streamed = ", train images streamed from the host" if group.streamed else ""
    lines = [
        (
            f"group {group.number}: {group.runs} runs of {group.model}, batch {group.batch_size}: {fits}{streamed}; "
            f"compiled in {group.compile_seconds:.0f} s"
        ),
        f"  mesh        {along_runs} devices along runs × {along_batch} along a batch",
        (
            f"  memory      {_gib(group.needed_bytes)} a device of {_gib(group.available_bytes)}: "
            f"{_gib(group.argument_bytes)} data and states, {_gib(group.temporary_bytes)} in between, "
            f"{_gib(group.program_bytes)} program"
        ),
    ]
    for place in ("training", "measuring", "outside"):
        own = [message for message in group.collectives if message.place == place]
        counts = Counter(message.kind for message in own)
        said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        size = sum(message.bytes for message in own) / 2**20
        lines.append(f"  messages    {place}: {f'{said}, {size:.3g} MiB' if said else 'none'}")
    lines.append(
        f"  step        {group.step_operations / 1e9:.3g} G operations, {group.step_bytes / 2**20:.3g} MiB moved, "
        f"{group.step_instructions} instructions: {_seconds(group.step_seconds)}, "
        f"{_seconds(group.least_step_seconds)} at full speed"
    )
    lines.append(
        f"  estimated   {_seconds(group.epoch_seconds)} an epoch, {_seconds(group.measure_seconds)} a measurement, "
        f"{_seconds(group.total_seconds)} in all"
    )
    return lines


def closing_line(groups: "list[GroupForecast]", topology: "Topology") -> str:
    """The sum of all groups."""
    from ncjax.hardware.forecast import ASSUMED_SHARE, SECONDS_AN_INSTRUCTION

    seconds = sum(group.total_seconds for group in groups)
    hours = seconds * len(topology.devices) / 3600
    return (
        f"sweep: {_seconds(seconds)}, {hours:.2g} chip hours; an estimate, at {ASSUMED_SHARE:.0%} of full speed and "
        f"{SECONDS_AN_INSTRUCTION * 1e6:.0f} µs an instruction, without compiling, reading and saving"
    )


def as_json(group: "GroupForecast") -> dict[str, Any]:
    """A forecast as JSON holds it."""
    return {**dataclasses.asdict(group), "needed_bytes": group.needed_bytes}


def _gib(number: int) -> str:
    return f"{number / 2**30:.3g} GiB"


def _seconds(seconds: float) -> str:
    for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def start() -> None:
    """Runs the command."""
    launch.run(main, devices=False)
