"""The optional radiance field of the mapper, trained on the keyframes of its map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cl_localization.data.frame import Frame
from cl_localization.errors import LocalizationError
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.mapping_result import MappingResult
from cl_localization.msg import MappingStatus
from cl_localization.nerf.live import LiveField
from cl_localization.nerf.live_file import load_live, save_live
from cl_localization.ros.images.image_source import ImageBundle
from cl_localization.ros.nerf.learner import Keyframe, Life, NerfLearner
from cl_localization.ros.nerf.outputs import NerfOutputs, Viewpoint
from cl_localization.ros.nerf.pose_check import beside
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.tf.lookup import TfLookup


class LearnedNerf:
    """A radiance field trained by a thread."""

    def __init__(self, node: ManagedNode, lookup: TfLookup) -> None:
        """Create the publishers; with `resume`, training continues with the field saved beside map_file."""
        self._node = node
        self._learner: NerfLearner | None = None
        self._path = beside(Path(node.config.map_file)) if node.config.map_file else None
        self._outputs = NerfOutputs(node, lookup)
        self._life = Life(LiveField(node.config.nerf))
        self._may_resume = node.config.resume

    @property
    def problem(self) -> str:
        """Why it does not learn, for /diagnostics; empty for no problem."""
        return self._learner.problem if self._learner else ""

    def start(self, may_learn: Callable[[], bool]) -> None:
        """Start training, while `may_learn` returns True, and rendering."""
        self._node.active.callback(self._save)
        self._learner = NerfLearner(self._node, self._life, may_learn)
        self._outputs.listen()
        self._node.every(1.0 / self._node.config.nerf.max_renders_hz, self._show)

    def use_map(self, map_code: MapCode) -> None:
        """Mapper's worker, or set-up: use the field of another map."""
        self._outputs.newest = None
        self._live(self._resumed(map_code) if self._may_resume else LiveField(self._node.config.nerf),
                   self._owner_of(map_code.map_id))
        self._may_resume = False

    def observe(self, bundle: ImageBundle, frame: Frame, result: MappingResult, map_code: MapCode) -> None:
        """Mapper's worker: take a mapped image; a keyframe is added to the field."""
        if frame.world_T_cam is not None:
            self._outputs.newest = Viewpoint(bundle.image.header.stamp, bundle.camera_frame, frame.camera,
                                             frame.world_T_cam)
        if self._life.owner != (owner := self._owner_of(map_code.map_id)):  # scenes may overlap in space
            self._live(LiveField(self._node.config.nerf), owner)
        if result.is_keyframe:
            small = self._life.field.reduced(frame)
            points_m = self._life.field.in_view(small, map_code.positions_m) if small.depth_m is None else None
            self._life.offer(Keyframe(small, points_m))

    def fill_status(self, status: MappingStatus) -> None:
        """Fill in the fields nerf_* of a status."""
        field = self._life.field
        status.nerf, status.nerf_keyframes, status.nerf_bytes = True, field.keyframes, self._life.size_bytes
        status.nerf_steps, status.nerf_skipped_steps = field.steps, field.skipped
        status.nerf_before_db, status.nerf_after_db = float(field.before_db), float(field.after_db)

    def _show(self) -> None:
        learner = self._learner
        if learner is not None and self._outputs.wanted:
            learner.ask("show", lambda: self._outputs.show(self._life.field, learner.turn_and_rest))

    def _live(self, field: LiveField, owner: str) -> None:
        """Use another field from now on, without waiting keyframes."""
        self._life = Life(field, owner)
        if self._learner:
            self._learner.life = self._life

    def _owner_of(self, map_id: str) -> str:
        return f"{map_id} {self._node.config.scene}"

    def _resumed(self, map_code: MapCode) -> LiveField:
        """Return the field beside map_file if it belongs to this map, else a new one."""
        config = self._node.config.nerf
        if self._path is not None and self._path.is_file():
            try:
                field, owner = load_live(self._path, config)
                if owner in (self._owner_of(map_code.map_id), self._owner_of(map_code.parent_id)):
                    return field
            except LocalizationError as error:
                self._node.report(error)
        return LiveField(config)

    def _save(self) -> None:
        """Save the field beside map_file, after the thread has ended."""
        life, config = self._life, self._node.config
        ended = self._learner is not None and self._learner.ended
        if self._path is None or not config.save_on_shutdown or not life.field.keyframes or not ended:
            return
        try:
            save_live(life.field, self._path, life.owner)
        except LocalizationError as error:
            self._node.report(error)
