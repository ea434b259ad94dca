"""Views drawn from RGB-D keyframes, without learning: their surfaces are seen from another pose, and their colours put
on these.

The depth of the view is that of the surfaces that the keyframes measured. Each of its pixels takes its colour from
the keyframes that see the same surface, those more that look at it from the same side and from as near (Buehler et al.,
Unstructured Lumigraph Rendering, SIGGRAPH 2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from cl_localization.geometry import se3
from cl_localization.geometry.camera import PIXEL_CENTRE, Camera
from cl_localization.nerf.frame_memory import FrameMemory
from cl_localization.nerf.rays import pixel_directions
from cl_localization.nerf.views import View

CANDIDATES, SOURCES = 12, 4
"""Keyframes near the view that are looked at, and those of them that it is drawn from."""

METRES_AS_RADIAN = 1.0
"""How many metres between two cameras count as much as a radian between their axes."""

PARTS, PARTS_STRIDE_PX = (8, 6), 8
"""Parts of a view along x and y; every so manieth pixel of a candidate tells which of them it shows."""

LIKE_RAD = 0.1
"""Up to this difference of direction a candidate shows a part as well as can be."""

DEPTH_TOLERANCE, DEPTH_TOLERANCE_M = 0.04, 0.04
"""A keyframe sees the same surface if its depth differs by less, as a share of the depth and in metres."""

CLEARLY_NEARER = 0.9
"""Another keyframe's surface hides that of the likest if its depth is less than this share."""

ANGLE_FLOOR = 0.02
"""Differences of direction below this [rad] count alike."""

LEAST_WEIGHT = 1e-9
SPLAT_PX = 0.75
"""A point covers the pixels whose centres are at most so far from it along x and y."""

COARSER = 0.75
"""Keyframes are reduced for views whose focal length is less than this share of theirs."""

GUESSED_PX = 8
"""Up to this distance from what is known, the picture goes on with the nearest colour."""


@dataclass(frozen=True, eq=False)
class Source:
    """A keyframe to draw from.

    Attributes:
        image: (H, W, 3) uint8.
        depth_m: (H, W) float32, without gaps; see `filled`.
    """

    camera: Camera
    world_T_cam: np.ndarray
    image: np.ndarray
    depth_m: np.ndarray


