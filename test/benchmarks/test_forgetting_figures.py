from __future__ import annotations

import numpy as np

from benchmarks.forgetting_figures import draw_forgetting


def test_the_figure_has_a_line_for_each_method_and_a_mark_for_what_was_learned_at_once() -> None:
    tasks = ("kitchen", "room")
    matrices = {"one after the other": np.array([[90.0, np.nan], [50.0, 80.0]]),
                "joint": np.array([[np.nan, np.nan], [70.0, 80.0]])}
    left, right = draw_forgetting(matrices, tasks, "20 cm/10 deg").axes
    assert [text.get_text() for text in right.get_legend().get_texts()] == list(matrices)
    assert left.lines[0].get_ydata().tolist() == [90.0, 50.0] and right.lines[0].get_ydata().tolist() == [90.0, 65.0]
    assert (
        left.lines[1].get_marker() == "*"
        and "within 20 cm/10 deg [%]" in left.get_ylabel()
        and "kitchen" in left.get_ylabel()
    )
