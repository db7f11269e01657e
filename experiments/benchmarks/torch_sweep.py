"""The quickstart's runs in torch: one after another, measured as ncjax measures them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks import peers, torch_metrics
from experiments.benchmarks.peers import torch
from experiments.benchmarks.pipeline import Pipeline
from experiments.benchmarks.torch_models import build_torch, load_flax
from ncjax import training, transfer

_CHUNK = 256


class TorchSweep:
    """Networks, optimizers and data of a group's runs, starting from the same weights."""

    def __init__(self, group: Pipeline) -> None:
        self.spec = group.spec
        self.runs = []
        shape, num_classes = group.spec.image_shape, group.spec.train.num_classes
        for index in range(group.num_runs):
            hyper = jax.tree.map(lambda leaf, index=index: float(leaf[index]), group.hyper)
            state = jax.tree.map(lambda leaf, index=index: leaf[index], group.state)
            dim = state.params["classifier"]["kernel"].shape[0]
            module = load_flax(build_torch(group.spec.train.model, num_classes, shape[2], dim), state.variables)
            module = module.to(peers.device(), memory_format=torch.channels_last)
            optimizer = torch.optim.SGD(
                module.parameters(),
                lr=hyper.learning_rate,
                momentum=hyper.momentum,
                weight_decay=hyper.l2,
                fused=True,
            )
            order = training.sample_order(group.seeds[index], jnp.int32(0), len(group.dataset.train))
            self.runs.append((module, optimizer, peers.tensor(order)))
        mean, std = group.dataset.mean, group.dataset.std
        self.splits = {}
        for name in ("train", "test", "target"):
            split = getattr(group.dataset, name)
            pixels = ((split.images / np.float32(255) - mean) / std).astype(np.float32).transpose(0, 3, 1, 2)
            images = peers.tensor(pixels).contiguous(memory_format=torch.channels_last)
            self.splits[name] = (images, peers.tensor(split.labels))
        self.samples = {
            "train": peers.tensor(group.inputs.train_sample),
            "test": peers.tensor(group.inputs.test_sample),
            "target": peers.tensor(group.inputs.target_sample),
        }
        self.target_classes = group.spec.measure.target_classes
        self.transfer = group.spec.measure.transfer
        if self.transfer is not None:
            table = transfer.class_index(np.asarray(group.inputs.target_labels))
            drawn = transfer.sample_episodes(table, jax.random.key(0), self.transfer)
            self.episodes = (peers.tensor(drawn.support), peers.tensor(drawn.query))

    def advance(self, steps: int, measuring: bool) -> list[dict[str, Any]]:
        """Takes steps of every run in turn, measures it if asked to, and returns its measurements."""
        rows = []
        for module, optimizer, order in self.runs:
            self._train(module.train(), optimizer, order, steps)
            if measuring:
                rows.append(self._measure(module.eval()))
        peers.synchronise()
        return rows

    def double_report(self, index: int) -> dict[str, Any]:
        """Collapse of one run's features in double precision, by the names of the table."""
        module = self.runs[index][0].eval()
        report: dict[str, Any] = {}
        for split, (images, labels) in self.splits.items():
            features = _forward(module, images)[1]["embedding"].double()
            classes = self.target_classes if split == "target" else module.classifier.out_features
            found = torch_metrics.report_of(torch_metrics.class_moments(features, labels, classes), features)
            report |= {f"{split}/{name}": value for name, value in found.items()}
        return report

    def _train(self, module: Any, optimizer: Any, order: Any, steps: int) -> None:
        images, labels = self.splits["train"]
        batches = order.split(self.spec.train.batch_size)
        # The last batch of an epoch is dropped if it is not full.
        num_batches = len(order) // self.spec.train.batch_size
        for step in range(steps):
            batch = batches[step % num_batches]
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(module(images[batch])[0], labels[batch]).backward()
            optimizer.step()

    def _measure(self, module: Any) -> dict[str, Any]:
        row: dict[str, Any] = {}
        kernel, bias = module.classifier.weight.detach(), module.classifier.bias.detach()
        means = None
        for split in ("train", "test", "target"):
            images, labels = self.splits[split]
            logits, taps = _forward(module, images)
            classes = self.target_classes if split == "target" else len(bias)
            stats = torch_metrics.class_moments(taps["embedding"], labels, classes)
            report = torch_metrics.report_of(stats, taps["embedding"])
            report |= self._complexity(split, module, labels, stats)
            if split == "target":
                report |= self._few_shot(taps["embedding"], report["cdnv"])
            else:
                means = means or stats
                report["loss"] = torch.nn.functional.cross_entropy(logits, labels)
                report["error"] = (logits.argmax(dim=1) != labels).float().mean()
                report |= torch_metrics.classifier_report(stats, means, kernel, bias, taps["embedding"], labels)
                if split == "train":
                    del report["strong_variance"], report["weak_variance"]
                else:
                    own = torch_metrics.classifier_report(stats, stats, kernel, bias, taps["embedding"], labels)
                    report |= {f"{name}_test_means": own[name] for name in ("nc4", "ncc_error")}
                layer = "layer" if split == "train" else "test_layer"
                for name, tap in taps.items():
                    row[f"{layer}/{name}/variance_ratio"] = torch_metrics.ratio_of_variances(tap, labels, classes)
            row |= {f"{split}/{name}": value for name, value in report.items()}
        return row

    def _complexity(self, split: str, module: Any, labels: Any, stats: Any) -> dict[str, Any]:
        images = self.splits[split][0][self.samples[split]]
        squares = torch_metrics.random_projections(module.embed, images, len(images))
        return {
            "geometric_complexity": squares.mean(),
            "geometric_complexity_stderr": squares.std() / len(squares) ** 0.5,
            **torch_metrics.geometric_collapse(stats, squares, labels[self.samples[split]]),
        }

    def _few_shot(self, features: Any, cdnv: Any) -> dict[str, Any]:
        row: dict[str, Any] = {}
        if self.transfer is None:
            return row
        support, query = self.episodes
        for shots in self.transfer.shots:
            accuracies = torch_metrics.few_shot_loop(features, support[:, :, :shots], query, "ncm")
            row[f"nearest_mean_bound_{shots}shot"] = 16 * (self.transfer.ways - 1) * (1 + 2 / shots) * cdnv
            row[f"accuracy_{shots}shot"] = accuracies.mean()
            row[f"accuracy_{shots}shot_ci95"] = 1.96 * accuracies.std() / len(accuracies) ** 0.5
        return row


@torch.no_grad()
def _forward(module: Any, images: Any) -> tuple[Any, dict[str, Any]]:
    """Logits and stages of a split, feature maps averaged over positions."""
    parts = []
    for part in images.split(_CHUNK):
        logits, stages = module(part)
        parts.append((logits, *(stage.mean(dim=(2, 3)) if stage.ndim == 4 else stage for stage in stages)))
    logits, *stages = (torch.cat(column) for column in zip(*parts, strict=True))
    names = [f"block{index}" for index in range(1, len(stages))]
    return logits, dict(zip([*names, "embedding"], stages, strict=True))
