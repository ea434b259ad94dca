from __future__ import annotations

import numpy as np
import pytest

from cl_localization.errors import DataError
from cl_localization.features.encoder import Features
from cl_localization.research.seqmatchnet import describer as module
from cl_localization.research.seqmatchnet.describer import Describer
from cl_localization.research.seqmatchnet.options import ImageDescriptorConfig
from cl_localization.research.seqmatchnet.traverse import Traverse, image_numbers, whole


class Grid:
    """An encoder whose features are rows of pixels."""

    name, dim = "grid", 8

    def encode(self, image: np.ndarray) -> Features:
        rows = image[:, :8, 0].astype(np.float32) - 100
        return Features(np.zeros((len(rows), 2), np.float32), rows / np.linalg.norm(rows, axis=1, keepdims=True),
                        np.ones(len(rows)))


@pytest.fixture
def grid_encoder(monkeypatch) -> None:
    monkeypatch.setattr(module, "make_encoder", lambda config: Grid())


def images(count: int = 3) -> list[np.ndarray]:
    return [np.random.default_rng(seed).integers(0, 256, (32, 64, 3), np.uint8) for seed in range(count)]


def traverse(count: int = 3) -> Traverse:
    return Traverse("t", [str(index) for index in range(count)], image_numbers(count), whole(count),
                    lambda index: images(count)[index])


@pytest.mark.parametrize("kind, width", [("local_contrast", 2048), ("patch_normalised", 2048), ("gem", 16),
                                         ("vlad", 32)])
def test_each_kind_describes_a_traverse_image_by_image(kind: str, width: int, grid_encoder) -> None:
    describer = Describer(ImageDescriptorConfig(kind=kind, words=4))
    describer.learn(images())
    found = describer.describe_traverse(traverse())
    assert found.shape == (3, width) and np.array_equal(found[1], describer.describe(images()[1]))
    assert describer.image_shape == ((32, 64) if width == 2048 else None)


def test_features_that_are_there_already_are_pooled_alike(grid_encoder) -> None:
    describer = Describer(ImageDescriptorConfig(kind="gem"))
    assert np.array_equal(describer.pool(Grid().encode(images()[0]).descriptors), describer.describe(images()[0]))


def test_a_vocabulary_can_be_given(grid_encoder) -> None:
    config = ImageDescriptorConfig(kind="vlad", words=4)
    learned = Describer(config)
    learned.learn(images())
    given = Describer(config, learned.vocabulary)
    assert np.array_equal(given.describe(images()[2]), learned.describe(images()[2]))


def test_vlad_without_a_vocabulary_is_refused(grid_encoder) -> None:
    with pytest.raises(DataError, match="VLAD needs a vocabulary; learn it from the images of the map first"):
        Describer(ImageDescriptorConfig(kind="vlad")).describe(images()[0])


def test_stored_descriptors_are_taken_and_checked() -> None:
    stored = Traverse("t", ["a", "b"], image_numbers(2), whole(2), descriptors=np.array([[1.0, 2], [np.nan, 3]]))
    with pytest.raises(DataError, match="descriptors of t must be finite, found NaN or infinity in row 1"):
        Describer(ImageDescriptorConfig()).describe_traverse(stored)
