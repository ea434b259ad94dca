"""Signals are handled on the thread's own stack."""

from __future__ import annotations

import ctypes
import sys

import pytest

from cl_localization.features.signal_stack import SS_DISABLE, _Stack, let_handlers_use_the_thread_stack


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_a_small_stack_for_handlers_is_given_up() -> None:
    libc, room, before, now = ctypes.CDLL(None), ctypes.create_string_buffer(65536), _Stack(), _Stack()
    small = _Stack(ctypes.addressof(room), 0, len(room))
    assert libc.sigaltstack(ctypes.byref(small), ctypes.byref(before)) == 0
    let_handlers_use_the_thread_stack()
    libc.sigaltstack(None, ctypes.byref(now))
    libc.sigaltstack(ctypes.byref(before), None)
    assert now.flags == SS_DISABLE
