from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cl_localization.cli import option_file
from cl_localization.cli.flags import range_text
from cl_localization.cli.option_file import option_file_text, read_option_file
from cl_localization.config import LocalizerConfig, MapperConfig, flatten, with_values
from cl_localization.errors import ConfigError


@pytest.mark.parametrize("config", [MapperConfig(scene="a: b"), LocalizerConfig()])
def test_a_written_file_is_read_back_as_the_same_config(tmp_path: Path, config: object) -> None:
    path = tmp_path / "options.yaml"
    path.write_text(option_file_text(config, range_text))
    values = read_option_file(path, [name for name, _, _ in flatten(config)])
    assert with_values(type(config)(), values) == config


def test_a_written_file_says_help_range_and_choices() -> None:
    text = option_file_text(MapperConfig(), range_text)
    assert "  # Edge of the voxel cells in which codes merge [m]. From 0.0001 to 10.\n  cell_size_m: 0.02\n" in text
    assert "One of auto, cpu, cuda." in text
    assert yaml.safe_load(text)["encoder"]["name"] == "xfeat"


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: [", "must be YAML"),
        ("- a", "must hold option names with values, found list"),
        ("", "must hold option names with values, found NoneType"),
        ("!!python/object:os.system {}", "must be YAML"),
    ],
)
def test_what_is_no_mapping_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_option_file(tmp_path / "a.yaml", [])


def test_a_binary_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="must be a readable text file"):
        read_option_file(tmp_path / "a.yaml", [])


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(option_file, "MAX_BYTES", 2)
    (tmp_path / "a.yaml").write_text("a: 1")
    with pytest.raises(ConfigError, match="must be smaller than 2 bytes, found 4"):
        read_option_file(tmp_path / "a.yaml", ["a"])
