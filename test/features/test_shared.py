"""The shared encoder: each image once, whoever asks, from whatever thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cl_localization.config import EncoderConfig
from cl_localization.errors import EncoderError
from cl_localization.features.encoder import Features
from cl_localization.features.shared import KEPT_IMAGES, SharedEncoder, shared_encoder


class CountingEncoder:
    """Counts, and waits at a gate where told to."""

    name, dim = "counting", 2

    def __init__(self) -> None:
        self.images: list[np.ndarray] = []
        self.gate = threading.Event()
        self.gate.set()

    def encode(self, image: np.ndarray) -> Features:
        self.images.append(image)
        assert self.gate.wait(60)
        if image[0, 0, 0] == 255:
            raise EncoderError("image", "must not begin white")
        return Features(np.zeros((1, 2), np.float32), np.ones((1, 2), np.float32), np.ones(1, np.float32))


def image(value: int) -> np.ndarray:
    return np.full((8, 8, 3), value, np.uint8)


def test_an_image_is_encoded_once_also_when_it_comes_as_another_array() -> None:
    inner = CountingEncoder()
    shared = SharedEncoder(inner)
    first = shared.encode(image(1))
    assert shared.encode(image(1)) is first
    assert len(inner.images) == 1
    assert (shared.name, shared.dim) == ("counting", 2)


def test_images_that_differ_in_one_value_are_not_confused() -> None:
    inner, other = CountingEncoder(), image(1)
    other[7, 7, 2] = 2
    shared = SharedEncoder(inner)
    for one in (image(1), other, np.full((8, 4, 3), 1, np.uint8)):
        shared.encode(one)
    assert len(inner.images) == 3


def test_only_the_last_images_are_remembered() -> None:
    inner = CountingEncoder()
    shared = SharedEncoder(inner)
    for value in range(KEPT_IMAGES + 1):
        shared.encode(image(value))
    shared.encode(image(KEPT_IMAGES))
    shared.encode(image(0))
    assert len(inner.images) == KEPT_IMAGES + 2


def test_who_asks_while_another_thread_encodes_the_image_waits_for_that() -> None:
    inner = CountingEncoder()
    shared = SharedEncoder(inner)
    inner.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(shared.encode, image(3)) for _ in range(4)]
        inner.gate.set()
        found = [future.result(60) for future in futures]
    assert all(one is found[0] for one in found) and len(inner.images) == 1


def test_an_image_that_cannot_be_encoded_is_an_error_for_all_who_asked_and_is_not_remembered() -> None:
    inner = CountingEncoder()
    shared = SharedEncoder(inner)
    for _ in range(2):
        with pytest.raises(EncoderError, match="must not begin white"):
            shared.encode(image(255))
    assert len(inner.images) == 2


def test_a_process_has_one_encoder_for_each_configuration() -> None:
    first, other = (
        shared_encoder(EncoderConfig(device="cpu")),
        shared_encoder(EncoderConfig(device="cpu", max_keypoints=100)),
    )
    assert shared_encoder(EncoderConfig(device="cpu")) is first
    assert other is not first and first.name == other.name == "xfeat"
