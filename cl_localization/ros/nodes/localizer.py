"""The node `localizer`: image, camera_info and map_code in; pose, tf and status out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from std_srvs.srv import Trigger

from cl_localization.errors import LocalizationError
from cl_localization.features.shared import shared_encoder
from cl_localization.localization.result import Localization
from cl_localization.ros.images.image_source import ImageBundle, ImageSource
from cl_localization.ros.map_topic.map_digest import MapDigest
from cl_localization.ros.map_topic.map_in_use import MapInUse
from cl_localization.ros.map_topic.map_subscription import MapSubscription
from cl_localization.ros.nodes.config import LocalizerNodeConfig
from cl_localization.ros.nodes.diagnostics import NodeDiagnostics
from cl_localization.ros.nodes.localizer_outputs import LocalizerOutputs
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.nodes.process import leave, run_nodes
from cl_localization.ros.nodes.services import worker_service
from cl_localization.ros.nodes.status_messages import Counts
from cl_localization.ros.tf.lookup import Tf
from cl_localization.ros.tf.tracking import Tracking
from cl_localization.ros.workers.cpu import settle_worker
from cl_localization.ros.workers.worker import Worker
from cl_localization.srv import LoadMap
from cl_localization.tracking.tracker import Track


class LocalizerNode(ManagedNode):
    """Localizes the newest image whenever the worker is free; only the worker accesses the map."""

    def __init__(self, **kwargs: Any) -> None:
        """Declare the parameters; `kwargs` go to rclpy's node."""
        super().__init__("localizer", LocalizerNodeConfig(), **kwargs)
        self._worker: Worker[ImageBundle] | None = None

    def set_up(self) -> None:
        """Load the encoder and the map, create the publishers."""
        self._tf = Tf(self, self.config.frames)
        self.configured.callback(self._tf.close)
        self._outputs = LocalizerOutputs(self)
        self._tracking = Tracking(self, self._tf, self._announce)
        self._map = MapInUse(self, shared_encoder(self.config.encoder),
                             lambda: self._tracking.forget("another map is used"))
        self._map.guesses = self._outputs.initial
        self._digest = MapDigest()
        if self.config.map_file:
            self._map.load(self.config.map_file)

    def start(self) -> None:
        """Subscribe, and create services and timers."""
        self._diagnostics = NodeDiagnostics(self)
        self._worker = Worker(self._diagnostics.watch(self._localize), self.report, "localizer",
                              begin=lambda: settle_worker(self), turn=self.turn)
        self.active.callback(self._worker.stop)
        self._tf.wait_while(self.active)
        self._use_config()
        self._tracking.forget("the node starts")
        self._outputs.initial.listen(self._tf.lookup)
        self._images = ImageSource(self, self.config.images, "off", self._on_image)
        self.active.callback(self._images.close)
        if self.config.map_topic.follow:
            maps = MapSubscription(self, self._map.follower, self.config.map_topic, self._worker, self._map.use)
            self.active.callback(maps.close)
            self._tracking.is_owned_elsewhere = lambda: maps.mapper_owns_tf
        self.service(Trigger, "~/relocalize", worker_service(self, self._worker, self._on_relocalize))
        self.service(LoadMap, "~/load_map", worker_service(self, self._worker, self._on_load_map))
        self.every(self.config.diagnostics_period_s, self._on_diagnostics)
        self.every(self.config.tf_period_s, self._tracking.tick)

    def reconfigure(self) -> None:
        """Use new values of live parameters from the next image on."""
        if self._worker is not None:
            self._worker.run(self._use_config)

    def _on_image(self, bundle: ImageBundle) -> None:
        self._tracking.observe_arrival(bundle)
        self._worker.offer(bundle)

    def _on_relocalize(self, request: Trigger.Request, response: Trigger.Response) -> None:
        self._tracking.forget("the service relocalize was called")

    def _on_load_map(self, request: LoadMap.Request, response: LoadMap.Response) -> None:
        self._map.load(request.path)
        map_code = self._map.map_code
        response.codes, response.keyframes = len(map_code), len(map_code.keyframes)

    def _on_diagnostics(self) -> None:
        map_code = self._map.map_code
        parts = self._images, self._map, self._tracking, self._tf
        problem = "; ".join(filter(None, (part.problem for part in parts)))
        self._diagnostics.publish(problem, {
            "images": self._images.images, "processed": self._worker.processed, "dropped": self._worker.dropped,
            "lost in transport": self._images.lost}, {
            "state": self._tracking.state.name, "waiting": self._worker.waiting,
            "map": map_code.map_id if map_code else "",
            "map version": map_code.version if map_code else 0, "codes": len(map_code) if map_code else 0,
            "image delay [s]": self._images.delay_s, "map digest": self._digest.of(map_code)})

    def _localize(self, bundle: ImageBundle) -> str:
        """Worker: localize one image and publish the result; return why it was refused, empty if it was not."""
        refused = self._tracking.refusal(bundle.stamp_ns) or ("no map yet" if self._map.localizer is None else "")
        if refused:
            self._announce(Track(self._tracking.state, False, refused), bundle.stamp_ns)
            return refused
        try:
            frame = bundle.frame()
            self._map.encode(frame)  # before the tf lookup, so that the odometry has time to arrive
            mounting = self._tracking.mounting(bundle)
            found = self._map.localize(replace(frame, odom_T_cam=mounting.odom_T_cam))
        except LocalizationError as error:
            found = Localization(bundle.stamp_ns, reason=str(error))
            self._announce(self._tracking.track(found, self._tracking.mounting(bundle)), bundle.stamp_ns)
            raise
        track = self._tracking.track(found, mounting)
        self._outputs.publish(bundle, frame, found, track, self._map.localizer.map_code, self._counts(1))
        return ""

    def _announce(self, track: Track, stamp_ns: int) -> None:
        self._outputs.announce(track, stamp_ns, self._counts(0))

    def _counts(self, in_work: int) -> Counts:
        return Counts(self._worker.processed + in_work, self._worker.dropped)

    def _use_config(self) -> None:
        self._tracking.use(self.config)
        self._map.use_config()


def main(args: list[str] | None = None) -> int:
    """Run the node; the entry point of `ros2 run cl_localization localizer`."""
    return run_nodes([LocalizerNode], args)


if __name__ == "__main__":
    leave(main())
