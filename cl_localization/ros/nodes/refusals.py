"""Whether a node's worker gets anywhere: how many images it took, and why it refused the last ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Refusals:
    """Counts the images that a worker took and refused.

    Attributes:
        succeeded, refused: numbers of images.
    """

    def __init__(self) -> None:
        self.succeeded = self.refused = 0
        self._in_a_row, self._reason = 0, ""

    @property
    def problem(self) -> str:
        """Why the last images were refused, until one succeeds; empty for no problem."""
        if not self._in_a_row:
            return ""
        images = "image was" if self._in_a_row == 1 else f"{self._in_a_row} images were"
        return f"the last {images} refused: {self._reason}"

    def succeed(self) -> None:
        """Count an image that was taken."""
        self.succeeded += 1
        self._in_a_row = 0

    def refuse(self, reason: str) -> None:
        """Count an image that was refused."""
        self.refused += 1
        self._in_a_row, self._reason = self._in_a_row + 1, reason

    def watch(self, work: Callable[[Any], object]) -> Callable[[Any], None]:
        """Return `work(item)` that also counts: the item is refused if it raises."""
        def watched(item: Any) -> None:
            try:
                work(item)
            except Exception as error:
                self.refuse(str(error) or repr(error))
                raise
            self.succeed()
        return watched
