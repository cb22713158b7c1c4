"""One batch through each classifier, as JSON lines: `python -m benchmark.model.rehearsal` reads requests.

It is a process of its own because building needs Keras, which the command line never loads, and because a network
that does not fit into memory takes its process with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import keras
import psutil
import tensorflow as tf

from benchmark.errors import sentence
from benchmark.model import classifier
from benchmark.plugins import load_plugin
from benchmark.spec import RunSpec


def rehearse(spec: RunSpec, classes: int, weights_path: Path | None) -> dict[str, Any]:
    """Seconds and memory of one training step on a batch of drawn pictures, weights from where the run takes them."""
    built = classifier.build(spec, classes, weights_path, None)
    if spec.finetune.mode == "frozen":
        built.backbone.trainable = False
    size, count = spec.dataset.image_size, spec.training.batch_size
    pixels = tf.random.stateless_uniform((count, size, size, 3), seed=(0, 0), maxval=255.0)
    truth = tf.range(count) % classes
    began = time.perf_counter()
    with tf.GradientTape() as tape:
        logits = built.logits(pixels, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits))
    gradients = tape.gradient(loss, [weight.value for weight in built.model.trainable_weights])
    finite = all(bool(tf.reduce_all(tf.math.is_finite(one))) for one in gradients if one is not None)
    return {
        "seconds": time.perf_counter() - began,
        "memory_mb": psutil.Process().memory_info().rss / 1e6,
        "finite": finite and bool(tf.math.is_finite(loss)),
    }


def main() -> None:
    """Say which devices there are, then answer every request with a line: the numbers, or the error in a sentence."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what libraries print while they download weights is no answer
    devices = sorted({device.device_type for device in tf.config.list_physical_devices()})
    answers.write(json.dumps({"devices": devices}) + "\n")
    for line in sys.stdin:
        request = json.loads(line)
        path = Path(request["weights_path"]) if request["weights_path"] else None
        try:
            for plugin in request["plugins"]:
                load_plugin(plugin)
            answer = rehearse(RunSpec.model_validate(request["spec"]), request["classes"], path)
        except Exception as error:  # whatever a network does is the answer to its request
            answer = {"error": f"{type(error).__name__}: {sentence(error)}".splitlines()[0][:400]}
        keras.backend.clear_session()
        with contextlib.suppress(BrokenPipeError):
            answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
