"""ACE heads on disk, with the encoder whose features they take."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from cl_localization.config import EncoderConfig
from cl_localization.data.network_file import NetworkFile
from cl_localization.errors import EncoderError, LocalizationError
from cl_localization.research.ace.head import AceHead

FILE = NetworkFile("cl_localization_ace")
FEATURES, TOKENS = "features", "tokens"
"""Heads of earlier versions took features of unit length, and say nothing about them."""


def save_head(head: AceHead, encoder: EncoderConfig, path: Path, extra: dict[str, Any] | None = None) -> None:
    """Write a head in half precision, as ACE does; the mean of the cameras stays exact.

    Raises:
        EncoderError: the file cannot be written.
    """
    tensors = {name: value if name == "mean_m" else value.half() for name, value in head.state_dict().items()}
    FILE.write(path, tensors, {"dim": head.dim, "blocks": len(head.blocks), "width": head.width,
                               "encoder": asdict(encoder), FEATURES: TOKENS,
                               "extra": extra or {}})


def load_head(path: Path) -> tuple[AceHead, EncoderConfig, dict[str, Any]]:
    """Read a head, the encoder it goes with, and how it was made.

    Raises:
        EncoderError: no such file, another kind of file, truncated, of another version, or with parts that do not fit
            together.
    """
    tensors, metadata = FILE.read(path)
    if metadata.get(FEATURES) != TOKENS:
        raise EncoderError(f"model {path}", "must take features as they are now", "one for features of unit length",
                           "train it again")
    try:
        head = AceHead(int(metadata["dim"]), torch.zeros(3), int(metadata["blocks"]), int(metadata["width"]))
        head.load_state_dict({name: value.float() for name, value in tensors.items()})
        return head.eval(), EncoderConfig(**metadata["encoder"]), dict(metadata.get("extra") or {})
    except (KeyError, TypeError, ValueError, RuntimeError, LocalizationError) as error:
        raise EncoderError(f"model {path}", "must have parts that fit together", " ".join(str(error).split())[:300],
                           "train it again") from error
