"""The networks of `ncjax.models` in PyTorch: the same layers, the same names, weights copied over."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from experiments.benchmarks.peers import torch
from ncjax.models import ModelSpec, build

if torch is not None:
    from torch import nn


def build_torch(spec: ModelSpec, num_classes: int, channels: int, embedding_dim: int) -> Any:
    """Makes the torch module of a spec; its children bear the names of the Flax network's."""
    flax_model = build(spec, num_classes)
    norm, widths = flax_model.norm, flax_model.widths
    if spec.name.startswith("convnet"):
        return _Network(_ConvNet(widths, norm, channels), embedding_dim, num_classes)
    kind = {"vgg": _Vgg, "resnet": _ResNet}[spec.name.rstrip("0123456789")]
    return _Network(kind(flax_model.depths, widths, norm, channels), embedding_dim, num_classes)


def load_flax(module: Any, variables: Mapping[str, Any]) -> Any:
    """Copies a Flax network's variables into a module of `build_torch`."""
    names = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
    state = {}
    for collection in ("params", "batch_stats"):
        for (*owner, kind), leaf in flatten_dict(variables[collection]).items():
            value = np.array(leaf)
            if kind == "kernel":
                value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
            body = [] if owner[0] == "classifier" else ["body"]
            state[".".join([*body, *owner, names[kind]])] = torch.from_numpy(value.copy())
    module.load_state_dict(state)
    return module


def gradients_by_name(module: Any) -> dict[str, np.ndarray]:
    """A module's gradients under the names and in the layout of the Flax network's parameters, joined by slashes."""
    result = {}
    for name, parameter in module.named_parameters():
        *owner, kind = name.removeprefix("body.").split(".")
        value = parameter.grad.detach().cpu().numpy()
        if kind == "weight" and value.ndim > 1:
            value, kind = (value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T), "kernel"
        elif kind == "weight":
            kind = "scale"
        result["/".join([*owner, kind])] = value
    return result


if torch is not None:

    def _normalisation(norm: str, width: int) -> Any:
        return nn.Identity() if norm == "none" else nn.BatchNorm2d(width)

    class _Layer(nn.Module):
        """Convolution, normalisation, ReLU."""

        def __init__(self, inputs: int, width: int, norm: str, stride: int = 1, size: int = 3, bias: bool = True):
            super().__init__()
            self.conv = nn.Conv2d(inputs, width, size, stride, size // 2, bias=bias)
            self.norm = _normalisation(norm, width)

        def forward(self, maps: Any, relu: bool = True) -> Any:
            maps = self.norm(self.conv(maps))
            return torch.relu(maps) if relu else maps

    class _ConvNet(nn.Module):
        def __init__(self, widths: tuple[int, ...], norm: str, channels: int):
            super().__init__()
            for index, width in enumerate(widths, start=1):
                self.add_module(f"block{index}", _Layer(channels, width, norm))
                channels = width

        def forward(self, maps: Any) -> list[Any]:
            stages = []
            for block in self.children():
                maps = nn.functional.max_pool2d(block(maps), 2)
                stages.append(maps)
            # In the order of the Flax network: positions first, channels last.
            stages[-1] = maps.permute(0, 2, 3, 1).flatten(1)
            return stages

    class _Vgg(nn.Module):
        def __init__(self, depths: tuple[int, ...], widths: tuple[int, ...], norm: str, channels: int):
            super().__init__()
            self.names = []
            for stage, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
                self.names.append([f"stage{stage}_conv{layer}" for layer in range(1, depth + 1)])
                for name in self.names[-1]:
                    self.add_module(name, _Layer(channels, width, norm))
                    channels = width

        def forward(self, maps: Any) -> list[Any]:
            stages = []
            for names in self.names:
                for name in names:
                    maps = getattr(self, name)(maps)
                if min(maps.shape[2:]) > 1:
                    maps = nn.functional.max_pool2d(maps, 2)
                stages.append(maps)
            stages[-1] = maps.mean(dim=(2, 3))
            return stages

    class _Block(nn.Module):
        def __init__(self, inputs: int, width: int, stride: int, norm: str):
            super().__init__()
            bias = norm == "none"
            self.conv1 = _Layer(inputs, width, norm, stride, bias=bias)
            self.conv2 = _Layer(width, width, norm, bias=bias)
            if stride != 1 or inputs != width:
                self.shortcut = _Layer(inputs, width, norm, stride, size=1, bias=bias)

        def forward(self, maps: Any) -> Any:
            out = self.conv2(self.conv1(maps), relu=False)
            return torch.relu(out + (self.shortcut(maps, relu=False) if hasattr(self, "shortcut") else maps))

    class _ResNet(nn.Module):
        def __init__(self, depths: tuple[int, ...], widths: tuple[int, ...], norm: str, channels: int):
            super().__init__()
            self.depths = depths
            self.stem = _Layer(channels, widths[0], norm, bias=norm == "none")
            channels = widths[0]
            for stage, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
                for block in range(1, depth + 1):
                    stride = 2 if stage > 1 and block == 1 else 1
                    self.add_module(f"stage{stage}_block{block}", _Block(channels, width, stride, norm))
                    channels = width

        def forward(self, maps: Any) -> list[Any]:
            maps = self.stem(maps)
            stages = [maps]
            for stage, depth in enumerate(self.depths, start=1):
                for block in range(1, depth + 1):
                    maps = getattr(self, f"stage{stage}_block{block}")(maps)
                stages.append(maps)
            return [*stages, maps.mean(dim=(2, 3))]

    class _Network(nn.Module):
        def __init__(self, body: Any, embedding_dim: int, num_classes: int):
            super().__init__()
            self.body = body
            self.classifier = nn.Linear(embedding_dim, num_classes)

        def forward(self, images: Any) -> tuple[Any, list[Any]]:
            stages = self.body(images)
            return self.classifier(stages[-1]), stages

        def embed(self, images: Any) -> Any:
            """The embedding alone."""
            return self.body(images)[-1]
