"""The node `localizer`: image, camera_info and map_code in; pose, tf and status out."""

from __future__ import annotations

import time
from typing import Any

import torch
from diagnostic_msgs.msg import DiagnosticArray
from std_srvs.srv import Trigger

from cl_localization.errors import LocalizationError
from cl_localization.features import make_encoder
from cl_localization.localizer import Localizer
from cl_localization.msg import MapCode as MapCodeMessage
from cl_localization.ros import map_messages
from cl_localization.ros.conversions import stamp_ns
from cl_localization.ros.image_source import ImageBundle, ImageSource
from cl_localization.ros.localizer_outputs import Localized, LocalizerOutputs
from cl_localization.ros.managed_node import ManagedNode
from cl_localization.ros.map_stream import Followed, MapFollower
from cl_localization.ros.map_subscription import MapSubscription
from cl_localization.ros.node_config import LocalizerNodeConfig
from cl_localization.ros.process import run_nodes
from cl_localization.ros.services import worker_service
from cl_localization.ros.status_messages import Counts, diagnostics
from cl_localization.ros.tf import Tf
from cl_localization.ros.tracking_state import TrackingState
from cl_localization.ros.worker import Worker
from cl_localization.scene_coordinates.map_file import load_map
from cl_localization.srv import LoadMap


class LocalizerNode(ManagedNode):
    """Localizes the newest image whenever the worker is free; everything that touches the map happens in the worker."""

    def __init__(self, **kwargs: Any) -> None:
        """Declare the parameters; `kwargs` go to rclpy's node."""
        super().__init__("localizer", LocalizerNodeConfig(), **kwargs)

    def set_up(self) -> None:
        """Load the encoder and the map, make publishers and services."""
        if self.config.threads:
            torch.set_num_threads(self.config.threads)
        self._encoder = make_encoder(self.config.encoder)
        self._localizer: Localizer | None = None
        self._follower = MapFollower(self._encoder.name, self._encoder.dim)
        self._state = TrackingState(self.config.lost_after_s)
        self._tf = Tf(self, self.config.frames)
        self.configured.callback(self._tf.close)
        self._outputs = LocalizerOutputs(self, self._tf)
        self._diagnostics = self.publisher(DiagnosticArray, "/diagnostics")
        if self.config.map_file:
            self._load(self.config.map_file)

    def start(self) -> None:
        """Subscribe, and offer the services that need the worker."""
        self._worker: Worker[ImageBundle] = Worker(self._localize, self.report, "localizer")
        self.active.callback(self._worker.stop)
        self._images = ImageSource(self, self.config.images, "off", self._worker.offer)
        self.active.callback(self._images.close)
        if self.config.map_topic.follow:
            period_s = self.config.map_topic.resync_period_s
            self.active.callback(MapSubscription(self, self._follower, period_s, self._on_map_code).close)
        self.service(Trigger, "~/relocalize", worker_service(self, self._worker, self._on_relocalize))
        self.service(LoadMap, "~/load_map", worker_service(self, self._worker, self._on_load_map))
        self.every(self.config.diagnostics_period_s, self._on_diagnostics)

    def reconfigured(self) -> None:
        """Use new values of live parameters from the next image on."""
        self._worker.run(self._use_config)

    def _on_map_code(self, message: MapCodeMessage) -> None:
        self._worker.run(lambda: self._follow(message))

    def _on_relocalize(self, request: Trigger.Request, response: Trigger.Response) -> None:
        self._state.reset()

    def _on_load_map(self, request: LoadMap.Request, response: LoadMap.Response) -> None:
        self._load(request.path)
        map_code = self._follower.map_code
        response.codes, response.keyframes = len(map_code), len(map_code.keyframes)

    def _on_diagnostics(self) -> None:
        map_code = self._follower.map_code
        problem = self._images.problem or ("" if map_code else "no map yet: nobody publishes map_code, and map_file is empty")
        values = {"state": self._state.state.name, "images": self._images.images, "localized": self._worker.processed,
                  "dropped": self._worker.dropped, "lost in transport": self._images.lost,
                  "map": map_code.map_id if map_code else "", "map version": map_code.version if map_code else 0,
                  "codes": len(map_code) if map_code else 0}
        self._diagnostics.publish(diagnostics(self.get_fully_qualified_name(), problem, values,
                                              self.get_clock().now().nanoseconds))

    def _localize(self, bundle: ImageBundle) -> None:
        """Worker: localize one image and say what came of it."""
        counts = Counts(self._worker.processed + 1, self._worker.dropped)
        try:
            frame = bundle.frame(self.config.images.max_pixels)
            if self._localizer is None:
                self._outputs.refuse(bundle.stamp_ns, "no map yet", self._state.state, counts)
                return
            found = self._localizer.localize(frame)
        except LocalizationError as error:
            state = self._state.update(False, bundle.stamp_ns)
            self._outputs.refuse(bundle.stamp_ns, str(error), state, counts)
            raise
        state = self._state.update(found.accepted, bundle.stamp_ns)
        self._outputs.publish(Localized(bundle, frame, found, state, self._localizer.map_code, counts))

    def _follow(self, message: MapCodeMessage) -> None:
        """Worker: take one message of the map; a wrong one is logged, and the map stays as it was."""
        try:
            limits = self.config.map_topic.max_message_mb * map_messages.BYTES_PER_MB
            followed = self._follower.take(map_messages.map_delta(message, limits), stamp_ns(message.header.stamp))
        except LocalizationError as error:
            self.report(error)
            return
        if followed == Followed.REPLACED:
            self._use_map()

    def _load(self, path: str) -> None:
        """Worker or set-up: localize in the map of a file from now on."""
        started_s = time.monotonic()
        self._follower.use(load_map(path, self._encoder.name))
        self._use_map()
        self.get_logger().info(f"loaded {path}: {len(self._follower.map_code)} codes in {time.monotonic() - started_s:.1f} s")

    def _use_map(self) -> None:
        """Worker or set-up: localize in the map that the follower holds, with the config in force."""
        self._localizer = Localizer(self._follower.map_code, self.config, self._encoder)

    def _use_config(self) -> None:
        self._state.lost_after_s = self.config.lost_after_s
        if self._localizer is not None:
            self._use_map()


def main(args: list[str] | None = None) -> int:
    """Run the node; what `ros2 run cl_localization localizer` starts."""
    return run_nodes([LocalizerNode], args)


if __name__ == "__main__":
    raise SystemExit(main())
