"""The network in NumPy: the same as that in PyTorch, which is trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from attention_makers import QUICK, in_numpy
from cl_localization.localization.attention.candidates import SCALARS
from cl_localization.localization.attention.layers import gelu
from cl_localization.localization.attention.network import SparseNetwork
from cl_localization.localization.attention.regressor import PACKAGED
from cl_localization.research.ace_g.checkpoint import load_attention, make_network
from cl_localization.research.ace_g.sparse_network import SparseRegressor
from core_makers import unit_vectors

TOLERANCE = 1e-4


def asked_of(network: SparseRegressor, count: int) -> list[np.ndarray]:
    """What a network is asked: descriptors, keys, scalars, positions, and which candidates there are."""
    random, candidates = np.random.default_rng(0), network.config.candidates
    known = random.random((count, candidates)) < 0.8
    known[:, 0] = True
    return [unit_vectors(random, count, network.dim),
            unit_vectors(random, count * candidates, network.dim).reshape(count, candidates, -1),
            random.normal(size=(count, candidates, SCALARS)).astype(np.float32),
            random.uniform(-8, 8, (count, candidates, 3)).astype(np.float32), known]


def two_blocks() -> SparseRegressor:
    return make_network(16, replace(QUICK, network=replace(QUICK.network, blocks=2))).eval()


@pytest.mark.parametrize("network", [two_blocks(), load_attention(PACKAGED).network], ids=["two blocks", "packaged"])
def test_the_answer_is_that_of_pytorch(network: SparseRegressor) -> None:
    given = asked_of(network, 300)
    with torch.inference_mode():
        wanted = network(*(torch.from_numpy(column) for column in given))
    found = in_numpy(network).answer(*given)
    same = found.best == wanted.best.numpy()
    assert same.mean() > 0.99  # two candidates may be equally likely
    for name in found._fields[1:]:
        np.testing.assert_allclose(getattr(found, name)[same], getattr(wanted, name).numpy()[same], atol=TOLERANCE)


def test_the_unit_is_that_of_pytorch_to_a_few_millionths() -> None:
    values = np.linspace(-100, 100, 200_001, dtype=np.float32).reshape(3, -1)
    np.testing.assert_allclose(gelu(values), torch.nn.functional.gelu(torch.from_numpy(values)).numpy(), rtol=1e-6,
                               atol=4e-6)


def test_weights_of_another_network_are_refused() -> None:
    weights = {name: value.numpy() for name, value in two_blocks().state_dict().items()}
    with pytest.raises(ValueError, match=r"parts that no such network has: blocks\.1\.key\.bias"):
        SparseNetwork(16, QUICK.network, weights)
    config = replace(QUICK.network, blocks=2)
    with pytest.raises(ValueError, match="mismatch"):
        SparseNetwork(32, config, weights)
    with pytest.raises(KeyError, match="same.weight"):
        SparseNetwork(16, config, {name: value for name, value in weights.items() if name != "same.weight"})
