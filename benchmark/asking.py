"""The jobs that the words of a sweep ask for, for commands that look at a sweep without being one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode

from benchmark import config
from benchmark.composition import Composer
from benchmark.config import CONF
from benchmark.jobs import Job


def jobs(words: Sequence[str]) -> list[Job]:
    """The validated jobs of `python -m benchmark -m WORDS`, those of an experiment's own sweep included.

    Raises:
        ConfigurationError: the words ask for something that cannot be run.
    """
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            return _jobs([word for word in words if word not in ("-m", "--multirun")])
        except Exception as error:
            raise config.in_plain_words(error) from error


def _jobs(words: list[str]) -> list[Job]:
    loader = GlobalHydra.instance().config_loader()
    parser = OverridesParser.create(config_loader=loader)
    parsed = parser.parse_overrides(words)
    single = [word for word, override in zip(words, parsed, strict=True) if not override.is_sweep_override()]
    master = loader.load_configuration("config", overrides=single, run_mode=RunMode.MULTIRUN)
    own = master.hydra.sweeper.get("params") or {}
    arguments = [f"{key}={value}" for key, value in own.items()] + words
    batches = BasicSweeper.split_arguments(parser.parse_overrides(arguments), None)
    return list(Composer(loader, master).jobs(list(chain.from_iterable(batches))))
