"""The workers of the localizer node: a light one that carries poses by flow, and one that localizes images fully."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

import cv2

from cl_localization.data.frame import Frame
from cl_localization.errors import LocalizationError
from cl_localization.localization.result import Localization
from cl_localization.ros.images.image_source import ImageBundle
from cl_localization.ros.map_topic.map_in_use import MapInUse
from cl_localization.ros.nodes.diagnostics import NodeDiagnostics
from cl_localization.ros.nodes.localizer_outputs import LocalizerOutputs
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.nodes.status_messages import Counts
from cl_localization.ros.tf.lookup import Mounting
from cl_localization.ros.tf.tracking import Tracking
from cl_localization.ros.workers.cpu import settle_worker
from cl_localization.ros.workers.worker import Worker
from cl_localization.tracking.follower import Follower
from cl_localization.tracking.look import Look
from cl_localization.tracking.tracker import Track


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image with its messages."""

    bundle: ImageBundle
    frame: Frame


class PoseStream:
    """Gives every image a pose, and localizes one fully whenever that is due.

    The light worker alone decides about poses and publishes them, in the order of their images; the map worker alone
    uses the map. Both take the newest image when they are free.

    Attributes:
        light_worker, map_worker: for tasks that must not run beside their work.
        answered, carried: images whose pose was decided, and those of them whose pose came by flow.
    """

    def __init__(self, node: ManagedNode, tracking: Tracking, map_in_use: MapInUse, outputs: LocalizerOutputs,
                 diagnostics: NodeDiagnostics) -> None:
        """Start the workers, which stop when the node is deactivated; `diagnostics` gets the latency of each image, and
        whether it was refused."""
        self.answered = self.carried = 0
        self._node, self._tracking, self._map, self._outputs = node, tracking, map_in_use, outputs
        self._latency_s, self._refusals = diagnostics.latency_s, diagnostics.refusals
        self._follower = Follower(node.config.flow, node.config.pose)
        self.light_worker: Worker[ImageBundle] = Worker(self._follow, node.report, "flow", begin=_use_one_thread)
        node.active.callback(self.light_worker.stop)
        self.map_worker: Worker[DecodedImage] = Worker(self._refusals.watch(self._look), node.report, "localizer",
                                                       begin=lambda: settle_worker(node), turn=node.turn)
        node.active.callback(self.map_worker.stop)

    @property
    def dropped(self) -> int:
        """Number of images that were replaced by a newer one before their pose was decided."""
        return self.light_worker.dropped + self.map_worker.dropped

    @property
    def waiting(self) -> int:
        """Number of images and tasks that wait."""
        return self.light_worker.waiting + self.map_worker.waiting

    def offer(self, bundle: ImageBundle) -> None:
        """Executor: take an image."""
        self._tracking.observe_arrival(bundle)
        self.light_worker.offer(bundle)

    def forget(self, reason: str) -> None:
        """Light worker: become LOST, and follow no earlier pose."""
        self._follower.forget()
        self._tracking.forget(reason)

    def use_config(self) -> None:
        """Light worker: use new values of live parameters."""
        self._follower.flow, self._follower.pose = self._node.config.flow, self._node.config.pose
        self._tracking.use(self._node.config)

    def announce(self, track: Track, stamp_ns: int) -> None:
        """Publish a decision that was made without localizing an image."""
        self._outputs.announce(track, stamp_ns, self._counts)

    def _follow(self, bundle: ImageBundle) -> None:
        """Light worker: give an image its pose by flow, and have it localized fully if that is due."""
        refused = self._tracking.refusal(bundle.stamp_ns) or ("no map yet" if self._map.localizer is None else "")
        if refused:
            self._answer_without_pose(Track(self._tracking.state, False, refused), bundle, refused)
            return
        try:
            image = DecodedImage(bundle, bundle.frame())
        except LocalizationError as error:
            self._answer_without_pose(self._tracking.without_pose(bundle.stamp_ns, str(error)), bundle, str(error))
            raise
        found = self._follower.follow(image.frame)
        if found is not None:
            self.carried += 1
            self._refusals.succeed()
            self._judge(image, found, self._tracking.mounting(bundle))
        if self._follower.wants_look(bundle.stamp_ns, found):
            self.map_worker.offer(image)

    def _look(self, image: DecodedImage) -> None:
        """Map worker: localize an image fully."""
        stamp_ns, look, mounting = image.frame.stamp_ns, None, Mounting("")
        found = Localization(stamp_ns, reason="the image could not be localized")
        try:
            self._map.encode(image.frame)  # before the tf lookup, so that the odometry has time to arrive
            mounting = self._tracking.mounting(image.bundle)
            found = self._map.localize(replace(image.frame, odom_T_cam=mounting.odom_T_cam))
            look = Look(image.frame, found) if found.accepted else None
        except LocalizationError as error:
            found = Localization(stamp_ns, reason=str(error))
            raise
        finally:
            answer = self.light_worker.run(partial(self._finish, image, found, mounting, look))
            answer.add_done_callback(partial(self._end_refused_look, stamp_ns))

    def _finish(self, image: DecodedImage, found: Localization, mounting: Mounting, look: Look | None) -> None:
        """Light worker: judge a full localization, unless flow must carry it to the next image first."""
        try:
            if self._follower.finish(look, found.stamp_ns):
                self._judge(image, found, mounting)
        except Exception as error:  # nobody waits for this task, so that nobody else would report it
            self._node.report(error)
            self._refusals.refuse(str(error) or repr(error))

    def _end_refused_look(self, stamp_ns: int, answer: Future) -> None:
        """Map worker: end a look whose answer the light worker refused to take, so that the next one is wanted."""
        if answer.exception() is not None:
            self._follower.finish(None, stamp_ns)

    def _judge(self, image: DecodedImage, found: Localization, mounting: Mounting) -> None:
        """Light worker: let the tracker decide about a pose, and publish it."""
        track = self._tracking.track(found, mounting)
        self._follower.decide(found, track)
        self._count(image.bundle)
        self._outputs.publish(image.bundle, image.frame, found, track, self._map.localizer.map_code, self._counts)

    def _answer_without_pose(self, track: Track, bundle: ImageBundle, refused: str) -> None:
        self._refusals.refuse(refused)
        self._count(bundle)
        self.announce(track, bundle.stamp_ns)

    def _count(self, bundle: ImageBundle) -> None:
        self.answered += 1
        self._latency_s.add(time.monotonic() - bundle.arrived_s)

    @property
    def _counts(self) -> Counts:
        return Counts(self.answered, self.dropped)


def _use_one_thread() -> None:
    """Flow takes milliseconds; threads of OpenCV would wait for those of the network."""
    cv2.setNumThreads(1)
