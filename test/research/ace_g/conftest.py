"""Images stay as they are: the encoder of these tests reads a frame's number off its first pixel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def unchanged_images() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cl_localization.research.ace_g.scenes.PERTURBED_SHARE", 0.0)
        yield
