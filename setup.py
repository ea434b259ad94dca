"""Installs the ROS-free core and its command line with `pip install -e .`; setup.cfg describes them."""

from setuptools import setup

setup()
