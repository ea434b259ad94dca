"""Fixtures of the tests of radiance fields: a small synthetic scene."""

from __future__ import annotations

from pathlib import Path

import pytest

from cl_localization.nerf.views import View
from cl_localization.research.nerf_cl.scene_views import read_synthetic
from nerf_makers import write_scene


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("balls"))


@pytest.fixture(scope="session")
def views(scene: Path) -> list[View]:
    return read_synthetic(scene, "train", (16, 16))
