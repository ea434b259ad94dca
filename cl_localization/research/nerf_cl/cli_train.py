"""`train nerf`: a radiance field of posed images, learned in one go, in tasks, or online from a stream."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cl_localization.cli.outputs import require_folder, require_writable
from cl_localization.cli.progress import shown_progress
from cl_localization.cli.tables import print_rows
from cl_localization.config import flatten
from cl_localization.errors import ConfigError, DataError
from cl_localization.research.nerf_cl.nerf_data import SYNTHETIC, background_of, read_split, validation_figures
from cl_localization.research.nerf_cl.options import NerfConfig
from cl_localization.research.nerf_cl.original_names import translated
from cl_localization.research.nerf_cl.resume import go_on_with, with_field_options
from cl_localization.research.nerf_cl.train_arguments import Arguments, made_of

if TYPE_CHECKING:
    from cl_localization.nerf.views import View
    from cl_localization.research.nerf_cl.field_file import Checkpoint
    from cl_localization.research.nerf_cl.task import TaskTraining

MODEL_FILE, BEST_FILE = "model.safetensors", "best.safetensors"
SAVE_EVERY_EPOCHS = 10
DEPTH_NEAR, DEPTH_FAR = 0.05, 8.0
MLP_ALONE = ("mlp.", "render.samples", "render.importance_samples", "render.in_disparity", "render.perturb",
             "render.noise_std", "learning.optimizer", "learning.learning_rate", "learning.momentum",
             "learning.weight_decay", "learning.schedule", "learning.decay_", "learning.poly_exp", "learning.warmup_")
"""Options, by the beginnings of their names, that only the original network uses."""


def understood(words: list[str]) -> list[str]:
    """Return the words of a command line with the original's names replaced, and what `with_field_options` adds."""
    return with_field_options(translated(words, train=True))


def run(arguments: Arguments) -> int:
    """Train, write the checkpoint and print what came out; return the exit code."""
    folder = run_folder(arguments)
    out = require_writable(arguments.out or folder / MODEL_FILE)

    import torch

    from cl_localization.research.nerf_cl.field_file import save_checkpoint

    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    config = checked_config(arguments)
    if arguments.online_mode:
        from cl_localization.research.nerf_cl.cli_train_online import run_online

        return run_online(arguments, config, out, folder)
    views = task_views(arguments, config)
    checkpoint, resumed = begun(arguments, config, views)
    start = time.perf_counter()
    training = prepared(arguments, checkpoint, views, resumed)
    train_with_progress(arguments, training, checkpoint, out, folder)
    checkpoint.finished = True
    save_checkpoint(checkpoint, out)
    seconds = time.perf_counter() - start
    print_rows(f"checkpoint {out}", summary_rows(arguments, checkpoint, training, seconds, out.stat().st_size))
    return 0


def run_folder(arguments: Arguments) -> Path | None:
    """Return the folder of the run, None when only a checkpoint is asked for.

    Raises:
        ConfigError: neither is.
    """
    if arguments.exp_name:
        return require_folder(arguments.runs_path / arguments.exp_name)
    if arguments.out is None:
        raise ConfigError("option out", "is missing", remedy="give --out CKPT, or --exp_name NAME")
    return None


def checked_config(arguments: Arguments) -> NerfConfig:
    """Return the options with bounds that suit the data, after checking what does not go together.

    Raises:
        ConfigError: a side without tasks, bounds in the wrong order, images that are not square where they must be.
    """
    config = arguments.options
    if arguments.continual_mode and arguments.train_view == "all" and not arguments.online_mode:
        raise ConfigError("option continual_mode", "needs a side", remedy="give --train_view right or left")
    if min(arguments.img_wh) < 1:
        raise ConfigError("option img_wh", "must be positive", arguments.img_wh)
    if arguments.dataset_name in SYNTHETIC and arguments.img_wh[0] != arguments.img_wh[1]:
        raise ConfigError("option img_wh", "must be square for synthetic scenes", arguments.img_wh)
    if arguments.dataset_name == "sequence" and (config.near, config.far) == (NerfConfig().near, NerfConfig().far):
        config = replace(config, near=DEPTH_NEAR, far=DEPTH_FAR)
    ignored = ignored_options(config)
    if ignored:
        from cl_localization.cli.tables import warn

        warn(f"the voxel field does not use {', '.join(ignored)}; --field mlp does")
    if config.near >= config.far:
        raise ConfigError("option near", "must be less than far", (config.near, config.far))
    return config


def ignored_options(config: NerfConfig) -> list[str]:
    """Return the options given that the field has no use for."""
    usual = {name: value for name, value, _ in flatten(NerfConfig())}
    return [name for name, value, _ in flatten(config)
            if config.field == "voxel" and name.startswith(MLP_ALONE) and value != usual[name]]


def task_views(arguments: Arguments, config: NerfConfig) -> list[View]:
    """Return all training views."""
    return read_split(arguments.root_dir, arguments.dataset_name, "train", arguments.img_wh, config.background)


