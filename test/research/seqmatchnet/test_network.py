from __future__ import annotations

import pytest
import torch

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.network import (
    ConvolutionalFrontEnd,
    PlaceNetwork,
    described,
    described_images,
)
from cl_localization.research.seqmatchnet.options import NetworkConfig
from cl_localization.research.seqmatchnet.sequence_distance import unit


def windows(batch: int = 3, length: int = 5, width: int = 6) -> torch.Tensor:
    return torch.randn(batch, length, width, generator=torch.Generator().manual_seed(0))


def network(pooling: str, **options: object) -> PlaceNetwork:
    torch.manual_seed(0)
    return PlaceNetwork(NetworkConfig(pooling=pooling, **options), 6).eval()


@pytest.mark.parametrize("pooling", ["seqnet", "smooth", "delta", "single"])
def test_a_sequence_has_one_unit_descriptor(pooling: str) -> None:
    found = network(pooling, out_dims=7)(windows())
    assert found.shape == (3, 7 if pooling == "seqnet" else 6)
    assert torch.allclose(found.norm(dim=1), torch.ones(3))


def test_smooth_is_the_mean_and_single_the_centre() -> None:
    assert torch.allclose(network("smooth")(windows()), unit(windows().mean(dim=1)))
    assert torch.allclose(network("single")(windows()), unit(windows()[:, 2]))


@pytest.mark.parametrize("length", [4, 5])
def test_delta_is_the_second_half_minus_the_first(length: int) -> None:
    given = windows(length=length)
    assert torch.allclose(network("delta")(given), unit(given[:, length - 2:].mean(dim=1) - given[:, :2].mean(dim=1)))


def test_seqnet_is_the_mean_of_a_convolution_over_time() -> None:
    seqnet, given = network("seqnet", out_dims=4, w=3), windows()
    weight, bias = seqnet.transform.weight, seqnet.transform.bias
    steps = [sum(given[:, begin + step] @ weight[:, :, step].T for step in range(3)) + bias for begin in range(3)]
    assert torch.allclose(seqnet(given), unit(torch.stack(steps).mean(dim=0)), atol=1e-5)


def test_seqmatchnet_transforms_each_image_by_itself() -> None:
    transform, given = network("s1+seqmatch", out_dims=4, keep_input=0.0), windows()
    expected = unit(given[:, 0] @ transform.transform.weight[:, :, 0].T + transform.transform.bias)
    assert torch.allclose(transform.images(given[:, 0]), expected, atol=1e-5)


def test_maps_of_the_front_end_are_compared_as_they_are() -> None:
    pixels = torch.randn(3, 16 * 32, generator=torch.Generator().manual_seed(0))
    learned = PlaceNetwork(NetworkConfig(channels=2, keep_input=0.0), 16 * 32, (16, 32)).eval()
    cells = learned.images(pixels).reshape(3, 4, 4 * 8)
    assert learned.transform is None and bool((cells < 0).any())
    assert torch.allclose(cells.norm(dim=1), torch.full((3, 32), 32 ** -0.5), atol=1e-5)
    assert PlaceNetwork(NetworkConfig(pooling="seqnet"), 16 * 32, (16, 32)).transform.out_channels == 512
    assert PlaceNetwork(NetworkConfig(), 6).transform.out_channels == 512


def test_the_images_own_descriptor_is_compared_beside_the_learned_one() -> None:
    given = windows()[:, 0]
    learned = network("s1+seqmatch", out_dims=4, keep_input=0.0).images(given)
    both = network("s1+seqmatch", out_dims=4, keep_input=2.0)
    assert torch.allclose(both.images(given), unit(torch.cat([learned, 2 * unit(given)], dim=1)), atol=1e-5)
    assert both.train().images(given).shape == (3, 4)


def test_raw_descriptors_are_only_brought_to_unit_length() -> None:
    raw = network("single+seqmatch")
    assert torch.allclose(raw.images(windows()[:, 0]), unit(windows()[:, 0])) and not list(raw.parameters())


@pytest.mark.parametrize("shape", [(32, 64), (30, 45), (9, 8)])
def test_the_front_end_says_how_wide_its_maps_are(shape: tuple[int, int]) -> None:
    front_end = ConvolutionalFrontEnd(shape, 2)
    assert front_end(torch.zeros(2, shape[0] * shape[1])).shape == (2, front_end.out_dims)


def test_pixels_get_a_front_end_and_stored_descriptors_none() -> None:
    pixels = PlaceNetwork(NetworkConfig(channels=2, out_dims=3), 32 * 64, (32, 64))
    assert isinstance(pixels.front_end, ConvolutionalFrontEnd)
    assert isinstance(PlaceNetwork(NetworkConfig(out_dims=3), 6).front_end, torch.nn.Identity)
    assert isinstance(PlaceNetwork(NetworkConfig(out_dims=3, front_end="none"), 32 * 64, (32, 64)).front_end,
                      torch.nn.Identity)


def test_a_front_end_without_pixels_is_refused() -> None:
    with pytest.raises(DataError, match="front end convolutional needs pixels, found stored descriptors of 6 numbers"):
        network("s1+seqmatch", front_end="convolutional")


def test_describing_in_batches_leaves_the_mode_and_the_result_alone() -> None:
    transform = network("s1+seqmatch", out_dims=4, dropout=0.5).train()
    images = windows()[:, 0]
    assert torch.allclose(described_images(transform, images, 2), described_images(transform, images, 100), atol=1e-6)
    assert transform.training


def test_windows_are_gathered_from_the_descriptors() -> None:
    images, rows = torch.randn(9, 6), torch.tensor([[0, 1, 2], [4, 5, 6]])
    assert torch.allclose(described(network("smooth"), images, rows, 1), unit(images[rows].mean(dim=1)))
