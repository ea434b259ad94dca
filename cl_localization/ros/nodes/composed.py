"""Localizer and mapper in one process with one executor; each image is encoded once for both, and they take turns.

A parameter without a node name is set on every node that has it: `-p map_file:=kitchen.safetensors` on both,
`-p save_on_shutdown:=true` on the mapper; `-p mapper:encoder.max_keypoints:=1000` on the mapper only.
"""

from __future__ import annotations

from cl_localization.ros.nodes.config import LocalizerNodeConfig, MapperNodeConfig
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.mapper import MapperNode
from cl_localization.ros.nodes.process import leave, run_nodes
from cl_localization.ros.workers.cpu import Turns


def main(args: list[str] | None = None) -> int:
    """Run both nodes; the entry point of `ros2 run cl_localization composed`."""
    turns = Turns()
    return run_nodes([lambda: LocalizerNode(beside=(MapperNodeConfig(),), turn=turns.first),
                      lambda: MapperNode(beside=(LocalizerNodeConfig(),), turn=turns.second)], args)


if __name__ == "__main__":
    leave(main())
