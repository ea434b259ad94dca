"""Scenes that a pre-trained network never saw: features of images with poses, to be mapped and to be asked for.

`python -m benchmarks.asked_scenes SEQUENCE FILE` writes the features of a sequence to a file, for a machine that has no
images.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.splits import Split, far, frame_number, near
from cl_localization.config import EncoderConfig
from cl_localization.data import open_sequence
from cl_localization.data.sequence import frame_names
from cl_localization.features import Encoder
from cl_localization.research.ace.training import AceBuffer
from cl_localization.research.ace_g.scenes import open_scene, simulated_scene
from cl_localization.research.tokens import token_encoder

STEP = 1 / 16
"""Features are kept in steps of this in one byte: numbers of size one need no more."""

KEPT_KEYPOINTS = 500
NUMBERS, PARTS = "numbers", ("features", "pixels", "views", "cam_T_world", "intrinsics")
SPLITS: dict[str, Split] = {"near": near, "far": far}


@dataclass(frozen=True, eq=False)
class AskedScene:
    """One scene: what its codes are learned from, and images that are then localized."""

    name: str
    mapping: AceBuffer
    queries: AceBuffer


def asked_room(seed: int, frames: int, size: str, encoder: Encoder) -> AskedScene:
    """Return a simulated room; it is asked for from another way through it and in other light."""
    scene = open_scene(simulated_scene(seed, frames, size, rooms=1, alike=True))
    mapping, queries = (AceBuffer.of(part, encoder) for part in (scene.mapping, scene.queries))
    return AskedScene(f"sim:{seed}", mapping, queries)


def write_features(sequence: str, path: Path) -> None:
    """Write the features of all frames of a sequence whose frames have numbers in their names."""
    opened = open_sequence(sequence)
    encoder = token_encoder(replace(EncoderConfig(), max_keypoints=KEPT_KEYPOINTS))
    buffer = AceBuffer.of(opened, encoder)
    tensors = {name: getattr(buffer, name).contiguous() for name in PARTS}
    tensors["features"] = (tensors["features"] / STEP).round().clamp(-127, 127).to(torch.int8)
    tensors["views"] = tensors["views"].to(torch.int16)
    tensors[NUMBERS] = torch.tensor([frame_number(name) for name in frame_names(opened)])
    save_file(tensors, path)


def kitchen_scenes(path: Path) -> list[AskedScene]:
    """Return the splits `near` and `far` of a file of features."""
    tensors = load_file(path)
    whole = AceBuffer(tensors["features"].float() * STEP, tensors["pixels"], tensors["views"].long(),
                      tensors["cam_T_world"], tensors["intrinsics"])
    scenes = []
    for name, split in SPLITS.items():
        mapped = torch.tensor([split(number) for number in tensors[NUMBERS].tolist()])
        scenes.append(AskedScene(f"RedKitchen {name}", of_views(whole, mapped), of_views(whole, ~mapped)))
    return scenes


def of_views(buffer: AceBuffer, chosen: Tensor) -> AceBuffer:
    """Return what some views (V,) bool of a buffer show."""
    rows, renumbered = chosen[buffer.views], chosen.cumsum(0) - 1
    return AceBuffer(buffer.features[rows], buffer.pixels[rows], renumbered[buffer.views[rows]],
                     buffer.cam_T_world[chosen], buffer.intrinsics[chosen])


if __name__ == "__main__":
    write_features(sys.argv[1], Path(sys.argv[2]))
