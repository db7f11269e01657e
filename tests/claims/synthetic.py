"""Results tables with planted effects: what a sweep would write, made in microseconds."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

TAPS = ("block1", "block2", "block3", "embedding")


def final_table(
    x: Sequence[float] | np.ndarray,
    y: Sequence[float] | np.ndarray,
    columns: tuple[str, str] = ("train/geometric_complexity", "train/cdnv"),
    seeds: int = 1,
) -> pd.DataFrame:
    """One final row a run with two given quantities; every `seeds` runs share a setting."""
    count = len(x)
    return pd.DataFrame(
        {
            "run": np.arange(count),
            "step": 100,
            "epoch": 10.0,
            "diverged": False,
            "learning_rate": np.arange(count) // seeds + 1.0,
            "seed": np.arange(count) % seeds,
            "train/error": 0.0,
            columns[0]: x,
            columns[1]: y,
        }
    )


def sweep_table(
    learning_rates: Sequence[float] = (0.02, 0.06, 0.2),
    l2s: Sequence[float] = (0.0, 5e-4),
    batch_sizes: Sequence[int] = (32,),
    seeds: int = 2,
    epochs: Sequence[float] = (0, 0.25, 0.5, 1, 2, 4, 8, 16, 31),
    effect: float = 1.0,
    noise: float = 0.05,
    seed: int = 0,
) -> pd.DataFrame:
    """A whole sweep that follows the papers' claims with strength `effect`; 0 leaves noise and a common trend."""
    rng = np.random.default_rng(seed)
    settings = [(rate, l2, batch) for rate in learning_rates for l2 in l2s for batch in batch_sizes]
    rows = []
    for run, (rate, l2, batch, replica) in enumerate(
        (*setting, replica) for setting in settings for replica in range(seeds)
    ):
        # How far the run's hyper-parameters push it towards low complexity.
        push = np.log(rate / learning_rates[0]) / 4 + 400 * l2 + np.log(32 / batch) / 4
        luck = noise * rng.normal(size=12)
        for epoch in epochs:
            done = np.log1p(4 * epoch) / np.log1p(4 * 31)
            jitter = noise / 2 * rng.normal(size=16)
            depth = (np.arange(len(TAPS)) + 1) / len(TAPS)
            layers = (
                1.0 - effect * 3.2 * depth * np.clip(1.3 * done + 0.3 * depth - 0.3, 0, None) + luck[:4] + jitter[:4]
            )
            held = 1.0 - 0.5 * min(done, 0.5) * effect + 0.1 * done + luck[:4] + jitter[4:8]
            complexity = 4 + 2.5 * done - effect * push * done + luck[4] + jitter[8]
            cdnv = 1.5 - 5 * done - effect * push * done + luck[5] + jitter[9]
            collapse = complexity - 4.5 - 2 * done + luck[6] + jitter[10]
            target = -0.3 - 0.8 * done - 0.4 * effect * push * done + luck[7] + jitter[11]
            accuracy = 0.45 + 0.3 * done + 0.08 * effect * push * done + 0.1 * (luck[8] + jitter[12])
            loss = 3.2 * np.exp(-5.5 * done - 0.3 * push * done + 0.1 * (luck[9] + jitter[13]))
            row = {
                "run": run, "step": round(80 * epoch * 32 / batch), "epoch": float(epoch), "diverged": False,
                "learning_rate": rate, "l2": l2, "batch_size": batch, "seed": replica,
                "train/loss": loss, "train/error": max(0.0, min(0.98, 0.98 * (1 - 1.3 * done))),
                "train/cdnv": np.exp(cdnv), "train/nc1": np.exp(cdnv + 0.5), "train/variance_ratio": np.exp(layers[-1]),
                "train/geometric_complexity": np.exp(complexity),
                "train/geometric_complexity_stderr": 0.02 * np.exp(complexity),
                "train/geometric_collapse_tight": np.exp(collapse),
                "train/geometric_collapse_pooled": np.exp(collapse + 0.3),
                "test/loss": 3.2 - 1.5 * done, "test/error": 0.98 - 0.7 * done, "test/cdnv": np.exp(cdnv / 3),
                "test/variance_ratio": np.exp(held[-1]),
                "target/cdnv": np.exp(target), "target/variance_ratio": np.exp(target + 0.2),
                "target/accuracy_1shot": accuracy - 0.15, "target/accuracy_1shot_ci95": 0.009,
                "target/accuracy_5shot": accuracy, "target/accuracy_5shot_ci95": 0.007,
            }  # fmt: skip
            row |= {f"layer/{tap}/variance_ratio": np.exp(value) for tap, value in zip(TAPS, layers, strict=True)}
            row |= {f"test_layer/{tap}/variance_ratio": np.exp(value) for tap, value in zip(TAPS, held, strict=True)}
            rows.append(row | {"time/train_seconds": 1.5 + 0.1 * rng.random()})
    return pd.DataFrame(rows)


