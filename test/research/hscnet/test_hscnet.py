"""HSCNet and SCRNet: the published networks, their targets, and continual training at small scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cl_localization.continual.admission import Reservoir
from cl_localization.continual.replay_buffer import ReplayBuffer
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.research.hscnet import replay
from cl_localization.research.hscnet.dense_pose import dense_pose, scene_coordinates_m
from cl_localization.research.hscnet.losses import LossWeights, Target, regression_error_m, replay_loss, supervised_loss
from cl_localization.research.hscnet.network import HscNet, Prediction, ScrNet
from cl_localization.research.hscnet.options import DenseTrainingConfig
from cl_localization.research.hscnet.regions import RegionTree, nearest
from cl_localization.research.hscnet.samples import Augmentation, cell_centres_px, make_sample, prepared, scene_points_m
from cl_localization.research.hscnet.training import DenseTrainer

SMALL = DenseTrainingConfig(width=0.06, image_width_px=128, iterations=3, learning_rate=1e-3, buffer_size=4,
                            regression_weight=10.0)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """Frames of a simulated room at the network's size."""
    room = open_sequence("sim:3?rooms=1&frames=8&size=128x96")
    return [room[index] for index in range(len(room))]


@pytest.mark.parametrize("scenes, millions", [(1, 36.96), (7, 40.74), (12, 40.98), (19, 41.11)])
def test_hscnet_has_the_published_number_of_parameters(scenes, millions) -> None:
    with torch.device("meta"):
        network = HscNet(scenes)
    assert round(sum(each.numel() for each in network.parameters()) / 1e6, 2) == millions


def test_the_branch_of_coordinates_can_be_narrower_than_the_rest() -> None:
    with torch.device("meta"):
        published, same, narrow = (HscNet(5, 0.25, channels) for channels in (0, 1024, 64))
    sizes = [sum(each.numel() for each in network.parameters()) for network in (published, same, narrow)]
    assert sizes[0] == sizes[1] and sizes[2] == 896_953


def test_scrnet_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        network = ScrNet()
    assert sum(each.numel() for each in network.parameters()) == 25_903_107


def test_a_network_answers_one_cell_for_eight_by_eight_pixels_and_conditions_on_true_labels_when_told() -> None:
    torch.manual_seed(0)
    network = HscNet(2, 0.06)
    image = torch.rand(1, 3, 96, 128)
    free = network(image)
    assert free.coordinates_m.shape == (1, 3, 12, 16) and [each.shape[1] for each in free.logits] == [50, 25]
    told = network(image, free.labels())
    assert torch.allclose(free.coordinates_m, told.coordinates_m)
    region, sub_region = free.labels()
    assert not torch.allclose(network(image, ((region + 1) % 50, sub_region)).coordinates_m, free.coordinates_m)


