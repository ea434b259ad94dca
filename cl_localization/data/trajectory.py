"""Trajectories in TUM's text format, `stamp_s x y z qx qy qz qw` a line, and poses between their stamps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from cl_localization.data.atomic import written_file
from cl_localization.data.files import read_lines, to_float
from cl_localization.data.stamps import NS_PER_S, format_stamp_s, parse_stamp_s
from cl_localization.errors import DataError, GeometryError
from cl_localization.geometry.se3 import to_quaternion

WORDS_PER_LINE = 8
LEAST_QUATERNION = 1e-6
UNIT_WORDS = (("nanoseconds", 10**9), ("microseconds", 10**6), ("milliseconds", 10**3))


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
        nearest = nearest_index(self.stamps_ns, stamp_ns, max_hold_ns)
        if nearest is not None and self.stamps_ns[nearest] == stamp_ns:
            return self.poses[nearest].copy()
        after = int(np.searchsorted(self.stamps_ns, stamp_ns))
        before = after - 1
        if 0 < after < len(self.stamps_ns) and self.stamps_ns[after] - self.stamps_ns[before] <= max_gap_ns:
            span_ns = int(self.stamps_ns[after] - self.stamps_ns[before])
            return interpolated(self.poses[before], self.poses[after],
                                (stamp_ns - int(self.stamps_ns[before])) / span_ns)
        return None if nearest is None else self.poses[nearest].copy()


def interpolated(a_T_b: np.ndarray, a_T_c: np.ndarray, share: float) -> np.ndarray:
    """Return the pose (4, 4) that lies `share` of the way from the first to the second."""
    pose = np.eye(4)
    pose[:3, 3] = (1 - share) * a_T_b[:3, 3] + share * a_T_c[:3, 3]
    rotations = Rotation.from_matrix(np.stack([a_T_b[:3, :3], a_T_c[:3, :3]]))
    pose[:3, :3] = Slerp([0.0, 1.0], rotations)(share).as_matrix()
    return pose


def trajectory_of(stamped: Iterable[tuple[int, np.ndarray]]) -> Trajectory:
    """Return the trajectory of (stamp_ns, pose) pairs in any order; of equal stamps the first stays."""
    pairs = list(stamped)
    return make_trajectory(np.array([stamp_ns for stamp_ns, _ in pairs], np.int64),
                           np.array([pose for _, pose in pairs], float).reshape(-1, 4, 4))


def make_trajectory(stamps_ns: np.ndarray, poses: np.ndarray) -> Trajectory:
    """Return the trajectory of stamps (N,) int64 and poses (N, 4, 4) in any order; of equal stamps the first stays,
    and poses that are infinite or NaN are left out."""
    finite = np.isfinite(poses).all(axis=(1, 2))
    stamps_ns, first = np.unique(stamps_ns[finite], return_index=True)
    return Trajectory(stamps_ns, poses[finite][first])


def read_pose_lines(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the stamps (N,) int64 in nanoseconds and poses (N, 4, 4) of a TUM file, in the order of its lines; a pose
    with a number that is infinite or NaN is NaN.

    Raises:
        DataError: a line without eight numbers.
        GeometryError: a quaternion of length zero.
    """
    stamps_ns, values = stamped_table(read_lines(path), path, WORDS_PER_LINE, "stamp x y z qx qy qz qw")
    return stamps_ns, poses_of(values, f"file {path}")


