"""The health of a map: figures that tell whether what was given with its images can be true, and warnings where not.

A map is wrong, and every pose in it looks right, when depth, camera or poses were read wrongly: errors then agree with
each other. But the images know better. `PairFigures` are what pairs of keyframes say, from which a map is judged; a map
from a file without them is judged by its codes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from scipy.special import chdtri

from cl_localization.localization.covariance_calibration import UNKNOWN
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.audit.readings import cause_of

MIN_PAIRS, MIN_RETURNS, MIN_KEYFRAMES = 8, 8, 10
"""Evidence below which nothing is said: pairs of neighbours, places seen again, keyframes."""

MIN_AGREE = 0.65
"""Share of the matches of two neighbours that must fit the given poses. Right maps: 0.74 (RedKitchen without depth,
whose images and poses are not synchronised) to 0.97."""

CLEARLY_BETTER = 0.06
"""Another reading of the poses, or another focal length, is the cause when more of the matches fit it, by this."""

DEPTH_RATIO = (0.87, 1.15)
"""Measured over triangulated depth. Right maps: 0.99 to 1.01; 1.04 with the steps and gaps of structured light
(simulated), as few pixels of parallax triangulate too near."""

MIN_RETURNS_AGREE = 0.8
"""See `PairFigures.returns_agree`. Right maps: 0.95 (terrace) and more; odometry that drifts by 6 %: 0.73."""

MAX_SEEN_ONCE_PERCENT = 95.0
"""Of codes, where too few pairs are known. Right maps: 12 to 32, but 90 where keyframes hardly overlap."""

MAX_POSE_INNOVATION_FACTOR = 1000.0
"""Right maps: 1 to 3 (simulated), 190 (RedKitchen), 280 (simulated, without depth). Of little use: most faults that
`pair_warnings` finds have less."""

MAX_MOVED_SHARE = 0.03
"""Distance by which bundle adjustment moved keyframes, as a share of the distance to what they see. Right maps: 0.004
to 0.008."""

MIN_REVISITS, MAX_OFF_SHARE, MAX_OFF_DEG = 4, 0.1, 5.0
"""New keyframes of an extended map are in another frame where so many show places of the map, and the median of these
is off by more than this share of the distance to what they see, or turned by more. Right maps: 0.01 and 0.7 deg
(RedKitchen), 0.015 and 0.9 deg (without depth), 0.001 and 0.04 deg (simulated)."""

QUANTILE, DEGREES_OF_FREEDOM = 0.9, 6
NO_ROWS = np.zeros(0, np.int64)


@dataclass(frozen=True)
class PairFigures:
    """What pairs of keyframes say of what was given with them; None where they say nothing.

    Attributes:
        pairs: of neighbours that show the same.
        agree: share of their matches that fit the given poses.
        best_reading, best_agree: the reading of the poses that fits best, and its share; see `readings`.
        focal_factor, focal_agree: factor of the focal length that fits best, and its share.
        error_px: median distance from epipolar lines [px of a 640 px wide image].
        depth_pairs, depth_ratio: of these, measured over triangulated depth.
        returns, returns_agree: places seen again, and the share of their matches that fits the given poses within three
            times as many pixels as those of neighbours, in the worst quarter of them.
    """

    pairs: int = 0
    agree: float | None = None
    best_reading: str = "given"
    best_agree: float | None = None
    focal_factor: float | None = None
    focal_agree: float | None = None
    error_px: float | None = None
    depth_pairs: int = 0
    depth_ratio: float | None = None
    returns: int = 0
    returns_agree: float | None = None


@dataclass(frozen=True)
class Moved:
    """How far bundle adjustment moved keyframes from their given poses: medians, in metres, and as a share of the
    distance to what they see."""

    median_m: float = 0.0
    median_share: float = 0.0


@dataclass(frozen=True)
class OtherFrame:
    """How far poses given with new keyframes are from where a map shows them to be.

    Attributes:
        revisits: new keyframes that show places that the map had when it was loaded.
        off_m, off_deg, off_share: medians over these: distance, angle, and distance as a share of that to what they
            see.
    """

    revisits: int = 0
    off_m: float = 0.0
    off_deg: float = 0.0
    off_share: float = 0.0


@dataclass(frozen=True)
class MapHealth:
    """What is known of a map's truth; None where there is not enough evidence.

    Attributes:
        warnings: what is wrong with it, one sentence each, with the likely causes; empty for nothing.
        codes_seen_once_percent: share of codes that no second keyframe has confirmed.
        pose_innovation_factor: squared distance of given poses from what the map says of them, over its expectation
            where errors of matches are independent; 90 % of the keyframes are below what it stands for.
        keyframes_moved_m: median distance by which bundle adjustment moved keyframes from their given poses.
        matches_agree_percent, places_again_agree_percent: see `PairFigures.agree`, `.returns_agree`.
        epipolar_error_px: see `PairFigures.error_px`.
        depth_over_triangulated: see `PairFigures.depth_ratio`.
        keyframe_pairs, places_again: how many there were.
        scenes_without_scale: names of the scenes whose unit of length is unknown: nothing told how long a metre is.
        unjoined_parts: see `unjoined_parts`.
    """

    warnings: tuple[str, ...] = ()
    codes_seen_once_percent: float | None = None
    pose_innovation_factor: float | None = None
    keyframes_moved_m: float | None = None
    matches_agree_percent: float | None = None
    epipolar_error_px: float | None = None
    depth_over_triangulated: float | None = None
    places_again_agree_percent: float | None = None
    keyframe_pairs: int = 0
    places_again: int = 0
    scenes_without_scale: tuple[str, ...] = ()
    unjoined_parts: dict[str, int] = field(default_factory=dict)

    @property
    def scenes_apart(self) -> set[str]:
        """Names of the scenes that are parts of their own, not joined to the first part."""
        return set(list(self.unjoined_parts)[1:])

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {**asdict(self), "warnings": list(self.warnings),
                "scenes_without_scale": list(self.scenes_without_scale)}


def map_health(map_code: MapCode, pairs: PairFigures = PairFigures(), moved: Moved | None = None,
               several: np.ndarray = NO_ROWS, earlier_warnings: tuple[str, ...] = (),
               without_scale: Iterable[str] = (), other_frame: OtherFrame = OtherFrame(),
               apart: Collection[str] = ()) -> MapHealth:
    """Return the health of a map.

    Args:
        pairs: what pairs of its keyframes say; by default nothing.
        moved: how far its keyframes were moved; None where that is not known.
        several: see `codes_seen_once_percent`.
        earlier_warnings: those of the map that this one extends.
        without_scale: see `MapHealth.scenes_without_scale`.
        other_frame: how far its new keyframes are from where the map that was loaded shows them.
        apart: see `unjoined_parts`.
    """
    once_percent, factor = codes_seen_once_percent(map_code, several), pose_innovation_factor(map_code)
    scenes, parts = tuple(sorted(without_scale)), unjoined_parts(map_code, apart)
    found = (*scale_warnings(scenes), *part_warnings(parts), *frame_warnings(other_frame), *pair_warnings(pairs),
             *map_warnings(once_percent, factor, moved, pairs.pairs))
    return MapHealth(
        warnings=tuple(dict.fromkeys((*earlier_warnings, *found))), codes_seen_once_percent=once_percent,
        pose_innovation_factor=factor, keyframes_moved_m=None if moved is None else moved.median_m,
        matches_agree_percent=_percent(pairs.agree), epipolar_error_px=pairs.error_px,
        depth_over_triangulated=pairs.depth_ratio, places_again_agree_percent=_percent(pairs.returns_agree),
        keyframe_pairs=pairs.pairs, places_again=pairs.returns,
        scenes_without_scale=scenes, unjoined_parts=parts)


def noted_health(map_code: MapCode) -> MapHealth:
    """Return the health of a map as its mapper noted it, else, as in older files, what its codes and keyframes tell."""
    try:
        return MapHealth(**{**map_code.health, "warnings": tuple(map(str, map_code.health["warnings"])),
                            "scenes_without_scale": tuple(map(str, map_code.health.get("scenes_without_scale", ()))),
                            "unjoined_parts": dict(map_code.health.get("unjoined_parts", {}))})
    except (KeyError, TypeError, ValueError):
        return map_health(map_code)


def unjoined_parts(map_code: MapCode, apart: Collection[str]) -> dict[str, int]:
    """Return the names and keyframes of the parts of a map that have coordinate frames of their own, the one with all
    scenes that share a frame first; empty where the map is one part.

    Args:
        apart: names of the scenes that own poses began beside others; those joined to others have no keyframes.
    """
    table = map_code.keyframes
    numbers, counts = np.unique(table["keyframe_scenes"][table.rows()], return_counts=True)
    keyframes = {map_code.scene_names[number]: int(count) for number, count in zip(numbers, counts)}
    shared = [name for name in keyframes if name not in apart]
    parts = {", ".join(shared): sum(map(keyframes.__getitem__, shared))} if shared else {}
    parts |= {name: count for name, count in keyframes.items() if name in apart}
    return parts if len(parts) > 1 else {}


def codes_seen_once_percent(map_code: MapCode, several: np.ndarray) -> float | None:
    """Return the share of codes that only one keyframe has shown; None where there are too few keyframes.

    Args:
        several: rows of codes that several keyframes show, though the map does not count it: triangulated ones.
    """
    rows = map_code.codes.rows()
    once = rows[map_code.codes["seen"][rows] == 1]
    all_triangulated = len(once) == len(rows) and len(several) == 0
    if len(map_code.keyframes) < MIN_KEYFRAMES or all_triangulated:
        return None
    return 100.0 * float(np.count_nonzero(~np.isin(once, several))) / len(rows)


def pose_innovation_factor(map_code: MapCode) -> float | None:
    """Return the factor that puts 90 % of the given poses inside their ellipsoids; None where too few are known."""
    factors = map_code.keyframes["keyframe_variance_factors"][map_code.keyframes.rows()]
    known = factors[factors > UNKNOWN].astype(np.float64)
    if len(known) < MIN_KEYFRAMES:
        return None
    return DEGREES_OF_FREEDOM * float(np.quantile(known, QUANTILE)) / float(chdtri(DEGREES_OF_FREEDOM, 1 - QUANTILE))


def scale_warnings(scenes: tuple[str, ...]) -> tuple[str, ...]:
    """Return that lengths in some scenes are in no known unit."""
    if not scenes:
        return ()
    said = (f"the scale of {', '.join(scenes)} is unknown, lengths there are not in metres: it was mapped by a camera "
            "alone; give odometry or depth from the start")
    return (said,)


def part_warnings(parts: dict[str, int]) -> tuple[str, ...]:
    """Return that parts of the map are not joined."""
    if not parts:
        return ()
    listed = "; ".join(f"{name} ({count} keyframes)" for name, count in parts.items())
    said = (f"the map is in {len(parts)} parts that are not joined, each in a coordinate frame of its own: {listed}. "
            "The camera was lost, or began elsewhere; lead it from one part well into the other (in one run, or map "
            "--poses self --update), or map again")
    return (said,)


def part_problem(map_code: MapCode, scene: str) -> str:
    """Return that poses in a scene are in a coordinate frame of its own, by the health noted in a map; empty if they
    are in that of the first part, or nothing is noted."""
    parts = list(noted_health(map_code).unjoined_parts) if map_code.health else []
    if scene not in parts[1:]:
        return ""
    return (f"localized in {scene}, a part of the map that is not joined to {parts[0]}: its poses are in a coordinate "
            "frame of its own")


def frame_warnings(other_frame: OtherFrame) -> tuple[str, ...]:
    """Return that the poses of what was added to a map are in another frame than the map."""
    is_same = other_frame.off_share <= MAX_OFF_SHARE and other_frame.off_deg <= MAX_OFF_DEG
    if other_frame.revisits < MIN_REVISITS or is_same:
        return ()
    said = (f"the poses of what was added contradict those of the map by {other_frame.off_m:.2g} m, "
            f"{other_frame.off_deg:.0f} deg where both show the same: they are in another frame, and what was added "
            "lies wrongly. Go back to the map before, and give poses in its frame, have the map find them (map --poses "
            "self --update), or map into a scene of its own (--scene NAME)")
    return (said,)


def pair_warnings(pairs: PairFigures) -> list[str]:
    """Return what pairs of keyframes hold against the poses, the focal length and the depth given with them."""
    if pairs.pairs < MIN_PAIRS or pairs.agree is None or pairs.best_agree is None or pairs.focal_agree is None:
        return []
    fit = f"only {100 * pairs.agree:.0f} % of what neighbouring images have in common fits the given poses"
    causes = ("the calibration (focal length, principal point, distortion), the convention of the poses (axes, "
              "camera-to-world, order of quaternions), the frames of image and odometry, stamps, and drift")
    factor = (f"but {100 * pairs.focal_agree:.0f} % with {pairs.focal_factor:.2f} times the focal length: check the "
              "focal length (is it that of this camera and image size?), or whether the poses are of the camera and "
              "not of another frame")
    if pairs.best_agree > pairs.agree + CLEARLY_BETTER:
        return [f"{fit}, but {100 * pairs.best_agree:.0f} % in another reading: {cause_of(pairs.best_reading)}"]
    if pairs.focal_agree > pairs.agree + CLEARLY_BETTER:
        return [f"{fit}, {factor}"]
    if pairs.agree < MIN_AGREE:
        return [f"{fit}: check {causes}"]
    return [*depth_warnings(pairs), *return_warnings(pairs)]


def depth_warnings(pairs: PairFigures) -> list[str]:
    """Return what is wrong with measured depth, where images and poses agree."""
    low, high = DEPTH_RATIO
    if pairs.depth_pairs < MIN_PAIRS or pairs.depth_ratio is None or low <= pairs.depth_ratio <= high:
        return []
    causes = "the unit of the depth (depth_unit_m), the unit or scale of the poses, and that depth is registered"
    said = f"measured depth is {pairs.depth_ratio:.2g} times what images and given poses triangulate to"
    return [f"{said}: check {causes}"]


def return_warnings(pairs: PairFigures) -> list[str]:
    """Return whether poses drift: neighbours agree with them, places seen again do not."""
    if pairs.returns < MIN_RETURNS or pairs.returns_agree is None:
        return []
    if pairs.returns_agree >= MIN_RETURNS_AGREE:
        return []
    causes = ("the poses drift, or several recordings lie in different frames; poses from elsewhere are corrected by a "
              "SLAM (map --poses self), own ones (--poses self, poses.source self) by showing those places again from "
              "where they were seen first")
    said = (f"in the worst quarter of the places that were seen again, at most {100 * pairs.returns_agree:.0f} % of "
            "what the images have in common is near where the given poses have it")
    return [f"{said}: {causes}"]


def map_warnings(once_percent: float | None, factor: float | None, moved: Moved | None, pairs: int) -> list[str]:
    """Return what the map itself holds against what it was given."""
    causes = ("check the unit of depth, the focal length, the convention of the poses (axes, camera-to-world, order "
              "of quaternions), and the frames of image and odometry")
    found = []
    if once_percent is not None and once_percent > MAX_SEEN_ONCE_PERCENT and pairs < MIN_PAIRS:
        found.append(f"{once_percent:.0f} % of the codes were seen by one keyframe only: keyframes hardly overlap, or "
                     f"{causes}")
    if factor is not None and factor > MAX_POSE_INNOVATION_FACTOR:
        found.append(f"given poses differ from the map by {factor:.0f} times the variance of its matches: {causes}")
    if moved is not None and moved.median_share > MAX_MOVED_SHARE:
        found.append(f"bundle adjustment moved keyframes by {moved.median_m:.3g} m, "
                     f"{100 * moved.median_share:.0f} % of the distance to what they see: {causes}")
    return found


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share
