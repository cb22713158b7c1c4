"""The plain Keras code that the harness is compared with: what a competent notebook does, timed part by part.

Run as a program it prints one JSON object of seconds: python plain_keras.py KIND JSON. Every kind is a process of its
own, so that starting up is part of it, as it is of ours.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


class EpochSeconds:
    """Makes a Keras callback that notes how long every epoch took."""

    def __new__(cls) -> Any:
        import keras

        class Clock(keras.callbacks.Callback):
            seconds: list[float]

            def on_train_begin(self, logs: Any = None) -> None:
                self.seconds = []

            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                self.begun = time.perf_counter()

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                self.seconds.append(time.perf_counter() - self.begun)

        return Clock()


def loaded(folder: str, size: int, batch: int, cached: bool) -> tuple[Any, Any, Any, int]:
    """Training, validation and test data from folders train, val and test, decoded by tf.data; how many classes."""
    import keras
    import tensorflow as tf

    wanted = {"image_size": (size, size), "batch_size": batch, "seed": 0, "verbose": False}
    train = keras.utils.image_dataset_from_directory(f"{folder}/train", **wanted)
    val, test = (
        keras.utils.image_dataset_from_directory(f"{folder}/{split}", shuffle=False, **wanted)
        for split in ("val", "test")
    )
    classes = len(train.class_names)
    if cached:
        train, val = train.cache().shuffle(1000, seed=0), val.cache()
    return *(part.prefetch(tf.data.AUTOTUNE) for part in (train, val, test)), classes


def pretrained(size: int, weights: str | None, application: str, trainable: int, flip: bool, classes: int) -> Any:
    """A backbone of keras.applications with a linear head; its last `trainable` layers learn."""
    import keras

    maker = getattr(keras.applications, application)
    base = maker(include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg")
    if weights:
        base.load_weights(weights)
    for place, layer in enumerate(base.layers[:-1]):
        layer.trainable = place >= len(base.layers) - 1 - trainable
    pixels = keras.Input((size, size, 3))
    values = keras.layers.RandomFlip("horizontal")(pixels) if flip else pixels
    features = base(keras.layers.Rescaling(1 / 127.5, offset=-1)(values), training=False)
    dropped = keras.layers.Dropout(0.2)(features)
    return keras.Model(pixels, keras.layers.Dense(classes, activation="softmax")(dropped))


def frozen(
    folder: str, size: int, batch: int, weights: str | None, application: str, trainable: int, flip: bool, epochs: int
) -> Any:
    """Seconds to start up, and those of one configuration: building, all epochs and predicting the test part once."""
    import keras

    train, val, test, classes = loaded(folder, size, batch, cached=True)
    start_up, begun = time.perf_counter() - STARTED, time.perf_counter()
    model = pretrained(size, weights, application, trainable, flip, classes)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train, validation_data=val, epochs=epochs, verbose=0)
    model.predict(test, verbose=0)
    keras.backend.clear_session()
    return {"start_up": start_up, "run": time.perf_counter() - begun}


def head(features: str, units: list[int], dropout: float, epochs: int, batch: int, runs: int) -> Any:
    """Seconds of build + compile + fit of one head on features in memory, each of several runs."""
    import keras
    import numpy as np

    found = np.load(features)
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        layers = [keras.layers.Dense(size, activation="relu") for size in units]
        end = [keras.layers.Dropout(dropout), keras.layers.Dense(int(found["y"].max()) + 1, activation="softmax")]
        model = keras.Sequential([keras.Input(found["x"].shape[1:]), *layers, *end])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        val = (found["x_val"], found["y_val"])
        model.fit(found["x"], found["y"], validation_data=val, epochs=epochs, batch_size=batch, verbose=0)
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds}


def small_net(arrays: str, name: str, epochs: int, batch: int, runs: int) -> Any:
    """Seconds of build, compile and fit of one of our small networks on arrays that are in memory."""
    import keras
    import numpy as np

    from backbones.build import build
    from backbones.registry import BackboneSpec

    found = np.load(arrays)
    x, x_val = found["x"].astype("float32"), found["x_val"].astype("float32")
    spec = BackboneSpec(name=name, weights="none", pooling="flatten", application=None)
    totals, steps = [], []
    for run in range(runs):
        keras.utils.set_random_seed(run)
        begun, clock = time.perf_counter(), EpochSeconds()
        backbone = build(spec, x.shape[1], None)
        outputs = keras.layers.Dense(10, activation="softmax")(keras.layers.Dropout(0.2)(backbone.output))
        model = keras.Model(backbone.input, outputs)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        val = (x_val, found["y_val"])
        model.fit(x, found["y"], validation_data=val, epochs=epochs, batch_size=batch, verbose=0, callbacks=[clock])
        totals.append(time.perf_counter() - begun)
        steps += clock.seconds[1:]
    return {"seconds": totals, "epochs": steps}


def small_net_from_disk(folder: str, name: str, size: int, epochs: int, batch: int) -> Any:
    """Seconds of one whole process that decodes the pictures in every epoch and predicts the test part once."""
    import keras

    from backbones.build import build
    from backbones.registry import BackboneSpec

    train, val, test, classes = loaded(folder, size, batch, cached=False)
    backbone = build(BackboneSpec(name=name, weights="none", pooling="flatten", application=None), size, None)
    outputs = keras.layers.Dense(classes, activation="softmax")(keras.layers.Dropout(0.2)(backbone.output))
    model = keras.Model(backbone.input, outputs)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train, validation_data=val, epochs=epochs, verbose=0)
    model.predict(test, verbose=0)
    return {"seconds": time.perf_counter() - STARTED}


def extraction(arrays: str, application: str, weights: str | None, runs: int) -> Any:
    """Images per second of Keras's predict, after one call that traces."""
    import keras
    import numpy as np

    pixels = np.load(arrays)["x"]
    base = getattr(keras.applications, application)(
        include_top=False, weights=None, input_shape=pixels.shape[1:], pooling="avg"
    )
    if weights:
        base.load_weights(weights)
    values = keras.Input(pixels.shape[1:])
    scaled = values if application.startswith("MobileNetV3") else keras.layers.Rescaling(1 / 127.5, offset=-1)(values)
    model = keras.Model(values, base(scaled))
    model.predict(pixels[:64], verbose=0)
    rates = []
    for _ in range(runs):
        begun = time.perf_counter()
        model.predict(pixels, batch_size=32, verbose=0)
        rates.append(len(pixels) / (time.perf_counter() - begun))
    return {"rates": rates}


KINDS = {
    "frozen": frozen,
    "head": head,
    "small_net": small_net,
    "small_net_from_disk": small_net_from_disk,
    "extraction": extraction,
}

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    print(json.dumps(KINDS[sys.argv[1]](**json.loads(sys.argv[2]))))
