from __future__ import annotations

from cl_localization.cli.tables import print_rows, warn_unreadable


def test_a_table_is_never_cut_where_there_is_no_terminal(capsys) -> None:
    print_rows("map [a]", [("a rather long metric " * 4, "1,234", "[m]")], ("what", "size [s]", "unit"))
    text = capsys.readouterr().out
    assert "size [s]" in text and "map [a]" in text and "[m]" in text and "1,234" in text
    assert ("a rather long metric " * 4).strip() in text


def test_left_out_frames_are_told_but_not_all_of_them(capsys) -> None:
    warn_unreadable([f"image {number} is truncated" for number in range(5)], ["a.png", "b.png", "c.png", "d.png"])
    text = capsys.readouterr().err
    assert "4 listed frames are missing or unusable: a.png, b.png, c.png, ..." in text
    assert "skipped: image 2 is truncated" in text and "image 3" not in text and "and 2 more" in text


def test_nothing_left_out_says_nothing(capsys) -> None:
    warn_unreadable([], [])
    assert capsys.readouterr().err == ""


def test_slices_in_names_do_not_become_pictures(capsys) -> None:
    print_rows("walk[75:100:4]", [("frames", "3", "")])
    assert "walk[75:100:4]" in capsys.readouterr().out
