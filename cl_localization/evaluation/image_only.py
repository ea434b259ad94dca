"""Sequences without depth: for methods that do not use it, so that reading it does not add to their latency."""

from __future__ import annotations

from dataclasses import replace

from cl_localization.data.frame import Sequence
from cl_localization.data.sequence import ImageFileSequence, SubSequence, select


def image_only(sequence: Sequence) -> Sequence:
    """Return the sequence without reading its depth files; unchanged if it has no depth files."""
    if isinstance(sequence, SubSequence):
        return select(image_only(sequence.sequence), sequence.indices, sequence.name)
    if isinstance(sequence, ImageFileSequence):
        files = [replace(file, depth_path=None) for file in sequence.files]
        images = ImageFileSequence(sequence.name, files, sequence.skipped, sequence.notes, sequence.camera_source)
        images.turn_deg = sequence.turn_deg
        return images
    return sequence
