"""Depth of a camera beside the colour camera."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from cl_localization.errors import LocalizationError
from cl_localization.geometry.camera import Camera
from cl_localization.ros import conversions
from cl_localization.ros.images.depth_registrar import DepthRegistrar
from cl_localization.ros.images.image_source import ImageBundle, Reading
from cl_localization.ros.tf.buffer import GuardedBuffer
from cl_localization.ros.tf.lookup import TfLookup

COLOUR, DEPTH = Camera(64, 48, 60, 60, 32, 24), Camera(64, 48, 50, 50, 32, 24)
BESIDE_M = 0.05


def lookup(connected: bool = True) -> TfLookup:
    """A robot whose depth camera is 5 cm left of the colour camera."""
    buffer = GuardedBuffer()
    if connected:
        transform = TransformStamped(header=Header(frame_id="colour"), child_frame_id="depth")
        transform.transform.translation.x, transform.transform.rotation.w = -BESIDE_M, 1.0
        buffer.set_transform_static(transform, "test")
    return TfLookup(buffer, 0.0)


def wall(frame: str, second: int = 5, info: bool = True) -> tuple[np.ndarray, Header, CameraInfo | None]:
    """A wall with an edge in the middle of the depth image: nothing to the left of it."""
    depth_m = np.ones((48, 64), np.float32)
    depth_m[:, :32] = 0
    header = Header(frame_id=frame, stamp=Time(sec=second))
    return depth_m, header, conversions.camera_info_message(DEPTH) if info else None


def test_depth_of_another_camera_is_brought_into_the_image() -> None:
    registered = DepthRegistrar(lookup(), is_needed=False).registered(*wall("depth"), COLOUR, "colour")
    edge_px = 32 - 60 * BESIDE_M
    first = [np.flatnonzero(row)[0] for row in registered[10:38]]
    assert np.abs(np.array(first) - edge_px).max() <= 1 and registered[20, 40] == pytest.approx(1.0)


def test_depth_is_registered_anew_where_its_camera_has_moved_or_images_have_another_size() -> None:
    buffer = GuardedBuffer()
    for second, beside_m in ((5, -BESIDE_M), (6, BESIDE_M)):
        transform = TransformStamped(header=Header(frame_id="colour", stamp=Time(sec=second)), child_frame_id="depth")
        transform.transform.translation.x, transform.transform.rotation.w = beside_m, 1.0
        buffer.set_transform(transform, "test")
    registrar, later = DepthRegistrar(TfLookup(buffer, 0.0), is_needed=True), wall("depth", second=6)
    for depth, edge_px in ((wall("depth"), 29), (later, 35)):
        assert abs(np.flatnonzero(registrar.registered(*depth, COLOUR, "colour")[20])[0] - edge_px) <= 1
    assert registrar.registered(*later, Camera(32, 24, 30, 30, 16, 12), "colour").shape == (24, 32)


@pytest.mark.parametrize(("depth", "connected"), [(wall("depth", info=False), True), (wall("depth"), False)])
def test_depth_of_a_frame_without_tf_or_calibration_is_left_out_or_refused(depth: tuple, connected: bool) -> None:
    registrar = DepthRegistrar(lookup(connected), is_needed=False)
    assert registrar.registered(*depth, COLOUR, "colour") is None
    assert registrar.problem.startswith("mapping without depth: depth must be in the frame of the image, colour, found "
                                        "depth; let the driver align depth to colour")
    with pytest.raises(LocalizationError, match="depth must be in the frame of the image"):
        DepthRegistrar(lookup(connected), is_needed=True).registered(*depth, COLOUR, "colour")


def test_a_bundle_registers_depth_of_another_frame_and_takes_that_of_its_own() -> None:
    image, depth = conversions.image_message(np.zeros((48, 64, 3), np.uint8)), conversions.depth_message(
        wall("depth")[0])
    image.header.frame_id, depth.header.frame_id = "/colour", "/depth"
    reading = Reading(registrar=DepthRegistrar(lookup(), is_needed=False))
    infos = conversions.camera_info_message(COLOUR), conversions.camera_info_message(DEPTH)
    frame = ImageBundle(image, infos[0], depth, 0.0, reading, infos[1]).frame()
    assert np.flatnonzero(frame.depth_m[20])[0] <= 30
    depth.header.frame_id = "colour"
    frame = ImageBundle(image, infos[0], depth, 0.0, reading, infos[1]).frame()
    np.testing.assert_array_equal(frame.depth_m, wall("depth")[0])


def bundle(reading: Reading, depth_frame: str | None, info: bool = True) -> ImageBundle:
    """An image in the frame `camera_link`, with depth unless its frame is None."""
    image, depth = conversions.image_message(np.zeros((48, 64, 3), np.uint8)), None
    image.header.frame_id = "camera_link"
    if depth_frame is not None:
        depth = conversions.depth_message(wall("depth")[0])
        depth.header.frame_id = depth_frame
    return ImageBundle(image, conversions.camera_info_message(COLOUR), depth, 0.0, reading,
                       conversions.camera_info_message(DEPTH) if info else None)


def test_depth_is_registered_into_the_frame_that_the_camera_is_given_instead_of_that_of_the_images() -> None:
    reading = Reading(camera_frame="colour", registrar=DepthRegistrar(lookup(), is_needed=True))
    for aligned in ("camera_link", "colour", "/colour", ""):
        np.testing.assert_array_equal(bundle(reading, aligned, info=False).frame().depth_m, wall("depth")[0])
    assert np.flatnonzero(bundle(reading, "depth").frame().depth_m[20])[0] <= 30


@pytest.mark.parametrize("later", [None, "camera_link"])
def test_depth_that_was_left_out_is_no_problem_once_it_stops_or_is_aligned(later: str | None) -> None:
    registrar = DepthRegistrar(lookup(), is_needed=False)
    reading = Reading(registrar=registrar)
    assert bundle(reading, "depth").frame().depth_m is None and registrar.problem
    assert (bundle(reading, later).frame().depth_m is None) == (later is None) and registrar.problem == ""
