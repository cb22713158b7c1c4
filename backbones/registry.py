"""Which backbones exist and which wishes they can fulfil, known without loading Keras.

A backbone is one decorated function in a file of this folder, or in any imported module:

    @backbone(default_size=32, minimum_size=4, weights=SCRATCH, papers=("LeCun et al. 1998, ...",))
    def lenet(pixels, spec):
        ...  # Keras is imported in here
        return features

`pixels` is a Keras tensor (N, size, size, 3), float32, RGB in 0..255; the tensor returned is (N, d). A builder brings
its own scaling of the pixels. One with pretrained weights obeys `spec.pooling`; one without has a feature vector of
its own.
"""

import difflib
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import pydantic

import backbones
from backbones.applications import APPLICATIONS

SCRATCH = ("none", "PATH")
PRETRAINED = ("none", "imagenet", "PATH")
ANY_APPLICATION = "keras_application"
"""The one backbone that needs `application`, the name of a network of keras.applications."""

# They load Keras and hold no backbone.
_MACHINERY = ("build", "cost")
_FILE_IDENTITY = re.compile(r".+@sha256:[0-9a-f]{8,64}")


class BackboneError(ValueError):
    """A wish that no backbone can fulfil."""


class UnknownBackbone(BackboneError):
    """No backbone, or no network of keras.applications, has this name."""


class BrokenBackbone(BackboneError):
    """The backbone's file cannot be imported."""


class DuplicateBackbone(BackboneError):
    """Two builders have the same name."""


class ImageTooSmall(BackboneError):
    """The network has no pixels left before its last layer."""


class UnsuitableSpec(BackboneError):
    """Weights, pooling or application that the backbone does not have."""


