"""One rendered scene in the layouts of many tools, each with its own convention of pixels, axes and units."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from cl_localization.data import Frame, open_sequence
from cl_localization.data.camera_file import write_camera_yaml
from cl_localization.data.export import depth_to_mm
from cl_localization.data.trajectory import write_trajectory
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import inverse, to_quaternion
from data.makers import make_pose, write_image

OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
LEFT_PX, TOP_PX, SQUEEZED = 16, 8, 0.9
STEP_NS = 100_000_000
BODY_T_CAM = make_pose(77)


def rendered_frames(count: int = 3) -> list[Frame]:
    """Return small frames of a simulated room; see `without_symmetry`."""
    return without_symmetry(open_sequence(f"sim:7?rooms=1&size=160x120&frames={count}"))


def without_symmetry(sequence: Iterable[Frame]) -> list[Frame]:
    """Return frames as of a camera that has no symmetry: cropped, and squeezed by a tenth in height."""
    frames = []
    for index, frame in enumerate(sequence):
        height, width = frame.image.shape[0] - TOP_PX, frame.image.shape[1] - LEFT_PX
        squeezed = round(SQUEEZED * height) // 2 * 2
        scale = squeezed / height
        image = cv2.resize(frame.image[TOP_PX:, LEFT_PX:], (width, squeezed), interpolation=cv2.INTER_AREA)
        depth_m = cv2.resize(frame.depth_m[TOP_PX:, LEFT_PX:], (width, squeezed), interpolation=cv2.INTER_NEAREST)
        camera = Camera(width, squeezed, frame.camera.fx_px, frame.camera.fy_px * scale,
                        frame.camera.cx_px - LEFT_PX, (frame.camera.cy_px - TOP_PX) * scale)
        frames.append(Frame(index * STEP_NS, image, camera, np.round(depth_m, 3), frame.world_T_cam,
                            name=f"{index:06d}"))
    return frames


def position_and_quaternion(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return position and quaternion x y z w of a pose; NaN where one of its numbers is."""
    return to_quaternion(pose) if np.isfinite(pose).all() else (np.full(3, np.nan), np.full(4, np.nan))


