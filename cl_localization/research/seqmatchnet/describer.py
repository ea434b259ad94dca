"""From images to what goes into a network: stored descriptors, pixels, or an encoder's features pooled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from cl_localization.errors import DataError
from cl_localization.features import make_encoder
from cl_localization.features.encoder import unit_descriptors
from cl_localization.places.map_places import place_descriptor
from cl_localization.places.place_index import checked_descriptors
from cl_localization.research.seqmatchnet.image_descriptors import pixel_descriptor
from cl_localization.research.seqmatchnet.local_pooling import gem, learn_vocabulary, vlad
from cl_localization.research.seqmatchnet.options import ImageDescriptorConfig
from cl_localization.research.seqmatchnet.traverse import Traverse

PIXEL_KINDS = ("local_contrast", "patch_normalised")
Watch = Callable[[Iterable[int]], Iterator[int]]
"""Passes on what it is given, and may show progress."""


class Describer:
    """Describes images one by one, and traverses.

    Attributes:
        config: what is computed.
        vocabulary: (K, D) words of VLAD; learned with `learn` or given.
        image_shape: (H, W) where descriptors are pixels, else None.
    """

    def __init__(self, config: ImageDescriptorConfig, vocabulary: np.ndarray | None = None) -> None:
        self.config, self.vocabulary = config, vocabulary
        self.image_shape = (config.height_px, config.width_px) if config.kind in PIXEL_KINDS else None
        self._encoder = None if self.image_shape else make_encoder(config.encoder)

    def learn(self, images: Iterable[np.ndarray]) -> None:
        """Learn what needs learning from the images (H, W, 3) uint8 of a map: the vocabulary of VLAD.

        Raises:
            DataError: the images have fewer features than the vocabulary has words.
        """
        if self.config.kind == "vlad":
            self.vocabulary = learn_vocabulary((self._encoder.encode(image).descriptors for image in images),
                                               self.config.words)

    def describe(self, image: np.ndarray) -> np.ndarray:
        """Return the descriptor (D,) float32 of an (H, W, 3) uint8 RGB image.

        Raises:
            DataError: no vocabulary has been learned, or the image is no image.
            EncoderError: the encoder cannot use the image.
        """
        if self._encoder is None:
            return pixel_descriptor(image, self.config)
        return self.pool(self._encoder.encode(image).descriptors)

    def pool(self, local_descriptors: np.ndarray) -> np.ndarray:
        """Return the descriptor (D,) of an image whose local features (N, d) are there already.

        Raises:
            DataError: no vocabulary has been learned.
        """
        if self.config.kind == "gem":
            return gem(local_descriptors)
        if self.config.kind == "second_order":
            return unit_descriptors(place_descriptor(local_descriptors)[None])[0]
        if self.vocabulary is None:
            raise DataError("VLAD", "needs a vocabulary", remedy="learn it from the images of the map first")
        return vlad(local_descriptors, self.vocabulary)

    def describe_traverse(self, traverse: Traverse, watch: Watch = iter) -> np.ndarray:
        """Return the descriptors (N, D) of a traverse: the stored ones, else those of its images.

        Raises:
            DataError: an image cannot be read, or stored descriptors are not finite.
        """
        if traverse.descriptors is not None:
            return checked_descriptors(traverse.descriptors, f"descriptors of {traverse.name}")
        return np.stack([self.describe(traverse.read(index)) for index in watch(range(len(traverse)))])
