"""Features enter the paper's form with numbers of size one."""

from __future__ import annotations

import numpy as np

from attention_makers import wall_scene
from cl_localization.config import EncoderConfig
from cl_localization.research.tokens import TokenEncoder, token_encoder


def test_the_numbers_of_tokens_are_of_size_one():
    scene, encoder = wall_scene()
    image = scene.mapping[0].image
    unit, tokens = encoder.encode(image), TokenEncoder(encoder).encode(image)
    np.testing.assert_allclose(np.sqrt(np.mean(tokens.descriptors**2, axis=1)), 1, rtol=1e-4)
    np.testing.assert_allclose(tokens.descriptors, unit.descriptors * 4, rtol=1e-5)


def test_dinov2_s_tokens_stay_as_they_are(monkeypatch):
    made = []
    monkeypatch.setattr("cl_localization.features.dinov2.DinoV2Encoder", lambda *given, **named: made.append(named))
    token_encoder(EncoderConfig(name="dinov2"))
    assert made == [{"unit_length": False}]
