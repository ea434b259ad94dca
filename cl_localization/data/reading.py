"""What readers of folders share: sequences of image files, cameras and poses of small files, options."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cl_localization.data.apple_depth import SUFFIX as APPLE_SUFFIX
from cl_localization.data.apple_depth import read_apple_depth
from cl_localization.data.camera_file import image_size, read_camera_file, stated_camera
from cl_localization.data.files import is_file, read_matrix
from cl_localization.data.frame import Frame
from cl_localization.data.images import DEPTH_SUFFIXES, read_depth, read_rgb
from cl_localization.data.registration import DepthRegistration, spread_over
from cl_localization.data.sequence import IndexedSequence
from cl_localization.data.stamps import NS_PER_S
from cl_localization.data.trajectory import Trajectory, nearest_index, pose_at, stamps_apart
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import validated

FRAME_PERIOD_NS = 100_000_000
"""Between images that carry no time."""

MAX_HOLD_S = 0.02
"""A pose this near in time is an image's own where there is none on both sides."""

DEPTH_UNITS_M = (1e-6, 1e3)
DEFAULT_DEPTH_UNIT_M = 0.001
StampedFile = tuple[int, Path]


@dataclass(frozen=True, eq=False)
class ImageFile:
    """Where one frame's image and depth are, and what is known without reading them.

    Attributes:
        camera: of the image.
        depth_path, depth_unit_m: depth image and metres of one step of it; a smaller one of the same view is enlarged.
        registration: brings the depth into the image's camera; None where it is already.
    """

    name: str
    stamp_ns: int
    image_path: Path
    camera: Camera
    world_T_cam: np.ndarray | None = None
    depth_path: Path | None = None
    depth_unit_m: float = 0.001
    registration: DepthRegistration | None = None

    def read(self) -> Frame:
        """Return the decoded frame. Raises DataError naming the file that is wrong."""
        image, depth_m, camera = read_rgb(self.image_path), None, self.camera
        if max(abs(image.shape[1] - camera.width_px), abs(image.shape[0] - camera.height_px)) == 1:
            camera = camera.fitted(image.shape[1], image.shape[0])
        if self.depth_path is not None:
            size_px = (image.shape[1], image.shape[0])
            depth_m = read_apple_depth(self.depth_path, size_px) if self.depth_path.suffix == APPLE_SUFFIX \
                else read_depth(self.depth_path, self.depth_unit_m)
            if self.registration is not None:
                depth_m = self.registration.register(depth_m, f"depth image {self.depth_path}")
            depth_m = spread_over(depth_m, image.shape[1], image.shape[0], f"depth image {self.depth_path}")
        return Frame(self.stamp_ns, image, camera, depth_m, self.world_T_cam, name=self.name)


class ImageFileSequence(IndexedSequence):
    """Frames that are image files, given in order of time."""

    def __init__(self, name: str, files: list[ImageFile], skipped: Iterable[str] = (),
                 notes: Iterable[str] = (), camera_source: str = "") -> None:
        super().__init__(name, [file.name for file in files], skipped, notes, camera_source)
        self.files = files

    def without_depth(self) -> ImageFileSequence:
        """Return the same frames; their depth is not read."""
        images = copy(self)
        images.files = [replace(file, depth_path=None) for file in self.files]
        return images

    def camera_at(self, index: int) -> Camera:
        """Return the camera of frame `index`."""
        return self.files[index].camera

    def has_depth(self, index: int) -> bool:
        """Return whether frame `index` has a depth image."""
        return self.files[index].depth_path is not None

    def _frame(self, index: int) -> Frame:
        return self.files[index].read()

    def _pose(self, index: int) -> np.ndarray | None:
        return self.files[index].world_T_cam


