"""The parts of an HTML page."""

from __future__ import annotations

import numpy as np

from cl_localization.viz.page import image_tag, page, paragraphs, table


def test_names_from_files_cannot_write_into_the_page():
    hostile = "<script>alert(1)</script>"
    text = page(hostile, [(hostile, table((hostile,), [(hostile, hostile, hostile)]) + paragraphs([hostile])
                           + image_tag(np.zeros((4, 4, 3), np.uint8), hostile))])
    assert "<script" not in text and text.count("&lt;script&gt;") == 9


def test_sections_without_content_are_left_out():
    assert "<h2>" not in page("title", [("notes", paragraphs([]))])
