"""From Hydra's DictConfig to Job: Hydra and OmegaConf end here."""

from __future__ import annotations

import copy
import functools
import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ValidationError

from backbones import registry
from backbones.registry import BackboneSpec
from benchmark import environment, metrics, monitors, schedules, weighting
from benchmark.errors import ConfigurationError
from benchmark.jobs import Job
from benchmark.plugins import load_plugin
from benchmark.registry import nearest
from benchmark.spec import RunSpec
from datasets.spec import DatasetLocation, DatasetSpec

Model = TypeVar("Model", bound=BaseModel)

CONF = Path(__file__).resolve().parent.parent / "conf"
PARTS = ("dataset", "backbone", "head", "finetune", "weighting", "augmentation", "training")
CORES_PER_WORKER = 8
"""Training one net on more cores than this gains less than training two nets at once."""
SCHEMA = "schema"
"""The file of a group that holds what its choices share; no choice itself."""
LAUNCHER_EXTRAS = ("joblib", "submitit")
"""Launchers that come with a package of their own."""
PLAIN_WEIGHTS = ("none", "imagenet")
WEIGHTS_BEGIN = (b"\x89HDF\r\n\x1a\n", b"PK\x03\x04")
"""The first bytes of HDF5 and of a .keras archive."""


def without_machinery(composed: DictConfig) -> DictConfig:
    """A copy of what Hydra composed without its own node and the choice of an experiment, which has taken effect."""
    return OmegaConf.masked_copy(composed, [str(key) for key in composed if key not in ("hydra", "experiment")])


def to_jobs(composed: DictConfig, overrides: Sequence[str]) -> list[Job]:
    """The job that a configuration without machinery describes; with k-fold splits one for each fold, unless named.

    Raises:
        ConfigurationError: a value is missing, misspelt, out of range or does not fit the others.
    """
    everything = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    assert isinstance(everything, dict)
    content = {str(key): value for key, value in everything.items()}
    _require_every_option(content)
    dataset = content["dataset"]
    if dataset["split"] != "kfold" or dataset["fold"] is not None:
        return [_job(content, overrides)]
    folds = [{**content, "dataset": {**dataset, "fold": fold}} for fold in range(int(dataset["folds"]))]
    return [_job(one, [*overrides, f"dataset.fold={fold}"]) for fold, one in enumerate(folds)]


def _job(content: dict[str, Any], overrides: Sequence[str]) -> Job:
    """One job, validated as far as no model is needed."""
    content = copy.deepcopy(content)
    for plugin in content["plugins"]:
        load_plugin(plugin)
    weights_path = _identify_weights(content["backbone"])
    location = {key: content["dataset"].pop(key) for key in DatasetLocation.model_fields}
    if content["dataset"]["image_size"] is None:
        backbone = content["backbone"]
        content["dataset"]["image_size"] = registry.default_size(backbone["name"], backbone["application"])
    spec = _validated(RunSpec, {key: content.pop(key) for key in ("task", *PARTS, "seed")})
    registry.check(spec.backbone, spec.dataset.image_size)
    weighting.find(spec.weighting.rule)
    schedules.find(spec.training.schedule.rule)
    monitors.find(spec.training.monitor)
    metrics.find(content["sweep"]["primary"])
    machine, launcher = _with_processors(content["machine"], content["launcher"])
    return _validated(
        Job,
        {
            "spec": spec,
            "location": {key: _absolute(value) for key, value in location.items()},
            "weights_path": weights_path,
            "sweep": content["sweep"],
            "paths": {key: _absolute(value) for key, value in content["paths"].items()},
            "machine": machine,
            "tracking": content["tracking"],
            "launcher": launcher,
            "report": content["report"],
            "figures": content["figures"],
            "screen": content["screen"],
            "plugins": content["plugins"],
            "overrides": tuple(overrides),
        },
    )


