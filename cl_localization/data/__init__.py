"""Sequences of frames: readers, selections, writers. `open_sequence` is the way in."""

from cl_localization.data.frame import Frame, Sequence
from cl_localization.data.open import open_sequence
from cl_localization.data.sequence import SubSequence, base_T_cam_of, frame_names, select

__all__ = ["Frame", "Sequence", "SubSequence", "base_T_cam_of", "frame_names", "open_sequence", "select"]
