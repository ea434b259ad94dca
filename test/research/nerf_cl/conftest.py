"""The fixtures of tests of radiance fields."""

from nerf_fixtures import one_thread, scene, views

__all__ = ["one_thread", "scene", "views"]
