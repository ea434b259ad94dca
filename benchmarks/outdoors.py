"""The table `outdoors` of `bench`: mapping without depth from exact poses, beside the plain recipe on the same
features."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration import calibration
from benchmarks.encoders import TimedEncoder
from benchmarks.plain_recipe import PlainRecipe
from benchmarks.table import BenchTable
from cl_localization.cli.localizing import try_sequence
from cl_localization.cli.map import map_sequence
from cl_localization.cli.progress import tracked
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame, Sequence
from cl_localization.evaluation.records import WRONG_DEG, WRONG_M
from cl_localization.evaluation.summary import camera_extent_m
from cl_localization.features import make_encoder
from cl_localization.geometry.se3 import pose_error
from cl_localization.localization.result import Localization
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper

HEADERS = ("scene", "map", "queries", "accepted", "median", "median [deg]", "within", "[%]", "within", "[%]",
           "wrong of accepted", "inside 95 % ellipsoid [%]", "mapping over encoding")
TITLE = "Mapping without depth from exact poses; processor time, and errors in metres or in shares of the extent"


@dataclass(frozen=True)
class Scene:
    """A scene of the benchmark data: folders map and query.

    Attributes:
        name: of its folder.
        bounds: two bounds of the position that count, each with a word for the table.
        relative: whether bounds and errors are shares of the extent of the cameras; else metres, turned at most 5
            deg.
    """

    name: str
    bounds: tuple[tuple[float, str], tuple[float, str]]
    relative: bool = False


SCENES = (Scene("kitti_1", ((0.05, "5 cm/5 deg"), (0.20, "20 cm/5 deg"))),
          Scene("terrace", ((0.005, "0.5 %"), (0.02, "2 %")), relative=True))
MAX_TURN_DEG = 5.0
WRONG_SHARE = 0.04
"""Of the extent of the cameras: poses further off are wrong where a scene has no metric scale."""


@dataclass(frozen=True)
class OutdoorsResult:
    """One row: how well the queries of a scene were localized.

    Attributes:
        how: what mapped and localized.
        median: error of the position over the accepted queries, in metres or as a share of the extent.
        within_percent: share of all queries within each bound of the scene.
        wrong: accepted poses further off than `WRONG_M`, or `WRONG_SHARE` of the extent, or `WRONG_DEG`.
        inside_95_ellipsoid_percent: None where no covariance is stated.
        mapping_over_encoding: processor time of mapping, encoding included, over that of encoding alone.
    """

    scene: str
    how: str
    queries: int
    accepted: int
    median: float
    median_deg: float
    within_percent: tuple[float, float]
    wrong: int
    inside_95_ellipsoid_percent: float | None
    mapping_over_encoding: float

    def row(self, scene: Scene) -> tuple[str, ...]:
        """Return the cells, in the order of `HEADERS`."""
        median = f"{100 * self.median:.2f} {'%' if scene.relative else 'cm'}"
        inside = self.inside_95_ellipsoid_percent
        bounds = (cell for (_, word), share in zip(scene.bounds, self.within_percent)
                  for cell in (word, f"{share:.0f}"))
        return (self.scene, self.how, str(self.queries), str(self.accepted), median, f"{self.median_deg:.3f}", *bounds,
                str(self.wrong), "-" if inside is None else f"{inside:.0f}", f"{self.mapping_over_encoding:.1f}")


def outdoors_table(data: Path, mapper: MapperConfig, localizer: LocalizerConfig) -> BenchTable:
    """Return the table of the scenes whose folders are there."""
    rows, results = [], []
    for scene in SCENES:
        if (data / scene.name).is_dir():
            for result in scene_results(scene, data / scene.name, mapper, localizer):
                rows.append(result.row(scene))
                results.append(asdict(result))
    return BenchTable(TITLE, HEADERS, rows, results={"outdoors": results})


def scene_results(scene: Scene, folder: Path, mapper: MapperConfig,
                  localizer: LocalizerConfig) -> list[OutdoorsResult]:
    """Return what our map and the plain recipe make of a scene."""
    mapping, queries = open_sequence(str(folder / "map")), open_sequence(str(folder / "query"))
    return [*_ours(scene, mapping, queries, mapper, localizer), _plain(scene, mapping, queries, mapper)]


class UnguidedErrors(Localizer):
    """A localizer that notes how far its accepted poses were off before guided refinement.

    Attributes:
        errors: distances [m] and angles [deg].
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.errors: list[tuple[float, float]] = []

    def localize(self, frame: Frame, guess_world_T_cam: np.ndarray | None = None) -> Localization:
        """See `Localizer`."""
        found = super().localize(frame, guess_world_T_cam)
        if found.accepted and found.unguided_world_T_cam is not None and frame.world_T_cam is not None:
            self.errors.append(pose_error(found.unguided_world_T_cam, frame.world_T_cam))
        return found


