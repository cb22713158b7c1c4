"""The README's commands are real: every one composes or parses, and its examples of code run."""

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from benchmark import config

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands(first: str) -> list[list[str]]:
    """Every command in the shell blocks that begins with this word, without comments."""
    lines = "\n".join(blocks("bash")).replace("\\\n", " ").splitlines()
    split = [shlex.split(line, comments=True) for line in lines]
    return [words for words in split if words and words[: len(first.split())] == first.split()]


SWEEPS = [words[3:] for words in commands("python -m benchmark") if "--help" not in words]


@pytest.mark.parametrize("words", SWEEPS, ids=[" ".join(words) for words in SWEEPS])
def test_a_sweep_of_the_readme_composes_to_valid_runs(words: list[str], tmp_path: Path) -> None:
    parsed = OverridesParser.create().parse_overrides([word for word in words if word != "-m"])
    choices = [
        [override.input_line] if not override.is_sweep_override() else
        [f"{override.key_or_group}={value}" for value in override.sweep_string_iterator()]
        for override in parsed
    ]  # fmt: skip
    longest = max(len(choice) for choice in choices)
    for place in range(longest):
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            overrides = [choice[min(place, len(choice) - 1)] for choice in choices]
            assert config.to_jobs(config.without_machinery(compose("config", overrides)), overrides)


def test_there_are_commands_to_test() -> None:
    assert len(SWEEPS) >= 3
    assert len(commands("bench")) >= 4


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for _, target in commands("make"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_groups_named_in_the_readme_are_the_files_of_conf() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|$", README, re.MULTILINE))
    for group in ("head", "finetune", "weighting", "augmentation", "schedule", "backbone"):
        files = {path.stem for path in (ROOT / "conf" / group).glob("*.yaml")}
        named = {name for name in files if re.search(rf"\b{name}\b", rows[group])}
        assert named == files, group


def test_the_backbone_of_the_readme_can_be_built() -> None:
    import keras  # noqa: PLC0415 - only this test needs it

    from backbones import registry  # noqa: PLC0415

    [source] = [block for block in blocks("python") if "@backbone" in block]
    before = dict(registry._registered)
    try:
        exec(compile(source, "README.md", "exec"), {"__name__": "readme_example"})
        pixels = keras.Input((32, 32, 3))
        found = registry.find("twolayers")
        spec = registry.BackboneSpec(name="twolayers", weights="none", pooling="flatten", application=None)
        assert len(found.build(pixels, spec).shape) == 2
    finally:
        registry._registered.clear()
        registry._registered.update(before)
