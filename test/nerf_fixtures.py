"""Fixtures of the tests of radiance fields: one thread, and a small synthetic scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from cl_localization.nerf.views import View, read_synthetic
from nerf_makers import write_scene


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("balls"))


@pytest.fixture(scope="session")
def views(scene: Path) -> list[View]:
    return read_synthetic(scene, "train", (16, 16))
