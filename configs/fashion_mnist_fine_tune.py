r"""Fine-tuning between real classes: a network trained on five classes of Fashion-MNIST goes on with the other five.

    ncjax sweep --config=fashion_mnist_transfer --workdir=runs/fashion_mnist_transfer
    ncjax sweep --config=fashion_mnist_fine_tune --workdir=runs/fine_tune_all
    ncjax sweep --config=fashion_mnist_fine_tune --workdir=runs/fine_tune_last \
        --config.init.last_stages=1
    ncjax sweep --config=fashion_mnist_fine_tune --workdir=runs/fine_tune_classifier \
        --config.init.last_stages=0
    ncjax sweep --config=fashion_mnist_fine_tune --workdir=runs/fine_tune_nothing \
        --config.init.workdir=""

Run 0 of the source sweep with a new classifier, on 20 images each of the classes that it has never seen: all layers
trained, the last stage and the classifier, the classifier alone, and all from fresh weights. Three seeds of the
classifier and of the order of samples. The results are in docs/few_shot. A minute or two each on two CPU cores.
"""

import ml_collections

from ncjax.sweep import default_config


def get_config() -> ml_collections.ConfigDict:
    """The config that the docstring describes."""
    config = default_config()
    config.init.workdir = "runs/fashion_mnist_transfer"
    config.data.name = "fashion_mnist"
    config.data.source_classes = ("Trouser", "Dress", "Shirt", "Sneaker", "Ankle boot")
    config.data.train_per_class = 20
    config.data.test_per_class = 1_000
    config.model.name = "convnet4"
    config.train.epochs = 100.0
    config.train.batch_size = 20
    config.train.learning_rate = 0.01
    config.train.momentum = 0.9
    config.train.l2 = 5e-4
    config.augmentation.crop_padding = 2
    config.augmentation.flip = True
    config.measure.checkpoints = 3
    config.measure.complexity_samples = 64
    config.sweep.seed = (0, 1, 2)
    return config
