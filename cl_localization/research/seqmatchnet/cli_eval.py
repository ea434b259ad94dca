"""`test seqmatchnet`: how often a model finds the place of a query among those of a database."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cl_localization.cli.flags import argument, settings
from cl_localization.cli.outputs import require_folder, require_writable, write_json
from cl_localization.cli.tables import print_rows, warn
from cl_localization.errors import ConfigError
from cl_localization.research.seqmatchnet.options import POOLINGS, ImageDescriptorConfig, PlaceDataConfig
from cl_localization.research.seqmatchnet.original_names import translated
from cl_localization.research.seqmatchnet.place_models import RAW, describe_with_progress, open_model, parse_range

if TYPE_CHECKING:
    from cl_localization.research.seqmatchnet.model_file import PlaceModel
    from cl_localization.research.seqmatchnet.recall import PlaceMatches
    from cl_localization.research.seqmatchnet.scoring import PlaceScorer
    from cl_localization.research.seqmatchnet.training import DescribedPair


def patch_normalised_pixels() -> ImageDescriptorConfig:
    """Return how images are described without a network: SeqSLAM's way, the usual reference."""
    return ImageDescriptorConfig(kind="patch_normalised")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Find the place of each query in a database, from sequences of several lengths, and compare with the truth.

    Recall@N is the share of queries with a right image among the first N, of those that have any within the tolerance.

    Example: cl_localization test seqmatchnet --model nordland.safetensors --database summer --query winter --range
        2000: --seqL 1 5 10 20
    """

    model: str = argument("Model file or run folder; raw: descriptors without any network.", RAW, metavar="MODEL")
    data: PlaceDataConfig = settings(PlaceDataConfig)
    split: Literal["train", "val", "test"] = argument("Which part of a data set given by name.", "val")
    range: str = argument("Images of both traverses that are compared; all without it.", "", metavar="BEGIN:END")
    seqL: tuple[int, ...] = argument("Sequence lengths, in images.", (5,), metavar="L [L ...]")
    speed_ratios: tuple[float, ...] = argument("Database images passed for one query image: the best of these counts.",
                                               (1.0,),
                                               metavar="RATIO [RATIO ...]")
    normalize: bool = argument("Match sequences by distances less their local mean, over their local deviation "
                               "(SeqSLAM); one image alone is always compared as it is.", True)
    pooling: Literal[("", *POOLINGS)] = argument("What is done with raw descriptors; empty: sequence matching.", "")
    inner_only: int = argument("Leave out images of both traverses too near to the end of a stretch for a sequence of "
                               "so many around them; 0: none.", 0, metavar="L")
    radii: tuple[float, ...] = argument("More radii at which recall is reported.", (), metavar="RADIUS [RADIUS ...]")
    json: Path | None = argument("JSON file to write.", None, metavar="FILE", writes="file")
    figure: Path | None = argument("Figure to write: precision and recall, and the matches.", None, metavar="FIGURE",
                                   writes="file")
    results: Path | None = argument("File (.npz) to write the best matches to, of the last length; or a folder, for a "
                                    "file with date and length in its name.", None, metavar="FILE")
    candidates: Path | None = argument("File of another test's --results: only its matches are compared (hierarchical "
                                       "search).", None,
                                       metavar="FILE")
    extract_only: bool = argument("Write the descriptors of both traverses, of the last length, to --results "
                                  "(database, queries) and stop.",
                                  False)
    batch_size: int = argument("Images that are described at once.", 256)
    image: ImageDescriptorConfig = settings(patch_normalised_pixels, "image")


def understood(words: list[str]) -> list[str]:
    """Return the words of a command line with the originals' names replaced."""
    return translated(words, train=False)