@dataclass
class Findings:
    """What a reader gathers: frames, those left out, notes for the user, and where the camera is from."""

    files: list[ImageFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    camera_source: str = ""

    def assumed(self, note: str) -> None:
        """Add a note once."""
        if note not in self.notes:
            self.notes.append(note)

    def camera_given(self, camera: str, image_path: Path, places: Iterable[Path] = ()) -> Camera | None:
        """Return the camera of the calibration file that the option `camera` names, or of the first of some places that
        has one; None where there is none. See `camera_of_file`."""
        file = Path(camera) if camera else next(filter(is_file, places), None)
        return None if file is None else self.camera_of_file(file, image_path)

    def camera_of_file(self, path: Path, image_path: Path) -> Camera:
        """Return the camera of a calibration file for images like this one; scaled to them with a note.

        Raises:
            DataError, GeometryError: as `read_camera_file`.
        """
        size_px = image_size(image_path)
        camera = read_camera_file(path, size_px)
        self.camera_source = str(path)
        if camera.fx_px != (stated := stated_camera(path, size_px)).fx_px:
            self.assumed(f"calibration {path} of {stated.width_px}x{stated.height_px} scaled to images of "
                         f"{size_px[0]}x{size_px[1]}")
        return camera

    def add(self, file: ImageFile, thing: str, sensor_T_cam: np.ndarray | None = None) -> None:
        """Take in a frame, unless a number of its pose is infinite or NaN: then it is counted as left out.

        Args:
            file: its pose (4, 4), if it has one, is as the data set gives it.
            thing: what errors call the pose.
            sensor_T_cam: (4, 4) camera on what the pose is of; None where it is the camera's own.

        Raises:
            GeometryError: finite numbers that are no pose.
        """
        if file.world_T_cam is None:
            self.files.append(file)
        elif np.isfinite(file.world_T_cam).all():
            world_T_sensor = validated(file.world_T_cam, thing)
            self.files.append(replace(
                file, world_T_cam=world_T_sensor if sensor_T_cam is None else world_T_sensor @ sensor_T_cam))
        else:
            self.skipped.append(file.name)

    def present(self, listed: list[StampedFile]) -> list[StampedFile]:
        """Return the files that are there, in order of time; the others are counted as left out."""
        self.skipped += [file.stem for _, file in listed if not is_file(file)]
        return sorted((entry for entry in listed if is_file(entry[1])), key=lambda entry: entry[0])

    def add_stamped(self, images: list[StampedFile], camera: Camera, trajectory: Trajectory | None, source: object,
                    max_gap_s: float, max_hold_s: float = MAX_HOLD_S, body_T_cam: np.ndarray | None = None,
                    depths: list[StampedFile] | None = None, depth_unit_m: float = DEFAULT_DEPTH_UNIT_M) -> None:
        """Take in images with the poses and the depth images of their stamps.

        Args:
            trajectory, source: poses of the camera, or of what `body_T_cam` (4, 4) puts the camera on; and what to call
                them.
            max_gap_s: poses are interpolated between neighbours up to this far apart.
            max_hold_s: where there is none on both sides, a pose this near in time is taken; so is a depth image.
            depths, depth_unit_m: depth images, and metres of a step of them.
        """
        self.notes += stamps_apart((stamp_ns for stamp_ns, _ in images), trajectory, source)
        depths = sorted((entry for entry in depths or [] if is_file(entry[1])), key=lambda entry: entry[0])
        depth_stamps_ns = np.array([stamp_ns for stamp_ns, _ in depths], np.int64)
        for stamp_ns, path in images:
            pose = pose_at(trajectory, stamp_ns, max_gap_s, max_hold_s)
            nearest = nearest_index(depth_stamps_ns, stamp_ns, round(max_hold_s * NS_PER_S))
            self.files.append(ImageFile(path.stem, stamp_ns, path, camera,
                                        pose if pose is None or body_T_cam is None else pose @ body_T_cam,
                                        None if nearest is None else depths[nearest][1], depth_unit_m))

    def sequence(self, name: str) -> ImageFileSequence:
        """Return the sequence of the frames in order of time. Raises DataError for none."""
        files = sorted(self.files, key=lambda file: file.stamp_ns)
        return ImageFileSequence(name, files, self.skipped, self.notes, self.camera_source)


def checked_split(split: str) -> str:
    """Return the option `split` of data sets that have two. Raises DataError for another word."""
    if split not in ("all", "train", "test"):
        raise DataError("option split", "must be all, train or test", repr(split))
    return split


def depth_beside(folder: Path, stem: str) -> Path | None:
    """Return the depth image of a frame in a folder, whatever its format; None if there is none."""
    return next((path for suffix in DEPTH_SUFFIXES if is_file(path := folder / f"{stem}{suffix}")), None)


def pose_file(path: Path) -> np.ndarray | None:
    """Return the 4x4 matrix of a text file, whose numbers may be infinite; None where there is no file.

    Raises:
        DataError: not 16 numbers.
    """
    return read_matrix(path) if path.is_file() else None


def depth_unit(given_m: float, default_m: float = DEFAULT_DEPTH_UNIT_M) -> float:
    """Return the metres of a step of depth that the option `depth_unit_m` asks for; 0 is the reader's default.

    Raises:
        DataError: no unit of depth.
    """
    if given_m == 0:
        return default_m
    if not DEPTH_UNITS_M[0] <= given_m <= DEPTH_UNITS_M[1]:
        raise DataError("option depth_unit_m", f"must lie in {DEPTH_UNITS_M[0]:g} to {DEPTH_UNITS_M[1]:g} m", given_m,
                        "0.001 for millimetres")
    return given_m
