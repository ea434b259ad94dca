"""One exception family, whose texts a user can act on."""

from __future__ import annotations

import inspect

from cl_localization import errors
from cl_localization.errors import LocalizationError

FAMILY = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


def test_every_error_is_of_the_family_and_documented():
    assert LocalizationError in FAMILY
    assert [kind.__name__ for kind in FAMILY if not issubclass(kind, LocalizationError) or not kind.__doc__] == []


def test_an_error_says_thing_rule_value_and_remedy():
    said = ("flag --hz", "must be positive", -3, "leave it out")
    for error in (kind(*said) for kind in FAMILY):
        assert str(error) == "flag --hz must be positive, found -3; leave it out", type(error)
        assert (error.thing, error.rule, error.value, error.remedy) == said, type(error)


def test_what_is_not_known_is_left_out():
    assert str(LocalizationError("file a.yaml", "is missing")) == "file a.yaml is missing"
    assert str(LocalizationError("file a.yaml", "is empty", remedy="write it")) == "file a.yaml is empty; write it"


def test_a_value_that_is_false_is_still_shown():
    assert str(LocalizationError("count", "must be positive", 0)) == "count must be positive, found 0"
    assert str(LocalizationError("name", "must not be empty", "")).endswith(", found ")


def test_an_endless_value_is_cut():
    assert str(LocalizationError("x" * 5000, "must be short", "y" * 5000)) == (
        f"{'x' * 1000}... (5000 characters) must be short, found {'y' * 1000}... (5000 characters)")
