"""The benchmark's own parts, and the ratios that do not depend on the machine; never a wall time."""

import dataclasses
import functools
import json
import math
import time

import jax
import jax.numpy as jnp
import pytest

from experiments.benchmarks import (
    accelerator,
    agreement,
    collapse,
    gc,
    gc_estimate,
    many_runs,
    memory,
    peers,
    pipeline,
    subjects,
    sweep,
    table,
    timing,
    train,
)
from experiments.benchmarks.case import Case, Options, Row, Target
from experiments.benchmarks.ceiling import Ceiling, measure_ceiling
from experiments.benchmarks.run import SUITES, run_suites
from ncjax import training
from ncjax.sweep.workdir.environment import count_compilations

QUICK = Options(quick=True, repeats=2)
CEILING = Ceiling(flops=1e9, bytes=1e9, by_library={})
needs_torch = pytest.mark.skipif(peers.torch is None, reason="PyTorch, the peer, is not installed (extra: bench)")


def small_network():
    return subjects.network("convnet4", widths=(4, 4, 4, 4), norm="none")


def a_case(**timings):
    return Case(
        "suite", "work", {name: timing.Timing(median, median, median, 1) for name, median in timings.items()}, flops=1e6
    )


def test_contestants_take_turns_and_the_first_calls_do_not_count():
    calls = []
    timings = timing.alternate({name: lambda name=name: calls.append(name) for name in "abc"}, repeats=2)
    assert "".join(calls) == "abcabccba"
    assert {name: each.repeats for name, each in timings.items()} == dict.fromkeys("abc", 2)


def test_two_rounds_are_run_however_little_time_there_is():
    timings = timing.alternate({"a": lambda: None}, repeats=9, max_seconds=0.0)
    assert timings["a"].repeats == 2


def test_the_ratio_is_to_the_fastest_peer():
    case = a_case(ncjax=2.0, slow=8.0, quick=4.0)
    assert (case.best_peer, case.ratio) == ("quick", 2.0)


def test_without_a_peer_there_is_no_ratio_and_no_target_for_it():
    case = a_case(ncjax=2.0).aiming(Target("rate", 3.0, 2.0), ratio=5.0)
    assert math.isnan(case.ratio)
    assert [target.name for target in case.targets] == ["rate"]


@pytest.mark.parametrize(
    ("value", "at_least", "met"), [(2.0, True, True), (1.9, True, False), (2.0, False, True), (math.nan, True, False)]
)
def test_a_target_is_met_or_missed(value, at_least, met):
    assert Target("x", value, 2.0, at_least).met == met


def test_a_case_shows_rates_against_the_ceiling():
    case = a_case(ncjax=0.01, torch=0.02).aiming(ratio=3.0)
    expected = "| work | 10 ms (10 ms to 10 ms, 1) | torch: 20 ms (20 ms to 20 ms, 1) | 2.00 | 100 MFLOP/s, 10% |  |"
    assert table.case_line(case, CEILING) == expected
    assert table.target_lines([case]).splitlines()[2:] == ["| work: ratio to the best peer | 2 | ≥ 3 | **missed** |"]


def test_json_holds_no_number_that_json_lacks():
    text = json.dumps(table.finite(table.to_json(a_case(ncjax=1.0))), allow_nan=False)
    assert json.loads(text)["ratio"] is None


def test_the_ceiling_is_the_best_library():
    ceiling = measure_ceiling(quick=True)
    assert ceiling.flops == max(rates["flops"] for rates in ceiling.by_library.values())
    assert "jax" in ceiling.by_library


def test_every_suite_of_the_flag_exists():
    from experiments import benchmark

    assert benchmark.SUITE.default == list(SUITES)


def test_an_unknown_suite_is_named():
    with pytest.raises(ValueError, match="--suite: got gcc, expected names out of gc,"):
        run_suites(["gcc"], QUICK)


@pytest.mark.structure
@pytest.mark.parametrize("suite", ["collapse", "few_shot", "memory"])
def test_a_suite_runs_without_a_peer(suite, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(peers, "torch", None)
    cases = run_suites([suite], QUICK, tmp_path / "out.json")
    assert cases
    assert "PyTorch is not installed" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["cases"]) == len(cases)


