"""Every engine gives what PyTorch gives: exactly in single precision, nearly in bfloat16 and in 8-bit integers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from cl_localization.config import EncoderConfig
from cl_localization.features import engines
from cl_localization.features.engines import (
    DenseFeatures,
    Engine,
    OnnxEngine,
    OpenVinoEngine,
    TorchEngine,
    make_engine,
)
from image_makers import textured

CONFIG = EncoderConfig(device="cpu")
FP32_TOLERANCE, COARSE_TOLERANCE = 2e-5, 0.2
"""Largest differences; bfloat16 has 8 bits, too."""

COARSE_TYPICAL, COARSE_COSINE = 1e-2, 0.99


def onnx_engine() -> Engine:
    """ONNX Runtime, where it is installed."""
    pytest.importorskip("onnxruntime")
    return OnnxEngine(CONFIG)


def openvino_engine(precision: str) -> Engine:
    """OpenVINO in a precision, where it is installed."""
    openvino = pytest.importorskip("openvino")
    if precision == "bf16" and "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bfloat16")
    return OpenVinoEngine(CONFIG, precision)


MAKERS = {"onnx": onnx_engine, "openvino fp32": lambda: openvino_engine("fp32"),
          "openvino bf16": lambda: openvino_engine("bf16"), "openvino int8": lambda: openvino_engine("int8")}


@pytest.fixture(scope="module", params=MAKERS)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine but PyTorch."""
    return MAKERS[request.param]()


@pytest.fixture(scope="module")
def reference() -> TorchEngine:
    """PyTorch, the slow path."""
    return TorchEngine(CONFIG)


def tolerance_of(engine: Engine) -> float:
    """Return how far an engine may be off."""
    return FP32_TOLERANCE if "fp32" in engine.name else COARSE_TOLERANCE


def grey_of(width_px: int, height_px: int) -> np.ndarray:
    """Return a grey image."""
    return cv2.cvtColor(textured(width_px, height_px), cv2.COLOR_RGB2GRAY)


@pytest.mark.parametrize(("width_px", "height_px"), [(320, 256), (32, 32), (352, 224)])
def test_an_image_of_any_size_gives_what_torch_gives(engine, reference, width_px, height_px):
    grey = grey_of(width_px, height_px)
    found, wanted = engine.run(grey), reference.run(grey)
    for values, others in zip(found, wanted):
        assert (values.shape, values.dtype) == (others.shape, np.float32)
        np.testing.assert_allclose(values, others, atol=tolerance_of(engine))
        assert np.median(np.abs(values - others)) < COARSE_TYPICAL
    assert np.einsum("ijk,ijk->ij", found.maps, wanted.maps).min() > COARSE_COSINE
    assert found.maps.shape == (height_px // 8, width_px // 8, 64) and found.heatmap.shape == grey.shape


def test_what_was_given_stays_when_the_next_image_comes(engine):
    first = engine.run(grey_of(320, 256))
    kept = DenseFeatures(*(values.copy() for values in first))
    engine.run(255 - grey_of(320, 256))
    for values, others in zip(first, kept):
        np.testing.assert_array_equal(values, others)


def test_threads_may_call_at_once(engine):
    images = [np.roll(grey_of(320, 256), 8 * number, axis=1) for number in range(6)]
    alone = [engine.run(image) for image in images]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(engine.run, images))
    for values, others in zip(alone, together):
        np.testing.assert_array_equal(values.heatmap, others.heatmap)


def test_another_number_of_threads_is_taken(engine, monkeypatch):
    before = engine.run(grey_of(320, 256))
    monkeypatch.setattr(engines, "_chosen", 2)
    np.testing.assert_allclose(engine.run(grey_of(320, 256)).heatmap, before.heatmap,
                               atol=tolerance_of(engine))


@pytest.fixture
def taken(monkeypatch):
    """How many threads ONNX Runtime and OpenVINO were told to take, each time that they made a network ready."""
    onnxruntime, openvino, counts = pytest.importorskip("onnxruntime"), pytest.importorskip("openvino"), []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, path: str, options: onnxruntime.SessionOptions, **others: object) -> None:
            counts.append(options.intra_op_num_threads)
            super().__init__(path, options, **others)

    class Core(openvino.Core):
        def compile_model(self, network: object, device: str, config: dict) -> openvino.CompiledModel:
            counts.append(config["INFERENCE_NUM_THREADS"])
            return super().compile_model(network, device, config)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(openvino, "Core", Core)
    return counts


@pytest.mark.parametrize("name", ["onnx", "openvino fp32"])
def test_threads_are_as_many_as_were_set_last_before_an_image(taken, monkeypatch, name):
    monkeypatch.setattr(engines, "_chosen", 1)
    engine = MAKERS[name]()
    for count in (1, 2, 2):
        engines.set_threads(count)
        engine.run(grey_of(64, 64))
    assert taken == [1, 2]


def test_the_number_of_threads_is_as_set_else_as_the_environment_says(monkeypatch):
    monkeypatch.setattr(engines, "_chosen", 0)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert engines.threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert engines.threads() >= 1
    engines.set_threads(5)
    assert engines.threads() == 5


@pytest.fixture
def old_processor(monkeypatch):
    """OpenVINO on a processor without bfloat16."""
    openvino = pytest.importorskip("openvino")
    pytest.importorskip("onnxruntime")

    class OldProcessor(openvino.Core):
        def get_property(self, *_: str) -> list[str]:
            return ["FP32", "INT8"]

    monkeypatch.setattr(openvino, "Core", OldProcessor)


@pytest.mark.parametrize(("seconds", "taken"), [([0.03, 0.02], "int8"), ([0.02, 0.03], "fp32")])
def test_without_bfloat16_openvino_takes_what_is_faster_of_integers_and_single_precision(old_processor, monkeypatch,
                                                                                         seconds, taken):
    monkeypatch.setattr(OpenVinoEngine, "_seconds", lambda self: seconds.pop(0))
    engine = OpenVinoEngine(CONFIG)
    assert engine.name == f"openvino in {taken}"
    assert engine.run(grey_of(64, 64)).heatmap.shape == (64, 64)


def test_integers_that_do_not_work_are_told_once_and_single_precision_is_taken(old_processor, monkeypatch, caplog):
    def missing(weights: str) -> None:
        raise ImportError("No module named 'onnx'")

    monkeypatch.setattr(engines, "int8_network", missing)
    engine = OpenVinoEngine(CONFIG)
    assert engine.name == "openvino in fp32" and engine.run(grey_of(64, 64)).heatmap.shape == (64, 64)
    assert [record.getMessage() for record in caplog.records] == [
        "the network cannot be run in 8-bit integers (ImportError: No module named 'onnx'): it runs in fp32"]


def test_auto_works():
    assert make_engine(CONFIG).run(grey_of(64, 64)).heatmap.shape == (64, 64)
