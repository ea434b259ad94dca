"""What the status messages say of a localized image."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.localization.result import Localization
from cl_localization.places.place_index import Place
from cl_localization.ros.nodes.status_messages import Counts, localization_status, place_match
from cl_localization.tracking.tracker import State, Track
from map_makers import empty_map


@pytest.mark.parametrize("trusted", [True, False])
def test_a_place_is_accepted_with_a_trusted_pose_only(trusted) -> None:
    found = Localization(5 * 10**9, accepted=True, world_T_cam=np.eye(4), place=Place("first floor", 7, 0.5))
    message = place_match(found, trusted, "map")
    assert (message.scene, message.keyframe_id, message.accepted) == ("first floor", 7, trusted)
    assert (
        message.score == pytest.approx(1 - 0.5 * 0.5**2)
        and message.header.frame_id == "map"
        and message.header.stamp.sec == 5
    )


def test_the_status_says_whether_place_and_pose_agree() -> None:
    found = Localization(5, accepted=True, world_T_cam=np.eye(4),
                         place_check="the last images look like scene a, the pose lies in b")
    status = localization_status(found, Track(State.LOST, False, "one pose"), empty_map(), "map", 0.1, Counts())
    assert status.place_check == found.place_check