@pytest.mark.structure
def test_the_curve_of_runs_is_measured():
    cases = run_suites(["scaling"], dataclasses.replace(QUICK, only="runs in one program"))
    assert [case.values["sizes"] for case in cases] == [[1, 2]]


@needs_torch
@pytest.mark.extras
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suite", ["gc", "gc_estimate", "collapse", "few_shot", "train", "sweep"])
def test_a_suite_agrees_with_torch(suite):
    assert all(math.isfinite(case.ratio) for case in SUITES[suite](QUICK))


@needs_torch
@pytest.mark.extras
@pytest.mark.parametrize("name", ["vgg13", "resnet18", "convnet4"])
def test_torch_networks_have_the_same_parameters_and_logits(name):
    from experiments.benchmarks.torch_models import build_torch, load_flax

    widths = (4, 4, 4, 4, 4) if name == "vgg13" else (4, 4, 4, 4)
    subject = subjects.network(name, widths=widths)
    module = build_torch(subject.spec, 10, 3, subject.embedding_dim)
    images = jnp.asarray(subjects.normalised(subjects.pixels(2, subject.image_shape)))
    logits = load_flax(module, subject.variables).eval()(peers.tensor(jnp.transpose(images, (0, 3, 1, 2))))[0]
    assert jnp.allclose(logits.detach().numpy(), subject.model.apply(subject.variables, images)[0], atol=1e-4)


@pytest.mark.slow
def test_a_forward_pass_of_vgg_costs_its_convolutions_without_the_padding():
    forward, backward = subjects.pass_flops(subjects.network("vgg13"), 1)
    widths = [3, 64, 64, 128, 128, 256, 256, 512, 512, 512, 512]
    sides = [side for side in (32, 16, 8, 4, 2) for _ in range(2)]
    # Along each axis of s pixels 3s taps, of which 2 lie outside.
    taps = [(3 * side - 2) ** 2 for side in sides]
    layers = zip(taps, widths[:-1], widths[1:], strict=True)
    assert forward == pytest.approx(2 * sum(count * inputs * outputs for count, inputs, outputs in layers), rel=0.02)
    assert backward == pytest.approx(forward, rel=0.1)


def test_the_exact_complexity_costs_a_backward_pass_an_output():
    subject = subjects.network("convnet4", widths=(4, 4, 4, 4), norm="none", lowering="xla")
    forward, backward = subjects.pass_flops(subject, 2)

    def four_lines(variables, images):
        outputs, pull = jax.vjp(lambda x: subject.embed(variables, x), images)
        return [pull(jnp.zeros_like(outputs).at[:, line].set(1.0)) for line in range(4)]

    images = jax.ShapeDtypeStruct((2, *subject.image_shape), jnp.float32)
    assert subjects.flops_of(four_lines, subject.variables, images) == pytest.approx(forward + 4 * backward, rel=0.05)


def test_an_estimate_is_fifty_times_cheaper_than_the_exact_value_on_the_same_images():
    subject = subjects.network("vgg13")
    forward, backward = subjects.pass_flops(subject, 1)
    assert (forward + subject.embedding_dim * backward) / (forward + backward) > 50


@pytest.mark.structure
def test_vectors_spent_are_one_an_output_if_exact_and_one_a_probe_if_not():
    subject = small_network()
    images = subjects.normalised(subjects.pixels(3, subject.image_shape))
    estimate = gc_estimate.probe_estimate(subject, QUICK, num_probes=1)(subject.variables, images)
    assert int(estimate.num_products) == 3
    assert gc.exact_value(subject, QUICK)(subject.variables, images).shape == (3,)


@pytest.mark.slow
def test_exact_complexity_of_vgg_at_batch_256_stays_within_four_gib():
    assert memory.exact_memory(subjects.network("vgg13"), 256, QUICK) < 4 * memory.GIB


