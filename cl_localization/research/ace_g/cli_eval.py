"""`test attention`: a scene that the network never saw is mapped, and images of it are localized."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cl_localization.cli.evaluate import perturbed_by
from cl_localization.cli.flags import argument, settings
from cl_localization.cli.map import FORMAT_HELP, SEQUENCE_HELP
from cl_localization.cli.outputs import write_json
from cl_localization.cli.progress import shown_progress
from cl_localization.cli.tables import print_rows
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.research.ace_g.options import MAPPING_PRESETS, CodeMappingConfig
from cl_localization.research.ace_g.presets import with_preset

if TYPE_CHECKING:
    from cl_localization.data.frame import Sequence
    from cl_localization.evaluation.summary import EvaluationSummary
    from cl_localization.features import Encoder
    from cl_localization.research.ace_g.checkpoint import AttentionModel

HEADERS = ("regressor", "frames", "localized", "5 cm/5 deg [%]", "10 cm/5 deg [%]", "20 cm/10 deg [%]", "median [cm]",
           "latency p50 [ms]")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Map a scene and localize images of it with trained weights: the sparse form beside the nearest code, and both one
    after the other, on one grown map; the form of codes by learning the scene's codes from the mapped images and their
    poses.

    Example: cl_localization test attention small.safetensors 'sim:7' 'sim:7?path=tracking' --perturb gamma=2.5 blur=15
    """

    weights: Path = argument("Weights file of `train attention`.", metavar="WEIGHTS", positional=True)
    mapping: str = argument(SEQUENCE_HELP + " This one is mapped.", metavar="MAPPING", positional=True)
    queries: str = argument("A sequence in the same frame, whose images are localized.", metavar="QUERIES",
                            positional=True)
    perturb: tuple[str, ...] = argument("Change these images first; see `evaluate`.", (),
                                        metavar="KIND=VALUE [KIND=VALUE ...]")
    json: Path | None = argument("JSON file to write.", None, metavar="FILE", writes="file")
    format: str = argument(FORMAT_HELP, "auto", metavar="FORMAT")
    preset: Literal["small", "ace_g_5min", "ace_g_25min"] = argument("Defaults of how codes are learned: for a CPU, or "
                                                                     "as the paper does "
                                                                     "in so many minutes on a GPU.", "small")
    no_depth: bool = argument("Map without depth (sparse).", False)
    threads: int = argument("Processor threads; 0: as many as there are cores.", 0)
    codes: CodeMappingConfig = settings(CodeMappingConfig, "codes")
    mapper: MapperConfig = settings(MapperConfig, "mapper")
    localizer: LocalizerConfig = settings(LocalizerConfig, "localizer")


def understood(words: list[str]) -> list[str]:
    """Return the words of a command line with the options of its preset, where it does not give them itself."""
    presets = {name: {f"codes.{key}": value for key, value in values.items()} for name,
               values in MAPPING_PRESETS.items()}
    return with_preset(words, presets)


def run(arguments: Arguments) -> int:
    """Map, localize, print and write the results; return the exit code."""

    import torch

    from cl_localization.cli.frames import require_poses
    from cl_localization.data import open_sequence
    from cl_localization.evaluation.provenance import provenance
    from cl_localization.features import make_encoder
    from cl_localization.research.ace_g.checkpoint import load_attention
    from cl_localization.research.tokens import token_encoder

    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    model = load_attention(arguments.weights)
    mapping, queries = (open_sequence(spec, arguments.format) for spec in (arguments.mapping, arguments.queries))
    require_poses(mapping), require_poses(queries)
    queries, start = perturbed_by(queries, arguments.perturb), time.perf_counter()
    tried, make = (tried_sparse, make_encoder) if model.config.network.form == "sparse" else (tried_codes,
                                                                                             token_encoder)
    summaries = tried(arguments, model, make(model.config.encoder), mapping, queries)
    print_rows(f"{arguments.queries} in {arguments.mapping}",
               [row(name, summary) for name, summary in summaries.items()], HEADERS)
    if arguments.json is not None:
        write_json(arguments.json, {**{name: summary.to_json() for name, summary in summaries.items()},
                                    **asked_for(arguments),
                                    "seconds": time.perf_counter() - start, **provenance()})
    return 0


def tried_sparse(arguments: Arguments, model: AttentionModel, encoder: Encoder, mapping: Sequence,
                 queries: Sequence) -> dict[str, EvaluationSummary]:
    """Return the summaries of all regressors on one grown map."""
    from cl_localization.cli.localizing import try_sequence
    from cl_localization.cli.map import map_sequence
    from cl_localization.evaluation.summary import summarize
    from cl_localization.localizer import Localizer
    from cl_localization.mapper import Mapper

    mapper = Mapper(arguments.mapper, encoder)
    map_sequence(mapper, mapping, not arguments.no_depth)
    map_code, summaries = mapper.map_code, {}
    for name in ("nearest", "attention", "nearest_then_attention"):
        options = replace(arguments.localizer, regressor=name, regressor_weights=str(arguments.weights))
        trial = try_sequence(Localizer(map_code, options, encoder), queries, f"localizing, {name}")
        summaries[name] = summarize(trial.records, map_code.size_bytes, len(map_code), trial.skipped)
    return summaries


def tried_codes(arguments: Arguments, model: AttentionModel, encoder: Encoder, mapping: Sequence,
                queries: Sequence) -> dict[str, EvaluationSummary]:
    """Return the summary of the codes that were learned for the scene."""
    from cl_localization.cli.localizing import try_sequence
    from cl_localization.evaluation.run import image_only
    from cl_localization.evaluation.summary import summarize
    from cl_localization.research.ace.training import AceBuffer
    from cl_localization.research.ace_g.code_mapping import learn_codes, localize_with_codes
    from cl_localization.research.network_localizer import NetworkLocalizer

    posed = image_only(mapping)
    buffer = AceBuffer.of((posed[index] for index in range(len(posed)) if posed.pose(index) is not None), encoder)
    with shown_progress("learning codes", "iterations") as tell:
        scene = learn_codes(model.network, buffer, arguments.codes, lambda done, total, loss: tell(done, total))
    localizer = NetworkLocalizer(lambda frame: localize_with_codes(model.network, scene, encoder.encode(frame.image),
                                                                   frame.camera,
                                                                   arguments.codes))
    trial = try_sequence(localizer, queries, "localizing, codes")
    return {"codes": summarize(trial.records, scene.codes.numel() * scene.codes.element_size(), len(scene.codes),
                               trial.skipped)}


def row(name: str, summary: EvaluationSummary) -> tuple[str, ...]:
    """Return a line of the table, in the order of `HEADERS`."""
    median = "-" if summary.median_translation_cm is None else f"{summary.median_translation_cm:.2f}"
    shares = (summary.within_5cm_5deg_percent, summary.within_10cm_5deg_percent, summary.within_20cm_10deg_percent)
    return (name, str(summary.frames), str(summary.localized), *(f"{share:.1f}" for share in shares), median,
            f"{summary.latency_ms_p50:.0f}")


def asked_for(arguments: Arguments) -> dict[str, Any]:
    """Return what is needed to make the same numbers again."""
    return {"weights": str(arguments.weights), "mapping": arguments.mapping, "queries": arguments.queries,
            "perturb": list(arguments.perturb), "depth": not arguments.no_depth,
            "codes_options": asdict(arguments.codes),
            "mapper": asdict(arguments.mapper), "localizer": asdict(arguments.localizer)}
