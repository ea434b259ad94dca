"""Options keep their old names for one version, wherever they are given."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from cl_localization.cli.flags import parse, read_option_file
from cl_localization.cli.map import Arguments
from cl_localization.config import LocalizerConfig, MapperConfig, TrackerConfig, flatten, with_values
from cl_localization.option_names import OLD_NAMES, present_name, with_present_names


@pytest.fixture(autouse=True)
def heard_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Have warnings reach `caplog`."""
    with caplog.at_level(logging.WARNING, "cl_localization"):
        yield


KNOWN = {name for config in (MapperConfig(), LocalizerConfig()) for name, _, _ in flatten(config)}
KNOWN |= {name for name, _, _ in flatten(TrackerConfig())}


def test_every_old_name_leads_to_an_option_that_exists_and_is_none_itself() -> None:
    assert [new for new in OLD_NAMES.values() if new is not None and new not in KNOWN] == []
    assert [old for old in OLD_NAMES if old in KNOWN] == []


def test_an_old_name_is_understood_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    config = with_values(MapperConfig(), {"relearn.look_every_s": 7.0, "depth.gone_after": 5})
    assert (config.change_detection.period_s, config.depth.free_space_views) == (7.0, 5)
    assert "option relearn.look_every_s is now called change_detection.period_s" in caplog.text


def test_an_option_that_is_gone_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert with_values(MapperConfig(), {"triangulation.learning_steps": 3}) == MapperConfig()
    assert "option triangulation.learning_steps is gone and has no effect" in caplog.text


def test_names_with_a_prefix_keep_it() -> None:
    assert present_name("tracker.doubt_frames") == "tracker.odometry_reject_frames"
    assert present_name("mapper.relearn.min_explained") == "mapper.change_detection.min_explained"
    assert present_name("pose.min_inliers") == "pose.min_inliers"


def test_a_name_that_is_known_stands_for_itself() -> None:
    assert with_present_names({"doubt_frames": 3}, {"doubt_frames"}) == {"doubt_frames": 3}


@pytest.mark.parametrize("words", [["--relearn.look-every-s", "7"], ["--relearn.look_every_s=7"]])
def test_flags_have_their_old_names_too(words: list[str]) -> None:
    arguments = parse(Arguments, ["sim:7", "--out", "m", "--places.learn-ms", "3", *words], "map")
    assert arguments.options.change_detection.period_s == 7.0


def test_option_files_have_their_old_names_too(tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text("relearn:\n  look_every_s: 7.0\nplaces:\n  learn_ms: 3.0\n")
    assert read_option_file(path, ["change_detection.period_s"]) == {"change_detection.period_s": 7.0}
