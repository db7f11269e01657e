"""Fine-tuning: a run that starts from the weights of another, with a new classifier and some of its layers frozen."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ncjax.options import check, option
from ncjax.training.state import RunState

TrainedWeights = dict[str, dict[str, Any]]
"""``params`` and ``batch_stats`` of a trained network, each by layer, as arrays on the host."""

# The one part that is never taken over: its classes are others.
_NEW = "classifier"


@dataclass(frozen=True)
class InitSpec:
    """Fine-tuning: which trained network every run starts from, with a new classifier.

    Raises:
        ValueError: if a number is out of range.

    Examples:
        >>> InitSpec().active, InitSpec("runs/source", run=3).active
        (False, True)
    """

    workdir: str = option("", "of the sweep that trained the network that runs start from; empty for fresh weights")
    run: int = option(0, "number of the run there", at_least=0)
    last_stages: int = option(
        -1,
        "of the network to train, with the new classifier behind them; -1 for all",
        at_least=-1,
        expected="a whole number from 0, or -1 for all",
    )

    def __post_init__(self) -> None:
        check(self)
        if self.last_stages >= 0 and not self.workdir:
            raise ValueError("last_stages: given without workdir; layers of fresh weights are not worth keeping")

    @property
    def active(self) -> bool:
        """Whether there is such a network."""
        return bool(self.workdir)


def frozen_layers(params: Mapping[str, Any], stages: Sequence[Sequence[str]], last_stages: int) -> tuple[str, ...]:
    """Layers that stay as they are when only the last stages are trained, and the classifier.

    Args:
        params: of the network, by layer.
        stages: names of its layers by stage, as its attribute ``stages`` says; those without parameters do not count.
        last_stages: how many of its stages to train; 0 trains the classifier alone, -1 everything.

    Returns:
        Names of layers, sorted.

    Raises:
        ValueError: if the network has fewer stages, does not say the stage of a layer, or would have nothing to train.

    Examples:
        >>> params = {"stem": 0, "body": 0, "neck": 0, "classifier": 0}
        >>> frozen_layers(params, stages=[["stem"], ["body", "neck"]], last_stages=1)
        ('stem',)
    """
    if last_stages == -1:
        return ()
    named = [layer for layers in stages for layer in layers]
    unclear = sorted(layer for layer in params if layer != _NEW and named.count(layer) != 1)
    if unclear:
        raise ValueError(
            f"last_stages: got {last_stages} for a network whose attribute stages does not name {', '.join(unclear)} "
            f"once, expected every layer but the classifier in one stage"
        )
    if not 0 <= last_stages <= len(stages):
        raise ValueError(f"last_stages: got {last_stages}, expected at most the {len(stages)} stages of the network")
    kept = stages[: len(stages) - last_stages]
    frozen = tuple(sorted(layer for layers in kept for layer in layers if layer in params))
    if len(frozen) == len(params):
        raise ValueError(f"last_stages: got {last_stages}, expected at least 1 for a network with a fixed classifier")
    return frozen


def transplant(fresh: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """Puts the weights of a trained network into a fresh one, but for the classifier.

    Args:
        fresh: ``params`` or ``batch_stats`` of the new network, by layer; leaves may have a leading runs axis.
        source: the same of the trained network, without that axis.

    Returns:
        As ``fresh``, with the source's values broadcast over runs.

    Raises:
        ValueError: if the networks differ in more than their classifiers.

    Examples:
        >>> fresh = {"block1": jnp.zeros((2, 3)), "classifier": jnp.zeros((2, 5))}
        >>> transplant(fresh, {"block1": jnp.ones(3), "classifier": jnp.ones(4)})["block1"].tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    if fresh.keys() - {_NEW} != source.keys() - {_NEW}:
        raise ValueError(f"workdir: its network has {', '.join(sorted(source))}, expected {', '.join(sorted(fresh))}")

    def take(new: Any, old: Any) -> Any:
        if new.shape[new.ndim - old.ndim :] != old.shape:
            raise ValueError(f"workdir: its network has a layer of shape {old.shape}, expected {new.shape}")
        return jnp.broadcast_to(jnp.asarray(old, new.dtype), new.shape)

    return {layer: leaf if layer == _NEW else jax.tree.map(take, leaf, source[layer]) for layer, leaf in fresh.items()}


def start_from(state: RunState, source: TrainedWeights) -> RunState:
    """Puts a trained network's weights into fresh states.

    Args:
        state: of runs before the first step, with a leading runs axis, spread over devices.
        source: ``params`` and ``batch_stats`` of the trained network.

    Returns:
        The states, on the same devices; the classifier and the optimizer stay fresh.

    Raises:
        ValueError: if the networks differ in more than their classifiers.
    """

    def taken_over(state: RunState, source: TrainedWeights) -> RunState:
        parts = {part: transplant(getattr(state, part), values) for part, values in source.items()}
        return dataclasses.replace(state, **parts)

    places = jax.tree.map(lambda leaf: leaf.sharding, state)
    return jax.jit(taken_over, out_shardings=places)(state, source)


def hold(params: Mapping[str, Any], frozen: tuple[str, ...]) -> dict[str, Any]:
    """Parameters of which the frozen layers' have no gradient, so that nothing is computed for one.

    Args:
        params: of the network, by layer.
        frozen: names of layers.

    Returns:
        The same values.

    Examples:
        >>> params = {"block1": jnp.float32(2), "classifier": jnp.float32(3)}
        >>> jax.grad(lambda p: p["block1"] * hold(p, ("block1",))["block1"] * p["classifier"])(params)["block1"].item()
        6.0
    """
    return {layer: lax.stop_gradient(value) if layer in frozen else value for layer, value in params.items()}


def keep_frozen(before: Mapping[str, Any], after: Mapping[str, Any], frozen: tuple[str, ...]) -> dict[str, Any]:
    """What a step makes of a network whose frozen layers do not move, whatever the optimizer wants of them.

    Args:
        before: ``params`` or ``batch_stats`` before the step, by layer.
        after: the same after it.
        frozen: names of layers.

    Returns:
        ``after``, but for the frozen layers.

    Examples:
        >>> keep_frozen({"block1": 0, "classifier": 0}, {"block1": 1, "classifier": 1}, ("block1",))
        {'block1': 0, 'classifier': 1}
    """
    return {layer: before[layer] if layer in frozen else value for layer, value in after.items()}