def _require_every_option(content: Mapping[str, Any]) -> None:
    """Refuse a group that is no group, and options that were taken away: what reads them relies on conf/."""
    fields = {**RunSpec.model_fields, **Job.model_fields}
    for group, model in ((name, field.annotation) for name, field in fields.items() if name in content):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        if not isinstance(content[group], Mapping):
            choice = f", or a launcher of Hydra's: hydra/{group}={content[group]}" if group == "launcher" else ""
            raise ConfigurationError(f"found {group}={content[group]}; expected options: {group}.NAME=VALUE{choice}")
    names = {"task", "seed", "plugins", *PARTS, *Job.model_fields} - {
        "kind",
        "spec",
        "location",
        "weights_path",
        "overrides",
    }
    needed = [
        *sorted(names),
        *(f"dataset.{name}" for name in (*DatasetLocation.model_fields, *DatasetSpec.model_fields)),
    ]
    needed += [f"backbone.{name}" for name in BackboneSpec.model_fields] + ["sweep.primary"]
    for key in needed:
        group, _, name = key.partition(".")
        if group not in content or (name and name not in content[group]):
            raise ConfigurationError(f"found no {key}; expected every option of conf/: leave ~{key} out")
    if not isinstance(content["plugins"], list) or not all(isinstance(one, str) for one in content["plugins"]):
        raise ConfigurationError(f"found plugins={content['plugins']}; expected a list of modules: plugins=[mine]")


def current_overrides() -> list[str]:
    """The command-line words of the job that Hydra is running now."""
    return list(HydraConfig.get().overrides.task)


def in_plain_words(error: Exception) -> Exception:
    """The error itself, or a ConfigurationError that says what Hydra meant, with the nearest name."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        options = [str(option) for option in error.options or () if option != SCHEMA]
        extra = next((extra for extra in LAUNCHER_EXTRAS if group == "hydra/launcher" and name.startswith(extra)), None)
        return ConfigurationError(
            f"unknown {group or 'configuration'} {name!r}{nearest(name, options)}"
            + (f"; expected one of {', '.join(options)}" if options else "")
            + (f"; the extra `{extra}` brings it: pip install '.[{extra}]'" if extra else "")
        )
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):
        first = str(error).splitlines()[0].rstrip(".")
        return ConfigurationError(f"{first}; expected the name of a file in conf/: --help lists them")
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return error
    text = str(error)
    missing = re.search(r"Missing mandatory value: (\S+)", text)
    if missing:
        return ConfigurationError(
            f"found no value for {missing[1]}; expected one: {missing[1]}=VALUE, or a choice of "
            f"conf/{missing[1].partition('.')[0]}/ that has one"
        )
    key = re.search(r"Could not override '([^']+)'", text) or re.search(r"full_key: (\S+)", text)
    if key:
        return ConfigurationError(_unknown_option(key[1]))
    if "Ambiguous value" in text:
        return ConfigurationError(
            "found several values for one option; expected one, or -m: python -m benchmark -m ..."
        )
    if isinstance(error, OverrideParseException):
        return ConfigurationError(
            f"found {error.override!r}, which cannot be read; expected key=value, in quotation marks for the "
            "shell where it holds spaces, brackets or braces"
        )
    first = text.strip().splitlines()[0].rstrip(".") if text.strip() else type(error).__name__
    return ConfigurationError(f"{first}; expected [group=choice] [key=value], a sweep with -m; --help lists them")


def _unknown_option(key: str) -> str:
    """Why there is no option of this dotted key: it is one of another launcher, or of none."""
    option = key.removeprefix("hydra.launcher.")
    owners = [name for name, options in _hydras_launchers().items() if option != key and option in options]
    if owners:
        expected = " or ".join(f"hydra/launcher={name}" for name in owners)
        return f"found {key} for a launcher without that option; expected it with {expected}"
    return f"unknown option {key!r}{nearest(key, _known_keys())}"


def _validated(model: type[Model], content: Mapping[str, Any]) -> Model:
    """The content as this model; every mistake of it in one sentence."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        found = []
        for problem in error.errors():
            key = ".".join(str(step) for step in problem["loc"])
            what = problem["msg"].removeprefix("Value error, ")
            value = problem["input"]
            found.append(f"{key}={value}: {what}" if key and not isinstance(value, Mapping | BaseModel) else what)
        raise ConfigurationError("; ".join(found)) from error


