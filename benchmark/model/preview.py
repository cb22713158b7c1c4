"""Preview: what augmentation makes of training pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark.model import augmentation
from benchmark.spec import RunSpec


def augmented(
    spec: RunSpec, pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64], classes: int, views: int
) -> npt.NDArray[np.uint8]:
    """Augmented views of pictures (n, S, S, 3) as a run with this spec sees them, (n, views, S, S, 3), 0..255."""
    random = augmentation.build(spec.augmentation, spec.seed, spec.dataset.image_size)
    batch = augmentation.Batch(tf.cast(pixels, tf.float32), tf.one_hot(labels, classes))
    seen = [random(batch).images.numpy() for _ in range(views)]
    return np.clip(np.rint(np.stack(seen, axis=1)), 0, 255).astype(np.uint8)
