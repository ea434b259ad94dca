"""The story of training: descriptors of two traverses, a part of them put aside for validation, a network, a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.batches import make_batches
from cl_localization.research.seqmatchnet.checks import checked_length
from cl_localization.research.seqmatchnet.describer import Describer, Watch
from cl_localization.research.seqmatchnet.model_file import PlaceModel, load_checkpoint, save_checkpoint
from cl_localization.research.seqmatchnet.network import PlaceNetwork
from cl_localization.research.seqmatchnet.options import SeqMatchNetConfig, TrainingConfig
from cl_localization.research.seqmatchnet.recall import match_places
from cl_localization.research.seqmatchnet.scoring import PlaceScorer
from cl_localization.research.seqmatchnet.trainer import DECIDING, Log, Look, Trainer
from cl_localization.research.seqmatchnet.traverse import Traverse, TraversePair

VALIDATION_RECALLS = (1, 5, 10, 20)


@dataclass(frozen=True, eq=False)
class DescribedPair:
    """A pair of traverses with what goes into the network for each image.

    Attributes:
        database, queries: (M, D) and (N, D).
    """

    pair: TraversePair
    database: Tensor
    queries: Tensor

    def part(self, begin: int, end: int) -> DescribedPair:
        """Return images [begin, end) of both traverses."""
        return DescribedPair(self.pair.part(begin, end), self.database[begin:end], self.queries[begin:end])


def describe_pair(pair: TraversePair, describer: Describer, watch: Watch = iter) -> DescribedPair:
    """Return a pair with its descriptors.

    Raises:
        DataError: unreadable images, one traverse with stored descriptors and one without, or descriptors of different
            widths.
    """
    if (pair.database.descriptors is None) != (pair.queries.descriptors is None):
        raise DataError(f"traverses {pair.database.name} and {pair.queries.name}",
                        "must both be images or both be descriptors")
    sides = [torch.from_numpy(describer.describe_traverse(side, watch)) for side in (pair.database, pair.queries)]
    if sides[0].shape[1] != sides[1].shape[1]:
        raise DataError(f"descriptors of {pair.queries.name}",
                        f"must be {sides[0].shape[1]} numbers wide as those of {pair.database.name}",
                        sides[1].shape[1])
    return DescribedPair(pair, *sides)


def split_validation(data: DescribedPair, config: TrainingConfig) -> tuple[DescribedPair, DescribedPair | None]:
    """Return the part to train on and the last share of it, put aside to choose the epoch; None when that is less than
    a sequence.

    Where the places of both traverses are known by their order both are cut; else only the queries are.
    """
    count = len(data.pair.queries)
    begin = count - int(config.validation_share * count)
    if count - begin < config.sequence_length:
        return data, None
    if same_places(data.pair):
        return data.part(0, begin), data.part(begin, count)
    parts = [replace(data, pair=replace(data.pair, queries=data.pair.queries.part(*part)),
                     queries=data.queries[slice(*part)])
             for part in ((0, begin), (begin, count))]
    return parts[0], parts[1]


def same_places(pair: TraversePair) -> bool:
    """Return whether image i of both traverses shows the same place for every i."""
    return len(pair.database) == len(pair.queries) and bool(np.array_equal(pair.database.positions,
                                                                           pair.queries.positions))


def validation_look(data: DescribedPair, config: SeqMatchNetConfig) -> Look:
    """Return the function that measures a network's recall on a validation pair."""
    def look(network: PlaceNetwork) -> dict[str, float]:
        scorer = PlaceScorer(network, data.pair.database, data.pair.queries, data.database, data.queries,
                             config.training.sequence_length, batch_size=config.training.cache_batch_size)
        matches = match_places(scorer, data.pair, max(VALIDATION_RECALLS))
        return {f"recall@{count}": matches.recall(count, data.pair.true_radius) for count in VALIDATION_RECALLS}
    return look


def train_model(train: DescribedPair, validation: DescribedPair | None, describer: Describer, config: SeqMatchNetConfig,
                log: Log = lambda epoch, figures: None, checkpoint: Path | None = None, resume: bool = False,
                told: Callable[[Trainer], None] = lambda trainer: None) -> PlaceModel:
    """Train a network and return the model.

    Args:
        checkpoint: written after every epoch.
        resume: whether to go on from that file.
        told: is called after every epoch.

    Raises:
        DataError: traverses shorter than a sequence, or that nowhere pass the same places.
        EncoderError: the checkpoint cannot be read or is of another network.
    """
    checked_length(config.training.sequence_length, _longest(train.pair.queries), f"traverse {train.pair.queries.name}")
    stored = train.pair.database.descriptors is not None
    generator = torch.Generator().manual_seed(config.training.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)  # initial weights and dropout draw from the global generator
        network = PlaceNetwork(config.network, train.database.shape[1], None if stored else describer.image_shape)
        batches = make_batches(train.pair, train.database, train.queries, config, network, generator)

        def after_epoch(trainer: Trainer) -> None:
            if checkpoint is not None:
                save_checkpoint(trainer, config, generator, checkpoint)
            told(trainer)

        trainer = Trainer(network, batches, config.training,
                          validation_look(validation, config) if validation else None, log, after_epoch)
        if resume and checkpoint is not None:
            load_checkpoint(trainer, generator, checkpoint)
        trainer.run()
    extra = {"epochs": trainer.progress.epoch, f"validation {DECIDING}": trainer.progress.best_score}
    return PlaceModel(network, config.image, stored, describer.vocabulary, extra)


def _longest(traverse: Traverse) -> int:
    return int((traverse.bounds[:, 1] - traverse.bounds[:, 0]).max(initial=0))
