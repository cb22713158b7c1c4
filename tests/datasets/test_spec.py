"""The spec: a value that can be hashed, compared and written, without machine paths; and its options in conf/."""

import re
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from datasets.errors import DatasetUsageError
from datasets.sources import source_names
from datasets.spec import MACHINE_KEYS, DatasetLocation, DatasetSpec, dataset_from_mapping

CONF = Path(__file__).resolve().parents[2] / "conf" / "dataset"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml") if path.stem != "schema")


def composed(name, *overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return OmegaConf.to_container(compose(name, ["image_size=32", *overrides]))


@pytest.mark.parametrize("name", NAMES)
def test_every_file_holds_every_option_and_makes_a_spec(name):
    values = composed(name)
    assert set(values) == {*DatasetSpec.model_fields, *MACHINE_KEYS}
    spec, location = dataset_from_mapping(values)
    assert spec.source == name
    assert spec.image_size == 32
    assert location == DatasetLocation(root=None, table=None, allow_outside_root=False)


def test_there_is_a_file_for_every_source():
    assert tuple(NAMES) == source_names()


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_number_and_word_to_choose_is_explained_on_its_line(path):
    changed = {"name", "source", "split", "near_distance", "image_size"} if path.stem != "schema" else set()
    for line in path.read_text("utf-8").splitlines():
        option = re.match(r"( *)(\w+): *[^ #]", line)
        if option and option[2] not in {*changed, "train", "val", "test", "defaults"}:
            assert "#" in line, line


@pytest.mark.parametrize("name", NAMES)
def test_a_spec_survives_as_json_and_can_be_hashed_and_compared(name):
    spec = dataset_from_mapping(composed(name, "classes=[b,a]")).spec
    back = DatasetSpec.model_validate_json(spec.model_dump_json())
    assert back == spec
    assert hash(back) == hash(spec)
    assert back.model_dump_json() == spec.model_dump_json()
    assert back.classes == ("b", "a")


def test_the_parts_are_written_as_a_mapping():
    spec = dataset_from_mapping(composed("given_split", "parts={one: train, two: test}")).spec
    assert spec.model_dump(mode="json")["parts"] == {"one": "train", "two": "test"}
    assert DatasetSpec.model_validate_json(spec.model_dump_json()) == spec


def test_the_order_of_the_parts_does_not_matter():
    one, two = (composed("given_split", f"parts={parts}") for parts in ("{a: train, b: test}", "{b: test, a: train}"))
    assert dataset_from_mapping(one).spec == dataset_from_mapping(two).spec


def test_machine_paths_are_no_part_of_the_spec():
    here, there = composed("folder", "root=/here"), composed("folder", "root=/there", "allow_outside_root=true")
    assert dataset_from_mapping(here).spec == dataset_from_mapping(there).spec
    assert dataset_from_mapping(here).location != dataset_from_mapping(there).location


def test_the_spec_has_no_defaults():
    assert not [name for name, field in DatasetSpec.model_fields.items() if not field.is_required()]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["fractions.train=0.5"], "fractions add up to 0.8, expected 1"),
        (["fractions.train=0"], "dataset.fractions.train"),
        (["split=kfold"], "fold is None, expected 0 to 4"),
        (["split=kfold", "fold=5"], "fold is 5, expected 0 to 4"),
        (["resize=stretch"], "dataset.resize: Input should be 'squish', 'crop' or 'pad' (found 'stretch')"),
        (["copies=delete"], "dataset.copies"),
        (["near_distance=65"], "dataset.near_distance"),
        (["classes=[a,b,a]"], "names a class twice"),
        (["max_per_class=0"], "dataset.max_per_class"),
        (["image_size=0"], "dataset.image_size"),
        (["image_size=three"], "dataset.image_size"),
        (["+digits={size: 32, imbalance: 3, seed: 0}"], "digits must be given with source=digits"),
        (["+sizee=3"], "unknown dataset option 'sizee'"),
        (["group_pattern='(['"], "dataset.group_pattern: group_pattern is no regular expression"),
        (["parts={a: train}"], "parts has no effect with source=folder: set source=given_split or leave parts out"),
        (["split_column=part"], "split_column has no effect with source=folder"),
        (["source=table", "split_column=part"], "split_column has no effect with split=holdout: set split=given"),
        (["fix_leaks=true"], "fix_leaks has no effect with split=holdout"),
        (["fold=0"], "fold has no effect with split=holdout: set split=kfold"),
        (["name=../../escaped"], "dataset.name: expected letters, digits, '.', '_' and '-', the first a letter"),
        (["name=."], "(found '.')"),
        (["~copies"], "dataset.copies is missing"),
    ],
)
def test_a_mistake_gets_one_sentence(overrides, sentence):
    values = composed("folder", *overrides)
    with pytest.raises(DatasetUsageError, match=re.escape(sentence)) as caught:
        dataset_from_mapping(values)
    assert "\n" not in str(caught.value)


def test_a_misspelt_option_gets_a_suggestion():
    with pytest.raises(DatasetUsageError, match="unknown dataset option 'split_sed'; did you mean 'split_seed'"):
        dataset_from_mapping(composed("folder", "+split_sed=3"))


def test_the_files_say_the_documented_facts_about_the_built_in_sets():
    assert yaml.safe_load((CONF / "digits.yaml").read_text("utf-8"))["near_distance"] is None
    assert "1,069 in all" in (CONF / "digits.yaml").read_text("utf-8")
