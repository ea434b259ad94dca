from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cl_localization.errors import ConfigError
from cl_localization.research.seqmatchnet.batches import ContrastiveBatches, TripletBatches, make_batches
from cl_localization.research.seqmatchnet.network import PlaceNetwork
from cl_localization.research.seqmatchnet.options import NetworkConfig, SeqMatchNetConfig, TrainingConfig
from place_makers import random_pair, tensors

PAIR = random_pair(60, noise=1.0)


def config(pooling: str = "s1+seqmatch", **training: object) -> SeqMatchNetConfig:
    return SeqMatchNetConfig(network=NetworkConfig(pooling=pooling, out_dims=8, dropout=0.0),
                             training=TrainingConfig(batches_per_epoch=3, run_length=10, **training))


def losses(options: SeqMatchNetConfig, seed: int = 0) -> list[float]:
    torch.manual_seed(0)
    network = PlaceNetwork(options.network, 24)
    batches = make_batches(PAIR, *tensors(PAIR), options, network, torch.Generator().manual_seed(seed))
    found = []
    for loss in batches.losses(network):
        loss.backward()
        found.append(float(loss.detach()))
    assert all(torch.isfinite(value.grad).all() for value in network.parameters()) and len(found) <= batches.count
    return found


@pytest.mark.parametrize("pooling", ["s1+seqmatch", "seqnet"])
@pytest.mark.parametrize("loss", ["contrastive", "triplet"])
@pytest.mark.parametrize("method", ["meanOfPairs", "centerOnly"])
def test_every_loss_has_gradients_and_comes_again_with_its_seed(pooling: str, loss: str, method: str) -> None:
    options = config(pooling, loss=loss, loss_method=method, mining_method=method, margin=1.0, cache_refresh=20)
    first = losses(options)
    assert first == losses(options) and min(first) > 0 and first != losses(options, seed=1)


def test_the_configuration_chooses_the_kind() -> None:
    network = PlaceNetwork(NetworkConfig(out_dims=8), 24)
    for loss, kind in (("contrastive", ContrastiveBatches), ("triplet", TripletBatches)):
        assert isinstance(make_batches(PAIR, *tensors(PAIR), config(loss=loss), network, torch.Generator()), kind)


def test_the_single_image_share_goes_from_one_loss_to_the_other() -> None:
    alone, none = (losses(config(single_image_share=share))[0] for share in (1.0, 0.0))
    assert losses(config(single_image_share=0.25))[0] == pytest.approx(0.25 * alone + 0.75 * none, rel=1e-4)
    assert losses(config(loss_method="centerOnly"))[0] == pytest.approx(alone)


def test_pixels_are_changed_and_stored_descriptors_are_not() -> None:
    pair = random_pair(40, width=16 * 8)
    options = replace(config(), network=NetworkConfig(channels=2, out_dims=8, dropout=0.0))
    network = PlaceNetwork(options.network, 128, (8, 16))
    for shape, different in (((8, 16), True), (None, False)):
        batches = ContrastiveBatches(pair, *tensors(pair), options, shape, torch.Generator().manual_seed(0))
        given = torch.ones(2, 3, 128)
        assert bool((batches._changed(given, torch.zeros(2, dtype=torch.bool)) != given).any()) == different
    assert network.image_shape == (8, 16)


def test_what_learns_nothing_cannot_be_trained() -> None:
    network = PlaceNetwork(NetworkConfig(pooling="smooth"), 24)
    with pytest.raises(ConfigError, match="option pooling must be one that learns: s1\\+seqmatch or seqnet, found "
                                          "smooth"):
        make_batches(PAIR, *tensors(PAIR), config("smooth"), network, torch.Generator())
