"""The main job on a laptop: does lower geometric complexity go with deeper collapse and better transfer?

    ncjax sweep --config=quickstart --workdir=runs/quickstart
    ncjax report --workdir=runs/quickstart

Twelve runs (3 learning rates × 2 strengths of L2 × 2 seeds) of a four-layer convolutional network, by plain SGD, on 64
classes of glyphs; tested on type faces never seen, transferred to 20 classes never seen. No download. A small instance
of claims A1 and A5 of Munn, Dherin & Gonzalvo 2024 (arXiv 2405.15706) and of B1 and B5 of Hui, Belkin & Nakkiran 2022
(arXiv 2202.08384). A few minutes on two CPU cores.
"""

import ml_collections

from ncjax.sweep import default_config


def get_config() -> ml_collections.ConfigDict:
    """The config that the docstring describes."""
    config = default_config()
    config.data.name = "glyphs"
    config.model.name = "convnet4"
    config.model.widths = (16, 32, 64, 64)
    config.model.norm = "none"
    config.train.epochs = 16.0
    config.train.batch_size = 32
    config.measure.complexity_samples = 256
    config.measure.directional = True
    config.measure.ranks = True
    config.sweep.learning_rate = (0.025, 0.05, 0.1)
    config.sweep.l2 = (0.0, 1e-3)
    config.sweep.seed = (0, 1)
    return config
