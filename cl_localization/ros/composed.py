"""Localizer and mapper in one process, with one executor; each image is encoded once for both, and they work by turns.

Parameters without the name of a node hold for all nodes that have them: `-p map_file:=kitchen.safetensors` for both,
`-p save_on_shutdown:=true` for the mapper; `-p mapper:encoder.max_keypoints:=1000` names one.
"""

from __future__ import annotations

from cl_localization.ros.cpu import Turns
from cl_localization.ros.localizer_node import LocalizerNode
from cl_localization.ros.mapper_node import MapperNode
from cl_localization.ros.node_config import LocalizerNodeConfig, MapperNodeConfig
from cl_localization.ros.process import leave, run_nodes


def main(args: list[str] | None = None) -> int:
    """Run both nodes; what `ros2 run cl_localization composed` starts."""
    turns = Turns()
    return run_nodes([lambda: LocalizerNode(beside=(MapperNodeConfig(),), turn=turns.first),
                      lambda: MapperNode(beside=(LocalizerNodeConfig(),), turn=turns.second)], args)


if __name__ == "__main__":
    leave(main())
