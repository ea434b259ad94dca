"""The table `pose_check` of `bench`: poses that are accepted, or nearly, compared with views rendered from there."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

from benchmarks.acceptance_rules import Look, Rule, acceptance, looks, with_field
from benchmarks.options import PoseCheckBenchConfig
from benchmarks.runs import OTHER_PLACE_SEED, splitter
from benchmarks.splits import far
from benchmarks.table import BenchTable
from cl_localization.cli.progress import tracked
from cl_localization.config import LocalizerConfig, MapperConfig, RenderCheckConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Sequence
from cl_localization.data.perturb import perturbed
from cl_localization.data.sequence import select
from cl_localization.localizer import Localizer
from cl_localization.nerf.render_check import RenderCheck

HARDER = (("occlude=0.5",), ("blur=25",), ("gamma=5", "noise=20"), ("blur=15", "occlude=0.4"))
"""What is done to the images of the same room, one after the other."""

MOVED = "&moved=1"
NEVER = 1.0
"""A correlation, and a share, that nothing exceeds."""

CHECK_HEADERS = ("rule", "place", "same place", "right [%]", "wrong", "furniture moved", "right [%]", "wrong",
                 "other places", "accepted")


@dataclass(frozen=True)
class Place:
    """What is mapped, and what is asked for.

    Attributes:
        frames: to be mapped.
        same: queries of the place as it was; `moved`: after all furniture was moved; `others`: of other places.
    """

    name: str
    frames: Sequence
    same: list[Sequence]
    moved: list[Sequence]
    others: list[Sequence]


def check_table(kitchen: str | None, options: PoseCheckBenchConfig, mapper: MapperConfig,
                localizer: LocalizerConfig) -> BenchTable:
    """Return the table of the pose check."""
    places = [sim_place(options, seed) for seed in range(options.seed, options.seed + options.rooms)]
    places += [kitchen_place(kitchen, options)] if kitchen is not None else []
    tried = [tried_at(place, options, mapper, localizer) for place in places]
    rules = rules_of(localizer, options.support)
    rows, results = [], []
    for name, looked in [*((place.name, one) for place, one in zip(places, tried)), *together(tried)]:
        for rule in rules:
            same, moved, others = (acceptance(one, rule, localizer.pose) for one in looked)
            rows.append((rule.name, name, str(same.queries), *share(same.right, same.queries, same.wrong),
                         str(moved.queries),
                         *share(moved.right, moved.queries, moved.wrong), str(others.queries), str(others.wrong)))
            counts = {"same": same, "moved": moved, "others": others}
            results.append({"rule": asdict(rule), "place": name,
                            **{kind: asdict(count) for kind, count in counts.items()}})
    evidence = {place.name: {kind: [look.to_json() for look in part] for kind,
                             part in zip(("same", "moved", "others"), one)}
                for place, one in zip(places, tried)}
    return BenchTable("Pose check: the image against a view rendered from the pose", CHECK_HEADERS, rows,
                      "right: within 20 cm and 10 degrees. wrong: accepted and more than 50 cm or 10 degrees off. "
                      f"A look takes {1000 * mean_seconds(tried):.0f} ms of processor time.",
                      {"pose_check": results, "pose_check_evidence": evidence})


def rules_of(localizer: LocalizerConfig, support: float) -> list[Rule]:
    """Return the rules that are compared: as it is, less support, checked, and checked with less support."""
    base, check = localizer.pose.min_support, RenderCheckConfig(least_support=support)
    refusing = replace(check, accept_above=NEVER, accept_surface_above=NEVER)
    return [Rule("as it is", base), Rule(f"support {support:g} is enough", support),
            Rule("refused by the check", base, refusing),
            Rule("the same, image alone", base, refusing, uses_depth=False),
            Rule(f"refused by the check, and accepted by it from support {support:g} on", base, check),
            Rule("the same, image alone", base, check, uses_depth=False)]


def tried_at(place: Place, options: PoseCheckBenchConfig, mapper: MapperConfig,
             localizer: LocalizerConfig) -> tuple[list[Look], ...]:
    """Return what was found of the queries of a place: same, moved, others."""
    frames = (place.frames[index] for index in tracked(range(len(place.frames)), len(place.frames),
                                                       f"mapping {place.name}"))
    mapped, field = with_field(frames, mapper, options.steps)
    finder, check = Localizer(mapped.map_code, localizer, mapped.encoder), RenderCheck(field)
    found: list[list[Look]] = []
    for known, parts in ((True, place.same), (True, place.moved), (False, place.others)):
        asked = tracked(parts, len(parts), f"localizing, {place.name}", "sets")
        found.append([look for part in asked for look in looks(finder, check, part, known)])
    return tuple(found)


def together(tried: list[tuple[list[Look], ...]]) -> list[tuple[str, tuple[list[Look], ...]]]:
    """Return the looks of all places as one more place, where there are several."""
    if len(tried) < 2:
        return []
    return [("all", tuple([look for looked in part for look in looked] for part in zip(*tried)))]


def mean_seconds(tried: list[tuple[list[Look], ...]]) -> float:
    """Return the mean time of a look from a pose [s]; not a number of none."""
    times_s = [look.seconds for looked in tried for part in looked for look in part if look.evidence]
    return sum(times_s) / len(times_s) if times_s else float("nan")


def share(right: int, queries: int, wrong: int) -> tuple[str, str]:
    """Return two cells: percent right, and how many are wrong."""
    return f"{100 * right / queries:.1f}" if queries else "-", str(wrong)


def sim_place(options: PoseCheckBenchConfig, seed: int) -> Place:
    """Return a simulated room."""
    queries = f"sim:{seed}?rooms=1&path=tracking&frames={options.queries}"
    return Place(f"room {seed}", open_sequence(f"sim:{seed}?rooms=1&frames={options.frames}"),
                 harder(open_sequence(queries)),
                 [open_sequence(queries + MOVED), open_sequence(f"{queries}{MOVED}&light=night&lamp=-0.8")],
                 other_places(options, ""))


def kitchen_place(spec: str, options: PoseCheckBenchConfig) -> Place:
    """Return RedKitchen, its queries far from what is mapped."""
    mapped, queries = splitter(spec, far)()
    return Place("kitchen", thinned(mapped, options.frames), harder(thinned(queries, options.queries)), [],
                 other_places(options, "&size=640x480"))


def harder(queries: Sequence) -> list[Sequence]:
    """Return queries as they are, and made harder."""
    return [queries, *(perturbed(queries, change) for change in HARDER)]


def other_places(options: PoseCheckBenchConfig, size: str) -> list[Sequence]:
    """Return frames of simulated houses that nothing else here shows."""
    return [open_sequence(f"sim:{OTHER_PLACE_SEED + number}?frames={options.queries}{size}")
            for number in range(options.others)]


def thinned(sequence: Sequence, count: int) -> Sequence:
    """Return at most `count` frames, evenly spread."""
    return select(sequence, np.unique(np.linspace(0, len(sequence) - 1, min(count, len(sequence))).round().astype(int)))
