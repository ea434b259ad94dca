"""Where what the mapper saw is kept; apart from its file, so that nobody imports torch to find that there is none."""

from __future__ import annotations

from pathlib import Path


def beside(map_path: Path) -> Path:
    """Return the path of a map's field: `kitchen.nerf.safetensors` for `kitchen.safetensors`."""
    return map_path.with_suffix(f".nerf{map_path.suffix}")
