"""Geometric complexity, collapse and few-shot accuracy as a competent user of torch would write them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from experiments.benchmarks.peers import autocast, synchronise, torch

Embed = Callable[[Any], Any]


def vmap_jacrev(embed: Embed, images: Any, chunk: int) -> Any:
    """Squared Jacobian norms [n] by `torch.func.vmap(jacrev)`, `chunk` rows of one image's Jacobian at a time."""
    jacobian = torch.func.jacrev(lambda image: embed(image[None])[0], chunk_size=chunk)
    with autocast():
        squares = torch.func.vmap(lambda image: jacobian(image).float().square().sum(), chunk_size=1)(images)
    synchronise()
    return squares


def batch_jacobian(embed: Embed, images: Any, chunk: int, num_outputs: int | None = None) -> Any:
    """The same for all images at once, as rows of a batch do not depend on each other: `chunk` outputs at a time."""
    with autocast():
        outputs, pull = torch.func.vjp(embed, images)
    total = torch.zeros(images.shape[0], device=images.device)
    for first in range(0, num_outputs or outputs.shape[1], chunk):
        rows = torch.arange(first, min(first + chunk, num_outputs or outputs.shape[1]), device=images.device)
        lines = torch.nn.functional.one_hot(rows, outputs.shape[1]).to(outputs.dtype)
        vectors = lines[:, None, :].expand(-1, images.shape[0], -1)
        total += torch.func.vmap(pull)(vectors)[0].float().square().sum(dim=(0, 2, 3, 4))
    synchronise()
    return total


def random_projections(embed: Embed, images: Any, batch: int) -> Any:
    """Estimates [n] of squared Jacobian norms, each from a random unit vector (Hoffman et al. 2019, algorithm 1)."""
    found = []
    for part in images.split(batch):
        x = part.detach().requires_grad_(requires_grad=True)
        with autocast():
            outputs = embed(x)
        vectors = torch.nn.functional.normalize(torch.randn_like(outputs), dim=1)
        (product,) = torch.autograd.grad(outputs, x, vectors)
        found.append(outputs.shape[1] * product.float().square().sum(dim=(1, 2, 3)))
    result = torch.cat(found)
    synchronise()
    return result


class Moments(NamedTuple):
    """Counts [C], means [C, d], variances [C] and within-class covariance [d, d]."""

    counts: Any
    means: Any
    variances: Any
    within: Any


def class_moments(features: Any, labels: Any, num_classes: int) -> Moments:
    """What the formulas of collapse are made of."""
    counts = torch.bincount(labels, minlength=num_classes).to(features.dtype)
    means = torch.zeros(num_classes, features.shape[1], dtype=features.dtype, device=features.device)
    means = means.index_add_(0, labels, features) / counts[:, None]
    deviations = features - means[labels]
    variances = torch.zeros_like(counts).index_add_(0, labels, deviations.square().sum(dim=1)) / counts
    return Moments(counts, means, variances, deviations.T @ deviations / len(features))


def report_of(stats: Moments, features: Any, hermitian: bool = True) -> dict[str, Any]:
    """The measures that need no classifier, by their formulas, pseudo-inverses of d×d matrices included."""
    counts, means, variances, within = stats
    num_classes, d = means.shape
    centred = means - means.mean(dim=0)
    between = centred.T @ centred / num_classes
    pairs = ~torch.eye(num_classes, dtype=torch.bool, device=means.device)
    distances = torch.cdist(means, means).square()
    unit = torch.nn.functional.normalize(centred, dim=1)
    gaps = torch.cdist(unit, unit)[pairs]
    inverse = torch.linalg.pinv(within + between, hermitian=hermitian)
    rounding = torch.finfo(means.dtype).eps ** 2 * means.square().sum(dim=1).mean()
    return {
        "collapsed_to_a_point": (centred.square().sum(dim=1).mean() <= rounding).to(means.dtype),
        "cdnv": ((variances[:, None] + variances[None]) / (2 * distances))[pairs].mean(),
        "variance_ratio": (counts * variances).sum() / len(features) / centred.square().sum(dim=1).mean(),
        "nc1": torch.trace(within @ torch.linalg.pinv(between, hermitian=hermitian)) / num_classes,
        "vci": 1 - torch.trace(inverse @ between) / min(d, num_classes - 1),
        "uniformity_log": -gaps.log().mean(),
        "uniformity_inverse": (1 / gaps).mean(),
        **_frame(centred, pairs),
    }