def with_optional(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that single claims need, derived from those that are there."""
    train, test = table["train/variance_ratio"], table["test/variance_ratio"]
    samples = (100 * table["learning_rate"].rank(method="dense")).astype(int)
    columns = {
        "test/weak_variance": test / 2, "test/strong_variance": 2 * test, "test/ncc_error": table["test/error"],
        "train/complexity_bound": 50 * table["train/cdnv"], "train/nearest_mean_bound": 9 * table["train/cdnv"],
        "test/nearest_mean_bound": 9 * table["test/cdnv"],
        "train/directional_complexity_bound": np.tanh(9 * table["train/cdnv"]),
        "train/directional_geometric_collapse": 0.4 * table["train/cdnv"], "train/poincare_lower_bound": 4.0,
        "train/directional_cdnv": 0.8 * table["train/cdnv"], "train/chain_slack": 5.0,
        "train/loss_gradient_norm": table["train/loss"], "train/hessian_trace": 9 * table["train/loss"],
        "train/sam_sharpness": 0.1 * table["train/loss"],
        "train/effective_rank": 9.0, "train/class_separation": 0.7,
        "train/nc2_etf": table["train/cdnv"], "train/nc3": 0.5 * table["train/cdnv"], "train/nc4": table["train/error"],
        "fine/ridge_accuracy": 0.5 + 0.1 * np.tanh(train), "fine/knn_accuracy": 0.4 + 0.1 * np.tanh(train),
        "estimate/exact/products": 6400.0,
        "estimate/exact/geometric_complexity": table["train/geometric_complexity"],
    }  # fmt: skip
    for name, error in (("examples", 0.4), ("outputs", 0.2), ("inputs", 0.3), ("probes", 0.05)):
        for size in (1, 4, 16):
            columns[f"estimate/{name}_{size}/products"] = 100.0 * size
            columns[f"estimate/{name}_{size}/relative_error"] = error / size**0.5 * (1 + 0.1 * table["seed"])
            columns[f"estimate/{name}_{size}/geometric_complexity"] = table["train/geometric_complexity"]
    for depth, tap in enumerate(TAPS):
        # New classes are served best by the third of four layers, those trained on by the last.
        columns[f"target_layer/{tap}/accuracy_1shot"] = 0.6 * table["target/accuracy_5shot"] - 0.05 * abs(depth - 2)
        columns[f"target_layer/{tap}/accuracy_5shot"] = table["target/accuracy_5shot"] - 0.1 * abs(depth - 2)
        columns[f"test_layer/{tap}/ncc_error"] = table["test/error"] * (1 - depth / 8)
    return table.assign(train_samples=samples, **columns)


def with_diverged(table: pd.DataFrame, run: int, after: float = 2.0) -> pd.DataFrame:
    """Lets one run diverge after an epoch: its rows say so and hold no numbers."""
    hit = (table["run"] == run) & (table["epoch"] > after)
    measured = [name for name in table.columns if "/" in name and not name.startswith("time/")]
    table = table.copy()
    table.loc[hit, measured] = np.nan
    table.loc[hit, "diverged"] = True
    return table
