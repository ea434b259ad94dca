"""How many images a second get an own pose and are learned from in the mapper's node, images and depth over DDS."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped

from benchmarks.load import READY_S
from benchmarks.table import BenchTable
from cl_localization.data import open_sequence
from cl_localization.data.bag_writer import write_bag
from cl_localization.data.stamps import NS_PER_S
from cl_localization.demo.domains import own_domain
from cl_localization.demo.observer import DemoObserver
from cl_localization.demo.processes import NodeProcesses
from cl_localization.ros.conversions import stamp_ns

SENT_HZ = 15.0
MOST_S, LAST_S = 300.0, 1.0

HEADERS = ("own poses in the node", "images", "sent [Hz]", "posed", "posed [Hz]", "keyframes", "p50 [ms]", "p95 [ms]",
           "processor time an image [ms]")


def node_table(name: str, spec: str) -> BenchTable:
    """Return what a mapper in a process of its own makes of a sequence that a player sends `SENT_HZ` images a second
    of, with the niceness of slam.launch.py: raw images with depth, from a bag, so that files are not decoded beside it.

    Raises:
        RosError: a node that does not start or ends by itself.
    """
    sequence = open_sequence(spec)
    recorded_hz = NS_PER_S / (sequence[1].stamp_ns - sequence[0].stamp_ns)
    posed_s: dict[int, float] = {}
    with tempfile.TemporaryDirectory(prefix="cl_localization-bench-") as folder_name:
        folder = Path(folder_name)
        write_bag(sequence, folder / "bag")
        with own_domain() as domain, NodeProcesses(domain, folder) as nodes, DemoObserver(domain) as seen:
            seen.hear(PoseWithCovarianceStamped, "mapper/pose",
                      lambda message: posed_s.setdefault(stamp_ns(message.header.stamp), time.time()))
            seen.watch_player("player")
            nodes.start("mapper", "mapper", {"poses.source": "self", "niceness": 0, "resume": False,
                                             "save_on_shutdown": False})
            shown = {"sequence": str(folder / "bag"), "rate": SENT_HZ / recorded_hz, "wait_for_subscribers": 1,
                     "wait_timeout_s": READY_S}
            nodes.start("sequence_player", "player", shown, {"pose": "ground_truth"})
            seen.wait(lambda: posed_s, READY_S, "first pose", nodes.check)
            before_s, first = _processor_s(nodes.process_id("mapper")), seen.mapping.frames_processed
            seen.wait(lambda: "player" in seen.done, MOST_S, "last image", nodes.check)
            time.sleep(LAST_S)  # the last images are on their way
            used_s = _processor_s(nodes.process_id("mapper")) - before_s
            mapping = seen.mapping
    stamps = np.array(sorted(posed_s))
    latencies_ms = [1e3 * (posed_s[stamp] - stamp / NS_PER_S) for stamp in stamps.tolist()]
    posed_hz = (len(stamps) - 1) * NS_PER_S / max(float(stamps[-1] - stamps[0]), 1.0)
    p50_ms, p95_ms = np.percentile(latencies_ms, [50, 95]).tolist()
    image_ms = 1e3 * used_s / max(mapping.frames_processed - first, 1)
    row = (name, str(len(sequence)), f"{SENT_HZ:g}", str(len(stamps)), f"{posed_hz:.1f}", str(mapping.keyframes),
           f"{p50_ms:.0f}", f"{p95_ms:.0f}", f"{image_ms:.0f}")
    return BenchTable("own poses in the node", HEADERS, [row], results={"slam_node": [
        {"name": name, "images": len(sequence), "sent_hz": SENT_HZ, "posed": len(stamps), "posed_hz": posed_hz,
         "keyframes": mapping.keyframes, "latency_ms_p50": p50_ms, "latency_ms_p95": p95_ms,
         "processor_ms_per_image": image_ms}]})


def _processor_s(process: int) -> float:
    """Return the processor time that all threads of a process have used."""
    after_name = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")  # in user and in kernel mode
