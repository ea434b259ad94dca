"""The tables of place recognition for `bench`: recall on Nordland beside what was trained on and far from it, other
speeds, the time of a live search."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks.place_stretches import FAR, LENGTHS, STRETCHES, TOLERANCE, recalls, stretch_rows
from benchmarks.table import BenchTable
from cl_localization.config import PlaceIndexConfig
from cl_localization.places.place_index import PlaceIndex
from cl_localization.research.seqmatchnet.datasets import open_pair
from cl_localization.research.seqmatchnet.describer import Describer
from cl_localization.research.seqmatchnet.network import PlaceNetwork, described_images
from cl_localization.research.seqmatchnet.options import (
    ImageDescriptorConfig,
    NetworkConfig,
    PlaceDataConfig,
    SeqMatchNetConfig,
)
from cl_localization.research.seqmatchnet.training import DescribedPair, describe_pair, split_validation, train_model

TRAINED_PLACES = 2000
RECALLS = tuple(f"recall@1, L = {length}" for length in LENGTHS)
RECALL_HEADERS = ("descriptors", "distances", "database", *RECALLS)
FAR_HEADERS = ("descriptors", "distances", *RECALLS)
SPEED_HEADERS = ("queries driven", "recall@1, L = 10, live")
TIME_HEADERS = ("keyframes", "numbers a descriptor", "L", "search p50 [ms]", "p95 [ms]")
FASTER = 1.4
BIG_INDEX, BIG_WIDTH, BIG_QUERIES = 100_000, 512, 200


def place_tables(nordland: Path, seeds: int = 1) -> list[BenchTable]:
    """Return the tables of place recognition.

    Args:
        nordland: folder with the traverses `summer` and `winter`.
        seeds: how often far stretches are trained for; each takes five trainings.
    """
    seasons = {season: str(nordland / season) for season in ("summer", "winter")}
    pair = open_pair(PlaceDataConfig(database=seasons["summer"], query=seasons["winter"], tolerance=TOLERANCE), "train")
    describer = Describer(ImageDescriptorConfig())
    data = describe_pair(pair, describer)
    train, unseen = data.part(0, TRAINED_PLACES), data.part(TRAINED_PLACES, len(pair.queries))
    raw = describe_pair(unseen.pair, Describer(ImageDescriptorConfig(kind="patch_normalised")))
    plain = PlaceNetwork(NetworkConfig(pooling="single+seqmatch"), 1).eval()
    network, seconds = trained(train, describer, SeqMatchNetConfig())
    rows = [*both_ways("patch-normalised pixels", plain, raw), *both_ways("local contrast", plain, unseen),
            *both_ways("trained at L = 5", network, unseen)]
    beside = (f"Nordland, {len(unseen.queries)} places beside those trained on, within {TOLERANCE:g} place; "
              f"one network trained in {seconds:.0f} s of processor time")
    far = (f"Nordland, {STRETCHES} stretches at least {FAR} places from those trained on, mean and spread over seeds "
           f"({seeds})")
    contents = [(beside, RECALL_HEADERS, rows),
                ("Speed of the queries relative to the map run", SPEED_HEADERS, speed_rows(network, unseen)),
                ("Time of one live search", TIME_HEADERS, [time_row(length) for length in (1, 10, 100)])]
    if seeds:
        contents.append((far, FAR_HEADERS, stretch_rows(data, describer, SeqMatchNetConfig(), seeds)))
    results = {"places": [{"title": title, "headers": headers, "rows": rows} for title, headers, rows in contents]}
    return [BenchTable(title, headers, rows, results=results) for title, headers, rows in contents]


def trained(train: DescribedPair, describer: Describer, config: SeqMatchNetConfig) -> tuple[PlaceNetwork, float]:
    """Return a network trained as `train seqmatchnet` does, and the seconds of processor time that it took."""
    start = time.process_time()
    model = train_model(*split_validation(train, config.training), describer, config)
    return model.network, time.process_time() - start


def both_ways(name: str, network: PlaceNetwork, data: DescribedPair) -> list[tuple[str, ...]]:
    """Return rows of recall, plain and normalized, with either season as the database."""
    return [(name, kind, season, *(f"{value:.3f}" for value in values))
            for kind, normalize in (("plain", False), ("normalized", True))
            for season, values in recalls(network, data, normalize).items()]


def speed_rows(network: PlaceNetwork, data: DescribedPair) -> list[tuple[str, ...]]:
    """Return the recall of the live index when queries are driven as fast as the map, faster and slower."""
    database, queries = (described_images(network, side, 256).numpy() for side in (data.database, data.queries))
    count = len(database)
    passed = np.floor(np.arange(int((count - 1) / FASTER)) * FASTER + 0.5).astype(int)
    nearest = np.abs(passed[None] - np.arange(count)[:, None]).argmin(axis=1)
    return [("at the same speed", f"{live_recall(database, queries, np.arange(count)):.3f}"),
            (f"{FASTER:g} times as fast", f"{live_recall(database, queries[passed], passed):.3f}"),
            (f"{1 / FASTER:.2f} times as fast", f"{live_recall(database[passed], queries, nearest):.3f}")]


def live_recall(database: np.ndarray, queries: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of queries (N, D), one after the other, whose best keyframe is within the tolerance of `truth`
    (N,)."""
    index = PlaceIndex(database.shape[1], PlaceIndexConfig())
    index.add(database, "route", list(range(len(database))))
    found = np.array([index.query(query)[0].keyframe_id for query in queries])
    return float((np.abs(found - truth) <= TOLERANCE).mean())


def time_row(length: int) -> tuple[str, ...]:
    """Return the time of a search among very many keyframes of random descriptors."""
    rng = np.random.default_rng(0)
    descriptors = rng.normal(size=(BIG_INDEX, BIG_WIDTH)).astype(np.float32)
    index = PlaceIndex(BIG_WIDTH, PlaceIndexConfig(sequence_length=length))
    index.add(descriptors, "route", list(range(BIG_INDEX)))
    times = []
    for number in range(BIG_QUERIES):
        query = descriptors[5000 + number] + 0.5 * rng.normal(size=BIG_WIDTH)
        start = time.perf_counter()
        index.query(query)
        times.append(1000 * (time.perf_counter() - start))
    return (f"{BIG_INDEX:,}", str(BIG_WIDTH), str(length), *(f"{value:.1f}"
                                                             for value in np.percentile(times, (50, 95))))
