"""Figures of a training go to TensorBoard, whose absence is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from cl_localization.errors import ConfigError
from cl_localization.research.training_log import TensorboardLog


def test_figures_go_to_tensorboard_under_names_that_it_takes(tmp_path: Path) -> None:
    with TensorboardLog(tmp_path) as log:
        log(0, {"recall@5": 0.5, "val/psnr_r": 20.0})
    content = next(tmp_path.glob("events*")).read_bytes()
    assert b"recall_at_5" in content and b"val/psnr_r" in content


def test_a_missing_tensorboard_is_an_error_that_says_what_to_install(tmp_path: Path,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"package tensorboard is missing; pip install 'cl_localization\[train\]'"):
        TensorboardLog(tmp_path)
