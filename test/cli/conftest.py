"""A core that knows every pose already, so that the commands can be tested without any network."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from cl_localization.data.frame import Frame
from cl_localization.errors import MapError
from cl_localization.mapping.audit.health import MapHealth
from viser_fake import FakeServer

HEALTH = {"warnings": ("the axes look wrong",), "codes_seen_once_percent": 36.0, "keyframes_moved_m": 0.0}


class FakeMap:
    """A map that is just the poses it was built from, by frame name."""

    encoder, map_id, size_bytes = "xfeat", "abc", 4000

    def fork(self) -> FakeMap:
        """Return the map to be gone on from."""
        return self

    def __init__(self, poses: dict[str, list] | None = None) -> None:
        self.poses = poses or {}
        self.version, self.health = len(self.poses), HEALTH

    def __len__(self) -> int:
        return 10 * len(self.poses)

    @property
    def positions_m(self) -> np.ndarray:
        return np.random.default_rng(0).uniform(0, 1, (len(self), 3)).astype(np.float32)

    @property
    def keyframe_world_T_cam(self) -> np.ndarray:
        return np.array([np.array(pose) for pose in self.poses.values()]).reshape(-1, 4, 4)

    def delta_since(self, version: int) -> SimpleNamespace:
        keyframe_ids = np.arange(len(self.poses))
        return SimpleNamespace(
            encoder="xfeat",
            dim=64,
            frame_id="map",
            cell_size_m=0.02,
            scene_names=["default"],
            scenes=np.zeros(len(self), int),
            positions_m=self.positions_m,
            sigmas_m=np.ones(len(self)),
            keyframe_ids=keyframe_ids,
            keyframe_scenes=np.zeros(len(keyframe_ids), int),
        )


class FakeMapper:
    """Takes every frame as a keyframe."""

    def __init__(self, config: object = None, encoder: object = None, map_code: FakeMap | None = None,
                 learned: object = None) -> None:
        self.config, self.map_code, self.depths = config, FakeMap(dict(map_code.poses) if map_code else {}), []

    @property
    def made(self) -> FakeMap:
        """The map for localizers."""
        return self.map_code

    def add(self, frame: Frame) -> SimpleNamespace:
        self.map_code.poses[f"{frame.world_T_cam[0, 3]:.6f}"] = frame.world_T_cam.tolist()
        self.depths.append(frame.depth_m)
        return SimpleNamespace(is_keyframe=True)

    def finish(self) -> None:
        self.finished = True

    def examine(self) -> MapHealth:
        return MapHealth(**HEALTH)


class FakeLocalizer:
    """Knows the pose of every image by its ground truth, one centimetre beside it; dark images are refused."""

    calibration = SimpleNamespace(problem="")

    def __init__(self, map_code: FakeMap, config: object = None, encoder: object = None) -> None:
        self.map_code = map_code

    def reset(self) -> None:
        """Forget nothing."""

    def localize(self, frame: Frame) -> SimpleNamespace:
        accepted = bool(frame.image.mean() > 20)
        world_T_cam = np.eye(4) if frame.world_T_cam is None else frame.world_T_cam.copy()
        world_T_cam[0, 3] += 0.01
        return SimpleNamespace(accepted=accepted, reason="ok" if accepted else "too few inliers", inliers=40 * accepted,
                               world_T_cam=world_T_cam, covariance=1e-4 * np.eye(6), scene="default")


def save_fake_map(map_code: FakeMap, path: Path, extra: dict | None = None) -> None:
    Path(path).write_text(json.dumps({"poses": map_code.poses, "extra": extra}))


def load_fake_map(path: Path, encoder: str | None = None, config: object = None) -> FakeMap:
    if not Path(path).is_file():
        raise MapError(f"map {path}", "is missing", remedy="make it with `map`")
    if encoder not in (None, "xfeat"):
        raise MapError(f"map {path}", f"must be of encoder {encoder}", "xfeat")
    return FakeMap(json.loads(Path(path).read_text())["poses"])


@pytest.fixture
def fake_core(monkeypatch) -> Iterator[SimpleNamespace]:
    """Put the fakes in the places of localizer, mapper and map files; gives the mappers that were made."""
    mappers: list[FakeMapper] = []

    def make_mapper(*arguments: object, **options: object) -> FakeMapper:
        mappers.append(FakeMapper(*arguments, **options))
        return mappers[-1]

    contents = {
        "cl_localization.mapper": {"Mapper": make_mapper},
        "cl_localization.localizer": {"Localizer": FakeLocalizer},
        "cl_localization.map.map_file": {
            "save_map": save_fake_map,
            "load_map": load_fake_map,
            "is_map_file": lambda path: Path(path).is_file() and Path(path).read_bytes().startswith(b'{"poses"'),
            "read_map_info": lambda path: {"format_version": 1, "extra": json.loads(Path(path).read_text())["extra"]},
        },
    }
    for name, values in contents.items():
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules.pop("benchmarks.runs", None)
    yield SimpleNamespace(mappers=mappers)
    sys.modules.pop("benchmarks.runs", None)  # it has imported the fakes


@pytest.fixture(scope="session")
def small_sequence(tmp_path_factory) -> Path:
    """Ten posed images of 32x24 px in the layout of 7-Scenes, the last one dark, as `bag` writes it."""
    from cl_localization.data.export import export_7scenes
    from cl_localization.data.sequence import IndexedSequence
    from cl_localization.geometry.camera import Camera

    class Lines(IndexedSequence):
        """Images of noise along x."""

        def _frame(self, index: int) -> Frame:
            image = np.random.default_rng(index).integers(0, 256 if index < 9 else 4, (24, 32, 3), np.uint8)
            return Frame(10**9 + index * 10**8, image, Camera(32, 24, 30, 30, 16, 12), np.ones((24, 32), np.float32),
                         self._pose(index))

        def _pose(self, index: int) -> np.ndarray:
            world_T_cam = np.eye(4)
            world_T_cam[0, 3] = 0.1 * index
            return world_T_cam

    folder = tmp_path_factory.mktemp("sequences") / "lines"
    export_7scenes(Lines("lines", [f"{index}" for index in range(10)]), folder)
    return folder


@pytest.fixture
def fake_viser(monkeypatch) -> list[FakeServer]:
    """Put a fake in the place of viser, and interrupt `view` as soon as it waits; gives the servers that were made."""
    from cl_localization.cli import view

    servers: list[FakeServer] = []

    def serve(**address: object) -> FakeServer:
        servers.append(FakeServer(**address))
        return servers[-1]

    class Interrupted:
        """An event that is interrupted while it is waited for."""

        def wait(self) -> None:
            raise KeyboardInterrupt

    module = ModuleType("viser")
    module.ViserServer = serve
    monkeypatch.setitem(sys.modules, "viser", module)
    monkeypatch.setattr(view, "threading", SimpleNamespace(Event=Interrupted))
    return servers
