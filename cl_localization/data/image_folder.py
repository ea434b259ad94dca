"""A folder of images with `camera.yaml` (ROS's camera_calibration format) and optionally `poses.txt` (TUM's format).

Images lie in the folder itself or in its `images/`. Stamps and poses:

1. When every file name is a stamp (decimal seconds, or nanoseconds of 16 to 19 digits), poses are looked up by stamp
   and interpolated, as for TUM RGB-D.
2. Otherwise images are taken in the order of their names (`r_2` before `r_10`). If there is a `poses.txt`, its line i
   belongs to image i, the numbers of both must be equal, and the images get the stamps of the lines. Without, images
   are 0.1 s apart.

A pose is camera to world, axes x right, y down, z forward; a line with NaN leaves its image without a pose.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from cl_localization.data.camera_file import CAMERA_YAML, GIVE_CAMERA
from cl_localization.data.images import IMAGE_SUFFIXES, image_files
from cl_localization.data.reading import FRAME_PERIOD_NS, Findings, ImageFile, ImageFileSequence
from cl_localization.data.stamps import stamp_of_name
from cl_localization.data.trajectory import read_pose_lines, read_trajectory
from cl_localization.errors import DataError

POSES = "poses.txt"


def is_image_folder(path: Path) -> bool:
    """Return whether a folder has `camera.yaml` and images."""
    return path.is_dir() and (path / CAMERA_YAML).is_file() and bool(_images(path))


def open_image_folder(path: Path, name: str = "", *, camera: str = "", poses: str = "",
                      max_gap_s: float = 0.1) -> ImageFileSequence:
    """Open a folder of images.

    Args:
        camera: a calibration elsewhere, see `read_camera_file`; empty for the folder's `camera.yaml`.
        poses: a TUM file elsewhere; empty for the folder's `poses.txt`, if any.
        max_gap_s: poses are interpolated between neighbours up to this far apart.

    Raises:
        DataError: no images or calibration, poses that do not fit the images, two images with one stamp.
        GeometryError: numbers that are no camera or pose.
    """
    images, findings = _images(path), Findings()
    if not images:
        raise DataError(f"folder {path}", f"must hold images ({', '.join(IMAGE_SUFFIXES)})", "none")
    if not camera and not (path / CAMERA_YAML).is_file():
        raise DataError(f"folder {path} of images", "needs the calibration of its camera",
                        remedy=f"{GIVE_CAMERA}, or put {CAMERA_YAML} into it")
    calibration = findings.camera_of_file(Path(camera) if camera else path / CAMERA_YAML, images[0])
    poses_path = Path(poses) if poses else path / POSES
    has_poses = bool(poses) or poses_path.is_file()
    stamps_ns = [stamp for image in images if (stamp := stamp_of_name(image.stem)) is not None]
    if len(stamps_ns) == len(images):
        trajectory = read_trajectory(poses_path) if has_poses else None
        findings.add_stamped(list(zip(stamps_ns, images)), calibration, trajectory, poses_path, max_gap_s)
    elif has_poses:
        findings.files = [ImageFile(image.stem, stamp_ns, image, calibration, pose)
                          for image, (stamp_ns, pose) in zip(images, _by_line(poses_path, images, path))]
    else:
        findings.assumed("images carry no time: taken as 0.1 s apart in the order of their names")
        findings.files = [ImageFile(image.stem, index * FRAME_PERIOD_NS, image, calibration)
                          for index, image in enumerate(images)]
    sequence = findings.sequence(name or str(path))
    for before, after in itertools.pairwise(sequence.files):
        if before.stamp_ns == after.stamp_ns:
            raise DataError(f"stamp of image {after.image_path}", "must be its own",
                            f"that of {before.image_path.name}")
    return sequence


def _images(path: Path) -> list[Path]:
    """Return the images in the folder, or in its `images/` if it has none, in order of their names."""
    return image_files(path) or image_files(path / "images")


def _by_line(poses_path: Path, images: list[Path], folder: Path) -> list[tuple[int, np.ndarray | None]]:
    stamps_ns, poses = read_pose_lines(poses_path)
    if len(stamps_ns) != len(images):
        raise DataError(f"poses {poses_path}", f"must have a line for each of the {len(images)} images of {folder}",
                        len(stamps_ns), "or name the images by their stamps")
    return [(int(stamp_ns), pose if np.isfinite(pose).all() else None) for stamp_ns, pose in zip(stamps_ns, poses)]
