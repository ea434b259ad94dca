"""Own poses in the node: what came of the images that were sent."""

from __future__ import annotations

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")
pytest.importorskip("gtsam", reason="own poses need gtsam: pip install '.[slam]'")

from benchmarks import slam_node
from benchmarks.slam_node import HEADERS, node_table


def test_a_mapper_that_gets_images_over_dds_poses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slam_node, "SENT_HZ", 4.0)
    table = node_table("part", "sim:3?rooms=1&frames=240&size=200x150[:12]")
    (found,) = table.results["slam_node"]
    assert len(table.rows[0]) == len(HEADERS) and found["images"] == 12
    assert 2 <= found["posed"] <= 12 and found["keyframes"] >= 1 and found["processor_ms_per_image"] > 1
