"""Recall on stretches of Nordland far from those that were trained on, by cross-validation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cl_localization.cli.progress import tracked
from cl_localization.research.seqmatchnet.describer import Describer
from cl_localization.research.seqmatchnet.network import PlaceNetwork
from cl_localization.research.seqmatchnet.options import NetworkConfig, SeqMatchNetConfig
from cl_localization.research.seqmatchnet.recall import match_places
from cl_localization.research.seqmatchnet.scoring import PlaceScorer
from cl_localization.research.seqmatchnet.training import DescribedPair, train_model
from cl_localization.research.seqmatchnet.traverse import Traverse

LENGTHS, TOLERANCE = (1, 5, 10, 20), 1.0
STRETCHES = 5
FAR = 250
"""Places on either side of a tested stretch that are not trained on either."""


def stretches(places: int, far: int) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Yield the tested stretch (begin, end) and what is trained on (S, 2), all stretches of equal length in turn."""
    edges = np.linspace(0, places, STRETCHES + 1).astype(int).tolist()
    for begin, end in itertools.pairwise(edges):
        sides = np.array([[0, begin - far], [end + far, places]])
        yield (begin, end), sides[sides[:, 1] > sides[:, 0]]


def stretch_rows(data: DescribedPair, describer: Describer, config: SeqMatchNetConfig,
                 seeds: int) -> list[tuple[str, ...]]:
    """Return mean recall over the stretches, seeds and both databases, and its spread over seeds: without training, of
    the learned descriptors, and of both together, plain and normalized."""
    training = replace(config.training, validation_share=0.0)
    found: dict[str, list[np.ndarray]] = {}
    for seed in range(seeds):
        means: dict[str, list[np.ndarray]] = {}
        for (begin, end), trained in tracked(list(stretches(len(data.queries), FAR)), STRETCHES, f"seed {seed}"):
            config = replace(config, training=replace(training, seed=seed))
            network = train_model(within(data, trained), None, describer, config).network
            for name, row in compared(network, data.part(begin, end)).items():
                means.setdefault(name, []).append(row)
        for name, rows in means.items():
            found.setdefault(name, []).append(np.mean(rows, axis=0))
    return [(*name.split(", "), *(f"{mean:.3f} ± {spread:.3f}" for mean, spread in zip(np.mean(rows, axis=0),
                                                                                      np.std(rows, axis=0))))
            for name, rows in found.items()]


def within(data: DescribedPair, stretches: np.ndarray) -> DescribedPair:
    """Return a pair of which only stretches (S, 2) are unbroken, so that training takes sequences from these alone."""
    def cut(traverse: Traverse) -> Traverse:
        return replace(traverse, bounds=stretches)
    return replace(data, pair=replace(data.pair, database=cut(data.pair.database), queries=cut(data.pair.queries)))


def compared(network: PlaceNetwork, tested: DescribedPair) -> dict[str, np.ndarray]:
    """Return recall@1 at all lengths (4,), the mean of both databases, by what is compared and how."""
    learned = PlaceNetwork(replace(network.config, keep_input=0.0), network.in_dims, network.image_shape).eval()
    learned.load_state_dict(network.state_dict())
    networks = {"local contrast": PlaceNetwork(NetworkConfig(pooling="single+seqmatch"), 1).eval(),
                "learned": learned, "learned and local contrast": network}
    return {f"{name}, {kind}": np.mean(list(recalls(each, tested, normalize).values()), axis=0)
            for name, each in networks.items() for kind, normalize in (("plain", False), ("normalized", True))}


def recalls(network: PlaceNetwork, data: DescribedPair, normalize: bool) -> dict[str, list[float]]:
    """Return recall@1 at all lengths, by the season that is the database."""
    pair = data.pair
    turned = replace(pair, database=pair.queries, queries=pair.database)
    sides = {"summer": (pair, data.database, data.queries), "winter": (turned, data.queries, data.database)}
    return {season: [match_places(PlaceScorer(network, one.database, one.queries, database, queries, length,
                                              normalize=normalize), one, 1).recall(1, TOLERANCE)
                     for length in LENGTHS] for season, (one, database, queries) in sides.items()}
