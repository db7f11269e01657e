"""The columns of the results table: the one list of their names, units, definitions and directions.

A name may hold placeholders: ``<split>`` is train, test or target (classes never trained on), ``<train|test>`` one of
the words in it, the others as ``PLACEHOLDERS`` says. To add a column, add one line to ``COLUMNS``: a sweep refuses to
write one that is not here. ``python -m ncjax.results.columns_page`` writes the list to docs/columns.md.
"""

import difflib
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

SPLITS = ("train", "test", "target")
PLACEHOLDERS = {
    "tap": ("[^/]+", "a stage of the network, such as block1; the last is embedding"),
    "head": (r"[A-Za-z][\w.:]*", "a few-shot head other than ncm, such as ridge"),
    "shots": (r"\d+", "samples of a class that a few-shot head sees"),
    "estimator": (
        r"exact|(?:outputs|inputs|probes|examples)_\d+",
        "exact, or a method and the products that it may spend on a sample, such as probes_4",
    ),
}
"""What stands for a placeholder, as a regular expression and in words."""


@dataclass(frozen=True)
class Column:
    """What a column of the results table holds.

    Attributes:
        name: in the table, perhaps with placeholders.
        label: its name for a reader, without its split.
        unit: of its values; 1 where they have none.
        definition: one line; C classes, m_c the mean of class c, m_G the mean of the class means.
        collapse: whether it falls or rises as features collapse; "" where it does not measure collapse.
        measured_by: dotted name of the function that computes it.
        option: key of the config that turns it on; "" where it is always there.
    """

    name: str
    label: str
    unit: str
    definition: str
    collapse: Literal["falls", "rises", ""] = ""
    measured_by: str = ""
    option: str = ""

    def names(self) -> Iterator[str]:
        """Its names, with each split and each word in the place of their placeholder.

        Examples:
            >>> list(find_column("train/loss").names())
            ['train/loss', 'test/loss']
        """
        before, found, after = re.sub("<split>", f"<{'|'.join(SPLITS)}>", self.name).partition("/")
        words = before.strip("<>").split("|") if found else [before]
        return (f"{word}{found}{after}" for word in words)


_COLLAPSE = "ncjax.metrics.train_test_report"
_DISTANCES = "1 / squared normalised pixel"
_GC = "squared embedding / squared normalised pixel"

