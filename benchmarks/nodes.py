"""The tables of `bench` that are made with real node processes: latency under load, and memory and latency in the long
run."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.table import BenchTable
from cl_localization.cli.map import map_sequence
from cl_localization.cli.progress import tracked
from cl_localization.data import open_sequence
from cl_localization.map.map_file import save_map
from cl_localization.mapper import Mapper

if TYPE_CHECKING:
    from benchmarks.load import LoadOutcome, Shown
    from benchmarks.soak import SoakOutcome

RECORDED_HZ = 10.0
LOAD_RATES_HZ = (10.0, 30.0)
WARM_UP_S = 4.0
MAPPED_FRAMES, SHOWN_FRAMES = 100, 240
WAY_S, DRIVEN_S = 40.0, 24.0
SOAK_BUDGET_MB, SOAK_SETTLE_S, SOAK_ROWS = 8.0, 120.0, 10
S_PER_MIN = 60.0
HEADERS_LOAD = ("localizer", "learned from", "images [Hz]", "served [Hz]", "latency p50 [ms]", "p95 [ms]",
                "p95 over alone", "learned [Hz]")
HEADERS_SOAK = ("minute", "mapper [MB]", "localizer [MB]", "latency p50 [ms]", "p95 [ms]")
LEARNS = {"all": "every image", "new": "new views", "nerf": "new views, kept to draw from"}
NAMES = {"none": "alone", "process": "mapper in a process of its own", "composed": "mapper in the same process"}


@contextmanager
def house(seed: int, hz: float, size: str = "640x480", mapped: int = MAPPED_FRAMES, shown: int = SHOWN_FRAMES,
          recorded_hz: float = RECORDED_HZ, part: str = "") -> Iterator[Shown]:
    """Map a simulated house of two rooms, and record a way through it for the player to show: rendering is not what is
    measured.

    Args:
        hz, recorded_hz: images a second as they are played, and in the recording.
        shown, part: images on the whole way, and which of them are recorded, e.g. [0:100].
    """
    from benchmarks.load import Shown
    from cl_localization.data.bag_writer import write_bag

    with tempfile.TemporaryDirectory(prefix="cl_localization-bench-") as name:
        folder, spec = Path(name), f"sim:{seed}?rooms=2&size={size}&hz={recorded_hz:g}"
        mapper = Mapper()
        map_sequence(mapper, open_sequence(f"{spec}&path=mapping&frames={mapped}"), use_depth=True)
        save_map(mapper.map_code, folder / "house.safetensors")
        write_bag(open_sequence(f"{spec}&path=tracking&frames={shown}{part}"), folder / "bag")
        yield Shown(str(folder / "bag"), recorded_hz, hz, folder / "house.safetensors", folder)


def driven_house(seed: int, hz: float) -> AbstractContextManager[Shown]:
    """Return a house through which a robot drives at a few decimetres a second for `DRIVEN_S`, then is back at once."""
    return house(seed, hz, shown=round(WAY_S * hz), recorded_hz=hz, part=f"[0:{round(DRIVEN_S * hz)}]")


def load_table(seed: int, seconds: float) -> BenchTable:
    """Measure `seconds` of localizing alone, beside a mapper that learns, and in one process with it."""
    from benchmarks.load import LEARNING, MAPPERS, run_load

    runs = [(mapper, learns) for mapper in MAPPERS for learns in (LEARNING if mapper != "none" else ("all",))]
    outcomes = []
    for hz in LOAD_RATES_HZ:
        with driven_house(seed, hz) as shown:
            outcomes += [run_load(mapper, learns, shown, WARM_UP_S, seconds)
                         for mapper, learns in tracked(runs, len(runs), f"load, {hz:g} images a second")]
    alone = {outcome.hz: outcome.latency_ms(95) for outcome in outcomes if outcome.mapper == "none"}
    rows = [load_row(outcome, outcome.latency_ms(95) / alone[outcome.hz]) for outcome in outcomes]
    worst = max(outcome.latency_ms(95) / alone[outcome.hz] for outcome in outcomes)
    sentence = f"With the mapper learning, 95 % of the poses come within {worst:.2f} times the time without, or sooner."
    results = [{"mapper": outcome.mapper, "learns": outcome.learns, "images_hz": outcome.hz,
                "served_hz": outcome.served_hz,
                "learned_hz": outcome.learned_hz, "latency_ms_p50": finite(outcome.latency_ms(50)),
                "latency_ms_p95": finite(outcome.latency_ms(95))}
               for outcome in outcomes]
    return BenchTable("load", HEADERS_LOAD, rows, sentence, {"load": results})


def load_row(outcome: LoadOutcome, ratio: float) -> tuple[str, ...]:
    """Return one row, in the order of `HEADERS_LOAD`."""
    learns = "-" if outcome.mapper == "none" else LEARNS[outcome.learns]
    return (NAMES[outcome.mapper], learns, f"{outcome.hz:g}", f"{outcome.served_hz:.1f}",
            f"{outcome.latency_ms(50):.0f}",
            f"{outcome.latency_ms(95):.0f}", f"{ratio:.2f}", f"{outcome.learned_hz:.1f}")


def soak_table(seed: int, minutes: float, hz: float = LOAD_RATES_HZ[-1]) -> BenchTable:
    """Run mapper and localizer for some minutes after the map has reached its budget; say how memory and latency
    went."""
    from benchmarks.soak import run_soak

    with house(seed, hz) as shown:
        outcome = run_soak(shown, SOAK_BUDGET_MB, SOAK_SETTLE_S, minutes * S_PER_MIN)
    growth = {node: outcome.memory_growth_percent(node) for node in outcome.memory_mb}
    sentence = (f"{outcome.images:,} images sent, {len(outcome.latency_ms):,} localized, {outcome.learned:,} learned. "
                "Memory after "
                f"the budget of {SOAK_BUDGET_MB:g} MB was reached: mapper {growth['mapper']:+.1f} %, "
                f"localizer {growth['localizer']:+.1f} %; latency {outcome.latency_growth_percent:+.1f} %, "
                f"{outcome.latency_drift_ms_per_min:+.2f} ms a minute.")
    results = {"minutes": minutes, "images": outcome.images, "learned": outcome.learned,
               "memory_growth_percent": {node: finite(value) for node, value in growth.items()},
               "latency_growth_percent": finite(outcome.latency_growth_percent),
               "latency_drift_ms_per_min": finite(outcome.latency_drift_ms_per_min)}
    return BenchTable("soak", HEADERS_SOAK, soak_rows(outcome), sentence, {"soak": results})


def soak_rows(outcome: SoakOutcome) -> list[tuple[str, ...]]:
    """Return `SOAK_ROWS` rows of equal time, in the order of `HEADERS_SOAK`."""
    ends_s = np.linspace(0, outcome.latency_ms[-1, 0], SOAK_ROWS + 1)
    rows = []
    for begin_s, end_s in itertools.pairwise(ends_s):
        series = [outcome.memory_mb["mapper"], outcome.memory_mb["localizer"], outcome.latency_ms]
        values = [one[(one[:, 0] >= begin_s) & (one[:, 0] <= end_s), 1] for one in series]
        cells = [(values[0], 50), (values[1], 50), (values[2], 50), (values[2], 95)]
        rows.append((f"{end_s / S_PER_MIN:.1f}", *(f"{np.percentile(one, percent):.0f}" if len(one) else "-" for one,
                                                   percent in cells)))
    return rows


def finite(value: float) -> float | None:
    """Return a number for JSON, which has no NaN."""
    return float(value) if np.isfinite(value) else None
