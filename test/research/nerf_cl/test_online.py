from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cl_localization.config import with_values
from cl_localization.errors import DataError
from cl_localization.nerf.frame_memory import FrameMemory, compressed
from cl_localization.nerf.learner import Batch, Learned
from cl_localization.nerf.views import View
from cl_localization.research.nerf_cl.making import make_field
from cl_localization.research.nerf_cl.online import OnlineTraining, chunks_of, psnr_of
from cl_localization.research.nerf_cl.options import NerfConfig, OnlineConfig
from cl_localization.research.nerf_cl.scene_views import SYNTHETIC_BOX, along_a_path, box_of
from nerf_makers import room_views

SMALL = {"voxel.voxels": 2000, "voxel.upsample_at": "", "learning.batch_size": 256, "online.chunk_size": 4,
         "online.iterations": 6}


def config_of(**changes: object) -> NerfConfig:
    return with_values(NerfConfig(), {**SMALL, **changes})


@pytest.mark.parametrize("method", ["none", "replay", "agem"])
def test_a_stream_is_learned_by_every_method(views: list[View], method: str) -> None:
    config, stream = config_of(**{"online.method": method, "online.settle_steps": 2}), along_a_path(views)
    training = OnlineTraining(make_field(config, SYNTHETIC_BOX, 1.0), config, 3)
    told: list[int] = []
    training.run(stream, lambda now: told.append(now.chunk))
    record = training.record
    kept, settling = ([0, 0, 0], 0) if method == "none" else ([4, 8, 12], 2 * (method == "replay"))
    assert told == [1, 2, 3] and record.kept == kept and training.learner.steps == 18 + settling
    assert len(record.seconds) == len(record.before_db) == len(record.after_db) == 3
    assert np.mean(record.after_db) > np.mean(record.before_db)
    training.run(stream, lambda now: told.append(now.chunk))
    assert told == [1, 2, 3] and training.learner.steps == 18 + settling


def test_every_ray_of_a_step_weighs_the_same_and_new_frames_keep_a_share(views: list[View],
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(**{"online.method": "replay", "online.newest_share": 0.25, "online.chunk_size": 2,
                          "online.iterations": 1, "online.settle_steps": 1,
                          "learning.batch_size": 200})
    training, steps = OnlineTraining(make_field(config, SYNTHETIC_BOX, 1.0), config, 5), []
    step = training.learner.step

    def told(batches: list[Batch]) -> Learned:
        steps.append([(len(batch.rays), batch.weight) for batch in batches])
        return step(batches)

    monkeypatch.setattr(training.learner, "step", told)
    training.run(views[:10])
    assert steps == [[(200, 1.0)], [(100, 0.5), (100, 0.5)], [(67, pytest.approx(1 / 3)), (133, pytest.approx(2 / 3))],
                     [(50, 0.25), (150, 0.75)], [(50, 0.25), (150, 0.75)], [(200, 1.0)]]


def test_rays_of_small_images_are_drawn_from_many_of_them() -> None:
    drawn = {}
    for side_px in (16, 160):
        memory = FrameMemory(OnlineConfig(memory_bytes=10_000_000), 0.05, 9.0)
        memory.offer(room_views(30, side_px), [0.0] * 30)
        drawn[side_px] = len(np.unique(memory.draw(300)[1]))
    assert drawn == {16: 30, 160: 16}


def test_memory_holds_no_more_than_its_bytes_and_gives_back_what_it_took(views: list[View]) -> None:
    one = len(compressed(views[0].image, OnlineConfig()))
    memory = FrameMemory(OnlineConfig(memory_bytes=5 * one), 2.0, 6.0)
    memory.offer(views, [0.1] * len(views))
    assert 1 <= len(memory) < len(views) and memory.buffer.size_bytes <= 5 * one
    memory = FrameMemory(OnlineConfig(), 2.0, 6.0)
    memory.offer(views[:1], [0.1])
    rays, slots = memory.draw(64)
    truth = views[0].rays(2.0, 6.0)
    for origin, direction, colour in zip(rays.origins, rays.directions, rays.colours):
        same = (truth.directions - direction).abs().sum(dim=1).argmin()
        assert torch.equal(truth.colours[same], colour) and torch.allclose(truth.origins[same], origin)
    memory.update_losses(slots, torch.full((64,), 0.5))
    assert memory.buffer.traits.losses.tolist() == [0.5]


def test_depth_is_kept_to_the_millimetre_and_jpeg_is_smaller() -> None:
    view = room_views(1, 48)[0]
    memory = FrameMemory(OnlineConfig(image_format="jpeg", sample_mode="weighted_random"), 0.05, 9.0)
    memory.offer([view], [1.0])
    rays, _ = memory.draw(100)
    truth = view.rays(0.05, 9.0)
    for direction, depth in zip(rays.directions, rays.depths):
        assert abs(truth.depths[(truth.directions - direction).abs().sum(dim=1).argmin()] - depth) < 0.002
    sizes = [len(compressed(view.image, OnlineConfig(image_format=name))) for name in ("jpeg", "png")]
    assert sizes[0] < sizes[1]


def test_a_memory_is_resumed_from_its_file(views: list[View], tmp_path: Path) -> None:
    memory, again = (FrameMemory(OnlineConfig(), 2.0, 6.0) for _ in range(2))
    memory.offer(views[:3], [0.1, 0.2, 0.3])
    memory.save(tmp_path / "m.safetensors")
    again.resume(tmp_path / "m.safetensors")
    assert len(again) == 3 and torch.equal(again.draw(50)[0].colours, memory.draw(50)[0].colours)


def test_a_memory_too_small_for_one_frame_says_so(views: list[View]) -> None:
    with pytest.raises(DataError, match="must fit into the buffer's 10 bytes"):
        FrameMemory(OnlineConfig(memory_bytes=10), 2.0, 6.0).offer(views[:1], [0.0])


def test_a_lens_with_distortion_is_refused(views: list[View]) -> None:
    bent = replace(views[0], camera=replace(views[0].camera, distortion_model="plumb_bob",
                                            distortion=(0.1, 0.0, 0.0, 0.0)))
    with pytest.raises(DataError, match="must be without distortion"):
        FrameMemory(OnlineConfig(), 2.0, 6.0).offer([bent], [0.0])


def test_surfaces_given_by_depth_are_seen_from_elsewhere_at_once() -> None:
    views = room_views(8, 24)
    config = config_of(**{"online.method": "replay", "near": 0.05, "far": 9.0, "voxel.voxels": 30_000,
                          "online.chunk_size": 2,
                          "online.iterations": 3})
    field = make_field(config, box_of(views, config.near, config.far), 0.0, empty=True)
    training = OnlineTraining(field, config, 4)
    untaught = psnr_of(field, config, views[7])
    training.run(views[:7])
    assert psnr_of(field, config, views[7]) > untaught + 3
    assert [len(chunk) for chunk in chunks_of(views[:7], config)] == [2, 2, 2, 1]