COLUMNS: tuple[Column, ...] = (
    # Which run, and where it stands. Hyper-parameters stand beside these under the names of their options.
    Column("run", "run", "1", "number of the run in its sweep"),
    Column("step", "step", "steps", "training steps taken"),
    Column("epoch", "epoch", "epochs", "passes over the train split taken"),
    Column("diverged", "diverged", "bool", "whether the loss has ever been infinite or not a number"),
    Column("sweep", "sweep", "text", "names of the rows of points that the run belongs to, joined by +"),
    # How well the network does.
    Column("<train|test>/loss", "loss", "nats", "mean loss without regularisers; of mse half a squared distance",
           measured_by="ncjax.training.sample_losses"),
    Column("<train|test>/error", "error", "share", "share of samples that the classifier names wrongly",
           measured_by="ncjax.metrics.nearest_mean.classifier_error"),
    # Collapse of the embedding.
    Column("<split>/collapsed_to_a_point", "collapsed to a point", "0 or 1",
           "1 where all class means coincide: what compares with the distance between classes is null then",
           measured_by="ncjax.metrics.collapsed_to_a_point"),
    Column("<split>/cdnv", "CDNV", "1", "mean over i≠j of (Var_i + Var_j)/(2‖m_i − m_j‖²)",
           "falls", "ncjax.metrics.cdnv"),
    Column("<split>/variance_ratio", "variance ratio", "1", "mean ‖h − m_y‖² over mean_c ‖m_c − m_G‖²",
           "falls", "ncjax.metrics.variance_ratio"),
    Column("<split>/nc1", "NC1", "1", "tr(Σ_W Σ_B⁺)/C", "falls", "ncjax.metrics.nc1"),
    Column("<split>/vci", "VCI", "1", "1 − tr(Σ_T⁺ Σ_B)/min(d, C − 1)", "falls", "ncjax.metrics.vci"),
    Column("<split>/directional_cdnv", "directional CDNV", "1",
           "mean over i≠j of uᵀΣ_i u/‖m_j − m_i‖², u the unit vector from m_i to m_j",
           "falls", "ncjax.metrics.directional_cdnv", "measure.directional"),
    Column("<split>/rankme", "RankMe", "directions", "exponential of the entropy of singular values over their sum",
           measured_by="ncjax.metrics.rank_report", option="measure.ranks"),
    Column("<split>/effective_rank", "effective rank", "directions", "RankMe of centred features",
           "falls", "ncjax.metrics.effective_rank", "measure.ranks"),
    Column("<split>/stable_rank", "stable rank", "directions", "tr Σ_T over the largest eigenvalue of Σ_T",
           measured_by="ncjax.metrics.stable_rank", option="measure.ranks"),
    Column("<split>/participation_ratio", "participation ratio", "directions", "(tr Σ_T)²/tr Σ_T²",
           measured_by="ncjax.metrics.participation_ratio", option="measure.ranks"),
    Column("<split>/spectrum_slope", "slope of the spectrum", "1",
           "exponent a of i^−a through the eigenvalues 5 to 50 of Σ_T",
           measured_by="ncjax.metrics.spectrum_slope", option="measure.ranks"),
    Column("<split>/top_variance", "variance in C − 1 directions", "share", "share of tr Σ_T in its C − 1 largest",
           "rises", "ncjax.metrics.top_variance", "measure.ranks"),
    Column("<split>/class_separation", "class separation", "1",
           "1 − (mean cosine distance within classes)/(that of all pairs)",
           "rises", "ncjax.metrics.class_separation", "measure.ranks"),
    Column("layer/<tap>/effective_rank", "effective rank after a stage", "directions",
           "effective_rank of the train activations, averaged over positions",
           measured_by="ncjax.metrics.effective_rank", option="measure.ranks"),
    Column("layer/<tap>/nc1", "NC1 of a layer", "1", "nc1 on train after a stage, averaged over positions",
           "falls", "ncjax.metrics.nc1", "measure.layers"),
    Column("train/nc0", "NC0", "share", "‖Σ_c w_c‖²/(C‖W‖_F²), w_c the classifier's weights of class c",
           "falls", "ncjax.metrics.nc0", "measure.ranks"),
    Column("<split>/nc2_equinorm", "NC2 equinorm", "1", "std/mean of ‖m_c − m_G‖",
           "falls", "ncjax.metrics.nc2_equinorm"),
    Column("<split>/nc2_equiangularity", "NC2 equiangularity", "1", "std over pairs of cos(m_c − m_G, m_c' − m_G)",
           "falls", "ncjax.metrics.nc2_equiangularity"),
    Column("<split>/nc2_maxangle", "NC2 maximal angle", "1", "mean over pairs of abs(cos + 1/(C − 1))",
           "falls", "ncjax.metrics.nc2_maxangle"),
    Column("<split>/nc2_etf", "NC2 simplex frame", "1",
           "‖MᵀM/‖MᵀM‖_F − (I − 11ᵀ/C)/√(C − 1)‖_F, M the centred class means", "falls", "ncjax.metrics.nc2_etf"),
    Column("<split>/uniformity_log", "uniformity (log)", "1",
           "mean over pairs of −log of the distance between directions of centred class means",
           "falls", "ncjax.metrics.hyperspherical_uniformity"),
    Column("<split>/uniformity_inverse", "uniformity (inverse)", "1",
           "mean over pairs of one over the distance between directions of centred class means",
           "falls", "ncjax.metrics.hyperspherical_uniformity"),
    # Of the classifier, and of both together.
    Column("<train|test>/nc2_equinorm_classifier", "NC2 equinorm of the classifier", "1",
           "nc2_equinorm of the columns of the classifier's kernel", "falls", "ncjax.metrics.nc2_equinorm"),
    Column("<train|test>/nc2_equiangularity_classifier", "NC2 equiangularity of the classifier", "1",
           "nc2_equiangularity of these columns", "falls", "ncjax.metrics.nc2_equiangularity"),
    Column("<train|test>/nc2_maxangle_classifier", "NC2 maximal angle of the classifier", "1",
           "nc2_maxangle of these columns", "falls", "ncjax.metrics.nc2_maxangle"),
    Column("<train|test>/nc2_etf_classifier", "NC2 simplex frame of the classifier", "1",
           "nc2_etf of these columns", "falls", "ncjax.metrics.nc2_etf"),
    Column("<train|test>/nc3", "NC3", "1", "‖W/‖W‖_F − M/‖M‖_F‖_F², W the classifier's kernel",
           "falls", "ncjax.metrics.nc3"),
    Column("<train|test>/nc4", "NC4", "share",
           "share of samples where the classifier and the nearest class mean of train disagree",
           "falls", "ncjax.metrics.nc4"),
    Column("<train|test>/ncc_error", "nearest-mean error", "share", "error of the nearest class mean of train",
           "falls", "ncjax.metrics.ncc_error"),
    Column("test/nc4_test_means", "NC4 (test means)", "share", "nc4 with the class means of test",
           "falls", _COLLAPSE),
    Column("test/ncc_error_test_means", "nearest-mean error (test means)", "share",
           "ncc_error with the class means of test", "falls", _COLLAPSE),
    Column("test/strong_variance", "strong test variance", "1",
           "test mean of ‖h − m_y‖² over tr Σ_B of train, with the class means of train",
           "falls", "ncjax.metrics.held_out_report"),
    Column("test/weak_variance", "weak test variance", "1",
           "test mean of min_c ‖h − m_c‖² over tr Σ_B of train, with the class means of train",
           "falls", "ncjax.metrics.held_out_report"),
    # Collapse of earlier layers.
    Column("layer/<tap>/variance_ratio", "variance ratio of a layer", "1",
           "variance_ratio on train after a stage, averaged over positions", "falls", "ncjax.metrics.variance_ratio"),
    Column("test_layer/<tap>/variance_ratio", "variance ratio of a layer", "1",
           "variance_ratio on test after a stage, averaged over positions", "falls", "ncjax.metrics.variance_ratio"),
    # At which depth classes are served best.
    Column("test_layer/<tap>/ncc_error", "nearest-mean error of a layer", "share",
           "ncc_error on test after a stage, averaged over positions",
           measured_by="ncjax.metrics.ncc_error", option="measure.layer_transfer"),
    Column("target_layer/<tap>/accuracy_<shots>shot", "few-shot accuracy of a layer", "share",
           "few-shot accuracy of the nearest class mean after a stage, averaged over positions; the same episodes",
           measured_by="ncjax.transfer.accuracy_interval", option="measure.layer_transfer"),
    # Geometric complexity of the embedding.
    Column("<split>/geometric_complexity", "geometric complexity", _GC, "mean of ‖∂f/∂x‖_F², no ½",
           measured_by="ncjax.metrics.geometric_complexity"),
    Column("<split>/geometric_complexity_stderr", "standard error of geometric complexity", _GC,
           "of the mean over all images there could be, by the spread over the sample",
           measured_by="ncjax.metrics.geometric_complexity"),
    Column("<split>/geometric_collapse_tight", "geometric collapse (tight)", _DISTANCES,
           "1/(C(C − 1)) Σ_{i≠j} (GC_i + GC_j)/(2‖m_i − m_j‖²), GC_c over class c",
           "falls", "ncjax.metrics.geometric_collapse_tight"),
    Column("<split>/geometric_collapse_pooled", "geometric collapse (pooled)", _DISTANCES,
           "GC/(C − 1) Σ_{i<j} 1/‖m_i − m_j‖²", "falls", "ncjax.metrics.geometric_collapse_pooled"),
    # Transfer to classes never trained on.
    Column("target/accuracy_<shots>shot", "few-shot accuracy", "share",
           "mean accuracy over episodes of the nearest class mean, head ncm",
           measured_by="ncjax.transfer.accuracy_interval", option="transfer.episodes"),
    Column("target/accuracy_<head>_<shots>shot", "few-shot accuracy of a head", "share",
           "mean accuracy over the same episodes of another head",
           measured_by="ncjax.transfer.accuracy_interval", option="transfer.heads"),
    Column("target/accuracy_<shots>shot_ci95", "interval of few-shot accuracy", "share",
           "half-width of the 95% interval over episodes",
           measured_by="ncjax.transfer.accuracy_interval", option="transfer.episodes"),
    Column("target/accuracy_<head>_<shots>shot_ci95", "interval of few-shot accuracy", "share",
           "half-width of the 95% interval over episodes",
           measured_by="ncjax.transfer.accuracy_interval", option="transfer.heads"),
    Column("target/accuracy_<head>_<shots>shot_gradient_norm", "gradient norm of a head", "the head's",
           "norm of the gradient where the fit of a head that iterates stopped, the largest over episodes",
           measured_by="ncjax.transfer.accuracy_interval", option="transfer.heads"),
    Column("target/nearest_mean_bound_<shots>shot", "nearest-mean bound", "share",
           "16(ways − 1)(1 + 2/shots)·cdnv, a bound on the error of the nearest class mean; it may pass 1",
           "falls", "ncjax.metrics.nearest_mean_bound", "transfer.episodes"),
    Column("target/few_shot_certificate_<shots>shot", "few-shot certificate", "share",
           "bound on the error of the nearest class mean, by moments along directions",
           "falls", "ncjax.metrics.few_shot_certificate", "measure.directional"),
    Column("target/log_me", "LogME", "nats", "log evidence a sample of Bayesian linear regression on the labels",
           measured_by="ncjax.transfer.log_me", option="measure.scores"),
    Column("target/h_score", "H-score", "1", "tr(Σ_T⁺ Σ_B), classes weighing as their samples",
           measured_by="ncjax.transfer.h_score", option="measure.scores"),
    Column("target/h_score_shrunk", "H-score, shrunk", "1", "H-score with the covariance of Ledoit and Wolf",
           measured_by="ncjax.transfer.h_score_shrunk", option="measure.scores"),
    Column("target/gbc", "GBC", "1", "minus the sum over pairs of classes of exp(−Bhattacharyya distance)",
           measured_by="ncjax.transfer.gbc", option="measure.scores"),
    Column("target/trans_rate", "TransRate", "nats", "coding rate of all features less the mean of those of a class",
           measured_by="ncjax.transfer.trans_rate", option="measure.scores"),
    Column("target/leep", "LEEP", "nats", "log likelihood a sample of the labels, read off the source classifier",
           measured_by="ncjax.transfer.leep", option="measure.scores"),
    Column("<train|test>/classifier_certificate", "classifier's certificate", "share",
           "bound on the classifier's error, a mean over classes, by mean and variance of its margins",
           "falls", "ncjax.metrics.classifier_certificate", "measure.directional"),
    # Flatness of the loss.
    Column("train/loss_gradient_norm", "norm of the loss gradient", "loss / parameter", "‖∇L‖ on some train images",
           measured_by="ncjax.metrics.loss_gradient_norm", option="measure.flatness_samples"),
    Column("train/sam_sharpness", "sharpness", "loss", "L(w + r∇L/‖∇L‖) − L(w)",
           measured_by="ncjax.metrics.sam_sharpness", option="measure.flatness_samples"),
    Column("train/hessian_trace", "trace of the Hessian", "loss / squared parameter", "tr ∇²L by random probes",
           measured_by="ncjax.metrics.hessian_trace", option="measure.flatness_samples"),
    Column("train/hessian_trace_stderr", "standard error of the trace of the Hessian", "loss / squared parameter",
           "of the trace, by the spread over the probes",
           measured_by="ncjax.metrics.hessian_trace", option="measure.flatness_samples"),
    Column("train/first_layer_slope", "slope in the inputs", _GC,
           "left side of the first-layer inequality: exact geometric complexity on the same images",
           measured_by="ncjax.metrics.first_layer_inequality", option="measure.first_layer"),
    Column("train/first_layer_bound", "first-layer bound", _GC, "its right side: mean of ‖W₁‖²/‖x‖²·‖∂f/∂W₁‖²",
           measured_by="ncjax.metrics.first_layer_inequality", option="measure.first_layer"),
    # Estimators of geometric complexity.
    Column("estimate/<estimator>/geometric_complexity", "geometric complexity by an estimator", _GC, "one draw of it",
           measured_by="ncjax.measurement.estimator_errors.estimator_errors", option="measure.estimator_sizes"),
    Column("estimate/<estimator>/products", "products spent", "products",
           "Jacobian-vector and vector-Jacobian products over all images",
           measured_by="ncjax.measurement.estimator_errors.estimator_errors", option="measure.estimator_sizes"),
    Column("estimate/<estimator>/relative_error", "relative error of an estimator", "1",
           "standard error of the mean over exactly these images, over its exact value",
           measured_by="ncjax.measurement.estimator_errors.estimator_errors", option="measure.estimator_sizes"),
    # Bounds on the error.
    Column("<train|test>/nearest_mean_bound", "nearest-mean bound", "share",
           "16(C − 1)(1 + 2/n)·cdnv, n train samples a class; it may pass 1",
           "falls", "ncjax.metrics.nearest_mean_bound", "measure.bounds"),
    Column("<train|test>/complexity_bound", "bound by geometric complexity", "share",
           "16(C − 1)(1 + 2/n)·c·(tight geometric collapse), c the lower bound of the Poincaré constant",
           "falls", "ncjax.metrics.nearest_mean_bound", "measure.bounds"),
    Column("<train|test>/chain_slack", "slack of the chain", "1", "c·(tight geometric collapse)/cdnv",
           measured_by="ncjax.measurement.error_bounds.error_bounds", option="measure.bounds"),
    Column("train/directional_geometric_collapse", "directional geometric collapse", "1 / squared normalised pixel",
           "mean over i≠j of E_i‖Jᵀu‖²/‖m_j − m_i‖², u the unit vector from m_i to m_j",
           "falls", "ncjax.metrics.directional_geometric_collapse", "measure.bounds"),
    Column("train/directional_complexity_bound", "bound by directional complexity", "share",
           "mean over i of min(1, Σ_j 4r/(4r + 1)), r = c·E_i‖Jᵀu‖²/‖m_j − m_i‖²",
           "falls", "ncjax.metrics.directional_complexity_bound", "measure.bounds"),
    Column("train/poincare_lower_bound", "lower bound of the Poincaré constant", "squared normalised pixel",
           "largest variance of a class's images in a direction",
           measured_by="ncjax.metrics.poincare_lower_bound", option="measure.bounds"),
    # What features know of the classes below the labels.
    Column("fine/ridge_accuracy", "linear probe", "share", "accuracy on test of ridge regression on fine labels",
           measured_by="ncjax.transfer.linear_probe", option="measure.fine_probes"),
    Column("fine/ridge_accuracy_standardised", "linear probe, standardised", "share",
           "ridge_accuracy on standardised features",
           measured_by="ncjax.transfer.linear_probe", option="measure.fine_probes"),
    Column("fine/knn_accuracy", "5 neighbours", "share", "accuracy on test of the 5 nearest train samples' fine labels",
           measured_by="ncjax.transfer.knn_accuracy", option="measure.fine_probes"),
    Column("fine/knn_accuracy_standardised", "5 neighbours, standardised", "share",
           "knn_accuracy on standardised features",
           measured_by="ncjax.transfer.knn_accuracy", option="measure.fine_probes"),
    Column("fine/cdnv", "CDNV by fine labels", "1", "cdnv of the train features by fine labels",
           "falls", "ncjax.metrics.cdnv", "measure.fine_probes"),
    Column("fine/variance_ratio", "variance ratio by fine labels", "1",
           "variance_ratio of the train features by fine labels",
           "falls", "ncjax.metrics.variance_ratio", "measure.fine_probes"),
    # Wall times: the only columns that differ from one time to the next.
    Column("time/train_seconds", "training time", "s", "training of the group's runs since the checkpoint before"),
    Column("time/measure_seconds", "measuring time", "s", "measuring the group's runs at this checkpoint"),
)  # fmt: skip


