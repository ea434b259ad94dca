from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from cl_localization.demo.figure import demo_figure
from cl_localization.demo.result import DemoResult, Estimate, Place
from cl_localization.errors import DataError
from cl_localization.viz.curves import draw_bound, draw_error_curve, draw_errors_over_time
from cl_localization.viz.style import new_figure, save_figure


def poses(count: int) -> np.ndarray:
    """Upright cameras on a line."""
    made = np.tile(np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 1], [0, 0, 0, 1]]), (count, 1, 1))
    made[:, 0, 3] = np.arange(count)
    return made


def demo(places: int, codes: int = 100, overlay: bool = True) -> DemoResult:
    """A demo in which every second place was not recovered."""
    carried = [Place(pose, None if number % 2 else pose, None if number % 2 else 0.2)
               for number, pose in enumerate(poses(places))]
    tracking = [Estimate(number, pose, pose) for number, pose in enumerate(poses(5))]
    return DemoResult(poses(9), carried, poses(5), tracking, tracking, 5, [40.0], 1_000_000, codes, 9,
                      np.random.default_rng(0).normal(size=(codes, 3)), Path("map.safetensors"),
                      np.zeros((24, 32, 3), np.uint8) if overlay else None, 60.0)


@pytest.mark.parametrize("ending", [".png", ".pdf", ".svg"])
def test_a_figure_is_written_in_the_format_of_its_ending(tmp_path: Path, ending: str) -> None:
    path = save_figure(demo_figure(demo(2), ""), tmp_path / f"demo{ending}")
    assert path.stat().st_size > 5000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["demo", "demo.docx"])
def test_an_unknown_format_is_an_error_that_lists_the_known(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="must end in one of .*pdf.*png"):
        save_figure(new_figure(1, 1), tmp_path / name)


@pytest.mark.parametrize("shown", [demo(0), demo(2, codes=0), demo(1, overlay=False)])
def test_a_demo_that_failed_half_way_still_gives_a_picture(tmp_path: Path, shown: DemoResult) -> None:
    assert save_figure(demo_figure(shown, ""), tmp_path / "demo.png").is_file()


def test_figures_do_not_touch_matplotlibs_global_state() -> None:
    new_figure(1, 1)
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_an_error_curve_ends_at_the_share_of_localized_frames() -> None:
    axes = new_figure(4, 3).add_subplot()
    draw_error_curve(axes, np.array([3.0, 1.0, 0.0]), 4, "cm", "kitchen")
    draw_bound(axes, 5.0, "5 cm")
    errors, shares = axes.lines[0].get_data()
    assert shares[-1] == 75.0 and errors[0] > 0
    assert axes.get_xlabel() == "translation error [cm]" and axes.get_ylabel() == "frames within [%]"


@pytest.mark.parametrize(("unit", "label"), [("cm", "translation error [cm]"), ("deg", "rotation error [deg]")])
def test_refused_frames_are_marked_apart(unit: str, label: str) -> None:
    axes = new_figure(4, 3).add_subplot()
    draw_errors_over_time(axes, np.array([0.0, 0.5, 2.0]), np.array([1.0, np.nan, 2.0]), np.array([True, False, True]),
                          unit)
    assert [line.get_label() for line in axes.lines] == ["accepted", "rejected"]
    assert [list(line.get_xdata()) for line in axes.lines] == [[0.0, 2.0], [0.5]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time [s]", label)
