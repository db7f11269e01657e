r"""Few-shot transfer on glyphs: ConvNet-4 trained by the field's usual recipe, every head on classes never trained on.

    ncjax sweep --config=glyphs_few_shot --workdir=runs/glyphs_few_shot
    ncjax few-shot --workdir=runs/glyphs_few_shot --shots=1,5 \
        --head=ncm,ncm_cosine,ridge,ridge_relative,ridge_chosen,logistic,svm

Three seeds of the four-block network of 64 channels with batch normalisation (Vinyals et al. 2016, arXiv 1606.04080),
by SGD with momentum, weight decay and random crops, on 64 classes of glyphs x 40 images; 5-way episodes of 15 queries
on 20 classes never trained on. No download. The results are in docs/few_shot. A few minutes on two CPU cores.
"""

import ml_collections

from ncjax.sweep import default_config


def get_config() -> ml_collections.ConfigDict:
    """The config that the docstring describes."""
    config = default_config()
    config.data.name = "glyphs"
    config.model.name = "convnet4"
    config.train.epochs = 16.0
    config.train.batch_size = 64
    config.train.learning_rate = 0.05
    config.train.momentum = 0.9
    config.train.l2 = 5e-4
    config.augmentation.crop_padding = 2
    config.measure.checkpoints = 3
    config.measure.complexity_samples = 256
    config.sweep.seed = (0, 1, 2)
    return config
