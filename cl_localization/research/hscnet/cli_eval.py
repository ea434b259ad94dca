"""`test hscnet`: how often a trained HSCNet or SCRNet finds the pose of test images, scene by scene; it is not told the
scene."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cl_localization.cli.flags import argument, settings
from cl_localization.cli.outputs import write_json, write_text
from cl_localization.cli.tables import print_rows
from cl_localization.errors import ConfigError
from cl_localization.research.hscnet.cli_train import MODEL_FILE
from cl_localization.research.hscnet.original_names import translated
from cl_localization.research.hscnet.scene_data import SceneDataConfig, chosen_device, open_scenes
from cl_localization.research.run_folders import model_in

if TYPE_CHECKING:
    from cl_localization.evaluation.records import FrameRecord
    from cl_localization.evaluation.summary import EvaluationSummary
    from cl_localization.research.hscnet.model_file import SceneFrames
    from cl_localization.research.hscnet.training import DenseTrainer

HEADERS = ("scene", "frames", "5 cm/5 deg [%]", "10 cm/5 deg [%]", "20 cm/10 deg [%]", "median [cm]", "median [deg]")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Test HSCNet or SCRNet on the test frames of one scene, or of all scenes that it knows.

    The network is not told which scene an image is of; a pose in another scene is wrong.

    Example: cl_localization test hscnet --dataset i7S --data_path data --checkpoint data/runs/latest --json result.json
    """

    checkpoint: Path = argument("Model file, run folder, or name of a run with or without its date; or a checkpoint "
                                "that HSCNet's or CL_HSCNet's authors released (.pkl), with their data package.",
                                metavar="MODEL")
    convert: Path | None = argument("Model file to write the released checkpoint to, with its regions.", None,
                                    metavar="MODEL", writes="file")
    model: Literal["", "hscnet", "scrnet"] = argument("What the model must be; empty: whatever it is.", "")
    data: SceneDataConfig = settings(SceneDataConfig)
    sequences: tuple[str, ...] = argument("Posed sequences to test on instead of a data set, in the order of the "
                                          "model's scenes.", (),
                                          metavar="SEQ [SEQ ...]")
    output: Path | None = argument("Folder that gets pose_err_DATASET_SCENE_MODEL.txt, metres and degrees of each "
                                   "frame.", None, metavar="FOLDER", writes="files")
    json: Path | None = argument("JSON file to write.", None, metavar="FILE", writes="file")
    device: Literal["auto", "cpu", "cuda"] = argument("Where the network runs.", "auto")
    threads: int = argument("Processor threads; 0: as many as there are cores.", 0)


def understood(words: list[str]) -> list[str]:
    """Return the words of a command line with the originals' names replaced."""
    return translated(words)


def run(arguments: Arguments) -> int:
    """Test, print and write the results; return the exit code."""
    import torch

    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    path = model_in(arguments.checkpoint, MODEL_FILE)
    trainer, scenes = opened(arguments, path)
    if arguments.model not in ("", trainer.config.model):
        raise ConfigError(f"model {path}", f"must be a {arguments.model}", trainer.config.model,
                          "leave --model out or give another")
    records = test_scenes(arguments, trainer, scenes)
    summaries = {name: summary_of(trainer, each) for name, each in records.items()}
    print_rows(f"{trainer.config.model} {path}", table(summaries), HEADERS)
    write_results(arguments, trainer.config.model, records, summaries)
    return 0


def opened(arguments: Arguments, path: Path) -> tuple[DenseTrainer, SceneFrames]:
    """Return the network that is tested, and its scenes; a released checkpoint is converted where that is asked for.

    Raises:
        EncoderError, DataError: it or its regions cannot be read.
        ConfigError: a model of ours is to be converted.
    """
    from cl_localization.research.hscnet.model_file import load_model, save_model
    from cl_localization.research.hscnet.released import is_released, read_released

    data, device = arguments.data, chosen_device(arguments.device)
    if not is_released(path):
        if arguments.convert is not None:
            raise ConfigError("option convert", "is for checkpoints that the authors released (.pkl)", str(path),
                              "leave it out")
        return load_model(path, device)[:2]
    trainer, scenes = read_released(path, data.dataset, data.scene, Path(data.data_path), device)
    if arguments.convert is not None:
        save_model(trainer, scenes, arguments.convert, {"converted_from": str(path), "data": asdict(data)})
    return trainer, scenes


