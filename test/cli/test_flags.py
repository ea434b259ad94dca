from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.cli.flags import argument, parse, settings
from cl_localization.config import LocalizerConfig, MapperConfig, Option, flatten
from cl_localization.errors import ConfigError, DataError
from cl_localization.option_text import range_text


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Do a thing.

    Example: thing a b --out c
    """

    words: tuple[str, ...] = argument("Words.", metavar="WORD [WORD ...]", positional=True)
    out: Path = argument("Where to [m].", metavar="FILE")
    fast: bool = argument("Hurry.", False)
    options: MapperConfig = settings(MapperConfig)
    localizer: LocalizerConfig = settings(LocalizerConfig, "localizer")


def parsed(*words: str) -> Arguments:
    """Parse words after the two that are required."""
    return parse(Arguments, ["a", "--out", "f", *words], "thing")


def test_defaults_are_those_of_the_dataclasses() -> None:
    arguments = parsed()
    assert arguments == Arguments(words=("a",), out=Path("f"))
    assert arguments.options == MapperConfig() and arguments.localizer == LocalizerConfig()


@pytest.mark.parametrize("prefix, config", [("", MapperConfig()), ("localizer.", LocalizerConfig())])
def test_every_leaf_option_is_a_flag_with_its_help_in_the_help(prefix: str, config: object, capsys) -> None:
    assert parse(Arguments, ["--help"], "thing") is None
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, value, option in flatten(config):
        flag = re.sub(r"([^.]*)$", r"no-\1", name, count=1) if value is True else name
        assert "--" + (prefix + flag).replace("_", "-") in text
        assert option.help in text


def another(value: object, option: Option) -> object:
    """Return a value that an option takes beside its default."""
    if option.choices:
        return option.choices[-1]
    if isinstance(value, bool):
        return not value
    return value + "x" if isinstance(value, str) else type(value)(option.maximum)


def words_of(name: str, value: object) -> list[str]:
    """Return the words that give an option a value; a switch is a flag that is turned off or on."""
    if value is False:
        return ["--" + re.sub(r"([^.]*)$", r"no-\1", name, count=1).replace("_", "-")]
    return ["--" + name.replace("_", "-"), *([] if value is True else [str(value)])]


def test_every_option_takes_a_value_from_its_flag() -> None:
    new = {name: another(value, option) for name, value, option in flatten(MapperConfig())}
    words = [word for name, value in new.items() for word in words_of(name, value)]
    found = {name: value for name, value, _ in flatten(parsed(*words).options)}
    assert {name: value for name, value in found.items() if value != new[name]} == {}


def test_help_shows_ranges_units_and_defaults(capsys) -> None:
    parse(Arguments, ["--help"], "thing")
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "readings are ignored [m]. From 0.1 to 1000. (default: 6.0)" in text
    assert "Where to [m]. (required)" in text
    assert "--encoder.name {xfeat,dinov2}" in text


@pytest.mark.parametrize("words, message", [
    (["--depth.max-depth-m", "0"], r"option max_depth_m must lie in \[0.1, 1000\], found 0.0"),
    (["--encoder.name", "sift"], "thing cannot be run: .*--encoder.name.*see `thing --help`"),
    (["--depth.max-depth-m", "deep"], "could not convert string to float: 'deep'"),
    (["--depth.max-deth-m", "3"], "Unrecognized options: --depth.max-deth-m.*--depth.max-depth-m"),
    (["--localizer.pose.min-inliers", "3"], r"min_inliers must lie in \[4, 10000\], found 3"),
    (["--config", "none.yaml"], "file none.yaml is missing")])
def test_a_wrong_flag_is_one_line_that_names_it(words: list[str], message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message) as caught:
        parsed(*words)
    assert "\n" not in str(caught.value)


def test_a_missing_flag_is_named() -> None:
    with pytest.raises(ConfigError, match="thing cannot be run: Missing --out FILE; see `thing --help`"):
        parse(Arguments, ["a"], "thing")


def test_the_file_wins_over_defaults_and_flags_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text(
        "depth.max_depth_m: 3\nmap_code: {cell_size_m: 0.05, modes_per_cell: 2}\nlocalizer: {pose.seed: 5}\n"
    )
    arguments = parsed("--config", str(path), "--map-code.cell-size-m", "0.07")
    assert arguments.options.depth.max_depth_m == 3
    assert arguments.options.map_code == replace(MapperConfig().map_code, cell_size_m=0.07, modes_per_cell=2)
    assert arguments.localizer.pose.seed == 5
    assert parsed(f"--config={path}").options.map_code.cell_size_m == 0.05


@pytest.mark.parametrize("text, message", [
    ("map_code: {cell_size: 0.05}",
     "contains the unknown option map_code.cell_size; did you mean map_code.cell_size_m?"),
    ("zzz: 1", "contains the unknown option zzz; known are .*encoder.device"),
    ("depth: {max_depth_m: 0}", r"option max_depth_m must lie in \[0.1, 1000\]"),
    ("depth: {max_depth_m: deep}", "option max_depth_m must be a float, found 'deep'"),
    ("scene: [a]", "option scene must be a str")])
def test_a_wrong_file_is_an_error_that_names_the_option(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "options.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        parsed("--config", str(tmp_path / "options.yaml"))


def test_help_does_not_need_the_file_to_be_there(capsys) -> None:
    assert parse(Arguments, ["--config", "none.yaml", "--help"], "thing") is None


@pytest.mark.parametrize(
    "given, text",
    [
        (Option("h", 0, 5), " From 0 to 5."),
        (Option("h", 4), " At least 4."),
        (Option("h", None, 1), " At most 1."),
        (Option("h"), ""),
    ],
)
def test_ranges_are_said_in_words(given: Option, text: str) -> None:
    assert range_text(given) == text


@hypothesis.settings(max_examples=10)
@given(st.floats(1e-4, 10))
def test_any_value_in_range_arrives_as_it_was_written(cell_size_m: float) -> None:
    assert parsed("--map-code.cell-size-m", repr(cell_size_m)).options.map_code.cell_size_m == cell_size_m
