"""The layers of a trained network in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Layer = Callable[[np.ndarray], np.ndarray]

GELU = tuple(np.float32(factor) for factor in (0.7978281364, 0.03646878872, -1.248600664e-4, -3.058133281e-5,
                                              1.119101778e-6))
"""x (1 + tanh(x P(x^2))) / 2 with these coefficients is within 4e-6 of the exact function, which has the normal
distribution in place of the tanh and takes five times as long."""

GELU_AT_ONCE = 1 << 14
"""So many numbers stay in the processor's cache."""

NORM_EPSILON = np.float32(1e-5)


@dataclass(frozen=True, eq=False)
class Linear:
    """A matrix (M, N) and, where there is one, a bias (M,)."""

    weight: np.ndarray
    bias: np.ndarray | None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return (..., M) of values (..., N)."""
        product = values.reshape(-1, values.shape[-1]) @ self.weight.T  # one product of matrices, not one of each row
        if self.bias is not None:
            product += self.bias
        return product.reshape(*values.shape[:-1], -1)


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """Scale and shift (N,) of values of mean 0 and variance 1."""

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return (..., N) of values (..., N)."""
        centred = values - values.mean(axis=-1, keepdims=True)
        variance = np.einsum("...n,...n->...", centred, centred)[..., None] / np.float32(values.shape[-1])
        centred *= self.weight / np.sqrt(variance + NORM_EPSILON)
        centred += self.bias
        return centred


def gelu(values: np.ndarray) -> np.ndarray:
    """Return the Gaussian error linear unit of values of any shape."""
    result = np.empty(values.shape, np.float32)
    given, made = values.reshape(-1), result.reshape(-1)
    for start in range(0, len(given), GELU_AT_ONCE):
        part = given[start:start + GELU_AT_ONCE]
        squared = part * part
        factor = np.full(len(part), GELU[-1])
        for coefficient in GELU[-2::-1]:
            factor *= squared
            factor += coefficient
        factor *= part
        np.tanh(factor, out=factor)
        factor += np.float32(1)
        factor *= part
        np.multiply(factor, np.float32(0.5), out=made[start:start + GELU_AT_ONCE])
    return result


def taken_layer(weights: dict[str, np.ndarray], name: str) -> Linear | LayerNorm:
    """Return the layer of a name as PyTorch gives them, and take its weights from the others.

    Raises:
        KeyError: there are none of that name.
    """
    weight = weights.pop(f"{name}.weight")
    if weight.ndim == 1:
        return LayerNorm(weight, weights.pop(f"{name}.bias"))
    return Linear(weight, weights.pop(f"{name}.bias", None))


def taken_sequence(weights: dict[str, np.ndarray], name: str, layers: int) -> Layer:
    """Return so many layers one after the other; those without weights are GELUs. See `taken_layer`."""
    sequence: list[Layer] = [taken_layer(weights, f"{name}.{number}") if f"{name}.{number}.weight" in weights else gelu
                             for number in range(layers)]

    def applied(values: np.ndarray) -> np.ndarray:
        for layer in sequence:
            values = layer(values)
        return values

    return applied
