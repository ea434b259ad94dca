"""Summer and winter on the same railway: the numbers that place recognition is held to, on places that were never
trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.place_stretches import recalls
from benchmarks.places import live_recall, trained
from cl_localization.research.seqmatchnet.datasets import open_pair
from cl_localization.research.seqmatchnet.describer import Describer
from cl_localization.research.seqmatchnet.network import PlaceNetwork
from cl_localization.research.seqmatchnet.options import (
    ImageDescriptorConfig,
    NetworkConfig,
    PlaceDataConfig,
    SeqMatchNetConfig,
)
from cl_localization.research.seqmatchnet.training import DescribedPair, describe_pair

RAW = NetworkConfig(pooling="single+seqmatch")
LEAST = (0.27, 0.72, 0.82, 0.88)
"""Recall@1 at L = 1, 5, 10, 20."""


@pytest.fixture(scope="module")
def nordland(data_folder: Path) -> Path:
    folder = data_folder / "nordland"
    if not folder.is_dir():
        pytest.skip(f"no Nordland in {data_folder.name}: nordland is missing")
    return folder


def described(nordland: Path, begin: int, end: int, kind: str = "local_contrast") -> DescribedPair:
    data = PlaceDataConfig(database=str(nordland / "summer"), query=str(nordland / "winter"))
    return describe_pair(open_pair(data, "test").part(begin, end), Describer(ImageDescriptorConfig(kind=kind)))


def test_local_contrast_is_told_apart_better_than_patch_normalised_pixels(nordland: Path) -> None:
    network = PlaceNetwork(RAW, 1).eval()
    contrast, patches = (recalls(network, described(nordland, 2000, 2300, kind), normalize=False)
                         for kind in ("local_contrast", "patch_normalised"))
    for season in ("summer", "winter"):
        assert all(better > worse for better, worse in zip(contrast[season][:3], patches[season][:3]))


def test_the_live_index_finds_what_the_whole_matrix_finds(nordland: Path) -> None:
    data = described(nordland, 2000, 2300)
    whole = recalls(PlaceNetwork(RAW, 1).eval(), data, normalize=False)["summer"][2]
    assert live_recall(data.database.numpy(), data.queries.numpy(), torch.arange(300).numpy()) > whole - 0.05


def test_normalized_distances_find_more_without_training(nordland: Path) -> None:
    data = described(nordland, 2000, 2576)
    plain, normalized = (recalls(PlaceNetwork(RAW, 1).eval(), data, normalize) for normalize in (False, True))
    for season in ("summer", "winter"):
        assert normalized[season][0] == plain[season][0]
        assert all(better > worse for better, worse in zip(normalized[season][1:], plain[season][1:]))


@pytest.mark.long
def test_training_reaches_the_numbers_on_unseen_places(nordland: Path) -> None:
    network, _ = trained(described(nordland, 0, 2000), Describer(ImageDescriptorConfig()), SeqMatchNetConfig())
    for values in recalls(network, described(nordland, 2000, 2576), normalize=True).values():
        assert all(value >= least for value, least in zip(values, LEAST))
