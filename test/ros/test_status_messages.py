"""What the status messages say of the map."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from map_makers import empty_map

from cl_localization.localizer import Localization
from cl_localization.ros.status_messages import place_match


@pytest.mark.parametrize("scene, keyframe", [("ground floor", 0), ("first floor", 1), ("a scene of an older map", 1)])
def test_the_nearest_keyframe_is_one_of_the_scene(scene, keyframe) -> None:
    map_code = empty_map()
    for number, name in enumerate(("ground floor", "first floor")):
        world_T_cam = np.eye(4)
        world_T_cam[0, 3] = 1.0 - number
        map_code.add_keyframe(world_T_cam, 0, map_code.scene_number(name))
    found = Localization(5, accepted=True, world_T_cam=np.eye(4), scene=scene)
    assert place_match(found, map_code, "map").keyframe_id == keyframe
    assert map_code.scene_names == ["ground floor", "first floor"]
