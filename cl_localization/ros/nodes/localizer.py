"""The node `localizer`: image, camera_info and map_code in; pose, tf and status out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from std_srvs.srv import Trigger

from cl_localization.features.shared import shared_encoder
from cl_localization.mapping.audit.health import part_problem
from cl_localization.ros.images.image_source import ImageSource
from cl_localization.ros.map_topic.map_in_use import MapInUse
from cl_localization.ros.map_topic.map_subscription import MAP_TOPIC, MapSubscription, mappers_on_topic
from cl_localization.ros.nodes.config import LocalizerNodeConfig
from cl_localization.ros.nodes.diagnostics import NodeDiagnostics
from cl_localization.ros.nodes.localizer_outputs import LocalizerOutputs
from cl_localization.ros.nodes.managed_node import ManagedNode, worker_service
from cl_localization.ros.nodes.pose_stream import PoseStream
from cl_localization.ros.nodes.process import leave, run_nodes
from cl_localization.ros.paths import requested
from cl_localization.ros.tf.lookup import Tf
from cl_localization.ros.tf.tracking import Tracking
from cl_localization.srv import LoadMap
from cl_localization.tracking.tracker import State, Track


class LocalizerNode(ManagedNode):
    """Gives every image a pose, see `PoseStream`, in the map that it loads or follows."""

    def __init__(self, **kwargs: Any) -> None:
        """Declare the parameters; `kwargs` go to rclpy's node."""
        super().__init__("localizer", LocalizerNodeConfig(), **kwargs)
        self._stream: PoseStream | None = None

    def set_up(self) -> None:
        """Load the encoder and the map, create the publishers."""
        self._tf = Tf(self, self.config.frames)
        self.configured.callback(self._tf.close)
        self._outputs = LocalizerOutputs(self)
        self._tracking = Tracking(self, self._tf, self._announce)
        self._map = MapInUse(self, shared_encoder(self.config.encoder), self._outputs.initial, self._on_other_map)
        map_file = self.config.map_file
        begins_beside_mapper = self.shares_process and self.config.map_topic.follow and not Path(map_file).exists()
        if map_file and not begins_beside_mapper:  # the mapper, given the same map_file, will make it
            self._map.load(map_file)

    def start(self) -> None:
        """Subscribe, and create services and timers."""
        self._diagnostics = NodeDiagnostics(self)
        self._stream = PoseStream(self, self._tracking, self._map, self._outputs, self._diagnostics)
        self._tf.wait_while(self.active)
        self.reconfigure()
        self._tracking.forget("the node starts")
        self._outputs.initial.listen(self._tf.lookup)
        self._images = ImageSource(self, self.config.images, self.config.depth_images, self._stream.offer,
                                   self._tf.lookup)
        worker = self._stream.map_worker
        if self.config.map_topic.follow:
            maps = MapSubscription(self, self._map.follower, self.config.map_topic, worker, self._map.use)
            self._tracking.is_owned_elsewhere = lambda: maps.mapper_owns_tf
        self.service(Trigger, "~/relocalize", worker_service(self, self._stream.light_worker, self._on_relocalize))
        self.service(LoadMap, "~/load_map", worker_service(self, worker, self._on_load_map))
        self.every(self.config.diagnostics_period_s, self._on_diagnostics)
        self._tracking.start()

    def reconfigure(self) -> None:
        """Use new values of live parameters from the next image on."""
        if self._stream is not None:
            self._stream.light_worker.run(self._stream.use_config)
            self._stream.map_worker.run(self._map.use_config)

    def _on_relocalize(self, request: Trigger.Request, response: Trigger.Response) -> None:
        self._stream.forget("the service relocalize was called")

    def _on_load_map(self, request: LoadMap.Request, response: LoadMap.Response) -> None:
        self._map.load(requested(request.path))
        if self.config.map_topic.follow and mappers_on_topic(self):
            self.get_logger().warning(f"map {request.path}: a mapper publishes {MAP_TOPIC}, and its next change takes "
                                      "the place of this map; end the mapper, or set map_topic.follow to false")
        map_code = self._map.map_code
        response.codes, response.keyframes = len(map_code), len(map_code.keyframes)

    def _on_other_map(self) -> None:
        """Map worker: forget poses in the old map, after those that were found before."""
        def forget() -> None:
            self._stream.forget("another map is used")
            self._outputs.forget_path()

        self._stream.light_worker.run(forget)

    def _on_diagnostics(self) -> None:
        stream, problems = self._stream, [self._images.problem, self._map.problem, self._map.calibration_problem,
                                           self._tracking.problem]
        if self._tracking.state != State.LOST:
            problems.append(part_problem(self._map.map_code, self._outputs.scene))
        if not self._tracking.is_owned_elsewhere():  # a mapper that took over still seems to compete for some seconds
            problems.append(self._tf.problem)
        self._diagnostics.publish(problems, {
            "images": self._images.images, "processed": stream.answered, "localized fully": stream.map_worker.processed,
            "carried by flow": stream.carried, "dropped": stream.dropped, "lost in transport": self._images.lost},
            self._map.map_code, {"state": self._tracking.state.name, "waiting": stream.waiting,
                                 "image delay [s]": self._images.delay_s})

    def _announce(self, track: Track, stamp_ns: int) -> None:
        self._stream.announce(track, stamp_ns)


def main(args: list[str] | None = None) -> int:
    """Run the node; the entry point of `ros2 run cl_localization localizer`."""
    return run_nodes([LocalizerNode], args)


if __name__ == "__main__":
    leave(main())
