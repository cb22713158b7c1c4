"""Weights from a file, all of them or none: a model that is loaded in part would look like one that works."""

from pathlib import Path
from typing import Any

from backbones.registry import BackboneError

SUFFIXES = (".weights.h5", ".keras", ".h5", ".hdf5")
_HEAD_LAYERS = ("Dense", "BatchNormalization")


class WeightsUnavailable(BackboneError):
    """Weights that are not there, or not in a form that can be read."""


class WeightsDoNotFit(BackboneError):
    """Weights of another network, or of the same one built for another size."""


def load(model: Any, path: Path) -> None:
    """Give every weight of the model its value from a `.weights.h5`, `.keras` or (Keras 2) `.h5` file.

    An .h5 file must hold the weights of this network without its top and nothing else. A .keras file may be a
    classifier: this network, from its first layer to its last, and then a head.

    Raises:
        WeightsUnavailable: the file does not exist or cannot be read.
        WeightsDoNotFit: the file holds other layers, or weights of another shape.
    """
    if not path.is_file():
        raise WeightsUnavailable(
            f"found no weights file {path} for {model.name}: set backbone.weights to an existing file"
        )
    if not path.name.endswith(SUFFIXES):
        raise WeightsUnavailable(
            f"cannot tell the format of {path} for {model.name}, expected a name that ends in {', '.join(SUFFIXES)}: "
            "rename the file"
        )
    if path.suffix == ".keras":
        _load_model_file(model, path)
    else:
        _load_weights_file(model, path)


def _load_weights_file(model: Any, path: Path) -> None:
    """Load an HDF5 file through Keras and prove that nothing was left out on either side."""
    found = _arrays(path, model.name)
    expected = [(str(weight.path), tuple(weight.shape)) for weight in model.weights]
    if len(found) != len(expected):
        raise _misfit(model, path, f"{len(found)} arrays", f"{len(expected)}")
    _spoil(model)
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise a dozen classes here
        raise _misfit(model, path, "arrays of other layers or shapes", "those of this network") from error
    missed = _spoilt(model)
    if missed:
        raise _misfit(model, path, f"no number for {missed[0]}", "a finite one for every weight")


def _arrays(path: Path, label: str) -> list[tuple[int, ...]]:
    """Shapes of the weights in an HDF5 file, in no particular order, without optimizer and random-generator states."""
    import h5py  # type: ignore[import-untyped]

    shapes: list[tuple[int, ...]] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and "seed_generator" not in name and not name.startswith("optimizer"):
            shapes.append(tuple(item.shape))

    try:
        with h5py.File(path, "r") as file:
            legacy = "layer_names" in file.attrs or "model_weights" in file
            root = file["model_weights"] if "model_weights" in file else file if legacy else file.get("layers", {})
            if isinstance(root, h5py.Group):
                root.visititems(visit)
    except OSError as error:
        raise WeightsUnavailable(
            f"cannot read {path} for {label} ({error}), expected a complete HDF5 file: fetch or save it again"
        ) from error
    if shapes and legacy == path.name.endswith(".weights.h5"):
        layout, ending = ("Keras 2", ".h5") if legacy else ("Keras 3", ".weights.h5")
        raise WeightsUnavailable(
            f"{path} for {label} has the layout of {layout}, expected a name that says so: rename it to end in {ending}"
        )
    return shapes


def _load_model_file(model: Any, path: Path) -> None:
    """Take the weights of a saved model's first layers, in order, when these are the model's layers."""
    import keras

    try:
        source = keras.models.load_model(path, compile=False)
    except Exception as error:  # a zip, JSON, HDF5 or registration error
        reason = " ".join(str(error).split())[:200]
        raise WeightsUnavailable(
            f"cannot read {path} for {model.name} ({reason}), expected a model saved by Keras 3: save it again"
        ) from error
    ours, theirs = _weighty(model), _weighty(source)
    for index, layer in enumerate(ours):
        found = _signature(theirs[index]) if index < len(theirs) else "nothing"
        if found != _signature(layer):
            raise _misfit(model, path, f"{found} as layer {index + 1}", _signature(layer))
    for extra in theirs[len(ours) :]:
        if type(extra).__name__ not in _HEAD_LAYERS:
            raise _misfit(model, path, f"{_signature(extra)} behind its last layer", "at most a head of dense layers")
    _copy(theirs, ours)


def copy(source: Any, model: Any) -> None:
    """Give every weight of the model its value from another model with the same layers."""
    _copy(_weighty(source), _weighty(model))


def _copy(sources: list[Any], layers: list[Any]) -> None:
    """Give the layers the weights of as many sources, in order."""
    for source, layer in zip(sources, layers, strict=False):
        layer.set_weights(source.get_weights())
        # A Normalization layer computes with constants that it derives from its weights only when told to.
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def _weighty(model: Any) -> list[Any]:
    """Layers with weights of their own, those of nested models included, from first to last."""
    found: list[Any] = []
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found += _weighty(layer)
        elif layer.weights:
            found.append(layer)
    return found


def _signature(layer: Any) -> str:
    """The layer's class and the shapes of its weights, `Conv2D (3, 3, 3, 32) (32,)`."""
    return " ".join([type(layer).__name__, *(str(tuple(weight.shape)) for weight in layer.weights)])


def _spoil(model: Any) -> None:
    """Overwrite every floating-point weight with NaN, so that one that is not loaded gives itself away."""
    import numpy

    for weight in model.weights:
        if "float" in weight.dtype:
            weight.assign(numpy.full(weight.shape, numpy.nan, dtype="float32"))


def _spoilt(model: Any) -> list[str]:
    """Paths of the weights that hold a value that is not finite."""
    import numpy

    return [str(weight.path) for weight in model.weights if not numpy.isfinite(weight.numpy()).all()]


def _misfit(model: Any, path: Path, found: str, expected: str) -> WeightsDoNotFit:
    """The sentence about a file of other weights."""
    return WeightsDoNotFit(
        f"{path} does not fit {model.name} without its top at {model.input_shape[1]} pixels: found {found}, expected "
        f"{expected}; set backbone.weights to a file of the same network and size, or backbone.weights=none"
    )
