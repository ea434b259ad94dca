"""Recognising sequences by what lies in a folder."""

import sys
import types

import pytest

from cl_localization.cli.map import FORMAT_HELP
from cl_localization.data import open_sequence
from cl_localization.data.open import FORMATS
from cl_localization.errors import DataError
from data.makers import MadeSequence, make_image, write_7scenes, write_image


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="sequence .*absent is missing; give a file or folder, or sim:SEED"):
        open_sequence(tmp_path / "absent")


def test_an_unknown_layout_says_what_was_found_and_what_is_recognised(tmp_path):
    for number in range(12):
        (tmp_path / f"file-{number:02d}.xyz").touch()
    message = "found file-00.xyz, .* and 4 more; recognised are transforms: .*; colmap: .*; tum: .*; images: .*; bag: "
    with pytest.raises(DataError, match=message):
        open_sequence(tmp_path)


def test_an_empty_folder_is_called_so(tmp_path):
    with pytest.raises(DataError, match="has no layout that is recognised, found an empty folder"):
        open_sequence(tmp_path)


def test_an_unknown_file_is_named(tmp_path):
    (tmp_path / "film.xyz").touch()
    with pytest.raises(DataError, match="found film.xyz"):
        open_sequence(tmp_path / "film.xyz")


def test_a_format_may_be_forced(tmp_path):
    write_7scenes(tmp_path / "seq-01")
    assert len(open_sequence(tmp_path / "seq-01", format="7scenes")) == 3
    with pytest.raises(DataError, match="must hold one of rgb.txt, associations.txt"):
        open_sequence(tmp_path / "seq-01", format="tum")


def test_an_unknown_format_lists_the_known(tmp_path):
    known = ", ".join(FORMATS)
    with pytest.raises(DataError, match=f"format must be one of auto, sim, {known}, found 'weird'"):
        open_sequence(tmp_path, format="weird")


def test_an_unknown_option_lists_the_known(tmp_path):
    write_7scenes(tmp_path)
    with pytest.raises(DataError, match="option speed of the sequence is unknown; known are calibrated, .*, turn"):
        open_sequence(f"{tmp_path}?speed=3")


def test_options_of_the_wrong_type_are_named(tmp_path):
    write_7scenes(tmp_path)
    with pytest.raises(DataError, match="option calibrated of the sequence must be true or false, found 'maybe'"):
        open_sequence(f"{tmp_path}?calibrated=maybe")
    with pytest.raises(DataError, match="option max_gap_s of the sequence must be a float, found 'wide'"):
        open_sequence(f"{tmp_path}?max_gap_s=wide", format="tum")


def test_images_of_a_layout_that_lacks_something_are_not_taken_for_bare_ones(tmp_path):
    (tmp_path / "sparse").mkdir()
    write_image(tmp_path / "images" / "a.png", make_image(0))
    with pytest.raises(DataError, match="it has sparse, images of colmap"):
        open_sequence(tmp_path)


def test_a_selection_is_applied_and_the_name_is_the_whole_spec(tmp_path):
    write_7scenes(tmp_path / "seq-01")
    spec = f"{tmp_path}/seq-01[1:]"
    sequence = open_sequence(spec)
    assert (sequence.names, sequence.name) == (["frame-000002", "frame-000004"], spec)


@pytest.mark.parametrize(("spec", "format", "asked"), [("sim:7?frames=9[0:2]", "auto", "sim:7?frames=9&size=9x9"),
                                                       ("7", "sim", "sim:7?size=9x9")])
def test_the_simulated_house_gets_its_own_options(monkeypatch, spec, format, asked):
    calls = []
    house = types.ModuleType("cl_localization.simulation")
    house.open_simulation = lambda text: calls.append(text) or MadeSequence(4)
    monkeypatch.setitem(sys.modules, "cl_localization.simulation", house)
    sequence = open_sequence(spec, format, size="9x9")
    assert calls == [asked]
    assert len(sequence) == (2 if "[" in spec else 4)


def test_the_help_of_the_format_flag_names_every_format():
    listed = FORMAT_HELP.partition(": ")[2].partition(";")[0].replace(" or ", ", ").split(", ")
    assert sorted(listed) == sorted([*FORMATS, "sim"])


def test_a_folder_around_a_sequence_leads_to_it(tmp_path):
    write_7scenes(tmp_path / "downloads" / "chess-1")
    with pytest.raises(DataError, match="has no layout .* found chess-1; .*downloads/chess-1 is 7scenes: give that"):
        open_sequence(tmp_path / "downloads")


def test_a_folder_that_is_nearly_a_layout_names_it(tmp_path):
    for name in ("sparse", "images"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="it has sparse, images of colmap, which is images and a COLMAP model"):
        open_sequence(tmp_path)


def test_any_sequence_can_be_said_to_be_rolled(tmp_path):
    write_7scenes(tmp_path)
    assert [frame.upright_turns for frame in open_sequence(f"{tmp_path}?turn=270[:2]")] == [3, 3]
    assert open_sequence(tmp_path)[0].upright_turns == 0
    with pytest.raises(DataError, match="option turn of the sequence must be one of 0, 90, 180, 270, found '45'"):
        open_sequence(f"{tmp_path}?turn=45")


def test_a_robot_s_sequence_knows_how_its_camera_is_mounted():
    assert [open_sequence(f"sim:3?rooms=1&frames=2&size=64x64{key}")[0].upright_turns
            for key in ("", "&roll=90", "&roll=90&turn=0", "&roll=-90")] == [0, 1, 0, 3]
