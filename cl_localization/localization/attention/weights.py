"""Weights of the attention network, read from a safetensors file; nothing is run from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cl_localization.config import with_values
from cl_localization.data.network_file import NetworkFile, with_prefix
from cl_localization.errors import EncoderError, LocalizationError, MapError
from cl_localization.localization.attention.network import SparseNetwork
from cl_localization.localization.attention.options import AttentionNetworkConfig

PACKAGED = Path(__file__).with_name("small.safetensors")
"""Weights for maps of XFeat, trained on simulated rooms; docs/continual.md says how to make them again."""

FILE = NetworkFile("cl_localization_attention", "weights", remedy="make it with `train attention`")
NETWORK, OPTIONS = "network.", "network."
"""What the names of weights, and of the options of the network, begin with in a file."""


@dataclass(frozen=True, eq=False)
class AttentionWeights:
    """A pre-trained network, and the name of the encoder whose features it takes."""

    network: SparseNetwork
    encoder: str


def load_weights(path: Path) -> AttentionWeights:
    """Read the weights of the sparse form.

    Raises:
        EncoderError: no such file, another kind of file, truncated, of another version, or with parts that do not fit
            together.
        MapError: the network is not of the sparse form.
    """
    arrays, header = FILE.read_arrays(path)
    try:
        values = {name.removeprefix(OPTIONS): value for name,
                  value in header["config"].items() if name.startswith(OPTIONS)}
        config = with_values(AttentionNetworkConfig(), values)
        if config.form != "sparse":
            raise MapError(f"weights {path}", "must be of the form sparse to read a grown map", config.form,
                           "codes are tried with `test attention`")
        network = SparseNetwork(int(header["dim"]), config, with_prefix(arrays, NETWORK))
        return AttentionWeights(network, str(header["encoder"]))
    except MapError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, LocalizationError) as error:
        raise EncoderError(f"weights {path}", "must have parts that fit together", " ".join(str(error).split())[:200],
                           "train it again") from error
