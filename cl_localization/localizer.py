"""Localizing: an image and a map in, a pose and whether to trust it out."""

from __future__ import annotations

import time

import numpy as np

from cl_localization.config import LocalizerConfig
from cl_localization.data.frame import Frame
from cl_localization.errors import MapError
from cl_localization.features import Encoder, Features, make_encoder
from cl_localization.geometry import se3
from cl_localization.localization.hierarchical_search import PoseSearch, reason_against
from cl_localization.localization.pose_estimation import CameraPose
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode
from cl_localization.places.map_places import MapPlaces, Recognition


class Localizer:
    """Finds the pose of images in a map, each by itself, without an initial guess; those before only say where to
    search first."""

    def __init__(self, map_code: MapCode, config: LocalizerConfig = LocalizerConfig(),
                 encoder: Encoder | None = None) -> None:
        """Make a localizer for a map.

        Raises:
            MapError: the map was made by another encoder.
            EncoderError: weights that the options name cannot be read.
        """
        self.config = config
        self.encoder = encoder or make_encoder(config.encoder)
        self.set_map(map_code)

    def set_map(self, map_code: MapCode) -> None:
        """Localize in another map from now on. Changes within a map are followed without this.

        Raises:
            MapError: the map was made by another encoder.
        """
        if (map_code.encoder, map_code.dim) != (self.encoder.name, self.encoder.dim):
            raise MapError("map", f"must be made by the encoder in use, {self.encoder.name}", map_code.encoder,
                           "map again")
        self.map_code = map_code
        self._search = PoseSearch(map_code, self.config)
        self._places = MapPlaces(map_code, self.config.place)

    def localize(self, frame: Frame) -> Localization:
        """Return the pose of a frame, and whether to trust it.

        Raises:
            EncoderError: the image cannot be encoded.
        """
        if len(self.map_code) == 0:
            return Localization(frame.stamp_ns)
        started = time.perf_counter()
        features = self.encoder.encode(frame.image)
        encoded = time.perf_counter()
        recognition = self._places.recognize(features, frame.odom_T_cam)
        timings_s = {"encode": encoded - started, "place": time.perf_counter() - encoded}
        pose = self._search.find(features, frame.camera, recognition.keyframes)
        localization = self._judged(frame, features, pose)
        localization.timings_s = {**timings_s, **pose.timings_s}
        return self._placed(localization, recognition)

    def _placed(self, localization: Localization, recognition: Recognition) -> Localization:
        """Say which place it is, and whether what the images look like speaks against the pose."""
        localization.place = recognition.places[0] if recognition.places else None
        if localization.accepted:
            localization.place = self._places.place_at(localization.scene, localization.world_T_cam)
            contradiction = self._places.contradiction(recognition, localization.scene, localization.world_T_cam)
            localization.place_check = "" if contradiction is None else contradiction or "agrees"
        return localization

    def _judged(self, frame: Frame, features: Features, pose: CameraPose) -> Localization:
        reason = reason_against(pose, self.config.pose)
        if pose.cam_T_world is None:
            return Localization(frame.stamp_ns, reason=reason, keypoints=len(features), matches=pose.matches)
        return Localization(
            frame.stamp_ns, reason is None, reason or "ok", se3.inverse(pose.cam_T_world), pose.covariance,
            len(features),
            pose.matches, pose.inliers, pose.first_inlier_ratio, pose.reprojection_error_px,
            features.keypoints_px[pose.features], pose.points_m, self._scene_of(pose.rows))

    def _scene_of(self, rows: np.ndarray) -> str:
        if len(rows) == 0:
            return ""
        return self.map_code.scene_names[int(np.bincount(self.map_code.codes["scenes"][rows]).argmax())]
