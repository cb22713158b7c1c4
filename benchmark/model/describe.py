"""What classifiers cost, as JSON lines: `python -m benchmark.model.describe` reads requests on standard input.

It is a process of its own because counting means building, and building needs Keras, which the command line never
loads.
"""

from __future__ import annotations

import json
import sys

import keras

from backbones.build import build
from backbones.registry import BackboneSpec
from benchmark.errors import sentence
from benchmark.model import classifier, heads
from benchmark.records import Parameters
from benchmark.spec import HeadSpec


def describe(backbone: BackboneSpec, image_size: int, head: HeadSpec, classes: int, learns: str) -> Parameters:
    """The size of the classifier; `learns` is `frozen` (the head alone) or `full`."""
    built = classifier.assemble(build(backbone, image_size, None), heads.layers(head, classes, seed=0))
    built.backbone.trainable = learns == "full"
    return classifier.parameters(built)


def main() -> None:
    """Answer every request with a line: the numbers, or the error in a sentence."""
    for line in sys.stdin:
        request = json.loads(line)
        backbone, head = BackboneSpec(**request["backbone"]), HeadSpec(**request["head"])
        try:
            found = describe(backbone, request["image_size"], head, request["classes"], request["learns"])
            answer = found.model_dump()
        except (ValueError, MemoryError) as error:
            answer = {"error": sentence(error)}
        keras.backend.clear_session()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
