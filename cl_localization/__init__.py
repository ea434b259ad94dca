"""Continual visual localization for ROS 2: maps that learn online, poses on tf."""

from pkgutil import extend_path

# The colcon build installs the generated messages (cl_localization.msg, .srv) in a package of this same name; extending
# the path lets them be found when this package is imported from its source tree.
__path__ = extend_path(__path__, __name__)

__version__ = "0.1.0"
