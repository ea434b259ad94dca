"""One encoder shared by all nodes of a process, so that each image is encoded once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from weakref import WeakValueDictionary

import numpy as np

from cl_localization.config import EncoderConfig
from cl_localization.features import make_encoder
from cl_localization.features.encoder import Encoder, Features

KEPT_IMAGES = 3
"""Number of images whose features are cached; all users work on the newest images."""

_made: WeakValueDictionary[EncoderConfig, SharedEncoder] = WeakValueDictionary()
_making = threading.Lock()


class SharedEncoder:
    """A thread-safe encoder that caches the features of the last images.

    Images are compared pixel by pixel, which takes 0.1 ms. A request for an image that another thread is encoding waits
    for it; different images are encoded in parallel.
    """

    def __init__(self, encoder: Encoder) -> None:
        """Share `encoder`, whose `encode` must be thread-safe."""
        self.name, self.dim = encoder.name, encoder.dim
        self._encoder = encoder
        self._kept: OrderedDict[int, tuple[np.ndarray, Future]] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, image: np.ndarray) -> Features:
        """Return the features of an image; see `Encoder`. They are shared: do not modify them."""
        with self._lock:
            known = self._known(image)
            future = known or self._remember(image)
        if known is None:
            self._fill(future, image)
        return future.result()

    def _known(self, image: np.ndarray) -> Future | None:
        return next((future for other, future in reversed(self._kept.values())
                     if other.shape == image.shape and other.dtype == image.dtype and np.array_equal(other, image)),
                    None)

    def _remember(self, image: np.ndarray) -> Future:
        future: Future = Future()
        self._kept[id(future)] = image, future
        while len(self._kept) > KEPT_IMAGES:
            self._kept.popitem(last=False)
        return future

    def _fill(self, future: Future, image: np.ndarray) -> None:
        try:
            future.set_result(self._encoder.encode(image))
        except BaseException as error:  # raised in the waiting threads
            with self._lock:
                self._kept.pop(id(future), None)
            future.set_exception(error)


def shared_encoder(config: EncoderConfig) -> SharedEncoder:
    """Return the process's encoder for a configuration; a new one if none is in use.

    Raises:
        EncoderError: its package, weights or device are missing.
    """
    with _making:
        encoder = _made.get(config)
        if encoder is None:
            encoder = SharedEncoder(make_encoder(config))
            _made[config] = encoder
        return encoder
