"""Photo sets of nerfstudio, instant-ngp and the synthetic NeRF scenes."""

import json
import math

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.errors import DataError, GeometryError
from data.makers import make_image, make_pose, write_image

OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def photo_set(folder, frames=None, images=(1, 2), **values):
    """Write a transforms.json and images of 32x24; without `fl_x` or an angle in `values` the focal length is 30 px."""
    for number in images:
        write_image(folder / "images" / f"{number}.png", make_image(number))
    if frames is None:
        frames = [{"file_path": f"images/{number}.png", "transform_matrix": (make_pose(number) @ OPENGL).tolist()}
                  for number in (2, 1)]
    values = values if {"fl_x", "camera_angle_x"} & set(values) else {"fl_x": 30.0, **values}
    (folder / "transforms.json").write_text(json.dumps({**values, "frames": frames}))
    return folder


def frame_entry(number=1, **values):
    """Return a frame of transforms.json."""
    return {"file_path": f"images/{number}.png", "transform_matrix": (make_pose(number) @ OPENGL).tolist(), **values}


def test_frames_come_in_order_of_their_names_with_camera_axes_turned(tmp_path):
    sequence = open_sequence(photo_set(tmp_path))
    assert sequence.names == ["images/1.png", "images/2.png"]
    assert sequence[0].world_T_cam == pytest.approx(make_pose(1))
    assert np.array_equal(sequence[1].image, make_image(2))
    assert [frame.stamp_ns for frame in sequence] == [0, 100_000_000]


def test_numbers_in_names_are_counted_as_numbers(tmp_path):
    frames = [frame_entry(number) for number in (10, 9, 1)]
    assert open_sequence(photo_set(tmp_path, frames, (1, 9, 10))).names == ["images/1.png", "images/9.png",
                                                                            "images/10.png"]


def test_listed_images_that_are_missing_are_skipped_and_counted(tmp_path):
    frames = [frame_entry(number) for number in (1, 2, 3, 4)]
    sequence = open_sequence(photo_set(tmp_path, frames))
    assert (len(sequence), sequence.skipped) == (2, ["images/3.png", "images/4.png"])


def test_a_set_without_any_image_is_refused(tmp_path):
    with pytest.raises(DataError, match="1.png of .* is missing, and so are all others, found nothing at .*/1.png"):
        open_sequence(photo_set(tmp_path, images=()))


def test_the_suffix_of_an_image_may_be_left_out_and_slashes_may_lean_back(tmp_path):
    frames = [{**frame_entry(1), "file_path": "./images/1"}, {**frame_entry(2), "file_path": "images\\2.png"}]
    assert len(open_sequence(photo_set(tmp_path, frames))) == 2


def test_intrinsics_with_distortion_are_read(tmp_path):
    camera = open_sequence(photo_set(tmp_path, fl_x=30.0, fl_y=31.0, cx=15.0, cy=13.0, w=32, h=24.0, k1=0.1,
                                     p2=0.01))[0].camera
    assert (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px) == (30, 31, 15, 13)
    assert (camera.distortion_model, camera.distortion) == ("plumb_bob", (0.1, 0, 0, 0.01))


@pytest.mark.parametrize(("values", "model", "distortion"), [
    ({"camera_model": "OPENCV_FISHEYE", "k1": 0.1, "k4": 0.2}, "equidistant", (0.1, 0, 0, 0.2)),
    ({"is_fisheye": True, "k1": 0.1}, "equidistant", (0.1, 0, 0, 0)),
    ({"camera_model": "OPENCV", "k1": 0.1, "k3": 0.3}, "plumb_bob", (0.1, 0, 0, 0, 0.3)),
    ({"camera_model": "PINHOLE", "k1": 0.1}, "none", ()),
    ({}, "none", ())])
def test_distortion_models_are_told_apart(tmp_path, values, model, distortion):
    camera = open_sequence(photo_set(tmp_path, **values))[0].camera
    assert (camera.distortion_model, camera.distortion) == (model, distortion)


@pytest.mark.parametrize("values", [{"camera_model": "EQUIRECTANGULAR"}, {"camera_model": "OPENCV", "k4": 0.1}])
def test_an_unknown_camera_model_is_named(tmp_path, values):
    with pytest.raises(DataError, match="camera_model of transforms.json must be"):
        open_sequence(photo_set(tmp_path, **values))


