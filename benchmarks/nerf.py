"""The tables of radiance fields: two tasks with what is done against forgetting, and streams seen once, from synthetic
views and a room."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.options import NerfBenchConfig
from benchmarks.table import BenchTable
from cl_localization.config import with_values
from cl_localization.errors import ConfigError
from cl_localization.nerf.options import STREAM_VALUES, NerfConfig
from cl_localization.nerf.rays import SeenRays
from cl_localization.nerf.views import SYNTHETIC_BOX, View, along_a_path, box_of, of_side, read_frames, read_synthetic
from cl_localization.research.nerf_cl.cli_train import DEPTH_FAR, DEPTH_NEAR
from cl_localization.research.nerf_cl.cli_train_online import (
    OnlineOutcome,
    forgetting_db,
    learn_with_progress,
    outcome_of,
)
from cl_localization.research.nerf_cl.earlier_tasks import EarlierTasks, begin_task
from cl_localization.research.nerf_cl.field_file import Checkpoint, load_checkpoint, save_checkpoint
from cl_localization.research.nerf_cl.making import best_device, make_field, moved
from cl_localization.research.nerf_cl.nerf_data import WHITE, score
from cl_localization.research.nerf_cl.online import OnlineTraining, chunks_of
from cl_localization.research.nerf_cl.task import TaskTraining

REPLAY = {"replay.use_replay": True}
WEIGHTED = {**REPLAY, "replay.fill_mode": "topk", "replay.sample_mode": "weighted_random",
            "replay.exploration_ratio": 0.2,
            "replay.dynamic_update": True}
DISTILLATION = {"replay.distillation": True}
CENTRES = {**WEIGHTED, "replay.use_centre_weight": True}
PLAIN = {"replay.anchor": 0.0, "replay.generated_share": 0.0}
NEW_RAYS = {**DISTILLATION, **PLAIN, "replay.distillation_weight": 1.0}
METHODS: dict[str, dict[str, Any]] = {
    "no counter-measure": {},
    "distillation": DISTILLATION,
    "distillation of new rays alone": NEW_RAYS,
    "replay": REPLAY,
    "replay without anchor": {**REPLAY, "replay.anchor": 0.0},
    "replay without generated rays": {**REPLAY, "replay.generated_share": 0.0},
    "replay of kept rays alone": {**REPLAY, **PLAIN},
    "weighted replay": WEIGHTED,
    "weighted replay of kept rays alone": {**WEIGHTED, **PLAIN},
    "weighted replay with image centres": CENTRES,
    "weighted replay with image centres of kept rays alone": {**CENTRES, **PLAIN},
}
PUBLISHED_DB = {"right only": 27.79, "no counter-measure": 17.75, "distillation": 22.94, "replay": 26.53,
                "weighted replay": 26.58,
                "weighted replay with image centres": 26.65}
"""What NeRF-CL's README gives for the network of the original; its methods are those of kept or new rays alone."""

TASKS, STREAM, ROOM = PARTS = ("tasks", "stream", "room")
TASK_HEADERS = ("training", "right views [dB]", "change [dB]", "NeRF-CL [dB]", "left views [dB]", "time [s]")
ONLINE_HEADERS = ("stream", "method", "frames", "mean of frames seen [dB]", "held out [dB]", "forgetting [dB]",
                  "a frame [s]",
                  "memory [MB]")
HOLD_OUT = 8


def nerf_tables(lego: Path, kitchen: Path | None, options: NerfBenchConfig, out: Path) -> list[BenchTable]:
    """Return the tables; figures are written to a folder.

    Args:
        lego: folder of a synthetic scene.
        kitchen: a sequence with depth, or None.
    """
    parts = chosen(options.parts, PARTS, "parts")
    tables = [task_table(lego, options, out)] if TASKS in parts else []
    rows, results = [], []
    if STREAM in parts:
        views = along_a_path(read_synthetic(lego, "train", (options.side_px,) * 2))
        config = with_values(NerfConfig(), {**STREAM_VALUES, "online.iterations": options.chunk_steps})
        rows += online_rows("synthetic", views, [], config, out, results, ("none", "replay", "agem"))
        rows.append(joint_row(views, with_values(NerfConfig(), {"online.iterations": options.chunk_steps})))
    if kitchen is not None and ROOM in parts:
        rows += kitchen_rows(kitchen, options, out, results)
    if rows:
        tables.append(BenchTable("Streams seen once", ONLINE_HEADERS, rows, results={"nerf_online": results}))
    return tables


def task_table(lego: Path, options: NerfBenchConfig, out: Path) -> BenchTable:
    """Return the table of the two tasks: right views first, then left views with every method."""
    from cl_localization.research.nerf_cl.figures import draw_psnr_bars
    from cl_localization.viz.style import new_figure, save_figure

    size = (options.side_px,) * 2
    train, test = read_synthetic(lego, "train", size), read_synthetic(lego, "test", size)
    base = with_values(NerfConfig(), {"learning.num_epochs": options.epochs})
    rows, found = [], {}
    with tempfile.TemporaryDirectory(prefix="cl_localization-bench-") as folder:
        path = Path(folder) / "right.safetensors"
        for name, side, changes, before in (
            ("right only", "right", {}, None),
            ("left only", "left", {}, None),
            *((name, "left", METHODS[name], path) for name in chosen(options.methods, METHODS, "methods")),
        ):
            start = time.perf_counter()
            second = {"learning.num_epochs": 2 * options.epochs} if before else {}
            checkpoint = learned_task(train, side, with_values(base, {**changes, **second}), before)
            seconds = time.perf_counter() - start
            if name == "right only":
                save_checkpoint(checkpoint, path)
            found[name] = [score(checkpoint.field, checkpoint.config, of_side(test, each)).psnr_db_mean
                           for each in ("right", "left")]
            change = f"{found[name][0] - found['right only'][0]:+.2f}" if before else "-"
            theirs = PUBLISHED_DB.get(name.removesuffix(" of kept rays alone").removesuffix(" of new rays alone"))
            published = "-" if theirs is None else f"{theirs:.2f}"
            rows.append((name if not before else f"then left, {name}", f"{found[name][0]:.2f}", change, published,
                         f"{found[name][1]:.2f}",
                         f"{seconds:.1f}"))
    figure = new_figure(7, 3.2)
    draw_psnr_bars(figure.subplots(), {name: values[0] for name, values in found.items() if name != "left only"},
                   found["right only"][0])
    save_figure(figure, out / "nerf_tasks.png")
    return BenchTable(f"Two tasks, {size[0]} x {size[0]} px, {len(of_side(train, 'right'))} views from the right and "
                      "then "
                      f"{len(of_side(train, 'left'))} from the left", TASK_HEADERS, rows, results={"nerf_tasks": found})


