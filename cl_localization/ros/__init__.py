"""The ROS boundary: nodes and what they need of ROS. No other room imports ROS."""

import os

# NumPy's BLAS wakes a thread for each core and has it spin while it waits: in a node, whose matrices are small, that
# burns half a core and gains nothing. Read when NumPy is loaded, so it works only here, before that.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
