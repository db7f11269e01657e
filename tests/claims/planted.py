"""A table for each claim with an effect of a given sign and size planted; 0 leaves noise alone."""

from collections.abc import Callable

import numpy as np
import pandas as pd

Table = Callable[[float, np.random.Generator], pd.DataFrame]
GC = "train/geometric_complexity"
NOISE = 0.2


def _final(settings: int, seeds: int, **columns: np.ndarray) -> pd.DataFrame:
    count = settings * seeds
    table = pd.DataFrame({"run": np.arange(count), "step": 100, "epoch": 10.0, "train/error": 0.0})
    table["learning_rate"] = np.arange(count) // seeds + 1.0
    table["seed"] = np.arange(count) % seeds
    return table.assign(**columns)


def _noise(rng: np.random.Generator, count: int, seeds: int) -> np.ndarray:
    """Half of the spread between settings, half between seeds."""
    return NOISE * (np.repeat(rng.normal(size=count // seeds), seeds) + rng.normal(size=count))


def _linked(first: str, second: str, sign: int) -> Table:
    def table(effect: float, rng: np.random.Generator) -> pd.DataFrame:
        signal = np.repeat(np.linspace(0, 3, 8), 2) if effect else np.zeros(16)
        x, y = signal + _noise(rng, 16, 2), sign * effect * signal + _noise(rng, 16, 2)
        return _final(8, 2, **{first: np.exp(x), second: np.exp(y)})

    return table


def _mean(sign: int, columns: Callable[[np.ndarray], dict[str, np.ndarray]]) -> Table:
    """A number a run whose mean is the effect, turned into columns."""

    def table(effect: float, rng: np.random.Generator) -> pd.DataFrame:
        return _final(8, 2, **columns(sign * effect + _noise(rng, 16, 2)))

    return table


def _penalty(effect: float, rng: np.random.Generator) -> pd.DataFrame:
    strengths = np.tile([0.0, 1e-3, 1e-2], 8)
    common = np.repeat(NOISE * rng.normal(size=8), 3)
    logs = common - effect * (strengths > 0) + NOISE * rng.normal(size=24)
    table = _final(8, 3, **{GC: np.ones(24), "train/cdnv": np.exp(logs)})
    return table.assign(gc_penalty=strengths, seed=np.repeat(np.arange(8), 3), learning_rate=0.1)


def _samples(effect: float, rng: np.random.Generator) -> pd.DataFrame:
    sizes = np.repeat([100.0, 200.0, 400.0, 800.0], 5)
    logs = -effect * np.log(sizes) + NOISE * rng.normal(size=20)
    table = _final(4, 5, **{"test/variance_ratio": np.exp(logs)})
    return table.assign(train_samples=sizes.astype(int), learning_rate=0.1)


def _flatness(effect: float, rng: np.random.Generator) -> pd.DataFrame:
    final = _linked("train/loss_gradient_norm", GC, 1)(effect, rng)
    return pd.concat([final.assign(step=0, epoch=0.0), final], ignore_index=True)


def _cascade(values: np.ndarray) -> dict[str, np.ndarray]:
    return {"layer/block1/variance_ratio": np.exp(values), "layer/embedding/variance_ratio": np.exp(values)}


def _from_start(table: Table, columns: dict[str, float]) -> Table:
    """The same with a first checkpoint at which some columns have given values."""

    def longer(effect: float, rng: np.random.Generator) -> pd.DataFrame:
        final = table(effect, rng)
        start = final.assign(step=1, epoch=1.0, **columns)
        return pd.concat([start, final], ignore_index=True)

    return longer


PLANTED: dict[str, Table] = {
    "A1": _linked(GC, "train/cdnv", 1),
    "A2": _penalty,
    "A3": _mean(
        -1,
        lambda logs: {
            "estimate/outputs_4/relative_error": 0.1 * np.exp(logs),
            "estimate/examples_4/relative_error": 0.1 * np.exp(logs),
            **{f"estimate/{name}/geometric_complexity": np.arange(1.0, 17) for name in ("outputs_4", "examples_4")},
            **{f"estimate/{name}/products": np.full(16, 4.0) for name in ("outputs_4", "examples_4")},
            "estimate/exact/geometric_complexity": np.arange(1.0, 17),
            "estimate/exact/products": np.full(16, 64.0),
        },
    ),
    "A4": _mean(
        -1,
        lambda logs: {
            "train/complexity_bound": np.exp(logs),
            "test/ncc_error": np.full(16, 0.1),
            "train/chain_slack": np.full(16, 2.0),
        },
    ),
    "A5": _linked(GC, "target/cdnv", 1),
    "A6": _flatness,
    "B1": _mean(1, lambda logs: {"train/variance_ratio": np.full(16, 1.0), "test/variance_ratio": np.exp(logs)}),
    "B2": _mean(
        1,
        lambda logs: {
            "train/variance_ratio": np.full(16, 1.0),
            "test/weak_variance": np.exp(logs),
            "test/strong_variance": np.exp(logs + 1),
        },
    ),
    "B3": _samples,
    "B4": _from_start(
        _mean(-1, lambda change: {"fine/ridge_accuracy": 0.5 + 0.1 * change, "train/variance_ratio": np.full(16, 0.5)}),
        {"fine/ridge_accuracy": 0.5, "train/variance_ratio": 1.0},
    ),
    "B5": _from_start(_mean(-1, _cascade), {"layer/block1/variance_ratio": 1.0, "layer/embedding/variance_ratio": 1.0}),
}
