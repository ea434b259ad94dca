"""What a task does against forgetting those before it: rays that are kept, rays that are rendered, and values that are
held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from cl_localization.errors import DataError
from cl_localization.nerf.learner import Field, render_rays
from cl_localization.nerf.rays import SeenRays
from cl_localization.nerf.views import View
from cl_localization.research.nerf_cl.anchoring import anchored
from cl_localization.research.nerf_cl.image_replay import ImageReplay
from cl_localization.research.nerf_cl.options import NerfConfig
from cl_localization.research.nerf_cl.ray_replay import RayReplay


@dataclass
class EarlierTasks:
    """What is kept of the tasks before a task.

    Attributes:
        replay: their images, or some of their rays.
        generated: rays of their cameras with what the field rendered along them before the task.
        soft: (N, 3) what it rendered along the rays of the task itself, where these are to show that, too.
    """

    replay: RayReplay | ImageReplay | None = None
    generated: SeenRays | None = None
    soft: Tensor | None = None

    def draw(
        self, count: int, generated_share: float, generator: torch.Generator
    ) -> tuple[SeenRays | None, np.ndarray]:
        """Return rays for a step, those kept first, and the slots of these in the buffer; None when nothing is kept."""
        made = 0 if self.generated is None else round(generated_share * count) if self.replay is not None else count
        parts, slots = [], np.zeros(0, int)
        if self.replay is not None and made < count:
            slots, rays = self.replay.draw(count - made)
            parts.append(rays)
        if made:
            parts.append(self.generated.rows(torch.randint(len(self.generated), (made,), generator=generator)))
        return SeenRays.joined(parts) if parts else None, slots


def begin_task(field: Field, config: NerfConfig, rays: SeenRays, earlier: SeenRays | None,
               again: bool = False, views: Sequence[View] = ()) -> EarlierTasks:
    """Get a field ready for a task that follows others and return what is kept of them, as the options want it.

    Args:
        rays: of the task.
        earlier: of the tasks before it: of their images as many rays are kept as the buffer may hold, of the others the
            cameras.
        again: whether the task was begun before: the field then has its anchor and goes on with its optimizer.
        views: those tasks' images, to keep whole.

    Raises:
        DataError: replay without earlier rays.
    """
    options, kept = config.replay, EarlierTasks()
    has_earlier = earlier is not None and len(earlier) > 0
    if options.use_replay and not has_earlier:
        raise DataError("replay", "needs rays of an earlier task", 0, "learn one with --train_view right or left first")
    if options.distillation and not (has_earlier or options.distillation_weight):
        raise DataError("distillation", "needs cameras of an earlier task or a weight for new rays", 0,
                        "give --replay.distillation-weight 1")
    needs_renders = has_earlier and (options.generates or options.keeps_rays)
    seen = render_rays(field, earlier, config.render.chunk) if needs_renders else None
    if options.use_replay and not options.keeps_rays:
        kept.replay = ImageReplay(config, views)
    if options.keeps_rays:
        losses = ((seen.colours - earlier.colours) ** 2).mean(dim=1)
        kept.replay = RayReplay(options, earlier, seen.colours, losses, config.learning.seed)
    if has_earlier and options.generates:
        kept.generated = replace(earlier, colours=seen.colours,
                                 depths=torch.where(earlier.depths > 0, seen.depths, earlier.depths))
    if options.distillation and options.distillation_weight:
        kept.soft = render_rays(field, rays, config.render.chunk).colours
    if not again:
        field.restart(reuse=not options.keeps)
        holds = has_earlier and options.keeps and options.anchor > 0
        field.anchor = anchored(field, earlier, options.anchor, config.learning.seed) if holds else None
    return kept