def test_the_field_of_view_stands_in_for_the_focal_length(tmp_path):
    camera = open_sequence(photo_set(tmp_path, camera_angle_x=2 * math.atan(0.5)))[0].camera
    assert (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px) == (pytest.approx(32), pytest.approx(32), 16, 12)


def test_both_fields_of_view_give_both_focal_lengths(tmp_path):
    camera = open_sequence(photo_set(tmp_path, camera_angle_x=2 * math.atan(0.5),
                                     camera_angle_y=2 * math.atan(0.25)))[0].camera
    assert (camera.fx_px, camera.fy_px) == (pytest.approx(32), pytest.approx(48))


def test_intrinsics_may_stand_beside_a_frame(tmp_path):
    sequence = open_sequence(photo_set(tmp_path, [frame_entry(1, fl_x=50.0), frame_entry(2)], fl_x=30.0))
    assert [frame.camera.fx_px for frame in sequence] == [50, 30]


def test_intrinsics_are_scaled_to_images_of_the_same_ratio(tmp_path):
    camera = open_sequence(photo_set(tmp_path, fl_x=60.0, cx=30.0, w=64, h=48))[0].camera
    assert (camera.width_px, camera.fx_px, camera.cx_px) == (32, 30, 15)


def test_images_of_another_ratio_are_named(tmp_path):
    with pytest.raises(GeometryError, match="must be of images of 32x24, or their ratio, found 30x30"):
        open_sequence(photo_set(tmp_path, w=30, h=30))


def test_a_missing_focal_length_is_named(tmp_path):
    folder = photo_set(tmp_path)
    (folder / "transforms.json").write_text(json.dumps({"frames": [frame_entry()]}))
    with pytest.raises(DataError, match="must give fl_x or camera_angle_x"):
        open_sequence(folder)


@pytest.mark.parametrize("focal", [0.0, -5.0])
def test_a_focal_length_that_is_not_positive_is_refused(tmp_path, focal):
    with pytest.raises(GeometryError, match="camera matrix K of image .* must be finite with positive focal lengths"):
        open_sequence(photo_set(tmp_path, fl_x=focal))


@pytest.mark.parametrize("value", ["wide", None, True, float("nan"), 10**400])
def test_intrinsics_that_are_no_numbers_are_named(tmp_path, value):
    with pytest.raises(DataError, match="fl_x of transforms.json must be a finite number"):
        open_sequence(photo_set(tmp_path, fl_x=value))


def test_slightly_rounded_rotations_are_made_exact(tmp_path):
    rounded = np.round(make_pose(1) @ OPENGL, 4)
    pose = open_sequence(photo_set(tmp_path, [{**frame_entry(), "transform_matrix": rounded.tolist()}]))[0].world_T_cam
    assert pose[:3, :3].T @ pose[:3, :3] == pytest.approx(np.eye(3), abs=1e-12)


@pytest.mark.parametrize("matrix", [np.diag([2.0, 2, 2, 1]), np.diag([1.0, 0, 1, 1]), np.diag([1.0, 1, -1, 1])])
def test_a_pose_that_is_no_rotation_is_named(tmp_path, matrix):
    with pytest.raises(GeometryError, match="transform_matrix of images/1.png in .*transforms.json must"):
        open_sequence(photo_set(tmp_path, [{**frame_entry(), "transform_matrix": matrix.tolist()}]))


@pytest.mark.parametrize("matrix", [None, "no", [[1, 2], [3]], [["a"] * 4] * 4])
def test_a_pose_that_is_no_matrix_is_named(tmp_path, matrix):
    with pytest.raises((DataError, GeometryError), match="transform_matrix of images/1.png in .* must be a 4x4 matrix"):
        open_sequence(photo_set(tmp_path, [{**frame_entry(), "transform_matrix": matrix}]))


def test_three_rows_are_enough_for_a_pose(tmp_path):
    entry = frame_entry()
    entry["transform_matrix"] = entry["transform_matrix"][:3]
    assert open_sequence(photo_set(tmp_path, [entry]))[0].world_T_cam == pytest.approx(make_pose(1))


@pytest.mark.parametrize(("values", "depth_m"), [({}, 1.5), ({"depth_unit_scale_factor": 0.0005}, 0.75),
                                                 ({"integer_depth_scale": 0.002}, 3.0)])
