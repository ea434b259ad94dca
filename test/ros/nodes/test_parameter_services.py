"""Every parameter of every node, set from another node as `ros2 param set` does it."""

from __future__ import annotations

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.parameter import Parameter

from cl_localization.config import flatten
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.nodes.mapper import MapperNode
from cl_localization.ros.nodes.parameters_yaml import NODE_CONFIGS
from cl_localization.ros.nodes.sequence_player import SequencePlayerNode

CLASSES = {"localizer": LocalizerNode, "mapper": MapperNode, "sequence_player": SequencePlayerNode}


def outside(value: object, choices: tuple[str, ...]) -> object:
    """A value of a wrong type, or outside of every range."""
    return "none of these" if choices else {bool: "yes", int: 2**63 - 1, float: 1.7e308, str: 3}[type(value)]


@pytest.mark.parametrize("name", CLASSES)
def test_live_parameters_take_values_in_range_and_all_others_are_refused_with_a_reason(ros, name: str) -> None:
    node = ros.start(CLASSES[name], autostart=False)
    leaves = list(flatten(NODE_CONFIGS[name]))
    described = ros.call(DescribeParameters, f"/{name}/describe_parameters",
                         DescribeParameters.Request(names=[leaf for leaf, _, _ in leaves])).descriptors

    def set_to(values: list[object]) -> list[tuple[bool, str]]:
        request = SetParameters.Request(parameters=[
            Parameter(leaf, value=value).to_parameter_msg() for (leaf, _, _), value in zip(leaves, values)])
        return [(result.successful, result.reason) for result in ros.call(SetParameters, f"/{name}/set_parameters",
                                                                          request).results]

    for (leaf, value, option), descriptor, (same, reason), (other, why) in zip(
            leaves, described, set_to([value for _, value, _ in leaves]),
            set_to([outside(value, option.choices) for _, value, option in leaves])):
        assert descriptor.description and descriptor.read_only is not option.live, leaf
        assert same is option.live and (same or reason), leaf
        assert ((other or why) and not other) or (option.live and type(value) in (int, float)
                                                    and option.maximum is None), leaf
    assert isinstance(node, ManagedNode) and node.config == type(node.config)(autostart=False)


def test_a_value_that_is_refused_names_the_option_and_the_rule(ros) -> None:
    node = ros.start(LocalizerNode, autostart=False)
    request = SetParameters.Request(parameters=[Parameter("pose.min_inliers", value=-1).to_parameter_msg()])
    result = ros.call(SetParameters, "/localizer/set_parameters", request).results[0]
    assert not result.successful and ("min_inliers" in result.reason) and node.config.pose.min_inliers > 0
