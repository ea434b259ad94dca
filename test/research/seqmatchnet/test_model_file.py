from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cl_localization.errors import EncoderError
from cl_localization.research.seqmatchnet.batches import make_batches
from cl_localization.research.seqmatchnet.model_file import (
    PlaceModel,
    load_checkpoint,
    load_model,
    read_checkpoint_config,
    save_checkpoint,
    save_model,
)
from cl_localization.research.seqmatchnet.network import PlaceNetwork
from cl_localization.research.seqmatchnet.options import (
    ImageDescriptorConfig,
    NetworkConfig,
    SeqMatchNetConfig,
    TrainingConfig,
)
from cl_localization.research.seqmatchnet.trainer import Trainer
from place_makers import random_pair, tensors

PAIR = random_pair(40, noise=1.0)


def model() -> PlaceModel:
    torch.manual_seed(0)
    network = PlaceNetwork(NetworkConfig(channels=2, out_dims=5), 32 * 64, (32, 64)).eval()
    return PlaceModel(network, ImageDescriptorConfig(sigma_px=2.0), False, np.ones((3, 4), np.float32),
                      {"commit": "abc"})


def test_a_model_comes_back(tmp_path: Path) -> None:
    save_model(model(), tmp_path / "m.safetensors")
    found, images = load_model(tmp_path / "m.safetensors"), torch.randn(2, 2048)
    assert torch.equal(found.network.images(images), model().network.images(images))
    assert found.image == model().image and not found.stored and found.extra == {"commit": "abc"}
    assert np.array_equal(found.vocabulary, np.ones((3, 4))) and not found.network.training


def test_a_network_without_parameters_comes_back(tmp_path: Path) -> None:
    raw = PlaceModel(PlaceNetwork(NetworkConfig(pooling="smooth"), 7).eval(), ImageDescriptorConfig(), True)
    save_model(raw, tmp_path / "m.safetensors")
    assert load_model(tmp_path / "m.safetensors").network.config.pooling == "smooth"


def header(**changes: object) -> dict[str, str]:
    content = {"format_version": 1, "in_dims": 4, "image_shape": None, "network": {"out_dims": 3}, "image": {},
               "stored": True}
    return {"format": "cl_localization_places", "json": json.dumps({**content, **changes})}


@pytest.mark.parametrize("metadata, message", [
    ({"format": "other"}, "must be of format cl_localization_places, found other"),
    (header(format_version=9), "must have format version 1, found 9; use the version"),
    ({"format": "cl_localization_places"}, "must be a whole safetensors file"),
    ({"format": "cl_localization_places", "json": "{"}, "must be a whole safetensors file"),
    (header(network={"depth": 3}), "must have parts that fit together.*depth"),
    (header(network={"out_dims": 9}), "must have parts that fit together"),
    (header(image={"sigma": 3}), "must have parts that fit together.*option sigma is unknown"),
    (header(in_dims="wide"), "must have parts that fit together")])
def test_files_that_are_no_model_are_refused(tmp_path: Path, metadata: dict[str, str], message: str) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"network.transform.weight": torch.zeros(3, 4, 1), "network.transform.bias": torch.zeros(3)}, path,
              metadata)
    with pytest.raises(EncoderError, match=message):
        load_model(path)


def test_missing_and_truncated_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="none must be a file, found nothing there; train one first"):
        load_model(tmp_path / "none")
    with pytest.raises(EncoderError, match="must be a file, found a folder"):
        load_model(tmp_path)
    save_model(model(), tmp_path / "m.safetensors")
    content = (tmp_path / "m.safetensors").read_bytes()
    (tmp_path / "m.safetensors").write_bytes(content[:len(content) // 2])
    with pytest.raises(EncoderError, match="must be a whole safetensors file.*truncated"):
        load_model(tmp_path / "m.safetensors")


def test_a_model_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(EncoderError, match="must be writable"):
        save_model(model(), tmp_path / "file" / "m.safetensors")


def config(optimizer: str = "adamw", out_dims: int = 8) -> SeqMatchNetConfig:
    return SeqMatchNetConfig(network=NetworkConfig(out_dims=out_dims, dropout=0.0),
                             training=TrainingConfig(batches_per_epoch=3, run_length=8, epochs=4, optimizer=optimizer))


def trainer(options: SeqMatchNetConfig, generator: torch.Generator, epochs: int = 4,
            scores: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4)) -> Trainer:
    torch.manual_seed(1)
    network = PlaceNetwork(options.network, 24)
    look = iter([{"recall@5": score} for score in scores])
    one = Trainer(network, make_batches(PAIR, *tensors(PAIR), options, network, generator),
                  replace(options.training, eval_every=1),
                  lambda network: next(look))
    one.config = replace(one.config, epochs=epochs)
    return one


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_training_goes_on_where_it_stopped(tmp_path: Path, optimizer: str) -> None:
    options, path = config(optimizer), tmp_path / "c.safetensors"
    generator = torch.Generator().manual_seed(0)
    whole = trainer(options, generator)
    whole.run()
    generator = torch.Generator().manual_seed(0)
    first = trainer(options, generator, epochs=2)
    first.run()
    first.network.train()
    save_checkpoint(first, options, generator, path)
    generator = torch.Generator()
    second = trainer(options, generator, scores=(0.3, 0.4))
    load_checkpoint(second, generator, path)
    assert (second.progress.epoch, second.progress.steps, second.progress.best_score) == (2, 6, 0.2)
    second.run()
    assert torch.allclose(second.network.transform.weight, whole.network.transform.weight, atol=1e-6)


def test_a_checkpoint_holds_its_options(tmp_path: Path) -> None:
    generator = torch.Generator()
    save_checkpoint(trainer(config("sgd"), generator), config("sgd"), generator, tmp_path / "c.safetensors")
    assert read_checkpoint_config(tmp_path / "c.safetensors") == config("sgd")


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    generator = torch.Generator()
    save_checkpoint(trainer(config(), generator), config(), generator, tmp_path / "c.safetensors")
    with pytest.raises(EncoderError, match="checkpoint .* must be of the network that is trained"):
        load_checkpoint(trainer(config(out_dims=9), generator), generator, tmp_path / "c.safetensors")
    with pytest.raises(EncoderError, match="must be of format cl_localization_places, found "
                                           "cl_localization_places_training"):
        load_model(tmp_path / "c.safetensors")


def test_a_checkpoint_with_unknown_options_is_refused(tmp_path: Path) -> None:
    metadata = {"format": "cl_localization_places_training",
                "json": json.dumps({"format_version": 1, "config": {"zzz": 1}})}
    save_file({"a": torch.zeros(1)}, tmp_path / "c.safetensors", metadata)
    with pytest.raises(EncoderError, match="checkpoint .* must hold its options"):
        read_checkpoint_config(tmp_path / "c.safetensors")
