"""Localizing: an image and a map in, a pose and whether to trust it out."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from cl_localization.config import LocalizerConfig
from cl_localization.data.frame import Frame
from cl_localization.errors import MapError
from cl_localization.features import Encoder, make_encoder
from cl_localization.features.frame_encoder import FrameEncoder
from cl_localization.geometry.camera import Camera
from cl_localization.localization.calibration_check import CalibrationCheck
from cl_localization.localization.learned.pose_search import make_pose_search
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode
from cl_localization.places.map_places import MapPlaces, Recognition
from cl_localization.tracking.gating import AmbiguityGate

__all__ = ["Localization", "Localizer"]


class Localizer:
    """Finds the pose of images in a map; an initial guess is not needed.

    Each pose is estimated from its image alone. The images before it, as a sequence of places, only say where in the
    map to search first, and whether images contradict the calibration; `reset` forgets them.

    Attributes:
        calibration: what images say of the calibration that they come with.
    """

    def __init__(self, map_code: MapCode, config: LocalizerConfig = LocalizerConfig(),
                 encoder: Encoder | None = None, in_background: bool = False) -> None:
        """Make a localizer for a map.

        Args:
            in_background: whether the index of a large map is made in a thread while recognised places are searched;
                else the first image that needs it waits for it.

        Raises:
            MapError: the map was made by another encoder.
            EncoderError: weights that the options name cannot be read.
            DataError: the mask cannot be read.
        """
        self.config, self._in_background = config, in_background
        self.encoder = encoder or make_encoder(config.encoder)
        self._frames = FrameEncoder(self.encoder, config.mask)
        self._ambiguity_gate, self.calibration = AmbiguityGate(), CalibrationCheck()
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
        self._search = make_pose_search(map_code, self.config, self._in_background)
        self.reset()

    def reset(self) -> None:
        """Forget the images before: the next one begins another sequence."""
        self._frames.regions.forget()
        self._ambiguity_gate.forget()
        self.calibration.forget()
        self._places = MapPlaces(self.map_code, self.config.place)

    def use(self, config: LocalizerConfig) -> None:
        """Use other values of the live options, those of `pose`, from now on; index and sequence of places stay."""
        self.config = config
        self._search.use(config.pose)

    def encode(self, frame: Frame) -> None:
        """Encode a frame ahead of `localize`, which then need not.

        Raises:
            EncoderError: the image cannot be encoded.
            DataError: the mask is of images of another shape.
        """
        self._frames.encode(frame)

    def localize(self, frame: Frame, guess_world_T_cam: np.ndarray | None = None) -> Localization:
        """Return the pose of a frame, and whether to trust it.

        Args:
            guess_world_T_cam: (4, 4) where to search first; believed no more than any other place.

        Raises:
            EncoderError: the image cannot be encoded.
            DataError: the mask is of images of another shape.
        """
        if len(self.map_code) == 0:
            return Localization(frame.stamp_ns)
        started_s = time.perf_counter()
        features = self._frames.encode(frame)
        encoded_s = time.perf_counter()
        recognition = self._places.recognize(features, frame.odom_T_cam)
        timings_s = {"encode": encoded_s - started_s, "place": time.perf_counter() - encoded_s}
        guessed = [] if guess_world_T_cam is None else [self._places.near(guess_world_T_cam)]

        def localized_by(camera: Camera) -> Localization:
            found = self._search.find(features, camera, *guessed, recognition.keyframes)
            return replace(found, stamp_ns=frame.stamp_ns, timings_s={**timings_s, **found.timings_s},
                           inlier_keypoints_px=features.keypoints_px[found.inlier_features])

        found = localized_by(frame.camera)
        found = self._ambiguity_gate.judge(
            found, frame.odom_T_cam, lambda found: self._search.with_rival(features, frame.camera, found))
        found = self.calibration.judge(found, frame.camera, localized_by)
        self._learn_what_is_fixed(frame, found)
        return self._with_place(found, recognition)

    def _learn_what_is_fixed(self, frame: Frame, found: Localization) -> None:
        """Compare a frame with one before, where odometry or the map tells how the camera has turned."""
        if frame.odom_T_cam is not None:
            self._frames.observe(frame, frame.odom_T_cam, "odometry")
        elif found.accepted and found.world_T_cam is not None:
            self._frames.observe(frame, found.world_T_cam, found.scene)

    def _with_place(self, found: Localization, recognition: Recognition) -> Localization:
        """Say which place it is, and whether the last images contradict an accepted pose."""
        if not found.accepted:
            return replace(found, place=recognition.places[0] if recognition.places else None)
        contradiction = self._places.contradiction(recognition, found.scene, found.world_T_cam)
        return replace(found, place=self._places.place_at(found.scene, found.world_T_cam),
                       place_check="" if contradiction is None else contradiction or "agrees")
