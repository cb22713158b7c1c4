"""Composition: the words of a sweep's jobs -> their configurations, the choices of groups composed once each."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from benchmark import config
from benchmark.jobs import Job
from benchmark.screen import progress


class Composer:
    """Composes jobs of one sweep; those that choose the same files of conf/ differ only in values set afterwards.

    Hydra reads and merges all files for every job, a tenth of a second each. Which files it reads depends on the
    choices of groups alone, so that the values of `key=value` words may be set on a copy of what the choices gave.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        """`master` is the configuration of the sweep itself, whose own words hold for every job."""
        assert isinstance(loader, ConfigLoaderImpl)
        self._loader = loader
        self._master = master
        # hydra/launcher=ray says where workers are; Hydra merges conf/config.yaml after it.
        self._engine = master.hydra.launcher.get("engine")
        self._parser = OverridesParser.create(config_loader=loader)
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    def compose(self, words: Sequence[str]) -> DictConfig:
        """The configuration of one job, as `config.without_machinery` leaves it.

        Raises:
            HydraException: a word that names nothing or cannot be read.
        """
        parsed = self._parser.parse_overrides(list(words))
        values = [override for override in parsed if self._sets_a_value(override)]
        choices = tuple(word for word, override in zip(words, parsed, strict=True) if override not in values)
        if choices not in self._composed:
            whole = self._loader.load_sweep_config(self._master, list(choices))
            self._composed[choices] = config.without_machinery(whole)
        composed = copy.deepcopy(self._composed[choices])
        OmegaConf.set_struct(composed, True)
        ConfigLoaderImpl._apply_overrides_to_config(values, composed)
        if self._engine and OmegaConf.is_dict(composed.launcher):
            composed.launcher.engine = self._engine
        return composed

    def jobs(self, combinations: Sequence[Sequence[str]]) -> Iterator[Job]:
        """The validated jobs of all lists of words, one after the other; k-fold splits give several for one.

        Raises:
            ConfigurationError, HydraException: a job that cannot be run.
        """
        with progress("composing") as advance:
            for number, words in enumerate(combinations, start=1):
                yield from config.to_jobs(self.compose(words), words)
                advance(number, len(combinations))

    def _sets_a_value(self, override: Override) -> bool:
        """Whether the word changes a value that is there, and nothing about which files are read."""
        plain = not (override.is_add() or override.is_force_add() or override.is_delete() or override.package)
        return (
            plain
            and not override.is_hydra_override()
            and not self._loader.repository.group_exists(override.key_or_group)
        )
