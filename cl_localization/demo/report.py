"""What came out of a demo, as table, JSON and picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cl_localization.demo.figure import DemoPicture
from cl_localization.evaluation.records import seven_numbers

if TYPE_CHECKING:
    from cl_localization.demo.result import DemoResult

RIGHT_CM, RIGHT_DEG = 10.0, 5.0
"""The bound that "recovered" means, in `cl_localization.demo.result`."""

NOWHERE = np.full((4, 4), np.nan)


def tracking_medians(result: DemoResult) -> tuple[float, float]:
    """Return the median errors in cm and deg of the live tracking; NaN without a trusted pose."""
    if not result.tracking:
        return math.nan, math.nan
    errors = np.median([estimate.error for estimate in result.tracking], axis=0)
    return 100 * float(errors[0]), float(errors[1])


def result_rows(result: DemoResult) -> list[tuple[str, str, str, str]]:
    """Return the table: what, value, what it must be, whether it is."""
    places, (tracking_cm, tracking_deg) = len(result.places), tracking_medians(result)
    return [
        *_own_poses(result),
        (
            "kidnappings recovered",
            f"{result.recovered} of {places}",
            f"{places} of {places}",
            _mark(result.recovered == places),
        ),
        ("time to recover, median", _number(result.median_seconds_to_recover, 2, "s"), "", ""),
        ("time to recover, longest", _number(result.max_seconds_to_recover, 2, "s"), "", ""),
        ("error of trusted poses, median", _errors(result.median_translation_cm, result.median_rotation_deg), "", ""),
        (
            "error of live tracking, median",
            _errors(tracking_cm, tracking_deg),
            f"<= {RIGHT_CM:g} cm",
            _mark(tracking_cm <= RIGHT_CM),
        ),
        ("trusted poses", f"{len(result.estimates)} of {result.images} images", "", ""),
        ("wrong poses trusted", str(result.wrong_accepted), "0", _mark(result.wrong_accepted == 0)),
        ("latency of localizing, median", _number(result.median_latency_ms, 0, "ms"), "", ""),
        ("map", f"{result.map_bytes / 1e6:.2f} MB, {result.codes:,} codes, {result.keyframes} keyframes", "", ""),
        ("whole demo", f"{result.duration_s:.0f} s", "", ""),
    ]


def _own_poses(result: DemoResult) -> list[tuple[str, str, str, str]]:
    """Return the rows about mapping with own poses, if the demo did."""
    if result.loops is None:
        return []
    return [("mapping by the camera alone, RMSE", f"{result.mapping_rmse_cm:.1f} cm", "", ""),
            ("loops closed while mapping", str(result.loops), ">= 1", _mark(result.loops > 0)),
            ("parts of the map", str(result.parts), "1", _mark(result.parts == 1))]


def _mark(good: bool) -> str:
    return "yes" if good else "NO"


def _number(value: float, digits: int, unit: str) -> str:
    """Write a number with its unit; a dash when there is none."""
    return "-" if math.isnan(value) else f"{value:.{digits}f} {unit}"


def _errors(translation_cm: float, rotation_deg: float) -> str:
    """Write the two errors of a pose; a dash when there are none."""
    return "-" if math.isnan(translation_cm) else f"{translation_cm:.1f} cm, {rotation_deg:.2f} deg"


def result_json(result: DemoResult) -> dict[str, Any]:
    """Return the table's numbers and the places as JSON values; what there was none of is None."""
    tracking_cm, tracking_deg = tracking_medians(result)
    numbers = {
        "worked": result.worked,
        "places": len(result.places),
        "recovered": result.recovered,
        "median_seconds_to_recover": result.median_seconds_to_recover,
        "max_seconds_to_recover": result.max_seconds_to_recover,
        "median_translation_cm": result.median_translation_cm,
        "median_rotation_deg": result.median_rotation_deg,
        "tracking_median_translation_cm": tracking_cm,
        "tracking_median_rotation_deg": tracking_deg,
        "images": result.images,
        "trusted": len(result.estimates),
        "wrong_accepted": result.wrong_accepted,
        "latency_ms_p50": result.median_latency_ms,
        "map_bytes": result.map_bytes,
        "codes": result.codes,
        "keyframes": result.keyframes,
        "duration_s": result.duration_s,
        "loops": result.loops,
        "parts": result.parts,
        "mapping_rmse_cm": result.mapping_rmse_cm,
    }
    places = [
        {
            "truth": seven_numbers(place.truth),
            "seconds": place.seconds,
            "estimate": None if place.estimate is None else seven_numbers(place.estimate),
        }
        for place in result.places
    ]
    return {
        **{name: None if isinstance(value, float) and math.isnan(value) else value for name, value in numbers.items()},
        "kidnappings": places,
    }


def result_picture(result: DemoResult, data: str) -> DemoPicture:
    """Return what the picture shows.

    Args:
        data: the recorded sequence; empty for the simulated house.
    """
    place = "a recorded place" if data else "two rooms"
    outcome = "knows where it is again" if result.worked else "does not always know where it is"
    lines = [(what, value) for what, value, _, _ in result_rows(result)]
    return DemoPicture(
        codes_m=result.map_points_m, mapping_path=_stacked(list(result.mapping_path)),
        tracking_truth=_stacked(list(result.tracking_truth)),
        tracking_estimates=_stacked([estimate.estimate for estimate in result.tracking]),
        places_truth=_stacked([place.truth for place in result.places]),
        places_estimates=_stacked([NOWHERE if place.estimate is None else place.estimate for place in result.places]),
        place_seconds=np.array([math.nan if place.seconds is None else place.seconds for place in result.places]),
        overlay=result.overlay, overlay_title="live: what the camera sees, rings are recognised codes", results=lines,
        title=f"A robot maps {place}, is carried away {len(result.places)} times, and {outcome}")


def _stacked(poses: list[np.ndarray]) -> np.ndarray:
    """Return poses as one (N, 4, 4) array, also when there are none."""
    return np.array(poses, float).reshape(-1, 4, 4)
