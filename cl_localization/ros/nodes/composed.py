"""Localizer and mapper in one process, with one executor; each image is encoded once for both, and they work by turns.

Parameters without the name of a node hold for all nodes that have them: `-p map_file:=kitchen.safetensors` for both,
`-p save_on_shutdown:=true` for the mapper; `-p mapper:encoder.max_keypoints:=1000` names one.
"""

from __future__ import annotations

from cl_localization.ros.nodes.config import LocalizerNodeConfig, MapperNodeConfig
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.mapper import MapperNode
from cl_localization.ros.nodes.process import leave, run_nodes
from cl_localization.ros.workers.cpu import Turns


def main(args: list[str] | None = None) -> int:
    """Run both nodes; what `ros2 run cl_localization composed` starts."""
    turns = Turns()
    return run_nodes([lambda: LocalizerNode(beside=(MapperNodeConfig(),), turn=turns.first),
                      lambda: MapperNode(beside=(LocalizerNodeConfig(),), turn=turns.second)], args)


if __name__ == "__main__":
    leave(main())
