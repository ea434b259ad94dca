"""The regressors of `bench`: the nearest code, attention, and both one after the other, on queries that are harder and
harder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from benchmarks.options import RegressorBenchConfig
from benchmarks.runs import Bench, Experiment, kitchen_experiments, sim_experiment
from benchmarks.table import BenchTable
from cl_localization.cli.progress import tracked
from cl_localization.data import open_sequence
from cl_localization.data.frame import Sequence
from cl_localization.data.perturb import perturbed
from cl_localization.data.sequence import select
from cl_localization.errors import DataError
from cl_localization.evaluation.records import FrameRecord, make_record
from cl_localization.evaluation.run import image_only
from cl_localization.evaluation.summary import EvaluationSummary, errors_and_covariances, inside_95_percent, summarize
from cl_localization.features.shared import SharedEncoder
from cl_localization.localizer import Localizer

REGRESSORS = ("nearest", "attention", "nearest_then_attention")
SINGLE = ((), ("gamma=0.4",), ("gamma=2.5",), ("blur=15",), ("occlude=0.4",), ("noise=20",))
"""The changes that the regressors are compared on, one at a time."""

HARD = (("blur=25",), ("occlude=0.7",), ("noise=40",), ("gamma=5",), ("blur=15", "occlude=0.4"),
        ("gamma=2.5", "blur=15", "occlude=0.4", "noise=20"), ("gamma=0.4", "blur=15", "occlude=0.4", "noise=20"))
"""More of each, and several at once: there is something left to win."""

HOUSE, HOUSE_FRAMES, OTHER_HOUSES, OTHER_HOUSE_SEED = "rooms=2&size=640x480", 120, 4, 500
"""Where images of other places come from: simulated houses share the looks of walls, doors and furniture, so they are
easily confused."""

LABELS = ("nearest", "attention", "both")
"""The regressors in tables."""

HEADERS = ("queries", "changed by", *(f"{name} [%]" for name in LABELS), *(f"{name} p50 / p95 [ms]" for name in LABELS),
           "wrong")


@dataclass(frozen=True, eq=False)
class Comparison:
    """What the regressors made of the same queries; records of every query and summaries in the order of `REGRESSORS`.

    The time of a record is that of finding the pose, encoding the image not counted.
    """

    queries: str
    changes: tuple[str, ...]
    records: tuple[list[FrameRecord], ...]
    summaries: tuple[EvaluationSummary, ...]

    @property
    def rates(self) -> list[float]:
        """Shares of the queries within 10 cm and 5 degrees, in percent."""
        return [summary.within_10cm_5deg_percent for summary in self.summaries]

    @property
    def looked_again(self) -> list[FrameRecord]:
        """Poses that only a second look had accepted."""
        nearest, _, both = self.records
        return [second for first, second in zip(nearest, both) if second.accepted and not first.accepted]

    def row(self) -> tuple[str, ...]:
        """Return the cells, in the order of `HEADERS`."""
        return (self.queries, " ".join(self.changes) or "nothing", *(f"{rate:.1f}" for rate in self.rates),
                *(f"{summary.latency_ms_p50:.0f} / {summary.latency_ms_p95:.0f}" for summary in self.summaries),
                " / ".join(str(summary.wrong_accepted) for summary in self.summaries))

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {"queries": self.queries, "perturb": list(self.changes), "looked_again": len(self.looked_again),
                **{name: summary.to_json() for name, summary in zip(REGRESSORS, self.summaries)}}


def regressor_tables(bench: Bench, kitchen: str | None, seed: int, frames: int,
                     options: RegressorBenchConfig) -> list[BenchTable]:
    """Return the tables of the regressors: on RedKitchen where its folder is given, else on a simulated house.

    In the first one thing is changed, in the second more; the third is of images of other houses. The attention
    regressor's weights are those that the options of the localizer name.
    """
    if kitchen is None:
        near_and_far = [sim_experiment(seed, frames)]
    else:
        near_and_far = [one for one in kitchen_experiments(kitchen) if one.use_depth and one.open()[1] is not None]
    single = [one for experiment in near_and_far[:-1] for one in compared(bench, experiment, SINGLE, options.queries)]
    last = compared(bench, near_and_far[-1], SINGLE + HARD, options.queries)
    tables = [table("regressors", single + last[:len(SINGLE)]), table("regressors_harder", last[len(SINGLE):])]
    return [*tables, elsewhere_table(bench, seed, options.elsewhere)] if options.elsewhere else tables


def table(name: str, comparisons: list[Comparison]) -> BenchTable:
    """Return the table of comparisons, with their mean and how well the poses of second looks know how certain they
    are."""
    means = ", ".join(f"{regressor} {rate:.1f} %" for regressor, rate in zip(LABELS, mean_rates(comparisons)))
    again = [record for one in comparisons for record in one.looked_again]
    inside = inside_95_percent(*errors_and_covariances(again))
    stated = "" if inside is None else f", {inside:.0f} % of them with the truth inside their 95 % ellipsoid"
    sentence = (f"Within 10 cm and 5 degrees; mean: {means}. Times without encoding. wrong: poses of each that were "
                "accepted and are more "
                f"than 50 cm or 10 degrees off. {len(again)} poses were accepted at the second look{stated}.")
    return BenchTable(name.replace("_", ", "), HEADERS, [one.row() for one in comparisons], sentence,
                      {name: [one.to_json() for one in comparisons]})


def compared(bench: Bench, experiment: Experiment, changes: tuple[tuple[str, ...], ...],
             count: int = 0) -> list[Comparison]:
    """Map once, and return what every regressor makes of the queries after each of some changes.

    Args:
        count: queries that are asked, evenly spread; 0 for all.

    Raises:
        DataError: the experiment asks for nothing.
    """
    queries = experiment.open()[1]
    if queries is None:
        raise DataError(f"experiment {experiment.name}", "must have queries to compare regressors on")
    bench.run(replace(experiment, open=lambda: (experiment.open()[0], None)))
    chosen = select(queries, range(0, len(queries), max(1, -(-len(queries) // count)) if count else 1), queries.name)
    localizers, map_code, found = localizers_of(bench), bench.localizer.map_code, []
    for change in changes:
        changed = perturbed(image_only(chosen), change) if change else image_only(chosen)
        records = tried(localizers, changed, f"{experiment.name}, {' '.join(change) or 'nothing'} changed")
        found.append(Comparison(experiment.name, change, records,
                                tuple(summarize(one, map_code.size_bytes, len(map_code)) for one in records)))
    return found


def elsewhere_table(bench: Bench, seed: int, count: int) -> BenchTable:
    """Return the table of images of other simulated houses, `count` as they are and as many changed, against the map of
    a house."""
    bench.run(Experiment(f"house {seed}", lambda: (open_sequence(f"sim:{seed}?{HOUSE}&frames={HOUSE_FRAMES}"), None)))
    localizers, plain, changed = localizers_of(bench), [], []
    for number in range(OTHER_HOUSES):
        of_house = -(-count // OTHER_HOUSES)
        house = open_sequence(f"sim:{OTHER_HOUSE_SEED + seed + number}?{HOUSE}&frames={max(of_house, 2)}")
        plain.append(tried(localizers, house, f"other house {number + 1}", range(of_house)))
        changed += [tried(localizers, perturbed(house, change), f"other house {number + 1}, {' '.join(change)}",
                          range(first, of_house, len(HARD))) for first, change in enumerate(HARD)]
    rows, results = [], []
    for name, found in (("nothing", plain), ("one of the harder changes", changed)):
        records = [[record for part in found for record in part[number]] for number in range(len(localizers))]
        accepted = [sum(record.accepted for record in of_one) for of_one in records]
        rows.append((name, str(len(records[0])), *map(str, accepted)))
        results.append({"changed": name, "images": len(records[0]), **dict(zip(REGRESSORS, accepted))})
    return BenchTable("images of other houses, accepted", ("changed by", "images", *LABELS), rows,
                      results={"regressors_elsewhere": results})


def localizers_of(bench: Bench) -> list[Localizer]:
    """Return localizers in the map of the last experiment, in the order of `REGRESSORS`, which encode every image
    once."""
    encoder, map_code = SharedEncoder(bench.localizer.encoder), bench.localizer.map_code
    return [Localizer(map_code, replace(bench.localizer.config, regressor=name), encoder) for name in REGRESSORS]


def tried(localizers: list[Localizer], queries: Sequence, label: str,
          indices: range | None = None) -> tuple[list[FrameRecord], ...]:
    """Return the records of what localizers make of the same images, of all or some of a sequence."""
    indices = range(len(queries)) if indices is None else indices
    records: tuple[list[FrameRecord], ...] = tuple([] for _ in localizers)
    for index in tracked(indices, len(indices), label):
        frame = queries[index]
        for of_one, localizer in zip(records, localizers):
            result = localizer.localize(frame)
            time_s = sum(result.timings_s.values()) - result.timings_s.get("encode", 0.0)
            of_one.append(make_record(frame.name, frame.stamp_ns, result, time_s, frame.world_T_cam))
    return records


def mean_rates(comparisons: list[Comparison]) -> list[float]:
    """Return the mean of every regressor's rates; none without comparisons."""
    return [sum(rates) / len(rates) for rates in zip(*(one.rates for one in comparisons))]
