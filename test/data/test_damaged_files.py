"""Whatever a file holds, the readers end in an error of this package or in frames."""

import contextlib
import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cl_localization.data import open_sequence
from cl_localization.data.camera_file import read_camera_file, write_camera_yaml
from cl_localization.data.images import decode_depth, decode_rgb
from cl_localization.data.trajectory import read_trajectory
from cl_localization.errors import LocalizationError
from data.bag_makers import camera_info, image, transforms, write_messages
from data.makers import CAMERA, make_depth, make_image, make_pose

ENCODED = {suffix: cv2.imencode(suffix, make_image(1))[1].tobytes() for suffix in (".png", ".jpg", ".ppm")}
DEPTH = cv2.imencode(".png", (make_depth(1) * 1000).astype(np.uint16))[1].tobytes()
damages = st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=5)
junk = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
                    max_leaves=8)


def damaged(data: bytes, damage: list[tuple[float, int]], keep: float = 1.0) -> bytes:
    """Return data with some bytes replaced, and only a leading share kept."""
    changed = bytearray(data)
    for where, value in damage:
        changed[int(where * len(changed))] = value
    return bytes(changed[:int(keep * len(changed))])


@given(st.sampled_from(sorted(ENCODED)), damages, st.floats(0.01, 1))
def test_a_damaged_image_is_an_error_or_an_image(suffix, damage, keep):
    with contextlib.suppress(LocalizationError):
        assert decode_rgb(damaged(ENCODED[suffix], damage, keep), "image").dtype == np.uint8


@given(damages, st.floats(0.01, 1))
def test_damaged_depth_is_an_error_or_finite(damage, keep):
    with contextlib.suppress(LocalizationError):
        assert np.isfinite(decode_depth(damaged(DEPTH, damage, keep), 0.001, "depth")).all()


@given(st.dictionaries(st.sampled_from(["fl_x", "w", "h", "cx", "k1", "k4", "camera_model", "camera_angle_x", "frames",
                                        "is_fisheye"]), junk),
       st.dictionaries(st.sampled_from(["file_path", "transform_matrix", "stamp", "depth_file_path", "fl_y"]), junk))
def test_a_strange_transforms_json_is_an_error_or_frames(tmp_path_factory, top, entry):
    folder = tmp_path_factory.mktemp("photos")
    (folder / "a.png").write_bytes(ENCODED[".png"])
    good = {"file_path": "a.png", "transform_matrix": make_pose(1).tolist()}
    (folder / "transforms.json").write_text(json.dumps({"fl_x": 30.0, "frames": [{**good, **entry}], **top}))
    with contextlib.suppress(LocalizationError):
        assert len(list(open_sequence(folder))) == 1


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_strange_poses_are_an_error_or_a_trajectory(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("poses") / "poses.txt"
    path.write_text(text, encoding="utf-8")
    with contextlib.suppress(LocalizationError):
        assert np.isfinite(read_trajectory(path).poses).all()


@given(damages)
def test_a_damaged_calibration_is_an_error_or_a_camera(tmp_path_factory, damage):
    path = tmp_path_factory.mktemp("camera") / "camera.yaml"
    write_camera_yaml(CAMERA, path)
    path.write_bytes(damaged(path.read_bytes(), damage))
    with contextlib.suppress(LocalizationError):
        assert read_camera_file(path).fx_px > 0


@pytest.fixture(scope="module", params=["MCAP", "SQLITE3"])
def good_bag(request, tmp_path_factory):
    """A whole bag of one frame, its folder and storage file."""
    messages = [("/tf", 10**9, transforms(("map", "camera", 10**9, make_pose(1)))),
                ("/camera_info", 10**9, camera_info()),
                ("/image", 10**9, image(make_image(1), "rgb8"))]
    folder = write_messages(tmp_path_factory.mktemp("good") / "bag", messages, request.param)
    return folder, next(file for file in folder.iterdir() if file.suffix in (".mcap", ".db3")), request.param


@settings(max_examples=25)
@given(damage=damages, keep=st.just(1.0) | st.floats(0, 1))
def test_a_damaged_bag_is_an_error_or_frames(good_bag, tmp_path_factory, damage, keep):
    folder, file, _ = good_bag
    copy = tmp_path_factory.mktemp("copy")
    (copy / "metadata.yaml").write_bytes((folder / "metadata.yaml").read_bytes())
    (copy / file.name).write_bytes(damaged(file.read_bytes(), damage, keep))
    with contextlib.suppress(LocalizationError):
        assert all(frame.image.dtype == np.uint8 for frame in open_sequence(copy))