def run(arguments: Arguments) -> int:
    """Test, print and write the results; return the exit code.

    Raises:
        ConfigError: descriptors are asked for, but no file for them.
    """
    if arguments.extract_only and arguments.results is None:
        raise ConfigError("option --extract-only", "needs a file to write to", remedy="name it with --results FILE")
    arguments = replace(arguments, results=results_file(arguments.results, arguments.seqL[-1]))
    if arguments.results is not None:
        require_writable(arguments.results)

    from cl_localization.research.seqmatchnet.datasets import open_pair
    from cl_localization.research.seqmatchnet.describer import Describer

    pair = open_pair(arguments.data, arguments.split)
    if arguments.range:
        pair = pair.part(*parse_range(arguments.range))
    model = open_model(arguments.model, pair, arguments.image, arguments.pooling)
    for sentence in idle(arguments, model):
        warn(sentence)
    described = describe_with_progress(pair, Describer(model.image, model.vocabulary))
    if arguments.extract_only:
        database, queries = place_scorer(arguments, model, described, arguments.seqL[-1]).descriptors
        write_arrays(arguments.results, database=database.numpy(), queries=queries.numpy())
        return 0
    tests = {}
    for length in arguments.seqL:
        start = time.perf_counter()
        tests[length] = (find_places(arguments, model, described, length), time.perf_counter() - start)
    matches = {length: found for length, (found, _) in tests.items()}
    print_rows(f"{arguments.model} on {pair.queries.name} in {pair.database.name}", table(matches, pair.true_radius),
               ("sequence length", *(f"recall@{count}" for count in counts_of(matches)), "recall at 100 % precision"))
    if arguments.json is not None:
        write_json(arguments.json, report(arguments, described, tests))
    write_extras(arguments, matches, described)
    return 0


def results_file(path: Path | None, length: int) -> Path | None:
    """Return the file for the results: what is named, or a new one in the folder that is."""
    if path is None or (path.suffix == ".npz" and not path.is_dir()):
        return path
    return require_folder(path) / f"{time.strftime('%Y-%m-%d_%H-%M-%S')}_l{length}.npz"


def idle(arguments: Arguments, model: PlaceModel) -> list[str]:
    """Return a sentence for each option that is given but does nothing here."""
    from cl_localization.research.seqmatchnet.sequence_distance import SAME_SPEED

    data, network = arguments.data, model.network
    reasons = {"image": ("the model: it describes images as it was trained",
                         arguments.model != RAW and arguments.image != patch_normalised_pixels()),
               "speed_ratios": (f"pooling {network.config.pooling}",
                                not network.matches_sequences and arguments.speed_ratios != SAME_SPEED),
               "tolerance": (f"dataset {data.dataset}, which has its own",
                             bool(data.dataset) and data.tolerance != PlaceDataConfig().tolerance),
               "split": ("traverses that are not of a data set by name",
                         arguments.split != "val" and (not data.dataset or data.dataset.endswith(".db")))}
    return [f"option {name} has no effect with {other}" for name, (other, is_idle) in reasons.items() if is_idle]


def find_places(arguments: Arguments, model: PlaceModel, described: DescribedPair, length: int) -> PlaceMatches:
    """Return the best matches of all queries for one sequence length.

    Raises:
        DataError: see `place_scorer`, or the candidates do not fit.
    """
    from cl_localization.research.seqmatchnet.recall import match_places
    from cl_localization.research.seqmatchnet.windows import inner_images

    pair, scorer = described.pair, place_scorer(arguments, model, described, length)
    inner = [inner_images(side.bounds, len(side), arguments.inner_only) for side in (pair.database, pair.queries)]
    candidates = None if arguments.candidates is None else read_results(arguments.candidates)
    return match_places(scorer, pair, keep=inner[1], candidates=candidates, places=inner[0])


def place_scorer(arguments: Arguments, model: PlaceModel, described: DescribedPair, length: int) -> PlaceScorer:
    """Return what compares the two traverses for one sequence length.

    Raises:
        DataError: the traverses are shorter than a sequence, or the model takes other descriptors.
    """
    from cl_localization.research.seqmatchnet.checks import checked_length, checked_width
    from cl_localization.research.seqmatchnet.scoring import PlaceScorer

    pair = described.pair
    checked_length(length, min(len(pair.database), len(pair.queries)), f"traverse {pair.queries.name}")
    if model.network.learned:
        checked_width(described.database.shape[1], model.network.in_dims, f"descriptors of {pair.database.name}")
    return PlaceScorer(model.network, pair.database, pair.queries, described.database, described.queries, length,
                       arguments.speed_ratios, arguments.batch_size, arguments.normalize)


