"""Which radiance field a mapper has; PyTorch is loaded only for one that is learned."""

from __future__ import annotations

from cl_localization.ros.nerf.no_nerf import NoNerf
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.tf.lookup import TfLookup


def make_nerf(node: ManagedNode, lookup: TfLookup) -> NoNerf:
    """Return the radiance field if `nerf.enabled`, else a `NoNerf`."""
    if not node.config.nerf.enabled:
        return NoNerf()
    from cl_localization.ros.nerf.mapping import LearnedNerf

    return LearnedNerf(node, lookup)
