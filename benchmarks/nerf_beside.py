"""The table of localizing beside views: what a pose waits for while the same process takes keyframes and draws views.

Threads take turns as in the composed process. Time is counted in units of one localization, so that a machine busy with
other work only stretches it: an image comes every two units (10 Hz where a localization takes 50 ms), a keyframe and a
view every twenty. Blocks with and without views alternate.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks.table import BenchTable
from cl_localization.config import LiveNerfConfig, LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.features import make_encoder
from cl_localization.features.engines import set_threads
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper
from cl_localization.nerf.live import LiveField
from cl_localization.ros.workers.cpu import Turns

MAPPED_STRIDE, MAX_DEPTH_M = 4, 5.0
IMAGE_UNITS, VIEW_UNITS = 2.0, 20.0
BLOCKS, BLOCK_IMAGES = 16, 25
HEADERS = ("localizing", "images", "latency p50", "p95", "p50 over alone", "p95 over alone")


def beside_table(spec: str, count: int, blocks: int = BLOCKS) -> BenchTable:
    """Return the table; latencies are in units of a localization alone.

    Args:
        spec: a sequence with depth, of whose first `count` frames every fourth is mapped; those between are asked for.
    """
    frames = list(open_sequence(f"{spec}[0:{count}]"))
    set_threads(1)
    mapper = Mapper(MapperConfig(), make_encoder(MapperConfig().encoder))
    live = LiveField(LiveNerfConfig(max_depth_m=MAX_DEPTH_M))
    for frame in frames[::MAPPED_STRIDE]:
        mapper.add(frame)
        live.add(frame)
    mapper.finish()
    localizer = Localizer(mapper.map_code, LocalizerConfig(), mapper.encoder)
    asked = frames[2::MAPPED_STRIDE]
    unit_s = float(np.median([latency_s(localizer, frame, Turns(), time.monotonic()) for frame in asked]))
    alone, beside, rng = [], [], random.Random(0)
    for _ in range(blocks):
        turns = Turns()
        alone += block_s(localizer, rng.choices(asked, k=BLOCK_IMAGES), turns, unit_s)
        with views_drawn(live, frames, turns, unit_s, rng):
            beside += block_s(localizer, rng.choices(asked, k=BLOCK_IMAGES), turns, unit_s)
    return table_of(np.array(alone) / unit_s, np.array(beside) / unit_s)


def table_of(alone: np.ndarray, beside: np.ndarray) -> BenchTable:
    """Return the table of latencies (N,) in units."""
    first, rows = np.percentile(alone, (50, 95)), []
    for name, latencies in (("alone", alone), ("beside keyframes and views", beside)):
        found = np.percentile(latencies, (50, 95))
        rows.append((name, str(len(latencies)), *(f"{value:.2f}" for value in (*found, *(found / first)))))
    return BenchTable("Localizing beside views drawn from keyframes, in one process", HEADERS, rows,
                      "Latencies in units of a localization alone; the machine may do other work.",
                      {"nerf_beside": [dict(zip(HEADERS, row)) for row in rows]})


def latency_s(localizer: Localizer, frame: Frame, turns: Turns, due_s: float) -> float:
    """Localize a frame, and return how long after it came that was done."""
    with turns.first():
        localizer.localize(frame)
    return time.monotonic() - due_s


def block_s(localizer: Localizer, frames: list[Frame], turns: Turns, unit_s: float) -> list[float]:
    """Return the latencies of images that come one by one; those that came while one was late are dropped."""
    latencies, due_s = [], time.monotonic()
    for frame in frames:
        due_s = max(due_s + IMAGE_UNITS * unit_s, time.monotonic())
        time.sleep(max(due_s - time.monotonic(), 0.0))
        latencies.append(latency_s(localizer, frame, turns, due_s))
    return latencies


@contextmanager
def views_drawn(live: LiveField, frames: list[Frame], turns: Turns, unit_s: float,
                rng: random.Random) -> Iterator[None]:
    """Have a thread take a keyframe and draw a view again and again, at random phases, while the context lasts."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(rng.uniform(0, VIEW_UNITS * unit_s)):
            frame = rng.choice(frames)
            with turns.second():
                live.add(frame)
            if stop.wait(rng.uniform(0, VIEW_UNITS * unit_s)):
                return
            live.render(frame.world_T_cam, live.render_camera(frame.camera), turns.second)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
