"""The main job with real node processes over DDS: map online, be carried away, know where it is, track live."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from lifecycle_msgs.msg import Transition
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from cl_localization.data.stamps import NS_PER_S
from cl_localization.demo.domains import own_domain
from cl_localization.demo.observer import DemoObserver
from cl_localization.demo.plan import DemoConfig, Segment, plan
from cl_localization.demo.processes import NodeProcesses
from cl_localization.demo.result import DemoResult, Place
from cl_localization.errors import RosError
from cl_localization.map.map_file import load_map
from cl_localization.srv import SaveMap

NODE_READY_S = 60.0
SERVICE_S = 30.0
LAST_IMAGE_S = 1.5
SILENT_S = 60.0
MAX_SHOWINGS = 8
SHARE_WORKED_ON = 0.8
NEVER_FRAMES = 100_000


@dataclass(frozen=True)
class DemoProgress:
    """How far the demo is.

    Attributes:
        stage: what is going on, in a few words.
        step, steps: segments done and in all.
        detail: figures that change while it goes on.
    """

    stage: str
    step: int
    steps: int
    detail: str = ""


class Demo:
    """Conducts the nodes through the segments."""

    def __init__(self, config: DemoConfig, folder: Path, progress: Callable[[DemoProgress], None]) -> None:
        """Prepare a demo whose files go to `folder`."""
        self._config, self._folder, self._progress = config, folder, progress
        self._segments = plan(config, folder)
        self._map_path = folder / "map.safetensors"
        self._places: list[Place] = []
        self._after_mapping_ns = self._tracking_ns = self._map_version = 0
        self._step = 0

    def run(self) -> DemoResult:
        """Run it and return what came out; ends all nodes in any case."""
        started_s = time.monotonic()
        with ((nullcontext(self._config.domain) if self._config.domain else own_domain()) as domain,
              NodeProcesses(domain, self._folder) as self._nodes, DemoObserver(domain) as self._seen):
            self._start_nodes()
            for step, segment in enumerate(self._segments):
                self._step = step
                self._play(segment)
            self._say("done", "")
        return self._result(time.monotonic() - started_s)

    def _start_nodes(self) -> None:
        self._say("starting mapper, localizer and player", "")
        parameters = {"threads": 1, "resume": False, "map_file": str(self._map_path.resolve())}
        if self._config.data:
            self._nodes.start("mapper", "mapper", parameters | {"poses.source": "pose"}, {"pose": "ground_truth"})
        else:  # nobody carries the camera while it maps: where images are dropped, it waits for a place that it knows
            self._nodes.start("mapper", "mapper",
                              parameters | {"poses.source": "self", "niceness": 0, "frames.odom": "",
                                            "slam.begin_after_frames": NEVER_FRAMES}, {})
        self._nodes.start("localizer", "localizer", {"threads": 2})
        self._start_player(self._segments[0])

    def _start_player(self, segment: Segment) -> None:
        """Start a player that waits, inactive, for its turn: opening a sequence takes a while."""
        self._nodes.start("sequence_player", segment.name, {
            "sequence": segment.sequence, "rate": float(segment.rate), "autostart": False,
            "wait_for_subscribers": 2 if segment.kind == "mapping" or self._config.data else 1,
            "wait_timeout_s": NODE_READY_S, "odometry": segment.kind != "mapping"})
        self._seen.watch_player(segment.name)

    def _play(self, segment: Segment) -> None:
        """Show one segment to the nodes, the next player getting ready meanwhile."""
        self._change(segment.name, Transition.TRANSITION_CONFIGURE)
        if segment.kind == "tracking":
            self._seen.watch_overlay()
        before_ns = time.time_ns()
        self._change(segment.name, Transition.TRANSITION_ACTIVATE)
        if self._step + 1 < len(self._segments):
            self._start_player(self._segments[self._step + 1])
        self._show(segment, before_ns)
        self._nodes.end(segment.name)
        {"mapping": self._mapped, "place": self._recovered, "tracking": self._tracked}[segment.kind](before_ns)

    def _show(self, segment: Segment, since_ns: int) -> None:
        """Wait until the node that a segment is for has worked on its images.

        On a busy machine nodes drop images, and a mapper that misses too many does not know where it is. The segment is
        then shown again, each time at half the speed, until four fifths of the images were worked on in one
        showing or another.
        """
        images = 0

        def enough() -> bool:
            return 0 < SHARE_WORKED_ON * images <= len(self._images(self._worked_on(segment), since_ns))

        for showing in range(MAX_SHOWINGS):
            if showing:
                self._show_again(segment, segment.rate / 2**showing)
            while not (self._showing(segment) or enough()):
                self._await_news(segment)
            images = images or len(self._images(self._seen.truths, since_ns))
            self._await_last_image(segment, since_ns)
            if enough() or not images:
                return
        raise RosError(f"segment {segment.name}",
                       f"must have {SHARE_WORKED_ON:.0%} of its {images} images worked on in {MAX_SHOWINGS} showings",
                       remedy="see the logs of the nodes")

    def _worked_on(self, segment: Segment) -> Collection[int]:
        """Return the stamps of images that the mapper learned from, or that were looked for in the whole map."""
        if segment.kind == "mapping":
            return self._seen.mapped
        return [stamp for stamp, version in list(self._seen.map_versions.items()) if version >= self._map_version]

    def _images(self, stamps: Collection[int], since_ns: int) -> set[bytes]:
        """Return which images of a segment have been stamped: shown again, an image has another stamp and the same true
        pose."""
        truths = self._seen.truths
        return {truths[stamp].tobytes() for stamp in list(stamps) if stamp >= since_ns and stamp in truths}

    def _await_news(self, segment: Segment) -> None:
        """Wait until an image is shown or worked on, or the segment ends."""
        def news() -> tuple[int, int]:
            return len(self._seen.truths), len(self._worked_on(segment))

        before = news()
        self._seen.wait(lambda: self._showing(segment) or news() != before,
                        SILENT_S, f"next image of {segment.name}", self._nodes.check)

    def _show_again(self, segment: Segment, rate: float) -> None:
        """Begin a segment anew, at another speed."""
        self._seen.done.discard(segment.name)
        self._seen.call(SetParameters, f"{segment.name}/set_parameters", SERVICE_S, self._nodes.check,
                        parameters=[Parameter("rate", value=rate).to_parameter_msg()])
        self._change(segment.name, Transition.TRANSITION_DEACTIVATE)
        self._change(segment.name, Transition.TRANSITION_ACTIVATE)

    def _showing(self, segment: Segment) -> bool:
        mapping = self._seen.mapping
        words = {"mapping": f"{mapping.keyframes} keyframes, {mapping.codes:,} codes, {mapping.map_bytes / 1e6:.1f} MB"
                            + (f", {mapping.own_pose}, {mapping.loops} loops closed" if mapping.own_pose else ""),
                 "place": f"{sum(place.recovered for place in self._places)} of {len(self._places)} recovered",
                 "tracking": f"{len(self._seen.estimates(self._after_mapping_ns))} trusted poses"}
        self._say(segment.name.replace("_", " "), words[segment.kind])
        return segment.name in self._seen.done

    def _await_last_image(self, segment: Segment, since_ns: int) -> None:
        """Give the last image of a showing the time to be worked on."""
        last_ns = max((stamp for stamp in self._seen.truths if stamp >= since_ns), default=0)
        try:
            self._seen.wait(lambda: last_ns in self._worked_on(segment), LAST_IMAGE_S, "last status", self._nodes.check)
        except RosError:
            self._nodes.check()  # an image may be dropped, a node may not

    def _mapped(self, since_ns: int) -> None:
        """End learning, and save the map with its last refinement: the localizer gets that too. The true poses are
        brought into the frame of a map with own poses."""
        self._seen.call(SetBool, "mapper/set_learning", SERVICE_S, self._nodes.check, data=False)
        saved = self._seen.call(SaveMap, "mapper/save_map", SERVICE_S, self._nodes.check)
        if not saved.success:
            raise RosError("map of the demo", f"must be saved: {saved.message}",
                           remedy="choose another folder with --out")
        self._map_bytes, self._after_mapping_ns = saved.bytes, time.time_ns()
        map_code = load_map(self._map_path)
        self._map_version = map_code.version
        self._loops = self._seen.mapping.loops if self._seen.mapping.own_pose else None
        if self._loops is not None:
            self._change("mapper", Transition.TRANSITION_DEACTIVATE)  # it would go on to find where the camera is
            self._seen.align(map_code)
        self._mapping_path = self._seen.truths_since(since_ns)

    def _recovered(self, since_ns: int) -> None:
        """Note whether, when and where the localizer recovered at a place."""
        estimates = self._seen.estimates(since_ns)
        right = next((estimate for estimate in estimates if estimate.right), None)
        shown = right or next(iter(estimates), None)
        first_ns = min((stamp for stamp in self._seen.truths if stamp >= since_ns), default=0)
        if not first_ns:
            raise RosError(f"place {len(self._places)}", "must be shown", "no image", "see the player's log")
        seconds = None if right is None else self._seen.poses[right.stamp_ns][0] - first_ns / NS_PER_S
        self._places.append(Place(self._seen.truths[first_ns], None if shown is None else shown.estimate, seconds))

    def _tracked(self, since_ns: int) -> None:
        self._tracking_ns = since_ns

    def _change(self, name: str, transition: int) -> None:
        self._seen.transition(name, transition, NODE_READY_S, self._nodes.check)

    def _say(self, stage: str, detail: str) -> None:
        self._progress(DemoProgress(stage, self._step, len(self._segments), detail))

    def _result(self, duration_s: float) -> DemoResult:
        map_code, seen = load_map(self._map_path), self._seen
        latencies_ms = [latency for stamp, latency in sorted(seen.latencies_ms.items())
                        if stamp >= self._after_mapping_ns]
        return DemoResult(
            mapping_path=self._mapping_path, places=self._places, tracking_truth=seen.truths_since(self._tracking_ns),
            tracking=seen.estimates(self._tracking_ns), estimates=seen.estimates(self._after_mapping_ns),
            images=len(latencies_ms), latencies_ms=latencies_ms, map_bytes=self._map_bytes,
            codes=len(map_code), keyframes=len(map_code.keyframes), map_points_m=map_code.positions_m,
            map_path=self._map_path, overlay=seen.overlay, duration_s=duration_s, loops=self._loops,
            mapping_rmse_cm=seen.mapping_rmse_cm, parts=len(map_code.scenes_in_use))


def run_demo(config: DemoConfig, progress: Callable[[DemoProgress], None]) -> DemoResult:
    """Run the demo, its files in the folder `config.out`, and return what came out.

    Raises:
        LocalizationError: a sequence that cannot be used, a node that ended.
    """
    with terminated_as_interrupted():
        return Demo(config, Path(config.out), progress).run()


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Make SIGTERM a KeyboardInterrupt, so that the nodes are ended then too; only a main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
