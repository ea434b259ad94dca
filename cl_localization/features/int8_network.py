"""The exported network with most of its convolutions in 8-bit integers, for processors that calculate faster in these.

The first convolution, the heads, and the last convolution of the descriptors stay as they are: they are a small part of
the time, and what keypoints and descriptors are made of. Ranges of what the layers give are taken from made-up images;
images are normalized first, so that those of cameras have the same.
"""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

KEPT = ("block1.1.", "block_fusion.2.")
IMAGES, WIDTH_PX, HEIGHT_PX, SHAPES, NOISE = 12, 320, 256, 150, 4.0


class MadeUpImages(CalibrationDataReader):
    """Grey images of shapes with sharp and soft edges and some noise, the same every time."""

    def __init__(self, name: str) -> None:
        """Give images by the name of the network's input."""
        self._name, self._random, self._left = name, np.random.default_rng(0), IMAGES

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next image (1, 1, H, W) uint8; None after the last."""
        if self._left == 0:
            return None
        self._left -= 1
        return {self._name: self._image()[None, None]}

    def _image(self) -> np.ndarray:
        random = self._random
        image = np.full((HEIGHT_PX, WIDTH_PX), random.integers(40, 200), np.uint8)
        for _ in range(SHAPES):
            corner, size = random.integers(0, [WIDTH_PX, HEIGHT_PX]), random.integers(4, 80, 2)
            grey = int(random.integers(0, 256))
            if random.random() < 0.5:
                cv2.rectangle(image, corner.tolist(), (corner + size).tolist(), grey, -1)
            else:
                cv2.ellipse(image, corner.tolist(), size.tolist(), float(random.integers(180)), 0, 360, grey, -1)
        soft = cv2.GaussianBlur(image, (0, 0), random.uniform(0.5, 1.5))
        return np.clip(soft + random.normal(0, NOISE, image.shape), 0, 255).astype(np.uint8)


def write_int8(network: Path, path: Path) -> None:
    """Write an exported network with its convolutions in 8-bit integers; raises what the libraries raise."""
    logger, model = logging.getLogger(), onnx.load(network)
    logger.addFilter(_is_error)  # it asks there for a preparation that changes nothing here
    try:
        quantize_static(network, path, MadeUpImages(model.graph.input[0].name), per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                        nodes_to_quantize=_chosen(model), extra_options={"WeightSymmetric": True})
    finally:
        logger.removeFilter(_is_error)


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _chosen(model: onnx.ModelProto) -> list[str]:
    """Return the names of the convolutions of the blocks, and of the activations behind them."""
    convolutions = [node for node in model.graph.node if node.op_type == "Conv" and "block" in node.input[1]
                    and not any(name in node.input[1] for name in KEPT)]
    results = {result for node in convolutions for result in node.output}
    activations = [node for node in model.graph.node if node.op_type == "Relu" and node.input[0] in results]
    return [node.name for node in (*convolutions, *activations)]
