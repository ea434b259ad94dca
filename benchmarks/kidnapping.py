"""A robot that is carried away again and again: how soon the tracker knows where it is, and whether it ever trusts a
wrong pose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.following import TrackedImages
from cl_localization.config import TrackerConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame, Sequence
from cl_localization.data.sequence import select
from cl_localization.data.stamps import NS_PER_S
from cl_localization.evaluation.records import is_wrong
from cl_localization.geometry.se3 import inverse, pose_error
from cl_localization.tracking.tracker import Tracker

if TYPE_CHECKING:
    from cl_localization.localization.result import Localization
from cl_localization.localizer import Localizer

START_NS = 1000 * NS_PER_S

IMAGES_HZ = 10.0
WAY_S_A_ROOM = 15.0

IN_TIME_S = 1.0
"""A kidnapping is recovered in time when a right pose is trusted for an image taken this soon after the first at the
new place."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the localizer found in one image.

    Attributes:
        place: number of the stretch that the robot was carried to.
        world_T_cam: (4, 4) truth.
        odom_T_cam: (4, 4) odometry, which knows nothing of the carrying; None without.
    """

    place: int
    found: Localization
    world_T_cam: np.ndarray
    odom_T_cam: np.ndarray | None


@dataclass(frozen=True)
class KidnapSummary:
    """What came of all kidnappings.

    Attributes:
        kidnappings, images: places the robot was carried to, and images that were looked at.
        in_time: kidnappings recovered within `IN_TIME_S` of images.
        wrong: trusted poses that are wrong.
        median_s, longest_s: time to recover, over those that were recovered at all; None without any.
    """

    kidnappings: int
    images: int
    in_time: int
    wrong: int
    median_s: float | None
    longest_s: float | None


def stretches(seed: int, rooms: int, count: int, frames: int, hz: float = IMAGES_HZ) -> Iterator[Sequence]:
    """Yield short stretches at random places of all rooms of a simulated house, `hz` images a second.

    Every other one is a slow motion about a place off the mapped path, those between are parts of a way driven at half
    a metre a second.
    """
    house = f"sim:{seed}?rooms={rooms}&hz={hz:g}"
    way = open_sequence(f"{house}&path=tracking&frames={round(WAY_S_A_ROOM * rooms * hz)}")
    random = np.random.default_rng([seed, count])
    for number in range(count):
        if number % 2:
            start = int(random.integers(len(way) - frames))
            yield select(way, range(start, start + frames))
        else:
            yield open_sequence(f"{house}&path=kidnap&place={number // 2}&frames={frames}")


def carried(stretches: Iterable[Sequence], period_s: float, odometry: bool = True) -> Iterator[tuple[int, Frame]]:
    """Yield the frames of all stretches with the number of theirs, as one robot would record them that is carried from
    each to the next.

    Stamps go on evenly, and the odometry, if the robot has any, goes on from where it was: the wheels do not turn while
    the robot is carried.
    """
    stamp_ns, odom_T_cam = START_NS, np.eye(4)
    for place, stretch in enumerate(stretches):
        correction = None
        for frame in stretch:
            stamp_ns += round(period_s * NS_PER_S)
            if frame.odom_T_cam is not None:
                correction = odom_T_cam @ inverse(frame.odom_T_cam) if correction is None else correction
                odom_T_cam = correction @ frame.odom_T_cam
                frame = replace(frame, odom_T_cam=odom_T_cam if odometry else None)
            yield place, replace(frame, stamp_ns=stamp_ns)


def look(localizer: Localizer, frames: Iterable[tuple[int, Frame]]) -> list[Seen]:
    """Localize frames, each on its own; what the tracker makes of them is `judged` later, with any config."""
    return [Seen(place, localizer.localize(frame), frame.world_T_cam, frame.odom_T_cam) for place, frame in frames]


def judged(seen: list[Seen], config: TrackerConfig, every: int = 1) -> KidnapSummary:
    """Track what was seen and return what came of it.

    Args:
        every: only one image of so many is looked at, as on a slow machine.
    """
    tracker, looked_at = Tracker(config), seen[::every]
    trusted = [(image.place, image.found, image.world_T_cam) for image in looked_at
               if tracker.update(image.found, image.odom_T_cam).trusted]
    began_ns: dict[int, int] = {}
    for image in seen:
        began_ns.setdefault(image.place, image.found.stamp_ns)
    return summarized(trusted, began_ns, len(looked_at))


def followed(localizer: Localizer, frames: Iterable[tuple[int, Frame]], config: TrackerConfig,
             look_s: float) -> KidnapSummary:
    """Track frames with flow between full localizations, which take `look_s` seconds; return what came of it."""
    began_ns: dict[int, int] = {}
    places: dict[int, int] = {}
    run = TrackedImages(localizer.localize, look_s, tracker=config)
    for place, frame in frames:
        places[frame.stamp_ns] = place
        began_ns.setdefault(place, frame.stamp_ns)
        run.show(frame)
    return summarized([(places[answer.found.stamp_ns], answer.found, answer.true_world_T_cam)
                       for answer in run.finish() if answer.trusted], began_ns, len(places))


def summarized(trusted: Iterable[tuple[int, Localization, np.ndarray]], began_ns: dict[int, int],
               images: int) -> KidnapSummary:
    """Return what came of kidnappings.

    Args:
        trusted: place, pose and true pose of each image whose pose was trusted, in order.
        began_ns: timestamp of the first image by place.
        images: that were looked at.
    """
    recovered_s: dict[int, float] = {}
    wrong = 0
    for place, found, true_world_T_cam in trusted:
        if is_wrong(*pose_error(found.world_T_cam, true_world_T_cam)):
            wrong += 1
        else:
            recovered_s.setdefault(place, (found.stamp_ns - began_ns[place]) / NS_PER_S)
    times_s = list(recovered_s.values())
    return KidnapSummary(len(began_ns), images, sum(time_s < IN_TIME_S for time_s in times_s), wrong,
                         float(np.median(times_s)) if times_s else None, max(times_s, default=None))