def test_depth_is_read_in_its_unit(tmp_path, values, depth_m):
    write_image(tmp_path / "depth" / "1.png", np.full((24, 32), 1500, np.uint16))
    folder = photo_set(tmp_path, [frame_entry(1, depth_file_path="depth/1.png"),
                                  frame_entry(2, depth_file_path="depth/2.png")], **values)
    sequence = open_sequence(folder)
    assert sequence[0].depth_m == pytest.approx(np.full((24, 32), depth_m))
    assert sequence[1].depth_m is None
    assert open_sequence(folder, depth=False)[0].depth_m is None


def test_stamps_order_the_frames(tmp_path):
    sequence = open_sequence(photo_set(tmp_path, [frame_entry(1, stamp=2.5), frame_entry(2, stamp=1.5)]))
    assert [(frame.name, frame.stamp_ns) for frame in sequence] == [("images/2.png", 1_500_000_000),
                                                                    ("images/1.png", 2_500_000_000)]


def test_a_stamp_that_is_no_number_is_named(tmp_path):
    with pytest.raises(DataError, match="stamp of images/1.png must be a finite number"):
        open_sequence(photo_set(tmp_path, [frame_entry(1, stamp="noon")]))


@pytest.mark.parametrize("frames", [{}, [1]])
def test_a_file_without_a_list_of_frames_is_named(tmp_path, frames):
    with pytest.raises(DataError, match="must have a list of frames"):
        open_sequence(photo_set(tmp_path, frames))


@pytest.mark.parametrize("file_path", [None, "", 3])
def test_a_frame_without_an_image_is_named(tmp_path, file_path):
    with pytest.raises(DataError, match="must name its image in file_path"):
        open_sequence(photo_set(tmp_path, [{**frame_entry(), "file_path": file_path}]))


def test_a_file_of_another_name_may_be_given(tmp_path):
    (photo_set(tmp_path) / "transforms.json").rename(tmp_path / "transforms_train.json")
    assert len(open_sequence(tmp_path / "transforms_train.json")) == 2


def test_images_that_were_moved_are_taken_from_where_they_lie_with_a_note(tmp_path):
    frames = [{**frame_entry(number), "file_path": f"/somewhere/else/scan/images/{number}.png"} for number in (1, 2)]
    sequence = open_sequence(photo_set(tmp_path, frames))
    assert len(sequence) == 2 and "images are not where transforms.json says" in sequence.notes[0]


def test_images_that_are_nowhere_lead_to_one_of_the_same_name(tmp_path):
    frames = [{**frame_entry(), "file_path": "shots/A1.PNG"}]
    folder = photo_set(tmp_path, frames, images=())
    write_image(folder / "photos" / "a1.png", make_image(1))
    with pytest.raises(DataError, match="nothing at .*/shots/A1.PNG; there is .*/photos/a1.png: put the images where"):
        open_sequence(folder)


def test_one_pose_of_nan_costs_one_frame(tmp_path):
    frames = [frame_entry(1), {**frame_entry(2), "transform_matrix": np.full((4, 4), np.nan).tolist()}]
    sequence = open_sequence(photo_set(tmp_path, frames))
    assert (sequence.names, sequence.skipped) == (["images/1.png"], ["images/2.png"])


def test_a_size_that_is_off_by_a_pixel_is_taken(tmp_path):
    frame = open_sequence(photo_set(tmp_path, w=33, h=24))[0]
    assert (frame.camera.width_px, frame.image.shape) == (32, (24, 32, 3))


def test_a_stamp_in_nanoseconds_is_recognised(tmp_path):
    frames = [frame_entry(1, stamp=1403636579763555584), frame_entry(2, stamp=1403636580763555584)]
    assert open_sequence(photo_set(tmp_path, frames))[0].stamp_ns == 1403636579763555584


def test_a_blender_folder_gives_the_split_that_is_asked_for(tmp_path):
    folder = photo_set(tmp_path)
    (folder / "transforms.json").rename(folder / "transforms_train.json")
    content = json.loads((folder / "transforms_train.json").read_text())
    (folder / "transforms_test.json").write_text(json.dumps({**content, "frames": content["frames"][:1]}))
    assert len(open_sequence(folder)) == 2 and "?split=val" in open_sequence(folder).notes[0]
    assert len(open_sequence(f"{folder}?split=test")) == 1


def test_a_principal_point_outside_the_image_is_refused_with_its_file(tmp_path):
    with pytest.raises(GeometryError, match="camera matrix K of image .*1.png must have its principal point at 0.1 to"):
        open_sequence(photo_set(tmp_path, cx=5000.0))
