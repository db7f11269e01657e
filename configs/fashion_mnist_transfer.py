r"""Few-shot transfer between real classes: ConvNet-4 trained on five classes of Fashion-MNIST, tested on the others.

    ncjax prepare-data --dataset=fashion_mnist --source=/usr/share/datasets/fashion-mnist
    ncjax sweep --config=fashion_mnist_transfer --workdir=runs/fashion_mnist_transfer
    ncjax few-shot --workdir=runs/fashion_mnist_transfer --shots=1,5 \
        --head=ncm,ncm_cosine,ridge,ridge_relative,logistic,svm

Three seeds of the four-block network of 64 channels with batch normalisation, by SGD with momentum, weight decay, crops
and flips, on 600 images each of five classes; 5-way episodes of 15 queries on 1,000 images each of the other five. With
five target classes every episode has the same ones. The results are in docs/few_shot. A few minutes on two CPU cores.
"""

import ml_collections

from ncjax.sweep import default_config


def get_config() -> ml_collections.ConfigDict:
    """The config that the docstring describes."""
    config = default_config()
    config.data.name = "fashion_mnist"
    config.data.target_classes = ("Trouser", "Dress", "Shirt", "Sneaker", "Ankle boot")
    config.data.train_per_class = 600
    config.data.test_per_class = 400
    config.data.target_per_class = 1_000
    config.model.name = "convnet4"
    config.train.epochs = 12.0
    config.train.batch_size = 64
    config.train.learning_rate = 0.05
    config.train.momentum = 0.9
    config.train.l2 = 5e-4
    config.augmentation.crop_padding = 2
    config.augmentation.flip = True
    config.measure.checkpoints = 3
    config.measure.complexity_samples = 256
    config.sweep.seed = (0, 1, 2)
    return config
