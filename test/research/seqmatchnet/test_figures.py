from __future__ import annotations

import numpy as np

from cl_localization.research.seqmatchnet.figures import draw_places
from cl_localization.research.seqmatchnet.recall import PlaceMatches


def test_the_figure_shows_precision_and_the_matches_of_the_last_length() -> None:
    error = np.array([[0.0], [5.0], [0.0], [np.inf]])
    matches = PlaceMatches(np.arange(4), np.array([[0], [3], [2], [-1]]), np.arange(4.0)[:, None], error, np.zeros(4))
    figure = draw_places({1: matches, 5: matches}, 1.0)
    left, right = figure.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["sequence length 1", "sequence length 5"]
    assert "[%]" in left.get_xlabel() and "[%]" in left.get_ylabel() and "[image number]" in right.get_xlabel()
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["right: 2 of 4", "wrong: 1 of 4"]
