"""The original network, coarse and fine, with every way of sampling rays that it had (NeRF, ECCV 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cl_localization.nerf.anchor import Anchor
from cl_localization.nerf.compositing import Rendered
from cl_localization.nerf.rays import RayBundle, Rays
from cl_localization.research.nerf_cl.optimizers import make_optimizer, rate_factor
from cl_localization.research.nerf_cl.options import MlpConfig, NerfConfig

LAST_LENGTH = 1e10
INVERSE_EPSILON = 1e-5
OPTIMIZER_OPTIONS = ("optimizer", "momentum", "weight_decay")
EPSILON = 1e-10


class RadianceNetwork(nn.Module):
    """Density from the position, colour from the position and the direction."""

    def __init__(self, config: MlpConfig) -> None:
        super().__init__()
        self.config = config
        position, direction = (3 * (1 + 2 * count) for count in (config.position_frequencies,
                                                                 config.direction_frequencies))
        self.skip = config.layers // 2
        widths = [position] + [config.width + (position if number == self.skip else 0)
                               for number in range(1, config.layers)]
        self.trunk = nn.ModuleList(nn.Linear(width, config.width) for width in widths)
        self.density = nn.Linear(config.width, 1)
        self.feature = nn.Linear(config.width, config.width)
        self.directed = nn.Linear(config.width + direction, config.width // 2)
        self.colour = nn.Linear(config.width // 2, 3)

    def forward(self, positions: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Return raw density (N,) and colour (N, 3) at positions (N, 3) seen along directions (N, 3)."""
        encoded = encode(positions, self.config.position_frequencies)
        hidden = encoded
        for number, layer in enumerate(self.trunk):
            hidden = torch.relu(layer(torch.cat([encoded, hidden], dim=1) if number == self.skip else hidden))
        seen = torch.cat([self.feature(hidden), encode(directions, self.config.direction_frequencies)], dim=1)
        return self.density(hidden)[:, 0], torch.sigmoid(self.colour(torch.relu(self.directed(seen))))


class MlpField(nn.Module):
    """The coarse network, and the fine one that samples where the coarse one found something.

    Attributes:
        anchor: what holds the values, or None.
    """

    anchor: Anchor | None = None

    def __init__(self, config: NerfConfig, background: float) -> None:
        super().__init__()
        self.config, self.background = config, background
        self.coarse = RadianceNetwork(config.mlp)
        self.fine = RadianceNetwork(config.mlp) if config.render.importance_samples else None
        self.optimizer = make_optimizer(self.parameters(), config.learning)

    @property
    def device(self) -> torch.device:
        """Where the values are."""
        return self.coarse.density.weight.device

    def take(self, config: NerfConfig) -> None:
        """Go on with other options of the same networks; the optimizer keeps its state unless another one is asked
        for."""
        old, self.config = self.config.learning, config
        if any(getattr(old, name) != getattr(config.learning, name) for name in OPTIMIZER_OPTIONS):
            self.restart()

    def restart(self, reuse: bool = True) -> None:
        """Forget the state of the optimizer: another task begins at the full rate."""
        self.optimizer = make_optimizer(self.parameters(), self.config.learning)

    def render(self, rays: RayBundle, generator: torch.Generator | None = None) -> list[Rendered]:
        """Return what rays see, by the coarse and the fine network; a generator adds the noise and shifts of
        training."""
        distances = stratified(rays, self.config, generator)
        weights, coarse = self._rendered(self.coarse, rays, distances, generator)
        if self.fine is None:
            return [coarse]
        middles = 0.5 * (distances[:, 1:] + distances[:, :-1])
        perturbed = generator if self.config.render.perturb > 0 else None
        further = drawn_by_weight(middles, weights[:, 1:-1].detach(), self.config.render.importance_samples, perturbed)
        merged = torch.cat([distances, further], dim=1).sort(dim=1).values
        return [coarse, self._rendered(self.fine, rays, merged, generator)[1]]

    def tightened(self, rays: Rays) -> Rays:
        """Return the rays: all of their length counts."""
        return rays

    def before_step(self, step: int, total: int, epoch: float) -> bool:
        """Set the learning rate; return False, as there are no cells."""
        factor = rate_factor(self.config.learning, epoch, step / max(total, 1))
        for group in self.optimizer.param_groups:
            group["lr"] = factor * self.config.learning.learning_rate
        return False

    def after_backward(self, step: int, rays: int) -> None:
        """Add nothing to the gradient."""

    def _rendered(self, network: RadianceNetwork, rays: RayBundle, distances: Tensor,
                  generator: torch.Generator | None) -> tuple[Tensor, Rendered]:
        count, samples = distances.shape
        positions = rays.origins[:, None] + distances[..., None] * rays.directions[:, None]
        directions = rays.directions[:, None].expand(-1, samples, -1)
        raw, colours = network(positions.reshape(-1, 3), directions.reshape(-1, 3))
        raw = raw.view(count, samples)
        if generator is not None and self.config.render.noise_std > 0:
            raw = raw + self.config.render.noise_std * torch.randn(raw.shape, generator=generator).to(raw.device)
        lengths = torch.cat([distances.diff(dim=1), torch.full_like(distances[:, :1], LAST_LENGTH)], dim=1)
        weights = weights_of(torch.relu(raw) * lengths)
        return weights, composite(weights, colours.view(count, samples, 3), distances, self.background, self.config.far)


