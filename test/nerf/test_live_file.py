"""Live fields on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cl_localization.errors import DataError
from cl_localization.nerf.live import LiveField
from cl_localization.nerf.live_file import FILE, load_live, save_live
from cl_localization.ros.nerf.pose_check import beside
from live_makers import SMALL, learned, room_frames


def test_the_file_lies_beside_that_of_the_map() -> None:
    assert beside(Path("/maps/kitchen.safetensors")) == Path("/maps/kitchen.nerf.safetensors")


def test_a_field_goes_on_from_its_file(tmp_path: Path) -> None:
    frames = room_frames(4)
    field = learned(frames)
    save_live(field, tmp_path / "a", "map 1 attic")
    again, owner = load_live(tmp_path / "a", SMALL)
    assert owner == "map 1 attic" and (again.keyframes, again.steps, len(again.memory)) == (4, 40, 4)
    for one, other in zip(*(vars(shown.render(frames[0].world_T_cam, frames[0].camera)).values()
                            for shown in (field, again))):
        assert np.array_equal(one, other)
    assert again.learn(0.0) == 1 and again.steps == 41
    assert again.add(frames[0]) > 20 and again.keyframes == 5


def test_what_cannot_be_saved_or_loaded_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must have a keyframe"):
        save_live(LiveField(SMALL), tmp_path / "a", "")
    with pytest.raises(DataError, match="must be a file"):
        load_live(tmp_path / "a", SMALL)
    field = learned(room_frames(1), steps=1)
    save_live(field, tmp_path / "a", "")
    (tmp_path / "cut").write_bytes((tmp_path / "a").read_bytes()[:-100])
    with pytest.raises(DataError, match="whole safetensors file"):
        load_live(tmp_path / "cut", SMALL)
    with pytest.raises(DataError, match="cells in 1 MB"):
        load_live(tampered(tmp_path, corners=[1000, 1000, 1000]), replace(SMALL, field_mb=1.0))


def tampered(folder: Path, **changes: object) -> Path:
    """The file with other metadata, or tensors."""
    tensors, metadata = FILE.read(folder / "a")
    tensors |= {name: value for name, value in changes.items() if isinstance(value, torch.Tensor)}
    FILE.write(folder / "b", tensors, {**metadata, **{name: value for name,
                                                      value in changes.items() if name not in tensors}})
    return folder / "b"


@pytest.mark.parametrize("changes", [
    {"corners": [3, 3]}, {"corners": [1, 9, 9]}, {"edge": 0.0}, {"edge": "wide"}, {"low": [0.0, float("nan"), 0.0]},
    {"corners": [4, 4, 4]},
    {"density": torch.zeros(3, 1)}, {"colour": torch.zeros(3, 7)}, {"replay": torch.zeros(9, dtype=torch.uint8)},
    {"used": torch.zeros(1, dtype=torch.uint8)}, {"keyframes": None}], ids=str)
def test_parts_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    save_live(learned(room_frames(1), steps=1), tmp_path / "a", "")
    with pytest.raises(DataError, match="must be consistent and fit"):
        load_live(tampered(tmp_path, **changes), SMALL)
