"""A headless Chromium that looks at a page, for tests that want to see it; driven by its own debugging protocol."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import urllib.request
from itertools import count
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
           "--window-size=1200,900", "--remote-debugging-port=0")
START_S = 60.0


class Browser:
    """A page in a browser; a context manager. The test is skipped where no browser is installed."""

    def __init__(self, url: str, folder: Path) -> None:
        """Open a page; `folder` is for the browser's own files."""
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            pytest.skip("no Chromium is installed: apt install chromium")
        connect = pytest.importorskip("websockets.sync.client", reason="the package viser, which brings it, is missing")
        command = [program, *OPTIONS, f"--user-data-dir={folder}", url]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        port = next(found[1] for line in self._process.stderr if (found := re.search(r"DevTools .*:(\d+)/", line)))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=START_S) as answer:
            page = next(one for one in json.load(answer) if one["type"] == "page")
        self._socket = connect.connect(page["webSocketDebuggerUrl"], max_size=None)
        self._ids = count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
        self._process.kill()
        self._process.communicate()

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to a command of the protocol."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv(START_S))).get("id") != number:
            pass  # an event
        return answer["result"]

    def text(self) -> str:
        """Return the words on the page."""
        return self.ask("Runtime.evaluate", expression="document.body.innerText")["result"]["value"]

    def picture(self) -> np.ndarray:
        """Return what the page looks like, (H, W, 3) uint8 RGB."""
        data = base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])
        return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
