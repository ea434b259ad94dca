from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cl_localization.errors import DataError
from cl_localization.evaluation.result_file import read_errors

POSE = [0, 0, 0, 0, 0, 0, 1]


def write(path: Path, records: list[dict]) -> Path:
    path.write_text(json.dumps({"per_frame": records}))
    return path


def record(accepted: bool, truth: list | None, estimate: list | None, error_m: float | None, stamp_ns: int) -> dict:
    return {"accepted": accepted, "stamp_ns": stamp_ns, "true_world_T_cam": truth, "world_T_cam": estimate,
            "translation_error_m": error_m, "rotation_error_deg": error_m}


def test_poses_and_errors_come_back_frame_by_frame(tmp_path: Path) -> None:
    series = read_errors(write(tmp_path / "kitchen.json", [
        record(True, POSE, [0.02, 0, 0, 0, 0, 0, 1], 0.02, 10**18), record(False, POSE, None, None, 10**18 + 5 * 10**8),
        record(True, None, POSE, None, 10**18 + 10**9)]))
    assert series.name == "kitchen"
    assert series.accepted.tolist() == [True, False] and series.times_s.tolist() == [0.0, 0.5]
    assert series.translation_errors_cm[0] == pytest.approx(2.0) and np.isnan(series.translation_errors_cm[1])
    assert series.world_T_cam[0, 0, 3] == 0.02 and np.isnan(series.world_T_cam[1]).all()
    np.testing.assert_array_equal(series.true_world_T_cam, np.tile(np.eye(4), (2, 1, 1)))


@pytest.mark.parametrize("text", ['{"frames": 3}', '{"per_frame": [{"accepted": true}]}'])
def test_a_file_without_records_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(DataError, match="must hold the records of an evaluation"):
        read_errors(tmp_path / "bad.json")


def test_records_without_true_poses_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must hold frames with ground truth"):
        read_errors(write(tmp_path / "a.json", []))
