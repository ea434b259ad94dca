"""Installs the ROS-free core and its command line (`pip install -e .`); all that is said of them stands in setup.cfg."""

from setuptools import setup

setup()