@pytest.mark.slow
def test_the_collapse_report_holds_few_copies_of_the_features():
    samples, dim = 20_000, 64
    assert memory.report_memory(samples, dim, 10) < 4 * (4 * samples * dim)


@pytest.mark.structure
def test_values_change_without_another_compilation():
    config = sweep.quickstart(quick=True)
    config.model.update(name="mlp", widths=(4,))
    config.transfer.episodes = 0
    group = pipeline.first_group(config)
    group.advance(start=0, steps=1, measuring=False)
    with count_compilations() as compilations:
        group.advance(start=1, steps=3, measuring=True)
        group.advance(start=4, steps=2, measuring=False)
    assert compilations.count == 0


def test_an_enlarged_digit_has_the_shape_asked_for_and_no_two_are_the_same():
    images = subjects.pixels(3, (5, 6, 2))
    assert (images.shape, images.dtype) == ((3, 5, 6, 2), "uint8")
    assert not (images[0] == images[1]).all()


def test_a_run_for_training_has_full_batches():
    spec, inputs = train.one_run(small_network(), batch=4, num_images=16)
    assert inputs.train_images.shape[0] % spec.batch_size == 0


@pytest.mark.structure
def test_clusters_come_with_a_classifier_that_fits():
    features, labels, kernel, bias = collapse.clustered_features(500, 16, 4)
    report = collapse.report_function(4)(features, labels, kernel, bias)
    assert 0 <= float(report["nc4"]) <= 1


def test_an_accelerator_run_keeps_what_it_has_when_a_stage_fails_or_takes_too_long(tmp_path, capsys):
    def fails(options):
        yield Row("fails", "before", 1.0)
        raise ValueError("no such device")

    def slow(options):
        yield Row("slow", "before", 2.0)
        time.sleep(60)

    chosen = tuple(accelerator.Stage(stage.__name__, stage, None) for stage in (fails, slow))
    options = dataclasses.replace(QUICK, max_seconds=0.2)
    accelerator.run_accelerator(options, tmp_path / "out.json", chosen=chosen)
    kept = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["rows"]
    assert [row["what"] for row in kept] == ["before", "failed", "whole stage"] * 2
    assert "ValueError: no such device" in kept[1]["note"]
    assert "more than 0 s" in kept[4]["note"]
    assert capsys.readouterr().out.count("ValueError: no such device") == 2  # as it happened, and in the table


def test_no_stage_begins_when_the_time_of_all_is_over(tmp_path):
    chosen = (accelerator.Stage("stage", lambda _: iter([Row("stage", "x")]), None),)
    rows = accelerator.run_accelerator(QUICK, None, total_seconds=0.0, chosen=chosen)
    assert [row.what for row in rows] == ["left out"]


@pytest.mark.slow
def test_the_three_ways_to_advance_many_runs_train_alike():
    subject = subjects.network("convnet4", size=8, channels=1, widths=(4, 4), num_classes=4)
    spec, inputs = train.one_run(subject, batch=4, num_images=8)
    seeds = jnp.arange(2)
    hyper = jax.tree.map(lambda value: jnp.full(2, value), training.Hyper(0.05, 0.9, 5e-4))
    after = []
    for sharing, lowering in many_runs.WAYS.values():
        lowered = dataclasses.replace(spec, model=dataclasses.replace(spec.model, lowering=lowering))
        one = functools.partial(training.init_run, lowered, image_shape=subject.image_shape)
        state = jax.jit(jax.vmap(one))(hyper, seeds)
        after.append(many_runs.advance(sharing, lowered)(hyper, seeds, state, inputs, jnp.int32(0), jnp.int32(2)))
    for other in after[1:]:
        for left, right in zip(jax.tree.leaves(after[0].params), jax.tree.leaves(other.params), strict=True):
            # Sums of a few hundred products in another order.
            assert jnp.allclose(left, right, atol=1e-5)


def test_a_device_agrees_with_itself():
    rows = list(agreement.agreement(dataclasses.replace(QUICK, only="accuracy, ncm")))
    assert [(row.note, row.value) for row in rows] == [("float32", 0.0), ("tf32", 0.0)]
