"""One door to every kind of sequence: `open_sequence` recognises the layout and applies the spec's selection."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cl_localization.data.frame import Sequence
from cl_localization.data.images import image_files
from cl_localization.data.sequence import IndexedSequence
from cl_localization.data.spec import SequenceSpec, parse_spec, selected
from cl_localization.errors import DataError, did_you_mean, of_type

NOTES = logging.getLogger("cl_localization.data.notes")
"""Hears what readers assume, one line each; the command line shows it."""

TURNS = ("0", "90", "180", "270")
ARCHIVES = (".zip", ".r3d", ".tar", ".gz", ".7z")
TRUE_WORDS, FALSE_WORDS = ("true", "yes", "1"), ("false", "no", "0")
SHOWN_ENTRIES, SEARCHED_ENTRIES = 8, 50


@dataclass(frozen=True)
class Format:
    """One kind of sequence: the module that reads it and what it looks like to a user.

    Attributes:
        module: of `cl_localization.data`, imported when needed; has `is_NAME(path)` and `open_NAME(path, name,
            **options)`.
        function: NAME above.
        looks_like: one phrase for messages and help.
        marks: patterns of entries that hint at it, for folders that are nearly one.
    """

    module: str
    function: str
    looks_like: str
    marks: tuple[str, ...] = ()

    def recognises(self, path: Path) -> bool:
        """Return whether a path looks like this format."""
        return self._find("is")(path)

    @property
    def open(self) -> Callable[..., Sequence]:
        """The reader."""
        return self._find("open")

    def _find(self, verb: str) -> Callable[..., Any]:
        return getattr(importlib.import_module(f"cl_localization.data.{self.module}"), f"{verb}_{self.function}")


FORMATS = {
    "transforms": Format("transforms_json", "transforms_json",
                         "transforms.json of nerfstudio, instant-ngp, NeRFCapture, or Blender's transforms_train.json",
                         ("transforms*.json", "images", "train")),
    "colmap": Format("colmap", "colmap", "images and a COLMAP model in sparse/0 (.bin or .txt), or the model's folder",
                     ("sparse", "images", "cameras.*", "database.db", "points3D.*")),
    "12scenes": Format("twelve_scenes", "12scenes",
                       "info.txt and frame-NNNNNN.color.jpg, .depth.png, .pose.txt, in data, or "
                       "in the folder itself (BundleFusion)",
                       ("info.txt", "data", "*.color.jpg")),
    "7scenes": Format("seven_scenes", "7scenes",
                      "frame-NNNNNN.color.png|jpg, .depth.png, .pose.txt, or a folder of such seq-NN (also 3DMatch)",
                      ("*.color.*", "*.pose.txt", "*.depth.png", "seq-*", "camera-intrinsics.txt")),
    "scannet": Format("scannet", "scannet", "color, depth, pose, intrinsic of an exported ScanNet scan",
                      ("color", "pose", "intrinsic", "depth")),
    "ace": Format("ace", "ace", "train and test with rgb, poses, calibration of ACE or DSAC*",
                  ("train", "test", "rgb", "poses", "calibration")),
    "euroc": Format("euroc", "euroc", "mav0/cam0/data with data.csv and sensor.yaml of EuRoC or TUM-VI",
                    ("mav0", "cam0", "imu0", "state_groundtruth_estimate0", "sensor.yaml", "data.csv")),
    "kitti": Format("kitti", "kitti", "image_2 or image_0, calib.txt, times.txt of KITTI odometry",
                    ("image_*", "calib.txt", "times.txt", "velodyne")),
    "openloris": Format("openloris", "openloris",
                        "color.txt, aligned_depth.txt, sensors.yaml, trans_matrix.yaml of OpenLORIS-Scene",
                        ("color.txt", "aligned_depth.txt", "sensors.yaml", "trans_matrix.yaml")),
    "tum": Format("tum", "tum", "rgb.txt or associations.txt, depth.txt, groundtruth.txt of TUM RGB-D or ETH3D",
                  ("rgb.txt", "rgb", "groundtruth.txt", "depth.txt", "assoc*.txt", "calibration.txt")),
    "record3d": Format("record3d", "record3d", "metadata.json, rgb, depth of Record3D, or an unpacked .r3d",
                       ("metadata*", "rgb", "rgbd", "depth")),
    "polycam": Format("polycam", "polycam", "keyframes with images, cameras, depth of Polycam's raw export",
                      ("keyframes", "corrected_cameras", "cameras", "mesh_info.json")),
    "images": Format("image_folder", "image_folder", "images with camera.yaml and optionally poses.txt",
                     ("camera.yaml", "images", "poses.txt", "*.png", "*.jpg", "*.jpeg")),
    "bag": Format("bag_reader", "bag", "a rosbag2 (.mcap, .db3) or a .bag of ROS 1, in a folder or given as a file",
                  ("metadata.yaml", "*.mcap", "*.db3", "*.bag", "*.zstd")),
    "video": Format("video", "video", "a video file, with ?camera=FILE", ("*.mp4", "*.mov", "*.avi", "*.mkv")),
}
"""In the order in which they are tried; `sim` is known by its prefix."""


def open_sequence(spec: str | Path, format: str = "auto", **options: Any) -> Sequence:
    """Open what `spec` names: a path or `sim:SEED`, then reader options, then a selection of frames.

    `PATH?key=value&key=value` gives options of the reader, `turn=90` the angle clockwise that brings its images
    upright (the camera's mounting tells it where that is known), `PATH@FILE` takes the frames listed in a text file and
    `PATH[start:stop:step]` a part by index; see `cl_localization.data.spec`.

    Args:
        format: a key of `FORMATS`, "sim", or "auto" to recognise it.
        options: keyword arguments of the reader; they win over those in the spec.

    Raises:
        DataError: nothing there, an unknown layout, format or option, a selection without frames, or what the reader
            finds.
        GeometryError: poses or cameras that make no sense.
    """
    if format not in ("auto", "sim", *FORMATS):
        raise DataError("format", f"must be one of auto, sim, {', '.join(FORMATS)}", repr(format))
    parsed = parse_spec(str(spec))
    options_of_reader = dict(parsed.options)
    turn = options_of_reader.pop("turn", None)
    if parsed.source.startswith("sim:") or format == "sim":
        sequence = _open_simulation(replace(parsed, options=options_of_reader), options)
        folder = Path()
    else:
        path = Path(parsed.source).expanduser()
        reader = FORMATS[_recognised(path, {**options_of_reader, **options}) if format == "auto" else format].open
        sequence = reader(path, parsed.text, **_typed_options(reader, {**options_of_reader, **options}))
        folder = path if path.is_dir() else path.parent
    if turn is not None and isinstance(sequence, IndexedSequence):
        sequence.turn_deg = _turn_deg(turn)
    for note in getattr(sequence, "notes", ()):
        NOTES.info("%s: %s", sequence.name, note)
    return selected(sequence, parsed, folder)


def _turn_deg(text: str) -> int:
    if text not in TURNS:
        raise DataError("option turn of the sequence", f"must be one of {', '.join(TURNS)}", repr(text),
                        "give the angle clockwise that brings its images upright")
    return int(text)


def _open_simulation(parsed: SequenceSpec, options: dict[str, Any]) -> Sequence:
    """The simulated house reads its own options from the spec."""
    simulation = importlib.import_module("cl_localization.simulation")
    merged = {**parsed.options, **{key: str(value) for key, value in options.items()}}
    query = "&".join(f"{key}={value}" for key, value in merged.items())
    source = parsed.source if parsed.source.startswith("sim:") else f"sim:{parsed.source}"
    return simulation.open_simulation(f"{source}?{query}" if query else source)


def _recognised(path: Path, options: dict[str, Any]) -> str:
    if not path.exists():
        raise DataError(f"sequence {path}", "is missing",
                        remedy="give a file or folder, or sim:SEED for the simulated house")
    name = _format_of(path)
    if name is None and path.is_dir() and ("camera" in options or _lacks_only_camera(path)):
        name = "images"
    if name is None:
        entries = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else [path.name]
        found = ", ".join(entries[:SHOWN_ENTRIES]) + (f" and {len(entries) - SHOWN_ENTRIES} more"
                                                      if len(entries) > SHOWN_ENTRIES else "")
        raise DataError(f"sequence {path}", "has no layout that is recognised", found or "an empty folder",
                        _advice(path, entries))
    return name


def _format_of(path: Path) -> str | None:
    return next((name for name, candidate in FORMATS.items() if candidate.recognises(path)), None)


def _advice(path: Path, entries: list[str]) -> str:
    """Return what to give instead: a folder inside that is recognised, the nearest layout, or all of them."""
    if path.is_file() and path.suffix.lower() in ARCHIVES:
        return f"unpack it and give the folder: unzip {path.name} -d {path.stem}"
    inside = next(((entry, name) for entry in entries[:SEARCHED_ENTRIES]
                   if (path / entry).is_dir() and (name := _format_of(path / entry))), None)
    if path.is_dir() and inside:
        return f"{path / inside[0]} is {inside[1]}: give that"
    marks = _marks(entries)
    nearest = max(marks, key=lambda name: len(marks[name]))
    known = "; ".join(f"{name}: {candidate.looks_like}" for name, candidate in FORMATS.items())
    if not marks[nearest]:
        return f"recognised are {known}"
    return (f"it has {', '.join(marks[nearest])} of {nearest}, which is {FORMATS[nearest].looks_like}; "
            f"recognised are also {', '.join(name for name in FORMATS if name != nearest)}")


def _marks(entries: list[str]) -> dict[str, list[str]]:
    """Return for each format the patterns that one of the entries of a folder matches."""
    return {name: [mark for mark in candidate.marks if fnmatch.filter(entries, mark)]
            for name, candidate in FORMATS.items()}


def _lacks_only_camera(path: Path) -> bool:
    """Return whether a folder of no known layout has images, and nothing makes it more like another one."""
    marks = _marks([entry.name for entry in path.iterdir()])
    has_images = image_files(path) or image_files(path / "images")
    return bool(has_images) and len(marks["images"]) == max(map(len, marks.values()))


def _typed_options(reader: Callable[..., Sequence], options: dict[str, Any]) -> dict[str, Any]:
    """Return options with text turned into the type of the reader's default. Raises DataError for unknown ones."""
    known = {key: parameter.default for key, parameter in inspect.signature(reader).parameters.items()
             if parameter.kind is inspect.Parameter.KEYWORD_ONLY}
    for key in options:
        if key not in known:
            raise DataError(f"option {key} of the sequence", "is unknown", remedy=did_you_mean(key, [*known, "turn"]))
    return {key: _typed(key, value, known[key]) for key, value in options.items()}


def _typed(key: str, value: Any, default: Any) -> Any:
    if not isinstance(value, str) or isinstance(default, str):
        return value
    if isinstance(default, bool):
        if value.lower() not in TRUE_WORDS + FALSE_WORDS:
            raise DataError(f"option {key} of the sequence", "must be true or false", repr(value))
        return value.lower() in TRUE_WORDS
    try:
        return type(default)(value)
    except ValueError:
        raise DataError(f"option {key} of the sequence", f"must be {of_type(type(default))}", repr(value)) from None
