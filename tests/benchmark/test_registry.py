import pytest

from benchmark.registry import Registry, near


class UnknownColour(ValueError):
    """A colour that is not there."""


def test_things_are_found_by_name_in_the_order_in_which_they_came() -> None:
    colours = Registry[int]("palette.colour", UnknownColour)
    colours.add("red", 1)
    colours.add("green", 2)
    colours.add("red", 3)
    assert colours.names == ("red", "green")
    assert (colours.find("red"), colours.find("green")) == (3, 2)


def test_an_unknown_name_raises_the_kinds_own_error_with_the_nearest_name() -> None:
    colours = Registry[int]("palette.colour", UnknownColour)
    colours.add("red", 1)
    colours.add("green", 2)
    with pytest.raises(UnknownColour) as found:
        colours.find("gren")
    assert str(found.value) == "unknown palette.colour 'gren'; did you mean 'green'? there are red, green"
    with pytest.raises(UnknownColour, match=r"unknown palette\.colour 'xyz'; there are red, green"):
        colours.find("xyz")


def test_how_near_a_name_must_be_can_be_chosen() -> None:
    assert "did you mean" not in near("gold", ["green"])
    assert near("gold", ["green"], cutoff=0.2) == "; did you mean 'green'? there are green"
