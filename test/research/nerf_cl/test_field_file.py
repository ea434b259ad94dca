from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cl_localization.config import with_values
from cl_localization.errors import DataError
from cl_localization.nerf.learner import render_rays
from cl_localization.nerf.rays import SeenRays
from cl_localization.nerf.views import View
from cl_localization.research.nerf_cl.field_file import FORMAT, Checkpoint, load_checkpoint, save_checkpoint
from cl_localization.research.nerf_cl.making import best_device, make_field, moved
from cl_localization.research.nerf_cl.options import NerfConfig
from cl_localization.research.nerf_cl.scene_views import SYNTHETIC_BOX
from cl_localization.research.nerf_cl.task import TaskTraining

SMALL = {"voxel.voxels": 2000, "voxel.upsample_at": "0.2", "voxel.prune_every": 5, "learning.batch_size": 256,
         "learning.num_epochs": 4,
         "mlp.width": 16, "mlp.layers": 3, "render.samples": 8, "render.importance_samples": 8}


def checkpoint_of(field: str) -> Checkpoint:
    config = with_values(NerfConfig(), {**SMALL, "field": field})
    checkpoint = Checkpoint(make_field(config, SYNTHETIC_BOX, 1.0), config, 1.0, tasks=("right",), finished=False,
                            extra={"note": "x"})
    checkpoint.progress.next_task(config)
    return checkpoint


def rays_of(views: list[View]) -> SeenRays:
    return SeenRays.joined([view.rays(2.0, 6.0) for view in views[:4]])


@pytest.mark.parametrize("field", ["voxel", "mlp"])
def test_a_checkpoint_gives_back_the_field_and_training_goes_on_as_if_never_stopped(
    views: list[View], tmp_path: Path, field: str
) -> None:
    rays, path = rays_of(views), tmp_path / "x.safetensors"
    checkpoint = checkpoint_of(field)
    training = TaskTraining(checkpoint.field, checkpoint.config, rays, checkpoint.progress)
    training.run_epoch()
    save_checkpoint(checkpoint, path)
    again = load_checkpoint(path)
    assert (again.tasks, again.finished, again.extra, again.config) == (("right",), False, {"note": "x"},
                                                                        checkpoint.config)
    assert vars(again.progress) == vars(checkpoint.progress) and again.progress.epoch == 1
    assert torch.equal(render_rays(again.field, rays, 999).colours, render_rays(checkpoint.field, rays, 999).colours)
    results = []
    for one in (again, load_checkpoint(path)):
        TaskTraining(one.field, one.config, rays, one.progress).run()
        results.append(render_rays(one.field, rays, 999).colours)
        assert one.progress.epoch == 4
    assert torch.equal(*results)


def test_a_field_moves_to_the_device_that_is_there() -> None:
    field = checkpoint_of("voxel").field
    assert moved(field, best_device()).device == torch.zeros(0, device=best_device()).device


def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(DataError, match="must be a file, found nothing there"):
        load_checkpoint(path)
    save_file({"a": torch.zeros(1)}, path, metadata={"format": "other"})
    with pytest.raises(DataError, match=f"must be of format {FORMAT}"):
        load_checkpoint(path)
    save_file({"a": torch.zeros(1)}, path, metadata={"format": FORMAT, "json": json.dumps({"format_version": 99})})
    with pytest.raises(DataError, match="must have format version 1, found 99"):
        load_checkpoint(path)
    save_checkpoint(checkpoint_of("voxel"), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="must be a whole safetensors file"):
        load_checkpoint(path)


def test_parts_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    checkpoint = checkpoint_of("voxel")
    save_checkpoint(checkpoint, path)
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    save_file({**tensors, "field.density": tensors["field.density"][:-1].contiguous()}, path, metadata=metadata)
    with pytest.raises(DataError, match="must have parts that fit together"):
        load_checkpoint(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must not be a folder|must be a file"):
        save_checkpoint(checkpoint_of("voxel"), tmp_path)
