"""Continual visual localization for ROS 2: maps that learn online, poses on tf."""

import os
from pkgutil import extend_path

# Idle OpenMP threads of torch and faiss spin by default: on two cores a localizer and a mapper then slow each other
# down ten- to fiftyfold. So do those of NumPy's BLAS, which gain nothing with small matrices. Must be set before those
# libraries are loaded; a user's own choice stands.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The colcon build installs the generated messages (cl_localization.msg, .srv) in a package of this same name; extending
# the path lets them be found when this package is imported from its source tree.
__path__ = extend_path(__path__, __name__)

__version__ = "0.1.0"