def _ours(scene: Scene, mapping: Sequence, queries: Sequence, config: MapperConfig,
          localizer_config: LocalizerConfig) -> tuple[OutdoorsResult, OutdoorsResult]:
    """Return what came of our map, and of the same poses before guided refinement."""
    encoder, start_s = TimedEncoder(make_encoder(config.encoder)), time.process_time()
    mapper = Mapper(config, encoder)
    map_sequence(mapper, mapping, use_depth=False)
    ratio = (time.process_time() - start_s) / encoder.seconds
    localizer = UnguidedErrors(mapper.map_code, localizer_config, encoder)
    records = try_sequence(localizer, queries, f"localizing, {scene.name}").records
    errors = np.array([(record.translation_error_m, record.rotation_error_deg) for record in records
                       if record.accepted]).reshape(-1, 2)
    fit = calibration(records)
    unguided = np.array(localizer.errors).reshape(-1, 2)
    return (result_of(scene, "ours", mapping, queries, errors, None if fit is None else fit.pose_percent, ratio),
            result_of(scene, "ours, before guided refinement", mapping, queries, unguided, None, ratio))


def _plain(scene: Scene, mapping: Sequence, queries: Sequence, config: MapperConfig) -> OutdoorsResult:
    encoder, start_s = TimedEncoder(make_encoder(config.encoder)), time.process_time()
    recipe = PlainRecipe(mapping, encoder)
    ratio = (time.process_time() - start_s) / encoder.seconds
    errors = []
    for frame in tracked(queries, len(queries), f"plain recipe, {scene.name}"):
        found = recipe.localize(frame)
        if found is not None:
            errors.append(pose_error(found, frame.world_T_cam))
    return result_of(scene, "plain recipe", mapping, queries, np.array(errors).reshape(-1, 2), None, ratio)


def result_of(scene: Scene, how: str, mapping: Sequence, queries: Sequence, errors: np.ndarray,
            inside_percent: float | None, ratio: float) -> OutdoorsResult:
    """Return the row of errors (A, 2) [m, deg] of accepted poses."""
    positions_m = [sequence.pose(index)[:3, 3] for sequence in (mapping, queries) for index in range(len(sequence))]
    unit_m = camera_extent_m(np.array(positions_m)) if scene.relative else 1.0
    turned = errors[:, 1] <= (np.inf if scene.relative else MAX_TURN_DEG)
    within = tuple(100.0 * float(((errors[:, 0] / unit_m <= bound) & turned).sum()) / len(queries)
                   for bound, _ in scene.bounds)
    median, median_deg = np.median(errors, axis=0) if len(errors) else (np.nan, np.nan)
    wrong_m = WRONG_SHARE * unit_m if scene.relative else WRONG_M
    wrong = int(((errors[:, 0] > wrong_m) | (errors[:, 1] > WRONG_DEG)).sum())
    return OutdoorsResult(scene.name, how, len(queries), len(errors), float(median / unit_m), float(median_deg), within,
                          wrong, inside_percent, float(ratio))
