"""Options of a field that are not given: from the checkpoint to go on from, or for streams; and which of them may
change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cl_localization.cli.flags import read_option_file
from cl_localization.config import flatten
from cl_localization.errors import ConfigError
from cl_localization.research.nerf_cl.options import STREAM_VALUES, NerfConfig

if TYPE_CHECKING:
    from cl_localization.research.nerf_cl.field_file import Checkpoint

KEPT = ("field", "background", "near", "far", "render.", "voxel.", "mlp.")
"""Options (by the beginnings of their names) that stay those of the checkpoint unless others are given."""

FIXED = ("field", "background", "voxel.voxels", "voxel.upsample_at", "voxel.growth", "voxel.harmonics", "mlp.")
"""Those of them that a field has for good."""

FINE = "render.importance_samples"
"""With none of these there is no fine network, and there is one for good with any."""

CHECKPOINT_FLAG, FILE_FLAG, STREAM_FLAG = "--ckpt-path", "--config", "--online-mode"


def with_field_options(words: list[str]) -> list[str]:
    """Return the words of a command line with the options of the field that it does not give: of its checkpoint, or
    such as suit streams.

    Raises:
        ConfigError: an option file that cannot be read.
        DataError: a checkpoint that cannot be read.
    """
    values: dict[str, object] = dict(STREAM_VALUES) if STREAM_FLAG in words else {}
    path = _value_of(words, CHECKPOINT_FLAG)
    if path is not None and Path(path).is_file():  # what is missing is said where the checkpoint is needed
        from cl_localization.research.nerf_cl.field_file import checkpoint_config

        values |= {name: value for name, value, _ in flatten(checkpoint_config(Path(path))) if name.startswith(KEPT)}
    if not values:
        return words
    file = _value_of(words, FILE_FLAG)
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    if file is not None:
        given |= {_flag(name) for name in read_option_file(Path(file), [name for name, _, _ in flatten(NerfConfig())])}
    return [*words, *(word for name, value in values.items() if _flag(name) not in given
                      for word in _words(_flag(name), value))]


def go_on_with(checkpoint: Checkpoint, config: NerfConfig) -> None:
    """Take other options for what follows.

    Raises:
        ConfigError: an option that a field has for good is another one.
    """
    from cl_localization.nerf.voxel_field import VoxelField

    old = {name: value for name, value, _ in flatten(checkpoint.config)}
    for name, value, _ in flatten(config):
        changed = value != old[name] if name.startswith(FIXED) else name == FINE and bool(value) != bool(old[name])
        if changed:
            raise ConfigError(f"option {name}", f"must stay that of the checkpoint, {old[name]!r}", repr(value),
                              "leave it out, or train from the start without --ckpt_path")
    checkpoint.config = config
    if isinstance(checkpoint.field, VoxelField):
        checkpoint.field.take(config.voxel, config.far)
    else:
        checkpoint.field.take(config)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _words(flag: str, value: object) -> list[str]:
    """Return the words that give an option a value; a flag that is not set is not said."""
    return ([flag] if value else []) if isinstance(value, bool) else [flag, str(value)]


def _value_of(words: list[str], flag: str) -> str | None:
    """Return the last value of a flag, None where it is not given."""
    pairs = [(word, following) for word, following in zip(words, [*words[1:], ""])]
    values = [following for word, following in pairs if word == flag and following]
    return ([word.partition("=")[2] for word, _ in pairs if word.startswith(flag + "=")] or values or [None])[-1]
