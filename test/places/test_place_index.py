from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import PlaceIndexConfig
from cl_localization.errors import DataError
from cl_localization.places import place_index
from cl_localization.places.place_index import Place, PlaceIndex

WIDTH = 24


def route(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)


def index(rooms: dict[str, np.ndarray], **options: object) -> PlaceIndex:
    """An index of rooms; keyframes are numbered on from 0."""
    made = PlaceIndex(WIDTH, PlaceIndexConfig(**options))
    for scene, descriptors in rooms.items():
        made.add(descriptors, scene, list(range(len(made), len(made) + len(descriptors))))
    return made


def drive(made: PlaceIndex, descriptors: np.ndarray, noise: float, seed: int = 5) -> list[Place]:
    """The best place after each image of a drive."""
    rng = np.random.default_rng(seed)
    return [made.query(one + noise * rng.normal(size=WIDTH))[0] for one in descriptors]


def right_share(found: list[Place], expected: np.ndarray) -> float:
    return float(np.mean([abs(place.keyframe_id - number) <= 1 for place, number in zip(found, expected)]))


def test_the_scene_and_the_keyframe_are_found() -> None:
    made = index({"kitchen": route(50, 1), "hall": route(40, 2)})
    found = drive(made, route(40, 2)[10:30], noise=0.3)
    assert {place.scene for place in found} == {"hall"} and right_share(found, 50 + np.arange(10, 30)) == 1.0
    assert 0.5 < found[-1].score <= 1.0 and found[-1].distance < 1.0


def test_a_sequence_finds_what_an_image_does_not() -> None:
    rooms, seen = {"hall": route(300, 2)}, route(300, 2)[50:250]
    shares = [right_share(drive(index(rooms, sequence_length=length), seen, noise=2.0), np.arange(50, 250))
              for length in (1, 10)]
    assert shares[0] < 0.6 and shares[1] > 0.9


@pytest.mark.parametrize("ratio", [0.6, 1.4])
def test_a_drive_at_another_speed_is_followed(ratio: float) -> None:
    passed = np.floor(20 + ratio * np.arange(100)).astype(int)
    found = drive(index({"hall": route(300, 2)}), route(300, 2)[passed], noise=1.0)
    assert right_share(found[5:], passed[5:]) > 0.9


def test_evicted_keyframes_are_not_found_and_their_neighbours_still_are() -> None:
    made = index({"hall": route(100, 2)})
    for number in range(0, 100, 2):
        made.remove(number)
    found = drive(made, route(100, 2)[20:60], noise=0.3)
    assert len(made) == 50 and all(place.keyframe_id % 2 == 1 for place in found)
    assert right_share(found[5:], np.arange(25, 60)) > 0.9


def test_keyframes_can_come_while_places_are_searched() -> None:
    made, descriptors = PlaceIndex(WIDTH), route(60, 3)
    assert made.query(descriptors[0]) == []
    for number, one in enumerate(descriptors):
        made.add(one[None], "hall", [number])
        assert made.query(one)[0].keyframe_id == number


def test_positions_are_numbered_anew_when_most_are_empty(monkeypatch) -> None:
    monkeypatch.setattr(place_index, "MIN_RENUMBERED", 10)
    made = index({"kitchen": route(50, 1), "hall": route(40, 2)})
    for number in [*range(30), *range(50, 75)]:
        made.remove(number)
    assert made._end < 90 and len(made) == 35
    found = drive(made, route(40, 2)[27:40], noise=0.1)
    assert right_share(found, np.arange(77, 90)) == 1.0 and found[0].scene == "hall"


def test_images_that_follow_too_closely_change_nothing() -> None:
    made, seen = index({"hall": route(50, 2)}, min_travel_m=0.5), route(50, 2)
    first = made.query(seen[20], travelled_m=0.0)
    assert made.query(seen[40], travelled_m=0.2) == first and made.query(seen[40], travelled_m=0.2) == first
    assert made.query(seen[21], travelled_m=0.2)[0].keyframe_id == 21


def test_places_are_apart_and_ordered() -> None:
    found = index({"hall": route(200, 2)}, places=8).query(route(200, 2)[30])
    numbers = [place.keyframe_id for place in found]
    assert len(found) == 8 and [place.distance for place in found] == sorted(place.distance for place in found)
    assert all(abs(one - other) >= 3 for row, one in enumerate(numbers) for other in numbers[:row])


@pytest.mark.parametrize("descriptor, message", [
    (np.ones(WIDTH + 1), "descriptors of the place index must be 24 numbers wide, found 25"),
    (np.full(WIDTH, np.nan), "descriptors of the place index must be finite")])
def test_descriptors_of_another_kind_are_refused(descriptor: np.ndarray, message: str) -> None:
    made = index({"hall": route(5, 2)})
    with pytest.raises(DataError, match=message):
        made.query(descriptor)
    with pytest.raises(DataError, match=message):
        made.add(descriptor[None], "hall", [9])


def test_keyframes_are_added_once_and_removed_once() -> None:
    made = index({"hall": route(5, 2)})
    with pytest.raises(DataError, match="keyframe ids must be new and one for each descriptor, found 3; remove the old "
                                        "keyframe first"):
        made.add(np.ones((1, WIDTH)), "hall", [3])
    made.remove(3)
    with pytest.raises(DataError, match="keyframe 3 must be in the index, found 4 others"):
        made.remove(3)
