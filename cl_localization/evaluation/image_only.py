"""Sequences read without their depth: for methods that do not look at it, and for honest latencies."""

from __future__ import annotations

from dataclasses import replace

from cl_localization.data.frame import Sequence
from cl_localization.data.sequence import ImageFileSequence, SubSequence, select


def image_only(sequence: Sequence) -> Sequence:
    """Return the sequence with depth files left unread; itself where its reader does not keep depth as files."""
    if isinstance(sequence, SubSequence):
        return select(image_only(sequence.sequence), sequence.indices, sequence.name)
    if isinstance(sequence, ImageFileSequence):
        files = [replace(file, depth_path=None) for file in sequence.files]
        return ImageFileSequence(sequence.name, files, sequence.skipped, sequence.notes, sequence.camera_source)
    return sequence
