"""The tables that `bench` knows."""

import importlib
import inspect
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from benchmarks.bench import KITCHEN, LEGO, NORDLAND, TABLES, Arguments

EXPERIMENTS = {"kitchen", "wrong", "sim", "photos"}


def test_every_table_can_be_asked_for():
    choices = get_args(get_args(get_type_hints(Arguments)["tables"])[0])
    assert set(choices) == EXPERIMENTS | set(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_made_with_what_its_maker_takes(name: str, tmp_path: Path) -> None:
    for place in (KITCHEN, NORDLAND, LEGO):
        (tmp_path / place).mkdir(parents=True)
    module, function, given = TABLES[name]
    maker = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    inspect.signature(maker).bind(*given(Arguments(data=tmp_path), None))
