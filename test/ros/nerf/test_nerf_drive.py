"""A drive through the simulated room, with a radiance field that is learned as it comes, in node processes as on a
robot."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import MappingStatus
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from cl_localization.data import open_sequence
from cl_localization.data.bag_writer import write_bag
from cl_localization.data.message_images import rgb_of
from cl_localization.nerf.compositing import psnr_db
from cl_localization.ros import conversions
from ros_processes import Processes
from ros_world import RosWorld, wait_until

DRIVE_S, SHOWN_S = 90.0, 15.0


def likeness_db(shown: Image, seen: Image) -> float:
    image = rgb_of(shown, "image")
    truth = cv2.resize(rgb_of(seen, "image"), image.shape[1::-1], interpolation=cv2.INTER_AREA)
    return psnr_db(torch.from_numpy(image / 255), torch.from_numpy(truth / 255))


def processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.long
@pytest.mark.parametrize("nerf", [True, False], ids=["with the field", "without"])
def test_a_robot_shows_the_room_it_drives_through(ros: RosWorld, processes: Processes, tmp_path: Path,
                                                  nerf: bool) -> None:
    write_bag(open_sequence("sim:3?rooms=1&frames=100&hz=10"), tmp_path / "bag")
    seen: dict[int, Image] = {}
    shown: dict[int, Image] = {}

    def keep(images: dict[int, Image]) -> Any:
        return lambda image: images.__setitem__(conversions.stamp_ns(image.header.stamp), image)

    ros.node.create_subscription(Image, "image", keep(seen), qos_profile_sensor_data)
    if nerf:
        ros.node.create_subscription(Image, "/mapper/nerf/image", keep(shown), 10)
    statuses = ros.heard(MappingStatus, "/mapper/status")
    processes.log = tmp_path / "log.txt"
    mapper = processes.start("mapper", "-r", "pose:=ground_truth", "-p", "poses.source:=pose", "-p",
                             f"nerf.enabled:={str(nerf).lower()}")
    processes.start("sequence_player", "-p", f"sequence:={tmp_path / 'bag'}", "-p", "loop:=true", "-p",
                    "wait_for_subscribers:=2")
    wait_until(lambda: statuses)
    began_s, spent_s = time.time(), processor_s(mapper.pid)
    wait_until(lambda: time.time() - began_s > DRIVE_S, DRIVE_S + 60.0)
    spent_s, last = processor_s(mapper.pid) - spent_s, statuses[-1]
    print(f"\n{last.keyframes} keyframes, {last.frames_processed} images learned from or seen, {last.frames_dropped} "
          "dropped, "
          f"{spent_s / DRIVE_S:.2f} s of processor time a second; field: {last.nerf_keyframes} keyframes, "
          f"{last.nerf_steps} steps, "
          f"{last.nerf_bytes / 1e6:.0f} MB")
    if nerf:
        age_db = [(stamp / 1e9 - began_s, likeness_db(image, seen[stamp])) for stamp,
                  image in sorted(shown.items()) if stamp in seen]
        means = [np.mean([one for age, one in age_db if begin <= age < begin + SHOWN_S])
                 for begin in np.arange(0, DRIVE_S, SHOWN_S)]
        print("PSNR of the views shown, by quarters of a minute [dB]: " + ", ".join(f"{mean:.1f}" for mean in means))
        assert last.nerf_steps > 0 and means[-1] > means[0]
