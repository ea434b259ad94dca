"""Frames in a replay buffer: compressed, with what the network said of them when they went in."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from cl_localization.continual.replay_buffer import ReplayBuffer
from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.geometry.camera import DISTORTION_COEFFICIENTS, Camera
from cl_localization.research.hscnet.network import Prediction

MM_PER_M = 1000.0
JPEG_QUALITY = 95
MODELS = tuple(DISTORTION_COEFFICIENTS)
MAX_COEFFICIENTS = 14
LOGITS = ("region_logits", "sub_region_logits")


def store(buffer: ReplayBuffer, frame: Frame, scene: int, leaves: np.ndarray,
          prediction: Prediction | None = None) -> bool:
    """Offer a prepared frame with pose and depth to a buffer and return whether it was kept.

    Args:
        leaves: the leaf regions that it sees, for policies that look at coverage.
        prediction: stored for distillation, in half precision; all frames of a buffer have one or none has.
    """
    item: dict = {"image": [_encoded(".jpg", frame.image[:, :, ::-1])],
                  "depth": [_encoded(".png", np.clip(frame.depth_m * MM_PER_M, 0, 65535).astype(np.uint16))],
                  "pose": frame.world_T_cam[None].astype(np.float64), "camera": _numbers(frame.camera)[None],
                  "stamp_ns": np.array([frame.stamp_ns])}
    if prediction is not None:
        item["values_m"] = prediction.coordinates_m.half().cpu().numpy()
        item |= {name: logits.half().cpu().numpy() for name, logits in zip(LOGITS, prediction.logits)}
    return bool(buffer.offer(item, scene, regions=[np.unique(leaves)])[0] >= 0)


def draw(buffer: ReplayBuffer, count: int, rng: np.random.Generator) -> list[tuple[Frame, int, Prediction | None]]:
    """Draw frames evenly and return each with its scene and the prediction stored with it."""
    slots, items = buffer.sample(count, rng=rng)
    return [_restored({name: column[row] for name, column in items.items()}, int(buffer.traits.classes[slot]))
            for row, slot in enumerate(slots)]


def _restored(item: dict, scene: int) -> tuple[Frame, int, Prediction | None]:
    frame = Frame(int(item["stamp_ns"]), np.ascontiguousarray(_decoded(item["image"], cv2.IMREAD_COLOR)[:, :, ::-1]),
                  _camera(item["camera"]), (_decoded(item["depth"], cv2.IMREAD_UNCHANGED)
                                            / MM_PER_M).astype(np.float32), item["pose"])
    stored = None
    if "values_m" in item:
        stored = Prediction(_tensor(item["values_m"]), tuple(_tensor(item[name]) for name in LOGITS if name in item))
    return frame, scene, stored


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))[None]


def _encoded(kind: str, image: np.ndarray) -> bytes:
    done, content = cv2.imencode(kind, image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if kind == ".jpg" else [])
    if not done:
        raise DataError("replay frame", "must be an image that can be compressed", image.shape)
    return content.tobytes()


def _decoded(content: bytes, flags: int) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if image is None:
        raise DataError("replay frame", "must be a readable image", f"{len(content)} bytes",
                        "the buffer's file is damaged")
    return image


def _numbers(camera: Camera) -> np.ndarray:
    """Return a camera as numbers (22,): size, intrinsics, distortion model, how many coefficients it has, and these."""
    numbers = np.zeros(8 + MAX_COEFFICIENTS)
    numbers[:8] = (camera.width_px, camera.height_px, camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px,
                   MODELS.index(camera.distortion_model), len(camera.distortion))
    numbers[8:8 + len(camera.distortion)] = camera.distortion
    return numbers


def _camera(numbers: np.ndarray) -> Camera:
    coefficients = numbers[8:8 + int(numbers[7])]
    return Camera(int(numbers[0]), int(numbers[1]), *map(float, numbers[2:6]), MODELS[int(numbers[6])],
                  tuple(map(float, coefficients)))
