"""What the commands about radiance fields have in common: data, evaluation, and what they write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cl_localization.nerf.learner import Field
    from cl_localization.nerf.views import View
    from cl_localization.research.nerf_cl.options import NerfConfig

LARGE = "blender_large_online"
SYNTHETIC = ("blender", "blender_online", LARGE)
WHITE, BLACK = 1.0, 0.0
VALIDATION_VIEWS = 8


@dataclass(frozen=True)
class Scores:
    """How well views are rendered.

    Attributes:
        psnr_db, ssim: of each view.
        seconds: for all of them.
    """

    names: tuple[str, ...]
    psnr_db: tuple[float, ...]
    ssim: tuple[float, ...]
    seconds: float

    @property
    def psnr_db_mean(self) -> float:
        """Mean over the views."""
        return sum(self.psnr_db) / len(self.psnr_db)

    @property
    def ssim_mean(self) -> float:
        """Mean over the views."""
        return sum(self.ssim) / len(self.ssim)


def read_split(root: Path | str, dataset: str, split: str, size_px: tuple[int, int], background: str,
               frames: int = 0) -> list[View]:
    """Return the views of a split of a data set; sequences have one, all of it."""
    from cl_localization.research.nerf_cl.scene_views import along_a_path, read_frames, read_synthetic

    if dataset not in SYNTHETIC:
        return read_frames(str(root), size_px, frames)
    views = read_synthetic(Path(root), "" if dataset == LARGE else split, size_px, need_alpha=background == "auto")
    if dataset == "blender_online" and split == "train":
        views = along_a_path(views)
    return views[:frames] if frames else views


def background_of(config: NerfConfig, dataset: str) -> float:
    """Return the grey value of what rays hit when they hit nothing."""
    if config.background == "auto":
        return WHITE if dataset in SYNTHETIC else BLACK
    return WHITE if config.background == "white" else BLACK


def score(field: Field, config: NerfConfig, views: list[View], pictures: Path | None = None,
          depth_format: str = "") -> Scores:
    """Render views and compare them with their images.

    Args:
        pictures: folder for the rendered images, NNN.png, and depth maps.
        depth_format: pfm or bytes; empty for none.
    """
    import time

    from cl_localization.nerf.compositing import psnr_db
    from cl_localization.nerf.learner import render_rays
    from cl_localization.research.nerf_cl.pictures import as_image, write_depth, write_depth_image, write_image
    from cl_localization.research.nerf_cl.similarity import ssim

    start, found, similar = time.perf_counter(), [], []
    for number, view in enumerate(views):
        rays = view.rays(config.near, config.far)
        seen = render_rays(field, rays, config.render.chunk)
        shape = view.image.shape[:2]
        found.append(psnr_db(seen.colours, rays.colours))
        similar.append(ssim(seen.colours.reshape(*shape, 3), rays.colours.reshape(*shape, 3)))
        if pictures is not None:
            write_image(as_image(seen, shape), pictures / f"{number:03d}.png")
        if pictures is not None and depth_format:
            depth = seen.depths.numpy().reshape(shape)
            write_depth(depth, pictures / f"depth_{number:03d}{'.pfm' if depth_format == 'pfm' else ''}")
            write_depth_image(depth, config.far, pictures / f"depth_{number:03d}.png")
    return Scores(tuple(view.name for view in views), tuple(found), tuple(similar), time.perf_counter() - start)


def validation_figures(field: Field, config: NerfConfig, views: list[View]) -> dict[str, float]:
    """Return loss and PSNR on the first few views from the right and from the left, named as in the original."""
    from cl_localization.research.nerf_cl.scene_views import side_of

    figures = {}
    for letter, side in (("r", "right"), ("l", "left")):
        chosen = [view for view in views if side_of(view) == side][:VALIDATION_VIEWS]
        if chosen:
            scores = score(field, config, chosen)
            figures[f"val/psnr_{letter}"] = scores.psnr_db_mean
            figures[f"val/loss_{letter}"] = sum(10 ** (-value / 10) for value in scores.psnr_db) / len(chosen)
    losses = [value for name, value in figures.items() if name.startswith("val/loss")]
    return {**figures, "val/loss": sum(losses) / len(losses)} if losses else figures