def drawn_from(memory: FrameMemory, world_T_cam: np.ndarray,
               camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return image, depth and mask of what the keyframes with depth of a memory show of a view, as `drawn`."""
    slots, poses = memory.measured_poses()
    apart = np.linalg.norm(poses[:, :3, 3] - world_T_cam[:3, 3], axis=1) / METRES_AS_RADIAN
    turned = np.arccos(np.clip(poses[:, :3, 2] @ world_T_cam[:3, 2], -1.0, 1.0))
    near = slots[np.argsort(apart + turned, kind="stable")[:CANDIDATES]]
    sources = [source_of(view, camera.fx_px) for view in memory.views(near)]
    return drawn(chosen(sources, world_T_cam, camera, SOURCES), world_T_cam, camera)


def source_of(view: View, focal_px: float) -> Source:
    """Return a keyframe to draw from, not much finer than a view of another focal length needs it."""
    own, image, depth_m = view.camera, view.image, np.asarray(view.depth, np.float32)
    share = focal_px / own.fx_px
    if share < COARSER:
        size = max(round(share * own.width_px), 2), max(round(share * own.height_px), 2)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        depth_m = np.asarray(cv2.resize(depth_m, size, interpolation=cv2.INTER_NEAREST), np.float32)
        own = own.scaled_to(*size)
    return Source(own, view.world_T_cam, image, filled(depth_m))


def drawn(sources: list[Source], world_T_cam: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return image (H, W, 3) uint8, depth (H, W) [m] and mask (H, W) of what the sources show of a view.

    Args:
        sources: the likest to the view first.
        world_T_cam: (4, 4) of a camera of any kind.
    """
    depth_m = surface_depth(sources, world_T_cam, camera)
    known = np.isfinite(depth_m)
    points = world_points(np.where(known, depth_m, np.float32(1)), camera, world_T_cam)
    to_view = points - world_T_cam[:3, 3].astype(np.float32)
    total, weights = np.zeros((*depth_m.shape, 3), np.float32), np.full(depth_m.shape, LEAST_WEIGHT, np.float32)
    for source in sources:
        colours, agrees = colours_of(source, points)
        weight = agrees * likeness(to_view, points - source.world_T_cam[:3, 3].astype(np.float32)) ** 2
        total += weight[..., None] * colours
        weights += weight
    known &= weights > 2 * LEAST_WEIGHT
    image = np.where(known[..., None], np.rint(total / weights[..., None]), 0).astype(np.uint8)
    return image, np.where(known, depth_m, np.float32(0)), known


def surface_depth(sources: list[Source], world_T_cam: np.ndarray, camera: Camera) -> np.ndarray:
    """Return the depth (H, W) of what the sources show in a view; infinite where there is none.

    It is that of the likest source, of the others where that shows nothing, or where their surface is clearly nearer:
    the nearest of all would add up the noise of all.
    """
    depth_m = np.full((camera.height_px, camera.width_px), np.inf, np.float32)
    for source in sources:
        other = nearest_depth(source, world_T_cam, camera)
        depth_m = np.where(np.isfinite(depth_m) & (other > CLEARLY_NEARER * depth_m), depth_m, other)
    return depth_m


def nearest_depth(source: Source, world_T_cam: np.ndarray, camera: Camera) -> np.ndarray:
    """Return the depth (H, W) of the nearest surface that a source shows in a view; infinite where there is none."""
    height, width = camera.height_px, camera.width_px
    depth_m = np.full((height + 1) * (width + 1), np.inf, np.float32)
    points = world_points(source.depth_m, source.camera, source.world_T_cam)[source.depth_m > 0]
    pixels, depths = in_image(points, world_T_cam, camera)
    pixels = np.clip(pixels - PIXEL_CENTRE, -2, max(width, height) + 1)
    first, last = (np.ceil(pixels - SPLAT_PX).astype(np.int32), np.floor(pixels + SPLAT_PX).astype(np.int32))
    for x, y in ((first[:, 0], first[:, 1]), (last[:, 0], first[:, 1]), (first[:, 0], last[:, 1]),
                 (last[:, 0], last[:, 1])):
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (depths > 0)
        np.minimum.at(depth_m, y[inside] * (width + 1) + x[inside], depths[inside])
    return closed(depth_m.reshape(height + 1, width + 1)[:height, :width])


def closed(depth_m: np.ndarray) -> np.ndarray:
    """Return a depth map (H, W) with gaps of a pixel filled from their neighbours."""
    known, around = np.isfinite(depth_m), np.ones((3, 3), np.uint8)
    gaps = (cv2.morphologyEx(known.astype(np.uint8), cv2.MORPH_CLOSE, around) > 0) & ~known
    return np.where(gaps, cv2.erode(depth_m, around, borderValue=np.inf), depth_m)


def colours_of(source: Source, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the colours (H, W, 3) of world points (H, W, 3) in a source, and the mask (H, W) of those it sees."""
    pixels, depths = in_image(points.reshape(-1, 3), source.world_T_cam, source.camera)
    shape: tuple[int, ...] = points.shape[:2]
    nothing: Any = None  # the stubs want a second map, which one of two channels has no use for
    where, depths = (pixels - np.float32(PIXEL_CENTRE)).reshape(*shape, 2), depths.reshape(shape)
    measured = cv2.remap(source.depth_m, where, nothing, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
    colours = cv2.remap(source.image, where, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    agrees = np.abs(measured - depths) < DEPTH_TOLERANCE * depths + DEPTH_TOLERANCE_M
    return colours, agrees & (depths > 0) & (measured > 0)


def likeness(to_view: np.ndarray, to_source: np.ndarray) -> np.ndarray:
    """Return how much alike two cameras see points, (H, W): vectors (H, W, 3) from each to them."""
    view, source = np.linalg.norm(to_view, axis=-1), np.linalg.norm(to_source, axis=-1)
    cosine = (to_view * to_source).sum(axis=-1) / (view * source + 1e-9)
    coarser = np.maximum(source / (view + 1e-9) - 1.0, 0.0)
    return 1.0 / (2.0 * (1.0 - np.minimum(cosine, 1.0)) + coarser**2 + ANGLE_FLOOR**2)


def in_image(points: np.ndarray, world_T_cam: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (N, 2) and depths (N,) of world points (N, 3); pixels of points behind the camera mean nothing."""
    cam_T_world = se3.inverse(world_T_cam).astype(np.float32)
    x, y, z = (points @ cam_T_world[:3, :3].T + cam_T_world[:3, 3]).T
    near = np.where(z > 0, z, np.float32(1))
    if camera.distortion_model != "none":
        return camera.project(np.stack([x, y, near], axis=1)).astype(np.float32), z
    return np.stack([np.float32(camera.fx_px) * x / near + np.float32(camera.cx_px),
                     np.float32(camera.fy_px) * y / near + np.float32(camera.cy_px)], axis=1), z


def world_points(depth_m: np.ndarray, camera: Camera, world_T_cam: np.ndarray) -> np.ndarray:
    """Return the world points (H, W, 3) float32 of a depth map (H, W)."""
    points = depth_m[..., None] * pixel_directions(camera).astype(np.float32).reshape(*depth_m.shape, 3)
    return points @ world_T_cam[:3, :3].T.astype(np.float32) + world_T_cam[:3, 3].astype(np.float32)


def chosen(sources: list[Source], world_T_cam: np.ndarray, camera: Camera, count: int) -> list[Source]:
    """Return the sources that together show most of a view, one after the other, the likest first."""
    shows = np.array([parts_shown(source, world_T_cam, camera) for source in sources])
    picked: list[int] = []
    shown = np.zeros(shows.shape[1])
    for _ in range(min(count, len(sources))):
        gains = (shows * np.exp(-shown)).sum(axis=1)
        gains[picked] = -1.0
        picked.append(int(gains.argmax()))
        shown += shows[picked[-1]]
    return [sources[number] for number in picked]


def parts_shown(source: Source, world_T_cam: np.ndarray, camera: Camera) -> np.ndarray:
    """Return how well a source shows each of the parts of a view, (P,) from 0 to 1."""
    stride = (slice(PARTS_STRIDE_PX // 2, None, PARTS_STRIDE_PX),) * 2
    points = world_points(source.depth_m, source.camera, source.world_T_cam)[stride][source.depth_m[stride] > 0]
    pixels, depths = in_image(points, world_T_cam, camera)
    inside = (depths > 0) & camera.contains(pixels)
    alike = likeness(*(points[inside] - centre[:3, 3].astype(np.float32)
                       for centre in (world_T_cam, source.world_T_cam)))
    columns, rows = (pixels[inside] * PARTS / (camera.width_px, camera.height_px)).astype(int).T
    numbers, count = rows * PARTS[0] + columns, PARTS[0] * PARTS[1]
    hits = np.bincount(numbers, minlength=count)
    return np.bincount(numbers, weights=np.minimum(LIKE_RAD**2 * alike, 1.0), minlength=count) / np.maximum(hits, 1)


def went_on(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return an image (H, W, 3) that goes on a little beyond what is known (H, W), with the nearest colours blurred."""
    if known.all() or not known.any():
        return image
    distances, labels = cv2.distanceTransformWithLabels((~known).astype(np.uint8), cv2.DIST_L2, 5,
                                                        labelType=cv2.DIST_LABEL_PIXEL)
    nearest = cv2.blur(_of_labels(image, known, labels), (GUESSED_PX + 1,) * 2)
    return np.where((~known & (distances <= GUESSED_PX))[..., None], nearest, image)


def filled(depth_m: np.ndarray) -> np.ndarray:
    """Return a depth map (H, W) with its gaps (0) filled by the depth of the nearest measured pixel."""
    known = depth_m > 0
    if known.all() or not known.any():
        return depth_m
    _, labels = cv2.distanceTransformWithLabels((~known).astype(np.uint8), cv2.DIST_L2, 5,
                                                labelType=cv2.DIST_LABEL_PIXEL)
    return _of_labels(depth_m, known, labels)


def _of_labels(values: np.ndarray, known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return values (H, W, ...) at the known pixel that each pixel is nearest to."""
    of_label = np.zeros((int(labels.max()) + 1, *values.shape[2:]), values.dtype)
    of_label[labels[known]] = values[known]
    return of_label[labels]
