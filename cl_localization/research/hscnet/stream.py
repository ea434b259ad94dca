"""A whole training of a dense network: scenes one after the other or at once, in a folder from which it goes on after
any end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cl_localization.continual.buffer_file import load_buffer, save_buffer
from cl_localization.data.sequence import IndexedSequence
from cl_localization.errors import DataError, EncoderError
from cl_localization.research.hscnet.model_file import (
    SceneFrames,
    TrainingState,
    load_model,
    load_regions,
    save_model,
    save_regions,
)
from cl_localization.research.hscnet.options import DenseTrainingConfig
from cl_localization.research.hscnet.samples import PreparedFrames
from cl_localization.research.hscnet.training import POLICIES, DenseTrainer, make_regions

CHECKPOINT_FILE = "checkpoint.safetensors"
STEPS_BETWEEN_CHECKPOINTS = 5000

OnTask = Callable[[int, int, float], None]
"""Is told the number of a scene (of the first one when all are learned at once), of a step that is done, and its
loss."""


@dataclass(frozen=True)
class TrainingPlan:
    """What is trained besides the options: whether all scenes at once, where checkpoints and regions are kept, how it
    was started."""

    joint: bool = False
    folder: Path | None = None
    labels: Path | None = None
    steps_between_checkpoints: int = STEPS_BETWEEN_CHECKPOINTS
    extra: dict[str, Any] | None = None


class TrainingStream:
    """Runs a trainer over scenes as planned.

    Invariant: the folder's checkpoint and the buffer file it belongs to are whole at any instant; a buffer file is
    named by the number of scenes that filled it, and older ones go only after the checkpoint that needs the new one is
    there.
    """

    def __init__(self, trainer: DenseTrainer, scenes: SceneFrames, sequences: Sequence[IndexedSequence],
                 plan: TrainingPlan = TrainingPlan(), state: TrainingState = TrainingState()) -> None:
        """Take a new trainer, or one that `resume` gives back with its state.

        Args:
            sequences: training frames of each scene, in the frame of all.
        """
        self.trainer, self.scenes, self.sequences, self.plan, self.state = trainer, scenes, sequences, plan, state

    def run(self, on_step: OnTask = lambda scene, step, loss: None) -> None:
        """Train to the end. Raises DataError or EncoderError for frames, labels or a buffer that cannot be used."""
        if self.trainer.config.model == "hscnet" and self.plan.labels is not None:
            self._take_regions(self.plan.labels)
        if self.plan.joint:
            if self.state.tasks == 0:
                self.trainer.learn_jointly(self.sequences, self._watched(0, on_step), self.state.steps)
            self._save(TrainingState(len(self.sequences)))
            return
        for scene in range(self.state.tasks, len(self.sequences)):
            first_step = self.state.steps if scene == self.state.tasks else 0
            self.trainer.learn(scene, self.sequences[scene], self._watched(scene, on_step), first_step)
            self._save_buffer(scene + 1)
            self._save(TrainingState(scene + 1))
            self._remove_buffers(but=scene + 1)

    def _watched(self, scene: int, on_step: OnTask) -> Callable[[int, float], None]:
        def done(step: int, loss: float) -> None:
            on_step(scene, step, loss)
            if (step + 1) % self.plan.steps_between_checkpoints == 0:
                self._save(TrainingState(scene, step + 1))
        return done

    def _save(self, state: TrainingState) -> None:
        if self.plan.folder is not None:
            save_model(self.trainer, self.scenes, self.plan.folder / CHECKPOINT_FILE, self.plan.extra, state)

    def _save_buffer(self, tasks: int) -> None:
        if self.plan.folder is not None and self.trainer.buffer is not None:
            save_buffer(self.trainer.buffer, buffer_path(self.plan.folder, tasks))

    def _remove_buffers(self, but: int) -> None:
        if self.plan.folder is not None:
            for tasks in range(len(self.sequences) + 1):
                if tasks != but:
                    buffer_path(self.plan.folder, tasks).unlink(missing_ok=True)

    def _take_regions(self, path: Path) -> None:
        """Read the regions of all scenes, making and writing those that are not there yet."""
        config, names = self.trainer.config, self.scenes.names
        made_of = {name: identity(sequence, config) for name, sequence in zip(names, self.sequences)}
        known = load_regions(path, names, made_of) if path.exists() else {}
        for scene, sequence in enumerate(self.sequences):
            if scene not in known:
                known[scene] = make_regions(PreparedFrames(sequence, config.image_width_px, 0.0), config.seed)
                save_regions(path, names, known, {names[number]: made_of[names[number]] for number in known})
        self.trainer.trees.update(known)


def resume(folder: Path, device: str = "cpu") -> tuple[DenseTrainer, SceneFrames, TrainingState, dict[str, Any]]:
    """Return a trainer as a folder's checkpoint has it, with its buffer, its scenes, how far it is and how it was
    started.

    Raises:
        EncoderError, DataError: no checkpoint, or one or its buffer is damaged, of another version or configuration.
    """
    path = folder / CHECKPOINT_FILE
    trainer, scenes, state, extra = load_model(path, device)
    if state is None:
        raise EncoderError(f"model {path}", "must hold the state of its training", "a network alone",
                           "give the folder of a run")
    if trainer.buffer is not None and 0 < state.tasks < len(scenes.names) and not extra.get("joint"):
        config = trainer.config
        trainer.buffer = load_buffer(buffer_path(folder, state.tasks), POLICIES[config.sampling])
        if trainer.buffer.capacity != config.buffer_size:
            raise DataError(f"replay buffer of {folder}", f"must have room for {config.buffer_size} frames",
                            trainer.buffer.capacity,
                            "it is of another run")
    return trainer, scenes, state, extra


def buffer_path(folder: Path, tasks: int) -> Path:
    """Return where the replay buffer is kept that so many scenes have filled."""
    return folder / f"buffer-{tasks}.safetensors"


def identity(sequence: IndexedSequence, config: DenseTrainingConfig) -> str:
    """Return what tells whether regions were made from the same frames: names, poses, image size and seed, hashed."""
    poses = [pose for index in range(len(sequence)) if (pose := sequence.pose(index)) is not None]
    content = (
        "\n".join([*sequence.names, str(config.image_width_px), str(config.seed)]).encode()
        + np.round(poses, 6).tobytes()
    )
    return hashlib.sha256(content).hexdigest()


def joint_config(config: DenseTrainingConfig, scenes: int) -> DenseTrainingConfig:
    """Return options with which learning all scenes at once takes as many steps as one after the other."""
    return replace(config, iterations=config.iterations * scenes, buffer_size=0)
