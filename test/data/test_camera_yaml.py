"""Calibrations in the format of ROS's camera_calibration."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.data.camera_file import read_camera_file, write_camera_yaml
from cl_localization.errors import DataError, GeometryError
from cl_localization.geometry.camera import Camera

sizes_px = st.integers(100, 8000)
lengths_px = st.floats(400, 5000)
shares = st.floats(0.11, 0.89)
coefficients = st.floats(-0.5, 0.5).map(lambda value: value + 1.0)
distortions = st.one_of(
    st.just(("none", ())),
    st.tuples(st.just("plumb_bob"), st.tuples(*[coefficients] * 5)),
    st.tuples(st.just("rational_polynomial"), st.tuples(*[coefficients] * 8)),
    st.tuples(st.just("equidistant"), st.tuples(*[coefficients] * 4)))


@given(sizes_px, sizes_px, lengths_px, lengths_px, shares, shares, distortions)
def test_a_camera_survives_its_file(tmp_path_factory, width, height, fx, fy, x, y, distortion):
    cx, cy = x * width, y * height
    camera = Camera(width, height, fx, fy, cx, cy, *distortion)
    path = tmp_path_factory.mktemp("camera") / "camera.yaml"
    write_camera_yaml(camera, path)
    read = read_camera_file(path)
    assert (read.width_px, read.height_px, read.distortion_model, read.distortion) == (width, height, *distortion)
    assert (read.fx_px, read.fy_px, read.cx_px, read.cy_px) == pytest.approx((fx, fy, cx, cy), rel=1e-12)


def written(tmp_path, **changes):
    """Write a good calibration with some entries changed, None removed, and return its path."""
    path = tmp_path / "camera.yaml"
    write_camera_yaml(Camera(32, 24, 30.0, 30.0, 16.0, 12.0), path)
    content = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return path


def test_the_file_counts_pixels_from_the_centre_of_the_first(tmp_path):
    assert yaml.safe_load(written(tmp_path).read_text())["camera_matrix"]["data"][2] == 15.5


def test_the_distortion_may_be_left_out(tmp_path):
    assert read_camera_file(written(tmp_path, distortion_coefficients=None,
                                    distortion_model=None)).distortion_model == "none"


@pytest.mark.parametrize(("changes", "message"), [
    ({"camera_matrix": None}, "must hold a camera_matrix or intrinsics"),
    ({"camera_matrix": {"data": ["a"] * 9}}, "must have a list of numbers in camera_matrix.data"),
    ({"camera_matrix": {"data": [1.0] * 8}}, "must have 9 numbers in camera_matrix.data, found 8"),
    ({"image_width": None}, "must have a whole number image_width"),
    ({"image_height": "tall"}, "must have a whole number image_height"),
    ({"image_height": float("nan")}, "must have a whole number image_height"),
    ({"image_height": 1.5}, "must have a whole number image_height")])
def test_a_malformed_entry_is_named(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        read_camera_file(written(tmp_path, **changes))


def test_a_matrix_of_zeros_is_refused(tmp_path):
    with pytest.raises(GeometryError, match="camera matrix K of calibration .*camera.yaml must be finite"):
        read_camera_file(written(tmp_path, camera_matrix={"data": [0.0] * 9}))
