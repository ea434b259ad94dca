"""The node `mapper`: images with poses in, the growing map out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from std_srvs.srv import SetBool, Trigger

from cl_localization.errors import LocalizationError, MapError
from cl_localization.features import make_encoder
from cl_localization.mapper import Mapper
from cl_localization.ros.image_source import ImageBundle, ImageSource
from cl_localization.ros.managed_node import ManagedNode
from cl_localization.ros.map_stream import MapStream
from cl_localization.ros.mapper_outputs import MapperOutputs
from cl_localization.ros.node_config import MapperNodeConfig
from cl_localization.ros.pose_source import make_pose_source
from cl_localization.ros.process import run_nodes
from cl_localization.ros.services import worker_service
from cl_localization.ros.status_messages import Counts
from cl_localization.ros.tf import Tf
from cl_localization.ros.worker import Worker
from cl_localization.scene_coordinates.map_code import MapCode
from cl_localization.scene_coordinates.map_file import load_map, save_map
from cl_localization.srv import LoadMap, SaveMap

SHOW_PERIOD_S = 1.0


class MapperNode(ManagedNode):
    """Learns from the newest image whenever the worker is free; everything that touches the map happens in the worker."""

    def __init__(self, **kwargs: Any) -> None:
        """Declare the parameters; `kwargs` go to rclpy's node."""
        super().__init__("mapper", MapperNodeConfig(), **kwargs)

    def set_up(self) -> None:
        """Load the encoder and the map to resume, make publishers."""
        if self.config.threads:
            torch.set_num_threads(self.config.threads)
        self._encoder = make_encoder(self.config.encoder)
        self._learning = self.config.learning
        self._tf = Tf(self, self.config.frames)
        self.configured.callback(self._tf.close)
        self._outputs = MapperOutputs(self)
        resumes = self.config.resume and Path(self.config.map_file).is_file()
        self._use(load_map(self.config.map_file, self._encoder.name) if resumes else None)
        self._saved_version = self._mapper.map_code.version

    def start(self) -> None:
        """Subscribe, and offer the services that need the worker."""
        config = self.config
        self.active.callback(self._save_at_the_end)
        self._worker: Worker[ImageBundle] = Worker(self._learn, self.report, "mapper")
        self.active.callback(self._worker.stop)
        self._poses = make_pose_source(self, self._tf.lookup, config.frames, config.poses)
        self.active.callback(self._poses.close)
        self._images = ImageSource(self, config.images, config.depth_images, self._worker.offer)
        self.active.callback(self._images.close)
        for kind, name, work in ((SaveMap, "save_map", self._on_save_map), (LoadMap, "load_map", self._on_load_map),
                                 (Trigger, "reset", self._on_reset), (SetBool, "set_learning", self._on_set_learning)):
            self.service(kind, f"~/{name}", worker_service(self, self._worker, work))
        self.every(max(config.map_code_period_s, 0.01), lambda: self._worker.run(lambda: self._outputs.publish_changes(self._stream)))
        self.every(SHOW_PERIOD_S, lambda: self._worker.run(lambda: self._outputs.show(self._mapper.map_code)))
        self.every(config.diagnostics_period_s, self._on_diagnostics)
        if config.autosave_period_s and config.map_file:
            self.every(config.autosave_period_s, lambda: self._worker.run(self._autosave))

    def _on_save_map(self, request: SaveMap.Request, response: SaveMap.Response) -> None:
        response.path = self._save(request.path or self.config.map_file)
        response.bytes = Path(response.path).stat().st_size

    def _on_load_map(self, request: LoadMap.Request, response: LoadMap.Response) -> None:
        self._use(load_map(request.path, self._encoder.name))
        response.codes, response.keyframes = len(self._mapper.map_code), len(self._mapper.map_code.keyframes)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> None:
        self._use(None)

    def _on_set_learning(self, request: SetBool.Request, response: SetBool.Response) -> None:
        self._learning = request.data
        response.message = "learning" if self._learning else "not learning"

    def _on_diagnostics(self) -> None:
        map_code = self._mapper.map_code
        self._outputs.publish_diagnostics(self._images.problem, {
            "learning": self._learning, "images": self._images.images, "processed": self._worker.processed,
            "dropped": self._worker.dropped, "lost in transport": self._images.lost, "map": map_code.map_id,
            "map version": map_code.version, "codes": len(map_code), "keyframes": len(map_code.keyframes),
            "map bytes": map_code.size_bytes})

    def _learn(self, bundle: ImageBundle) -> None:
        """Worker: learn from one image and say what came of it."""
        result, reason = None, "failed; see the log"
        try:
            result = self._mapper.add(self._posed(bundle)) if self._learning else None
            reason = "learning is off" if result is None else result.reason
        except LocalizationError as error:
            reason = str(error)
            raise
        finally:
            counts = Counts(self._worker.processed + 1, self._worker.dropped)
            self._outputs.publish_status(bundle, result, reason, self._learning, self._mapper.map_code, counts)

    def _posed(self, bundle: ImageBundle) -> Any:
        frame = bundle.frame(self.config.images.max_pixels)
        return replace(frame, world_T_cam=self._poses.map_T_cam(bundle.camera_frame, bundle.image.header.stamp))

    def _use(self, map_code: MapCode | None) -> None:
        """Worker or set-up: learn into a map from now on, a new one for None, and tell followers of all of it."""
        self._mapper = Mapper(self.config, self._encoder, map_code)
        self._stream = MapStream(self._mapper.map_code)

    def _save(self, path: str) -> str:
        """Worker: write the map with the last refinement in it."""
        if not path:
            raise MapError("path of the map", "must be given", repr(path), "fill in path, or set the parameter map_file")
        self._mapper.finish()
        save_map(self._mapper.map_code, path)
        self._saved_version = self._mapper.map_code.version
        self.get_logger().info(f"saved {len(self._mapper.map_code)} codes to {path}")
        return path

    def _autosave(self) -> None:
        """Worker: save if there is something new; a failure is logged and tried again next time."""
        if self._mapper.map_code.version == self._saved_version:
            return
        try:
            self._save(self.config.map_file)
        except MapError as error:
            self.report(error)

    def _save_at_the_end(self) -> None:
        """After the worker has ended."""
        if self.config.save_on_shutdown and self.config.map_file:
            self._autosave()


def main(args: list[str] | None = None) -> int:
    """Run the node; what `ros2 run cl_localization mapper` starts."""
    return run_nodes([MapperNode], args)


if __name__ == "__main__":
    raise SystemExit(main())
