"""Other programs that find their own poses, on the frames that ours has: those that are installed.

`pip install pyorbslam3 open3d`; neither is a dependency (ORB-SLAM3 is GPL, Open3D 400 MB).
"""

from __future__ import annotations

import time
from importlib.util import find_spec

import numpy as np

from benchmarks.orb_slam3 import SAME_FRAME_NS, followed
from benchmarks.slam_run import SlamRun, scored
from cl_localization.cli.progress import tracked
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.data.trajectory import nearest_index

MAX_DEPTH_M = 4.0


def peer_runs(name: str, spec: str) -> list[SlamRun]:
    """Return a row for each program that is installed, on the frames of a sequence."""
    runs = []
    if find_spec("open3d") is not None:
        runs.append(open3d_odometry(f"{name}: Open3D's RGB-D odometry", spec))
    if find_spec("pyorbslam3") is not None:
        runs.append(orb_slam3(f"{name}: ORB-SLAM3, RGB-D", spec))
    return runs


def orb_slam3(name: str, spec: str) -> SlamRun:
    """Return the row of ORB-SLAM3: the poses that it has in the end for the frames it did not lose."""
    true, found = _true_positions(spec), followed(spec)
    if found is None:
        return scored(name, true, [])
    stamps_ns = np.array(list(true))
    nearest = (nearest_index(stamps_ns, int(stamp_ns), SAME_FRAME_NS) for stamp_ns in found.trajectory.stamps_ns)
    return scored(name, true, [(int(stamps_ns[frame]), pose[:3, 3])
                               for frame, pose in zip(nearest, found.trajectory.poses) if frame is not None])


def open3d_odometry(name: str, spec: str) -> SlamRun:
    """Return the row of poses that are chained from frame to frame, by colour and depth together (Park et al., 2017);
    where that finds nothing the camera is taken to stand still."""
    import open3d

    def image_of(frame: Frame) -> open3d.t.geometry.RGBDImage:
        depth_m = np.zeros(frame.image.shape[:2], np.float32) if frame.depth_m is None else frame.depth_m
        colour = np.ascontiguousarray(frame.image.astype(np.float32) / 255)
        return open3d.t.geometry.RGBDImage(open3d.t.geometry.Image(colour), open3d.t.geometry.Image(
            np.ascontiguousarray(np.nan_to_num(depth_m).astype(np.float32)[:, :, None])))

    odometry = open3d.t.pipelines.odometry
    sequence, pose, last, posed = open_sequence(spec), np.eye(4), None, []
    started_s = time.perf_counter()
    for frame in tracked(sequence, len(sequence), name):
        image = image_of(frame)
        if last is not None:
            intrinsics = np.array([[frame.camera.fx_px, 0, frame.camera.cx_px], [0, frame.camera.fy_px,
                                                                                frame.camera.cy_px], [0, 0, 1]])
            try:
                step = odometry.rgbd_odometry_multi_scale(image, last, open3d.core.Tensor(intrinsics), depth_scale=1.0,
                                                          depth_max=MAX_DEPTH_M).transformation.numpy()
            except RuntimeError:  # a singular system: nothing to see
                step = np.eye(4)
            pose = pose @ step
        posed.append((frame.stamp_ns, pose[:3, 3]))
        last = image
    return scored(name, _true_positions(spec), posed, rate_hz=len(posed) / (time.perf_counter() - started_s))


def _true_positions(spec: str) -> dict[int, np.ndarray]:
    """Return the true positions (3,) of the frames of a sequence by their stamps."""
    return {frame.stamp_ns: frame.world_T_cam[:3, 3] for frame in open_sequence(spec)}
