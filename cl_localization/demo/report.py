"""What came out of a demo, as table and JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cl_localization.demo.result import CM_PER_M, RIGHT_M, DemoResult
from cl_localization.evaluation.records import seven_numbers


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
        ("kidnappings recovered", f"{result.recovered} of {places}", f"{places} of {places}",
         _mark(result.recovered == places)),
        ("time to recover, median", _number(result.median_seconds_to_recover, 2, "s"), "", ""),
        ("time to recover, longest", _number(result.max_seconds_to_recover, 2, "s"), "", ""),
        ("error of trusted poses, median", _errors(result.median_translation_cm, result.median_rotation_deg), "", ""),
        ("error of live tracking, median", _errors(tracking_cm, tracking_deg), f"<= {CM_PER_M * RIGHT_M:g} cm",
         _mark(tracking_cm <= CM_PER_M * RIGHT_M)),
        ("trusted poses", f"{len(result.estimates)} of {result.images} images", "", ""),
        ("wrong poses trusted", str(result.wrong_accepted), "0", _mark(result.wrong_accepted == 0)),
        ("latency of localizing, median", _number(result.median_latency_ms, 0, "ms"), "", ""),
        ("map", f"{result.map_bytes / 1e6:.2f} MB, {result.codes:,} codes, {result.keyframes} keyframes", "", ""),
        ("whole demo", f"{result.duration_s:.0f} s", "", "")]


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
    names = ("worked", "recovered", "median_seconds_to_recover", "max_seconds_to_recover", "median_translation_cm",
             "median_rotation_deg", "images", "wrong_accepted", "map_bytes", "codes", "keyframes", "duration_s",
             "loops", "parts", "mapping_rmse_cm")
    numbers = {**{name: getattr(result, name) for name in names}, "places": len(result.places),
               "tracking_median_translation_cm": tracking_cm, "tracking_median_rotation_deg": tracking_deg,
               "trusted": len(result.estimates), "latency_ms_p50": result.median_latency_ms}
    kidnappings = [{"truth": seven_numbers(place.truth), "seconds": place.seconds,
                    "estimate": None if place.estimate is None else seven_numbers(place.estimate)}
                   for place in result.places]
    return {**{name: None if isinstance(value, float) and math.isnan(value) else value
               for name, value in numbers.items()}, "kidnappings": kidnappings}
