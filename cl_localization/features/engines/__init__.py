"""What runs XFeat's network: PyTorch, ONNX Runtime or OpenVINO. An engine is a module in this folder."""

from __future__ import annotations

from cl_localization.features.engines.choice import make_engine
from cl_localization.features.engines.engine import DenseFeatures, Engine

__all__ = ["DenseFeatures", "Engine", "make_engine"]
