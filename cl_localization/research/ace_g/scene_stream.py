"""Scenes of the paper's form on their way to the training: read from a folder or prepared, here or by processes that go
on while the network learns."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from functools import cache
from pathlib import Path

from cl_localization.errors import DataError, LocalizationError
from cl_localization.research.ace_g.code_pool import CodeScene, code_scene
from cl_localization.research.ace_g.options import AttentionConfig
from cl_localization.research.ace_g.scene_files import kept_arrays
from cl_localization.research.ace_g.scenes import open_scene
from cl_localization.research.tokens import token_encoder

_LOGGER = logging.getLogger(__name__)

_encoder = cache(token_encoder)
"""Of all scenes of a process."""


def prepared_scene(text: str, config: AttentionConfig, seed: int, folder: Path | None) -> CodeScene:
    """Return a scene for pre-training, from the folder where it holds it already.

    Raises:
        DataError: it cannot be opened, has nothing to learn from, or its file cannot be written.
    """
    encoder = _encoder(config.encoder)
    said = (f"{text} by {encoder.name} as tokens, {config.encoder.max_keypoints} an image, seed {seed}, "
            f"{'augmented' if config.pretraining.augment else 'as it is'}")
    return CodeScene.of(kept_arrays(
        folder, said, lambda: code_scene(open_scene(text), encoder, seed, config.pretraining.augment).tensors()))


class StreamedScenes:
    """A `ScenePool` that worker processes fill, each on one core; scenes that fail are left out with a warning."""

    def __init__(self, texts: Sequence[str], config: AttentionConfig, folder: Path | None) -> None:
        """Start the workers, which encode on the CPU: the device belongs to the training."""
        training, scenes = config.pretraining, list(texts)
        config = replace(config, encoder=replace(config.encoder, device="cpu"))
        self._workers = ProcessPoolExecutor(training.workers, multiprocessing.get_context("spawn"), _one_thread)
        self._coming: list[Future[CodeScene | str]] = [
            self._workers.submit(_scene_or_error, text, config, training.seed + number, folder)
            for number, text in enumerate(scenes)]
        self._scenes: list[CodeScene] = []
        self._least = min(training.workers, len(scenes))

    def ready(self) -> Sequence[CodeScene]:
        """See `ScenePool`; the first time, wait until each worker has prepared one.

        Raises:
            DataError: all failed.
        """
        while self._coming and len(self._scenes) < self._least:
            wait(self._coming, return_when=FIRST_COMPLETED)
            self._collect()
        self._collect()
        if not self._scenes:
            raise DataError("training", "needs at least one scene that can be learned from", 0, "see the warnings")
        return self._scenes

    def close(self) -> None:
        """End the workers once they are done with what they are at; what was not begun is not prepared."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _collect(self) -> None:
        for future in [one for one in self._coming if one.done()]:
            self._coming.remove(future)
            scene = future.result()
            if isinstance(scene, str):
                _LOGGER.warning("scene left out: %s", scene)
            else:
                self._scenes.append(scene)


def _scene_or_error(text: str, config: AttentionConfig, seed: int, folder: Path | None) -> CodeScene | str:
    """Return a scene, or what is wrong with it: errors of several words do not come through between processes."""
    try:
        return prepared_scene(text, config, seed, folder)
    except LocalizationError as error:
        return str(error)


def _one_thread() -> None:
    """Let a worker use one core only."""
    import cv2
    import torch

    torch.set_num_threads(1), cv2.setNumThreads(1)
