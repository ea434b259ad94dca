"""How many poses reach tf, and how soon, in real node processes that get 30 images a second: with and without flow."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from tf2_msgs.msg import TFMessage

from benchmarks.load import LEARNING, MS_PER_S, PlayedNodes, Shown
from cl_localization.data.stamps import NS_PER_S
from cl_localization.ros.conversions import stamp_ns


@dataclass(frozen=True)
class RateOutcome:
    """What came out of a run.

    Attributes:
        mapper: one of `MAPPERS`.
        flow: whether poses were carried by flow.
        tf_hz, learned_hz: poses on tf, and images that the mapper learned from, a second.
        latency_ms_p50, latency_ms_p95: from an image's stamp, which it gets when it is sent, to its pose on tf.
    """

    mapper: str
    flow: bool
    tf_hz: float
    learned_hz: float
    latency_ms_p50: float
    latency_ms_p95: float


def run_image_rate(mapper: str, flow: bool, shown: Shown, warm_up_s: float, duration_s: float) -> RateOutcome:
    """Run the nodes and return what came out after the warm-up.

    Raises:
        RosError: a node that does not start or ends by itself.
    """
    arrivals_s: dict[int, float] = {}

    def hear(message: TFMessage) -> None:
        for transform in message.transforms:
            if transform.header.frame_id == "map":
                arrivals_s.setdefault(stamp_ns(transform.header.stamp), time.time())

    with PlayedNodes(shown) as played:
        played.seen.hear(TFMessage, "/tf", hear)
        # without odometry tf gets one transform for each pose, with the stamp of its image
        played.start(mapper, LEARNING["new"], {"flow.enabled": flow}, odometry=False)
        played.wait(warm_up_s)
        since_ns, learned = time.time_ns(), played.seen.mapping.frames_processed
        played.wait(duration_s)
        until_ns, learned = time.time_ns(), played.seen.mapping.frames_processed - learned
        passed_s = (until_ns - since_ns) / NS_PER_S
        latencies_ms = [(arrived_s - stamp / NS_PER_S) * MS_PER_S for stamp, arrived_s in list(arrivals_s.items())
                        if since_ns <= stamp < until_ns]
        p50_ms, p95_ms = np.percentile(latencies_ms or [np.nan], [50, 95]).tolist()
        return RateOutcome(mapper, flow, len(latencies_ms) / passed_s, learned / passed_s, p50_ms, p95_ms)