def test_scenes(arguments: Arguments, trainer: DenseTrainer, scenes: SceneFrames) -> dict[str, list[FrameRecord]]:
    """Return the records of the test frames by scene.

    Raises:
        DataError: frames that cannot be used.
        EncoderError: a scene that the network is not for.
    """
    from cl_localization.cli.localizing import try_sequence
    from cl_localization.evaluation.run import image_only
    from cl_localization.research.hscnet.scene_groups import MovedSequence
    from cl_localization.research.network_localizer import NetworkLocalizer

    named = open_scenes(arguments.data, arguments.sequences, "test")
    numbers = list(range(len(named))) if arguments.sequences else [scenes.number(each.name) for each in named]
    if numbers[-1] >= len(scenes.names):
        raise ConfigError("option sequences", f"must be at most {len(scenes.names)}, the model's scenes", len(named))
    localizer = NetworkLocalizer(trainer.localize)
    return {each.name: try_sequence(localizer, MovedSequence(image_only(each.sequence), scenes.shifts_m[number]),
                                    each.name).records
            for each, number in zip(named, numbers)}


def summary_of(trainer: DenseTrainer, records: list[FrameRecord]) -> EvaluationSummary:
    """Return the summary of a scene's records."""
    from cl_localization.evaluation.summary import summarize

    return summarize(records, sum(value.nbytes for value in trainer.network.parameters()), 0)


def table(summaries: dict[str, EvaluationSummary]) -> list[tuple[str, ...]]:
    """Return a row for each scene, and the mean over several."""
    rows = [
        (
            name,
            str(one.frames),
            f"{one.within_5cm_5deg_percent:.1f}",
            f"{one.within_10cm_5deg_percent:.1f}",
            f"{one.within_20cm_10deg_percent:.1f}",
            *(
                "-" if value is None else f"{value:.2f}"
                for value in (one.median_translation_cm, one.median_rotation_deg)
            ),
        )
        for name, one in summaries.items()
    ]
    if len(summaries) > 1:
        means = [f"{np.mean([getattr(one, key) for one in summaries.values()]):.1f}" for key in SHARES]
        rows.append(("mean", str(sum(one.frames for one in summaries.values())), *means, "-", "-"))
    return rows


SHARES = ("within_5cm_5deg_percent", "within_10cm_5deg_percent", "within_20cm_10deg_percent")


def write_results(arguments: Arguments, model: str, records: dict[str, list[FrameRecord]],
                  summaries: dict[str, EvaluationSummary]) -> None:
    """Write the errors of all frames and the summaries, where they are asked for."""
    from cl_localization.evaluation.provenance import provenance

    if arguments.output is not None:
        dataset = "own" if arguments.sequences else arguments.data.dataset
        for name, each in records.items():
            lines = ["inf inf\n" if one.translation_error_m is None else
                     f"{one.translation_error_m:.6g} {one.rotation_error_deg:.6g}\n" for one in each]
            safe = "".join(letter if letter.isalnum() or letter in "-_" else "." for letter in name)
            write_text(arguments.output / f"pose_err_{dataset}_{safe}_{model}.txt", "".join(lines))
    if arguments.json is not None:
        means: dict[str, Any] = {key: float(np.mean([getattr(one, key) for one in summaries.values()]))
                                 for key in SHARES}
        write_json(arguments.json, {**means, "scenes": {name: one.to_json() for name, one in summaries.items()},
                                    "model": model,
                                    "checkpoint": str(arguments.checkpoint), "data": asdict(arguments.data),
                                    "sequences": list(arguments.sequences), **provenance()})
