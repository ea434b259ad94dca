"""`train attention`: the regressor that all scenes share, pre-trained on posed RGB-D sequences and simulated rooms."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cl_localization.cli.flags import argument, settings
from cl_localization.cli.progress import shown_progress
from cl_localization.cli.tables import print_rows
from cl_localization.errors import ConfigError
from cl_localization.research.ace_g.options import PRESETS, AttentionConfig
from cl_localization.research.ace_g.presets import with_preset

if TYPE_CHECKING:
    from cl_localization.features import Encoder
    from cl_localization.research.ace_g.checkpoint import AttentionModel
    from cl_localization.research.ace_g.pretraining import Objective
    from cl_localization.research.ace_g.processes import Processes

CHECKPOINT_FILE = "checkpoint.safetensors"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Pre-train the attention regressor. It learns how to read the map of any scene, not a scene.

    With --folder a training that --pretraining.max-seconds ended goes on with --resume. Started by torchrun it runs in
    several processes, each with its share of the scenes.

    Example: cl_localization train attention --rooms 12 --out small.safetensors --folder out/attention
    """

    scenes: tuple[str, ...] = argument("Scenes, each MAPPING::QUERIES, two sequences in one frame, or one sequence "
                                       "that is cut into "
                                       "stretches; all need depth and poses.", (), metavar="SCENE [SCENE ...]")
    rooms: int = argument("Simulated scenes besides.", 0)
    room_seed: int = argument("Seed of the first of them; the others follow.", 100)
    room_frames: int = argument("Frames that are mapped in each of them; as many are asked for.", 120)
    room_size: str = argument("Width and height of their images [px].", "640x480")
    preset: Literal["small", "h100", "ace_g"] = argument(
        "Defaults of the other options: small, sparse on XFeat, for a CPU; h100, learned codes, in 8 minutes of a "
        "large GPU and 9 cores; ace_g, as in the paper, for GPUs.", "small")
    out: Path = argument("Weights file to write.", metavar="WEIGHTS", writes="file")
    folder: Path | None = argument("Folder for prepared scenes and the checkpoint.", None, metavar="FOLDER",
                                   writes="files")
    resume: bool = argument("Go on from the checkpoint in the folder, with the options it was begun with.", False)
    threads: int = argument("Processor threads; 0: as many as there are cores.", 0)
    options: AttentionConfig = settings(AttentionConfig)


def understood(words: list[str]) -> list[str]:
    """Return the words of a command line with the options of its preset, where it does not give them itself."""
    return with_preset(words, PRESETS)


def run(arguments: Arguments) -> int:
    """Train, write the weights and print what came out; return the exit code."""
    scenes = scene_texts(arguments)

    import torch

    from cl_localization.evaluation.provenance import provenance
    from cl_localization.features import make_encoder
    from cl_localization.features.weights import torch_device
    from cl_localization.research.ace_g.checkpoint import save_attention
    from cl_localization.research.ace_g.pretraining import new_model
    from cl_localization.research.ace_g.processes import make_processes

    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    start, options = time.perf_counter(), arguments.options
    processes = make_processes(torch_device(options.encoder.device), options.pretraining.precision)
    encoder = make_encoder(options.encoder)
    made_of = {"scenes": scenes, "preset": arguments.preset, **provenance()}
    model = resumed(arguments, scenes) if arguments.resume else new_model(encoder.dim, encoder.name, options, made_of)
    share = scenes[processes.rank::processes.count]
    with closing(make_objective(model.config, share, encoder, processes, arguments.folder)) as objective:
        model = train_with_progress(arguments, model, objective, processes)
    if processes.rank == 0:
        save_attention(model, arguments.out)
        print_rows(f"weights {arguments.out}", summary_rows(model, len(scenes), time.perf_counter() - start,
                                                            arguments.out.stat().st_size))
    return 0


