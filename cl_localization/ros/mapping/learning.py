"""How the mapper node learns from an image: by a pose that is given to it, or by one that the map finds itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cl_localization.data.frame import Frame
from cl_localization.mapper import Mapper
from cl_localization.mapping.mapping_result import MappingResult
from cl_localization.msg import MappingStatus
from cl_localization.ros.images.image_source import ImageBundle
from cl_localization.ros.workers.worker import Worker


@dataclass(frozen=True, eq=False)
class Learned:
    """What became of an image.

    Attributes:
        reason: why it was mapped, or why not.
        frame: with its pose; None without one.
        result: None if the image was not mapped.
    """

    reason: str
    frame: Frame | None = None
    result: MappingResult | None = None


class Learning(Protocol):
    """Poses an image and maps it.

    Attributes:
        problem: message for /diagnostics; empty for none.
    """

    @property
    def problem(self) -> str:
        """What is not as it should be."""
        ...

    def start(self, worker: Worker[ImageBundle]) -> None:
        """Subscribe, and create timers, while the node is active."""
        ...

    def use(self, mapper: Mapper) -> None:
        """Worker, or set-up: learn into another map from now on."""
        ...

    def observe_arrival(self, bundle: ImageBundle) -> None:
        """Executor: note that an image arrives."""
        ...

    def learn(self, bundle: ImageBundle, learning: bool) -> Learned:
        """Worker: pose an image, and map it if `learning`.

        Raises:
            LocalizationError: the image has no pose in time, or cannot be decoded, encoded or mapped.
        """
        ...

    def finish(self) -> None:
        """Worker: refine the map by all that is known."""
        ...

    def fill_status(self, status: MappingStatus) -> None:
        """Fill in what a status says of own poses."""
        ...
