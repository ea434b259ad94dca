"""The covariances of `bench`: how many errors lie inside the 95 % ellipsoids that poses state, set by set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from benchmarks.calibration import Calibration, calibration
from benchmarks.runs import Bench, Experiment, kitchen_experiments, sim_experiment
from benchmarks.table import BenchTable
from cl_localization.cli.localizing import try_sequence
from cl_localization.data.perturb import perturbed
from cl_localization.evaluation.run import image_only

HEADERS = ("experiment", "poses", "pose inside [%]", "position [%]", "rotation [%]", "median sigma [cm]",
           "RMS error [cm]",
           "median sigma [deg]", "RMS error [deg]")
PERTURBATIONS = ("gamma=0.4", "gain=0.5", "blur_px=9", "noise=20")
SIMULATED_HOUSES = 3


@dataclass(frozen=True)
class CovarianceRun:
    """One row: a set of queries, and how well the covariances fit; None when no pose was accepted."""

    name: str
    calibration: Calibration | None

    def row(self) -> tuple[str, ...]:
        """Return the cells, in the order of `HEADERS`."""
        found = self.calibration
        if found is None:
            return (self.name, "0", *("-",) * (len(HEADERS) - 2))
        shares = (f"{share:.1f}" for share in (found.pose_percent, found.position_percent, found.rotation_percent))
        sizes = (found.median_sigma_cm, found.rms_error_cm, found.median_sigma_deg, found.rms_error_deg)
        return (self.name, str(found.frames), *shares, *(f"{size:.2f}" for size in sizes))


def run_covariances(bench: Bench, kitchen: str | None, seed: int, frames: int) -> list[CovarianceRun]:
    """Return one row a set: RedKitchen where its folder is given, the first map of it also with perturbed images, and
    houses."""
    runs = []
    if kitchen is not None:
        first, *others = (one for one in kitchen_experiments(kitchen) if one.open()[1] is not None)
        runs += [_run(bench, first), *_perturbed_runs(bench, first), *(_run(bench, one) for one in others)]
    houses = [Experiment(f"{house.name}, {'depth' if use_depth else 'no depth'}", house.open, use_depth)
              for house in (sim_experiment(seed + number, frames) for number in range(SIMULATED_HOUSES))
              for use_depth in (True, False)]
    return [*runs, *(_run(bench, house) for house in houses)]


def covariance_table(bench: Bench, kitchen: str | None, seed: int, frames: int) -> BenchTable:
    """Return the table of `run_covariances`."""
    runs = run_covariances(bench, kitchen, seed, frames)
    return BenchTable("covariances", HEADERS, [one.row() for one in runs],
                      results={"covariances": [asdict(one) for one in runs]})


def _run(bench: Bench, experiment: Experiment) -> CovarianceRun:
    return CovarianceRun(experiment.name, bench.run(experiment).calibration)


def _perturbed_runs(bench: Bench, experiment: Experiment) -> Iterator[CovarianceRun]:
    """Yield the rows of an experiment that was just run with its queries perturbed."""
    queries = experiment.open()[1]
    for perturbation in PERTURBATIONS:
        name = f"{experiment.name}, {perturbation}"
        trial = try_sequence(bench.localizer, perturbed(image_only(queries), [perturbation]), f"localizing, {name}")
        yield CovarianceRun(name, calibration(trial.records))
