"""The tables of radiance fields: two tasks with what is done against forgetting, and streams seen once, from synthetic
views and a room."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.nerf_tasks import METHODS, learned_task, task_table
from benchmarks.nerf_views import view_table
from benchmarks.options import NerfBenchConfig
from benchmarks.table import BenchTable
from cl_localization.config import with_values
from cl_localization.errors import ConfigError
from cl_localization.nerf.views import View
from cl_localization.research.nerf_cl.cli_train import DEPTH_FAR, DEPTH_NEAR
from cl_localization.research.nerf_cl.cli_train_online import (
    OnlineOutcome,
    forgetting_db,
    learn_with_progress,
    outcome_of,
)
from cl_localization.research.nerf_cl.making import best_device, make_field, moved
from cl_localization.research.nerf_cl.nerf_data import WHITE, score
from cl_localization.research.nerf_cl.online import OnlineTraining, chunks_of
from cl_localization.research.nerf_cl.options import STREAM_VALUES, NerfConfig
from cl_localization.research.nerf_cl.scene_views import (
    SYNTHETIC_BOX,
    along_a_path,
    box_of,
    read_frames,
    read_synthetic,
)
from cl_localization.research.nerf_cl.task import DEFAULT_EPOCHS

TASKS, STREAM, ROOM, VIEWS, BESIDE = PARTS = ("tasks", "stream", "room", "views", "beside")
ONLINE_HEADERS = ("stream", "method", "frames", "mean of frames seen [dB]", "held out [dB]", "forgetting [dB]",
                  "a frame [s]",
                  "memory [MB]")
HOLD_OUT = 8
STREAMS: dict[str, dict[str, Any]] = {
    "none": {"online.method": "none"}, "agem": {"online.method": "agem"},
    "replay": {"online.method": "replay", "online.settle_steps": 0}, "replay and settling": {"online.method": "replay"}}
"""What is done against forgetting on a stream; settling are steps of replay after it."""


def nerf_tables(lego: Path, kitchen: Path | None, options: NerfBenchConfig, out: Path) -> list[BenchTable]:
    """Return the tables; figures are written to a folder.

    Args:
        lego: folder of a synthetic scene.
        kitchen: a sequence with depth, or None.
    """
    parts = chosen(options.parts, PARTS, "parts")
    size = (options.side_px,) * 2
    tables, rows, results = [], [], []
    if TASKS in parts:
        config = with_values(NerfConfig(), {"learning.num_epochs": options.epochs or DEFAULT_EPOCHS["voxel"]})
        tables.append(task_table(read_synthetic(lego, "train", size), read_synthetic(lego, "test", size), config,
                                 methods_of(options.methods, METHODS), options.seeds, out))
    if STREAM in parts:
        views = along_a_path(read_synthetic(lego, "train", size))
        steps = {"online.iterations": options.chunk_steps}
        for seed in range(options.seeds):
            config = with_values(NerfConfig(), {**steps, "learning.seed": NerfConfig().learning.seed + seed})
            name = "synthetic" if options.seeds == 1 else f"synthetic, seed {config.learning.seed}"
            rows += online_rows(name, views, [], with_values(config, STREAM_VALUES), out, results,
                                methods_of(options.methods, STREAMS))
            rows.append(joint_row(name, views, config))
    if kitchen is not None and ROOM in parts:
        rows += kitchen_rows(kitchen, options, out, results)
    if kitchen is not None and VIEWS in parts:
        tables.append(view_table(str(kitchen), options.kitchen_frames, options.view_steps))
    if kitchen is not None and BESIDE in parts:
        from benchmarks.nerf_beside import beside_table  # needs ROS

        tables.append(beside_table(str(kitchen), options.kitchen_frames))
    if rows:
        tables.append(BenchTable("Streams seen once", ONLINE_HEADERS, rows, results={"nerf_online": results}))
    return tables


def chosen(text: str, known: Iterable[str], option: str) -> list[str]:
    """Return what an option names, all that there is when it names nothing. Raises ConfigError for something that is
    not known."""
    names, known = [word.strip() for word in text.split(",") if word.strip()], list(known)
    for name in names:
        if name not in known:
            raise ConfigError(f"option nerf.{option}", f"must name some of {', '.join(known)}", name)
    return names or known


def methods_of(text: str, known: Iterable[str]) -> list[str]:
    """Return the methods of one table that an option names, all of them when it names none of these. Raises ConfigError
    for something that is a method of no table."""
    named = chosen(text, [*METHODS, *STREAMS], "methods")
    return [name for name in known if name in named] or list(known)


def online_rows(name: str, learned: list[View], held_out: list[View], config: NerfConfig, out: Path,
                results: list[dict[str, Any]], methods: Iterable[str]) -> list[tuple[str, ...]]:
    """Return a row a method of a stream; what came out is added to `results`, a figure is written for each."""
    from cl_localization.research.nerf_cl.cli_train_online import draw

    rows = []
    for method in methods:
        used = with_values(config, STREAMS[method])
        training = OnlineTraining(stream_field(learned, used), used, len(chunks_of(learned, used)))
        outcome = outcome_of(training, learned, held_out, learn_with_progress(training, learned, 10))
        draw(outcome, training, out / f"nerf_{name} {method}.png".replace(",", "").replace(" ", "_"))
        results.append({"stream": name, "method": method, **outcome.to_json()})
        rows.append(online_row(name, method, outcome, training.memory.buffer.size_bytes))
    return rows


def stream_field(views: list[View], config: NerfConfig) -> Any:
    """Return a field that has learned nothing for a stream, with or without depth."""
    has_depth = views[0].depth is not None
    box = box_of(views, config.near, config.far) if has_depth else SYNTHETIC_BOX
    return moved(make_field(config, box, 0.0 if has_depth else WHITE, empty=has_depth), best_device())


def joint_row(name: str, views: list[View], config: NerfConfig) -> tuple[str, ...]:
    """Return the row of a field that sees all frames from the first step on, with as many steps as the stream had."""
    steps = len(chunks_of(views, config)) * config.online.iterations
    used = with_values(config, {"learning.max_steps": steps, "learning.num_epochs": 10**6})
    start = time.perf_counter()
    checkpoint, _ = learned_task(views, "all", used, None)
    seconds = time.perf_counter() - start
    found = np.array(score(checkpoint.field, used, views).psnr_db)
    return (name, "joint, as many steps", str(len(views)), f"{found.mean():.2f}", "-", "-",
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
    return online_rows("RedKitchen", learned, held_out, config, out, results, ("none", "replay and settling"))


def online_row(name: str, method: str, outcome: OnlineOutcome, memory_bytes: int) -> tuple[str, ...]:
    """Return one row of the table of streams."""
    held_out = f"{outcome.held_out_db.mean():.2f}" if len(outcome.held_out_db) else "-"
    return (name, method, str(len(outcome.seen_db)), f"{outcome.seen_db.mean():.2f}", held_out,
            f"{forgetting_db(outcome.matrix_db):.2f}",
            f"{outcome.seconds_per_frame:.3f}", f"{memory_bytes / 1e6:.2f}")