def chosen(text: str, known: Iterable[str], option: str) -> list[str]:
    """Return what an option names, all that there is when it names nothing. Raises ConfigError for something that is
    not known."""
    names, known = [word.strip() for word in text.split(",") if word.strip()], list(known)
    for name in names:
        if name not in known:
            raise ConfigError(f"option nerf.{option}", f"must name some of {', '.join(known)}", name)
    return names or known


def learned_task(train: list[View], side: str, config: NerfConfig, before: Path | None) -> Checkpoint:
    """Return what came of learning one side, after the checkpoint of the other if there is one."""
    rays, earlier = ray_bundle(of_side(train, side), config), None
    if before is None:
        checkpoint = Checkpoint(moved(make_field(config, SYNTHETIC_BOX, WHITE), best_device()), config, WHITE)
    else:
        checkpoint = replace(load_checkpoint(before), config=config)
        moved(checkpoint.field, best_device())
        earlier = ray_bundle([view for view in train if view.side != side], config)
    kept = EarlierTasks() if before is None else begin_task(checkpoint.field, config, rays, earlier)
    checkpoint.progress.next_task(config)
    TaskTraining(checkpoint.field, config, rays, checkpoint.progress, kept).run()
    return checkpoint


def ray_bundle(views: list[View], config: NerfConfig) -> SeenRays:
    """Return the rays of all views."""
    return SeenRays.joined([view.rays(config.near, config.far) for view in views])


def online_rows(name: str, learned: list[View], held_out: list[View], config: NerfConfig, out: Path,
                results: list[dict[str, Any]],
                methods: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return a row a method of a stream; what came out is added to `results`, a figure is written for each."""
    from cl_localization.research.nerf_cl.cli_train_online import draw

    rows = []
    for method in methods:
        used = with_values(config, {"online.method": method})
        training = OnlineTraining(stream_field(learned, used), used, len(chunks_of(learned, used)))
        outcome = outcome_of(training, learned, held_out, learn_with_progress(training, learned, 10))
        draw(outcome, training, out / f"nerf_{name}_{method}.png")
        results.append({"stream": name, "method": method, **outcome.to_json()})
        rows.append(online_row(name, method, outcome, training.memory.buffer.size_bytes))
    return rows


def stream_field(views: list[View], config: NerfConfig) -> Any:
    """Return a field that has learned nothing for a stream, with or without depth."""
    has_depth = views[0].depth is not None
    box = box_of(views, config.near, config.far) if has_depth else SYNTHETIC_BOX
    return moved(make_field(config, box, 0.0 if has_depth else WHITE, empty=has_depth), best_device())


def joint_row(views: list[View], config: NerfConfig) -> tuple[str, ...]:
    """Return the row of a field that sees all frames from the first step on, with as many steps as the stream had."""
    steps = len(chunks_of(views, config)) * config.online.iterations
    used = with_values(config, {"learning.max_steps": steps, "learning.num_epochs": 10**6})
    start = time.perf_counter()
    checkpoint = learned_task(views, "all", used, None)
    seconds = time.perf_counter() - start
    found = np.array(score(checkpoint.field, used, views).psnr_db)
    return ("synthetic", "joint, as many steps", str(len(views)), f"{found.mean():.2f}", "-", "-",
            f"{seconds / len(views):.3f}", "-")


def kitchen_rows(kitchen: Path, options: NerfBenchConfig, out: Path,
                 results: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the rows of RedKitchen: every eighth frame is held out, the others come one by one."""
    views = read_frames(str(kitchen), (160, 120), options.kitchen_frames)
    held = [number % HOLD_OUT == HOLD_OUT - 1 for number in range(len(views))]
    learned, held_out = ([view for view, out_of in zip(views, held) if out_of == which] for which in (False, True))
    config = with_values(
        NerfConfig(),
        {
            **STREAM_VALUES,
            "near": DEPTH_NEAR,
            "far": DEPTH_FAR,
            "online.chunk_size": 1,
            "voxel.voxels": options.kitchen_voxels,
            "online.iterations": options.kitchen_steps,
            "online.memory_bytes": 20_000_000,
        },
    )
    return online_rows("RedKitchen", learned, held_out, config, out, results, ("none", "replay"))


def online_row(name: str, method: str, outcome: OnlineOutcome, memory_bytes: int) -> tuple[str, ...]:
    """Return one row of the table of streams."""
    held_out = f"{outcome.held_out_db.mean():.2f}" if len(outcome.held_out_db) else "-"
    return (name, method, str(len(outcome.seen_db)), f"{outcome.seen_db.mean():.2f}", held_out,
            f"{forgetting_db(outcome.matrix_db):.2f}",
            f"{outcome.seconds_per_frame:.3f}", f"{memory_bytes / 1e6:.2f}")
