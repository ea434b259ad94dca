"""Learned codes on a stream of scenes, by replay policy: all learn beside one grown map, from the same keyframes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from benchmarks.scene_stream import StreamScene
from benchmarks.table import BenchTable, spread
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data.frame import Frame
from cl_localization.features import Encoder, Features
from cl_localization.geometry import se3
from cl_localization.localization.learned.pose_search import LearnedPoseSearch
from cl_localization.localization.learned.regressor import LearnedRegressor
from cl_localization.map.keyframe_views import View
from cl_localization.mapper import Mapper
from cl_localization.mapping.depth_points import depths_of
from cl_localization.mapping.learned.learner import CodeLearner
from cl_localization.mapping.learned.options import LearnedCodesConfig
from cl_localization.research.forgetting import AccuracyMatrix

ASKED_FEATURES, RIGHT_M = 300, 0.1
"""Features of a query whose answers are compared with their measured places, the strongest first; and how near the
right ones are."""

RESERVOIR = "Random"


@dataclass(frozen=True, eq=False)
class Query:
    """An image that is asked for: its features, and where those with depth lie (N, 3), NaN where unknown."""

    frame: Frame
    features: Features
    points_m: np.ndarray

    @classmethod
    def of(cls, frame: Frame, encoder: Encoder, max_depth_m: float) -> Query:
        """Return the query of a frame."""
        features = encoder.encode(frame.image)
        depths_m = depths_of(frame, features, max_depth_m).astype(np.float64)
        depths_m[depths_m <= 0] = np.nan
        rays = np.column_stack([frame.camera.normalize(features.keypoints_px), np.ones(len(features))])
        return cls(frame, features, se3.transform(frame.world_T_cam, rays * depths_m[:, None]))


@dataclass(eq=False)
class LearnedRun:
    """Codes that are learned from the stream in one way.

    Attributes:
        method: name of the way.
        errors: of poses, by (row, column), as in `StreamErrors`.
        off_m: distances (N,) of features' answers from their places, likewise.
        seconds: processor time of learning.
    """

    method: str
    learner: CodeLearner
    errors: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    off_m: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0

    def timed(self, act: Callable[..., None], *arguments: Any) -> None:
        """Have the learner do something, and count its time."""
        started_s = time.process_time()
        act(self.learner, *arguments)
        self.seconds += (time.process_time() - started_s) / torch.get_num_threads()

    def ask(self, place: tuple[int, int], queries: Sequence[Query], localizer: LocalizerConfig) -> None:
        """Note how far off the answers to queries are."""
        search, regressor = LearnedPoseSearch(self.learner.map_code, localizer.pose), LearnedRegressor(
            self.learner.map_code)
        poses, off_m = [], []
        for query in queries:
            found = search.find(query.features, query.frame.camera)
            poses.append(se3.pose_error(found.world_T_cam, query.frame.world_T_cam) if found.accepted
                         else (np.inf, np.inf))
            answers = regressor.regress(query.features.select(slice(ASKED_FEATURES))).points_m
            distances_m = np.linalg.norm(answers - query.points_m[:ASKED_FEATURES], axis=1)
            off_m.append(distances_m[np.isfinite(distances_m)])
        self.errors[place], self.off_m[place] = np.array(poses), np.concatenate(off_m)


def learn_stream(scenes: Sequence[StreamScene], ways: Sequence[tuple[str, LearnedCodesConfig]], mapper: MapperConfig,
                 localizer: LocalizerConfig, encoder: Encoder,
                 tell: Callable[[int, int], None] = lambda done, total: None) -> list[LearnedRun]:
    """Have codes learn scenes one after the other in several ways, and ask each scene for its queries after it was
    learned and in the end.

    Args:
        ways: name and options of each.
        tell: is told how many scenes are done, of how many.
    """
    one, max_depth_m = Mapper(mapper, encoder), mapper.depth.max_depth_m
    runs = [LearnedRun(name, CodeLearner(one.map_code, config)) for name, config in ways]
    queries = [[Query.of(frame, encoder, max_depth_m) for frame in scene.queries] for scene in scenes]
    for number, scene in enumerate(scenes):
        one.use_scene(scene.name)
        scene_number = one.map_code.scene_number(scene.name)
        for frame in scene.frames:
            keyframe = one.add(frame).keyframe_id
            if keyframe is not None:
                features = one.frames.encode(frame)
                view = View.of(keyframe, frame.world_T_cam, frame.camera, features, scene_number)
                depths_m = depths_of(frame, features, max_depth_m)
                for run in runs:
                    run.timed(CodeLearner.observe, view, depths_m)
        one.finish()
        asked = range(number + 1) if number == len(scenes) - 1 else (number,)
        for run in runs:
            run.timed(CodeLearner.finish)
            for other in asked:
                run.ask((number, other), queries[other], localizer)
        tell(number + 1, len(scenes))
    return runs


def of_learned(runs: Sequence[LearnedRun], scenes: Sequence[StreamScene]) -> BenchTable:
    """Return the table of how many features are answered right, and how that differs from `Random` by seed."""
    names = tuple(scene.name for scene in scenes)
    by_method: dict[str, list[AccuracyMatrix]] = {}
    for run in runs:
        percent = np.full((len(names),) * 2, np.nan)
        for place, off_m in run.off_m.items():
            percent[place] = 100.0 * (off_m < RIGHT_M).mean()
        by_method.setdefault(run.method, []).append(AccuracyMatrix(names, percent))
    reservoir = np.array([matrix.average for matrix in by_method.get(RESERVOIR, [])])
    rows = []
    for method, matrices in by_method.items():
        averages = np.array([matrix.average for matrix in matrices])
        forgotten = [float(matrix.forgetting[0]) for matrix in matrices if len(matrix.forgetting)]
        rows.append((method, str(len(matrices)), spread(averages), spread(forgotten),
                     spread([matrix.backward_transfer for matrix in matrices]),
                     spread(averages - reservoir) if len(reservoir) else "-"))
    headers = ("learned codes", "runs", f"features within {100 * RIGHT_M:.0f} cm in the end [%]",
               f"forgotten of {names[0]}", "backward transfer", f"more than {RESERVOIR}, by seed")
    return BenchTable("answers for single features", headers, rows, results={"learned_features": {
        method: [matrix.to_json() for matrix in matrices] for method, matrices in by_method.items()}})
