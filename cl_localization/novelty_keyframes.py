"""Keyframes chosen by what is new in them: a radiance field is asked how well it knew an image, whatever place it is from."""

from __future__ import annotations

from cl_localization.data.frame import Frame
from cl_localization.nerf.live import LiveField


class NoveltyPolicy:
    """Wants the frames that a field knows badly. Its answer changes as the field learns what was wanted before.

    Unlike `KeyframePolicy` it sees that a place has changed: from a pose where a keyframe was taken another is wanted when furniture
    was moved. A whole image that got darker is new, too.
    """

    def __init__(self, field: LiveField, max_psnr_db: float) -> None:
        """Ask `field`, which the caller has learn from the frames that are wanted.

        Args:
            max_psnr_db: frames that are rendered worse than this are wanted [dB].
        """
        self.field, self.max_psnr_db = field, max_psnr_db

    def is_new(self, frame: Frame) -> bool:
        """Return whether a frame shows something new. Raises DataError for one without a pose."""
        return self.field.psnr_db(frame) < self.max_psnr_db
