"""Networks of others: a class of Flax Linen or NNX whose modules return logits and an embedding."""

import inspect
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array

from ncjax.models.blocks import Taps
from ncjax.plugins import load_plugin

_COLLECTIONS = ("params", "batch_stats", "constants")
# Beside the network's own constants: their lengths tell how many classes and features there are.
CLASSES, FEATURES = "plugged_in_classes", "plugged_in_features"


class PluggedIn(nn.Module):
    """A network of others in the place of one of this package.

    Linen or NNX, its module maps images [n, h, w, c] to logits [n, C] and an embedding [n, d], or a dict of activations
    that ends with `embedding`. Its last layer is dense: the only one with a kernel [d, C], or of several the
    one called `classifier`. What it takes beside `num_classes` is given where it asks for it: `image_shape` (of one
    image), `rngs` (NNX), `norm`, `widths`, `lowering` and `classifier` when it is made, `train` when it is called.

    Attributes:
        source: MODULE:CLASS.
        num_classes: C.
        options: names and values of what the config says of the network.
    """

    source: str
    num_classes: int
    options: tuple[tuple[str, Any], ...] = ()

    @nn.nowrap
    def init(self, key: Array, images: Array, train: bool = False) -> dict[str, Any]:  # type: ignore[override]
        """Draws the variables and checks what the network returns."""
        if self._is_nnx:
            module = self._made(images.shape[1:], key)
            variables = {"params": _plain(module, nnx.Param), "batch_stats": _plain(module, nnx.BatchStat)}
        else:
            inner = self._made(images.shape[1:])
            variables = dict(inner.init(key, images, **_train_argument(inner.__call__, train)))
            if unknown := variables.keys() - {*_COLLECTIONS}:
                raise ValueError(
                    f"name: {self.source} has variables {sorted(unknown)}, expected only {', '.join(_COLLECTIONS)}"
                )
        dim = self._features(jax.eval_shape(lambda: self._called(variables, images, train, mutable=False)))
        told = {CLASSES: jnp.zeros(self.num_classes), FEATURES: jnp.zeros(dim)}
        variables["constants"] = {**variables.get("constants", {}), **told}
        plugged_in_classifier(variables, self.source)
        return variables

    @nn.nowrap
    def apply(  # type: ignore[override]
        self, variables: Mapping[str, Any], images: Array, train: bool = False, mutable: Any = False
    ) -> Any:
        """Gives (logits, taps), and the updated averages where `mutable` asks for them."""
        called = self._called(variables, images, train, mutable)
        if not mutable:
            return _with_taps(called)
        returned, updated = called
        return _with_taps(returned), updated

    @nn.nowrap
    def _called(self, variables: Mapping[str, Any], images: Array, train: bool, mutable: Any) -> Any:
        own = {name: value for name, value in variables.get("constants", {}).items() if name not in (CLASSES, FEATURES)}
        if not self._is_nnx:
            inner = self._made(images.shape[1:])
            given = {**variables, "constants": own}
            return inner.apply(given, images, **_train_argument(inner.__call__, train), mutable=mutable)
        # Made anew under every trace: only its structure stays, its weights are replaced.
        module = self._made(images.shape[1:], jax.random.key(0))
        for kind, name in ((nnx.Param, "params"), (nnx.BatchStat, "batch_stats")):
            state = nnx.state(module, kind)
            nnx.replace_by_pure_dict(state, dict(variables.get(name, {})))
            nnx.update(module, state)
        (module.train if train else module.eval)()
        returned = module(images, **_train_argument(module.__call__, train))
        return (returned, {"batch_stats": _plain(module, nnx.BatchStat)}) if mutable else returned

    @property
    def _is_nnx(self) -> bool:
        network = load_plugin(self.source, "name")
        kinds = (nn.Module, nnx.Module)
        if not (inspect.isclass(network) and issubclass(network, kinds)):
            raise ValueError(f"name: {self.source} is no class of flax.linen.Module or flax.nnx.Module")
        return issubclass(network, nnx.Module)

    @nn.nowrap
    def _made(self, image_shape: tuple[int, ...], key: Array | None = None) -> Any:
        network = load_plugin(self.source, "name")
        given: dict[str, Any] = {"num_classes": self.num_classes, **dict(self.options)}
        if unknown := [name for name in given if not takes(self.source, name)]:
            raise ValueError(f"name: {self.source} does not take {unknown[0]}, expected a class that does")
        if takes(self.source, "image_shape"):
            given["image_shape"] = tuple(image_shape)
        return network(**given) if key is None else network(**given, rngs=nnx.Rngs(key))

    @nn.nowrap
    def _features(self, returned: Any) -> int:
        """Length of the embedding, once it is sure that there is one."""
        wrong = f"name: {self.source} must return (logits [n, {self.num_classes}], embedding [n, d]), got"
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise ValueError(f"{wrong} {_shapes(returned)}")
        logits, taps = returned
        embedding: Any = taps.get("embedding") if isinstance(taps, Mapping) else taps
        fits = getattr(logits, "shape", ()) == (1, self.num_classes) and len(getattr(embedding, "shape", ())) == 2
        if not fits:
            raise ValueError(f"{wrong} {_shapes(returned)} for one image")
        return int(embedding.shape[1])