def classifier_report(
    stats: Moments, train: Moments, kernel: Any, bias: Any, features: Any, labels: Any
) -> dict[str, Any]:
    """The measures that need a classifier, or compare samples with the means of the train split."""
    centred = stats.means - stats.means.mean(dim=0)
    train_centred = train.means - train.means.mean(dim=0)
    pairs = ~torch.eye(len(kernel), dtype=torch.bool, device=kernel.device)
    gaps, nearest = torch.cdist(features, train.means).min(dim=1)
    between = train_centred.square().sum(dim=1).mean()
    return {
        **{f"{name}_classifier": value for name, value in _frame(kernel, pairs).items()},
        "nc3": (kernel / kernel.norm() - centred / centred.norm()).square().sum(),
        "nc4": ((features @ kernel.T + bias).argmax(dim=1) != nearest).float().mean(),
        "ncc_error": (nearest != labels).float().mean(),
        "strong_variance": (features - train.means[labels]).square().sum(dim=1).mean() / between,
        "weak_variance": gaps.square().mean() / between,
    }


def collapse_formulas(
    features: Any, labels: Any, num_classes: int, kernel: Any, bias: Any, hermitian: bool
) -> dict[str, Any]:
    """The measures of `ncjax.metrics.collapse_report` at once."""
    stats = class_moments(features, labels, num_classes)
    report = report_of(stats, features, hermitian) | classifier_report(stats, stats, kernel, bias, features, labels)
    del report["strong_variance"], report["weak_variance"]
    synchronise()
    return report


def geometric_collapse(stats: Moments, squares: Any, labels: Any) -> dict[str, Any]:
    """Geometric collapse, by class and pooled, from squared Jacobian norms of a sample."""
    count = len(stats.means)
    totals = torch.zeros_like(stats.counts).index_add_(0, labels, squares)
    by_class = totals / torch.bincount(labels, minlength=count)
    pairs = ~torch.eye(count, dtype=torch.bool, device=squares.device)
    distances = torch.cdist(stats.means, stats.means).square()
    return {
        "geometric_collapse_tight": ((by_class[:, None] + by_class[None]) / (2 * distances))[pairs].mean(),
        "geometric_collapse_pooled": squares.mean() / (count - 1) * (1 / distances)[pairs].sum() / 2,
    }


def ratio_of_variances(features: Any, labels: Any, num_classes: int) -> Any:
    """Variance within classes over that between them, without a covariance."""
    counts = torch.bincount(labels, minlength=num_classes).to(features.dtype)
    means = torch.zeros(num_classes, features.shape[1], device=features.device)
    means = means.index_add_(0, labels, features) / counts[:, None]
    centred = means - means.mean(dim=0)
    return (features - means[labels]).square().sum(dim=1).mean() / centred.square().sum(dim=1).mean()


def _frame(vectors: Any, pairs: Any) -> dict[str, Any]:
    count = len(vectors)
    lengths = vectors.norm(dim=1)
    gram = vectors @ vectors.T
    cosines = (gram / lengths[:, None] / lengths[None])[pairs]
    frame = (torch.eye(count, device=vectors.device) - 1 / count) / (count - 1) ** 0.5
    return {
        "nc2_equinorm": lengths.std(correction=0) / lengths.mean(),
        "nc2_equiangularity": cosines.std(correction=0),
        "nc2_maxangle": (cosines + 1 / (count - 1)).abs().mean(),
        "nc2_etf": (gram / gram.norm() - frame).norm(),
    }


def few_shot_loop(features: Any, support: Any, query: Any, head: str, ridge: float = 50.0) -> Any:
    """Accuracies [episodes], one episode after another; support and query are indices [episodes, ways, samples]."""
    episodes, ways, shots = support.shape
    queries = query.shape[2]
    truth = torch.arange(ways, device=features.device).repeat_interleave(queries)
    targets = torch.eye(ways, device=features.device).repeat_interleave(shots, dim=0)
    penalty = ridge * torch.eye(ways * shots, device=features.device)
    accuracies = torch.empty(episodes, device=features.device)
    for episode in range(episodes):
        supports = features[support[episode].flatten()]
        samples = features[query[episode].flatten()]
        if head == "ncm":
            prediction = torch.cdist(samples, supports.view(ways, shots, -1).mean(dim=1)).argmin(dim=1)
        else:
            dual = torch.linalg.solve(supports @ supports.T + penalty, targets)
            prediction = (samples @ (supports.T @ dual)).argmax(dim=1)
        accuracies[episode] = (prediction == truth).float().mean()
    synchronise()
    return accuracies