def counts_of(matches: dict[int, PlaceMatches]) -> list[int]:
    """Return the N of recall@N that are reported: those that are less than all places."""
    from cl_localization.research.seqmatchnet.recall import RECALL_AT

    width = min(found.found.shape[1] for found in matches.values())
    return [count for count in RECALL_AT if count <= width]


def table(matches: dict[int, PlaceMatches], radius: float) -> list[tuple[str, ...]]:
    """Return a row for each sequence length: its recalls, and recall before the first wrong match."""
    from cl_localization.research.seqmatchnet.recall import precision_recall, recall_at_full_precision

    return [(str(length), *(f"{found.recall(count, radius):.3f}" for count in counts_of(matches)),
             f"{recall_at_full_precision(*precision_recall(found, radius)[:2]):.3f}") for length,
            found in matches.items()]


def report(
    arguments: Arguments, described: DescribedPair, tests: dict[int, tuple[PlaceMatches, float]]
) -> dict[str, Any]:
    """Return the results as JSON values; lists are in the order of `seqL`."""
    from cl_localization.evaluation.provenance import provenance

    pair, matches = described.pair, {length: found for length, (found, _) in tests.items()}
    recalls = {f"recall_at_{count}": [found.recall(count, pair.true_radius) for found in matches.values()]
               for count in counts_of(matches)}
    at_radii = {f"{radius:g}": [found.recall(1, radius) for found in matches.values()] for radius in arguments.radii}
    queries = len(next(iter(matches.values())).queries)
    return {**recalls, "recall_at_1_by_radius": at_radii, "sequence_lengths": list(matches),
            "tolerance": pair.true_radius,
            "places": len(pair.database), "queries": queries,
            "ms_per_query": [1000 * seconds / queries for _, seconds in tests.values()],
            "model": arguments.model, "data": asdict(arguments.data), "range": arguments.range,
            "speed_ratios": list(arguments.speed_ratios), "normalize": arguments.normalize, **provenance()}


def write_extras(arguments: Arguments, matches: dict[int, PlaceMatches], described: DescribedPair) -> None:
    """Write the figure and the matches, where they are asked for."""
    if arguments.results is not None:
        write_results(arguments.results, list(matches.values())[-1], len(described.pair.queries))
    if arguments.figure is not None:
        from cl_localization.research.seqmatchnet.figures import draw_places
        from cl_localization.viz.style import save_figure

        save_figure(draw_places(matches, described.pair.true_radius), arguments.figure)


def write_results(path: Path, matches: PlaceMatches, queries: int) -> None:
    """Write the best matches (N, K) of all queries, -1 where there is none."""
    import numpy as np

    found = np.full((queries, matches.found.shape[1]), -1, np.int64)
    found[matches.queries] = matches.found
    write_arrays(path, found=found)


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays by name to an .npz file, whole or not at all."""
    import numpy as np

    from cl_localization.data.atomic import written_file

    with written_file(path, force=True) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


def read_results(path: Path) -> Any:
    """Return the matches (N, K) that `write_results` or an original wrote.

    Raises:
        DataError: no such file, or another kind of file.
    """
    import numpy as np

    from cl_localization.errors import DataError

    if not path.is_file():
        raise DataError(f"candidates {path}", "must be a file", "nothing there", "write it with --results")
    try:
        with np.load(path, allow_pickle=False) as content:
            return content["found" if "found" in content else "preds"]
    except (ValueError, OSError, KeyError, EOFError) as error:
        raise DataError(f"candidates {path}", "must be a file that --results wrote", error) from None
