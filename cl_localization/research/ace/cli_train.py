"""`train ace`: a small network from an encoder's features to points of one scene, learned from posed images without
depth."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cl_localization.cli.flags import argument, settings
from cl_localization.cli.map import FORMAT_HELP, SEQUENCE_HELP
from cl_localization.cli.progress import shown_progress, tracked
from cl_localization.cli.tables import print_rows, warn_unreadable
from cl_localization.config import EncoderConfig
from cl_localization.errors import ConfigError
from cl_localization.research.ace.options import AceConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cl_localization.data.frame import Frame, Sequence
    from cl_localization.research.ace.head import AceHead
    from cl_localization.research.ace.training import AceBuffer


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Learn a scene with ACE's head: from poses alone, on the features of any encoder.

    Example: cl_localization train ace 'sim:7?rooms=1' --out room.safetensors --max-seconds 60
    """

    sequences: tuple[str, ...] = argument(SEQUENCE_HELP + " Several are one scene.", metavar="SEQ [SEQ ...]",
                                          positional=True)
    out: Path = argument("Model file to write.", metavar="MODEL", writes="file")
    format: str = argument(FORMAT_HELP, "auto", metavar="FORMAT")
    threads: int = argument("Processor threads; 0: as many as there are cores.", 0)
    encoder: EncoderConfig = settings(EncoderConfig, "encoder")
    options: AceConfig = settings(AceConfig)


def run(arguments: Arguments) -> int:
    """Learn, write the head and print what came out; return the exit code."""
    if not arguments.sequences:
        raise ConfigError("train ace", "needs at least one sequence", remedy="see `cl_localization train ace --help`")

    import torch

    from cl_localization.evaluation.provenance import provenance
    from cl_localization.research.ace.model_file import save_head
    from cl_localization.research.ace.training import AceBuffer
    from cl_localization.research.tokens import token_encoder

    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    start = time.perf_counter()
    buffer = AceBuffer.of(posed_frames(arguments), token_encoder(arguments.encoder))
    head, steps = learn_with_progress(buffer, arguments.options)
    extra = {"sequences": list(arguments.sequences), "options": asdict(arguments.options), **provenance()}
    save_head(head, arguments.encoder, arguments.out, extra)
    print_rows(f"model {arguments.out}", [
        ("frames", f"{len(buffer.cam_T_world):,}", ""), ("features", f"{len(buffer.features):,}", ""),
        ("steps", f"{steps:,}", ""),
        ("parameters", f"{sum(value.numel() for value in head.parameters()):,}", ""),
        ("file", f"{arguments.out.stat().st_size:,}", "bytes"), ("time", f"{time.perf_counter() - start:.1f}", "s")])
    return 0


def posed_frames(arguments: Arguments) -> Iterator[Frame]:
    """Yield the frames with poses of all sequences, without depth, with progress.

    Raises:
        DataError: a sequence has no poses, or not one frame that can be read.
    """
    from cl_localization.cli.frames import require_poses
    from cl_localization.data import open_sequence

    sequences = [open_sequence(spec, arguments.format) for spec in arguments.sequences]
    for sequence, posed in [(sequence, require_poses(sequence)) for sequence in sequences]:
        yield from readable_frames(sequence, posed)


def readable_frames(sequence: Sequence, posed: list[int]) -> Iterator[Frame]:
    """Yield frames of one sequence by their indices; unreadable ones are named in the end."""
    from cl_localization.cli.frames import prefetched, require_readable
    from cl_localization.evaluation.run import image_only

    unreadable: list[str] = []
    yield from prefetched(image_only(sequence), tracked(posed, len(posed), f"encoding {sequence.name}"), unreadable)
    require_readable(len(posed) - len(unreadable), unreadable, sequence.name)
    warn_unreadable(unreadable, sequence.skipped)


def learn_with_progress(buffer: AceBuffer, options: AceConfig) -> tuple[AceHead, int]:
    """Return a head learned from features, and the steps that it took, while progress is shown."""
    from cl_localization.research.ace.training import learn_head

    steps = 0

    def told(progress: float, loss: float) -> None:
        nonlocal steps
        steps += 1
        tell(round(1000 * progress), 1000)

    with shown_progress("learning", "thousandths") as tell:
        return learn_head(buffer, options, told), steps
