"""Learned codes, online: beside the grown map, from its keyframes as they come, and from a replay buffer of older ones.

With depth a feature's place is measured. Without, it is that of the code that the feature turned out to show, a few
keyframes later, when that is triangulated well.
"""

from __future__ import annotations

import numpy as np
import torch

from cl_localization.geometry import se3
from cl_localization.map.keyframe_views import View
from cl_localization.map.learned_codes import code_count, learned_map_beside
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.learned.distillation import keep_first_keyframes
from cl_localization.mapping.learned.optimizer import BATCH, CodeOptimizer, Samples, learn_to_the_end, without_denormals
from cl_localization.mapping.learned.options import LearnedCodesConfig
from cl_localization.mapping.learned.replay import FeatureReplay, samples_from
from cl_localization.mapping.learned.scene_codes import CodesByScene, SceneCodes, typical_error_m

FEWEST_FEATURES = 30
"""A keyframe with fewer features whose place is known is left out."""

MATURE_AFTER, MOST_VIEWS = 6, 400
"""Keyframes after which the codes that one shows are triangulated well, and how many are looked at again in the end."""

ADDED, ADDED_ABOVE, UNUSED_BELOW = 64, 0.05, 0.1
"""Codes begun at a keyframe's features that are off by more than a share of their distance. Where there is no room,
they take the place of codes that get less than a share of the mean attention."""

CLAMP = 0.05
NEWEST_SHARE = 0.3
"""Share of a batch that is of the newest keyframe; the others are replayed, of the same scene."""

BYTES_PER_KB = 1000


class CodeLearner:
    """Learns the codes of a map beside the grown one.

    Attributes:
        map_code: the map of learned codes, as after the last keyframe.
    """

    def __init__(self, grown: MapCode, config: LearnedCodesConfig) -> None:
        """Begin without codes."""
        self.map_code = learned_map_beside(grown)
        self._grown, self._config = grown, config
        self._replay = FeatureReplay(grown, config)
        self._immature: list[View] = []
        self._mature: list[View] = []
        self._generator = torch.Generator().manual_seed(config.seed)
        self._codes = CodesByScene()

    def observe(self, view: View, depths_m: np.ndarray) -> None:
        """Learn from a keyframe of the grown map.

        Args:
            depths_m: (N,) of the view's features, 0 where unknown.
        """
        self._immature, self._mature = (list(filter(self._is_kept, views)) for views in (self._immature, self._mature))
        if not self._is_kept(view):
            return
        known = np.flatnonzero(depths_m > 0)
        if len(known):
            points_cam_m = np.column_stack([view.rays[known], np.ones(len(known))]) * depths_m[known, None]
            self._learn_from(view, known, points_cam_m)
            return
        self._immature.append(view)
        if len(self._immature) > MATURE_AFTER:
            self._learn_from_codes_of(self._immature.pop(0))

    def finish(self) -> None:
        """End a sequence: learn from all that is kept of the scenes that changed, at a falling rate."""
        while self._immature:
            self._learn_from_codes_of(self._immature.pop(0))
        self._look_again()
        for number, scene in self._codes.scenes.items():
            kept = self._replay.samples(number, scene.origin_m)
            if scene.changed and len(kept):
                learn_to_the_end(scene.codes, kept, self._config.final_steps, self._generator, CLAMP)
                scene.changed = False
                self._codes.write(self.map_code, typical_error_m(scene.codes, kept))

    def forget(self, scene: int) -> None:
        """Let go what was learned of a scene that lies elsewhere now; it is learned again from what is replayed."""
        self._codes.scenes.pop(scene, None)
        for other in self._codes.scenes.values():
            other.changed = True  # the scene may have become part of it
        self.map_code.remove(self.map_code.rows_of(scene))
        self.map_code.keyframes.remove(self.map_code.keyframes_of(scene), self.map_code.version)

    def _is_kept(self, view: View) -> bool:
        """Return whether the map still has a keyframe; the numbers of those that it gave up will be used again."""
        return view.keyframe >= 0 and bool(self._grown.keyframes.live[view.keyframe])

    def _learn_from_codes_of(self, view: View) -> None:
        self._mature = [*self._mature, view][-MOST_VIEWS:]
        self._learn_from(view, *self._shown(view))

    def _shown(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Return the features (N,) of a view that show codes, and the codes' positions (N, 3) in its camera's axes."""
        shown = np.flatnonzero(view.code >= 0)
        points_m = self._grown.codes["positions_m"][view.code[shown]]
        return shown, se3.transform(se3.inverse(self._grown.pose_of(view.keyframe)), points_m)

    def _look_again(self) -> None:
        """Keep what views without depth turned out to show, now that all is triangulated."""
        for view in self._mature:
            features, points_cam_m = self._shown(view)
            if len(features) >= FEWEST_FEATURES:
                self._replay.offer(view.keyframe, view.features.descriptors[features], points_cam_m)
        self._mature = []

    def _learn_from(self, view: View, features: np.ndarray, points_cam_m: np.ndarray) -> None:
        """Learn from features (N,) of a view at points (N, 3) in its camera's axes."""
        if len(features) < FEWEST_FEATURES:
            return
        number = int(self._grown.keyframes["keyframe_scenes"][view.keyframe])  # it may be another since it was seen
        descriptors = view.features.descriptors[features]
        points_m = se3.transform(self._grown.pose_of(view.keyframe), points_cam_m)
        known = self._codes.scenes.get(number)
        origin_m = points_m.mean(axis=0) if known is None else known.origin_m
        newest = samples_from(descriptors, points_m - origin_m, points_cam_m)
        self._replay.offer(view.keyframe, descriptors, points_cam_m)
        self.map_code.scene_names = list(self._grown.scene_names)
        keep_first_keyframes(self._grown, self.map_code)
        scene = known or SceneCodes(CodeOptimizer(newest.rows(self._drawn(newest, ADDED))), origin_m)
        self._codes.scenes[number] = scene
        scene.changed = True
        self._add_codes(number, scene.codes, newest)
        self._take_steps(number, scene, newest)

    def _add_codes(self, number: int, codes: CodeOptimizer, newest: Samples) -> None:
        """Begin codes where the answers are wrong, in the place of unused ones where there is no room."""
        wrong = torch.nonzero(codes.errors(newest) > ADDED_ABOVE)[:, 0]
        chosen = wrong[torch.randperm(len(wrong), generator=self._generator)[:ADDED]]
        most = code_count(self.map_code, int(self._config.size_kb * BYTES_PER_KB))
        room = self._codes.make_room(number, len(chosen), most)
        unused = torch.nonzero(codes.usage < UNUSED_BELOW)[:, 0]
        unused = unused[codes.usage[unused].argsort()]
        rows = torch.cat([torch.arange(room) + len(codes), unused])[:len(chosen)]
        if len(rows):
            codes.begin_anew(rows, newest.rows(chosen[:len(rows)]))

    def _take_steps(self, number: int, scene: SceneCodes, newest: Samples) -> None:
        kept = self._replay.samples(number, scene.origin_m)
        fresh = round(NEWEST_SHARE * BATCH) if len(kept) else BATCH
        with without_denormals():
            for _ in range(self._config.steps_per_keyframe):
                batch = newest.rows(self._drawn(newest, fresh))
                scene.codes.step(batch.and_(kept.rows(self._drawn(kept, BATCH - fresh))), CLAMP, 1.0)
        self._codes.write(self.map_code, typical_error_m(scene.codes, newest))

    def _drawn(self, samples: Samples, count: int) -> torch.Tensor:
        return torch.randint(max(len(samples), 1), (count,), generator=self._generator)