@settings(max_examples=5)
@given(seed=st.integers(0, 20), count=st.integers(625, 3000))
def test_every_point_lies_in_the_nearest_sub_region_of_its_nearest_region(seed, count) -> None:
    points_m = np.random.default_rng(seed).uniform(-3, 3, (count, 3)).astype(np.float32)
    tree = RegionTree.of(points_m, seed)
    leaves = tree.labels(points_m)
    assert tree.leaf_centres_m.shape == (625, 3) and np.array_equal(leaves // 25,
                                                                    nearest(points_m, tree.region_centres_m))
    distances_m = np.linalg.norm(tree.leaf_centres_m[leaves] - points_m, axis=1)
    others_m = np.linalg.norm(tree.leaf_centres_m.reshape(25, 25, 3)[leaves // 25] - points_m[:, None], axis=2)
    assert np.allclose(distances_m, others_m.min(1), atol=1e-4)


def test_a_scene_with_too_few_points_cannot_be_cut_into_regions() -> None:
    with pytest.raises(DataError, match="must have at least 625 points with depth"):
        RegionTree.of(np.zeros((10, 3)))


def test_cells_hold_the_scene_points_that_the_camera_sees_there(frames) -> None:
    frame = prepared(frames[0], 128)
    sample = make_sample(frame)
    valid = sample.valid[0].numpy()
    points_m = sample.coordinates_m[0].permute(1, 2, 0).numpy()[valid]
    pixels = frame.camera.project(se3.transform(se3.inverse(frame.world_T_cam), points_m))
    assert valid.mean() > 0.9 and np.abs(pixels - cell_centres_px(128, 96)[valid]).max() <= 0.5 + 1e-3


@settings(max_examples=6)
@given(seed=st.integers(0, 10))
def test_an_augmented_image_shows_its_targets(frames, seed) -> None:
    """The grey of each cell's scene point in the original is the grey at the cell of the changed image."""
    columns = np.linspace(0, 200, 128)[None, :] + np.linspace(0, 50, 96)[:, None]
    frame = replace(prepared(frames[0], 128), image=np.repeat(columns[:, :, None], 3, 2).astype(np.uint8))
    sample = make_sample(frame, None, Augmentation(brightness=0.0), np.random.default_rng(seed))
    valid = sample.valid[0].numpy()
    points_m = sample.coordinates_m[0].permute(1, 2, 0).numpy()[valid]
    source_px = frame.camera.project(se3.transform(se3.inverse(frame.world_T_cam), points_m))
    expected = np.array([columns[int(y), int(x)] for x, y in source_px])
    cells_px = cell_centres_px(128, 96)[valid].astype(int)
    shown = (sample.image[0, 0].numpy() + 1) * 127.5
    assert np.percentile(np.abs(shown[cells_px[:, 1], cells_px[:, 0]] - expected), 95) < 8


def test_targets_of_hscnet_are_offsets_from_the_centres_of_their_leaves(frames) -> None:
    frame = prepared(frames[0], 128)
    tree = RegionTree.of(scene_points_m(frame).reshape(-1, 3)[::3])
    sample = make_sample(frame, tree)
    centres_m = torch.from_numpy(tree.leaf_centres_m.astype(np.float32))
    target = Target.of(sample, centres_m, scene=1)
    logits = tuple(torch.nn.functional.one_hot(labels, count).permute(0, 3, 1, 2).float()
                   for labels, count in zip(target.labels, (50, 25)))
    both = torch.cat([torch.zeros(625, 3), centres_m])
    rebuilt = scene_coordinates_m(Prediction(target.values_m, logits), both)
    assert torch.allclose(rebuilt * sample.valid, sample.coordinates_m * sample.valid, atol=1e-5)
    pose = dense_pose(frame, rebuilt[0].permute(1, 2, 0).numpy())
    assert se3.pose_error(pose.world_T_cam, frame.world_T_cam) < (0.02, 1.0)


def test_losses_count_valid_cells_only_and_weigh_their_parts() -> None:
    values = torch.zeros(1, 3, 1, 2)
    target = Target(torch.tensor([3.0, 4.0, 0.0]).reshape(1, 3, 1, 1).expand(1, 3, 1, 2),
                    torch.tensor([[[True, False]]]),
                    (torch.zeros(1, 1, 2, dtype=torch.long), torch.zeros(1, 1, 2, dtype=torch.long)))
    prediction = Prediction(values, (torch.zeros(1, 25, 1, 2), torch.zeros(1, 25, 1, 2)))
    assert float(regression_error_m(values, target)) == pytest.approx(5.0)
    assert float(supervised_loss(prediction, target, LossWeights(2.0, 1.0, 10.0))) == pytest.approx(
        50 + 3 * np.log(25), rel=1e-5
    )


def test_stored_coordinates_are_distilled_only_where_they_are_better() -> None:
    target = Target(torch.zeros(1, 3, 1, 1), torch.ones(1, 1, 1, dtype=torch.bool))
    ours, better, worse = (Prediction(torch.full((1, 3, 1, 1), value)) for value in (1.0, 0.5, 2.0))
    weights = LossWeights(regression=1.0)
    half = 0.5 * supervised_loss(ours, target, weights)
    assert torch.allclose(replay_loss(ours, target, worse, weights), half)
    assert torch.allclose(replay_loss(ours, target, better, weights), half + 0.5 * 0.25)


def test_a_frame_comes_back_from_the_replay_buffer_with_what_was_predicted(frames) -> None:
    frame = replace(prepared(frames[0], 128), camera=Camera(128, 96, 100.0, 101.0, 64.0, 48.0, "plumb_bob",
                                                            (0.1, 0.0, 0.0, 0.0)))
    buffer = ReplayBuffer(Reservoir(), 2)
    stored = Prediction(torch.rand(1, 3, 12, 16), (torch.rand(1, 50, 12, 16), torch.rand(1, 25, 12, 16)))
    assert replay.store(buffer, frame, 1, np.array([3, 3, 4]), stored)
    (back, scene, prediction), = replay.draw(buffer, 1, np.random.default_rng(0))
    assert scene == 1 and back.camera == frame.camera and np.array_equal(back.world_T_cam, frame.world_T_cam)
    assert np.abs(back.depth_m - frame.depth_m).max() <= 1e-3 and np.abs(back.image.astype(int)
                                                                         - frame.image).mean() < 6
    assert torch.allclose(prediction.coordinates_m, stored.coordinates_m, atol=1e-3) and len(prediction.logits) == 2
    assert buffer.traits.regions[0].tolist() == [3, 4]


@pytest.mark.parametrize("options", [{}, {"model": "scrnet"}, {"sampling": "CoverageS"}, {"sampling": "Imgbal"},
                                     {"sampling": "Redundant", "dense_pred": True}, {"buffer_size": 0},
                                     {"augment": False}], ids=str)
def test_scenes_are_learned_one_after_the_other_with_every_buffer(frames, options) -> None:
    config = replace(SMALL, **options)
    trainer, losses = DenseTrainer(2, config), []
    for scene in range(2):
        trainer.learn(scene, frames[scene * 4:scene * 4 + 4], lambda step, loss: losses.append(loss))
    assert len(losses) == 2 * config.iterations and np.isfinite(losses).all()
    if config.buffer_size:
        assert len(trainer.buffer) == 4 and set(trainer.buffer.traits.classes.tolist()) == {0, 1}
    assert (trainer.leaf_centres_m() is None) == (config.model == "scrnet")


def test_a_network_that_learned_a_frame_by_heart_localizes_it(frames) -> None:
    config = replace(SMALL, width=0.12, iterations=60, augment=False, learning_rate=2e-3, regression_weight=20.0)
    trainer = DenseTrainer(1, config)
    losses: list[float] = []
    trainer.learn_jointly([frames[:1]], lambda step, loss: losses.append(loss))
    error_m, error_deg = se3.pose_error(trainer.localize(frames[0]).world_T_cam, frames[0].world_T_cam)
    assert losses[-1] < 0.5 * losses[0] and error_m < 0.5 and error_deg < 15


def test_frames_without_depth_and_scenes_out_of_range_are_refused(frames) -> None:
    trainer = DenseTrainer(1, SMALL)
    with pytest.raises(DataError, match="must have a pose and depth"):
        trainer.learn(0, [replace(frames[0], depth_m=None)])
    with pytest.raises(DataError, match=r"scene number must lie in \[0, 0\], found 1"):
        trainer.learn(1, frames)
