"""`test nerf`: how well a radiance field renders views it was not trained on; images, depth maps and a film of a
path."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cl_localization.cli.flags import argument
from cl_localization.cli.outputs import write_json
from cl_localization.cli.tables import print_rows
from cl_localization.research.nerf_cl.nerf_data import Scores, read_split, score
from cl_localization.research.nerf_cl.original_names import translated

if TYPE_CHECKING:
    from cl_localization.nerf.views import View
    from cl_localization.research.nerf_cl.field_file import Checkpoint
    from cl_localization.research.nerf_cl.options import NerfConfig


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Render views with a radiance field and compare them with their images.

    Example: cl_localization test nerf --root_dir lego --img_wh 64 64 --split test --test_view right --ckpt_path
        right.safetensors
    """

    root_dir: str = argument("Folder with transforms_test.json and so on, or any posed sequence with --dataset_name "
                             "sequence.",
                             metavar="DIR")
    ckpt_path: Path = argument("Checkpoint of `train nerf`.", metavar="CKPT")
    dataset_name: Literal["blender", "blender_online", "sequence"] = argument("As in `train nerf`.", "blender")
    img_wh: tuple[int, int] = argument("Width and height that images are scaled to [px].", (800, 800), metavar="W H")
    split: str = argument("Which views: train, val or test; infer_train is train.", "test")
    test_view: Literal["right", "left", "NA"] = argument("Only views of one side: camera x > 0 is right; NA: all.",
                                                         "NA")
    every: int = argument("Only every how manieth view.", 1)
    samples: int | None = argument("Samples along a ray, instead of those of the checkpoint (mlp).", None)
    importance_samples: int | None = argument("Further samples of the fine network, instead of those of the checkpoint "
                                              "(mlp).", None)
    in_disparity: bool = argument("Space samples evenly in 1/depth (mlp).", False)
    chunk: int = argument("Rays rendered at once.", 32768)
    save_dir_name: Path | None = argument("Folder for the rendered images.", None, metavar="FOLDER", writes="files")
    save_depth: bool = argument("Also write depth maps there.", False)
    depth_format: Literal["pfm", "bytes"] = argument("Format of depth maps.", "pfm")
    film: Path | None = argument("GIF of a camera that circles the scene.", None, metavar="FILE.gif", writes="file")
    film_frames: int = argument("Images of the film.", 40)
    json: Path | None = argument("File for the figures.", None, metavar="FILE", writes="file")
    threads: int = argument("Processor threads; 0: as many as there are cores.", 0)


def understood(words: list[str]) -> list[str]:
    """Return the words of a command line with the original's names replaced."""
    return translated(words, train=False)


def run(arguments: Arguments) -> int:
    """Render, write and print what came out; return the exit code."""
    import torch

    from cl_localization.research.nerf_cl.field_file import load_checkpoint
    from cl_localization.research.nerf_cl.making import best_device, moved
    from cl_localization.research.nerf_cl.scene_views import of_side

    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    checkpoint = load_checkpoint(arguments.ckpt_path)
    config = rendering(arguments, checkpoint)
    field = moved(checkpoint.field, best_device())
    split = "train" if arguments.split == "infer_train" else arguments.split
    views = read_split(arguments.root_dir, arguments.dataset_name, split, arguments.img_wh, config.background)
    views = of_side(views, arguments.test_view)[::max(arguments.every, 1)]
    scores = score(field, config, views, arguments.save_dir_name,
                   arguments.depth_format if arguments.save_depth else "")
    if arguments.film is not None:
        write_path_film(arguments, checkpoint, config, views)
    if arguments.json is not None:
        write_json(arguments.json, figures(scores, checkpoint))
    print_rows(f"checkpoint {arguments.ckpt_path}", summary_rows(arguments, scores))
    return 0


def rendering(arguments: Arguments, checkpoint: Checkpoint) -> NerfConfig:
    """Return the checkpoint's options with the rendering that is asked for, and use them in its field."""
    old = checkpoint.config.render
    changes: dict[str, Any] = {"chunk": arguments.chunk, "in_disparity": arguments.in_disparity or old.in_disparity}
    if arguments.samples is not None:
        changes["samples"] = arguments.samples
    if arguments.importance_samples is not None and old.importance_samples:
        changes["importance_samples"] = max(arguments.importance_samples, 1)
    config = replace(checkpoint.config, render=replace(old, **changes))
    if config.field == "mlp":
        checkpoint.field.config = config
    return config


def write_path_film(arguments: Arguments, checkpoint: Checkpoint, config: NerfConfig, views: list[View]) -> None:
    """Write the film of a camera that circles what the views look at."""
    from cl_localization.research.nerf_cl.paths import orbit
    from cl_localization.research.nerf_cl.pictures import render_view, write_film

    images = [render_view(checkpoint.field, config, views[0].camera, world_T_cam)[0]
              for world_T_cam in orbit(views, arguments.film_frames)]
    write_film(images, arguments.film)


def figures(scores: Scores, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the figures as JSON values."""
    from cl_localization.evaluation.provenance import provenance

    return {"psnr_db_mean": scores.psnr_db_mean, "ssim_mean": scores.ssim_mean, "views": len(scores.names),
            "psnr_db": dict(zip(scores.names, scores.psnr_db)), "seconds_per_view": scores.seconds / len(scores.names),
            "tasks": list(checkpoint.tasks), "field": checkpoint.config.field, **provenance()}


def summary_rows(arguments: Arguments, scores: Scores) -> list[tuple[str, str, str]]:
    """Return what came out as (metric, value, unit)."""
    side = "" if arguments.test_view == "NA" else f", {arguments.test_view}"
    spread = math.sqrt(sum((value - scores.psnr_db_mean) ** 2 for value in scores.psnr_db) / len(scores.psnr_db))
    return [(f"views of {arguments.split}{side}", f"{len(scores.names)}", ""),
            ("PSNR, mean", f"{scores.psnr_db_mean:.2f}", "dB"),
            ("PSNR, spread", f"{spread:.2f}", "dB"), ("SSIM, mean", f"{scores.ssim_mean:.3f}", ""),
            ("time for a view", f"{scores.seconds / len(scores.names):.3f}", "s")]
