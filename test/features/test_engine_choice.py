"""Which engine is taken, and what is said when one does not work."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from cl_localization.config import EncoderConfig
from cl_localization.errors import EncoderError
from cl_localization.features import engines
from cl_localization.features.engines import DenseFeatures, make_engine, tried

AUTO = EncoderConfig(device="cpu")


class Fake:
    """An engine that gives a constant."""

    def __init__(self, name: str, value: float = 0.5) -> None:
        self.name, self._value = name, value

    def run(self, grey: np.ndarray) -> DenseFeatures:
        """Return constant maps."""
        cells = np.full((grey.shape[0] // 8, grey.shape[1] // 8), self._value, np.float32)
        return DenseFeatures(cells[..., None], np.full(grey.shape, self._value, np.float32), cells)


def raising(error: Exception) -> object:
    """Return a maker of engines that fails."""
    def make(config: EncoderConfig) -> Fake:
        raise error
    return make


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """All engines are installed and work, on an x86 processor without CUDA."""
    monkeypatch.setattr(engines, "_broken", set())
    monkeypatch.setattr(engines, "_has_cuda", lambda: False)
    monkeypatch.setattr(engines.platform, "machine", lambda: "x86_64")
    names = set(engines.PACKAGES.values())
    monkeypatch.setattr(engines, "find_spec", lambda name: name if name in names else None)
    for name in engines.MAKERS:
        monkeypatch.setitem(engines.MAKERS, name, lambda config, name=name: Fake(name))
    return names


@pytest.mark.parametrize(("machine", "name"), [("x86_64", "openvino"), ("aarch64", "onnx")])
def test_the_fastest_is_taken_and_said(machine, name, monkeypatch, caplog):
    monkeypatch.setattr(engines.platform, "machine", lambda: machine)
    with caplog.at_level(logging.INFO, "cl_localization"):
        assert make_engine(AUTO).name == name
    assert [record.getMessage() for record in caplog.records] == [f"XFeat runs with {name}"]


def test_one_that_is_not_installed_is_passed_over_in_silence(installed, caplog):
    installed.remove("openvino")
    assert make_engine(AUTO).name == "onnx"
    installed.remove("onnxruntime")
    assert make_engine(AUTO).name == "torch"
    assert caplog.records == []


@pytest.mark.parametrize("error", [ImportError("libfoo.so.3: no such file"), RuntimeError("no kernel\nmore"),
                                   EncoderError("cache", "must be writable")])
def test_one_that_is_installed_but_broken_is_warned_of_once(error, monkeypatch, caplog):
    monkeypatch.setitem(engines.MAKERS, "openvino", raising(error))
    assert [make_engine(AUTO).name for _ in range(3)] == ["onnx"] * 3
    assert len(caplog.records) == 1
    assert "engine openvino is installed but does not work" in caplog.text and "more" not in caplog.text


def test_one_that_gives_nonsense_is_broken(monkeypatch, caplog):
    monkeypatch.setitem(engines.MAKERS, "openvino", lambda config: Fake("nonsense", np.nan))
    assert make_engine(AUTO).name == "onnx"
    assert "engine nonsense must give finite numbers" in caplog.text
    with pytest.raises(EncoderError, match="engine nonsense must give finite numbers, found some are not"):
        tried(Fake("nonsense", np.inf))


def test_cuda_means_torch(monkeypatch):
    monkeypatch.setattr(engines, "_has_cuda", lambda: True)
    assert make_engine(EncoderConfig()).name == "torch"
    assert make_engine(AUTO).name == "openvino"
    assert make_engine(EncoderConfig(device="cuda")).name == "torch"
    with pytest.raises(EncoderError, match="encoder.engine must be torch or auto on device cuda, found onnx"):
        make_engine(EncoderConfig(device="cuda", engine="onnx"))


@pytest.mark.parametrize("name", ["torch", "onnx", "openvino"])
def test_the_named_one_is_taken(name):
    assert make_engine(EncoderConfig(device="cpu", engine=name)).name == name


def test_a_named_one_that_does_not_work_is_an_error(installed, monkeypatch):
    monkeypatch.setitem(engines.MAKERS, "onnx", raising(RuntimeError("no kernel")))
    with pytest.raises(EncoderError, match="encoder.engine onnx must work on this machine, found Runtime"):
        make_engine(EncoderConfig(device="cpu", engine="onnx"))
    installed.remove("onnxruntime")
    with pytest.raises(EncoderError, match="encoder.engine onnx needs the package onnxruntime, found not installed"):
        make_engine(EncoderConfig(device="cpu", engine="onnx"))
    monkeypatch.setitem(engines.MAKERS, "openvino", raising(EncoderError("weights", "must be a file")))
    with pytest.raises(EncoderError, match="weights must be a file"):
        make_engine(EncoderConfig(device="cpu", engine="openvino"))
