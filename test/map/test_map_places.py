"""Places where no map can be: a clear error, whatever the system says to the name."""

from __future__ import annotations

import pytest

from cl_localization.errors import MapError
from cl_localization.map.map_file import load_map
from cl_localization.map.map_store import MapStore
from map_makers import empty_map


def test_a_name_too_long_for_any_file_is_a_clear_error() -> None:
    with pytest.raises(MapError, match="must be a file, found nothing there"):
        load_map("x" * 5000)
    with pytest.raises(MapError, match="must be writable, found File name too long"):
        MapStore("x" * 5000).save(empty_map().delta_since(0))
