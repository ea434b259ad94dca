"""The tables of `bench speed` that say where the time of a full localization goes, and what large maps cost.

In processor time, which other programs hardly change; threads that wait in a loop count too, so the network's share is
right with one thread only (OMP_NUM_THREADS=1).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import TypeVar

import cv2
import numpy as np

from benchmarks.large_map import repeated
from benchmarks.runs import Bench, Experiment
from benchmarks.table import BenchTable
from benchmarks.thread_counts import thread_table
from cl_localization.cli.progress import tracked
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.evaluation.run import image_only
from cl_localization.features.engines import PACKAGES, make_engine
from cl_localization.localizer import Localizer

HEADERS = ("step", "median [ms]", "over E")
HEADERS_LARGE = ("codes", "keyframes", "first image [ms]", "image, median [ms]", "over that of one room",
                 "accepted [%]", "image of another place, median [ms]", "longest [ms]")

QUERIES, REPEATS, OTHER_PLACES, COPIES = 15, 4, 10, 90
STEPS = {"encode": "encoding: network, peaks and sampling", "place": "place", "search": "search of codes",
         "solve": "RANSAC", "refine": "RANSAC within a few pixels, guided matching, refinement, covariance"}

Times = dict[str, list[float]]
Given, Done = TypeVar("Given"), TypeVar("Done")


def step_tables(bench: Bench, experiment: Experiment) -> list[BenchTable]:
    """Map, and return the tables of the steps of an image, of threads, and of maps of one room and of many."""
    bench.run(Experiment(experiment.name, lambda: (experiment.open()[0], None), experiment.use_depth))
    queries = image_only(experiment.open()[1])
    frames = [queries[number] for number in np.linspace(0, len(queries) - 1, QUERIES).astype(int).tolist()]
    return [engine_table(bench.localizer, frames), thread_table(bench.localizer.config.encoder, frames),
            large_table(bench.localizer, frames)]


def engine_table(localizer: Localizer, frames: list[Frame]) -> BenchTable:
    """Return the time of each step, and of the network by each engine that is installed, over that of PyTorch's, E.

    All are measured one right after the other for every image, several times, of which the quickest counts: other
    programs make things slower only. A step has its share of the elapsed time.
    """
    times: Times = {}
    engines = {name: make_engine(replace(localizer.config.encoder, device="cpu", engine=name))
               for name, package in PACKAGES.items() if find_spec(package)}
    for frame in tracked(frames * REPEATS, len(frames) * REPEATS, "steps"):
        grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
        for name, engine in engines.items():
            note(times, name, engine.run, grey)
        found = note(times, "all", localizer.localize, frame)
        spent = times["all"][-1] / sum(found.timings_s.values())
        for step, seconds in found.timings_s.items():
            times.setdefault(step, []).append(spent * seconds)
    named = {"torch": f"E: the network alone, {engines['torch'].name}",
             **{name: f"the network alone, {engine.name}" for name, engine in engines.items() if name != "torch"},
             **STEPS, "all": "full localization"}
    medians = {name: float(np.median(quickest(values, len(frames)))) for name, values in times.items()}
    rows = [(title, f"{1e3 * medians[name]:.1f}", f"{medians[name] / medians['torch']:.2f}")
            for name, title in named.items() if name in medians]
    return BenchTable("one image by step", HEADERS, rows, results={"steps_s": medians})


def large_table(localizer: Localizer, frames: list[Frame]) -> BenchTable:
    """Return what an image costs in the map of a room, and in that of many with the room among them."""
    building = Localizer(repeated(localizer.map_code, COPIES), localizer.config, localizer.encoder)
    others = [open_sequence(f"sim:1000?frames={OTHER_PLACES}&size=640x480")[number] for number in range(OTHER_PLACES)]
    maps = {"room": localizer, "building": building}
    times: Times = {}
    accepted = dict.fromkeys(maps, 0)
    for name, one in maps.items():
        note(times, f"{name} first", one.localize, frames[0])
        one.localize(others[0])  # makes the index of the whole map
    for kind, images in (("known", frames * REPEATS), ("other", others * REPEATS)):
        for frame in tracked(images, len(images), f"large map, {kind} places"):
            for name, one in maps.items():
                found = note(times, f"{name} {kind}", one.localize, frame)
                accepted[name] += kind == "known" and found.accepted
    for name in maps:
        times[f"{name} known"] = quickest(times[f"{name} known"], len(frames)).tolist()
        times[f"{name} other"] = quickest(times[f"{name} other"], len(others)).tolist()
    rows = [_large_row(one, name, times, 100 * accepted[name] / (len(frames) * REPEATS)) for name, one in maps.items()]
    return BenchTable("a room and a building", HEADERS_LARGE, rows,
                      results={"large_map_s": {name: float(np.median(values)) for name, values in times.items()}})


def _large_row(localizer: Localizer, name: str, times: Times, accepted_percent: float) -> tuple[str, ...]:
    known, other = np.array(times[f"{name} known"]), np.array(times[f"{name} other"])
    over = float(np.median(known / times["room known"]))
    return (f"{len(localizer.map_code):,}", f"{len(localizer.map_code.keyframes):,}",
            f"{1e3 * times[f'{name} first'][0]:.0f}", f"{1e3 * np.median(known):.0f}", f"{over:.2f}",
            f"{accepted_percent:.0f}", f"{1e3 * np.median(other):.0f}", f"{1e3 * other.max():.0f}")


def quickest(seconds: list[float], images: int) -> np.ndarray:
    """Return the least time (N,) of each image, given those (R N,) of all images once, once more, and so on; steps that
    not every image needs are taken as they are."""
    return np.array(seconds).reshape(-1, images).min(axis=0) if len(seconds) % images == 0 else np.array(seconds)


def note(times: Times, name: str, work: Callable[[Given], Done], given: Given) -> Done:
    """Do some work, note the processor time that it took, of all threads, and return what it gave."""
    started_s = time.process_time()
    done = work(given)
    times.setdefault(name, []).append(time.process_time() - started_s)
    return done
