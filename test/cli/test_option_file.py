from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cl_localization.cli.flags import read_option_file
from cl_localization.config import LocalizerConfig, MapperConfig, flatten, with_values
from cl_localization.option_text import options_yaml


@pytest.mark.parametrize("config", [MapperConfig(scene="a: b"), LocalizerConfig()])
def test_a_written_file_is_read_back_as_the_same_config(tmp_path: Path, config: object) -> None:
    path = tmp_path / "options.yaml"
    path.write_text(options_yaml(config))
    values = read_option_file(path, [name for name, _, _ in flatten(config)])
    assert with_values(type(config)(), values) == config


def test_a_written_file_says_help_range_and_choices() -> None:
    text = options_yaml(MapperConfig())
    assert "  # Edge of the voxel cells in which codes merge [m]. From 0.0001 to 10.\n  cell_size_m: 0.02\n" in text
    assert "One of auto, cpu, cuda." in text
    assert yaml.safe_load(text)["encoder"]["name"] == "xfeat"
