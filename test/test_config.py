"""Options: their ranges, their names, and how values reach them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.config import (
    Config,
    KeyframeConfig,
    LocalizerConfig,
    MapperConfig,
    PoseConfig,
    checked,
    flatten,
    option,
    section,
    with_values,
)
from cl_localization.errors import ConfigError

UNITS = ("_m", "_deg", "_mb", "_s", "_hz", "_ms")
LEAVES = {name: (value, spec) for config in (MapperConfig(), LocalizerConfig()) for name, value,
          spec in flatten(config)}
NUMBERS = {name: leaf for name, leaf in LEAVES.items() if isinstance(leaf[0], (int, float))
           and not isinstance(leaf[0], bool)}


@dataclass(frozen=True)
class Inner(Config):
    """An inner section."""

    rate_hz: float = option(5.0, "Rate [Hz].", 0.5, 100)
    count: int = option(3, "Count.", 1, 10)


@dataclass(frozen=True)
class Outer(Config):
    """A section with a section in it."""

    mode: str = option("fast", "Mode.", choices=("fast", "good"))
    free: float = option(0.0, "Anything.")
    inner: Inner = section(Inner)


def test_flattening_names_every_leaf_with_dots():
    assert [(name, value) for name, value, _ in flatten(Outer())] == [
        ("mode", "fast"), ("free", 0.0), ("inner.rate_hz", 5.0), ("inner.count", 3)]


def test_values_reach_leaves_by_their_dotted_name():
    config = with_values(Outer(), {"mode": "good", "inner.count": 7})
    assert config == Outer(mode="good", inner=Inner(count=7))
    assert Outer().inner.count == 3


def test_no_values_change_nothing():
    assert with_values(MapperConfig(), {}) == MapperConfig()


def test_all_values_of_a_config_make_the_same_config_again():
    config = with_values(MapperConfig(), {"keyframes.min_rotation_deg": 3.0, "scene": "kitchen"})
    assert with_values(MapperConfig(), {name: value for name, value, _ in flatten(config)}) == config


def test_a_config_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        Inner().count = 4


@pytest.mark.parametrize(("name", "suggested"), [("inner.cuont", "inner.count"), ("inner.rate", "inner.rate_hz"),
                                                 ("mod", "mode")])
def test_a_misspelt_name_is_told_with_the_nearest(name, suggested):
    with pytest.raises(ConfigError, match=f"option {name} is unknown; did you mean {suggested}?"):
        with_values(Outer(), {name: 1})


def test_a_name_like_no_other_is_told_with_all_that_are_known():
    with pytest.raises(ConfigError, match="option zzz is unknown; known are free, inner.count, inner.rate_hz, mode"):
        with_values(Outer(), {"zzz": 1})


@pytest.mark.parametrize("name", ["inner", "inner.", ".count", "inner.count.x", ""])
def test_a_section_is_no_option(name):
    with pytest.raises(ConfigError, match="is unknown"):
        with_values(Outer(), {name: 1})


@pytest.mark.parametrize("config", [MapperConfig(), LocalizerConfig()], ids=lambda config: type(config).__name__)
def test_a_misspelt_key_of_every_section_is_an_error(config):
    sections = [field.name for field in fields(config) if isinstance(getattr(config, field.name), Config)]
    assert sections
    for section_name in sections:
        with pytest.raises(ConfigError, match=f"option {section_name}.misspelt is unknown"):
            with_values(config, {f"{section_name}.misspelt": 1})


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_number_is_taken_exactly_when_it_lies_in_its_range(value):
    if 0.5 <= value <= 100:
        assert Inner(rate_hz=value).rate_hz == value
    else:
        with pytest.raises(ConfigError, match=r"option rate_hz must lie in \[0.5, 100\], found"):
            Inner(rate_hz=value)


@pytest.mark.parametrize("value", ["5", None, [5], True])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ConfigError, match="option rate_hz must be a float"):
        Inner(rate_hz=value)
    with pytest.raises(ConfigError, match="option count must be an int"):
        Inner(count=value)


def test_a_whole_number_will_do_for_a_float_but_not_the_other_way():
    assert Inner(rate_hz=7).rate_hz == 7
    with pytest.raises(ConfigError, match="option count must be an int, found 2.0"):
        Inner(count=2.0)


def test_an_option_without_a_range_takes_any_number_but_no_nan():
    assert Outer(free=-1e30).free == -1e30
    with pytest.raises(ConfigError, match="option free must lie in"):
        Outer(free=float("nan"))


def test_a_choice_is_refused_with_the_choices():
    with pytest.raises(ConfigError, match="option mode must be one of fast, good, found 'best'"):
        Outer(mode="best")


def test_a_bad_value_is_refused_by_dotted_name_too():
    with pytest.raises(ConfigError, match=r"option count must lie in \[1, 10\], found 99"):
        with_values(Outer(), {"inner.count": 99})


def test_checked_returns_the_value():
    assert checked("rate_hz", 7.0, 5.0, Inner.__dataclass_fields__["rate_hz"].metadata["option"]) == 7.0


def test_every_option_has_help_that_is_a_sentence():
    assert [name for name, (_, spec) in LEAVES.items()
            if not (spec.help[:1].isupper() and spec.help.endswith("."))] == []


def test_every_number_has_a_range_that_holds_its_default():
    ranges = {name: (spec.minimum, value, spec.maximum) for name, (value, spec) in NUMBERS.items()}
    assert {name: found for name, found in ranges.items()
            if None in found or not found[0] <= found[1] <= found[2]} == {}


def test_a_unit_in_a_name_is_in_the_help_too():
    units = {name: name.rsplit("_", 1)[1].replace("mb", "MB").replace("hz", "Hz")
             for name in NUMBERS if name.endswith(UNITS)}
    assert [name for name, unit in units.items() if unit not in NUMBERS[name][1].help] == []


def test_defaults_are_equal_wherever_a_section_is_used():
    assert MapperConfig().encoder == LocalizerConfig().encoder


def test_ends_of_a_range_belong_to_it():
    assert PoseConfig(max_ambiguity=1.0).max_ambiguity == 1.0
    assert PoseConfig(seed=0).seed == 0
    assert KeyframeConfig(min_rotation_deg=180).min_rotation_deg == 180


@pytest.mark.parametrize("scene", ["", "x" * 1001])
def test_a_scene_has_a_name_of_1_to_1000_characters(scene: str) -> None:
    with pytest.raises(ConfigError, match="option scene must have 1 to 1000 characters"):
        MapperConfig(scene=scene)
