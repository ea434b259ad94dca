"""`export`: a sequence or a map for other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cl_localization.cli.flags import argument
from cl_localization.cli.map import FORMAT_HELP
from cl_localization.cli.tables import output_console, warn_unreadable
from cl_localization.errors import MapError

if TYPE_CHECKING:
    from cl_localization.geometry.camera import Camera


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Write a sequence or a map in the layout of another tool.

    A sequence becomes images with cameras and poses: COLMAP's text model, transforms.json (nerfstudio, instant-ngp) or
    TUM RGB-D (also for evo). A map becomes its keyframes, as poses without images, and with colmap its codes as points.

    Examples: cl_localization export 'sim:7?frames=50' --format transforms --out house_nerf
              cl_localization export house.map --format colmap --out house_model
    """

    source: str = argument("Map file, or a sequence as `map` takes it.", metavar="MAP|SEQ", positional=True)
    format: Literal["colmap", "transforms", "tum"] = argument("Layout to write.")
    out: Path = argument("Folder to write.", metavar="FOLDER", writes="folder")
    force: bool = argument("Replace an earlier result; a folder with anything else in it is refused.", False)
    input_format: str = argument(FORMAT_HELP, "auto", metavar="FORMAT")


def run(arguments: Arguments) -> int:
    """Write the folder; return the exit code."""
    from cl_localization.map.map_file import is_map_file

    if is_map_file(arguments.source):
        made = f"{export_map(arguments)} {arguments.format} poses of keyframes (a map holds no images)"
    else:
        made = f"{export_sequence(arguments)} {arguments.format} images"
    output_console().print(f"{made} in {arguments.out}")
    return 0


def export_sequence(arguments: Arguments) -> int:
    """Write a sequence and return how many of its frames were written; unreadable ones are left out and counted."""
    from cl_localization.cli.frames import prefetched, require_poses, require_readable
    from cl_localization.cli.progress import tracked
    from cl_localization.data import open_sequence
    from cl_localization.data.atomic import written_folder
    from cl_localization.data.export import WRITERS

    sequence, unreadable = open_sequence(arguments.source, arguments.input_format), list[str]()
    indices = range(len(sequence)) if arguments.format == "tum" else require_poses(sequence)
    with written_folder(arguments.out, arguments.force) as place:
        frames = prefetched(sequence, tracked(indices, len(indices), f"writing {arguments.out}"), unreadable)
        count = WRITERS[arguments.format](frames, place)
        require_readable(count, unreadable, sequence.name)
    warn_unreadable(unreadable, sequence.skipped)
    return count


def export_map(arguments: Arguments) -> int:
    """Write a map's keyframes, and codes where the layout has points; return how many keyframes there are."""
    from cl_localization.data.atomic import written_folder
    from cl_localization.data.export import write_colmap_model, write_transforms
    from cl_localization.data.trajectory import write_trajectory
    from cl_localization.map.map_file import load_map, read_map_info

    map_code = load_map(Path(arguments.source))
    poses = map_code.keyframe_world_T_cam
    with written_folder(arguments.out, arguments.force) as place:
        if arguments.format == "tum":
            stamps_ns = map_code.keyframes["keyframe_stamps_ns"][map_code.keyframes.rows()]
            write_trajectory(place / "groundtruth.txt", zip(stamps_ns.tolist(), poses), "world_T_cam of keyframes")
            return len(poses)
        camera = camera_of(read_map_info(Path(arguments.source)), arguments.source)
        posed = [(f"keyframe-{number:06d}.png", camera, pose) for number, pose in enumerate(poses)]
        if arguments.format == "colmap":
            write_colmap_model(place / "sparse" / "0", posed, map_code.positions_m)
        else:
            write_transforms(place / "transforms.json", posed)
    return len(poses)


def camera_of(metadata: dict[str, Any], source: str) -> Camera:
    """Return the camera that a map was made with.

    Raises:
        MapError: the map does not say it.
    """
    from cl_localization.geometry.camera import Camera

    values = (metadata.get("extra") or {}).get("camera")
    if not isinstance(values, dict):
        raise MapError(f"map {source}", "must say its camera to be written in this layout", "none",
                       "make it with `map`, or export --format tum")
    try:
        return Camera(**{**values, "distortion": tuple(values.get("distortion", ()))})
    except TypeError as error:
        raise MapError(f"camera of map {source}", "must be one", error) from None
