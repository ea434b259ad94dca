"""What all encoders ask of their input and of the machine."""

from __future__ import annotations

import numpy as np
import torch

from cl_localization.errors import EncoderError


def checked_image(image: np.ndarray, min_side_px: int) -> np.ndarray:
    """Return the image if it is (H, W, 3) uint8 and large enough.

    Raises:
        EncoderError: otherwise.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise EncoderError("image", "must be (H, W, 3) uint8 RGB", f"{image.shape} {image.dtype}")
    if min(image.shape[:2]) < min_side_px:
        raise EncoderError("image", f"must be at least {min_side_px} px on each side",
                           f"{image.shape[1]}x{image.shape[0]}")
    return image


def torch_device(name: str) -> torch.device:
    """Return the device of an `EncoderConfig.device`: "auto" takes CUDA when there is one.

    Raises:
        EncoderError: CUDA is asked for and missing.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise EncoderError("encoder.device", "must be available on this machine", "cuda", "use auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
