"""What to measure: the options of a config's section `measure`, as a frozen record."""

from dataclasses import dataclass

from ncjax.options import option, whole_numbers
from ncjax.training.chunks import images_at_once
from ncjax.transfer import EpisodeSpec


@dataclass(frozen=True)
class MeasureSpec:
    """Static choices of measuring; frozen and hashable.

    Attributes:
        transfer: few-shot episodes on the target classes, or None to leave them out.
        target_classes: number of classes never trained on, 0 where there are none.
        fine_classes: classes below the labels, to probe for; 0 leaves probes out.
    """

    chunk: int = option(
        images_at_once, "images through the network at once", config=0, at_least=0, zero="what suits the device"
    )
    complexity_probes: int = option(1, "random probes a sample of the geometric complexity", at_least=0, zero="exact")
    transfer: EpisodeSpec | None = None
    target_classes: int = 0
    seed: int = option(
        0,
        "of probes and episodes; the same for all runs and checkpoints, so that runs differ by their networks alone",
        at_least=0,
    )
    flatness_samples: int = option(
        0,
        "train images for the loss's gradient norm, Hessian trace and sharpness",
        at_least=0,
        zero="none",
    )
    hessian_probes: int = option(
        8,
        "Hessian-vector products for the trace of the loss's Hessian; 0 leaves it out",
        at_least=0,
        allows=lambda probes: probes != 1,
        expected="0 or at least 2, for a standard error",
    )
    sam_radius: float = option(0.05, "of the sharpness of the loss", above=0)
    first_layer: bool = option(False, "whether to measure the first-layer inequality; of model mlp alone")
    estimator_sizes: tuple[int, ...] = option(
        (),
        "products a sample at which estimators of the geometric complexity are compared; () for none",
        allows=lambda sizes: whole_numbers(1, sizes) and list(sizes) == sorted(set(sizes)),
        expected="ascending whole numbers from 1",
    )
    bounds: bool = option(
        False,
        "whether to measure bounds on the nearest class mean's error, by CDNV and by geometric complexity, whole and "
        "along the lines between class means",
    )
    directional: bool = option(
        False, "whether to measure directional CDNV and certificates of the classifier's and the few-shot error"
    )
    ranks: bool = option(False, "whether to measure ranks and spectra of features, class separation and NC0")
    scores: bool = option(False, "whether to measure transferability scores of the target classes")
    layers: bool = option(False, "whether to measure nc1 after each stage, not at the embedding alone")
    layer_transfer: bool = option(
        False,
        "whether to measure after each stage the nearest class mean's error on test and its few-shot accuracy on the "
        "target classes",
    )
    fine_classes: int = 0
