"""The sparse form: what it is told of the candidates, what it answers, and that this moves with the map."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attention_makers import CODES, QUICK, asked, in_numpy, map_of
from cl_localization.config import LocalizerConfig, MapCodeConfig
from cl_localization.errors import MapError
from cl_localization.features import Features
from cl_localization.localization.attention.candidates import SCALARS, propose
from cl_localization.localization.attention.regressor import AttentionRegressor, AttentionWeights, load_weights
from cl_localization.localization.hierarchical_search import make_regressor
from cl_localization.localization.regressor import NearestRegressor
from cl_localization.map.code_index import CodeIndex
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.research.ace_g.checkpoint import AttentionModel, make_network, save_attention
from cl_localization.research.ace_g.sparse_network import PLACE_CELLS, SparseAnswer, sparse_loss
from core_makers import motion, unit_vectors

MODEL = AttentionModel(make_network(16, QUICK).eval(), QUICK, "scene")
WEIGHTS = AttentionWeights(in_numpy(MODEL.network), MODEL.encoder)


def test_what_is_told_of_candidates_does_not_change_when_the_map_is_moved_turned_and_scaled():
    positions_m, descriptors, features = asked()
    plain = map_of(positions_m, descriptors)
    moved = map_of(positions_m, descriptors, motion(np.array([0.3, -1.0, 2.0]), np.array([3.0, -2.0, 1.0])), scale=7.0)
    one, other = (propose(each, CodeIndex(each), features, 4, 4) for each in (plain, moved))
    regions = 7  # cubes of the map frame: the only number that a turned map may change
    kept = [column for column in range(SCALARS) if column != regions]
    np.testing.assert_allclose(one.scalars[..., kept], other.scalars[..., kept], atol=2e-3)


def test_the_answer_moves_with_the_map():
    positions_m, descriptors, features = asked()
    map_T_other = motion(np.array([0.0, 0.0, 0.0]), np.array([1.0, 2.0, -1.0]))
    one = AttentionRegressor(map_of(positions_m, descriptors), WEIGHTS).regress(features)
    other = AttentionRegressor(map_of(positions_m, descriptors, map_T_other), WEIGHTS).regress(features)
    same = one.rows == other.rows
    assert same.mean() > 0.9  # cubes of votes lie elsewhere, and may tip the scales
    np.testing.assert_allclose(other.points_m[same], one.points_m[same] + [1.0, 2.0, -1.0], atol=0.02)


def test_neighbours_that_point_to_the_same_region_support_each_other():
    positions_m, descriptors, features = asked()
    found = propose(map_of(positions_m, descriptors), CodeIndex(map_of(positions_m, descriptors)), features, 4, 4)
    right = found.rows == np.arange(len(features))[:, None]
    assert found.scalars[..., 10][right].mean() > 2 * found.scalars[..., 10][~right].mean()


def test_fewer_codes_than_candidates_are_no_fault():
    positions_m, descriptors, features = asked(3)
    found = AttentionRegressor(map_of(positions_m[:2], descriptors[:2]), WEIGHTS).regress(features)
    assert found.points_m.shape == (3, 3) and np.isfinite(found.points_m).all() and set(found.rows) <= {0, 1}


def test_no_features_and_no_codes_have_no_coordinates():
    positions_m, descriptors, features = asked()
    assert len(AttentionRegressor(map_of(positions_m, descriptors),
                                  WEIGHTS).regress(features.select(slice(0))).rows) == 0
    assert len(AttentionRegressor(MapCode(MapCodeConfig(), "scene", 16), WEIGHTS).regress(features).rows) == 0


def test_one_feature_alone_has_coordinates():
    positions_m, descriptors, features = asked()
    assert len(AttentionRegressor(map_of(positions_m, descriptors),
                                  WEIGHTS).regress(features.select(slice(1))).rows) == 1


def answer_at(best: int, positions: torch.Tensor, weight: float) -> SparseAnswer:
    rest = (1 - weight) / 2
    weights = torch.tensor([[weight if place == best else rest for place in range(2)] + [rest]])
    return SparseAnswer(torch.tensor([best]), positions[:, best], torch.tensor([weight]), torch.zeros(1), weights.log())


def test_the_loss_is_less_for_the_right_candidate_and_for_none_where_none_is_right():
    positions, known = torch.tensor([[[0.0, 0, 0], [100.0, 0, 0]]]), torch.ones(1, 2, dtype=torch.bool)
    near, nowhere, tolerance = torch.zeros(1, 3), torch.full((1, 3), 500.0), torch.full((1,), 3.0)
    right, wrong = (sparse_loss(answer_at(best, positions, 0.8), positions, known, near, tolerance) for best in (0, 1))
    assert right < wrong
    sure, unsure = (sparse_loss(answer_at(0, positions, weight), positions, known, nowhere, tolerance)
                    for weight in (0.9, 0.1))
    assert unsure < sure


def test_modes_of_one_place_share_their_weight():
    positions = torch.tensor([[[0.0, 0, 0], [PLACE_CELLS / 2, 0, 0], [90.0, 0, 0], [95.0, 40, 0]]])
    network, known = make_network(16, QUICK).eval(), torch.ones(1, 4, dtype=torch.bool)
    with torch.inference_mode():
        answer = network(torch.randn(1, 16), torch.randn(1, 4, 16), torch.zeros(1, 4, SCALARS), positions, known)
    weights = answer.log_weights.exp()[0]
    assert answer.probability[0] <= weights[:4].sum() + 1e-6
    assert answer.probability[0] >= weights[answer.best[0]] - 1e-6


def test_a_candidate_that_is_not_there_has_no_say():
    network, positions = make_network(16, QUICK).eval(), torch.zeros(1, 4, 3)
    known = torch.tensor([[True, True, False, False]])
    with torch.inference_mode():
        given = torch.randn(1, 16), torch.randn(1, 4, 16), torch.zeros(1, 4, SCALARS)
        one = network(*given, positions, known)
        given[1][:, 2:] = 5.0
        other = network(*given, positions, known)
    torch.testing.assert_close(one.log_weights, other.log_weights)


def test_the_regressor_is_chosen_by_the_options(tmp_path):
    positions_m, descriptors, _ = asked()
    map_code = map_of(positions_m, descriptors)
    save_attention(MODEL, tmp_path / "weights")
    assert isinstance(make_regressor(map_code, LocalizerConfig()), NearestRegressor)
    options = LocalizerConfig(regressor="attention", regressor_weights=str(tmp_path / "weights"))
    assert isinstance(make_regressor(map_code, options), AttentionRegressor)


def test_the_weights_of_the_package_fit_maps_of_xfeat_and_no_others():
    random = np.random.default_rng(0)
    map_code = MapCode(MapCodeConfig(), "xfeat", 64)
    frame = map_code.add_keyframe(np.eye(4), 0, map_code.scene_number("room"))
    keys = unit_vectors(random, 40, 64)
    map_code.insert(NewCodes(keys, random.uniform(-2, 2, (40, 3)).astype(np.float32), np.full(40, 0.01, np.float32)),
                    frame)
    pixels = random.uniform(0, 300, (40, 2)).astype(np.float32)
    found = make_regressor(map_code, LocalizerConfig(regressor="attention")).regress(
        Features(pixels, keys, np.ones(40, np.float32))
    )
    assert (found.rows == np.arange(40)).mean() > 0.9
    with pytest.raises(MapError, match="must be trained on features of scene"):
        make_regressor(map_of(*asked()[:2]), LocalizerConfig(regressor="attention"))


def test_weights_of_another_encoder_or_form_are_refused(tmp_path):
    positions_m, descriptors, _ = asked()
    map_code = map_of(positions_m, descriptors)
    with pytest.raises(MapError, match="must be trained on features of scene"):
        AttentionRegressor(map_code, AttentionWeights(WEIGHTS.network, "xfeat"))
    save_attention(AttentionModel(make_network(16, CODES), CODES, "scene"), tmp_path / "codes")
    with pytest.raises(MapError, match="must be of the form sparse"):
        load_weights(str(tmp_path / "codes"))
