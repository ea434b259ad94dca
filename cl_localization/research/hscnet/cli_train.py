"""`train hscnet`: HSCNet or SCRNet, on one scene, on scenes one after the other with replay, or on all at once."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cl_localization.cli.flags import argument, settings
from cl_localization.cli.outputs import require_writable
from cl_localization.cli.progress import shown_progress
from cl_localization.cli.tables import print_rows, warn, warn_unreadable
from cl_localization.errors import ConfigError
from cl_localization.research.hscnet.options import REPLAY, USED_WITH, DenseTrainingConfig
from cl_localization.research.hscnet.original_names import translated
from cl_localization.research.hscnet.scene_data import NamedScene, SceneDataConfig, chosen_device, open_scenes
from cl_localization.research.idle_options import idle_options
from cl_localization.research.run_folders import check_unchanged, run_folder

if TYPE_CHECKING:
    from cl_localization.research.hscnet.stream import TrainingStream

MODEL_FILE, SUMMARY_FILE = "model.safetensors", "progress_log_summary.txt"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Train HSCNet or SCRNet from posed RGB-D frames: regions of 25 times 25 a scene are made from depth and poses.

    7S and 12S train one scene; i7S, i12S and i19S learn theirs one after the other, replaying frames of a buffer, or at
    once with --joint. The options of the original programs are understood by their own names, too: --n_iter, --init_lr,
    --aug False, --dense_pred True, ...

    Example: cl_localization train hscnet --dataset i7S --data_path data --buffer_size 256 --sampling CoverageS
        --exp_name coverage
    """

    data: SceneDataConfig = settings(SceneDataConfig)
    sequences: tuple[str, ...] = argument("Posed RGB-D sequences, each a scene, instead of a data set; see `map`.", (),
                                          metavar="SEQ [SEQ ...]")
    joint: bool = argument("Learn all scenes at once: the upper bound of what replay can reach.", False)
    labels: Path | None = argument("File of the scenes' regions: read where it is there, else written. Without it they "
                                   "are kept with the "
                                   "runs.", None, metavar="FILE")
    out: Path | None = argument("Model file to write.", None, metavar="MODEL", writes="file")
    exp_name: str = argument("Name of the run: model, checkpoint, buffer and log go to a folder of this name.", "")
    runs_path: Path = argument("Folder of runs.", Path("data/runs"), metavar="FOLDER")
    resume: Path | None = argument("Run folder, or its checkpoint, to go on in, with the options it was begun with.",
                                   None, metavar="FOLDER")
    log_summary: str = argument("File in the run folder that gets a line for each pass over a scene.", SUMMARY_FILE,
                                metavar="NAME")
    checkpoint_steps: int = argument("Steps between two checkpoints.", 5000)
    device: Literal["auto", "cpu", "cuda"] = argument("Where the network is trained.", "auto")
    threads: int = argument("Processor threads; 0: as many as there are cores.", 0)
    options: DenseTrainingConfig = settings(DenseTrainingConfig)


def understood(words: list[str]) -> list[str]:
    """Return the words of a command line with the originals' names replaced."""
    return translated(words)


def run(arguments: Arguments) -> int:
    """Train, write the model and print what came out; return the exit code."""
    folder = run_folder(arguments)
    out = require_writable(arguments.out or folder / MODEL_FILE)

    import torch

    from cl_localization.research.hscnet.model_file import save_model

    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    start = time.perf_counter()
    stream = make_stream(arguments, folder)
    for sentence in idle(arguments, stream):
        warn(sentence)
    train_with_progress(stream, None if folder is None else folder / arguments.log_summary)
    save_model(stream.trainer, stream.scenes, out, stream.plan.extra)
    print_rows(f"model {out}", summary_rows(stream, time.perf_counter() - start, out.stat().st_size))
    return 0


def make_stream(arguments: Arguments, folder: Path | None) -> TrainingStream:
    """Return what is to be trained, or what is left of it in the run that is gone on with.

    Raises:
        DataError, EncoderError: frames or a run that cannot be used.
        ConfigError: a checkpoint of the original program is to be gone on with.
    """
    from cl_localization.research.hscnet.model_file import SceneFrames, TrainingState
    from cl_localization.research.hscnet.released import is_released
    from cl_localization.research.hscnet.stream import TrainingPlan, TrainingStream, resume
    from cl_localization.research.hscnet.training import DenseTrainer

    if arguments.resume is not None and is_released(arguments.resume):
        raise ConfigError("option resume", "must name a run of this package", str(arguments.resume),
                          "checkpoints of the original program can be tested and converted, by `test hscnet`")
    device = chosen_device(arguments.device)
    trainer, scenes, state, extra = (None, None, TrainingState(), made_of(arguments)) if arguments.resume is None \
        else resume(folder, device)
    if trainer is not None:
        check_unchanged(arguments.options, trainer.config)
    named = open_scenes(SceneDataConfig(**extra["data"]), extra["sequences"], "train")
    for each in named:
        warn_unreadable([], each.sequence.skipped)
    if trainer is None or scenes is None:
        trainer = DenseTrainer(len(named), arguments.options, device)
        scenes = SceneFrames(tuple(each.name for each in named), shifts_m(named))
    labels = arguments.labels
    if labels is None and folder is not None:
        labels = folder.parent / "regions" / f"{regions_name(named, trainer.config)}.safetensors"
    plan = TrainingPlan(extra["joint"] or len(named) == 1, folder, labels, arguments.checkpoint_steps, extra)
    return TrainingStream(trainer, scenes, moved(named, scenes.shifts_m), plan, state)