@functools.cache
def find_column(name: str) -> Column:
    """Looks up what a column holds.

    Args:
        name: in the results table; placeholders may stand in it as they do in ``COLUMNS``.

    Returns:
        The entry, whose name may hold placeholders.

    Raises:
        ValueError: if there is no such column, with the nearest that there is.

    Examples:
        >>> find_column("layer/block2/variance_ratio").collapse
        'falls'
        >>> find_column("train/cndv")
        Traceback (most recent call last):
        ValueError: column: got 'train/cndv', expected one of docs/columns.md (did you mean 'train/cdnv'?)
    """
    for entry, pattern in _patterns():
        if name == entry.name or pattern.fullmatch(name):
            return entry
    names = [each for entry in COLUMNS for each in entry.names()]
    nearest = difflib.get_close_matches(name, names, n=1)
    suggestion = f" (did you mean {nearest[0]!r}?)" if nearest else ""
    raise ValueError(f"column: got {name!r}, expected one of docs/columns.md{suggestion}")


def column(name: str) -> str:
    """The name of a column, once it is sure that there is one: for constants of modules that read the table.

    Args:
        name: as for `find_column`.

    Returns:
        The name.

    Raises:
        ValueError: if there is no such column, with the nearest that there is.

    Examples:
        >>> column("target/accuracy_5shot")
        'target/accuracy_5shot'
    """
    find_column(name)
    return name


