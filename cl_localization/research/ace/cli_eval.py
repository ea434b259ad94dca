"""`test ace`: how often a head that `train ace` made finds the pose of an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cl_localization.cli.flags import argument
from cl_localization.cli.map import FORMAT_HELP, SEQUENCE_HELP
from cl_localization.cli.outputs import write_json
from cl_localization.cli.tables import print_rows

if TYPE_CHECKING:
    from cl_localization.research.network_localizer import NetworkLocalizer


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Compare the poses of a sequence's frames by ACE's head with the truth.

    Example: cl_localization test ace room.safetensors 'sim:7?rooms=1&path=tracking' --json result.json
    """

    model: Path = argument("Model file.", metavar="MODEL", positional=True)
    sequence: str = argument(SEQUENCE_HELP, metavar="SEQ", positional=True)
    json: Path | None = argument("JSON file to write.", None, metavar="FILE", writes="file")
    format: str = argument(FORMAT_HELP, "auto", metavar="FORMAT")
    threads: int = argument("Processor threads; 0: as many as there are cores.", 0)


def run(arguments: Arguments) -> int:
    """Test, print and write the results; return the exit code."""

    import torch

    from cl_localization.cli.localizing import try_sequence
    from cl_localization.data import open_sequence
    from cl_localization.evaluation.provenance import provenance
    from cl_localization.evaluation.summary import summarize

    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    localizer, extra = open_head(arguments.model)
    sequence = open_sequence(arguments.sequence, arguments.format)
    trial = try_sequence(localizer, sequence, f"localizing {sequence.name}")
    summary = summarize(trial.records, arguments.model.stat().st_size, 0, trial.skipped)
    print_rows(f"{arguments.sequence} in {arguments.model}", summary.rows())
    if arguments.json is not None:
        write_json(arguments.json, {**summary.to_json(), "model": str(arguments.model), "sequence": arguments.sequence,
                                    "learned_from": extra.get("sequences", []), **provenance()})
    return 0


def open_head(path: Path) -> tuple[NetworkLocalizer, dict]:
    """Return a localizer of a model file, and how it was made.

    Raises:
        EncoderError: the file cannot be read, or is of an encoder that this machine lacks.
    """
    from cl_localization.errors import EncoderError
    from cl_localization.research.ace.model_file import load_head
    from cl_localization.research.ace.training import localize_with_head
    from cl_localization.research.network_localizer import NetworkLocalizer
    from cl_localization.research.tokens import token_encoder

    head, encoder_config, extra = load_head(path)
    encoder = token_encoder(encoder_config)
    if encoder.dim != head.dim:
        raise EncoderError(f"model {path}", f"must take the encoder's features of {encoder.dim} numbers", head.dim,
                           "train it again")
    return NetworkLocalizer(lambda frame: localize_with_head(head, encoder.encode(frame.image), frame.camera)), extra
