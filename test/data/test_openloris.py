"""OpenLORIS-Scene's package format; that it gives back its scene is tested with the other layouts."""

import pytest

from cl_localization.data import base_T_cam_of, open_sequence
from cl_localization.errors import DataError
from data.layout_makers import BODY_T_CAM, openloris, rendered_frames


@pytest.fixture
def folder(tmp_path):
    """Two frames."""
    return openloris(tmp_path / "cafe1-1", rendered_frames(2))


def test_the_camera_stands_on_the_robot(folder):
    assert base_T_cam_of(open_sequence(folder)) == pytest.approx(BODY_T_CAM)


def test_images_alone_are_enough_and_missing_ones_are_counted(folder):
    for name in ("aligned_depth.txt", "groundtruth.txt", "color/000001.png"):
        (folder / name).unlink()
    sequence = open_sequence(folder)
    assert (sequence.names, sequence.skipped) == (["000000"], ["000001"])
    assert (sequence[0].depth_m, sequence[0].world_T_cam) == (None, None)


@pytest.mark.parametrize(("file", "old", "new", "message"), [
    ("sensors.yaml", "d400_color", "d400_depth", "d400_color_optical_frame of .*sensors.yaml is missing"),
    ("sensors.yaml", "width: ", "wide: ", "sensors.yaml must have a whole number width"),
    ("sensors.yaml", "cols: 4\n      dt: d\n      data: [ ", "data: [ 1, ",
     "must have 4 numbers in intrinsics.data, found 5"),
    ("trans_matrix.yaml", "child_frame: d400", "child_frame: t265",
     "trans_matrix.yaml must say where d400_color_optical_frame is on base_link; copy it again"),
    ("trans_matrix.yaml", "data: [", "data: [1.0, ", "must have 16 numbers in matrix.data, found 17"),
    ("color.txt", " color/", "", "line 1 of .*color.txt must be: stamp file")])
def test_what_is_wrong_in_a_file_is_named(folder, file, old, new, message):
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    with pytest.raises(DataError, match=message):
        open_sequence(folder)


def test_a_package_without_images_says_so(folder):
    (folder / "color.txt").write_text("#stamp file\n")
    with pytest.raises(DataError, match="must have at least one usable frame"):
        open_sequence(folder)
