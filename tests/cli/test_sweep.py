import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.structure

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    "--config=configs/quickstart.py",
    "--config.data.name=digits",
    '--config.data.target_classes=("7", "8", "9")',
    "--config.model.name=mlp",
    "--config.model.widths=(16,)",
    "--config.train.epochs=1.0",
    "--config.measure.checkpoints=2",
    "--config.sweep.l2=(0.0,)",
    "--config.transfer.ways=3",
    "--config.transfer.episodes=4",
    "--config.measure.complexity_samples=21",
]


def launch(name, *arguments, **variables):
    # The CPU as a user has it: the eight virtual devices of the tests would be used.
    environment = {**os.environ, "XLA_FLAGS": "", **variables}
    command = [sys.executable, "-m", f"experiments.{name}", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("sweep")
    return workdir, launch("sweep", f"--workdir={workdir}", "--cpu_devices=2", *SMALL)


@pytest.mark.slow
def test_a_sweep_names_its_devices_first_and_its_results_last(finished):
    workdir, done = finished
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "devices: cpu:0 (cpu), cpu:1 (cpu)"
    assert f"results: {workdir}/results.jsonl (12 rows)" in done.stdout
    assert json.loads((workdir / "summary.json").read_text())["compilations"] == 2


@pytest.mark.slow
def test_a_report_of_a_sweep_writes_its_figures(finished):
    workdir, _ = finished
    # Nothing is running here: one that follows ends like any other.
    done = launch("report", f"--workdir={workdir}", "--follow")
    assert done.returncode == 0, done.stderr
    assert (workdir / "report" / "report.html").stat().st_size > 0
    assert (workdir / "report" / "trajectories.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--workdir=w", "--config.model.name=mlp"],
            "error: --config.model.name: --config is missing, whose value this sets; expected a file or a name",
        ),
        (["--workdir=w"], "error: --config is missing; expected --config=…: Experiment: a file, or the name"),
        (["--config=quickstart"], "error: --workdir is missing; expected --workdir=…: Directory"),
        (["--workdir=w", "--confg=quickstart"], "error: Unknown command line flag 'confg'. Did you mean: config ?\n"),
    ],
)
def test_a_flag_that_is_missing_is_named(arguments, message):
    done = launch("sweep", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "variables", [{"JAX_NUM_CPU_DEVICES": "3"}, {"XLA_FLAGS": "--xla_force_host_platform_device_count=3"}]
)
def test_devices_of_a_cpu_are_counted_at_one_place(variables, tmp_path):
    done = launch("sweep", f"--workdir={tmp_path / 'new'}", "--cpu_devices=2", *SMALL, **variables)
    assert done.returncode == 2
    assert "--cpu_devices: got 2, but the environment says how many" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.sweep.lerning_rate=(0.1,)"], "did you mean 'learning_rate'?"),
        (["--config.train.epochs=abc"], "--config.train.epochs=abc"),
        (["--config.transfer.ways=9"], "config.transfer.ways: 9 is more than the 3 classes"),
        (["--platform=tpu"], "--platform: got tpu, but this JAX finds only cpu"),
        (["stray"], "arguments: got 'stray', expected flags only"),
    ],
)
def test_bad_input_ends_with_one_line_and_writes_nothing(arguments, message, tmp_path):
    done = launch("sweep", f"--workdir={tmp_path / 'new'}", *SMALL, *arguments)
    told = ("warning", "note: ", "data set ")
    errors = [line for line in done.stderr.splitlines() if not line.startswith(told)]
    assert done.returncode == 2
    assert len(errors) == 1
    assert message in errors[0]
    assert not (tmp_path / "new").exists()
