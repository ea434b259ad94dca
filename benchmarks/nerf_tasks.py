"""The table of two tasks: the views of a synthetic scene from the right, then those from the left, with what keeps the
right from being forgotten, and what is kept for that in bytes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import BenchTable
from cl_localization.config import with_values
from cl_localization.nerf.learner import Field, learned_values
from cl_localization.nerf.rays import SeenRays
from cl_localization.nerf.views import View
from cl_localization.research.nerf_cl.earlier_tasks import EarlierTasks, begin_task
from cl_localization.research.nerf_cl.field_file import Checkpoint, load_checkpoint, save_checkpoint
from cl_localization.research.nerf_cl.making import best_device, make_field, moved
from cl_localization.research.nerf_cl.nerf_data import WHITE, score
from cl_localization.research.nerf_cl.options import NerfConfig
from cl_localization.research.nerf_cl.scene_views import SYNTHETIC_BOX, of_side, side_of
from cl_localization.research.nerf_cl.task import TaskTraining

RIGHT_ONLY, LEFT_ONLY, JOINT = "right only", "left only", "joint: both at once"
FIRST = {RIGHT_ONLY: "right", LEFT_ONLY: "left", JOINT: "all"}
"""What is learned without a task before it, and from which views."""

IMAGES = {"replay.use_replay": True}
RAYS = {**IMAGES, "replay.keep": "rays"}
WEIGHTED = {**RAYS, "replay.fill_mode": "topk", "replay.sample_mode": "weighted_random",
            "replay.exploration_ratio": 0.2, "replay.dynamic_update": True}
DISTILLATION = {"replay.distillation": True}
METHODS: dict[str, dict[str, Any]] = {
    "no counter-measure": {},
    "distillation of new rays": {**DISTILLATION, "replay.distillation_weight": 1.0},
    "distillation from earlier cameras": DISTILLATION,
    "kept rays": RAYS,
    "weighted kept rays": WEIGHTED,
    "weighted kept rays and image centres": {**WEIGHTED, "replay.use_centre_weight": True},
    "kept and generated rays and anchor": {**RAYS, "replay.generated_share": 0.8, "replay.anchor": 0.5},
    "images": IMAGES,
    "images in half of their bytes": {**IMAGES, "replay.buffer_size": 2200},
    "images in a quarter of their bytes": {**IMAGES, "replay.buffer_size": 1100},
}
"""The second task; 20,480 rays of the original are 901,120 bytes, and so much may images take unless said otherwise."""

PUBLISHED_DB = {RIGHT_ONLY: 27.79, "no counter-measure": 17.75, "distillation of new rays": 22.94, "kept rays": 26.53,
                "weighted kept rays": 26.58, "weighted kept rays and image centres": 26.65}
"""What NeRF-CL's README gives for the network of the original."""

HEADERS = ("training", "right views [dB]", "to joint [dB]", "NeRF-CL [dB]", "left views [dB]", "kept [kB]", "time [s]")


@dataclass(frozen=True)
class TaskScore:
    """One training: PSNR on test views, bytes kept of the task before, time of learning."""

    name: str
    seed: int
    right_db: float
    left_db: float
    kept_bytes: int
    seconds: float


def task_scores(train: list[View], test: list[View], config: NerfConfig, methods: Sequence[str], seed: int,
                folder: Path, told: Callable[[TaskScore], None]) -> None:
    """Learn the tasks with one seed; every training is told as soon as it is done."""
    config = with_values(config, {"learning.seed": seed})
    right = folder / f"right_{seed}.safetensors"
    for name in (*FIRST, *methods):
        before = None if name in FIRST else right
        epochs = (1 if before is None else 2) * config.learning.num_epochs
        used = with_values(config, {"learning.num_epochs": epochs, **METHODS.get(name, {})})
        start = time.perf_counter()
        checkpoint, kept = learned_task(train, FIRST.get(name, "left"), used, before)
        seconds = time.perf_counter() - start
        if name == RIGHT_ONLY:
            save_checkpoint(checkpoint, right)
        db = [score(checkpoint.field, used, of_side(test, side)).psnr_db_mean for side in ("right", "left")]
        told(TaskScore(name, seed, *db, kept_bytes(checkpoint.field, used, kept), seconds))