def add_column(entry: Column) -> None:
    """Adds a column of others to the list; the same name again replaces it.

    Args:
        entry: whose name may hold placeholders.

    Raises:
        ValueError: if the list has a column of that name.

    Examples:
        >>> add_column(Column("train/loss", "loss", "1", "another loss"))
        Traceback (most recent call last):
        ValueError: column: got 'train/loss', which is a column of ncjax already; expected a new name
    """
    for name in entry.names():
        if any(pattern.fullmatch(name) for each, pattern in _patterns() if each in COLUMNS):
            raise ValueError(f"column: got {name!r}, which is a column of ncjax already; expected a new name")
    _ADDED[entry.name] = entry
    _patterns.cache_clear()


def check_columns(names: Iterable[str], settings: Iterable[str] = ()) -> None:
    """Makes sure that every column of a row is one of the list.

    Args:
        names: of the row.
        settings: names of its hyper-parameters, which the list leaves to the options of a sweep.

    Raises:
        ValueError: naming the first that is not.

    Examples:
        >>> check_columns(["run", "step", "l2", "train/loss"], settings=["l2"])
    """
    known = frozenset(settings)
    for name in names:
        if name not in known:
            find_column(name)


# Columns of others, by name.
_ADDED: dict[str, Column] = {}


@functools.cache
def _patterns() -> tuple[tuple[Column, re.Pattern[str]], ...]:
    """Each column and what its names look like."""
    return tuple(
        (entry, re.compile(re.sub(r"<([^<>]+)>", _placeholder, entry.name))) for entry in (*COLUMNS, *_ADDED.values())
    )


def _placeholder(found: re.Match[str]) -> str:
    word = found[1]
    if word == "split":
        return f"(?:{'|'.join(SPLITS)})"
    return f"(?:{PLACEHOLDERS[word][0] if word in PLACEHOLDERS else word})"