def scene_texts(arguments: Arguments) -> list[str]:
    """Return all scenes.

    Raises:
        ConfigError: there is none; or --resume without --folder.
    """
    from cl_localization.research.ace_g.scenes import simulated_scene

    if arguments.resume and arguments.folder is None:
        raise ConfigError("option --resume", "needs the folder of the training", remedy="give --folder FOLDER")
    of_form: dict[str, Any] = {"rooms": 1, "alike": True} if arguments.options.network.form == "codes" else {}
    rooms = [simulated_scene(arguments.room_seed + number, arguments.room_frames, arguments.room_size, **of_form)
             for number in range(arguments.rooms)]
    if not arguments.scenes and not rooms:
        raise ConfigError("train attention", "needs at least one scene", remedy="give --scenes SCENE ... or --rooms N")
    return [*arguments.scenes, *rooms]


def resumed(arguments: Arguments, scenes: list[str]) -> AttentionModel:
    """Return the model of the checkpoint, to be trained for the time that is given now.

    Raises:
        ConfigError: it was begun with other scenes.
        EncoderError: there is no checkpoint, or a damaged one.
    """
    from cl_localization.research.ace_g.checkpoint import load_attention

    model = load_attention(arguments.folder / CHECKPOINT_FILE)
    if model.extra.get("scenes") != scenes:
        raise ConfigError(f"folder {arguments.folder}", "must be of a training with the same scenes",
                          f"{len(model.extra.get('scenes', []))} others", "name the scenes that it was begun with")
    pretraining = replace(model.config.pretraining, max_seconds=arguments.options.pretraining.max_seconds)
    return replace(model, config=replace(model.config, pretraining=pretraining))


def make_objective(config: AttentionConfig, scenes: list[str], encoder: Encoder, processes: Processes,
                   folder: Path | None) -> Objective:
    """Return what is to be learned from this process's share of the scenes, after they were encoded, with progress."""
    from cl_localization.research.ace_g.code_pretraining import CodeObjective, PreparedScenes
    from cl_localization.research.ace_g.pretraining import SparseObjective
    from cl_localization.research.ace_g.scene_files import sparse_pools
    from cl_localization.research.ace_g.scene_stream import StreamedScenes, prepared_scene

    if config.network.form == "codes" and config.pretraining.workers:
        return CodeObjective(StreamedScenes(scenes, config, folder), config, processes.device)
    with shown_progress("preparing", "scenes") as tell:
        if config.network.form == "sparse":
            return SparseObjective(sparse_pools(scenes, encoder, config, folder, tell), config, processes.device)
        made = []
        for number, text in enumerate(scenes):
            made.append(prepared_scene(text, config, config.pretraining.seed + number, folder))
            tell(number + 1, len(scenes))
        return CodeObjective(PreparedScenes(made), config, processes.device)


def train_with_progress(arguments: Arguments, model: AttentionModel, objective: Objective,
                        processes: Processes) -> AttentionModel:
    """Return the trained model; checkpoints go to the folder where there is one."""
    from cl_localization.research.ace_g.pretraining import pretrain

    checkpoint = None if arguments.folder is None else arguments.folder / CHECKPOINT_FILE
    with shown_progress("training", "iterations") as tell:
        return pretrain(model, objective, processes, checkpoint, arguments.resume, lambda done, total,
                        loss: tell(done, total))


def summary_rows(model: AttentionModel, scenes: int, seconds: float, file_bytes: int) -> list[tuple[str, str, Any]]:
    """Return what came out as (metric, value, unit)."""
    steps, wanted = int(model.extra["steps"]), model.config.pretraining.steps
    return [("form", model.config.network.form, ""), ("scenes", f"{scenes:,}", ""),
            ("iterations", f"{steps:,}" if steps == wanted else f"{steps:,} of {wanted:,}; go on with --resume", ""),
            ("parameters", f"{sum(value.numel() for value in model.network.parameters()):,}", ""),
            ("file", f"{file_bytes:,}", "bytes"), ("time", f"{seconds:.1f}", "s")]
