"""Commands about models: what each backbone is and costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from backbones import registry
from backbones.applications import APPLICATIONS
from backbones.registry import ANY_APPLICATION, BackboneSpec
from benchmark.cli.boards import show
from benchmark.cli.output import Format, FormatOption
from benchmark.errors import ConfigurationError
from benchmark.spec import HeadSpec

CONF = Path(__file__).resolve().parents[2] / "conf"
TITLES = ("name", "image size", "total", "trainable", "features", "FLOPs", "minimum size", "weights")

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Backbones; all if none is named.")]
Classes = Annotated[int, typer.Option(min=2, help="Number of classes.")]
ImageSize = Annotated[int | None, typer.Option(min=1, help="Pixels a side; each backbone's own if not given.")]
Head = Annotated[str, typer.Option(help="A head of conf/head: linear, dense, dense_bn, wide.")]
Learns = Annotated[str | None, typer.Option("--finetune", help="frozen or full; each backbone's default if not given.")]
Pooling = Annotated[str | None, typer.Option(help="avg, max or flatten; each backbone's default if not given.")]


def backbones(
    names: Names = None,
    classes: Classes = 10,
    image_size: ImageSize = None,
    head: Head = "linear",
    finetune: Learns = None,
    pooling: Pooling = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """List the backbones: parameters with the head, features, FLOPs a picture, minimum size and weights there are.

    Any network of keras.applications can be named as well. FLOPs count a multiply-add as two. Papers stand in
    conf/backbone/NAME.yaml.

    \b
    Examples:
      bench backbones --classes 10 --image-size 224 --head dense
      bench backbones xception EfficientNetB2 --finetune full
    """
    wanted = names or [name for name in registry.names() if name != ANY_APPLICATION]
    if finetune not in (None, "frozen", "full"):
        raise ConfigurationError(f"found --finetune {finetune}; expected frozen or full")
    requests = [_request(name, classes, image_size, _head(head), (finetune, pooling)) for name in wanted]
    answers = _answers([request for request in requests if "error" not in request])
    lines = []
    for name, request in zip(wanted, requests, strict=True):
        found = request if "error" in request else next(answers)
        lines.append(_line(name, request, found))
    show(TITLES, lines, format)


def _request(
    name: str, classes: int, image_size: int | None, head: HeadSpec, choices: tuple[str | None, str | None]
) -> dict[str, Any]:
    """What is asked of the child process, or why nothing can be."""
    application = name if name in APPLICATIONS else None
    entry = registry.find(ANY_APPLICATION if application else name)
    finetune, pooling = choices
    pretrained = "imagenet" in entry.weights
    chosen = pooling if pooling and pretrained else "avg" if pretrained else "flatten"
    spec = BackboneSpec.model_validate(
        {"name": entry.name, "weights": "none", "pooling": chosen, "application": application}
    )
    size = image_size or registry.default_size(entry.name, application)
    request = {"backbone": spec.model_dump(), "image_size": size, "head": head.model_dump(), "classes": classes}
    request["learns"] = finetune or ("frozen" if pretrained else "full")
    try:
        registry.check(spec, size)
    except registry.ImageTooSmall:
        request["error"] = f"needs {registry.minimum_size(entry.name, application)} pixels"
    return request


def _head(name: str) -> HeadSpec:
    """The head of this name in conf/head."""
    known = sorted(path.stem for path in (CONF / "head").glob("*.yaml"))
    if name not in known:
        raise ConfigurationError(f"unknown head {name!r}; expected one of {', '.join(known)}")
    return HeadSpec.model_validate(yaml.safe_load((CONF / "head" / f"{name}.yaml").read_text("utf-8")))


def _answers(requests: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The child process's answers in the order of the requests."""
    if not requests:
        return
    typer.echo(f"building {len(requests)} networks to count them ...", err=True)
    environ = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        [sys.executable, "-m", "benchmark.model.describe"],
        input=lines, capture_output=True, text=True, check=False, env=environ,
    )  # fmt: skip
    answers = done.stdout.splitlines()
    if done.returncode or len(answers) != len(requests):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ConfigurationError(
            f"found that {requests[len(answers)]['backbone']['name']} ended the counting process ({last}); expected it "
            "to be built: name the other backbones one by one, or a smaller --image-size"
        )
    yield from (json.loads(answer) for answer in answers)


def _line(name: str, request: dict[str, Any], found: dict[str, Any]) -> tuple[str, ...]:
    """One row of text."""
    application = request["backbone"]["application"]
    entry = registry.find(request["backbone"]["name"])
    minimum = str(registry.minimum_size(entry.name, application))
    size, weights = str(request["image_size"]), ", ".join(entry.weights)
    if "error" in found:
        return (name, size, found["error"], "", "", "", minimum, weights)
    counts = tuple(
        f"{found[key]:,}" if found[key] is not None else "unknown"
        for key in ("total", "trainable", "features", "flops")
    )
    return (name, size, *counts, minimum, weights)