class BackboneSpec(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The choice of a backbone, the part of it that a run's identity depends on."""

    name: str
    weights: str
    """`none` (random), `imagenet`, or a file's identity `xception.weights.h5@sha256:0123456789abcdef`."""
    pooling: Literal["avg", "max", "flatten"]
    """How the last feature map (N, h, w, d) becomes a vector; `flatten` for networks trained from scratch."""
    application: str | None
    """A network of keras.applications, only with the name `keras_application`."""


Builder = Callable[[Any, BackboneSpec], Any]


@dataclass(frozen=True)
class Backbone:
    """A registered builder with the sizes (pixels), the weights and the papers it has."""

    name: str
    build: Builder
    minimum_size: int
    default_size: int
    papers: tuple[str, ...]
    weights: tuple[str, ...]
    """Some of `none`, `imagenet`, `PATH` (a weights file)."""
    gflops: float | None
    """10^9 floating-point operations for one picture of the default size; None = not known before it is built."""

    @property
    def poolings(self) -> tuple[str, ...]:
        """The poolings on offer: a network without pretrained weights ends in a vector of its own."""
        return ("avg", "max", "flatten") if "imagenet" in self.weights else ("flatten",)


_registered: dict[str, Backbone] = {}


def backbone(
    *,
    default_size: int,
    minimum_size: int,
    weights: tuple[str, ...],
    papers: tuple[str, ...],
    gflops: float | None = None,
) -> Callable[[Builder], Builder]:
    """Decorator that registers a builder under its function's name.

    Raises:
        DuplicateBackbone: a builder of another module has the name already.
    """

    def register(builder: Builder) -> Builder:
        name = builder.__name__
        known = _registered.get(name)
        if known is not None and known.build.__module__ != builder.__module__:
            raise DuplicateBackbone(
                f"found backbone {name!r} in {builder.__module__} and in {known.build.__module__}, expected one: "
                "rename one of the functions"
            )
        _registered[name] = Backbone(name, builder, minimum_size, default_size, papers, weights, gflops)
        return builder

    return register


def broken() -> dict[str, Exception]:
    """Modules of this folder that cannot be imported, each with the reason; imports all the others."""
    reasons: dict[str, Exception] = {}
    for module in pkgutil.iter_modules(backbones.__path__):
        if module.name in _MACHINERY:
            continue
        try:
            importlib.import_module(f"{backbones.__name__}.{module.name}")
        except Exception as error:
            reasons[module.name] = error
    return reasons


def names() -> tuple[str, ...]:
    """Every backbone that can be built, in alphabetical order."""
    broken()
    return tuple(sorted(_registered))


def find(name: str) -> Backbone:
    """The backbone of this name.

    Raises:
        BrokenBackbone: its file cannot be imported.
        UnknownBackbone: there is none.
    """
    failures = broken()
    if name in _registered:
        return _registered[name]
    if name in failures:
        reason = failures[name]
        raise BrokenBackbone(
            f"backbones/{name}.py cannot be imported: {type(reason).__name__}: {reason}; correct the file or choose "
            f"another backbone: {', '.join(sorted(_registered))}"
        ) from reason
    also = "".join(f"; backbones/{file}.py cannot be imported: {reason}" for file, reason in failures.items())
    raise UnknownBackbone(f"unknown backbone {name!r}{_nearest(name, _registered)}{also}")


def default_size(name: str, application: str | None) -> int:
    """The image size (pixels) that the backbone was designed for.

    Raises:
        BackboneError: an unknown name, or an application that does not belong to it.
    """
    return _sizes(find(name), application)[0]


def minimum_size(name: str, application: str | None) -> int:
    """The smallest image size (pixels) that leaves the backbone something to see.

    Raises:
        BackboneError: an unknown name, or an application that does not belong to it.
    """
    return _sizes(find(name), application)[1]


def gflops(name: str, image_size: int) -> float | None:
    """About how many 10^9 operations a picture of this size (pixels) costs, or None when the backbone does not say."""
    entry = find(name)
    return None if entry.gflops is None else entry.gflops * (image_size / entry.default_size) ** 2


def check(spec: BackboneSpec, image_size: int) -> None:
    """Nothing, when the backbone can be built as wished on square images of this size (pixels).

    Raises:
        UnknownBackbone, BrokenBackbone: the name.
        UnsuitableSpec: the weights, the pooling or the application.
        ImageTooSmall: the image size.
    """
    entry = find(spec.name)
    minimum = _sizes(entry, spec.application)[1]
    label = spec.application or spec.name
    kind = spec.weights if spec.weights in ("none", "imagenet") else "PATH"
    if kind == "PATH" and not _FILE_IDENTITY.fullmatch(spec.weights):
        near = _nearest(spec.weights, [weights for weights in entry.weights if weights != "PATH"])
        raise UnsuitableSpec(f"unknown weights {spec.weights!r} for {label}{near}, or the path of a weights file")
    if kind not in entry.weights:
        raise UnsuitableSpec(
            f"{label} has no {kind!r} weights, expected one of {', '.join(entry.weights)}: set backbone.weights=none"
        )
    if spec.pooling not in entry.poolings:
        raise UnsuitableSpec(
            f"{label} ends in a vector of its own, found pooling={spec.pooling}: set backbone.pooling=flatten"
        )
    if image_size < minimum:
        raise ImageTooSmall(
            f"images of {image_size} pixels are too small for {label}, expected {minimum} or more: set "
            f"dataset.image_size={minimum} or choose another backbone"
        )


def _sizes(entry: Backbone, application: str | None) -> tuple[int, int]:
    """Default and minimum size in pixels, of the application where one has to be named."""
    if entry.name != ANY_APPLICATION:
        if application is not None:
            raise UnsuitableSpec(
                f"backbone.application={application} is given for {entry.name}, expected null: remove it or set "
                f"backbone={ANY_APPLICATION}"
            )
        return entry.default_size, entry.minimum_size
    if application is None:
        raise UnsuitableSpec(
            f"{ANY_APPLICATION} needs to know which, found backbone.application=null, expected one of "
            f"{', '.join(sorted(APPLICATIONS))}: set backbone.application=NAME"
        )
    if application not in APPLICATIONS:
        raise UnknownBackbone(f"unknown application {application!r}{_nearest(application, APPLICATIONS)}")
    return APPLICATIONS[application].default_size, APPLICATIONS[application].minimum_size


def _nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, when a known name is near, and every known name."""
    lowered = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=1)
    question = f"; did you mean {lowered[near[0]]!r}?" if near else ";"
    return f"{question} expected one of {', '.join(sorted(lowered.values()))}"
