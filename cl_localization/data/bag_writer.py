"""A sequence written as a rosbag2 that `ros2 bag play` accepts and this package's reader reads back.

| topic | type | what |
|---|---|---|
| `/camera/image_raw` (or `/camera/image_raw/compressed`, JPEG) | Image (CompressedImage) | rgb8 |
| `/camera/camera_info` | CameraInfo | |
| `/camera/depth/image_raw` | Image | 16UC1, mm, registered to the image |
| `/tf` | TFMessage | odom -> base_link if frames carry odometry; with `map_tf` also map -> odom (or base_link) |
| `/tf_static` | TFMessage | base_link -> camera_optical_frame, transient local |
| `/odom` | Odometry | the same as tf; twist and covariances are zero: not known |
| `/ground_truth` | PoseStamped | pose of the camera's optical frame in map |

map -> odom is left to the localizer unless `map_tf` is asked for. The camera looks forward unless the sequence says how
it is mounted.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cl_localization.data.atomic import written_folder
from cl_localization.data.bag_encoder import Encoded, MessageEncoder, qos_profiles
from cl_localization.data.export import not_told
from cl_localization.data.frame import Frame, Sequence
from cl_localization.data.sequence import base_T_cam_of
from cl_localization.data.stamps import NS_PER_S
from cl_localization.errors import DataError

STORAGES = ("mcap", "sqlite3")
METADATA_VERSION: Final = 9
MAX_STAMP_NS = (2**31 - 1) * NS_PER_S


def write_bag(sequence: Sequence, path: Path, storage: str = "mcap", compressed: bool = False, map_tf: bool = False,
              force: bool = False, progress: Callable[[int, int], None] = not_told) -> dict[str, int]:
    """Write a sequence as a bag and return the number of messages of each topic.

    Stamps are the frames' own, except that a sequence that begins within the first second is moved by one second: to
    tf, and to this package's reader, stamp 0 means "none". Messages are logged at their stamps.

    Args:
        path: becomes the bag's folder, whole or not at all.
        storage: "mcap" or "sqlite3".
        compressed: whether images are JPEG, a tenth of the size but not the same pixels.
        map_tf: whether tf also says where the robot truly is.
        force: whether an existing folder may be replaced.
        progress: told (frames done, frames in all) after each.

    Raises:
        DataError: unknown storage, stamps that ROS cannot say, output that is there without `force` or cannot be
            written.
    """
    if storage not in STORAGES:
        raise DataError("storage of the bag", f"must be one of {', '.join(STORAGES)}", repr(storage))
    from rosbags.rosbag2 import StoragePlugin, Writer
    encoder = MessageEncoder(base_T_cam_of(sequence), compressed, map_tf)
    with written_folder(path, force) as place:
        place.rmdir()  # the writer insists on making its folder, and names its files after it
        with Writer(place, version=METADATA_VERSION, storage_plugin=StoragePlugin[storage.upper()]) as writer:
            writer.set_custom_data("written_by", "cl_localization")
            return _write_frames(writer, sequence, encoder, progress)


def _write_frames(writer: Any, sequence: Sequence, encoder: MessageEncoder,
                  progress: Callable[[int, int], None]) -> dict[str, int]:
    connections: dict[str, Any] = {}
    counts: dict[str, int] = {}
    shift_ns: int | None = None

    def write(message: Encoded, stamp_ns: int) -> None:
        if message.topic not in connections:
            connections[message.topic] = writer.add_connection(
                message.topic, message.kind, typestore=encoder.typestore,
                offered_qos_profiles=qos_profiles(message.latched))
        writer.write(connections[message.topic], stamp_ns, message.data)
        counts[message.topic] = counts.get(message.topic, 0) + 1

    for index, frame in enumerate(sequence):
        if shift_ns is None:
            shift_ns = NS_PER_S if 0 <= frame.stamp_ns < NS_PER_S else 0
            write(encoder.static_tf(_checked_stamp(frame, shift_ns)), frame.stamp_ns + shift_ns)
        stamp_ns = _checked_stamp(frame, shift_ns)
        for message in encoder.encode(frame, stamp_ns):
            write(message, stamp_ns)
        progress(index + 1, len(sequence))
    return counts


def _checked_stamp(frame: Frame, shift_ns: int) -> int:
    if not 0 <= frame.stamp_ns + shift_ns <= MAX_STAMP_NS:
        raise DataError(f"stamp of frame {frame.name}", "must lie in [0, 2^31) seconds", f"{frame.stamp_ns} ns")
    return frame.stamp_ns + shift_ns
