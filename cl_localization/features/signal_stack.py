"""The stack that signal handlers run on."""

from __future__ import annotations

import ctypes
import sys

SS_DISABLE = 2


class _Stack(ctypes.Structure):
    """`stack_t` of Linux."""

    _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("bytes", ctypes.c_size_t))


def let_handlers_use_the_thread_stack() -> None:
    """Have signal handlers of this thread run on its own stack again.

    OpenVINO gives them one of the least size that the kernel accepts on processors with AMX. There, Python's handler of
    Ctrl-C overflows it, and the process dies of a segmentation fault.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).sigaltstack(ctypes.byref(_Stack(None, SS_DISABLE, 0)), None)
