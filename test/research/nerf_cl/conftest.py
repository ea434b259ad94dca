"""The fixtures of tests of radiance fields."""

from nerf_fixtures import scene, views

__all__ = ["scene", "views"]
