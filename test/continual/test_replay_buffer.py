"""Replay buffers: what stays, what is drawn, and what a file brings back, for every policy."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from cl_localization.continual.admission import ClassBalanced, CoverageScore, Reservoir, most_redundant
from cl_localization.continual.buffer_file import load_buffer, save_buffer
from cl_localization.continual.replay_buffer import ReplayBuffer
from cl_localization.continual.sampling import HighestLossSampling, LossWeightedSampling
from cl_localization.errors import DataError
from cl_localization.research.nerf_cl.ray_replay import HighestLoss, Strided

KEEPING = [Reservoir(), ClassBalanced(), CoverageScore(), CoverageScore(evict_redundant=False), HighestLoss(),
           HighestLoss(lowest=True)]
POLICIES = [*KEEPING, Strided(2)]


def named(policy: object) -> str:
    """Return the name of a policy in its tests, the same in every process."""
    return repr(policy).split(" object at")[0]


def filled(policy, capacity: int = 10, count: int = 40, classes: int = 2, seed: int = 0, batch: int = 7,
           **bounds) -> ReplayBuffer:
    """A buffer that was offered numbers with random losses and regions, class after class."""
    rng = np.random.default_rng(seed + 100)
    buffer = ReplayBuffer(policy, capacity, seed=seed, **bounds)
    for class_id in range(classes):
        for start in range(0, count, batch):
            numbers = class_id * 1000 + np.arange(start, min(start + batch, count))
            buffer.offer({"number": numbers}, class_id, rng.random(len(numbers)),
                         [rng.choice(30, rng.integers(0, 6), replace=False) for _ in numbers])
    return buffer


@pytest.mark.parametrize("policy", KEEPING, ids=named)
@given(capacity=st.integers(1, 30), count=st.integers(1, 40), batch=st.integers(1, 50), seed=st.integers(0, 1000))
def test_a_buffer_holds_as_many_items_as_it_was_offered_up_to_its_capacity_and_none_twice(
    policy, capacity, count, batch, seed
) -> None:
    buffer = filled(policy, capacity, count, 2, seed, batch)
    numbers = buffer.columns.rows(np.arange(len(buffer)))["number"]
    assert len(buffer) == min(capacity, 2 * count) and len(set(numbers.tolist())) == len(numbers)
    assert buffer.seen.total == 2 * count and np.array_equal(numbers // 1000, buffer.traits.classes)


@pytest.mark.parametrize("batch", [1, 3, 50])
def test_a_reservoir_keeps_every_item_with_the_same_probability(batch) -> None:
    kept = Counter()
    for seed in range(700):
        buffer = filled(Reservoir(), 5, 25, 1, seed, batch)
        kept.update(buffer.columns.rows(np.arange(5))["number"].tolist())
    assert chisquare([kept[number] for number in range(25)]).pvalue > 1e-3


@pytest.mark.parametrize("policy", [ClassBalanced(), CoverageScore(), CoverageScore(evict_redundant=False)], ids=named)
@given(capacity=st.integers(4, 24), seed=st.integers(0, 100))
def test_classes_share_a_balanced_buffer_evenly(policy, capacity, seed) -> None:
    buffer = filled(policy, capacity, 60, 4, seed)
    quotas = Counter(buffer.traits.classes.tolist())
    assert max(quotas.values()) - min(quotas[class_id] for class_id in range(4)) <= 1


def test_a_balanced_class_is_a_uniform_sample_of_its_items() -> None:
    kept = Counter()
    for seed in range(700):
        buffer = filled(ClassBalanced(), 5, 20, 1, seed)
        kept.update(buffer.columns.rows(np.arange(5))["number"].tolist())
    assert chisquare([kept[number] for number in range(20)]).pvalue > 1e-3


def regions_seen(items: list[np.ndarray]) -> int:
    """Return how many distinct regions some item sees: the coverage score of CL_HSCNet, not divided by the number of
    regions."""
    return len(np.unique(np.concatenate(items))) if items else 0


def test_coverage_policies_cover_more_regions_than_a_reservoir_and_evicting_the_redundant_covers_most() -> None:
    def mean_coverage(policy) -> float:
        return np.mean([regions_seen(list(filled(policy, 6, 50, 1, seed).traits.regions)) for seed in range(30)])

    reservoir, random_eviction, redundant = map(mean_coverage,
                                                (Reservoir(), CoverageScore(evict_redundant=False), CoverageScore()))
    assert reservoir < random_eviction < redundant


@given(st.lists(st.sets(st.integers(0, 12), max_size=5), min_size=1, max_size=8))
def test_giving_up_the_most_redundant_item_uncovers_the_fewest_regions(sets) -> None:
    regions = [np.array(sorted(seen), dtype=np.int64) for seen in sets]
    left = [regions_seen(regions[:index] + regions[index + 1:]) for index in range(len(regions))]
    assert left[most_redundant(regions)] == max(left)


@pytest.mark.parametrize("lowest", [False, True])
@given(losses=st.lists(st.floats(0, 10), min_size=1, max_size=60), batch=st.integers(1, 20))
def test_a_loss_ranked_buffer_holds_the_extreme_losses_of_all_that_was_offered(lowest, losses, batch) -> None:
    buffer = ReplayBuffer(HighestLoss(lowest), capacity=8)
    for start in range(0, len(losses), batch):
        chunk = np.array(losses[start:start + batch])
        buffer.offer({"loss": chunk}, losses=chunk)
    expected = sorted(losses, reverse=not lowest)[:8]
    assert sorted(buffer.traits.losses.tolist(), reverse=not lowest) == expected
    assert np.array_equal(buffer.columns.rows(np.arange(len(buffer)))["loss"], buffer.traits.losses)


def test_a_strided_buffer_takes_every_second_item_while_there_is_room() -> None:
    buffer = filled(Strided(2), 5, 20, 1, batch=3)
    assert buffer.columns.rows(np.arange(5))["number"].tolist() == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("policy", POLICIES, ids=named)
@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=40), seed=st.integers(0, 50))
def test_a_bound_in_bytes_holds_for_items_of_any_size(policy, sizes, seed) -> None:
    buffer = ReplayBuffer(policy, capacity_bytes=100, seed=seed)
    for number, size in enumerate(sizes):
        slot, = buffer.offer({"image": [bytes([number]) * size]}, number % 2, np.array([float(size)]))
        assert buffer.size_bytes <= 100
        if slot >= 0:
            assert buffer.columns.rows(np.array([slot]))["image"][0] == bytes([number]) * size
    assert buffer.size_bytes == sum(map(len, buffer.columns.rows(np.arange(len(buffer)))["image"]))


def test_a_bound_in_bytes_of_equal_rows_is_one_of_rows() -> None:
    buffer = ReplayBuffer(Reservoir(), capacity_bytes=10 * 16 + 5)
    buffer.offer({"ray": np.zeros((100, 4), np.float32)})
    assert len(buffer) == 10 and buffer.size_bytes == 160


def test_weighted_sampling_follows_losses_and_explores_the_rest() -> None:
    losses = np.r_[np.full(10, 5.0), np.full(90, 0.0)]
    slots = LossWeightedSampling(exploration_share=0.5).draw(losses, 20, np.random.default_rng(0))
    assert set(slots[:10]) == set(range(10)) and (slots[10:] >= 10).all() and len(set(slots.tolist())) == 20
    counts = np.bincount(np.concatenate([LossWeightedSampling(0.0).draw(np.array([1.0, 3.0]), 1,
                                                                        np.random.default_rng(seed))
                                         for seed in range(2000)]), minlength=2)
    assert chisquare(counts, [500, 1500]).pvalue > 1e-3


def test_a_prior_shifts_weighted_sampling_by_its_share() -> None:
    sampling = LossWeightedSampling(0.0, prior_share=0.5)
    counts = np.bincount(np.concatenate([sampling.draw(np.array([1.0, 0.0]), 1, np.random.default_rng(seed),
                                                       np.array([0.0, 1.0]))
                                         for seed in range(2000)]), minlength=2)
    assert chisquare(counts).pvalue > 1e-3


def test_sampling_by_highest_loss_follows_refreshed_losses() -> None:
    buffer = filled(Reservoir(), 4, 4, 1)
    buffer.refresh(np.arange(4), np.array([0.1, 0.9, 0.5, 0.7]))
    slots, items = buffer.sample(2, HighestLossSampling())
    assert slots.tolist() == [1, 3] and np.array_equal(items["number"], buffer.columns.rows(slots)["number"])


@given(count=st.integers(1, 30), wanted=st.integers(0, 60))
def test_uniform_sampling_does_not_repeat_while_there_are_enough(count, wanted) -> None:
    slots, _ = filled(Reservoir(), 30, count, 1).sample(wanted)
    assert len(slots) == wanted and len(set(slots.tolist())) == (wanted if wanted <= count
                                                                 else len(set(slots.tolist())))
    assert ((0 <= slots) & (slots < count)).all()


@pytest.mark.parametrize("policy", POLICIES, ids=named)
def test_a_buffer_read_from_its_file_goes_on_as_the_one_that_was_written(policy, tmp_path) -> None:
    buffer = filled(policy)
    save_buffer(buffer, tmp_path / "buffer.safetensors")
    resumed = load_buffer(tmp_path / "buffer.safetensors", policy)
    for each in (buffer, resumed):
        for number in range(30):
            each.offer({"number": np.array([5000 + number])}, 2, np.array([number % 7]), [np.array([number % 30])])
    assert np.array_equal(buffer.sample(8)[1]["number"], resumed.sample(8)[1]["number"])
    assert buffer.seen == resumed.seen and all(map(np.array_equal, buffer.traits.regions, resumed.traits.regions))


@pytest.mark.parametrize("count", [0, 3])
def test_byte_strings_come_back_from_a_file(count, tmp_path) -> None:
    buffer = ReplayBuffer(Reservoir(), capacity_bytes=1000)
    if count:
        buffer.offer({"image": [b"", b"one", b"three"], "stamp": np.arange(3)})
    save_buffer(buffer, tmp_path / "buffer.safetensors")
    resumed = load_buffer(tmp_path / "buffer.safetensors", Reservoir())
    assert len(resumed) == count and resumed.size_bytes == buffer.size_bytes
    if count:
        assert resumed.columns.rows(np.arange(3))["image"].tolist() == [b"", b"one", b"three"]


def test_a_buffer_of_another_policy_version_or_kind_is_refused(tmp_path, monkeypatch) -> None:
    path = tmp_path / "buffer.safetensors"
    save_buffer(filled(Reservoir()), path)
    with pytest.raises(DataError, match="must be filled by.*ClassBalanced.*found.*Reservoir"):
        load_buffer(path, ClassBalanced())
    with pytest.raises(DataError, match="nothing there"):
        load_buffer(tmp_path / "none", Reservoir())
    monkeypatch.setattr("cl_localization.continual.buffer_file.FORMAT_VERSION", 2)
    with pytest.raises(DataError, match="must have format version 2, found 1"):
        load_buffer(path, Reservoir())
    monkeypatch.setattr("cl_localization.continual.buffer_file.FORMAT", "map")
    with pytest.raises(DataError, match="must be of format map"):
        load_buffer(path, Reservoir())


@given(cut=st.integers(0, 2000), flipped=st.integers(0, 2000))
def test_a_damaged_file_is_refused_or_read_but_never_crashes(cut, flipped, tmp_path) -> None:
    path = tmp_path / "buffer.safetensors"
    save_buffer(filled(CoverageScore()), path)
    content = bytearray(path.read_bytes())
    content[flipped % len(content)] ^= 0x55
    path.write_bytes(content[:len(content) - cut])
    try:
        load_buffer(path, CoverageScore())
    except DataError as error:
        assert "replay" in str(error)


def test_bounds_items_and_draws_that_make_no_sense_are_refused() -> None:
    with pytest.raises(DataError, match="must have a positive bound"):
        ReplayBuffer(Reservoir())
    buffer = ReplayBuffer(Reservoir(), capacity_bytes=10)
    with pytest.raises(DataError, match="must hold an item to sample from"):
        buffer.sample(1)
    with pytest.raises(DataError, match="must fit into the buffer's 10 bytes, found 11 bytes"):
        buffer.offer({"image": [bytes(11)]})
    with pytest.raises(DataError, match="must be columns of equal length"):
        buffer.offer({"a": np.zeros(1, np.uint8), "b": np.zeros(2, np.uint8)})
    with pytest.raises(DataError, match="must get 1 losses and regions with 1 items"):
        buffer.offer({"a": np.zeros(1, np.uint8)}, losses=np.zeros(2))
    buffer.offer({"a": np.zeros(1, np.uint8)})
    with pytest.raises(DataError, match="must have the columns of earlier items"):
        buffer.offer({"a": np.zeros(1, np.float32)})
    with pytest.raises(DataError, match="must lie in"):
        LossWeightedSampling(exploration_share=1.5)


def test_draws_from_a_generator_of_ones_own_leave_that_of_the_buffer_alone() -> None:
    buffers = [ReplayBuffer(Reservoir(), 20) for _ in range(2)]
    for buffer in buffers:
        buffer.offer({"value": np.arange(20)})
    first, _ = buffers[0].sample(5, rng=np.random.default_rng(3))
    again, _ = buffers[0].sample(5, rng=np.random.default_rng(3))
    assert np.array_equal(first, again) and np.array_equal(buffers[0].sample(5)[0], buffers[1].sample(5)[0])
