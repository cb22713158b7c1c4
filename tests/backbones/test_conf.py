"""conf/backbone: one file for each backbone, which a command line can choose and change."""

from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir

from backbones import registry
from backbones.registry import BackboneSpec

CONF = Path(__file__).parents[2] / "conf" / "backbone"


@pytest.mark.parametrize("name", registry.names())
def test_every_backbone_has_a_file_that_it_can_fulfil(name):
    text = (CONF / f"{name}.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    defaults = content.pop("defaults", [])
    spec = BackboneSpec.model_validate(content)
    entry = registry.find(name)
    assert spec.name == name
    assert spec.weights == ("imagenet" if "imagenet" in entry.weights else "none")
    assert bool(defaults) == ("imagenet" in entry.weights), "what is pretrained is frozen by default, nothing else"
    registry.check(spec, registry.default_size(name, spec.application))
    assert text.startswith("# "), "the file says what the network is"
    for size in {entry.minimum_size, entry.default_size}:
        assert str(size) in text


def test_every_file_belongs_to_a_backbone():
    assert {path.stem for path in CONF.glob("*.yaml")} == set(registry.names())


@pytest.fixture
def primary(tmp_path):
    """A configuration with the groups that matter here, the backbones being the project's own files."""
    (tmp_path / "config.yaml").write_text("defaults:\n  - _self_\n  - finetune: full\n  - backbone: lenet\n")
    (tmp_path / "finetune").mkdir()
    for mode in ("full", "frozen"):
        (tmp_path / "finetune" / f"{mode}.yaml").write_text(f"mode: {mode}\n")
    (tmp_path / "backbone").symlink_to(CONF)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        ([], "full"),
        (["backbone=xception"], "frozen"),
        (["backbone=xception", "finetune=full"], "full"),
        (["finetune=full", "backbone=keras_application"], "full"),
        (["backbone=minivgg", "finetune=frozen"], "frozen"),
    ],
)
def test_a_pretrained_backbone_is_frozen_unless_the_command_line_says_otherwise(primary, words, mode):
    with initialize_config_dir(str(primary), version_base="1.3"):
        assert compose("config", words).finetune.mode == mode
