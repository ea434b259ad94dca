"""A small synthetic scene in NeRF's own format: coloured balls on white, seen from all around."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np

from cl_localization.geometry.camera import Camera
from cl_localization.geometry.robot_pose import OPENGL_T_OPENCV
from cl_localization.nerf.views import View
from cl_localization.research.nerf_cl.paths import looking_at

ANGLE_X = 0.7
RADIUS = 4.0
BALLS = (((0.0, 0.0, 0.0), 0.6, (200, 60, 40)), ((0.6, 0.5, 0.3), 0.4, (40, 90, 200)),
         ((-0.5, -0.6, 0.2), 0.35, (60, 180, 70)))


def ball_image(world_T_cam: np.ndarray, side_px: int) -> np.ndarray:
    """Return (H, W, 4) uint8 BGRA of the balls, clear around them."""
    focal_px = 0.5 * side_px / math.tan(0.5 * ANGLE_X)
    rows, columns = np.indices((side_px, side_px)) + 0.5
    rays = np.stack([(columns - side_px / 2) / focal_px, (rows - side_px / 2) / focal_px, np.ones_like(rows)], axis=-1)
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True) @ world_T_cam[:3, :3].T
    image, nearest = np.zeros((side_px, side_px, 4), np.uint8), np.full((side_px, side_px), np.inf)
    for centre, radius, colour in BALLS:
        offset = np.array(centre) - world_T_cam[:3, 3]
        along = rays @ offset
        inside = radius ** 2 - (offset @ offset - along ** 2)
        hit = (inside > 0) & (along - np.sqrt(np.maximum(inside, 0)) < nearest)
        nearest = np.where(hit, along - np.sqrt(np.maximum(inside, 0)), nearest)
        image[hit] = (*colour[::-1], 255)
    return image


def world_T_cams(count: int, seed: int) -> list[np.ndarray]:
    """Return poses around the balls, half of them at x > 0."""
    rng = np.random.default_rng(seed)
    poses = []
    for number in range(count):
        azimuth = rng.uniform(-1.3, 1.3) + math.pi * (number % 2)
        height = rng.uniform(0.1, 0.8)
        centre = RADIUS * np.array([math.cos(azimuth) * math.cos(height), math.sin(azimuth) * math.cos(height),
                                    math.sin(height)])
        poses.append(looking_at(centre, np.zeros(3)))
    return poses


def write_scene(root: Path, views: dict[str, int] | None = None, side_px: int = 16, *, alpha: bool = True) -> Path:
    """Write `transforms_<split>.json` and images with so many views a split."""
    for seed, (split, count) in enumerate((views or {"train": 12, "val": 4, "test": 4}).items()):
        frames = []
        (root / split).mkdir(parents=True)
        for number, world_T_cam in enumerate(world_T_cams(count, seed)):
            image = ball_image(world_T_cam, side_px)
            cv2.imwrite(str(root / split / f"r_{number}.png"), image if alpha else image[..., :3])
            frames.append({"file_path": f"./{split}/r_{number}",
                           "transform_matrix": (world_T_cam @ OPENGL_T_OPENCV).tolist()})
        (root / f"transforms_{split}.json").write_text(json.dumps({"camera_angle_x": ANGLE_X, "frames": frames}))
    return root


def ball_camera(side_px: int) -> Camera:
    """Return the camera of the images."""
    focal_px = 0.5 * side_px / math.tan(0.5 * ANGLE_X)
    return Camera(side_px, side_px, focal_px, focal_px, side_px / 2, side_px / 2)


ROOM_HALF_SIZE = np.array([2.0, 1.5, 1.2])


def room_views(count: int, side_px: int, seed: int = 0) -> list[View]:
    """Return views with depth from inside a box whose walls are coloured smoothly."""
    rng, camera, views = np.random.default_rng(seed), ball_camera(side_px), []
    rows, columns = np.indices((side_px, side_px)) + 0.5
    rays = np.stack([(columns - camera.cx_px) / camera.fx_px, (rows - camera.cy_px) / camera.fy_px, np.ones_like(rows)],
                    axis=-1)
    for number in range(count):
        azimuth = 0.3 * number
        centre = 0.2 * rng.uniform(-1, 1, 3)
        world_T_cam = looking_at(centre, centre + [math.cos(azimuth), math.sin(azimuth), 0.0])
        world = rays @ world_T_cam[:3, :3].T
        depth = ((np.sign(world) * ROOM_HALF_SIZE - centre) / world).min(axis=-1).astype(np.float32)
        points = centre + depth[..., None] * world
        image = np.clip(128 + 50 * np.sin(2.0 * points) + 20 * points, 0, 255).astype(np.uint8)
        views.append(View(f"{number:06d}", camera, world_T_cam, image, depth))
    return views


def write_frames(folder: Path, count: int) -> Path:
    """Write frames of the room in the layout of 7-Scenes, 64x48, depth as given by the colour camera itself."""
    for view in room_views(count, 64):
        stem = f"frame-{view.name}"
        cv2.imwrite(str(folder / f"{stem}.color.png"), np.zeros((480, 640, 3), np.uint8)
                    + cv2.resize(view.image, (640, 480)))
        cv2.imwrite(str(folder / f"{stem}.depth.png"), (1000 * cv2.resize(view.depth, (640, 480))).astype(np.uint16))
        np.savetxt(folder / f"{stem}.pose.txt", view.world_T_cam)
    return folder
