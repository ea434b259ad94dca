"""Which topics of a bag are the camera: given by the user, or guessed from types and names and reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cl_localization.data.bag_messages import frame_id
from cl_localization.data.message_depth import DEPTH_TYPES, encoding_of, is_depth
from cl_localization.errors import DataError

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
CAMERA_INFO, TF = "sensor_msgs/msg/CameraInfo", ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage")
ODOMETRY, POSE = "nav_msgs/msg/Odometry", "geometry_msgs/msg/PoseStamped"
POSES = (POSE, "geometry_msgs/msg/PoseWithCovarianceStamped")
NO_DEPTH = ("none", "false", "no", "0")
TRUTH_WORDS = ("ground_truth", "groundtruth", "gt_pose")
TRANSPORTS = ("/compressedDepth", "/compressed", "/theora", "/ffmpeg", "/zstd")


@dataclass
class BagTopics:
    """The topics to read; empty names are not there.

    Attributes:
        image, camera_info, depth: of the camera.
        pose, odometry: PoseStamped, PoseWithCovarianceStamped or Odometry topic of true poses, and Odometry topic
            of the drifting ones.
        notes: what was guessed.
    """

    image: str = ""
    camera_info: str = ""
    depth: str = ""
    pose: str = ""
    odometry: str = ""
    notes: list[str] = field(default_factory=list)


def choose_topics(types: dict[str, str], first_message: Callable[[str], Any], image: str, camera_info: str, depth: str,
                  pose: str, camera: str = "") -> BagTopics:
    """Return the topics to read.

    Args:
        types: message type of each topic that has messages.
        first_message: gives the first message of a topic.
        image, camera_info, depth: topics the user named; empty to guess, "none" or "false" for no depth.
        pose: a PoseStamped or Odometry topic; "auto" to guess; "tf" or "none" for no topic.
        camera: a calibration file, which stands in for camera_info.

    Raises:
        DataError: a named topic is not there or of another type; no image or no camera_info to be found.
    """
    chosen = BagTopics()
    firsts = {topic: first_message(topic) for topic, kind in types.items() if kind in IMAGE_TYPES}
    colour = sorted((topic for topic in firsts if not is_depth(firsts[topic])
                     and not topic.endswith("compressedDepth")),
                    key=lambda topic: _image_rank(topic, types))
    chosen.image = _named(image, "image", types, IMAGE_TYPES) or _first(colour, "image", types, chosen.notes)
    infos = sorted((topic for topic, kind in types.items() if kind == CAMERA_INFO),
                   key=lambda topic: (-_common_length(topic, chosen.image), topic))
    if not camera:
        chosen.camera_info = (_named(camera_info, "camera_info", types, (CAMERA_INFO,))
                              or _first(infos, "camera_info", types, chosen.notes))
    if depth not in NO_DEPTH:
        same_frame = [topic for topic in sorted(firsts, key=lambda topic: _image_rank(topic, types))
                      if is_depth(firsts[topic])
                      and frame_id(firsts[topic].header) == frame_id(firsts[chosen.image].header)]
        unregistered = [topic for topic in firsts if is_depth(firsts[topic]) and topic not in same_frame]
        chosen.depth = _named(depth, "depth", types, IMAGE_TYPES) or (same_frame[0] if same_frame else "")
        if chosen.depth and encoding_of(firsts[chosen.depth]) not in DEPTH_TYPES:
            raise DataError(f"depth topic {chosen.depth}", f"must hold depth ({', '.join(DEPTH_TYPES)})",
                            encoding_of(firsts[chosen.depth]), "name another with ?depth=TOPIC, or ?depth=none")
        if chosen.depth in unregistered:
            chosen.notes.append(f"{chosen.depth} is of another frame than the image, and taken as registered to it")
            unregistered.remove(chosen.depth)
        chosen.notes.append(f"depth topic {chosen.depth or 'none'}" + (
            f"; {', '.join(unregistered)} is of another frame than the image: register it" if unregistered else ""))
    _choose_poses(chosen, types, pose)
    return chosen


def _choose_poses(chosen: BagTopics, types: dict[str, str], pose: str) -> None:
    odometry = sorted(topic for topic, kind in types.items() if kind == ODOMETRY)
    chosen.odometry = odometry[0] if odometry else ""
    if pose not in ("auto", "tf", "none"):
        chosen.pose = _named(pose, "pose", types, (*POSES, ODOMETRY))
        return
    stamped = sorted(topic for topic, kind in types.items() if kind in POSES)
    truth = [topic for topic in stamped if any(word in topic for word in TRUTH_WORDS)]
    if pose == "auto" and truth:
        chosen.pose = truth[0]
    elif pose == "auto" and stamped:
        chosen.notes.append(f"topics of poses not used: {', '.join(stamped)}; name one with ?pose=TOPIC")


def _named(topic: str, role: str, types: dict[str, str], allowed: tuple[str, ...]) -> str:
    if not topic:
        return ""
    if types.get(topic) not in allowed:
        raise DataError(f"{role} topic {topic}", f"must be in the bag with type {' or '.join(allowed)}",
                        types.get(topic, "no messages"),
                        f"the bag has {_listing(types)}")
    return topic


def _first(candidates: list[str], role: str, types: dict[str, str], notes: list[str]) -> str:
    if not candidates:
        raise DataError(f"{role} topic", "is missing in the bag", _listing(types),
                        f"record it too, or name it with ?{role}=TOPIC"
                        + (", or give ?camera=FILE" if role == "camera_info" else ""))
    others = f" (others: {', '.join(candidates[1:])})" if candidates[1:] else ""
    notes.append(f"{role} topic {candidates[0]}{others}")
    return candidates[0]


def _listing(types: dict[str, str]) -> str:
    return ", ".join(f"{topic} [{kind}]" for topic, kind in sorted(types.items())) or "no messages"


def _image_rank(topic: str, types: dict[str, str]) -> tuple[bool, bool, bool, str]:
    """Order: with camera_info beside it, raw before compressed, aligned depth first, by name."""
    base = base_topic(topic)
    return (f"{base.rsplit('/', 1)[0]}/camera_info" not in types, base != topic, "aligned" not in topic, topic)


def base_topic(topic: str) -> str:
    """Return an image topic without the suffix of its transport."""
    return next((topic[:-len(suffix)] for suffix in TRANSPORTS if topic.endswith(suffix)), topic)


def _common_length(first: str, second: str) -> int:
    """Return how many leading parts two topic names share."""
    shared = 0
    for one, other in zip(first.split("/"), second.split("/")):
        if one != other:
            break
        shared += 1
    return shared
