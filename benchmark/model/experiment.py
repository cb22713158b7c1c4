"""An experiment: specs carried out on given pixels, from fresh weights to the test split's probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from benchmark.model import frozen, learning, sources
from benchmark.model.activations import DoesNotFit
from benchmark.model.study import Data, Machine, Result, Seconds, Study, prepare, wanted
from benchmark.model.training import Row
from benchmark.spec import RunSpec

__all__ = ["Data", "Machine", "Result", "Seconds", "prepare", "run", "run_stack", "wanted"]


def run(spec: RunSpec, data: Data, machine: Machine, on_epoch: Callable[[Row], None]) -> Result:
    """Build, train and predict what the spec says; `on_epoch` gets every epoch's row as soon as it is known.

    Raises:
        Diverged: a loss or a weight stopped being a finite number.
        SettingsMismatch: this process was not configured with the spec's settings.
        ValueError: the spec names something that does not exist or cannot be had.
    """
    outcome = _together([prepare(spec, data, machine)], lambda _, row: on_epoch(row))[0]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def run_stack(
    specs: Sequence[RunSpec], data: Data, machine: Machine, on_epoch: Callable[[int, Row], None]
) -> list[Result | Exception]:
    """What `run` gives for each spec, bit for bit, or the error it raises; heads on the same activations train at once.

    `on_epoch` gets the place of a spec and a row of its history.
    """
    outcomes: dict[int, Result | Exception] = {}
    groups: dict[str, dict[int, Study]] = {}
    for place, spec in enumerate(specs):
        try:
            study = prepare(spec, data, machine)
        except Exception as error:  # a mistake in one spec is no reason to end the others
            outcomes[place] = error
        else:
            groups.setdefault(frozen.key(study) or f"alone {place}", {})[place] = study
    for group in groups.values():
        places = list(group)
        found = _together(list(group.values()), lambda member, row: on_epoch(places[member], row))  # noqa: B023
        outcomes.update(zip(places, found, strict=True))
    return [outcomes[place] for place in range(len(specs))]


def _together(studies: Sequence[Study], on_epoch: Callable[[int, Row], None]) -> list[Result | Exception]:
    """The outcomes of studies that share their key, or of a single one."""
    try:
        if frozen.key(studies[0]) is not None:
            return list(frozen.train(studies, on_epoch))
    except DoesNotFit as error:
        studies = [study._replace(notes=(*study.notes, sources.without_room(study, error))) for study in studies]
    return [_alone(study, lambda row: on_epoch(place, row)) for place, study in enumerate(studies)]  # noqa: B023


def _alone(study: Study, on_epoch: Callable[[Row], None]) -> Result | Exception:
    """The outcome of training the study's own network."""
    try:
        return learning.learn(study, on_epoch)
    except Exception as error:  # it is the outcome of this study and no reason to end the others
        if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
            learning.make_room()
        return error
