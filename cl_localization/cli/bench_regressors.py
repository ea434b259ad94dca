"""The regressors of `bench`: the nearest code against the attention regressor, on queries that are harder and harder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cl_localization.cli.bench_runs import Bench, Experiment, kitchen_experiments, sim_experiment
from cl_localization.cli.bench_table import BenchTable
from cl_localization.cli.localizing import try_sequence
from cl_localization.config import LocalizerConfig
from cl_localization.data.frame import Sequence
from cl_localization.data.perturb import perturbed
from cl_localization.errors import DataError
from cl_localization.evaluation.image_only import image_only
from cl_localization.evaluation.summary import EvaluationSummary, summarize
from cl_localization.localizer import Localizer

REGRESSORS = ("nearest", "attention")
SINGLE = ((), ("gamma=0.4",), ("gamma=2.5",), ("blur=15",), ("occlude=0.4",), ("noise=20",))
"""The changes that the regressors are compared on, one at a time."""

HARD = (("blur=25",), ("occlude=0.7",), ("noise=40",), ("gamma=5",), ("blur=15", "occlude=0.4"),
        ("gamma=2.5", "blur=15", "occlude=0.4", "noise=20"), ("gamma=0.4", "blur=15", "occlude=0.4", "noise=20"))
"""More of each, and several at once: there is something left to win."""

HEADERS = ("queries", "changed by", *(f"{name} [%]" for name in REGRESSORS), "difference", *(f"{name} p50 [ms]" for name in REGRESSORS),
           "wrong")


@dataclass(frozen=True)
class Comparison:
    """What both regressors made of the same queries; summaries in the order of `REGRESSORS`."""

    queries: str
    changes: tuple[str, ...]
    summaries: tuple[EvaluationSummary, EvaluationSummary]

    @property
    def rates(self) -> tuple[float, float]:
        """Shares of the queries within 10 cm and 5 degrees, in percent."""
        nearest, attention = (summary.within_10cm_5deg_percent for summary in self.summaries)
        return nearest, attention

    def row(self) -> tuple[str, ...]:
        """Return the cells, in the order of `HEADERS`."""
        nearest, attention = self.rates
        return (self.queries, " ".join(self.changes) or "nothing", f"{nearest:.1f}", f"{attention:.1f}", f"{attention - nearest:+.1f}",
                *(f"{summary.latency_ms_p50:.0f}" for summary in self.summaries),
                " / ".join(str(summary.wrong_accepted) for summary in self.summaries))

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {"queries": self.queries, "perturb": list(self.changes),
                **{name: summary.to_json() for name, summary in zip(REGRESSORS, self.summaries)}}


def regressor_tables(bench: Bench, kitchen: str | None, seed: int, frames: int) -> list[BenchTable]:
    """Return the table of both regressors: on RedKitchen where its folder is given, else on a simulated house.

    The attention regressor's weights are those that the options of the localizer name.
    """
    if kitchen is None:
        near_and_far = [sim_experiment(seed, frames)]
    else:
        near_and_far = [one for one in kitchen_experiments(kitchen) if one.use_depth and one.open()[1] is not None]
    comparisons = [one for number, experiment in enumerate(near_and_far)
                   for one in compared(bench, experiment, SINGLE + HARD if number == len(near_and_far) - 1 else SINGLE)]
    single = mean_difference([one for one in comparisons if one.changes in SINGLE])
    hard = mean_difference([one for one in comparisons if one.changes in HARD])
    sentence = (f"Within 10 cm and 5 degrees; mean difference {single:+.1f} points where one thing is changed, {hard:+.1f} where more is. "
                "wrong: poses of either that were accepted and are more than 50 cm or 20 degrees off.")
    return [BenchTable("regressors", HEADERS, [one.row() for one in comparisons], sentence,
                       {"regressors": [one.to_json() for one in comparisons]})]


def compared(bench: Bench, experiment: Experiment, changes: tuple[tuple[str, ...], ...]) -> list[Comparison]:
    """Map once, and return how both regressors do on the queries after each of some changes.

    Raises:
        DataError: the experiment asks for nothing.
    """
    queries = experiment.open()[1]
    if queries is None:
        raise DataError(f"experiment {experiment.name}", "must have queries to compare regressors on")
    bench.run(replace(experiment, open=lambda: (experiment.open()[0], None)))
    found = []
    for change in changes:
        changed = perturbed(image_only(queries), change) if change else queries
        nearest, attention = (tried(bench.localizer, name, changed, f"{experiment.name}, {' '.join(change)}") for name in REGRESSORS)
        found.append(Comparison(experiment.name, change, (nearest, attention)))
    return found


def tried(localizer: Localizer, regressor: str, queries: Sequence, label: str) -> EvaluationSummary:
    """Return what a regressor makes of queries in the map of a localizer."""
    options: LocalizerConfig = replace(localizer.config, regressor=regressor)
    map_code = localizer.map_code
    trial = try_sequence(Localizer(map_code, options, localizer.encoder), queries, f"{regressor}, {label}")
    return summarize(trial.records, map_code.size_bytes, len(map_code), trial.skipped)


def mean_difference(comparisons: list[Comparison]) -> float:
    """Return by how many points the attention regressor is better on the mean; not a number of none."""
    differences = [attention - nearest for nearest, attention in (one.rates for one in comparisons)]
    return sum(differences) / len(differences) if differences else float("nan")
