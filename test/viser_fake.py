"""A viser server that only remembers what it is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

TAKEN_PORT = 9000


class FakeScene:
    """Remembers what is put into it, by name."""

    def __init__(self) -> None:
        self.added: dict[str, SimpleNamespace] = {}
        self.up = ""

    def set_up_direction(self, direction: str) -> None:
        """Remember which way is up."""
        self.up = direction

    def add(self, name: str, **values: Any) -> SimpleNamespace:
        """Remember a part of the scene."""
        self.added[name] = SimpleNamespace(visible=True, **values)
        return self.added[name]

    add_point_cloud = add_line_segments = add_camera_frustum = add_frame = add


class FakeGui:
    """Remembers the text and the images beside the scene."""

    def __init__(self) -> None:
        self.text = SimpleNamespace(content="")
        self.images: dict[str, SimpleNamespace] = {}

    def add_markdown(self, content: str) -> SimpleNamespace:
        """Remember the text."""
        self.text.content = content
        return self.text

    def add_image(self, image: Any, label: str) -> SimpleNamespace:
        """Remember an image."""
        self.images[label] = SimpleNamespace(image=image)
        return self.images[label]


class FakeServer:
    """Stands for `viser.ViserServer`."""

    def __init__(self, **address: Any) -> None:
        self.address, self.scene, self.gui = address, FakeScene(), FakeGui()
        self.greet: Any = None
        self.stopped = False

    def on_client_connect(self, greet: Any) -> None:
        """Remember what is done with a browser that connects."""
        self.greet = greet

    def get_port(self) -> int:
        """Return the port that the server got: another one than asked for where that is taken."""
        return self.address["port"] + (self.address["port"] == TAKEN_PORT)

    def stop(self) -> None:
        """Remember that it was stopped."""
        self.stopped = True
