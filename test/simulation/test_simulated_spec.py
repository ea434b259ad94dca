"""What one may ask of the simulator, and what it says to the rest."""

from __future__ import annotations

import pytest

from cl_localization.errors import DataError
from cl_localization.simulation import open_simulation
from cl_localization.simulation.sequence import parse_spec


def test_a_seed_alone_takes_all_defaults() -> None:
    config = parse_spec("sim:7")
    assert (config.seed, config.rooms, config.path, config.size_px) == (7, 2, "mapping", (320, 240))


def test_keys_are_read_with_their_types() -> None:
    config = parse_spec("sim:3?path=kidnap&place=2&rooms=6&size=640x480&gamma=0.6&moved=0.3&light=night")
    assert (config.path, config.place, config.rooms, config.size_px) == ("kidnap", 2, 6, (640, 480))
    assert (config.gamma, config.moved, config.light) == (0.6, 0.3, "night")


@pytest.mark.parametrize(("spec", "message"), [
    ("sim:", "must be sim:SEED or sim:SEED"),
    ("sim:seven", "must be sim:SEED or sim:SEED"),
    ("sim:7?colour=red", "key colour of sim:7.* is unknown; known are rooms, path, place"),
    ("sim:7?rooms=two", "key rooms of .* must be a whole number, found 'two'"),
    ("sim:7?gamma=", "key gamma of .* must be a number, found ''"),
    ("sim:7?gamma=nan", r"option gamma must lie in \[0.1, 10\], found nan"),
    ("sim:7?rooms=99", r"option rooms must lie in \[1, 12\], found 99"),
    ("sim:7?path=fly", "option path must be one of mapping, tracking, kidnap, found 'fly'"),
    ("sim:7?light=dusk", "option light must be one of day, evening, night"),
    ("sim:99999999999", "option seed must lie in"),
    ("sim:7?size=640", "simulation key size must be WIDTHxHEIGHT, each 16 to 2048, found '640'"),
    ("sim:7?size=9x9999", "simulation key size must be WIDTHxHEIGHT"),
    ("sim:7?frames=10&start=10", "key start of .* must be below the 10 frames of the path, found 10")])
def test_what_makes_no_sense_is_named(spec: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_simulation(spec)
