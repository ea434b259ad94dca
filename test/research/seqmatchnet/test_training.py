from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.describer import Describer
from cl_localization.research.seqmatchnet.network import PlaceNetwork
from cl_localization.research.seqmatchnet.options import (
    ImageDescriptorConfig,
    NetworkConfig,
    SeqMatchNetConfig,
    TrainingConfig,
)
from cl_localization.research.seqmatchnet.training import (
    DescribedPair,
    describe_pair,
    split_validation,
    train_model,
    validation_look,
)
from cl_localization.research.seqmatchnet.traverse import Traverse, TraversePair, image_numbers, whole
from place_makers import pair_of, random_pair, route_descriptors, traverse_of

DESCRIBER = Describer(ImageDescriptorConfig())
CONFIG = SeqMatchNetConfig(network=NetworkConfig(out_dims=16),
                           training=TrainingConfig(epochs=10, batches_per_epoch=10, run_length=16))


def described(count: int = 200, season: float = 3.0) -> DescribedPair:
    """A route whose descriptors change alike everywhere from one drive to the next."""
    return describe_pair(random_pair(count, width=32, noise=1.0, season=season), DESCRIBER)


@pytest.mark.parametrize("loss", ["contrastive", "triplet"])
def test_what_is_learned_finds_more_places_that_were_never_seen(loss: str) -> None:
    data = described()
    train, unseen = data.part(0, 150), data.part(150, 200)
    config = replace(CONFIG, training=replace(CONFIG.training, loss=loss, sequence_length=3, margin=1.0,
                                              learning_rate=0.01))
    figures = []
    model = train_model(train, unseen, DESCRIBER, config, lambda epoch, found: figures.append(found))
    learned = validation_look(unseen, config)(model.network)["recall@1"]
    raw = validation_look(unseen, config)(PlaceNetwork(NetworkConfig(pooling="single+seqmatch"), 1))["recall@1"]
    assert learned > raw + 0.02
    assert model.stored and model.extra["epochs"] == 10 and any("recall@5" in found for found in figures)


def test_the_same_seed_trains_the_same_network_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    short = replace(CONFIG, training=replace(CONFIG.training, epochs=1))
    first, second = (train_model(described(), None, DESCRIBER, short).network.transform.weight for _ in range(2))
    assert torch.equal(first, second) and torch.equal(torch.rand(3), expected)


def test_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    path, data = tmp_path / "c.safetensors", described()
    short = replace(CONFIG, training=replace(CONFIG.training, epochs=2, schedule="constant"))
    train_model(data, None, DESCRIBER, short, checkpoint=path)
    longer = replace(short, training=replace(short.training, epochs=3))
    epochs = []
    train_model(data, None, DESCRIBER, longer, lambda epoch, figures: epochs.append(epoch), checkpoint=path,
                resume=True)
    assert epochs == [2]


def test_the_last_part_is_put_aside_on_both_sides_where_places_are_known_by_order() -> None:
    train, validation = split_validation(described(100), TrainingConfig(validation_share=0.1))
    assert len(train.pair.database) == len(train.queries) == 90 and len(validation.pair.queries) == 10
    assert validation.pair.database.names[0] == "0090"
    for options in (TrainingConfig(validation_share=0.0), TrainingConfig(validation_share=0.1, sequence_length=20)):
        assert split_validation(described(100), options)[1] is None


def test_queries_alone_are_put_aside_where_places_are_known_by_position() -> None:
    database, queries = traverse_of(route_descriptors(50)), traverse_of(route_descriptors(50))
    queries.positions[:] += 0.4
    data = describe_pair(TraversePair(database, queries, 1.0, 1.0), DESCRIBER)
    train, validation = split_validation(data, TrainingConfig(validation_share=0.2))
    assert len(train.pair.queries) == 40 and len(validation.pair.queries) == 10
    assert len(train.pair.database) == len(validation.pair.database) == 50


def test_traverses_of_two_kinds_are_refused() -> None:
    pair = random_pair(5)
    images = Traverse("i", pair.queries.names, image_numbers(5), whole(5), lambda index: np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DataError, match="must both be images or both be descriptors"):
        describe_pair(TraversePair(pair.database, images, 1.0, 1.0), DESCRIBER)
    with pytest.raises(DataError, match="descriptors of queries must be 24 numbers wide as those of database, found 9"):
        describe_pair(pair_of(route_descriptors(5), route_descriptors(5, 9)), DESCRIBER)


def test_traverses_shorter_than_a_sequence_are_refused() -> None:
    with pytest.raises(DataError, match="traverse queries must have at least 5 images in a row"):
        train_model(described(4), None, DESCRIBER, CONFIG)
