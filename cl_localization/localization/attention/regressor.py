"""The attention regressor in the localizer: the sparse form over the grown map, and its weights from a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cl_localization.config import with_values
from cl_localization.data.network_file import NetworkFile, with_prefix
from cl_localization.errors import EncoderError, LocalizationError, MapError
from cl_localization.features.encoder import Features
from cl_localization.localization.attention.candidates import propose
from cl_localization.localization.attention.network import SparseNetwork
from cl_localization.localization.attention.options import AttentionNetworkConfig
from cl_localization.localization.regressor import SceneCoordinates, no_coordinates
from cl_localization.map.code_index import CodeIndex
from cl_localization.map.map_code import MapCode

PACKAGED = Path(__file__).with_name("small.safetensors")
"""Weights for maps of XFeat, trained on simulated rooms; docs/continual.md says how to make them again."""

FILE = NetworkFile("cl_localization_attention", "weights", remedy="make it with `train attention`")
NETWORK, OPTIONS = "network.", "network."
"""What the names of weights, and of the options of the network, begin with in a file."""


@dataclass(frozen=True, eq=False)
class AttentionWeights:
    """A pre-trained network, and the name of the encoder whose features it takes."""

    network: SparseNetwork
    encoder: str

    def fit(self, map_code: MapCode) -> bool:
        """Return whether the network takes the features that a map was made of."""
        return (self.encoder, self.network.dim) == (map_code.encoder, map_code.dim)


def load_weights(name: str) -> AttentionWeights:
    """Read the weights of the sparse form from a file, those that come with the package for an empty name.

    Raises:
        EncoderError: no such file, another kind of file, truncated, of another version, or with parts that do not fit
            together.
        MapError: the network is not of the sparse form.
    """
    path = Path(name) if name else PACKAGED
    arrays, header = FILE.read_arrays(path)
    try:
        values = {name.removeprefix(OPTIONS): value for name,
                  value in header["config"].items() if name.startswith(OPTIONS)}
        config = with_values(AttentionNetworkConfig(), values)
        if config.form != "sparse":
            raise MapError(f"weights {path}", "must be of the form sparse to read a grown map", config.form,
                           "codes are tried with `test attention`")
        network = SparseNetwork(int(header["dim"]), config, with_prefix(arrays, NETWORK))
        return AttentionWeights(network, str(header["encoder"]))
    except MapError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, LocalizationError) as error:
        raise EncoderError(f"weights {path}", "must have parts that fit together", " ".join(str(error).split())[:200],
                           "train it again") from error


class AttentionRegressor:
    """A feature lies where the network points to among the codes that the search proposes; see `Regressor`."""

    each_alone = False

    def __init__(self, map_code: MapCode, weights: AttentionWeights, index: CodeIndex | None = None) -> None:
        """Make a regressor for a map, with its index where there is one already.

        Raises:
            MapError: the network takes the features of another encoder than made the map.
        """
        if not weights.fit(map_code):
            raise MapError("attention regressor", f"must be trained on features of {map_code.encoder}, which made the "
                                                  "map", weights.encoder,
                           "name other weights with --regressor-weights")
        self._map, self._network, self._index = map_code, weights.network, index or CodeIndex(map_code)

    def regress(self, features: Features) -> SceneCoordinates:
        """Return the place that every feature points at; its ambiguity is the chance that this is wrong."""
        if len(self._map) == 0 or len(features) == 0:
            return no_coordinates()
        config, codes = self._network.config, self._map.codes
        found = propose(self._map, self._index, features, config.candidates, config.neighbours)
        chosen = np.flatnonzero(found.rows[:, 0] >= 0)
        if len(chosen) == 0:
            return no_coordinates()
        rows, scalars = found.rows[chosen], found.scalars[chosen]
        known, rows = rows >= 0, np.maximum(rows, 0)
        keys = self._map.descriptors(rows.reshape(-1)).reshape(*rows.shape, self._map.dim)
        cell_m = np.float32(self._map.cell_size_m)
        positions = codes["positions_m"][rows] / cell_m
        answer = self._network.answer(features.descriptors[chosen], keys, scalars, positions, known)
        best = rows[np.arange(len(rows)), answer.best]
        sigmas_m = np.exp(np.clip(answer.log_sigma, -3, 8)) * cell_m
        return SceneCoordinates(chosen, answer.points * cell_m, sigmas_m, 1 - answer.probability, best)
