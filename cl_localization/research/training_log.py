"""Where the figures of training go: TensorBoard, where it is installed."""

from __future__ import annotations

from pathlib import Path

from cl_localization.errors import ConfigError


class TensorboardLog:
    """Writes figures as event files that `tensorboard --logdir` shows; use as a context.

    Raises:
        ConfigError: the package tensorboard is missing.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError("package tensorboard", "is missing",
                              remedy="pip install 'cl_localization[train]'") from error
        self._writer = SummaryWriter(str(folder))

    def __call__(self, epoch: int, figures: dict[str, float]) -> None:
        """Write the figures of an epoch."""
        for name, value in figures.items():
            self._writer.add_scalar(name.replace("@", "_at_"), value, epoch)

    def __enter__(self) -> TensorboardLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