def idle(arguments: Arguments, stream: TrainingStream) -> list[str]:
    """Return a sentence for each option that is given but does nothing here."""
    said, options, default = idle_options(stream.trainer.config, USED_WITH), arguments.options, DenseTrainingConfig()
    if stream.plan.joint:
        together = "one scene" if len(stream.sequences) == 1 else "all scenes at once"
        said += [f"option {name} has no effect with {together}: nothing is replayed" for name in REPLAY
                 if getattr(options, name) != getattr(default, name)]
    if arguments.data.scene and arguments.resume is None and (arguments.sequences
                                                              or arguments.data.dataset.startswith("i")):
        said.append("option scene has no effect: all scenes are learned")
    return said


def made_of(arguments: Arguments) -> dict[str, Any]:
    """Return what is needed to train the same network again, besides its options."""
    from cl_localization.evaluation.provenance import provenance

    return {"data": asdict(arguments.data), "sequences": list(arguments.sequences), "joint": arguments.joint,
            **provenance()}


def shifts_m(named: list[NamedScene]) -> np.ndarray:
    """Return where each scene is moved (S, 3): the middle of its cameras to its place among all."""
    from cl_localization.research.hscnet.scene_groups import mean_position_m

    return np.array([each.offset_m - mean_position_m(each.sequence) for each in named])


def moved(named: list[NamedScene], by_m: np.ndarray) -> list[Any]:
    """Return the frames of all scenes in the frame of all."""
    from cl_localization.research.hscnet.scene_groups import MovedSequence

    return [MovedSequence(each.sequence, shift_m) for each, shift_m in zip(named, by_m)]


def regions_name(named: list[NamedScene], config: DenseTrainingConfig) -> str:
    """Return a name for the regions of these frames, other than that of any others."""
    import hashlib

    from cl_localization.research.hscnet.stream import identity

    return hashlib.sha256("".join(identity(each.sequence, config) for each in named).encode()).hexdigest()[:16]


def train_with_progress(stream: TrainingStream, log: Path | None) -> None:
    """Train while the progress is shown, with a line in the log for each pass over a scene's frames."""
    config = stream.trainer.config
    total = config.iterations * (1 if stream.plan.joint else len(stream.sequences))
    losses: list[float] = []

    def told(scene: int, step: int, loss: float) -> None:
        tell(scene * config.iterations + step + 1, total)
        losses.append(loss)
        frames = sum(map(len, stream.sequences)) if stream.plan.joint else len(stream.sequences[scene])
        steps_a_pass = max(1, frames // config.batch_size)
        if (step + 1) % steps_a_pass == 0 or step + 1 == config.iterations:
            rate = stream.trainer.optimizer.param_groups[0]["lr"]
            name = "all scenes" if stream.plan.joint and len(stream.sequences) > 1 else stream.scenes.names[scene]
            append_line(log, f"task {name}: epoch {(step + 1) // steps_a_pass}, step {step + 1}/{config.iterations} - "
                             f"lr: {rate:.3g} - "
                             f"train_loss: {np.mean(losses):.6g}")
            losses.clear()

    with shown_progress("training", "steps") as tell:
        stream.run(told)


def append_line(path: Path | None, line: str) -> None:
    """Add a line to a text file, if there is one to add to."""
    if path is not None:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")


def summary_rows(stream: TrainingStream, seconds: float, file_bytes: int) -> list[tuple[str, str, str]]:
    """Return what came out as (metric, value, unit)."""
    buffer = stream.trainer.buffer
    return [("scenes", f"{len(stream.sequences):,}", ""), ("frames", f"{sum(map(len, stream.sequences)):,}", ""),
            ("frames in the replay buffer", "-" if stream.plan.joint or buffer is None else f"{len(buffer):,}", ""),
            ("parameters", f"{sum(value.numel() for value in stream.trainer.network.parameters()):,}", ""),
            ("file", f"{file_bytes:,}", "bytes"), ("time", f"{seconds:.1f}", "s")]