def begun(arguments: Arguments, config: NerfConfig, views: list[View]) -> tuple[Checkpoint, bool]:
    """Return a new checkpoint, or the one to go on from, and whether it goes on with a task that was not finished."""
    from cl_localization.research.nerf_cl.field_file import Checkpoint, load_checkpoint
    from cl_localization.research.nerf_cl.making import best_device, make_field, moved
    from cl_localization.research.nerf_cl.scene_views import SYNTHETIC_BOX, box_of

    task = arguments.train_view if arguments.continual_mode else "all"
    if arguments.ckpt_path is None:
        background = background_of(config, arguments.dataset_name)
        box = SYNTHETIC_BOX if arguments.dataset_name in SYNTHETIC else box_of(views, config.near, config.far)
        empty = views[0].depth is not None
        field = moved(make_field(config, box, background, empty=empty), best_device())
        checkpoint = Checkpoint(field, config, background, tasks=(task,), finished=False)
        checkpoint.progress.next_task(config)
        return checkpoint, False
    checkpoint = load_checkpoint(arguments.ckpt_path)
    resumed = not checkpoint.finished and checkpoint.tasks[-1:] == (task,)
    go_on_with(checkpoint, config)
    if best_device().type != "cpu":
        moved(checkpoint.field, best_device())
    if not resumed:
        checkpoint.progress.next_task(checkpoint.config)
        checkpoint.tasks, checkpoint.finished = (*checkpoint.tasks, task), False
    return checkpoint, resumed


def prepared(arguments: Arguments, checkpoint: Checkpoint, views: list[View], resumed: bool) -> TaskTraining:
    """Return the training of the present task, with what is kept of those before it, made before it changes the
    field."""
    import torch

    from cl_localization.nerf.views import surface_of
    from cl_localization.nerf.voxel_field import VoxelField
    from cl_localization.research.nerf_cl.earlier_tasks import EarlierTasks, begin_task
    from cl_localization.research.nerf_cl.scene_views import of_side
    from cl_localization.research.nerf_cl.task import TaskTraining

    config, field, task = checkpoint.config, checkpoint.field, checkpoint.tasks[-1]
    own = of_side(views, task)
    rays = joined_rays(own, config)
    earlier = [view for view in views if view not in own] if len(checkpoint.tasks) > 1 else []
    kept = EarlierTasks()
    if len(checkpoint.tasks) > 1 or config.replay.use_replay:
        kept = begin_task(field, config, rays, joined_rays(earlier, config) if earlier else None, resumed, earlier)
    if isinstance(field, VoxelField) and own[0].depth is not None and not resumed:
        for view in own:
            field.add_surface(*(torch.from_numpy(part).to(field.device)
                                for part in surface_of(view, config.near, config.far)))
    return TaskTraining(field, config, rays, checkpoint.progress, kept)


def joined_rays(views: list[View], config: NerfConfig) -> Any:
    """Return the rays of all views."""
    from cl_localization.nerf.rays import SeenRays

    return SeenRays.joined([view.rays(config.near, config.far) for view in views])


def train_with_progress(arguments: Arguments, training: TaskTraining, checkpoint: Checkpoint, out: Path,
                        folder: Path | None) -> None:
    """Train; progress is shown, figures are logged in the run's folder where there is one, checkpoints are kept."""
    from contextlib import nullcontext

    from cl_localization.research.nerf_cl.field_file import save_checkpoint
    from cl_localization.research.training_log import TensorboardLog

    validation = validation_views(arguments, checkpoint.config)
    best = [float("inf")]
    with (
        shown_progress("training", "epochs") as tell,
        nullcontext() if folder is None else TensorboardLog(folder) as log,
    ):
        def told(now: TaskTraining) -> None:
            epoch, last = now.progress.epoch, now.progress.last_epoch
            tell(epoch, last)
            is_end = epoch >= last or now.progress.step >= now.total_steps
            figures = {"train/loss": now.loss, "train/skipped_steps": float(now.learner.skipped)}
            if validation and (is_end or (arguments.val_every and epoch % arguments.val_every == 0)):
                figures |= validation_figures(now.field, now.config, validation)
                checkpoint.extra["validation"] = figures
            if log is not None:
                log(epoch, figures)
            if folder is not None and figures.get(arguments.monitor, best[0]) < best[0]:
                best[0] = figures[arguments.monitor]
                save_checkpoint(checkpoint, folder / BEST_FILE)
            if epoch % SAVE_EVERY_EPOCHS == 0 and not is_end:
                save_checkpoint(checkpoint, out)

        training.run(told)
    checkpoint.extra |= {"skipped_steps": training.learner.skipped, **made_of(arguments)}


def validation_views(arguments: Arguments, config: NerfConfig) -> list[View]:
    """Return the validation views of synthetic scenes where they are there, else none."""
    if arguments.dataset_name not in SYNTHETIC:
        return []
    try:
        return read_split(arguments.root_dir, "blender", "val", arguments.img_wh, config.background)
    except DataError:
        return []


def summary_rows(arguments: Arguments, checkpoint: Checkpoint, training: TaskTraining, seconds: float,
                 file_bytes: int) -> list[tuple[str, str, str]]:
    """Return what came out as (metric, value, unit)."""
    validation = {name: value for name, value in checkpoint.extra.get("validation", {}).items()
                  if name.startswith("val/psnr")}
    return [("tasks", " then ".join(checkpoint.tasks), ""), ("rays", f"{len(training.rays):,}", ""),
            ("epochs", f"{checkpoint.progress.epoch}", ""), ("steps", f"{training.progress.step}", ""),
            ("skipped steps", f"{training.learner.skipped}", ""), ("time", f"{seconds:.1f}", "s"),
            *((name, f"{value:.2f}", "dB") for name, value in validation.items()), ("file", f"{file_bytes:,}", "bytes")]