def half_depth(frame: Frame) -> np.ndarray:
    """Return depth of half the size, in whole millimetres: the mean of four pixels that all see something."""
    height, width = frame.depth_m.shape
    four = frame.depth_m.reshape(height // 2, 2, width // 2, 2).swapaxes(1, 2).reshape(height // 2, width // 2, 4)
    return np.where(four.min(axis=2) > 0, np.round(four.mean(axis=2), 3), 0).astype(np.float32)


def _images(folder: Path, frames: list[Frame], pattern: str = "{:06d}.png") -> list[Path]:
    paths = [folder / pattern.format(index) for index in range(len(frames))]
    for path, frame in zip(paths, frames):
        write_image(path, frame.image)
    return paths


def _depths(folder: Path, frames: list[Frame], pattern: str = "{:06d}.png") -> None:
    for index, frame in enumerate(frames):
        write_image(folder / pattern.format(index), depth_to_mm(frame.depth_m))


def colmap_text(place: Path, frames: list[Frame]) -> Path:
    """Write `sparse/0` as text, and `images/`."""
    camera = frames[0].camera
    _images(place / "images", frames)
    (place / "sparse" / "0").mkdir(parents=True)
    (place / "sparse" / "0" / "cameras.txt").write_text(
        f"# cameras\n1 PINHOLE {camera.width_px} {camera.height_px} {camera.fx_px} {camera.fy_px} {camera.cx_px} "
        f"{camera.cy_px}\n")
    lines = ["# images"]
    for number, frame in reversed(list(enumerate(frames, start=1))):
        position, (x, y, z, w) = position_and_quaternion(inverse(frame.world_T_cam))
        numbers = " ".join(repr(float(value)) for value in (w, x, y, z, *position))
        lines += [f"{number} {numbers} 1 {frame.name}.png", "1.5 2.5 -1" if number == 1 else ""]
    (place / "sparse" / "0" / "images.txt").write_text("\n".join(lines) + "\n")
    return place


def colmap_binary(place: Path, frames: list[Frame]) -> Path:
    """Write a model of COLMAP's binary files and images beside it; return the model's own folder."""
    camera, model = frames[0].camera, place / "model"
    _images(place / "images", frames)
    model.mkdir()
    (model / "cameras.bin").write_bytes(
        struct.pack("<QiiQQ4d", 1, 7, 1, camera.width_px, camera.height_px, camera.fx_px, camera.fy_px, camera.cx_px,
                    camera.cy_px))
    data = struct.pack("<Q", len(frames))
    for number, frame in enumerate(frames, start=1):
        position, (x, y, z, w) = position_and_quaternion(inverse(frame.world_T_cam))
        data += struct.pack("<i7di", number, w, x, y, z, *position, 7) + f"{frame.name}.png".encode() + b"\0"
        data += struct.pack("<Q", 2) + struct.pack("<ddqddq", 1, 2, -1, 3, 4, 5)
    (model / "images.bin").write_bytes(data)
    return model


def euroc(place: Path, frames: list[Frame]) -> Path:
    """Write `mav0` with a camera that stands anywhere on the body whose poses are written."""
    camera, folder = frames[0].camera, place / "mav0" / "cam0"
    lines, truth = ["#timestamp [ns],filename"], ["#timestamp, p_RS_R_x, ... q_RS_w, q_RS_x ..., v, b"]
    for frame in frames:
        stamp = 1403636579763555584 + frame.stamp_ns
        write_image(folder / "data" / f"{stamp}.png", frame.image)
        lines.append(f"{stamp},{stamp}.png")
        position, (x, y, z, w) = position_and_quaternion(frame.world_T_cam @ inverse(BODY_T_CAM))
        truth.append(",".join(map(repr, map(float, (*position, w, x, y, z, 0, 0, 0, 0, 0, 0, 0, 0, 0)))))
        truth[-1] = f"{stamp}," + truth[-1]
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    (folder / "sensor.yaml").write_text(
        "sensor_type: camera\nT_BS:\n  cols: 4\n  rows: 4\n  data: "
        f"{[float(value) for value in BODY_T_CAM.ravel()]}\nrate_hz: 20\n"
        f"resolution: [{camera.width_px}, {camera.height_px}]\ncamera_model: pinhole\n"
        f"intrinsics: [{camera.fx_px}, {camera.fy_px}, {camera.cx_px - 0.5}, {camera.cy_px - 0.5}]\n"
        "distortion_model: radial-tangential\ndistortion_coefficients: [0.0, 0.0, 0.0, 0.0]\n")
    (place / "mav0" / "state_groundtruth_estimate0").mkdir()
    (place / "mav0" / "state_groundtruth_estimate0" / "data.csv").write_text("\n".join(truth) + "\n")
    return place


def ace(place: Path, frames: list[Frame]) -> Path:
    """Write `train/` with a matrix a frame, and registered depth."""
    _images(place / "train" / "rgb", frames)
    _depths(place / "train" / "depth", frames)
    for kind in ("poses", "calibration"):
        (place / "train" / kind).mkdir()
    for frame in frames:
        np.savetxt(place / "train" / "poses" / f"{frame.name}.txt", frame.world_T_cam)
        np.savetxt(place / "train" / "calibration" / f"{frame.name}.txt", frame.camera.matrix)
    return place


def kitti(place: Path, frames: list[Frame]) -> Path:
    """Write `sequences/07` whose colour camera stands 6 cm beside camera 0, and `poses/07.txt` of camera 0."""
    folder, camera = place / "sequences" / "07", frames[0].camera
    _images(folder / "image_2", frames)
    cam2_T_cam0 = np.eye(4)
    cam2_T_cam0[:3, 3] = [0.06, 0.001, -0.002]
    projection = camera.opencv_matrix @ cam2_T_cam0[:3]
    first = np.column_stack([camera.opencv_matrix, np.zeros(3)])
    (folder / "calib.txt").write_text("\n".join(
        f"P{number}: " + " ".join(repr(float(value)) for value in matrix.ravel())
        for number, matrix in enumerate((first, first, projection, projection))) + "\n")
    (folder / "times.txt").write_text("\n".join(f"{frame.stamp_ns / 1e9:e}" for frame in frames) + "\n")
    (place / "poses").mkdir()
    np.savetxt(place / "poses" / "07.txt", [(frame.world_T_cam @ cam2_T_cam0)[:3].ravel() for frame in frames])
    return folder


def record3d(place: Path, frames: list[Frame]) -> Path:
    """Write `metadata.json` with K by columns, `rgb/` and half-size float `depth/` as TIFF."""
    _images(place / "rgb", frames, "{}.png")
    (place / "depth").mkdir()
    poses = []
    for index, frame in enumerate(frames):
        cv2.imwrite(str(place / "depth" / f"{index}.tiff"), half_depth(frame))
        position, quat_xyzw = position_and_quaternion(frame.world_T_cam @ OPENGL)
        poses.append([*quat_xyzw, *position])
    camera = frames[0].camera
    (place / "metadata.json").write_text(json.dumps(
        {"w": camera.width_px, "h": camera.height_px, "K": camera.matrix.T.ravel().tolist(), "fps": 10,
         "poses": poses}))
    return place


def r3d(place: Path, frames: list[Frame], compress: Callable[[bytes], bytes] | None = None) -> Path:
    """Write what an unpacked `.r3d` holds: everything in `rgbd/`, depth compressed by LZFSE."""
    lzfse = pytest.importorskip("lzfse")
    record3d(place, frames)
    (place / "rgb").rename(place / "rgbd")
    (place / "metadata.json").rename(place / "metadata")
    shutil.rmtree(place / "depth")
    for index, frame in enumerate(frames):
        depth_m = np.where(half_depth(frame) > 0, half_depth(frame), np.float32(np.nan))
        (place / "rgbd" / f"{index}.depth").write_bytes((compress or lzfse.compress)(depth_m.tobytes()))
    return place


def polycam(place: Path, frames: list[Frame]) -> Path:
    """Write `keyframes/` with corrected images and cameras, and half-size depth in millimetres."""
    for index, frame in enumerate(frames):
        stem, camera = f"{1000 + index * 100_000}", frame.camera
        write_image(place / "keyframes" / "corrected_images" / f"{stem}.png", frame.image)
        write_image(place / "keyframes" / "depth" / f"{stem}.png", depth_to_mm(half_depth(frame)))
        (place / "keyframes" / "corrected_cameras").mkdir(exist_ok=True)
        matrix = frame.world_T_cam @ OPENGL
        (place / "keyframes" / "corrected_cameras" / f"{stem}.json").write_text(json.dumps(
            {"fx": camera.fx_px, "fy": camera.fy_px, "cx": camera.cx_px, "cy": camera.cy_px, "width": camera.width_px,
             "height": camera.height_px, "timestamp": int(stem),
             **{f"t_{row}{column}": matrix[row, column] for row in range(3) for column in range(4)}}))
    return place


def scannet(place: Path, frames: list[Frame]) -> Path:
    """Write an exported scan whose depth camera is the colour camera."""
    _images(place / "color", frames, "{}.png")
    _depths(place / "depth", frames, "{}.png")
    (place / "pose").mkdir()
    (place / "intrinsic").mkdir()
    matrix = np.eye(4)
    matrix[:3, :3] = frames[0].camera.opencv_matrix
    for name in ("color", "depth"):
        np.savetxt(place / "intrinsic" / f"intrinsic_{name}.txt", matrix)
    for index, frame in enumerate(frames):
        np.savetxt(place / "pose" / f"{index}.txt", frame.world_T_cam)
    return place


def three_d_match(place: Path, frames: list[Frame]) -> Path:
    """Write 3DMatch's `seq-01` with `camera-intrinsics.txt` above it."""
    _images(place / "seq-01", frames, "frame-{:06d}.color.png")
    _depths(place / "seq-01", frames, "frame-{:06d}.depth.png")
    np.savetxt(place / "camera-intrinsics.txt", frames[0].camera.opencv_matrix)
    for index, frame in enumerate(frames):
        np.savetxt(place / "seq-01" / f"frame-{index:06d}.pose.txt", frame.world_T_cam)
    return place / "seq-01"


def bundle_fusion(place: Path, frames: list[Frame]) -> Path:
    """Write BundleFusion's frames with `info.txt` beside them."""
    _images(place, frames, "frame-{:06d}.color.png")
    _depths(place, frames, "frame-{:06d}.depth.png")
    matrix = np.eye(4)
    matrix[:3, :3] = frames[0].camera.opencv_matrix
    numbers = " ".join(repr(float(value)) for value in matrix.ravel())
    camera = frames[0].camera
    (place / "info.txt").write_text("".join(
        f"m_{side}Width = {camera.width_px}\nm_{side}Height = {camera.height_px}\n" for side in ("color", "depth"))
        + f"m_depthShift = 1000\nm_calibrationColorIntrinsic = {numbers}\nm_calibrationDepthIntrinsic = {numbers}\n")
    for index, frame in enumerate(frames):
        np.savetxt(place / f"frame-{index:06d}.pose.txt", frame.world_T_cam)
    return place


def eth3d(place: Path, frames: list[Frame]) -> Path:
    """Write TUM's layout as ETH3D does: `associations.txt`, `calibration.txt`, depth of 1/5000 m."""
    _images(place / "rgb", frames)
    for index, frame in enumerate(frames):
        write_image(place / "depth" / f"{index:06d}.png", (5 * depth_to_mm(frame.depth_m)).astype(np.uint16))
    (place / "associations.txt").write_text("".join(
        f"{frame.stamp_ns / 1e9:.6f} depth/{frame.name}.png {frame.stamp_ns / 1e9:.6f} rgb/{frame.name}.png\n"
        for frame in frames))
    camera = frames[0].camera
    (place / "calibration.txt").write_text(f"{camera.fx_px} {camera.fy_px} {camera.cx_px - 0.5} {camera.cy_px - 0.5}\n")
    write_trajectory(place / "groundtruth.txt", ((frame.stamp_ns, frame.world_T_cam) for frame in frames))
    return place


def openloris(place: Path, frames: list[Frame]) -> Path:
    """Write OpenLORIS-Scene's package: poses of a robot, intrinsics fx cx fy cy, depth 1 ms after its image."""
    _images(place / "color", frames)
    _depths(place / "aligned_depth", frames)
    for kind, late_ns in (("color", 0), ("aligned_depth", 1_000_000)):
        (place / f"{kind}.txt").write_text("#stamp file\n" + "".join(
            f"{(frame.stamp_ns + late_ns) / 1e9:.6f} {kind}/{frame.name}.png\n" for frame in frames))
    camera = frames[0].camera
    (place / "sensors.yaml").write_text(
        f"%YAML:1.0\nd400_color_optical_frame:\n   sensor_type: camera\n   width: {camera.width_px}\n"
        f"   height: {camera.height_px}\n   model: pinhole\n   intrinsics: !!opencv-matrix\n      rows: 1\n"
        f"      cols: 4\n      dt: d\n      data: [ {camera.fx_px}, {camera.cx_px - 0.5},\n          {camera.fy_px}, "
        f"{camera.cy_px - 0.5} ]\n   distortion_model: radial-tangential\n"
        "   distortion_coefficients: !!opencv-matrix\n      rows: 1\n      cols: 5\n      dt: d\n"
        "      data: [ 0., 0., 0., 0., 0. ]\n")
    (place / "trans_matrix.yaml").write_text("%YAML:1.0\ntrans_matrix:\n" + "".join(
        f"   -\n      parent_frame: {parent}\n      child_frame: {child}\n      matrix: !!opencv-matrix\n"
        f"         rows: 4\n         cols: 4\n         dt: d\n         data: {matrix.ravel().tolist()}\n"
        for parent, child, matrix in (("base_link", "laser", np.eye(4)),
                                      ("base_link", "d400_color_optical_frame", BODY_T_CAM))))
    poses = (np.concatenate(position_and_quaternion(frame.world_T_cam @ inverse(BODY_T_CAM))) for frame in frames)
    np.savetxt(place / "groundtruth.txt", [[frame.stamp_ns / 1e9, *pose] for frame, pose in zip(frames, poses)])
    return place


def nerf_capture(place: Path, frames: list[Frame]) -> Path:
    """Write `transforms.json` with depth as `.npy` in metres, half the size of the images."""
    _images(place / "images", frames)
    (place / "depth").mkdir()
    camera, entries = frames[0].camera, []
    for frame in frames:
        np.save(place / "depth" / f"{frame.name}.npy", half_depth(frame))
        entries.append({"file_path": f"images/{frame.name}.png", "depth_path": f"depth/{frame.name}.npy",
                        "transform_matrix": (frame.world_T_cam @ OPENGL).tolist()})
    (place / "transforms.json").write_text(json.dumps(
        {"fl_x": camera.fx_px, "fl_y": camera.fy_px, "cx": camera.cx_px, "cy": camera.cy_px, "w": camera.width_px,
         "h": camera.height_px, "frames": entries}))
    return place


def image_folder(place: Path, frames: list[Frame]) -> Path:
    """Write images, `camera.yaml` and `poses.txt`."""
    _images(place, frames)
    write_camera_yaml(frames[0].camera, place / "camera.yaml")
    write_trajectory(place / "poses.txt", ((frame.stamp_ns, frame.world_T_cam) for frame in frames))
    return place


NO_DEPTH, FULL_DEPTH, HALF_DEPTH = "no depth", "depth", "depth of half the size"
LAYOUTS = {"colmap_text": (colmap_text, "colmap", NO_DEPTH), "colmap_binary": (colmap_binary, "colmap", NO_DEPTH),
           "euroc": (euroc, "euroc", NO_DEPTH), "ace": (ace, "ace", FULL_DEPTH), "kitti": (kitti, "kitti", NO_DEPTH),
           "record3d": (record3d, "record3d", HALF_DEPTH), "polycam": (polycam, "polycam", HALF_DEPTH),
           "scannet": (scannet, "scannet", FULL_DEPTH), "3dmatch": (three_d_match, "7scenes", FULL_DEPTH),
           "bundle_fusion": (bundle_fusion, "12scenes", FULL_DEPTH), "eth3d": (eth3d, "tum", FULL_DEPTH),
           "openloris": (openloris, "openloris", FULL_DEPTH),
           "nerf_capture": (nerf_capture, "transforms", HALF_DEPTH), "images": (image_folder, "images", NO_DEPTH)}
"""Writers by name, with the format that they are and the depth that they keep."""
