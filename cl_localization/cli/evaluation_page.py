"""The page that `evaluate --html` writes: tables, trajectory, errors, and the images that went worst."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cl_localization.cli.figures import CURVES, draw_errors, draw_from_above
from cl_localization.cli.tables import health_rows
from cl_localization.data.frame import Frame
from cl_localization.data.frame import Sequence as FrameSequence
from cl_localization.data.sequence import frame_names
from cl_localization.errors import DataError
from cl_localization.evaluation.map_contents import map_contents
from cl_localization.evaluation.records import FrameRecord
from cl_localization.evaluation.result_file import ErrorSeries, error_series
from cl_localization.geometry import se3
from cl_localization.mapping.audit.health import noted_health
from cl_localization.viz import page
from cl_localization.viz.style import new_figure

if TYPE_CHECKING:
    from cl_localization.localizer import Localizer
    from cl_localization.map.map_code import MapCode

WORST_SHOWN = 6
SHOWN_WIDTH_PX = 640
FOUND, EXPECTED = (40, 200, 90), (230, 60, 60)


def evaluation_page(title: str, rows: Sequence[Sequence[str]], records: Sequence[FrameRecord], queries: FrameSequence,
                    details: dict[str, Any], localizer: Localizer, map_code: MapCode) -> str:
    """Return the page of an evaluation as HTML.

    Args:
        rows: of the summary: metric, value, unit.
        records: of the frames, in order.
        queries: the sequence as it was localized.
        details: how to make the same numbers again.
    """
    posed = [record for record in records if record.true_world_T_cam is not None]
    series = error_series([record.to_json() for record in posed], "localized")
    made = [(key, str(value), "") for key, value in details.items() if not isinstance(value, dict)]
    return page.page(title, [
        ("Summary", page.table(("metric", "value", "unit"), rows)),
        ("What the reader assumed", page.paragraphs(getattr(queries, "notes", ()))),
        ("From above", _from_above(series, map_code)),
        ("Errors", _errors(series)),
        ("Worst images", _worst(queries, posed, localizer)),
        ("Map", _contents(map_code)),
        ("Health of the map", _health(map_code)),
        ("Made with", page.table(("key", "value", ""), made))])


def _from_above(series: ErrorSeries, map_code: MapCode) -> str:
    """Return the map with the true path and the accepted poses, from above."""
    figure = new_figure(8, 6)
    draw_from_above(figure.subplots(), map_code, evaluation=series)
    return page.figure_tag(figure)


def _errors(series: ErrorSeries) -> str:
    figure = new_figure(12, 8)
    draw_errors(list(figure.subplots(2, CURVES // 2).flat), [series])
    return page.figure_tag(figure)


def _contents(map_code: MapCode) -> str:
    scenes = [(scene.name, f"{scene.codes:,}", f"{scene.keyframes:,}", "-" if scene.mean_sigma_m is None
               else f"{100 * scene.mean_sigma_m:.2f}", "") for scene in map_contents(map_code).scenes]
    return page.table(("scene", "codes", "keyframes", "sigma [cm]", ""), scenes)


def _health(map_code: MapCode) -> str:
    """Return what the map's images say about what was given with them."""
    health = noted_health(map_code)
    return page.table(("metric", "value", "unit"), health_rows(health)) + page.paragraphs(health.warnings)


def _worst(queries: FrameSequence, posed: list[FrameRecord], localizer: Localizer) -> str:
    """Return the accepted images with the largest errors, then refused ones, with their matches."""
    wrong = sorted((record for record in posed if record.accepted),
                   key=lambda record: -(record.translation_error_m or 0.0))
    shown = [*wrong[:WORST_SHOWN], *(record for record in posed if not record.accepted)][:2 * WORST_SHOWN]
    index_of = {name: index for index, name in enumerate(frame_names(queries))}
    figures = []
    for record in shown:
        try:
            frame = queries[index_of[record.name]]
        except (DataError, KeyError):
            continue
        figures.append(page.image_tag(_with_matches(frame, localizer, record), _caption(record)))
    return ("<p>Green: features that agree with the pose; red, joined by a line: where the true pose would put their "
            "points.</p>" + "".join(figures)) if figures else ""


def _caption(record: FrameRecord) -> str:
    if record.translation_error_m is None:
        return f"{record.name}: {record.reason}"
    state = "" if record.accepted else f"refused ({record.reason}), "
    return (f"{record.name}: {state}{100 * record.translation_error_m:.1f} cm, {record.rotation_error_deg:.2f} deg, "
            f"{record.inliers} inliers")


def _with_matches(frame: Frame, localizer: Localizer, record: FrameRecord) -> np.ndarray:
    """Return the image, at most `SHOWN_WIDTH_PX` wide, with the inliers of the localizer's look at it."""
    found = localizer.localize(frame)
    scale = min(1.0, SHOWN_WIDTH_PX / frame.image.shape[1])
    image = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    points_m = np.asarray(getattr(found, "inlier_points_m", np.zeros((0, 3))), float)
    keypoints_px = np.asarray(getattr(found, "inlier_keypoints_px", np.zeros((0, 2))), float)
    true_world_T_cam = np.eye(4) if record.true_world_T_cam is None else record.true_world_T_cam
    points_cam = se3.transform(se3.inverse(true_world_T_cam), points_m)
    before = points_cam[:, 2] > 0
    for keypoint, expected in zip(scale * keypoints_px[before], scale * frame.camera.project(points_cam[before])):
        if np.abs(expected).max() < 10 * SHOWN_WIDTH_PX:
            cv2.line(image, _pixel(keypoint), _pixel(expected), EXPECTED, 1, cv2.LINE_AA)
        cv2.circle(image, _pixel(keypoint), 2, FOUND, -1, cv2.LINE_AA)
    return image


def _pixel(position_px: np.ndarray) -> tuple[int, int]:
    return int(position_px[0]), int(position_px[1])
