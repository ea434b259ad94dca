"""What counts as refused, and when it is forgotten."""

from __future__ import annotations

import pytest

from cl_localization.ros.nodes.refusals import Refusals


def test_the_last_refusal_is_a_problem_until_an_image_succeeds() -> None:
    refusals, problems = Refusals(), []
    for reason in ("the image has no timestamp", "another reason", "", "again"):
        refusals.refuse(reason) if reason else refusals.succeed()
        problems.append(refusals.problem)
    assert problems == ["the last image was refused: the image has no timestamp",
                        "the last 2 images were refused: another reason", "", "the last image was refused: again"]
    assert (refusals.succeeded, refusals.refused) == (1, 3)


def test_an_error_of_any_kind_is_a_refusal_and_goes_on_its_way() -> None:
    refusals = Refusals()
    with pytest.raises(KeyError):
        refusals.watch(lambda item: {}[item])("frame")
    assert refusals.problem == "the last image was refused: 'frame'"
