"""Pre-train the form of learned codes on simulated rooms, and ask rooms and a kitchen that it never saw, before and
after.

`python -m benchmarks.code_pretraining --preset h100 --out FOLDER` takes nine minutes of one large GPU and nine cores;
all options of `train attention` are understood, and those of its sizes make the same run small. `FOLDER/weights` has
the network, `FOLDER/results.json` and `FOLDER/results.md` what came out.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.asked_scenes import AskedScene, asked_room, kitchen_scenes
from benchmarks.scene_stream import Bound
from benchmarks.table import BenchTable
from cl_localization.cli.flags import argument, parse, settings
from cl_localization.cli.tables import output_console
from cl_localization.config import EncoderConfig
from cl_localization.evaluation.provenance import provenance
from cl_localization.features import Encoder, Features
from cl_localization.features.weights import torch_device
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import pose_error
from cl_localization.research.ace.training import AceBuffer
from cl_localization.research.ace_g import cli_train
from cl_localization.research.ace_g.checkpoint import AttentionModel, save_attention
from cl_localization.research.ace_g.code_mapping import SceneCodes, learn_codes, localize_with_codes
from cl_localization.research.ace_g.code_pretraining import CodeObjective
from cl_localization.research.ace_g.options import CodeMappingConfig
from cl_localization.research.ace_g.pretraining import new_model, pretrain
from cl_localization.research.ace_g.processes import OneProcess
from cl_localization.research.tokens import token_encoder

BOUNDS: dict[str, Bound] = {"5 cm/5 deg": (0.05, 5.0), "20 cm/10 deg": (0.20, 10.0), "50 cm/15 deg": (0.50, 15.0)}
HEADERS = ("scene", "network", "queries", *(f"{name} [%]" for name in BOUNDS), "median [cm]", "median [deg]",
           "learned in [s]")
SAVED_EVERY = 1000
RESERVE = 1.3
"""Time kept for asking after the training, a scene, over that of the last scene before it."""


@dataclass(frozen=True, kw_only=True)
class Arguments(cli_train.Arguments):
    """Pre-train the form of learned codes, and ask scenes that it never saw.

    Example: python -m benchmarks.code_pretraining --preset h100 --out out/codes --kitchen kitchen.safetensors
    """

    seconds: float = argument("Time for all of it; the training gets what asking leaves [s].", 540.0)
    unseen: int = argument("Simulated rooms that are asked for.", 8)
    unseen_seed: int = argument("Seed of the first of them.", 50_000)
    unseen_frames: int = argument("Frames that are mapped in each of them; as many are asked for.", 60)
    kitchen: Path | None = argument("Features of RedKitchen; see benchmarks.asked_scenes.", None)
    codes: CodeMappingConfig = settings(CodeMappingConfig, "codes")


@dataclass(frozen=True, eq=False)
class Asked:
    """What came of one scene: errors (N, 2) of metres and degrees, infinite where there is no pose, and the seconds in
    which the codes were learned."""

    scene: str
    network: str
    errors: np.ndarray
    seconds: float

    def row(self) -> tuple[str, ...]:
        """Return a row of the table."""
        rates = [f"{100 * (self.errors <= bound).all(axis=1).mean():.0f}" for bound in BOUNDS.values()]
        metres, degrees = np.median(self.errors, axis=0)
        return (self.scene, self.network, str(len(self.errors)), *rates, f"{100 * metres:.1f}", f"{degrees:.1f}",
                f"{self.seconds:.0f}")


def asked(name: str, model: AttentionModel, scenes: Iterable[AskedScene], codes: CodeMappingConfig,
          device: torch.device) -> Iterator[Asked]:
    """Map scenes with a network as it is, and localize their queries; yield what came out."""
    network = model.network.to(device).eval()
    for scene in scenes:
        started_s = time.monotonic()
        learned = learn_codes(network, scene.mapping, codes)
        seconds = time.monotonic() - started_s
        views = range(len(scene.queries.cam_T_world))
        yield Asked(scene.name, name, np.array([view_error(model, learned, scene.queries, view, codes)
                                                for view in views]), seconds)


def view_error(model: AttentionModel, learned: SceneCodes, queries: AceBuffer, view: int,
               codes: CodeMappingConfig) -> tuple[float, float]:
    """Return the error of the pose of one view in metres and degrees; infinite where there is none."""
    rows = queries.views == view
    fx, fy, cx, cy = queries.intrinsics[view].tolist()
    camera = Camera(round(2 * cx), round(2 * cy), fx, fy, cx, cy)
    features = Features(queries.pixels[rows].numpy(), queries.features[rows].numpy(), np.ones(int(rows.sum())))
    found = localize_with_codes(model.network, learned, features, camera, codes)
    if found.world_T_cam is None:
        return np.inf, np.inf
    cam_T_world = np.vstack([queries.cam_T_world[view].numpy(), [0, 0, 0, 1]])
    return pose_error(found.world_T_cam, se3.inverse(cam_T_world))


def run(arguments: Arguments) -> None:
    """Ask, train, ask again, and write what came out; partial results are written as they come."""
    started_s, out = time.monotonic(), arguments.out
    out.mkdir(parents=True, exist_ok=True)
    options, device = arguments.options, torch_device(arguments.options.encoder.device)
    torch.set_float32_matmul_precision("high")
    texts, outcomes = cli_train.scene_texts(arguments), []
    processes = OneProcess(device, options.pretraining.precision)
    encoder = token_encoder(options.encoder)
    with closing(cli_train.make_objective(options, texts, encoder, processes, arguments.folder)) as objective:
        scenes = unseen_scenes(arguments, encoder)
        said(f"{len(scenes)} scenes to ask for", started_s)
        untrained, before_s = new_model(encoder.dim, encoder.name, options), time.monotonic()
        for one in asked("untrained", untrained, scenes[-3:], arguments.codes, device):
            outcomes.append(one)
            said(" ".join(one.row()), started_s)
            scene_s, before_s = time.monotonic() - before_s, time.monotonic()
        left_s = arguments.seconds - (time.monotonic() - started_s)
        asking_s = RESERVE * len(scenes) * scene_s
        config = replace(options, pretraining=replace(options.pretraining, finish_seconds=max(1.0, left_s - asking_s)))
        model = new_model(encoder.dim, encoder.name, config, {"rooms": len(texts), **provenance()})
        model = pretrain(model, objective, processes, tell=Log(model, objective, out / "weights", started_s))
    save_attention(model, out / "weights")
    for one in asked("pre-trained", model, scenes, arguments.codes, device):
        outcomes.append(one)
        said(" ".join(one.row()), started_s)
        write_results(arguments, model, outcomes, started_s)


def unseen_scenes(arguments: Arguments, encoder: Encoder) -> list[AskedScene]:
    """Return the scenes that are asked for: rooms, then the kitchen."""
    config, size = arguments.options, arguments.room_size
    seeds = [arguments.unseen_seed + number for number in range(arguments.unseen)]
    kitchen = [] if arguments.kitchen is None else kitchen_scenes(arguments.kitchen)
    workers = config.pretraining.workers
    if not workers:
        return [asked_room(seed, arguments.unseen_frames, size, encoder) for seed in seeds] + kitchen
    on_cpu = replace(config.encoder, device="cpu")
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        made = [pool.submit(encoded_room, seed, arguments.unseen_frames, size, on_cpu) for seed in seeds]
        return [one.result() for one in made] + kitchen


def encoded_room(seed: int, frames: int, size: str, config: EncoderConfig) -> AskedScene:
    """Return a room, made in a process of its own on one core."""
    torch.set_num_threads(1)
    return asked_room(seed, frames, size, token_encoder(config))


@dataclass(eq=False)
class Log:
    """Is told of every iteration: now and then it saves the network and says how the loss stands."""

    model: AttentionModel
    objective: CodeObjective
    path: Path
    started_s: float

    def __call__(self, done: int, total: int, loss: Tensor) -> None:
        """See `Tell`."""
        if done % SAVED_EVERY == 0 or done in (1, 10, 100):
            error_m = self.objective.query_error_m(self.model.network)
            said(f"iteration {done}, {len(self.objective.pool.ready())} scenes, loss {float(loss):.3f}, queries of "
                 f"scenes near the end of their life {100 * error_m:.1f} cm off in the median", self.started_s)
            save_attention(self.model, self.path)


def write_results(arguments: Arguments, model: AttentionModel, outcomes: list[Asked], started_s: float) -> None:
    """Write the table and the same as JSON."""
    table = BenchTable("pre-trained codes", HEADERS, [one.row() for one in outcomes],
                       f"{model.extra['steps']:,} iterations in {model.extra['seconds']:.0f} s on {device_name()}; "
                       f"{time.monotonic() - started_s:.0f} s in all.")
    (arguments.out / "results.md").write_text(table.markdown())
    results = [{"scene": one.scene, "network": one.network, "errors": one.errors.round(5).tolist(),
                "seconds": one.seconds} for one in outcomes]
    (arguments.out / "results.json").write_text(json.dumps({"asked": results, "made": model.extra,
                                                            "codes": asdict(arguments.codes)}))


def device_name() -> str:
    """Return what the training ran on."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "the CPU"


def said(line: str, started_s: float) -> None:
    """Print a line with the time since the start."""
    output_console().print(f"{time.monotonic() - started_s:6.1f} s  {line}", soft_wrap=True, markup=False)


if __name__ == "__main__":
    given = parse(Arguments, cli_train.understood(sys.argv[1:]), "python -m benchmarks.code_pretraining")
    if given is not None:
        run(given)
