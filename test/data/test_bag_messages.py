"""Headers of a bag's messages."""

from __future__ import annotations

import pytest

from cl_localization.data.bag_messages import header_stamp_ns
from cl_localization.errors import DataError
from data.bag_makers import STORE, header


def test_the_stamp_is_read_without_decoding_the_rest():
    kind = "std_msgs/msg/Header"
    assert header_stamp_ns(bytes(STORE.serialize_cdr(header(5_000_000_007), kind))) == 5_000_000_007
    assert header_stamp_ns(bytes(STORE.serialize_cdr(header(5_000_000_007), kind,
                                                     little_endian=False))) == 5_000_000_007
    with pytest.raises(DataError, match="must begin with a header, found 3 bytes"):
        header_stamp_ns(b"abc")
