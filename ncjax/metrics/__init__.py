"""Neural collapse and geometric complexity of any network: plain arrays and functions in, numbers out."""

from ncjax.metrics.arrays import dropped_rows
from ncjax.metrics.bootstrap import Interval, IntervalKind, bootstrap, bootstrap_splits, resample_within_classes
from ncjax.metrics.caveats import caveats
from ncjax.metrics.certificate import Certificate, classifier_certificate, few_shot_certificate
from ncjax.metrics.class_means import collapsed_to_a_point, squared_distances
from ncjax.metrics.class_ranks import ClassRanks, class_ranks, lidar
from ncjax.metrics.class_stats import ClassStats, all_reduce, class_stats
from ncjax.metrics.class_tables import ClassTable, class_table, minority_collapse, rows_of_frequent_classes
from ncjax.metrics.collapse import (
    between_variance,
    cdnv,
    cdnv_matrix,
    nc1,
    spectrum_between,
    spectrum_within,
    variance_ratio,
    vci,
)
from ncjax.metrics.complexity import class_mean_complexity, geometric_complexity, geometric_complexity_by_layer
from ncjax.metrics.directional import directional_cdnv, directional_cdnv_of_sums, directional_sums
from ncjax.metrics.directional_complexity import (
    directional_complexity,
    directional_complexity_bound,
    directional_geometric_collapse,
)
from ncjax.metrics.estimate import Estimate
from ncjax.metrics.first_layer import FirstLayerInequality, first_layer_inequality
from ncjax.metrics.flatness import (
    Eigenvalues,
    TraceEstimate,
    hessian_eigenvalues,
    hessian_trace,
    loss_gradient_norm,
    sam_sharpness,
)
from ncjax.metrics.geometric_collapse import (
    Chain,
    chain,
    geometric_collapse_pooled,
    geometric_collapse_tight,
    nearest_mean_bound,
    poincare_lower_bound,
)
from ncjax.metrics.geometry import class_separation, linear_cka, nc0, nc5, neco
from ncjax.metrics.gradient_outer_product import (
    TopDirections,
    gradient_outer_product,
    gradient_outer_products,
    neural_feature_correlation,
    top_input_directions,
)
from ncjax.metrics.mse_decomposition import MSEDecomposition, mse_decomposition
from ncjax.metrics.nearest_mean import classify, held_out_report, nc4, ncc_error, nearest_class_mean
from ncjax.metrics.penalty import complexity_penalty
from ncjax.metrics.poincare import class_poincare_constants, poincare_constant
from ncjax.metrics.principal_angles import principal_angles, weight_angles
from ncjax.metrics.report import collapse_report, collapse_report_by_layer
from ncjax.metrics.row_independence import check_row_independence
from ncjax.metrics.separation_law import SeparationLaw, separation_law
from ncjax.metrics.simplex import (
    hyperspherical_uniformity,
    nc2_equiangularity,
    nc2_equinorm,
    nc2_etf,
    nc2_maxangle,
    nc3,
)
from ncjax.metrics.softmax_code import OneVersusRest, one_versus_rest
from ncjax.metrics.spectra import (
    effective_rank,
    participation_ratio,
    rank_report,
    singular_values,
    spectrum_slope,
    stable_rank,
    top_variance,
)
from ncjax.metrics.train_test import train_test_report
from ncjax.metrics.uniformity import Moments, duality_moments, norm_moments, uniformity_moments

__all__ = [
    "Certificate",
    "Chain",
    "ClassRanks",
    "ClassStats",
    "ClassTable",
    "Eigenvalues",
    "Estimate",
    "FirstLayerInequality",
    "Interval",
    "IntervalKind",
    "MSEDecomposition",
    "Moments",
    "OneVersusRest",
    "SeparationLaw",
    "TopDirections",
    "TraceEstimate",
    "all_reduce",
    "between_variance",
    "bootstrap",
    "bootstrap_splits",
    "caveats",
    "cdnv",
    "cdnv_matrix",
    "chain",
    "check_row_independence",
    "class_mean_complexity",
    "class_poincare_constants",
    "class_ranks",
    "class_separation",
    "class_stats",
    "class_table",
    "classifier_certificate",
    "classify",
    "collapse_report",
    "collapse_report_by_layer",
    "collapsed_to_a_point",
    "complexity_penalty",
    "directional_cdnv",
    "directional_cdnv_of_sums",
    "directional_complexity",
    "directional_complexity_bound",
    "directional_geometric_collapse",
    "directional_sums",
    "dropped_rows",
    "duality_moments",
    "effective_rank",
    "few_shot_certificate",
    "first_layer_inequality",
    "geometric_collapse_pooled",
    "geometric_collapse_tight",
    "geometric_complexity",
    "geometric_complexity_by_layer",
    "gradient_outer_product",
    "gradient_outer_products",
    "held_out_report",
    "hessian_eigenvalues",
    "hessian_trace",
    "hyperspherical_uniformity",
    "lidar",
    "linear_cka",
    "loss_gradient_norm",
    "minority_collapse",
    "mse_decomposition",
    "nc0",
    "nc1",
    "nc2_equiangularity",
    "nc2_equinorm",
    "nc2_etf",
    "nc2_maxangle",
    "nc3",
    "nc4",
    "nc5",
    "ncc_error",
    "nearest_class_mean",
    "nearest_mean_bound",
    "neco",
    "neural_feature_correlation",
    "norm_moments",
    "one_versus_rest",
    "participation_ratio",
    "poincare_constant",
    "poincare_lower_bound",
    "principal_angles",
    "rank_report",
    "resample_within_classes",
    "rows_of_frequent_classes",
    "sam_sharpness",
    "separation_law",
    "singular_values",
    "spectrum_between",
    "spectrum_slope",
    "spectrum_within",
    "squared_distances",
    "stable_rank",
    "top_input_directions",
    "top_variance",
    "train_test_report",
    "uniformity_moments",
    "variance_ratio",
    "vci",
    "weight_angles",
]