def _identify_weights(backbone: dict[str, Any]) -> Path | None:
    """The weights file, if one is named; in the configuration its path gives way to its name and content."""
    given = str(backbone["weights"])
    if given in PLAIN_WEIGHTS:
        return None
    path = Path(given).expanduser().resolve()
    if not path.is_file():
        hint = nearest(given, PLAIN_WEIGHTS)
        raise ConfigurationError(
            f"found no weights file {path}{hint}; expected backbone.weights to be imagenet, none or the path of a "
            ".weights.h5, .h5 or .keras file"
        )
    _require_weights(path)
    state = path.stat()
    backbone["weights"] = f"{path.name}@sha256:{_digest(path, state.st_mtime_ns, state.st_size)[:8]}"
    return path


def _require_weights(path: Path) -> None:
    """Refuse a file that cannot hold weights, before a worker finds out run by run.

    Raises:
        ConfigurationError: it is neither HDF5 nor an archive, whatever its name says.
    """
    with path.open("rb") as file:
        start = file.read(max(map(len, WEIGHTS_BEGIN)))
    if not start.startswith(WEIGHTS_BEGIN):
        raise ConfigurationError(
            f"found {path}, which does not begin as a file of weights does; expected backbone.weights to name a whole "
            ".weights.h5, .h5 or .keras file: fetch it again"
        )


@functools.cache
def _digest(path: Path, changed: int, size: int) -> str:
    """The file's SHA-256; all jobs of a sweep name the same file, which is read again only when it has changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _with_processors(machine: Mapping[str, Any], launcher: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The machine's and the launcher's settings with null counts replaced by what this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    training = launcher["workers"]
    if launcher["engine"] == "ray":
        threads = min(cores, CORES_PER_WORKER)
    else:
        if training is None:
            training = max(1, environment.gpus() or cores // CORES_PER_WORKER)
        threads = max(1, cores // training) if isinstance(training, int) and training > 0 else cores
    counts = {"threads": threads, "workers": cores}
    return (
        {key: counts[key] if value is None and key in counts else value for key, value in machine.items()},
        {**launcher, "workers": training},
    )


def _absolute(value: Any) -> Any:
    """A path made absolute, so that another process finds it; anything else unchanged."""
    return Path(value).expanduser().absolute() if isinstance(value, str) else value


def _known_keys() -> set[str]:
    """Every group and dotted key that the files of conf/ mention, and the options of Hydra's launchers."""
    keys: set[str] = {folder.name for folder in CONF.iterdir() if folder.is_dir()}
    for options in _hydras_launchers().values():
        keys |= {f"hydra.launcher.{key}" for key in options}
    for file in CONF.rglob("*.yaml"):
        group = ".".join(file.relative_to(CONF).parent.parts)
        package = re.search(r"^# @package (\S+)", file.read_text("utf-8"), re.MULTILINE)
        prefix = {"_global_": ""}.get(package[1], package[1]) if package else group
        keys |= set(_dotted(yaml.safe_load(file.read_text("utf-8")) or {}, prefix))
    return keys


def _hydras_launchers() -> dict[str, list[str]]:
    """The options of Hydra's own launchers, those of installed extras among them."""
    nodes = ConfigStore.instance().repo["hydra"]["launcher"]
    return {file.removesuffix(".yaml"): [str(key) for key in entry.node] for file, entry in nodes.items()}


def _dotted(content: Mapping[str, Any], prefix: str) -> Iterable[str]:
    """The dotted keys of nested mappings."""
    for key, value in content.items():
        dotted = f"{prefix}.{key}" if prefix else str(key)
        yield dotted
        if isinstance(value, Mapping):
            yield from _dotted(value, dotted)
