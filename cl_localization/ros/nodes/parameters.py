"""ROS parameters declared from config dataclasses, with their defaults, descriptions, ranges and checks.

A node is created with `automatically_declare_parameters_from_overrides=True`, so that overrides from YAML files and the
command line are known before the parameters are declared, and a misspelt name is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from cl_localization.config import Config, Option, flatten, with_values
from cl_localization.errors import ConfigError
from cl_localization.option_names import with_present_names

ConfigT = TypeVar("ConfigT", bound=Config)

NAMES_OF_ROS = ("use_sim_time", "start_type_description_service", "qos_overrides")
"""Parameters, or first parts of dotted names, that rclpy declares itself."""

LARGEST_INTEGER = 2**63 - 1
LARGEST_FLOAT = 1.7e308


def declare(node: Node, config: ConfigT, beside: Sequence[Config] = ()) -> ConfigT:
    """Declare every option of `config` as a parameter of `node` and return the config with the overrides applied.

    Args:
        beside: configs of other nodes in the process; overrides that only they have are ignored.

    Raises:
        ConfigError: an unknown name, or a value of the wrong type or outside its range.
    """
    given = {name: parameter.value for name, parameter in node.get_parameters_by_prefix("").items()
             if name.split(".")[0] not in NAMES_OF_ROS}
    own = {name for name, _, _ in flatten(config)}
    others = {name for other in beside for name, _, _ in flatten(other)} - own
    values = with_present_names(given, own | others)
    config = changed(config, {name: value for name, value in values.items() if name not in others})
    for name in given:
        node.undeclare_parameter(name)
    for name, value, option in flatten(config):
        node.declare_parameter(name, value, descriptor(value, option), ignore_override=True)
    return config


def changed(config: ConfigT, values: dict[str, Any]) -> ConfigT:
    """Return `config` with new values by dotted name; integers are converted for float options, and booleans for
    options that may be `on` or `off`, which YAML reads as booleans.

    Raises:
        ConfigError: an unknown name, or a value of the wrong type or outside its range.
    """
    known = {name: (value, option) for name, value, option in flatten(config)}

    def converted(name: str, given: Any) -> Any:
        value, option = known.get(name, (None, None))
        if type(value) is float and type(given) is int:
            return float(given)
        if type(given) is bool and option is not None and (word := "on" if given else "off") in option.choices:
            return word
        return given

    return with_values(config, {name: converted(name, given) for name, given in values.items()})


def descriptor(value: Any, option: Option) -> ParameterDescriptor:
    """Return the descriptor of an option with the type of `value`: help, range, choices, read-only unless live."""
    described = ParameterDescriptor(description=option.help, read_only=not option.live)
    low, high = option.minimum, option.maximum
    if option.choices:
        described.additional_constraints = f"one of: {', '.join(option.choices)}"
    if type(value) is float:
        described.floating_point_range = [FloatingPointRange(
            from_value=-LARGEST_FLOAT if low is None else float(low),
            to_value=LARGEST_FLOAT if high is None else float(high))]
    if type(value) is int:
        described.integer_range = [IntegerRange(from_value=-LARGEST_INTEGER if low is None else int(low),
                                                to_value=LARGEST_INTEGER if high is None else int(high), step=1)]
    return described


class LiveConfig:
    """A config that follows `ros2 param set`; invalid values are refused with a reason.

    Attributes:
        config: the current values.
    """

    def __init__(self, node: Node, config: Config, on_change: Callable[[Config], None]) -> None:
        """Follow the parameters that `declare` has declared on `node`; `on_change` gets every new config."""
        self.config = config
        self._on_change = on_change
        self._names = {name for name, _, _ in flatten(config)}
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._apply)

    def _values(self, parameters: list[Parameter]) -> dict[str, Any]:
        return {parameter.name: parameter.value for parameter in parameters if parameter.name in self._names}

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        try:
            changed(self.config, self._values(parameters))
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _apply(self, parameters: list[Parameter]) -> None:
        values = self._values(parameters)
        if values:
            self.config = changed(self.config, values)
            self._on_change(self.config)
