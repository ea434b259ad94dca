"""Maps that follow one another: deltas from any version, and all that a damaged one must not do."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cl_localization.config import MapCodeConfig
from cl_localization.errors import MapError
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.map.map_delta import KEYFRAME_TYPES, ROW_TYPES, MapDelta
from cl_localization.map.table import Table
from core_makers import motion, unit_vectors
from map_makers import DIM, assert_same_map, empty_map, grow

CONFIG = MapCodeConfig()


def followed(leader: MapCode) -> MapCode:
    return MapCode.from_snapshot(leader.delta_since(0), CONFIG)


def grown(times: int = 3) -> MapCode:
    leader = empty_map()
    for _ in range(times):
        grow(leader)
    return leader


def test_a_snapshot_is_the_whole_map():
    leader = grown()
    delta = leader.delta_since(0)
    assert (delta.base_version, delta.version, len(delta.ids), len(delta.keyframe_ids)) == (0, leader.version, 15, 3)
    assert_same_map(followed(leader), leader)


def test_a_snapshot_of_an_empty_map_is_a_map():
    empty = empty_map()
    copy_of_empty = followed(empty)
    assert (len(copy_of_empty), copy_of_empty.map_id, copy_of_empty.version) == (0, empty.map_id, 0)


def test_a_delta_holds_only_what_changed():
    leader = grown()
    version = leader.version
    grow(leader, count=2)
    delta = leader.delta_since(version)
    assert (delta.base_version, delta.version) == (version, leader.version)
    assert (len(delta.ids), len(delta.keyframe_ids)) == (2, 1)


def test_a_follower_that_missed_versions_gets_there_in_one_step():
    leader = grown(1)
    follower = followed(leader)
    for _ in range(5):
        grow(leader)
    leader.remove(leader.codes.rows()[::3])
    follower.apply(leader.delta_since(follower.version))
    assert_same_map(follower, leader)


def test_a_delta_that_begins_before_the_followers_version_brings_it_up_too():
    leader = grown(1)
    early = leader.version
    grow(leader)
    follower = followed(leader)
    leader.remove(leader.codes.rows()[:4])
    grow(leader)
    follower.apply(leader.delta_since(early))
    assert_same_map(follower, leader)


@pytest.mark.parametrize("version", [99, -5])
def test_a_version_the_map_never_had_gives_a_snapshot(version):
    leader = grown()
    assert leader.delta_since(version).base_version == 0


def test_a_copy_gives_deltas_only_as_far_back_as_it_knows():
    leader = grown(2)
    early = leader.version
    grow(leader)
    follower = followed(leader)
    assert follower.delta_since(early).base_version == 0
    grow(leader)
    middle = follower.version
    follower.apply(leader.delta_since(middle))
    assert follower.delta_since(middle).base_version == middle


def test_the_columns_of_a_delta_are_those_of_the_tables():
    arrays = grown().delta_since(0).arrays()
    assert set(arrays) == {"ids", "removed_ids", "keyframe_ids", "removed_keyframe_ids", *ROW_TYPES, *KEYFRAME_TYPES}
    assert all(arrays[name].dtype == kind for name, (kind, _) in (ROW_TYPES | KEYFRAME_TYPES).items())


def test_a_delta_is_a_copy_and_not_a_window():
    leader = grown()
    delta = leader.delta_since(0)
    before = delta.positions_m.copy()
    leader.move(leader.codes.rows(), np.zeros((15, 3)), np.ones(15))
    np.testing.assert_array_equal(delta.positions_m, before)


def refused(follower: MapCode, delta: MapDelta, match: str) -> None:
    """Check that a delta is refused and that the follower is as it was."""
    before, size = followed(follower), len(follower.codes.live)
    with pytest.raises(MapError, match=match):
        follower.apply(delta)
    assert_same_map(follower, before)
    assert len(follower.codes.live) == size


def test_poses_that_were_read_before_are_not_those_after_another_snapshot_of_the_same_version():
    leader = grown()
    follower = followed(leader)
    before = follower.keyframe_world_T_cam.copy()
    delta = leader.delta_since(0)
    delta.keyframe_poses[:, 0] += 1.0
    follower.apply(delta)
    np.testing.assert_allclose(follower.keyframe_world_T_cam[:, 0, 3], before[:, 0, 3] + 1.0)


def test_a_copy_has_the_version_of_a_delta_only_once_it_holds_all_of_it(monkeypatch):
    leader, put, seen = grown(1), Table.put, []
    follower = followed(leader)
    grow(leader)
    monkeypatch.setattr(Table, "put", lambda *a, **b: (seen.append(follower.version < leader.version), put(*a, **b)))
    follower.apply(leader.delta_since(follower.version))
    assert seen == [True, True] and follower.version == leader.version


def test_a_delta_of_another_map_is_refused():
    refused(grown(), grown().delta_since(0), "map code delta must belong to map .* of xfeat, found .*use a snapshot")


def test_a_delta_of_another_encoder_is_refused():
    leader = grown()
    delta = leader.delta_since(0)
    delta.encoder = "dinov2_small"
    refused(followed(leader), delta, "must belong to map .* of xfeat, found .* of dinov2_small")


def test_a_delta_with_other_dimensions_is_refused():
    leader = grown()
    delta = leader.delta_since(0)
    delta.dim = 3
    refused(followed(leader), delta, "must belong to map")


def test_a_delta_that_begins_later_is_refused():
    leader = grown(1)
    follower = followed(leader)
    grow(leader)
    missed = leader.version
    grow(leader)
    refused(follower, leader.delta_since(missed),
            "map code delta must start at version 2 or before, found 4; a message was lost")


def test_a_delta_that_ends_before_the_followers_version_is_refused():
    leader = grown(1)
    version = leader.version
    grow(leader)
    stale = leader.delta_since(version)
    leader.remove(leader.codes.rows()[:4])
    refused(followed(leader), stale, "map code delta must")


def test_a_delta_is_no_map_to_begin_with():
    leader = grown(1)
    version = leader.version
    grow(leader)
    with pytest.raises(MapError, match=f"map code must be a snapshot .base version 0., found base version {version}"):
        MapCode.from_snapshot(leader.delta_since(version), CONFIG)


def with_column(delta: MapDelta, name: str, values: np.ndarray) -> MapDelta:
    changed = copy.copy(delta)
    setattr(changed, name, values)
    return changed


def poked(values: np.ndarray, value: object) -> np.ndarray:
    """Return a copy whose last entry is another."""
    changed = values.copy()
    changed.reshape(-1)[-1] = value
    return changed


COLUMNS = [*ROW_TYPES, *KEYFRAME_TYPES]
IDS = ["ids", "removed_ids", "keyframe_ids", "removed_keyframe_ids"]


@pytest.mark.parametrize(("spoil", "rule"), [
    pytest.param(lambda column: column[:-1], "must be .* of shape", id="too short"),
    pytest.param(lambda column: column.astype(np.complex64), "must be", id="another type"),
    pytest.param(lambda column: np.repeat(column[..., None], 2, axis=-1), "must be", id="another width")])
def test_any_column_that_does_not_fit_is_refused(spoil, rule):
    leader = grown()
    for name in COLUMNS:
        delta = leader.delta_since(0)
        refused(followed(leader), with_column(delta, name, spoil(getattr(delta, name))),
                f"map code column {name} {rule}")


@pytest.mark.parametrize("name", ["positions_m", "sigmas_m", "keyframe_poses"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(name, value):
    leader = grown()
    delta = leader.delta_since(0)
    refused(followed(leader), with_column(delta, name, poked(getattr(delta, name), value)),
            f"map code column {name} must be finite")


@pytest.mark.parametrize("name", IDS)
def test_a_number_that_would_claim_much_memory_is_refused(name):
    leader = grown()
    delta = leader.delta_since(0)
    huge = np.append(getattr(delta, name), np.uint32(4_000_000_000))[-max(1, len(getattr(delta, name))):]
    refused(followed(leader), with_column(delta, name, huge.astype(np.uint32)),
            f"map code {name} must not exceed .*damaged")


def test_high_numbers_of_few_codes_are_no_damage():
    leader = empty_map()
    grow(leader, count=3000)
    leader.remove(leader.codes.rows()[:-5])
    assert_same_map(followed(leader), leader)


@pytest.mark.parametrize("spoil", [lambda ids: ids.astype(np.float32), lambda ids: ids.astype(np.int64),
                                   lambda ids: ids[None]], ids=["floats", "signed", "a grid"])
def test_numbers_of_another_type_or_in_a_grid_are_refused(spoil):
    leader = grown()
    for name in IDS:
        delta = leader.delta_since(0)
        refused(followed(leader), with_column(delta, name, spoil(getattr(delta, name))),
                f"map code column {name} must be uint32")


@pytest.mark.parametrize("name", ["scenes", "keyframe_scenes"])
def test_a_scene_without_a_name_is_refused(name):
    leader = grown()
    delta = leader.delta_since(0)
    refused(followed(leader), with_column(delta, name, poked(getattr(delta, name), 9)),
            "map code scenes must be below 1, found 9")


@pytest.mark.parametrize("sigma_m", [0.0, -0.1])
def test_a_sigma_that_is_not_positive_is_refused(sigma_m):
    leader = grown()
    delta = leader.delta_since(0)
    refused(followed(leader), with_column(delta, "sigmas_m", poked(delta.sigmas_m, sigma_m)),
            "map code sigmas_m must be positive")


def test_a_quaternion_without_unit_length_is_refused():
    leader = grown()
    delta = leader.delta_since(0)
    refused(followed(leader), with_column(delta, "keyframe_poses", poked(delta.keyframe_poses, 3.0)),
            "map code keyframe_poses must hold unit quaternions")


def test_a_variance_factor_below_zero_is_refused():
    leader = grown()
    delta = leader.delta_since(0)
    refused(followed(leader), with_column(delta, "keyframe_variance_factors",
                                          poked(delta.keyframe_variance_factors, -1.0)),
            "map code keyframe_variance_factors must not be negative")


def test_an_anchor_that_is_no_keyframe_is_refused():
    leader = grown()
    delta = leader.delta_since(0)
    refused(followed(leader), with_column(delta, "anchors", poked(delta.anchors, 77)),
            "map code anchors must be keyframes of the map")


@pytest.mark.parametrize("cell_size_m", [0.0, -1.0, float("nan"), float("inf")])
def test_a_cell_without_a_size_is_refused(cell_size_m):
    leader = grown()
    delta = leader.delta_since(0)
    delta.cell_size_m = cell_size_m
    refused(followed(leader), delta, "map code cell_size_m must be positive")


def test_a_version_that_does_not_grow_is_refused():
    leader = grown()
    follower = followed(leader)
    delta = leader.delta_since(leader.version - 1)
    delta.version = delta.base_version
    refused(follower, delta, "map code")


@pytest.mark.parametrize(("name", "value"), [
    ("map_id", 7), ("encoder", None), ("dim", "8"), ("frame_id", ["map"]), ("cell_size_m", "0.02"), ("version", 4.0),
    ("version", -1), ("version", 2**64), ("base_version", None), ("scene_names", 3), ("scene_names", "kitchen")])
def test_scalars_of_another_kind_are_refused(name, value):
    delta = grown().delta_since(0)
    setattr(delta, name, value)
    with pytest.raises(MapError, match=f"map code {name} must be a"):
        delta.validate(100)


def test_scene_names_that_are_no_texts_are_refused():
    delta = grown().delta_since(0)
    delta.scene_names = [None]
    with pytest.raises(MapError, match="map code scene_names must be strings"):
        delta.validate(100)


def test_a_damaged_snapshot_makes_no_map():
    delta = grown().delta_since(0)
    delta.dim = -8
    with pytest.raises(MapError, match="map code dim must be"):
        MapCode.from_snapshot(delta, CONFIG)


class FollowedMap(RuleBasedStateMachine):
    """A map that changes in all ways, and a follower that hears of it now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.random = np.random.default_rng(0)
        self.leader = MapCode(MapCodeConfig(cell_size_m=0.5, modes_per_cell=3, budget_mb=0.01), "xfeat", DIM)
        self.follower = followed(self.leader)
        self.versions = [0]

    def _new(self, count: int) -> NewCodes:
        positions_m = self.random.uniform(-3, 3, (count, 3)).astype(np.float32)
        return NewCodes(unit_vectors(self.random, count, DIM), positions_m, np.full(count, 0.01, np.float32))

    def _some(self, count: int) -> np.ndarray:
        rows = self.leader.codes.rows()
        return self.random.permutation(rows)[:count]

    @rule(count=st.integers(0, 80), scene=st.sampled_from(["hall", "kitchen"]))
    def insert(self, count, scene):
        world_T_cam = motion(self.random.normal(size=3), self.random.normal(size=3))
        frame = self.leader.add_keyframe(world_T_cam, int(self.random.integers(10**15)),
                                         self.leader.scene_number(scene))
        self.leader.insert(self._new(count), frame)

    @precondition(lambda self: len(self.leader.keyframes))
    @rule(count=st.integers(1, 20))
    def merge(self, count):
        rows = self._some(count)
        self.leader.merge(rows, self._new(len(rows)), int(self.leader.keyframes.rows()[-1]))

    @rule(count=st.integers(0, 10))
    def remove(self, count):
        self.leader.remove(self._some(count))

    @rule(count=st.integers(0, 10))
    def move(self, count):
        rows = self._some(count)
        self.leader.move(rows, self._new(len(rows)).positions_m, np.full(len(rows), 0.02))

    @rule()
    def evict(self):
        self.leader.evict_to_budget()
        assert self.leader.size_bytes <= 10_000

    @rule()
    def hear(self):
        if self.leader.version > self.follower.version:
            self.follower.apply(self.leader.delta_since(self.follower.version))
        self.versions.append(self.follower.version)
        assert_same_map(self.follower, self.leader)

    @rule(data=st.data())
    def hear_from_an_earlier_version(self, data):
        version = data.draw(st.sampled_from(self.versions))
        if self.leader.version > self.follower.version:
            self.follower.apply(self.leader.delta_since(version))
            assert_same_map(self.follower, self.leader)

    @rule()
    def hear_everything(self):
        self.follower.apply(self.leader.delta_since(0))
        assert_same_map(self.follower, self.leader)

    @invariant()
    def a_copy_is_the_map_and_valid(self):
        assert_same_map(followed(self.leader), self.leader)

    @invariant()
    def every_code_is_anchored(self):
        anchors = self.leader.codes["anchors"][self.leader.codes.rows()]
        assert self.leader.keyframes.live[anchors].all()


TestMapAndFollower = FollowedMap.TestCase
TestMapAndFollower.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
