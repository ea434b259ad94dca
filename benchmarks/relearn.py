"""The table of learning again for `bench`: a simulated room is mapped, then once more after light or furniture has
changed."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.options import ContinualBenchConfig
from benchmarks.scene_learners import MapCodeLearner
from benchmarks.scene_stream import Bound, errors_of
from benchmarks.table import BenchTable
from cl_localization.cli.progress import tracked
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.features import Encoder

CHANGES = {"nothing": "", "night": "light=night", "dark night": "light=night&lamp=-1&gain=0.3&noise=5",
           "darker night": "light=night&lamp=1&gain=0.3&noise=8", "all furniture": "moved=1"}
"""What is other in the second run: keys of the simulator, see `demo --help`."""

FIRST_SEED = 21
WITHIN: Bound = (0.05, 5.0)
NEAR: Bound = (0.20, 10.0)
HEADERS = ("room", "changed", "before alone, asked before [%]", "asked after [%]", "after alone, asked after [%]",
           "both, asked before [%]",
           "asked after [%]", "memory of both [%]", "codes of before that went [%]")


@dataclass(frozen=True)
class Twice:
    """What maps of the run before, of the run after, and of both know.

    Attributes:
        before_before, before_after, after_after, both_before, both_after: of the map of which run, asked with queries
            of which: rates in percent within 5 cm/5 deg and 20 cm/10 deg.
        memory_percent: of the map of both, of that before.
        gone_percent: of the codes of the map before that the one of both no longer has.
    """

    before_before: tuple[float, float]
    before_after: tuple[float, float]
    after_after: tuple[float, float]
    both_before: tuple[float, float]
    both_after: tuple[float, float]
    memory_percent: float
    gone_percent: float


def relearn_table(options: ContinualBenchConfig, mapper: MapperConfig, localizer: LocalizerConfig,
                  encoder: Encoder) -> BenchTable:
    """Return the table; queries are of another way through the room than both runs."""
    cases = [(f"sim:{FIRST_SEED + number}?rooms=1", name) for number in range(options.rooms_twice) for name in CHANGES]
    found = {case: learned_twice(case[0], CHANGES[case[1]], options, MapCodeLearner(mapper, localizer, encoder),
                                 MapCodeLearner(mapper, localizer, encoder))
             for case in tracked(cases, len(cases), "rooms learned twice", "changes")}
    rows = [(room, name, *cells(one)) for (room, name), one in found.items()]
    return BenchTable("Rooms learned twice: rates within 5 cm/5 deg (20 cm/10 deg)", HEADERS, rows,
                      results={"relearn": [{"room": room, "changed": name, **asdict(one)} for (room, name),
                                           one in found.items()]})


def learned_twice(room: str, change: str, options: ContinualBenchConfig, both: MapCodeLearner,
                  alone: MapCodeLearner) -> Twice:
    """Return what two empty learners know of a room: one that sees both runs, and one that sees the second only."""
    before, after = (run(room, keys, f"frames={options.frames}") for keys in ("", change))
    ask_before, ask_after = (run(room, keys, f"path=tracking&frames={options.queries}")
                             for keys in ("", change))
    both.learn(0, before)
    map_code = both.mapper.map_code
    rows, size_bytes = map_code.codes.rows(), map_code.size_bytes
    anchors = map_code.codes["anchors"][rows].copy()
    before_before, before_after = rates(both, ask_before), rates(both, ask_after)
    both.learn(0, after)
    kept = map_code.codes.live[rows] & (map_code.codes["anchors"][rows] == anchors)
    alone.learn(0, after)
    return Twice(before_before, before_after, rates(alone, ask_after), rates(both, ask_before), rates(both, ask_after),
                 100.0 * map_code.size_bytes / size_bytes, 100.0 * float(1 - kept.mean()))


def run(room: str, *keys: str) -> list[Frame]:
    """Return the frames of a run through a room."""
    return list(open_sequence("&".join(filter(None, (room, *keys)))))


def rates(learner: MapCodeLearner, queries: list[Frame]) -> tuple[float, float]:
    """Return the shares of queries within both bounds, in percent."""
    errors = errors_of(learner, queries)
    within, near = (100.0 * float(np.mean((errors <= bound).all(axis=1))) for bound in (WITHIN, NEAR))
    return within, near


def cells(found: Twice) -> tuple[str, ...]:
    """Return the cells of a row."""
    asked = (found.before_before, found.before_after, found.after_after, found.both_before, found.both_after)
    return (*(f"{within:.0f} ({near:.0f})" for within, near in asked), f"{found.memory_percent:.0f}",
            f"{found.gone_percent:.1f}")
