"""No command destroys what it reads, a map, or files that are not its own."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from cl_localization.cli.flags import parse
from cl_localization.cli.main import main
from cl_localization.cli.outputs import check_files
from cl_localization.research.nerf_cl import train_arguments


def run(*words: object) -> int:
    """Run the command line."""
    return main([str(word) for word in words])


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def place(fake_core: SimpleNamespace, small_sequence: Path, tmp_path: Path) -> Path:
    """A folder with the sequence `scan`, the maps `v.map` and `h.map`, and a text of the user."""
    shutil.copytree(small_sequence, tmp_path / "scan")
    for name in ("v.map", "h.map"):
        assert run("map", tmp_path / "scan", "--out", tmp_path / name) == 0
    (tmp_path / "thesis.txt").write_text("years of work")
    (tmp_path / "options.yaml").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("words, message", [
    ("localize v.map scan --out v.map", "--out v.map must not be MAP v.map, which is read; choose another name"),
    ("localize v.map scan --out h.map", "--out h.map must not replace a file that is a map"),
    ("localize v.map scan --out p.txt --status p.txt", "--out p.txt must not be the same file as --status"),
    ("localize v.map scan --out p.txt --status scan/../p.txt", "--out p.txt must not be the same file as --status"),
    ("localize v.map scan --out scan/stamps.txt", "--out scan/stamps.txt must not replace a file in SEQ scan"),
    ("localize v.map scan --config options.yaml --out options.yaml", "must not be --config options.yaml"),
    ("localize v.map scan?camera=options.yaml --out options.yaml", "must not be SEQ options.yaml"),
    ("localize v.map scan@thesis.txt --out thesis.txt", "must not be SEQ thesis.txt"),
    ("evaluate v.map scan --json v.map", "--json v.map must not be MAP v.map"),
    ("evaluate v.map scan --json a.json --html a.json", "--json a.json must not be the same file as --html"),
    ("plot v.map --trajectories thesis.txt --out thesis.txt", "must not be --trajectories thesis.txt"),
    ("config mapper --out v.map", "--out v.map must not replace a file that is a map"),
    ("compress h.map --out h.map", "--out h.map must not be MAP h.map"),
    ("map scan --out n.map --trajectory n.map", "--out n.map must not be the same file as --trajectory"),
    ("map scan --out thesis.txt", "--out thesis.txt must not replace a file that is no map"),
    ("map scan --update v.map --out n.map --trajectory v.map", "--trajectory v.map must not be --update v.map"),
    ("map scan --out pipe", "output pipe must not be a device, pipe or socket; name a file"),
    ("map scan --out n.map --trajectory /dev/null", "output /dev/null must not be a device, pipe or socket"),
    ("export scan --format transforms --out scan --force", "--out scan must not be MAP|SEQ scan"),
    ("export scan --format transforms --out . --force", "--out . must not contain MAP|SEQ scan, which is read"),
    ("export scan --format transforms --out scan/new --force", "--out scan/new must not lie in MAP|SEQ scan"),
    ("export v.map --format colmap --out v.map --force", "--out v.map must not be MAP|SEQ v.map"),
    ("export scan --format tum --out thesis.txt --force", "output thesis.txt must be a folder, found a file"),
    ("export sim:7 --format tum --out scan --force", "earlier result to be replaced, found scan/thesis.txt"),
    ("bag scan --out scan --force", "--out scan must not be SEQ scan"),
    ("bag scan[:3] --out scan", "--out scan must not be SEQ scan"),
    ("test hscnet --checkpoint v.map --json v.map", "--json v.map must not be --checkpoint v.map"),
    ("test hscnet --checkpoint a.model --convert h.map", "--convert h.map must not replace a file that is a map"),
    ("test hscnet --checkpoint a.model --output thesis.txt", "output thesis.txt"),
    ("train hscnet --out h.map", "--out h.map must not replace a file that is a map"),
    ("train attention --rooms 1 --out v.map", "--out v.map must not replace a file that is a map"),
    ("train attention --rooms 1 --out w --folder w", "--out w must not be the same file as --folder"),
    ("train seqmatchnet --out v.map", "--out v.map must not replace a file that is a map"),
    ("test seqmatchnet --json a.json --figure a.json", "--json a.json must not be the same file as --figure"),
    ("train nerf --root_dir scan --out v.map", "--out v.map must not replace a file that is a map"),
    ("test nerf --root_dir scan --ckpt_path v.map --film v.map", "--film v.map must not be"),
    ("test nerf --root_dir scan --ckpt_path c --json a --film a", "--film a must not be the same file as --json"),
    ("bench --data scan --out scan", "--out scan must not be --data scan"),
    ("bench --json v.map", "--json v.map must not replace a file that is a map"),
])
def test_what_must_be_kept_is_kept(words: str, message: str, place: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(place)
    os.mkfifo("pipe")
    if "sim:7" in words:
        (place / "scan" / "thesis.txt").write_text("years of work")
    before = contents(place)
    assert run(*words.split()) == 1
    error = capsys.readouterr().err
    assert message in error, error
    assert contents(place) == before and Path("pipe").is_fifo()


def test_a_map_may_replace_the_one_that_it_extends_and_results_earlier_ones(place: Path) -> None:
    assert run("map", place / "scan", "--update", place / "v.map", "--out", place / "v.map") == 0
    for _ in range(2):
        assert run("map", place / "scan", "--out", place / "scan" / "n.map", "--trajectory", place / "n.txt") == 0
        assert run("localize", place / "v.map", place / "scan", "--out", place / "p.txt") == 0
        assert run("evaluate", place / "v.map", place / "scan", "--json", place / "a.json") == 0
        assert run("export", place / "scan", "--format", "tum", "--out", place / "tum", "--force") == 0


def test_a_training_may_be_gone_on_with_in_its_place(place: Path) -> None:
    (place / "c").write_text("weights")
    words = f"--root_dir {place} --ckpt_path {place}/c --out {place}/c".split()
    check_files(parse(train_arguments.Arguments, words, "train nerf"))


def interrupted_at(frame: int, mappers: list, monkeypatch) -> None:
    """Let the fake mappers hear Ctrl-C at a frame."""
    def add(self: object, image: object) -> SimpleNamespace:
        self.depths.append(None)
        if len(self.depths) == frame:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, image)

    kind = type(mappers[0])
    original = kind.add
    monkeypatch.setattr(kind, "add", add)


def test_an_interrupt_writes_the_map_so_far(place: Path, fake_core: SimpleNamespace, monkeypatch, capsys) -> None:
    interrupted_at(3, fake_core.mappers, monkeypatch)
    assert run("map", place / "scan", place / "scan", "--out", place / "n.map", "--trajectory", place / "n.txt") == 130
    assert "n.map holds the" in capsys.readouterr().err
    lines = [line for line in (place / "n.txt").read_text().splitlines() if not line.startswith("#")]
    assert 3 <= len(lines) < 10 and (place / "n.map").is_file()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_before_the_first_frame_writes_nothing(place: Path, monkeypatch, capsys) -> None:
    from cl_localization.cli import map as command

    def opened(*words: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return original(*words)

    original = command.open_mapper
    monkeypatch.setattr(command, "open_mapper", opened)
    assert run("map", place / "scan", "--out", place / "n.map") == 130
    assert "interrupted before anything was mapped; nothing was written" in capsys.readouterr().err
    assert not (place / "n.map").exists()


def test_a_second_interrupt_ends_at_once(place: Path, fake_core: SimpleNamespace, monkeypatch, capsys) -> None:
    interrupted_at(3, fake_core.mappers, monkeypatch)
    monkeypatch.setattr(type(fake_core.mappers[0]), "finish", lambda self: os.kill(os.getpid(), signal.SIGINT))
    assert run("map", place / "scan", "--out", place / "n.map") == 130
    assert capsys.readouterr().err.endswith("interrupted\n") and not (place / "n.map").exists()
