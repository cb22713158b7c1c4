import gc
from collections.abc import Callable

import keras
import numpy as np
import psutil
import pytest
import tensorflow as tf

from benchmark.model import optimizers
from benchmark.model.augmentation import Augmentation
from benchmark.model.boundary import Split
from benchmark.model.losses import Objective
from benchmark.model.steps import Learner, batches_of, trainer
from benchmark.spec import RunSpec

SpecOf = Callable[..., RunSpec]
KERAS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
    "rmsprop": keras.optimizers.RMSprop,
}


@pytest.mark.parametrize("name", KERAS)
def test_weights_move_as_keras_moves_them(name: str, spec_of: SpecOf) -> None:
    gradients = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    found = []
    for optimizer in (optimizers.build(spec_of(optimizer=name).training, 0.05), KERAS[name](0.05)):
        variable = keras.Variable(np.ones((4, 3), np.float32))
        optimizer.build([variable])
        for gradient in gradients:
            optimizer.apply([tf.constant(gradient)], [variable])
        found.append(variable.numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    assert not np.allclose(found[0], 1)


def test_a_traced_step_lets_go_of_its_variables(spec_of: SpecOf) -> None:
    inputs, labels = np.zeros((8, 1000), np.float32), np.zeros(8, np.int64)

    def trace() -> int:
        features = keras.Input((1000,))
        model = keras.Model(features, keras.layers.Dense(2000)(features))
        optimizer = optimizers.build(spec_of().training, 0.01)
        learner = Learner(Split(None, model), Augmentation(()), Objective((1.0,) * 2000, 0.0, 0.0), optimizer)
        trainer(learner, batches_of(inputs), batches_of(labels), 4)
        del features, model, optimizer, learner
        gc.collect()
        return int(psutil.Process().memory_info().rss)

    sizes = [trace() for _ in range(14)]
    one_trace = 3 * 4 * 2_000_000
    assert sizes[-1] - sizes[3] < 2 * one_trace, "ten traces must not keep ten networks"
