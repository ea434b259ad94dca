"""Whole trainings of dense networks: files, resuming, labels, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cl_localization.continual.buffer_file import save_buffer
from cl_localization.continual.replay_buffer import ReplayBuffer
from cl_localization.data import open_sequence, select
from cl_localization.data.network_file import NetworkFile
from cl_localization.errors import DataError, EncoderError
from cl_localization.research.hscnet.batches import ahead
from cl_localization.research.hscnet.model_file import SceneFrames, TrainingState, load_model, load_regions, save_model
from cl_localization.research.hscnet.options import DenseTrainingConfig
from cl_localization.research.hscnet.regions import RegionTree
from cl_localization.research.hscnet.scene_groups import MovedSequence
from cl_localization.research.hscnet.stream import (
    CHECKPOINT_FILE,
    TrainingPlan,
    TrainingStream,
    buffer_path,
    identity,
    joint_config,
    resume,
)
from cl_localization.research.hscnet.training import DenseTrainer, decay

SMALL = DenseTrainingConfig(width=0.03, image_width_px=64, iterations=3, learning_rate=1e-3, buffer_size=3,
                            regression_weight=10.0)
SCENES = SceneFrames(("a", "b"), np.array([[0.0, 0, 0], [30.0, 0, 0]]))


@pytest.fixture(scope="module")
def sequences() -> list[MovedSequence]:
    """Two scenes of three frames, apart in one frame."""
    room = open_sequence("sim:3?rooms=1&frames=6&size=64x48")
    return [MovedSequence(select(room, range(3 * scene, 3 * scene + 3)), SCENES.shifts_m[scene]) for scene in range(2)]


class Interrupt(Exception):
    """Stands for a crash or Ctrl-C in the middle of a training."""


def trained(sequences: list, folder: Path | None, config: DenseTrainingConfig = SMALL, stop_after: int = 10**9,
            joint: bool = False) -> dict:
    """Return the weights of a training that is interrupted after some steps and gone on with from its folder until it
    is done."""
    steps = 0

    def interrupting(scene: int, step: int, loss: float) -> None:
        nonlocal steps
        steps += 1
        if steps == stop_after:
            raise Interrupt

    plan = TrainingPlan(joint, folder, None, 2, {"joint": joint})
    stream = TrainingStream(DenseTrainer(2, config), SCENES, sequences, plan)
    try:
        stream.run(interrupting)
    except Interrupt:
        trainer, scenes, state, extra = resume(folder)
        assert scenes.names == SCENES.names and extra == {"joint": joint}
        stream = TrainingStream(trainer, scenes, sequences, plan, state)
        stream.run()
    return stream.trainer.network.state_dict()


@pytest.mark.parametrize("config, joint", [(SMALL, False), (replace(SMALL, sampling="CoverageS", dense_pred=True,
                                                                    batch_size=2), False),
                                           (replace(SMALL, model="scrnet", buffer_size=0), False), (SMALL, True)],
                         ids=["replay", "dense predictions", "scrnet", "joint"])
def test_a_training_that_was_stopped_anywhere_ends_as_if_it_had_not_been(sequences, tmp_path: Path, config,
                                                                         joint) -> None:
    whole = trained(sequences, None, config, joint=joint)
    for stop_after in (3, 5) if not joint else (3,):
        again = trained(sequences, tmp_path / str(stop_after), config, stop_after, joint)
        assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_only_the_buffer_of_the_last_checkpoint_is_kept(sequences, tmp_path: Path) -> None:
    trained(sequences, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["buffer-2.safetensors", CHECKPOINT_FILE]
    _, _, state, _ = resume(tmp_path)
    assert state == TrainingState(2)


def test_a_model_localizes_as_before_and_knows_its_scenes(sequences, tmp_path: Path) -> None:
    trainer = DenseTrainer(2, SMALL)
    trainer.learn(0, sequences[0])
    save_model(trainer, SCENES, tmp_path / "m.safetensors", {"made": "here"})
    again, scenes, state, extra = load_model(tmp_path / "m.safetensors")
    assert state is None and extra == {"made": "here"} and scenes.number("b") == 1
    ours, theirs = trainer.localize(sequences[0][0]).world_T_cam, again.localize(sequences[0][0]).world_T_cam
    assert (ours is None and theirs is None) or np.array_equal(ours, theirs)
    with pytest.raises(EncoderError, match="scene c must be one that the network is for, found it knows a, b"):
        scenes.number("c")
    with pytest.raises(EncoderError, match="must hold the state of its training"):
        (tmp_path / CHECKPOINT_FILE).write_bytes((tmp_path / "m.safetensors").read_bytes())
        resume(tmp_path)


def test_models_of_another_kind_version_or_configuration_are_refused(sequences, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with pytest.raises(EncoderError, match="must be a file, found nothing there"):
        load_model(path)
    save_model(DenseTrainer(2, SMALL), SCENES, path)
    content = path.read_bytes()
    path.write_bytes(content[:len(content) // 2])
    with pytest.raises(EncoderError, match="must be a whole safetensors file"):
        load_model(path)
    NetworkFile("another").write(path, {}, {})
    with pytest.raises(EncoderError, match="must be of format cl_localization_dense, found another"):
        load_model(path)
    save_model(DenseTrainer(2, SMALL), SCENES, path)
    path.write_bytes(path.read_bytes().replace(rb'\"format_version\": 1', rb'\"format_version\": 9'))
    with pytest.raises(EncoderError, match="must have format version 1, found 9"):
        load_model(path)
    save_model(DenseTrainer(3, SMALL), SCENES, path)
    with pytest.raises(EncoderError, match="must have parts that fit together"):
        load_model(path)


def test_a_buffer_of_another_run_is_refused(sequences, tmp_path: Path) -> None:
    config = replace(SMALL, iterations=4)

    def interrupting(scene: int, step: int, loss: float) -> None:
        if (scene, step) == (1, 3):
            raise Interrupt

    with pytest.raises(Interrupt):
        TrainingStream(DenseTrainer(2, config), SCENES, sequences,
                       TrainingPlan(False, tmp_path, None, 2)).run(interrupting)
    save_buffer(ReplayBuffer(DenseTrainer(2, config).buffer.policy, 9), buffer_path(tmp_path, 1))
    with pytest.raises(DataError, match="must have room for 3 frames, found 9"):
        resume(tmp_path)
    buffer_path(tmp_path, 1).unlink()
    with pytest.raises(DataError, match="replay buffer .* must be a file, found nothing there"):
        resume(tmp_path)


def test_regions_are_written_once_and_read_again(sequences, tmp_path: Path) -> None:
    labels = tmp_path / "labels.safetensors"
    first = TrainingStream(DenseTrainer(2, SMALL), SCENES, sequences, TrainingPlan(labels=labels))
    first.run()
    written = labels.stat().st_mtime_ns
    second = TrainingStream(DenseTrainer(2, SMALL), SCENES, sequences, TrainingPlan(labels=labels))
    second.run()
    assert labels.stat().st_mtime_ns == written
    for scene, tree in first.trainer.trees.items():
        assert np.allclose(tree.leaf_centres_m, second.trainer.trees[scene].leaf_centres_m)
    made_of = {name: identity(sequence, SMALL) for name, sequence in zip(SCENES.names, sequences)}
    with pytest.raises(EncoderError, match="must be of these 3 scenes: a, b, c, found 2 scenes"):
        load_regions(labels, ("a", "b", "c"), made_of)
    with pytest.raises(EncoderError, match="must be made from the frames at hand, found other frames of b"):
        load_regions(labels, ("a", "b"), {**made_of, "b": "x"})
    assert isinstance(load_regions(labels, ("a", "b"), made_of)[0], RegionTree)
    NetworkFile("cl_localization_regions").write(labels, {"regions.0": torch.zeros(25, 3)},
                                                 {"scenes": ["a", "b"], "made_of": made_of})
    with pytest.raises(EncoderError, match="must have parts that fit together"):
        load_regions(labels, ("a", "b"), made_of)


def test_scenes_without_any_depth_are_refused(sequences) -> None:
    class Empty:
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int):
            frame = sequences[0][index]
            return replace(frame, depth_m=np.zeros_like(frame.depth_m))

    for model in ("hscnet", "scrnet"):
        with pytest.raises(DataError, match="scene 0 must have frames with depth, found 2 frames, none with any"):
            DenseTrainer(2, replace(SMALL, model=model)).learn(0, Empty())


def test_images_of_different_sizes_cannot_be_one_batch(sequences) -> None:
    other = open_sequence("sim:3?rooms=1&frames=6&size=64x96")
    with pytest.raises(DataError, match="images of a batch must have one size"):
        DenseTrainer(1, replace(SMALL, batch_size=4)).learn(0, [sequences[0][0], other[0]])


def test_frames_are_read_again_when_there_is_no_room_for_them(sequences) -> None:
    weights = [TrainingStream(DenseTrainer(2, replace(SMALL, memory_mb=memory_mb)), SCENES, sequences)
               for memory_mb in (0.0, 100.0)]
    for stream in weights:
        stream.run()
    first, second = (stream.trainer.network.state_dict() for stream in weights)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_batches_are_made_one_step_ahead_and_errors_come_at_their_step() -> None:
    made: list[int] = []

    def make(step: int) -> list:
        if step == 3:
            raise DataError("frame 3", "is truncated")
        made.append(step)
        return [None]

    steps = ahead(make, range(5))
    assert next(steps) == (0, [None]) and next(steps)[0] == 1 and next(steps)[0] == 2 and made == [0, 1, 2]
    with pytest.raises(DataError, match="frame 3 is truncated"):
        next(steps)
    assert list(ahead(make, range(0))) == []


def test_joint_training_decays_as_published_and_takes_as_many_steps() -> None:
    assert [decay(step, 300_000) for step in (0, 99_999, 100_000, 149_999, 150_000, 299_999)] == [
        1,
        1,
        0.5,
        0.5,
        0.25,
        0.0625,
    ]
    assert (
        [decay(step, 900_000) for step in (699_999, 700_000)] == [1, 0.5]
        and decay(0, 30) == 1.0
        and decay(29, 30) == 0.0625
    )
    assert joint_config(SMALL, 5).iterations == 15
