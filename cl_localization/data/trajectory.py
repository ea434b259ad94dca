"""Trajectories in TUM's text format, `stamp_s x y z qx qy qz qw` a line, and poses between their stamps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from cl_localization.data.atomic import written_file
from cl_localization.data.files import read_rows, to_float
from cl_localization.data.stamps import format_stamp_s, parse_stamp_s
from cl_localization.errors import DataError
from cl_localization.geometry.se3 import from_quaternion, to_quaternion

WORDS_PER_LINE = 8


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses in order of time.

    Attributes:
        stamps_ns: (N,) int64, strictly ascending.
        poses: (N, 4, 4) float64, each a_T_b of frames that the owner knows.
    """

    stamps_ns: np.ndarray
    poses: np.ndarray

    def at(self, stamp_ns: int, max_gap_ns: int, max_hold_ns: int = 0) -> np.ndarray | None:
        """Return the pose (4, 4) at a stamp, interpolated: position linearly, rotation along the shortest arc.

        Args:
            max_gap_ns: two poses further apart than this are not interpolated between.
            max_hold_ns: in such a gap and beyond the ends, a pose this near in time is taken as it is.

        Returns:
            None where no pose is near enough.
        """
        if len(self.stamps_ns) == 0:
            return None
        after = int(np.searchsorted(self.stamps_ns, stamp_ns))
        before = after - 1
        if after < len(self.stamps_ns) and self.stamps_ns[after] == stamp_ns:
            return self.poses[after].copy()
        if 0 < after < len(self.stamps_ns) and self.stamps_ns[after] - self.stamps_ns[before] <= max_gap_ns:
            span_ns = int(self.stamps_ns[after] - self.stamps_ns[before])
            return interpolated(self.poses[before], self.poses[after],
                                (stamp_ns - int(self.stamps_ns[before])) / span_ns)
        nearest = min((index for index in (before, after) if 0 <= index < len(self.stamps_ns)),
                      key=lambda index: abs(int(self.stamps_ns[index]) - stamp_ns))
        close = abs(int(self.stamps_ns[nearest]) - stamp_ns) <= max_hold_ns
        return self.poses[nearest].copy() if close else None


def interpolated(a_T_b: np.ndarray, a_T_c: np.ndarray, share: float) -> np.ndarray:
    """Return the pose (4, 4) that lies `share` of the way from the first to the second."""
    pose = np.eye(4)
    pose[:3, 3] = (1 - share) * a_T_b[:3, 3] + share * a_T_c[:3, 3]
    rotations = Rotation.from_matrix(np.stack([a_T_b[:3, :3], a_T_c[:3, :3]]))
    pose[:3, :3] = Slerp([0.0, 1.0], rotations)(share).as_matrix()
    return pose


def trajectory_of(stamped: Iterable[tuple[int, np.ndarray]]) -> Trajectory:
    """Return the trajectory of (stamp_ns, pose) pairs in any order; of equal stamps the first stays."""
    first: dict[int, np.ndarray] = {}
    for stamp_ns, pose in stamped:
        first.setdefault(int(stamp_ns), pose)
    stamps_ns = sorted(first)
    return Trajectory(np.array(stamps_ns, np.int64),
                      np.array([first[stamp] for stamp in stamps_ns], float).reshape(-1, 4, 4))


def read_pose_lines(path: Path) -> list[tuple[int, np.ndarray | None]]:
    """Return (stamp_ns, pose or None) of each line of a TUM file, in its order; None where a number is infinite or NaN.

    Raises:
        DataError: a line without eight numbers.
        GeometryError: a quaternion of length zero.
    """
    lines = []
    for number, words in enumerate(read_rows(path), start=1):
        thing = f"pose {number} of {path}"
        if len(words) != WORDS_PER_LINE:
            raise DataError(thing, "must be: stamp x y z qx qy qz qw", f"{len(words)} words",
                            "write it in TUM's format")
        values = np.array([to_float(word, thing) for word in words[1:]])
        pose = from_quaternion(values[:3], values[3:]) if np.isfinite(values).all() else None
        lines.append((parse_stamp_s(words[0], thing), pose))
    return lines


def read_trajectory(path: Path) -> Trajectory:
    """Return the trajectory in a TUM file, poses that are infinite or NaN left out. Raises as `read_pose_lines`."""
    return trajectory_of((stamp_ns, pose) for stamp_ns, pose in read_pose_lines(path) if pose is not None)


def write_trajectory(path: Path, stamped: Iterable[tuple[int, np.ndarray]], header: str = "",
                     force: bool = True) -> int:
    """Write (stamp_ns, pose) pairs as a TUM file, whole or not at all, and return how many there were.

    Args:
        header: a comment for the first line.
        force: whether an existing file may be replaced.

    Raises:
        DataError: the file is there and `force` is not set, or the folder cannot be written.
    """
    lines = [f"# {header}"] if header else []
    lines.append("# stamp_s x_m y_m z_m qx qy qz qw")
    comments = len(lines)
    for stamp_ns, pose in stamped:
        position_m, quat_xyzw = to_quaternion(pose)
        lines.append(" ".join([format_stamp_s(int(stamp_ns)),
                               *(repr(float(value)) for value in (*position_m, *quat_xyzw))]))
    with written_file(path, force) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines) - comments
