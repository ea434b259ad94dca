"""Frames of any scenes as one batch that a dense network learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.research.hscnet.losses import Target
from cl_localization.research.hscnet.network import SUB_REGIONS, Prediction
from cl_localization.research.hscnet.regions import RegionTree
from cl_localization.research.hscnet.samples import Augmentation, make_sample


@dataclass(frozen=True, eq=False)
class Batch:
    """Images (B, 3, H, W), what is to be said of them, and what was said when they were stored, if it was."""

    images: Tensor
    target: Target
    stored: Prediction | None = None

    @classmethod
    def joined(cls, batches: Sequence[Batch]) -> Batch:
        """Return the images and targets of several batches as one.

        Raises:
            DataError: images of different sizes.
        """
        shapes = {tuple(each.images.shape[2:]) for each in batches}
        if len(shapes) > 1:
            raise DataError("images of a batch", "must have one size", sorted(shapes),
                            "train scenes of one aspect ratio together")
        return cls(torch.cat([each.images for each in batches]), Target.joined([each.target for each in batches]))

    def seen_leaves(self) -> np.ndarray:
        """Return the leaf regions of its scene that an image (B = 1) sees; none for SCRNet."""
        if not self.target.labels:
            return np.zeros(0, np.int64)
        region, sub_region = (labels[self.target.valid] for labels in self.target.labels)
        return np.unique((region % SUB_REGIONS * SUB_REGIONS + sub_region).cpu().numpy())


def ahead(make: Callable[[int], list[Batch | None]], steps: Iterable[int]) -> Iterator[tuple[int, list[Batch | None]]]:
    """Yield each step with its batches, while a thread already makes those of the next one."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
        pending: tuple[int, Future[list[Batch | None]]] | None = None
        for step in steps:
            following = step, pool.submit(make, step)
            if pending is not None:
                yield pending[0], pending[1].result()
            pending = following
        if pending is not None:
            yield pending[0], pending[1].result()


class BatchMaker:
    """Makes batches from frames, with the regions of their scenes."""

    def __init__(self, trees: Mapping[int, RegionTree], augment: bool, device: str) -> None:
        """Look regions up in `trees` by scene, when a batch is made; without any, coordinates are the target."""
        self._trees, self._augmentation, self._device = trees, Augmentation() if augment else None, device

    def make(self, items: Sequence[tuple[Frame, int, Prediction | None]], rng: np.random.Generator,
             changed: bool) -> Batch | None:
        """Return frames as a batch, without those in which no cell has depth; None when there are no others.

        Args:
            items: prepared frame, its scene, and the prediction stored with it.
            changed: whether images may be augmented; stored predictions are of images as they are.

        Raises:
            DataError: a frame without pose or depth, or images of different sizes.
        """
        made, stored = [], []
        for frame, scene, prediction in items:
            tree = self._trees.get(scene)
            sample = make_sample(frame, tree, self._augmentation if changed else None, rng)
            if not sample.valid.any():
                continue
            centres_m = None if tree is None else torch.from_numpy(tree.leaf_centres_m.astype(np.float32))
            made.append(Batch(sample.image, Target.of(sample, centres_m, scene)))
            stored.append(prediction)
        if not made:
            return None
        both = Batch.joined(made)
        kept = None if None in stored else Prediction.joined(stored).to(self._device)
        return Batch(both.images.to(self._device), both.target.to(self._device), kept)
