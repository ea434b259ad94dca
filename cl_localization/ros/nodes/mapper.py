"""The node `mapper`: images and poses in, the map and its updates out."""

from __future__ import annotations

from functools import partial
from typing import Any

from std_srvs.srv import SetBool, Trigger

from cl_localization.errors import LocalizationError
from cl_localization.features.shared import shared_encoder
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_delta import MapDelta
from cl_localization.map.map_file import load_map
from cl_localization.mapper import Mapper
from cl_localization.ros.images.image_source import ImageBundle, ImageSource
from cl_localization.ros.mapping.given_poses import GivenPoses, Learned
from cl_localization.ros.mapping.map_saver import MapSaver
from cl_localization.ros.nerf.choice import make_nerf
from cl_localization.ros.nodes.config import MapperNodeConfig
from cl_localization.ros.nodes.managed_node import ManagedNode, answer_later, worker_service
from cl_localization.ros.nodes.mapper_diagnostics import HealthWatch, MapperDiagnostics
from cl_localization.ros.nodes.mapper_outputs import MapperOutputs
from cl_localization.ros.nodes.process import leave, run_nodes
from cl_localization.ros.nodes.status_messages import Counts
from cl_localization.ros.paths import requested
from cl_localization.ros.tf.lookup import Tf
from cl_localization.ros.workers.cpu import in_spare_time, settle_worker
from cl_localization.ros.workers.worker import Worker
from cl_localization.srv import LoadMap, SaveMap


class MapperNode(ManagedNode):
    """Maps the newest image whenever the worker is free; only the worker accesses the map."""

    def __init__(self, **kwargs: Any) -> None:
        """Declare the parameters; `kwargs` go to rclpy's node."""
        super().__init__("mapper", MapperNodeConfig(), **kwargs)

    def set_up(self) -> None:
        """Load the encoder and the map to resume, create the publishers."""
        self._settle = partial(settle_worker, self, self.config.niceness)
        self._encoder = shared_encoder(self.config.encoder)
        self._learning = self.config.learning
        self._tf = Tf(self, self.config.frames)
        self.configured.callback(self._tf.close)
        if self.config.poses.source == "self":
            from cl_localization.ros.mapping.own_poses import OwnPoses  # needs gtsam

            self._poses: OwnPoses | GivenPoses = OwnPoses(self, self._tf)
        else:
            self._poses = GivenPoses(self, self._tf)
        self._outputs = MapperOutputs(self)
        self._saver = MapSaver(self.config.map_file, self.config.autosave_keyframes,
                               lambda refine: self._worker.run(lambda: self._copy(refine)), self.report, self._settle,
                               self.config.autosave_period_s, self.get_logger().info)
        self.configured.callback(self._saver.close)
        self._nerf = make_nerf(self, self._tf.lookup)
        self._health = HealthWatch()
        self._use(*self._saver.load(self._encoder.name, self.config.map_code) if self.config.resume else (None, ""))

    def start(self) -> None:
        """Subscribe, and create services and timers."""
        config, self._diagnostics = self.config, MapperDiagnostics(self)
        self._outputs.start(lambda task: self._worker.run(task))
        learn = self._diagnostics.watch(in_spare_time(self, self._learn, self.config.niceness))
        self._worker = Worker(learn, self.report, "mapper", begin=self._settle, turn=self.turn)
        self.active.callback(self._end)
        self._nerf.start(lambda: self._learning)
        self._tf.wait_while(self.active)
        self._poses.start(self._worker)
        self._images = ImageSource(self, config.images, config.depth_images, self._on_image, self._tf.lookup)
        self.service(SaveMap, "~/save_map", answer_later(self, self._saver.serve))
        self.service(LoadMap, "~/load_map", worker_service(self, self._worker, self._on_load_map))
        self.service(Trigger, "~/reset", worker_service(self, self._worker, self._on_reset))
        self.service(SetBool, "~/set_learning", worker_service(self, self._worker, self._on_set_learning))
        self.every(config.diagnostics_period_s, self._on_diagnostics)
        self.every(self._saver.schedule.tick_s, lambda: self._saver.autosave_when_due(self._mapper.map_code))

    def _on_image(self, bundle: ImageBundle) -> None:
        self._poses.observe_arrival(bundle)
        self._worker.offer(bundle)

    def _on_load_map(self, request: LoadMap.Request, response: LoadMap.Response) -> None:
        self._use(load_map(requested(request.path), self._encoder.name, self.config.map_code))
        response.codes, response.keyframes = len(self._mapper.map_code), len(self._mapper.map_code.keyframes)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> None:
        self._use(None)

    def _on_set_learning(self, request: SetBool.Request, response: SetBool.Response) -> None:
        self._learning = request.data
        response.message = "learning" if self._learning else "not learning"

    def _on_diagnostics(self) -> None:
        others = (self._outputs, self._poses, self._nerf, self._health, self._tf)
        self._diagnostics.publish_state(self._mapper.made, self._learning, self._worker, self._images, self._saver,
                                        [part.problem for part in others])

    def _learn(self, bundle: ImageBundle) -> None:
        """Worker: map one image and publish the status."""
        learned = Learned("failed; see the log")
        try:
            learned = self._poses.learn(bundle, self._learning)
            if learned.frame is not None and learned.result is not None:
                self._nerf.observe(bundle, learned.frame, learned.result, self._mapper.map_code)
            self._health.observe(self._mapper, learned.result)
            self._saver.observe(learned.result, self._mapper.map_code)
        except LocalizationError as error:
            learned = Learned(str(error))
            raise
        finally:
            counts = Counts(self._worker.processed + 1, self._worker.dropped)
            parts = (self._saver, self._poses, self._nerf, self._health)
            self._outputs.publish_status(bundle, learned, self._learning, counts,
                                         [part.fill_status for part in parts])

    def _use(self, map_code: MapCode | None, problem: str = "") -> None:
        """Worker or set-up: continue with a map, None for a new one, and publish a snapshot of it."""
        learned = self.config.learned if self.config.codes == "learned" else None
        self._mapper = Mapper(self.config, self._encoder, None if map_code is None else map_code.fork(), learned)
        self._poses.use(self._mapper)
        self._health.use(self._mapper)
        self._outputs.use(self._mapper)
        self._saver.use_map(self._mapper.map_code, problem)
        self._nerf.use_map(self._mapper.map_code)

    def _copy(self, refine: bool) -> MapDelta:
        """Worker: return a snapshot of the map; `refine` refines it first, but only while learning is off."""
        if refine and not self._learning:
            self._poses.finish()
        self._health.examine(self._mapper)
        self._saver.note_copy()
        return self._mapper.map_code.delta_since(0)

    def _end(self) -> None:
        """Stop the worker, send the last changes, and save the map."""
        if stopped := self._worker.stop():
            self._outputs.publish_changes()
        if self.config.save_on_shutdown and not self._saver.save_last(self._mapper.map_code if stopped else None):
            self.exit_code = 1


def main(args: list[str] | None = None) -> int:
    """Run the node; the entry point of `ros2 run cl_localization mapper`."""
    return run_nodes([MapperNode], args)


if __name__ == "__main__":
    leave(main())
