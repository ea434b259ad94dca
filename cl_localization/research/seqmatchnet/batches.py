"""What a training epoch is made of: losses, one a batch, in the two ways of SeqMatchNet and of this package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from cl_localization.errors import ConfigError
from cl_localization.research.seqmatchnet.augmentation import augmented
from cl_localization.research.seqmatchnet.losses import contrastive_loss, triplet_loss
from cl_localization.research.seqmatchnet.mining import Triplet, TripletMiner
from cl_localization.research.seqmatchnet.network import PlaceNetwork
from cl_localization.research.seqmatchnet.options import SeqMatchNetConfig, TrainingConfig
from cl_localization.research.seqmatchnet.runs import RunSampler
from cl_localization.research.seqmatchnet.scoring import PlaceScorer
from cl_localization.research.seqmatchnet.sequence_distance import image_distances, line_means
from cl_localization.research.seqmatchnet.traverse import TraversePair
from cl_localization.research.seqmatchnet.windows import centred_windows


class Batches(Protocol):
    """Yields the losses of one epoch; each is minimised before the next is asked for."""

    count: int

    def losses(self, network: PlaceNetwork) -> Iterator[Tensor]:
        """Yield scalar losses with gradients, `count` of them at most."""
        ...


def make_batches(pair: TraversePair, database: Tensor, queries: Tensor, config: SeqMatchNetConfig,
                 network: PlaceNetwork,
                 generator: torch.Generator) -> Batches:
    """Return the batches that the configuration names.

    Args:
        database, queries: (M, D) and (N, D) what goes into the network for each image of the pair.

    Raises:
        ConfigError: the network has nothing to learn.
    """
    if not network.learned:
        raise ConfigError("option pooling", "must be one that learns: s1+seqmatch or seqnet", network.config.pooling)
    if config.training.loss == "triplet":
        return TripletBatches(pair, database, queries, config.training, generator)
    return ContrastiveBatches(pair, database, queries, config, network.image_shape, generator)


class ContrastiveBatches:
    """Stretches of both traverses, all their sequences against each other; see `contrastive_loss`."""

    def __init__(self, pair: TraversePair, database: Tensor, queries: Tensor, config: SeqMatchNetConfig,
                 image_shape: tuple[int, int] | None, generator: torch.Generator) -> None:
        options = config.training
        self._database, self._queries, self._options, self._augmentation = (
            database,
            queries,
            options,
            config.augmentation,
        )
        self._image_shape, self._generator = image_shape, generator
        mirror = config.augmentation.flip and image_shape is not None
        self._sampler = RunSampler(pair, options.runs, max(options.run_length, options.sequence_length),
                                   options.sequence_length, mirror)
        self.count = options.batches_per_epoch

    def losses(self, network: PlaceNetwork) -> Iterator[Tensor]:
        """Yield the losses of an epoch; see `Batches`."""
        for _ in range(self.count):
            yield self._loss(network)

    def _loss(self, network: PlaceNetwork) -> Tensor:
        runs, length = self._sampler.draw(self._generator), self._options.sequence_length
        sides = [self._changed(side[rows], runs.mirrored) for side, rows in ((self._database, runs.database),
                                                                            (self._queries, runs.queries))]
        centres = slice(length // 2, length // 2 + self._sampler.run_length - length + 1)
        same, ignored = self._sampler.relations(runs, centres)
        return sum(share * contrastive_loss(distances, same, ignored, self._options.temperature)
                   for share, distances in self._distances(network, sides, centres))

    def _changed(self, descriptors: Tensor, mirrored: Tensor) -> Tensor:
        """Return (R, K, D) descriptors, changed where they are pixels."""
        if self._image_shape is None:
            return descriptors
        runs, images, width = descriptors.shape
        pixels = descriptors.reshape(runs * images, *self._image_shape)
        return augmented(pixels, mirrored.repeat_interleave(images), self._augmentation, self._generator).reshape(
            runs, images, width
        )

    def _distances(self, network: PlaceNetwork, sides: list[Tensor], centres: slice) -> list[tuple[float, Tensor]]:
        """Return (share, distances (M, N)) of the terms of the loss."""
        if not network.matches_sequences:
            windows = [side.unfold(1, self._options.sequence_length, 1).transpose(2, 3).flatten(0, 1) for side in sides]
            described = network(torch.cat(windows)).split([len(part) for part in windows])
            return [(1.0, image_distances(*described))]
        runs, images, _ = sides[0].shape
        described = network.images(torch.cat(sides).flatten(0, 1)).reshape(2, runs * images, -1)
        grid = image_distances(described[0], described[1]).reshape(runs, images, runs, images).transpose(1, 2)
        share = 1.0 if self._options.loss_method == "centerOnly" else self._options.single_image_share
        terms = [(share, _flat(grid[:, :, centres, centres])),
                 (1 - share, _flat(line_means(grid, self._options.sequence_length)))]
        return [term for term in terms if term[0] > 0]


def _flat(grid: Tensor) -> Tensor:
    """Return (R, R, V, W) distances of stretches as one matrix (R V, R W)."""
    return grid.transpose(1, 2).reshape(grid.shape[0] * grid.shape[2], -1)


class TripletBatches:
    """SeqMatchNet's own: triplets that are mined in a cache of distances, which is made anew every `cache_refresh`
    queries."""

    def __init__(self, pair: TraversePair, database: Tensor, queries: Tensor, options: TrainingConfig,
                 generator: torch.Generator) -> None:
        self._pair, self._database, self._queries, self._options, self._generator = (
            pair,
            database,
            queries,
            options,
            generator,
        )
        self._miner = TripletMiner(pair, options, generator)
        self._windows = [torch.from_numpy(centred_windows(side.bounds, len(side), options.sequence_length)[0])
                         for side in (pair.database, pair.queries)]
        self._block = options.cache_refresh or len(pair.queries)
        self.count = -(-len(pair.queries) // self._block) * -(-self._block // options.batch_size)

    def losses(self, network: PlaceNetwork) -> Iterator[Tensor]:
        """Yield the losses of an epoch; see `Batches`. Blocks of the cache come in random order, and so do queries in
        them."""
        starts = torch.arange(0, len(self._pair.queries), self._block)
        for begin in starts[torch.randperm(len(starts), generator=self._generator)].tolist():
            triplets = list(self._miner.mine(self._scorer(network), begin,
                                             min(begin + self._block, len(self._pair.queries))))
            order = torch.randperm(len(triplets), generator=self._generator).tolist()
            for first in range(0, len(order), self._options.batch_size):
                yield self._loss(network, [triplets[number]
                                           for number in order[first:first + self._options.batch_size]])

    def _scorer(self, network: PlaceNetwork) -> PlaceScorer:
        options = self._options
        length = 1 if options.mining_method == "centerOnly" and network.matches_sequences else options.sequence_length
        return PlaceScorer(network, self._pair.database, self._pair.queries, self._database, self._queries, length,
                           batch_size=options.cache_batch_size)

    def _loss(self, network: PlaceNetwork, batch: list[Triplet]) -> Tensor:
        queries = self._queries[self._windows[1][[triplet.query for triplet in batch]]]
        positives = self._database[self._windows[0][[triplet.positive for triplet in batch]]]
        negatives = self._database[self._windows[0][torch.cat([triplet.negatives for triplet in batch])]]
        owners = torch.arange(len(batch)).repeat_interleave(torch.tensor([len(triplet.negatives) for triplet in batch]))
        described = self._described(network, torch.cat([queries, positives, negatives]))
        parts = described.split([len(queries), len(positives), len(negatives)])
        return triplet_loss(*parts, owners, self._options.margin, self._options.loss_method)

    @staticmethod
    def _described(network: PlaceNetwork, windows: Tensor) -> Tensor:
        """Return (B, L, out) of windows (B, L, D), or (B, 1, out) where a sequence has one descriptor."""
        if not network.matches_sequences:
            return network(windows)[:, None]
        return network.images(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
