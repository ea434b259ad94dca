"""`export`: a sequence or a map for other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cl_localization.cli.flags import argument
from cl_localization.cli.map import FORMAT_HELP
from cl_localization.cli.tables import output_console, warn_unreadable
from cl_localization.errors import ConfigError, MapError

if TYPE_CHECKING:
    from cl_localization.geometry.camera import Camera
    from cl_localization.map.map_code import MapCode


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Write a sequence or a map in the layout of another tool.

    A sequence becomes images with cameras and poses: COLMAP's text model, transforms.json (nerfstudio, instant-ngp) or
    TUM RGB-D (also for evo). A map becomes its keyframes, as poses without images, and with colmap its codes as points;
    of a map in parts that are not joined, those of one scene.

    Examples: cl_localization export 'sim:7?frames=50' --format transforms --out house_nerf
              cl_localization export house.map --format colmap --out house_model
    """

    source: str = argument("Map file, or a sequence as `map` takes it.", metavar="MAP|SEQ", positional=True)
    format: Literal["colmap", "transforms", "tum"] = argument("Layout to write.")
    out: Path = argument("Folder to write.", metavar="FOLDER", writes="folder")
    force: bool = argument("Replace an earlier result; a folder with anything else in it is refused.", False)
    scene: str = argument("Of a map, only the keyframes and codes of this scene.", "", metavar="NAME")
    input_format: str = argument(FORMAT_HELP, "auto", metavar="FORMAT")


def run(arguments: Arguments) -> int:
    """Write the folder; return the exit code."""
    from cl_localization.map.map_file import is_map_file

    if is_map_file(arguments.source):
        made = f"{export_map(arguments)} {arguments.format} poses of keyframes (a map holds no images)"
    elif arguments.scene:
        raise ConfigError("--scene", "is for maps", f"{arguments.source}, which is no map", "leave it out")
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
    """Write keyframes of a map, and codes where the layout has points; return how many keyframes.

    Raises:
        MapError: the map cannot be read or does not say its camera, lacks the scene, or has parts that are not joined.
    """
    from cl_localization.data.atomic import written_folder
    from cl_localization.data.export import write_colmap_model, write_transforms
    from cl_localization.data.trajectory import write_trajectory
    from cl_localization.map.map_file import load_map, read_map_info

    map_code = load_map(Path(arguments.source))
    scene = exported_scene(map_code, arguments)
    keyframes = map_code.keyframes.rows() if scene is None else map_code.keyframes_of(scene)
    poses = map_code.pose_of(keyframes)
    with written_folder(arguments.out, arguments.force) as place:
        if arguments.format == "tum":
            stamps_ns = map_code.keyframes["keyframe_stamps_ns"][keyframes]
            write_trajectory(place / "groundtruth.txt", zip(stamps_ns.tolist(), poses), "world_T_cam of keyframes")
            return len(poses)
        camera = camera_of(read_map_info(Path(arguments.source)), arguments.source)
        posed = [(f"keyframe-{number:06d}.png", camera, pose) for number, pose in enumerate(poses)]
        if arguments.format == "colmap":
            write_colmap_model(place / "sparse" / "0", posed, map_code.codes["positions_m"][map_code.rows_of(scene)])
        else:
            write_transforms(place / "transforms.json", posed)
    return len(poses)


def exported_scene(map_code: MapCode, arguments: Arguments) -> int | None:
    """Return the number of the scene to export; None for all, which then share a coordinate frame.

    Raises:
        MapError: the map lacks the scene, or has parts that are not joined and none was chosen.
    """
    from cl_localization.mapping.audit.health import noted_health

    names, parts = [map_code.scene_names[one] for one in map_code.scenes_in_use], noted_health(map_code).unjoined_parts
    if not arguments.scene and not parts:
        return None
    if not arguments.scene:
        raise MapError(f"map {arguments.source}", "must be exported part by part, each has a frame of its own",
                       "; ".join(f"{name} ({count} keyframes)" for name, count in parts.items()),
                       "name a scene (--scene NAME)")
    if arguments.scene not in names:
        raise MapError("--scene", f"must be a scene of map {arguments.source}: {', '.join(names)}", arguments.scene)
    return map_code.scene_names.index(arguments.scene)


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
