"""The table of views: frames with depth that were held out, drawn from keyframes and rendered by a field."""

from __future__ import annotations

import time

import numpy as np
import torch

from benchmarks.acceptance_rules import learn
from benchmarks.table import BenchTable
from cl_localization.config import LiveNerfConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.nerf.compositing import psnr_db
from cl_localization.nerf.live import LiveField

KEYFRAME_STRIDE, HOLD_OUT = 4, 8
OFFSETS = (4, 0)
"""Which of every eight keyframes is held out; settings were chosen with the first in sight."""

MAX_DEPTH_M = 5.0
HEADERS = ("views", "held out", "keyframes", "PSNR [dB]", "worst [dB]", "known [%]", "a view [ms]", "taking all [s]",
           "size [MB]")


def view_table(spec: str, count: int, steps: int) -> BenchTable:
    """Return the table.

    Args:
        spec: the sequence; every fourth of its first `count` frames is used.
        steps: training steps of a field for each keyframe.
    """
    sequence = open_sequence(spec)
    frames = [sequence[index] for index in range(0, min(count, len(sequence)), KEYFRAME_STRIDE)]
    rows = [view_row(views, frames, offset, steps) for views in ("keyframes", "field") for offset in OFFSETS
            if offset < len(frames)]
    return BenchTable("Views of RedKitchen, 160 px wide; processor time of one thread", HEADERS, rows,
                      results={"nerf_views": [dict(zip(HEADERS, row)) for row in rows]})


def view_row(views: str, frames: list[Frame], offset: int, steps: int) -> tuple[str, ...]:
    """Return the row of one way to show frames that are held out, from `offset` on every eighth."""
    live = LiveField(LiveNerfConfig(views=views, max_depth_m=MAX_DEPTH_M))
    kept = [frame for number, frame in enumerate(frames) if number % HOLD_OUT != offset]
    start_s = time.process_time()
    for frame in kept:
        learn(live, frame, steps)
    taken_s, found = time.process_time() - start_s, []
    for frame in frames[offset::HOLD_OUT]:
        small = live.reduced(frame)
        start_s = time.process_time()
        seen = live.render(small.world_T_cam, small.camera)
        spent_s = time.process_time() - start_s
        likeness_db = psnr_db(torch.from_numpy(seen.image / 255), torch.from_numpy(small.image / 255))
        found.append((likeness_db, 100 * (seen.opacity > 0.5).mean(), 1000 * spent_s))
    psnrs_db, known, times_ms = np.array(found).T
    return (views, f"every {HOLD_OUT}th from {offset}", f"{len(kept)}", f"{psnrs_db.mean():.1f}",
            f"{psnrs_db.min():.1f}", f"{known.mean():.0f}", f"{np.median(times_ms):.0f}", f"{taken_s:.0f}",
            f"{live.size_bytes / 1e6:.1f}")
