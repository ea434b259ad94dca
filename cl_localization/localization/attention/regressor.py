"""The attention regressor in the localizer: the sparse form over the grown map."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cl_localization.errors import MapError
from cl_localization.features.encoder import Features
from cl_localization.localization.attention.candidates import propose
from cl_localization.localization.attention.weights import PACKAGED, AttentionWeights, load_weights
from cl_localization.localization.regressor import SceneCoordinates, no_coordinates
from cl_localization.map.code_index import CodeIndex
from cl_localization.map.map_code import MapCode


def packaged_weights_fit(map_code: MapCode) -> bool:
    """Return whether the weights of the package are made for the encoder of a map."""
    return fits(load_weights(PACKAGED), map_code)


def fits(weights: AttentionWeights, map_code: MapCode) -> bool:
    """Return whether a network takes the features that a map was made of."""
    return (weights.encoder, weights.network.dim) == (map_code.encoder, map_code.dim)


class AttentionRegressor:
    """A feature lies where the network points to among the codes that the search proposes; see `Regressor`."""

    each_alone = False

    def __init__(self, map_code: MapCode, weights: AttentionWeights, index: CodeIndex | None = None) -> None:
        """Make a regressor for a map, with its index where there is one already.

        Raises:
            MapError: the network takes the features of another encoder than made the map.
        """
        if not fits(weights, map_code):
            raise MapError("attention regressor", f"must be trained on features of {map_code.encoder}, which made the "
                                                  "map", weights.encoder,
                           "name other weights with --regressor-weights")
        self._map, self._network, self._index = map_code, weights.network, index or CodeIndex(map_code)

    @classmethod
    def from_file(cls, map_code: MapCode, weights: str, index: CodeIndex | None = None) -> AttentionRegressor:
        """Return the regressor of a weights file, of those that come with the package where none is named.

        Raises:
            EncoderError: the file cannot be read.
            MapError: it is not of the sparse form, or does not fit the map.
        """
        return cls(map_code, load_weights(Path(weights) if weights else PACKAGED), index)

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