def plugged_in_classifier(variables: Mapping[str, Any], source: str = "the network") -> tuple[Array, Array]:
    """Kernel and bias of the last layer of a network of others.

    Args:
        variables: of a `PluggedIn`.
        source: its name, for the error.

    Returns:
        The [d, C] kernel, and the bias: zeros where there is none.

    Raises:
        ValueError: if no layer, or more than one, can be meant.
    """
    shape = tuple(variables["constants"][name].shape[-1] for name in (FEATURES, CLASSES))
    layers = [(path, layer) for path, layer in _dense(variables["params"]) if layer["kernel"].shape == shape]
    named = [(path, layer) for path, layer in layers if path and path[-1] == "classifier"]
    found = named or layers
    if len(found) != 1:
        names = ", ".join("/".join(map(str, path)) for path, _ in found) or "none"
        raise ValueError(
            f"name: {source} needs one dense layer with a kernel of shape {shape}, or several and one called "
            f"classifier; got {names}"
        )
    kernel = found[0][1]["kernel"]
    bias = found[0][1].get("bias")
    return kernel, jnp.zeros(kernel.shape[-1], kernel.dtype) if bias is None else bias


def takes(source: str, option: str) -> bool:
    """Whether the class of a plug-in takes an option.

    Args:
        source: MODULE:CLASS.
        option: name of an argument.

    Returns:
        Whether it does.
    """
    # Of an NNX class itself the signature says nothing.
    parameters = inspect.signature(load_plugin(source, "name").__init__).parameters
    return option in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _dense(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Mapping[str, Any]]]:
    """Layers that hold a matrix called kernel."""
    if not isinstance(tree, Mapping):
        return []
    if getattr(tree.get("kernel"), "ndim", 0) == 2:
        return [(path, tree)]
    return [layer for name, inner in tree.items() for layer in _dense(inner, (*path, name))]


def _plain(module: nnx.Module, kind: type) -> dict[str, Any]:
    """The values of a kind of variables, by names: checkpoints have no numbers for keys."""
    return _named(nnx.to_pure_dict(nnx.state(module, kind)))


def _named(tree: Any) -> Any:
    return {str(name): _named(inner) for name, inner in tree.items()} if isinstance(tree, Mapping) else tree


def _with_taps(returned: Any) -> tuple[Array, Taps]:
    logits, taps = returned
    if not isinstance(taps, Mapping):
        return logits, {"embedding": taps}
    return logits, {**{name: tap for name, tap in taps.items() if name != "embedding"}, "embedding": taps["embedding"]}


def _train_argument(call: Any, train: bool) -> dict[str, bool]:
    return {"train": train} if "train" in inspect.signature(call).parameters else {}


def _shapes(returned: Any) -> str:
    if isinstance(returned, tuple | list):
        return f"({', '.join(map(_shapes, returned))})"
    if isinstance(returned, Mapping):
        return f"{{{', '.join(f'{name}: {_shapes(inner)}' for name, inner in returned.items())}}}"
    shape = getattr(returned, "shape", None)
    return type(returned).__name__ if shape is None else str(list(shape))
