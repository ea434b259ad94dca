"""The status of the mapper on /diagnostics."""

from __future__ import annotations

from typing import Any, Protocol

from cl_localization.map.map_code import MapCode
from cl_localization.ros.images.image_source import ImageSource
from cl_localization.ros.map_topic.map_digest import MapDigest
from cl_localization.ros.mapping.map_saver import MapSaver
from cl_localization.ros.nodes.diagnostics import NodeDiagnostics
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.workers.worker import Worker


class Part(Protocol):
    """A part of the node.

    Attributes:
        problem: message for /diagnostics; empty for none.
    """

    @property
    def problem(self) -> str:
        """What is not as it should be."""
        ...


class MapperDiagnostics(NodeDiagnostics):
    """The diagnostics of the mapper."""

    def __init__(self, node: ManagedNode) -> None:
        """Publish for `node` while it is active."""
        super().__init__(node)
        self._digest = MapDigest()

    def publish_state(self, map_code: MapCode, learning: bool, worker: Worker[Any], images: ImageSource,
                      saver: MapSaver, *others: Part) -> None:
        """Publish the status; `others` are further parts with a `problem`."""
        parts: tuple[Part, ...] = (images, saver, *others)
        problems = filter(None, (part.problem for part in parts))
        self.publish("; ".join(problems), {
            "images": images.images, "processed": worker.processed, "dropped": worker.dropped,
            "lost in transport": images.lost}, {
            "learning": learning, "waiting": worker.waiting, "map": map_code.map_id, "map version": map_code.version,
            "codes": len(map_code), "keyframes": len(map_code.keyframes), "map bytes": map_code.size_bytes,
            "saved version": saver.saved_version, "unsaved keyframes": saver.unsaved_keyframes,
            "image delay [s]": images.delay_s, "map digest": self._digest.of(map_code), **health_values(map_code)})


def health_values(map_code: MapCode) -> dict[str, object]:
    """Return the known figures of a map's health, as its mapper noted them."""
    return {name.replace("_", " "): value for name, value in map_code.health.items()
            if name != "warnings" and value is not None}
