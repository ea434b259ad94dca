"""`train seqmatchnet`: descriptors for the sequence-matching metric, learned from two traverses of the same places."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cl_localization.cli.flags import argument, settings
from cl_localization.cli.outputs import require_writable
from cl_localization.cli.progress import shown_progress
from cl_localization.cli.tables import print_rows, warn
from cl_localization.config import with_values
from cl_localization.research.idle_options import idle_options
from cl_localization.research.run_folders import check_unchanged, run_folder
from cl_localization.research.seqmatchnet.options import USED_WITH, PlaceDataConfig, SeqMatchNetConfig
from cl_localization.research.seqmatchnet.original_names import translated
from cl_localization.research.seqmatchnet.place_models import MODEL_FILE, describe_with_progress, parse_range

if TYPE_CHECKING:
    from cl_localization.research.seqmatchnet.model_file import PlaceModel
    from cl_localization.research.seqmatchnet.trainer import Trainer
    from cl_localization.research.seqmatchnet.training import DescribedPair

CHECKPOINT_FILE = "checkpoint.safetensors"
EPOCHS = "training.epochs"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Train SeqMatchNet or SeqNet on two traverses of the same places.

    The options of the original programs are understood by their own names, too: --seqL, --loss_trip_method, --expName,
    ...

    Example: cl_localization train seqmatchnet --database summer --query winter --train-range 0:2000 --seqL 5 --out
        nordland.safetensors
    """

    data: PlaceDataConfig = settings(PlaceDataConfig)
    train_range: str = argument("Images of both traverses that are trained on; all without it.", "",
                                metavar="BEGIN:END")
    out: Path | None = argument("Model file to write.", None, metavar="MODEL", writes="file")
    exp_name: str = argument("Name of the run: model, checkpoint, options and TensorBoard events go to a folder of "
                             "this name.", "")
    runs_path: Path = argument("Folder of runs.", Path("data/runs"), metavar="FOLDER")
    resume: Path | None = argument("Run folder, or its checkpoint, to go on in, with the options it was begun with; "
                                   "--nEpochs sets a later end.", None, metavar="FOLDER")
    threads: int = argument("Processor threads; 0: as many as there are cores.", 0)
    options: SeqMatchNetConfig = settings(SeqMatchNetConfig)


def understood(words: list[str]) -> list[str]:
    """Return the words of a command line with the originals' names replaced."""
    return translated(words, train=True)


def run(arguments: Arguments) -> int:
    """Train, write the model and print what came out; return the exit code."""
    folder = run_folder(arguments)
    out = require_writable(arguments.out or folder / MODEL_FILE)

    import torch

    from cl_localization.research.seqmatchnet.datasets import open_pair
    from cl_localization.research.seqmatchnet.describer import Describer
    from cl_localization.research.seqmatchnet.model_file import save_model
    from cl_localization.research.seqmatchnet.training import describe_pair, split_validation

    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    config = arguments.options if arguments.resume is None else resumed_options(arguments.options, folder)
    for sentence in idle_options(config, USED_WITH):
        warn(sentence)
    pair = open_pair(arguments.data, "train")
    if arguments.train_range:
        pair = pair.part(*parse_range(arguments.train_range))
    describer = Describer(config.image)
    if pair.database.read is not None and config.image.kind == "vlad":
        describer.learn(pair.database.read(index) for index in range(len(pair.database)))
    start = time.perf_counter()
    data = describe_with_progress(pair, describer)
    if arguments.data.dataset and not arguments.data.dataset.endswith(".db"):
        train, validation = data, describe_pair(open_pair(arguments.data, "val"), describer)
    else:
        train, validation = split_validation(data, config.training)
    model = train_with_progress(train, validation, describer, config, folder, arguments.resume is not None)
    save_model(replace(model, extra={**model.extra, **made_of(arguments, config)}), out)
    print_rows(f"model {out}", summary_rows(model, len(train.pair.queries), time.perf_counter() - start,
                                            out.stat().st_size))
    return 0


def resumed_options(given: SeqMatchNetConfig, folder: Path) -> SeqMatchNetConfig:
    """Return the options that a run was begun with, to the epoch that is now given.

    Raises:
        ConfigError: another option is given and other than the run has it.
        EncoderError: no checkpoint.
    """
    from cl_localization.research.seqmatchnet.model_file import read_checkpoint_config

    begun_with = read_checkpoint_config(folder / CHECKPOINT_FILE)
    check_unchanged(given, begun_with, (EPOCHS,))
    if given.training.epochs == SeqMatchNetConfig().training.epochs:
        return begun_with
    return with_values(begun_with, {EPOCHS: given.training.epochs})


def train_with_progress(train: DescribedPair, validation: DescribedPair | None, describer: Any,
                        config: SeqMatchNetConfig,
                        folder: Path | None, resume: bool) -> PlaceModel:
    """Return the trained model; progress is shown, and logged and saved in the run's folder where there is one."""
    from contextlib import nullcontext

    from cl_localization.research.seqmatchnet.training import train_model
    from cl_localization.research.training_log import TensorboardLog

    checkpoint = None if folder is None else folder / CHECKPOINT_FILE
    with (
        shown_progress("training", "epochs") as tell,
        nullcontext() if folder is None else TensorboardLog(folder) as log,
    ):
        def told(trainer: Trainer) -> None:
            tell(trainer.progress.epoch, config.training.epochs)

        return train_model(train, validation, describer, config, log or (lambda epoch, figures: None), checkpoint,
                           resume, told)


def made_of(arguments: Arguments, config: SeqMatchNetConfig) -> dict[str, Any]:
    """Return what is needed to train the same model again."""
    from cl_localization.evaluation.provenance import provenance

    return {"data": asdict(arguments.data), "train_range": arguments.train_range, "config": asdict(config),
            **provenance()}


def summary_rows(model: PlaceModel, places: int, seconds: float, file_bytes: int) -> list[tuple[str, str, str]]:
    """Return what came out as (metric, value, unit)."""
    score = model.extra["validation recall@5"]
    return [("query images trained on", f"{places:,}", ""), ("epochs", f"{model.extra['epochs']}", ""),
            ("validation recall@5", f"{score:.3f}" if score >= 0 else "-", ""),
            ("parameters", f"{sum(value.numel() for value in model.network.parameters()):,}", ""),
            ("file", f"{file_bytes:,}", "bytes"), ("time", f"{seconds:.1f}", "s")]
