"""The ROS boundary: nodes, and conversions between messages and arrays. No other room imports ROS."""

import os

# NumPy's BLAS starts a busy-waiting thread on each core, which costs half a core and gains nothing for the small
# matrices of a node. NumPy reads the variable when it is imported, so it is set here.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