def encode(values: Tensor, frequencies: int) -> Tensor:
    """Return values (N, 3) with sines and cosines of them times 1, 2, 4, ..., (N, 3 + 6 frequencies)."""
    scaled = [values * 2.0 ** number for number in range(frequencies)]
    return torch.cat([values, *(part for one in scaled for part in (torch.sin(one), torch.cos(one)))], dim=1)


def stratified(rays: RayBundle, config: NerfConfig, generator: torch.Generator | None) -> Tensor:
    """Return distances (N, S) spaced evenly in depth or disparity, shifted at random within their shares in
    training."""
    steps = torch.linspace(0, 1, config.render.samples, device=rays.near.device)
    near, far = rays.near[:, None], rays.far[:, None]
    if config.render.in_disparity:
        distances = 1.0 / (1.0 / near * (1.0 - steps) + 1.0 / far * steps)
    else:
        distances = near * (1.0 - steps) + far * steps
    if generator is None or config.render.perturb == 0:
        return distances
    middles = 0.5 * (distances[:, 1:] + distances[:, :-1])
    lower, upper = torch.cat([distances[:, :1], middles], dim=1), torch.cat([middles, distances[:, -1:]], dim=1)
    return lower + (upper - lower) * config.render.perturb * torch.rand(distances.shape,
                                                                        generator=generator).to(near.device)


def drawn_by_weight(edges: Tensor, weights: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    """Return distances (N, count) drawn by the inverse of the cumulated weights.

    Args:
        edges: (N, B + 1) of the bins.
        weights: (N, B) of the bins.
        generator: None draws evenly spaced quantiles.
    """
    weights = weights + INVERSE_EPSILON
    cumulated = torch.cumsum(weights / weights.sum(dim=1, keepdim=True), dim=1)
    cumulated = torch.cat([torch.zeros_like(cumulated[:, :1]), cumulated], dim=1)
    shape = (len(edges), count)
    quantiles = (
        torch.linspace(0, 1, count).expand(shape) if generator is None else torch.rand(shape, generator=generator)
    )
    quantiles = quantiles.to(edges.device).contiguous()
    above = torch.searchsorted(cumulated, quantiles, right=True).clamp(1, edges.shape[1] - 1)
    lower, upper = cumulated.gather(1, above - 1), cumulated.gather(1, above)
    width = upper - lower
    share = torch.where(width < INVERSE_EPSILON, torch.zeros_like(width),
                        (quantiles - lower) / width.clamp(min=INVERSE_EPSILON))
    begin, end = edges.gather(1, above - 1), edges.gather(1, above)
    return begin + share.clamp(0, 1) * (end - begin)


def weights_of(optical_depths: Tensor) -> Tensor:
    """Return the weight of each sample (N, S), from its density times its length."""
    alphas = 1.0 - torch.exp(-optical_depths)
    passed = torch.cumprod(torch.cat([torch.ones_like(alphas[:, :1]), 1.0 - alphas + EPSILON], dim=1), dim=1)
    return alphas * passed[:, :-1]


def composite(weights: Tensor, colours: Tensor, distances: Tensor, background: float, far: float) -> Rendered:
    """Return the rendered rays of sample weights (N, S), colours (N, S, 3) and distances (N, S)."""
    opacities = weights.sum(dim=1)
    clear = 1.0 - opacities
    return Rendered((weights[..., None] * colours).sum(dim=1) + background * clear[:, None],
                    (weights * distances).sum(dim=1) + far * clear, opacities)
