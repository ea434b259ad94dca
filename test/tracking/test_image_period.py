"""The time between images, and the windows that follow it."""

from __future__ import annotations

from cl_localization.data.stamps import NS_PER_S
from cl_localization.tracking.image_period import ImagePeriod


def period_of(*seconds: float) -> ImagePeriod:
    """The period after images at some times."""
    period = ImagePeriod()
    for one in seconds:
        period.observe(round(one * NS_PER_S))
    return period


def test_the_period_is_the_median_so_that_a_gap_does_not_count() -> None:
    assert period_of(1).seconds == 0 and period_of(1, 4).seconds == 3
    assert period_of(1, 1.1, 1.2, 6.0, 6.1).seconds == period_of(1, 1.1).seconds


def test_pauses_and_jumps_back_are_no_intervals() -> None:
    assert period_of(1, 100, 100.5, 2, 2.5).seconds == 0.5


def test_a_window_is_wide_enough_for_images_that_come_seldom() -> None:
    assert period_of(1, 1.1).widened(2.0) == 2 * NS_PER_S
    assert period_of(1, 4).widened(2.0) == 7.5 * NS_PER_S