def learned_task(train: list[View], side: str, config: NerfConfig,
                 before: Path | None) -> tuple[Checkpoint, EarlierTasks]:
    """Return what came of learning one side, after the checkpoint of the other if there is one, and what was kept."""
    rays, kept = ray_bundle(of_side(train, side), config), EarlierTasks()
    if before is None:
        checkpoint = Checkpoint(moved(make_field(config, SYNTHETIC_BOX, WHITE), best_device()), config, WHITE)
    else:
        checkpoint = replace(load_checkpoint(before), config=config)
        moved(checkpoint.field, best_device())
        earlier = [view for view in train if side_of(view) != side]
        kept = begin_task(checkpoint.field, config, rays, ray_bundle(earlier, config), views=earlier)
    checkpoint.progress.next_task(config)
    TaskTraining(checkpoint.field, config, rays, checkpoint.progress, kept).run()
    return checkpoint, kept


def kept_bytes(field: Field, config: NerfConfig, kept: EarlierTasks) -> int:
    """Return the bytes a task kept of those before it: images or rays, and copies of the field's values."""
    copies = int(kept.generated is not None or kept.soft is not None) + 2 * int(config.replay.anchor > 0)
    values = sum(each.nbytes for each in learned_values(field))
    return copies * values + (0 if kept.replay is None else kept.replay.size_bytes)


def ray_bundle(views: list[View], config: NerfConfig) -> SeenRays:
    """Return the rays of all views."""
    return SeenRays.joined([view.rays(config.near, config.far) for view in views])


def task_table(train: list[View], test: list[View], config: NerfConfig, methods: Sequence[str], seeds: int,
               out: Path) -> BenchTable:
    """Return the table of the two tasks, means over seeds; the figure is written to a folder."""
    from cl_localization.research.nerf_cl.figures import draw_psnr_bars
    from cl_localization.viz.style import new_figure, save_figure

    found: list[TaskScore] = []
    with tempfile.TemporaryDirectory(prefix="cl_localization-bench-") as folder:
        for seed in range(config.learning.seed, config.learning.seed + seeds):
            task_scores(train, test, config, methods, seed, Path(folder), found.append)
    figure = new_figure(7, 3.2)
    means = {name: [mean_of(found, name, "right_db")[0]] for name in (*FIRST, *methods) if name != LEFT_ONLY}
    draw_psnr_bars(figure.subplots(), {name: values[0] for name, values in means.items()}, means[RIGHT_ONLY][0])
    save_figure(figure, out / "nerf_tasks.png")
    size, right, left = train[0].camera.width_px, len(of_side(train, "right")), len(of_side(train, "left"))
    return BenchTable(f"Two tasks, {size} x {size} px, {right} views from the right and then {left} from the left, "
                      f"{seeds} seeds", HEADERS, rows_of(found), results={"nerf_tasks": [asdict(one) for one in found]})


def rows_of(found: list[TaskScore]) -> list[tuple[str, ...]]:
    """Return the rows of scores of one or more seeds; differences to joint are means over pairs of the same seed."""
    rows, joint = [], {one.seed: one.right_db for one in found if one.name == JOINT}
    for name in dict.fromkeys(one.name for one in found):
        of_name = [one for one in found if one.name == name]
        apart = [one.right_db - joint[one.seed] for one in of_name if one.seed in joint]
        published = f"{PUBLISHED_DB[name]:.2f}" if name in PUBLISHED_DB else "-"
        rows.append((name if name in FIRST else f"then left, {name}", with_spread(*mean_of(found, name, "right_db")),
                     f"{np.mean(apart):+.2f}" if apart and name != JOINT else "-", published,
                     with_spread(*mean_of(found, name, "left_db")),
                     "-" if name in FIRST else f"{of_name[0].kept_bytes / 1000:.0f}",
                     f"{np.mean([one.seconds for one in of_name]):.1f}"))
    return rows


def mean_of(found: list[TaskScore], name: str, value: str) -> tuple[float, float]:
    """Return mean and standard deviation of a value over the seeds of one training."""
    values = [getattr(one, value) for one in found if one.name == name]
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def with_spread(mean: float, spread: float) -> str:
    """Return a mean with its standard deviation, where there are several seeds."""
    return f"{mean:.2f} ± {spread:.2f}" if spread else f"{mean:.2f}"