def stamped_table(lines: list[str], path: Path, columns: int, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the stamps (N,) int64 in nanoseconds that begin lines of numbers, and the rest (N, columns - 1) float64.

    Args:
        rule: what a line must be, for the error.

    Raises:
        DataError: a line of another length, or with a word that is no number.
    """
    values = np.zeros((0, columns - 1))
    with suppress(ValueError):
        values = np.loadtxt(lines, comments=None, ndmin=2)[:, 1:] if lines else values
    if values.shape != (len(lines), columns - 1):
        values = np.array(list(_numbers(lines, path, columns, rule)))
    stamps_ns = [parse_stamp_s(line.split(maxsplit=1)[0], f"each line of {path}") for line in lines]
    return np.array(stamps_ns, np.int64), values


def _numbers(lines: list[str], path: Path, columns: int, rule: str) -> Iterator[list[float]]:
    """Yield the numbers after the first of each line, one by one, so that errors name them."""
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if len(words) != columns:
            raise DataError(f"pose {number} of {path}", f"must be: {rule}", f"{len(words)} words",
                            "write it in this format")
        yield [to_float(word, f"pose {number} of {path}") for word in words[1:]]


def poses_of(values: np.ndarray, thing: str) -> np.ndarray:
    """Return the poses (N, 4, 4) of rows x y z qx qy qz qw (N, 7), NaN where a number is infinite or NaN.

    Raises:
        GeometryError: a quaternion of length zero.
    """
    poses = np.tile(np.eye(4), (len(values), 1, 1))
    finite = np.isfinite(values).all(axis=1)
    lengths = np.linalg.norm(values[:, 3:], axis=1)
    if (lengths[finite] < LEAST_QUATERNION).any():
        number = int(np.flatnonzero(finite & (lengths < LEAST_QUATERNION))[0])
        raise GeometryError(f"quaternion {number + 1} of {thing}", "must not be zero", values[number, 3:],
                            "leave the line out, or write NaN")
    poses[~finite] = np.nan
    if finite.any():
        poses[finite, :3, :3] = Rotation.from_quat(values[finite, 3:]).as_matrix()
        poses[finite, :3, 3] = values[finite, :3]
    return poses


def read_trajectory(path: Path) -> Trajectory:
    """Return the trajectory in a TUM file, poses that are infinite or NaN left out. Raises as `read_pose_lines`."""
    return make_trajectory(*read_pose_lines(path))


def pose_at(poses: Trajectory | None, stamp_ns: int, max_gap_s: float, max_hold_s: float) -> np.ndarray | None:
    """Return the pose (4, 4) at a stamp as `Trajectory.at`, None without a trajectory."""
    return None if poses is None else poses.at(stamp_ns, round(max_gap_s * NS_PER_S), round(max_hold_s * NS_PER_S))


def stamps_apart(stamps_ns: Iterable[int], trajectory: Trajectory | None, source: object) -> list[str]:
    """Return a note when images and poses have no time in common, with both ranges and the likely unit; else none."""
    images_ns = np.array(list(stamps_ns), np.int64)
    if trajectory is None or not len(trajectory.stamps_ns) or not len(images_ns):
        return []
    poses_ns = trajectory.stamps_ns
    if poses_ns[0] <= images_ns.max() and images_ns.min() <= poses_ns[-1]:
        return []
    factor = max(abs(int(images_ns.max())), 1) / max(abs(int(poses_ns[-1])), 1)
    likely = next((f"; the poses' stamps look like {unit}, write seconds" for unit, of_second in UNIT_WORDS
                   if 0.5 < factor * of_second < 2 or 0.5 < factor / of_second < 2), "")
    return [(f"no image has a pose: images are stamped {format_stamp_s(int(images_ns.min()))} to "
            f"{format_stamp_s(int(images_ns.max()))} s, poses of {source} {format_stamp_s(int(poses_ns[0]))} to "
            f"{format_stamp_s(int(poses_ns[-1]))} s{likely}")]


def nearest_index(stamps_ns: np.ndarray, stamp_ns: int, max_difference_ns: int) -> int | None:
    """Return the index of the nearest of ascending stamps (N,) int64, None if it is further away than allowed."""
    if len(stamps_ns) == 0:
        return None
    after = int(np.searchsorted(stamps_ns, stamp_ns))
    candidates = [index for index in (after - 1, after) if 0 <= index < len(stamps_ns)]
    best = min(candidates, key=lambda index: abs(int(stamps_ns[index]) - stamp_ns))
    return best if abs(int(stamps_ns[best]) - stamp_ns) <= max_difference_ns else None


def write_trajectory(path: Path, stamped: Iterable[tuple[int, np.ndarray]], header: str = "") -> int:
    """Write (stamp_ns, pose) pairs as a TUM file, whole or not at all, and return how many there were.

    Args:
        header: a comment for the first line.

    Raises:
        DataError: the folder cannot be written.
    """
    lines = [f"# {header}"] if header else []
    lines.append("# stamp_s x_m y_m z_m qx qy qz qw")
    comments = len(lines)
    for stamp_ns, pose in stamped:
        position_m, quat_xyzw = to_quaternion(pose)
        lines.append(" ".join([format_stamp_s(int(stamp_ns)),
                               *(repr(float(value)) for value in (*position_m, *quat_xyzw))]))
    with written_file(path, force=True) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines) - comments
