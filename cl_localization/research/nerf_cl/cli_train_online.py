"""`train nerf --online_mode`: a field learned from a stream of frames that come in chunks and go again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cl_localization.cli.outputs import require_folder, write_json
from cl_localization.cli.progress import shown_progress
from cl_localization.cli.tables import print_rows
from cl_localization.config import with_values
from cl_localization.errors import ConfigError
from cl_localization.research.forgetting import AccuracyMatrix
from cl_localization.research.nerf_cl.nerf_data import background_of, read_split, score
from cl_localization.research.nerf_cl.options import NerfConfig

if TYPE_CHECKING:
    from cl_localization.nerf.learner import Field
    from cl_localization.nerf.views import View
    from cl_localization.research.nerf_cl.online import OnlineTraining
    from cl_localization.research.nerf_cl.train_arguments import Arguments


@dataclass(frozen=True, eq=False)
class OnlineOutcome:
    """What came out of a stream.

    Attributes:
        seen_db: (N,) PSNR at the end of all frames learned.
        held_out_db: (M,) of those kept back.
        matrix_db: (G, G) row i, column j: mean of the frames of part j after part i was learned; NaN for later parts.
        seconds_per_frame: of learning.
    """

    seen_db: np.ndarray
    held_out_db: np.ndarray
    matrix_db: np.ndarray
    seconds_per_frame: float

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        rows = [[None if np.isnan(value) else float(value) for value in row] for row in self.matrix_db]
        return {"psnr_db_mean_seen": float(self.seen_db.mean()), "psnr_db_seen": self.seen_db.tolist(),
                "psnr_db_mean_held_out": float(self.held_out_db.mean()) if len(self.held_out_db) else None,
                "psnr_db_matrix": rows, "forgetting_db": forgetting_db(self.matrix_db),
                "seconds_per_frame": self.seconds_per_frame}


def run_online(arguments: Arguments, config: NerfConfig, out: Path, folder: Path | None) -> int:
    """Learn a stream, write checkpoint and figures, print what came out; return the exit code."""
    from cl_localization.research.nerf_cl.field_file import save_checkpoint
    from cl_localization.research.nerf_cl.train_arguments import made_of

    config, learned, held_out = stream_views(arguments, config)
    checkpoint = stream_checkpoint(arguments, config, learned)
    training = stream_training(checkpoint, learned)
    if arguments.ckpt_path is not None and memory_file(arguments.ckpt_path).is_file():
        training.memory.resume(memory_file(arguments.ckpt_path))
    matrix = learn_with_progress(training, learned, arguments.eval_groups)
    outcome = outcome_of(training, learned, held_out, matrix)
    checkpoint.finished = True
    checkpoint.extra |= {"chunks": training.chunk, "online": outcome.to_json(),
                         "skipped_steps": training.learner.skipped,
                         **made_of(arguments)}
    save_checkpoint(checkpoint, out)
    training.memory.save(memory_file(out))
    place = require_folder(folder or out.parent)
    write_json(place / f"{out.stem}_online.json", {**outcome.to_json(), "record": vars(training.record)})
    if arguments.save_plots:
        draw(outcome, training, place / f"{out.stem}_online.png")
    print_rows(f"checkpoint {out}", summary_rows(outcome, training))
    return 0


def memory_file(checkpoint: Path) -> Path:
    """Return where what may be replayed lies, beside a checkpoint."""
    return checkpoint.with_name(f"{checkpoint.stem}_memory.safetensors")


def stream_views(arguments: Arguments, config: NerfConfig) -> tuple[NerfConfig, list[View], list[View]]:
    """Return the options with chunks of what is learned, the frames to learn in their order, and those to test only.

    Raises:
        ConfigError: more frames of a chunk to learn than it has.
    """
    size, learned = config.online.chunk_size, arguments.num_train_in_each_chunk
    if learned > size:
        raise ConfigError("option num_train_in_each_chunk", f"must be at most chunk_size, {size}", learned)
    frames = min((count for count in (arguments.num_chunks * size, config.online.frames) if count), default=0)
    views = read_split(arguments.root_dir, arguments.dataset_name, "train", arguments.img_wh, config.background, frames)
    held = np.zeros(len(views), bool)
    if arguments.hold_out > 1:
        held[arguments.hold_out - 1::arguments.hold_out] = True
    if learned:
        rng = np.random.default_rng(config.learning.seed)
        for chunk in range(0, len(views), size):
            held[chunk + rng.permutation(len(views[chunk:chunk + size]))[learned:]] = True
        config = with_values(config, {"online.chunk_size": learned})
    return config, [view for view, out in zip(views, held) if not out], [view for view, out in zip(views, held) if out]


def stream_checkpoint(arguments: Arguments, config: NerfConfig, views: list[View]) -> Any:
    """Return a new checkpoint, or the one to go on from."""
    from cl_localization.research.nerf_cl.field_file import Checkpoint, load_checkpoint
    from cl_localization.research.nerf_cl.making import best_device, make_field, moved
    from cl_localization.research.nerf_cl.resume import go_on_with
    from cl_localization.research.nerf_cl.scene_views import SYNTHETIC_BOX, box_of

    if arguments.ckpt_path is not None:
        checkpoint = load_checkpoint(arguments.ckpt_path)
        go_on_with(checkpoint, config)
        moved(checkpoint.field, best_device())
        checkpoint.tasks = (*checkpoint.tasks, "online")
        return checkpoint
    background = background_of(config, arguments.dataset_name)
    is_sequence = arguments.dataset_name == "sequence"
    box = box_of(views, config.near, config.far) if is_sequence else SYNTHETIC_BOX
    field = moved(make_field(config, box, background, empty=views[0].depth is not None), best_device())
    return Checkpoint(field, config, background, tasks=("online",), finished=False)


def stream_training(checkpoint: Any, views: list[View]) -> OnlineTraining:
    """Return the training of a stream of views."""
    from cl_localization.research.nerf_cl.online import OnlineTraining, chunks_of

    return OnlineTraining(checkpoint.field, checkpoint.config, len(chunks_of(views, checkpoint.config)))


def learn_with_progress(training: OnlineTraining, views: list[View], groups: int) -> np.ndarray:
    """Learn the stream and return the table of forgetting (G, G); empty without groups."""
    from cl_localization.research.nerf_cl.online import chunks_of

    chunks = chunks_of(views, training.config)
    parts = [part for part in np.array_split(np.arange(len(chunks)), max(min(groups, len(chunks)), 1))
             if len(part)] if groups else []
    matrix = np.full((len(parts), len(parts)), np.nan)
    ends = {int(part[-1]) + 1: number for number, part in enumerate(parts)}
    with shown_progress("learning", "chunks") as tell:
        def told(now: OnlineTraining) -> None:
            tell(now.chunk, len(chunks))
            row = ends.get(now.chunk)
            if row is not None:
                for column in range(row + 1):
                    matrix[row, column] = now.psnr_db([view for number in parts[column] for view in chunks[number]])

        training.run(views, told)
    return matrix


def outcome_of(training: OnlineTraining, learned: list[View], held_out: list[View],
               matrix: np.ndarray) -> OnlineOutcome:
    """Return what came out of a stream, every frame rendered once more."""
    field: Field = training.field
    seen, held = (np.array(score(field, training.config, views).psnr_db) if views else np.zeros(0)
                  for views in (learned, held_out))
    return OnlineOutcome(seen, held, matrix, float(np.sum(training.record.seconds)) / len(learned))


def forgetting_db(matrix: np.ndarray) -> float:
    """Return the mean forgetting of all parts but the last [dB], less than 0 where they became better; 0 for one
    part."""
    if len(matrix) < 2:
        return 0.0
    return float(AccuracyMatrix(tuple(f"{number}" for number in range(len(matrix))), matrix).forgetting.mean())


def draw(outcome: OnlineOutcome, training: OnlineTraining, path: Path) -> None:
    """Write the figure of a stream: forgetting, PSNR of chunks before and after learning, PSNR of all frames at the
    end."""
    from cl_localization.research.nerf_cl.figures import draw_forgetting, draw_psnr
    from cl_localization.viz.style import new_figure, save_figure

    figure = new_figure(12, 3.6)
    left, middle, right = figure.subplots(1, 3)
    names = [f"{number + 1}" for number in range(len(outcome.matrix_db))]
    if names:
        draw_forgetting(left, outcome.matrix_db, names)
    record = training.record
    draw_psnr(middle, {"before it is learned": np.array(record.before_db), "after": np.array(record.after_db)}, "chunk")
    draw_psnr(right, {"at the end": outcome.seen_db}, "frame")
    save_figure(figure, path)


def summary_rows(outcome: OnlineOutcome, training: OnlineTraining) -> list[tuple[str, str, str]]:
    """Return what came out as (metric, value, unit)."""
    held_out = f"{outcome.held_out_db.mean():.2f}" if len(outcome.held_out_db) else "-"
    memory = training.memory
    return [("frames learned", f"{len(outcome.seen_db)}", ""), ("chunks", f"{training.chunk}", ""),
            ("time for a frame", f"{outcome.seconds_per_frame:.3f}", "s"),
            ("skipped steps", f"{training.learner.skipped}", ""),
            ("PSNR of all frames learned", f"{outcome.seen_db.mean():.2f}", "dB"),
            ("PSNR of frames held out", held_out, "dB"),
            ("forgetting", f"{forgetting_db(outcome.matrix_db):.2f}", "dB"),
            ("frames kept", f"{len(memory)}", ""), ("bytes kept", f"{memory.buffer.size_bytes:,}", "bytes")]
