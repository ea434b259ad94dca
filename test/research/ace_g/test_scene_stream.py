"""Scenes that a worker prepares are those that are prepared here; those that fail are left out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest
import torch

from attention_makers import CODES
from cl_localization.errors import DataError
from cl_localization.features import engines
from cl_localization.research.ace_g import scene_stream
from cl_localization.research.ace_g.scene_stream import StreamedScenes, prepared_scene
from cl_localization.research.ace_g.scenes import simulated_scene

ROOM = simulated_scene(3, 2, "96x64", rooms=1, alike=True)
CONFIG = replace(CODES, encoder=replace(CODES.encoder, max_keypoints=64),
                 pretraining=replace(CODES.pretraining, workers=1))


def test_a_worker_prepares_what_would_be_prepared_here_and_leaves_out_what_fails(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(engines, "_chosen", 0)  # nodes of other tests may have chosen
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # sums are of another order on more threads, features too
    with closing(StreamedScenes([ROOM, "sim:3?rooms=1&frames=2"], CONFIG, tmp_path)) as stream:
        here = prepared_scene(ROOM, CONFIG, 0, None)
        while stream._coming:
            scenes = stream.ready()
        assert len(scenes) == 1 and "scene left out" in caplog.text
        for name, array in scenes[0].tensors().items():
            torch.testing.assert_close(torch.from_numpy(array), torch.from_numpy(here.tensors()[name]), atol=0.02,
                                       rtol=0.02)
    kept = prepared_scene(ROOM, CONFIG, 0, tmp_path)  # as the worker wrote it
    assert torch.equal(kept.mapping.points_m, scenes[0].mapping.points_m)


def test_a_training_without_any_scene_is_refused(monkeypatch):
    monkeypatch.setattr(scene_stream, "ProcessPoolExecutor", lambda workers, *_: ThreadPoolExecutor(workers))
    message = "needs at least one scene that can be learned from"
    with (closing(StreamedScenes(["sim:3?rooms=1&frames=2"], CONFIG, None)) as stream,
          pytest.raises(DataError, match=message)):
        stream.ready()
