"""Parameters: declared whole, described, ranged; wrong ones refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

import rclpy
from rclpy.parameter import Parameter

from cl_localization.config import Config, flatten, option, section
from cl_localization.errors import ConfigError
from cl_localization.ros.nodes.config import LocalizerNodeConfig, MapperNodeConfig, SequencePlayerConfig
from cl_localization.ros.nodes.parameters import LiveConfig, declare
from ros_world import RosWorld


@dataclass(frozen=True)
class InnerConfig(Config):
    """A section."""

    share: float = option(0.5, "A share.", 0, 1, live=True)
    name: str = option("a", "A name.", choices=("a", "b"))


@dataclass(frozen=True)
class SomeConfig(Config):
    """Every kind of option."""

    count: int = option(3, "A count.", 1, 10)
    flag: bool = option(False, "A flag.", live=True)
    inner: InnerConfig = section(InnerConfig)


def node_with(ros: RosWorld, **overrides: object) -> rclpy.node.Node:
    """A node that was given parameters."""
    given = [Parameter(name.replace("__", "."), value=value) for name, value in overrides.items()]
    return ros.add(rclpy.create_node("parametrised", context=ros.context, parameter_overrides=given,
                                     automatically_declare_parameters_from_overrides=True))


def test_given_values_end_up_in_the_config_and_whole_numbers_become_floats(ros: RosWorld) -> None:
    node = node_with(ros, count=5, inner__share=1)
    config = declare(node, SomeConfig())
    assert config == SomeConfig(count=5, inner=InnerConfig(share=1.0))
    assert node.get_parameter("inner.share").value == 1.0 and type(config.inner.share) is float
    assert node.get_parameter("inner.name").value == "a"


@pytest.mark.parametrize("given, word", [("off", "off"), (False, "off"), (True, "on")])
def test_on_and_off_are_words_where_they_are_choices_though_yaml_reads_them_as_booleans(ros: RosWorld, given: object,
                                                                                         word: str) -> None:
    assert declare(node_with(ros, depth_images=given), MapperNodeConfig()).depth_images == word
    with pytest.raises(ConfigError, match="option name must be a str, found True"):
        declare(node_with(ros, inner__name=True), SomeConfig())


def test_parameters_of_ros_itself_are_left_alone(ros: RosWorld) -> None:
    node = node_with(ros, use_sim_time=True)
    declare(node, SomeConfig())
    assert node.get_parameter("use_sim_time").value is True


@pytest.mark.parametrize("overrides, match", [
    ({"inner__shar": 0.1}, "option inner.shar is unknown; did you mean inner.share?"),
    ({"count": 11}, "count must lie in"),
    ({"count": 1.5}, "count must be an int"), ({"inner__name": "c"}, "name must be one of a, b"),
    ({"flag": 1}, "flag must be a bool")])
def test_wrong_values_and_names_are_errors(ros: RosWorld, overrides: dict, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        declare(node_with(ros, **overrides), SomeConfig())


@pytest.mark.parametrize("config", [LocalizerNodeConfig(), MapperNodeConfig(), SequencePlayerConfig()],
                         ids=lambda c: type(c).__name__)
def test_every_parameter_of_our_nodes_is_described_and_every_number_has_a_range(ros: RosWorld, config: Config) -> None:
    node = node_with(ros)
    declare(node, config)
    names = [name for name, _, _ in flatten(config)]
    for (name, value, spec), found in zip(flatten(config), node.describe_parameters(names)):
        assert found.description == spec.help and len(found.description) > 8, name
        assert found.read_only is not spec.live
        ranges = {int: found.integer_range, float: found.floating_point_range}.get(type(value), "no number")
        assert len(ranges) > 0, name
        assert not spec.choices or all(choice in found.additional_constraints for choice in spec.choices)


def test_live_parameters_change_at_run_time_and_others_are_refused_with_a_reason(ros: RosWorld) -> None:
    node, changes = node_with(ros), []
    live = LiveConfig(node, declare(node, SomeConfig()), changes.append)
    assert node.set_parameters([Parameter("inner.share", value=0.25)])[0].successful
    assert live.config.inner.share == 0.25 and changes == [live.config]
    refused = [node.set_parameters([parameter])[0] for parameter in (
        Parameter("inner.share", value=2.0), Parameter("count", value=4), Parameter("flag", value="yes"))]
    assert [result.successful for result in refused] == [False] * 3
    assert all(result.reason for result in refused)
    assert len(changes) == 1


def test_other_parameters_of_the_node_may_be_set(ros: RosWorld) -> None:
    node, changes = node_with(ros), []
    LiveConfig(node, declare(node, SomeConfig()), changes.append)
    node.declare_parameter("other", 1)
    assert node.set_parameters([Parameter("other", value=2)])[0].successful
    assert changes == []
