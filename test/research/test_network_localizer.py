from __future__ import annotations

import numpy as np

from cl_localization.research.network_localizer import NetworkLocalizer
from cl_localization.research.plain_pose import PlainPose
from data.makers import MadeSequence


def test_a_plain_pose_is_accepted_and_none_is_not() -> None:
    frame = MadeSequence(1)[0]
    found = NetworkLocalizer(lambda frame: PlainPose(np.eye(4), 12)).localize(frame)
    assert found.accepted and found.inliers == 12 and np.array_equal(found.world_T_cam,
                                                                     np.eye(4)) and found.covariance is None
    lost = NetworkLocalizer(lambda frame: PlainPose(None, 0)).localize(frame)
    assert not lost.accepted and lost.world_T_cam is None and lost.reason == "no pose agrees with the predicted points"
