from __future__ import annotations

import itertools

import numpy as np
import torch

from cl_localization.research.seqmatchnet.mining import TripletMiner
from cl_localization.research.seqmatchnet.network import PlaceNetwork
from cl_localization.research.seqmatchnet.options import NetworkConfig, TrainingConfig
from cl_localization.research.seqmatchnet.scoring import PlaceScorer
from cl_localization.research.seqmatchnet.traverse import TraversePair
from place_makers import random_pair, tensors, traverse_of


def scorer(pair: TraversePair) -> PlaceScorer:
    network = PlaceNetwork(NetworkConfig(pooling="single+seqmatch"), 1).eval()
    return PlaceScorer(network, pair.database, pair.queries, *tensors(pair), 3)


def miner(pair: TraversePair, seed: int = 0, **options: object) -> TripletMiner:
    return TripletMiner(pair, TrainingConfig(**options), torch.Generator().manual_seed(seed))


def test_positives_are_near_and_negatives_are_far_and_too_similar() -> None:
    pair = random_pair(60, noise=1.0)
    pair = TraversePair(pair.database, pair.queries, 4.0, 2.0)
    score = scorer(pair)
    distances = score.block(0, 60)
    triplets = list(miner(pair, margin=1.0).mine(score, 0, 60))
    assert len(triplets) > 30
    for triplet in triplets:
        assert abs(triplet.positive - triplet.query) <= 2 and len(triplet.negatives) <= 10
        near = distances[max(triplet.query - 2, 0):triplet.query + 3, triplet.query]
        assert distances[triplet.positive, triplet.query] == near.min()
        far = distances[triplet.negatives, triplet.query]
        assert ((triplet.negatives - triplet.query).abs() > 4).all() and (far < near.min() + 1.0).all()
        assert (far.diff() >= 0).all()


def test_queries_that_nothing_resembles_are_passed_over() -> None:
    pair = random_pair(30, width=64, noise=0.01)
    assert list(miner(pair, margin=0.0001).mine(scorer(pair), 0, 30)) == []


def test_queries_without_a_place_in_the_database_are_passed_over() -> None:
    pair = random_pair(30, noise=1.0)
    far = traverse_of(pair.queries.descriptors)
    far.positions[:] += 1000
    pair = TraversePair(pair.database, far, 1.0, 1.0)
    assert list(miner(pair, margin=4.0).mine(scorer(pair), 0, 30)) == []


def test_hard_negatives_are_looked_at_again() -> None:
    pair = random_pair(60, noise=1.0)
    one, score = miner(pair, margin=4.0, negative_samples=3), scorer(pair)
    best = [min(score.block(0, 60)[triplet.negatives, triplet.query].min() for triplet in one.mine(score, 20, 21))
            for _ in range(15)]
    assert all(after <= before for before, after in itertools.pairwise(best)) and best[-1] < best[0]


def test_the_same_seed_chooses_the_same_triplets() -> None:
    pair = random_pair(40, noise=1.0)
    score = scorer(pair)
    chosen = [[(one.query, one.positive, *one.negatives.tolist()) for one in miner(pair, margin=1.0).mine(score, 0, 40)]
              for _ in range(2)]
    assert chosen[0] == chosen[1] and np.asarray(chosen[0][0]).size
