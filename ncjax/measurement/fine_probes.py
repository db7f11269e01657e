"""What a run's features know of the classes below the labels that it is trained on."""

from jaxtyping import Array, Float, Int, PRNGKeyArray

from ncjax import metrics, transfer


def fine_probes(
    train_features: Float[Array, "n d"],
    train_labels: Int[Array, " n"],
    test_features: Float[Array, "m d"],
    test_labels: Int[Array, " m"],
    num_classes: int,
    key: PRNGKeyArray,
) -> dict[str, Float[Array, ""]]:
    """Accuracy on test of probes that are fitted to frozen train features on fine labels.

    With and without standardised features: directions that collapse has made small are cheap to use only after
    standardising.

    Args:
        train_features: [n, d].
        train_labels: [n] fine labels.
        test_features: [m, d].
        test_labels: [m].
        num_classes: fine classes.
        key: of the split that chooses the ridge.

    Returns:
        ``ridge_accuracy``, ``knn_accuracy`` (5 neighbours), both also ``_standardised``; of the train features by fine
        labels ``cdnv`` and ``variance_ratio``.
    """
    data = (train_features, train_labels, test_features, test_labels, num_classes)
    row = {}
    for suffix, standardise in (("", False), ("_standardised", True)):
        ridge = transfer.linear_probe(*data, key, head="ridge", standardise=standardise)
        row[f"ridge_accuracy{suffix}"] = ridge.accuracy
        neighbours = min(5, train_features.shape[0])
        row[f"knn_accuracy{suffix}"] = transfer.knn_accuracy(*data, neighbours=neighbours, standardise=standardise)
    stats = metrics.class_stats(train_features, train_labels, num_classes, scatter=False)
    return row | {"cdnv": metrics.cdnv(stats), "variance_ratio": metrics.variance_ratio(stats)}
