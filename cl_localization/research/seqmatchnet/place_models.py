"""What `train seqmatchnet` and `test seqmatchnet` share: ranges, models by name, descriptors with progress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cl_localization.cli.progress import tracked
from cl_localization.errors import ConfigError
from cl_localization.research.run_folders import model_in

if TYPE_CHECKING:
    from cl_localization.research.seqmatchnet.describer import Describer
    from cl_localization.research.seqmatchnet.model_file import PlaceModel
    from cl_localization.research.seqmatchnet.options import ImageDescriptorConfig
    from cl_localization.research.seqmatchnet.training import DescribedPair
    from cl_localization.research.seqmatchnet.traverse import TraversePair

RAW, MODEL_FILE = "raw", "model.safetensors"


def parse_range(text: str) -> tuple[int, int]:
    """Return begin and end of "BEGIN:END"; an end left out is that of the traverse.

    Raises:
        ConfigError: another text.
    """
    begin, colon, end = text.partition(":")
    try:
        numbers = int(begin or 0), int(end or 2**31 - 1)
    except ValueError:
        numbers = (0, 0)
    if not colon or not 0 <= numbers[0] < numbers[1]:
        raise ConfigError("range", "must be BEGIN:END with 0 <= BEGIN < END", repr(text), "for example 0:2000")
    return numbers


def open_model(name: str, pair: TraversePair, raw: ImageDescriptorConfig, pooling: str = "") -> PlaceModel:
    """Return the model that a word names: a file, a run folder, or "raw" for descriptors without any network.

    Args:
        pair: what is compared.
        raw: how images are described without a network.
        pooling: what is done with raw descriptors; empty for sequence matching.

    Raises:
        EncoderError: the file cannot be read.
    """
    from cl_localization.research.seqmatchnet.describer import Describer
    from cl_localization.research.seqmatchnet.model_file import PlaceModel, load_model
    from cl_localization.research.seqmatchnet.network import PlaceNetwork
    from cl_localization.research.seqmatchnet.options import LEARNED, NetworkConfig

    if name != RAW:
        return with_pooling(load_model(model_in(Path(name), MODEL_FILE)), pooling)
    if pooling in LEARNED:
        raise ConfigError("option pooling", "must be one without parameters for raw descriptors", pooling,
                          "give a trained --model")
    describer = Describer(raw)
    if pair.database.read is not None and raw.kind == "vlad":
        describer.learn(pair.database.read(index) for index in range(len(pair.database)))
    network = PlaceNetwork(NetworkConfig(pooling=pooling or "single+seqmatch"), 1)
    return PlaceModel(network.eval(), raw, pair.database.descriptors is not None, describer.vocabulary)


def with_pooling(model: PlaceModel, pooling: str) -> PlaceModel:
    """Return a model that pools in another way with the same weights: SeqNet of single images and sequence matching can
    change places.

    Raises:
        ConfigError: the weights are for something else.
    """
    from dataclasses import replace

    from cl_localization.research.seqmatchnet.network import PlaceNetwork
    from cl_localization.research.seqmatchnet.options import LEARNED

    network = model.network
    if pooling in ("", network.config.pooling):
        return model
    if pooling not in LEARNED or network.kernel_images != 1 or network.transform is None:
        raise ConfigError("option pooling", f"must be that of the model, {network.config.pooling}", pooling,
                          "leave it out")
    changed = PlaceNetwork(replace(network.config, pooling=pooling, w=1), network.in_dims, network.image_shape)
    changed.load_state_dict(network.state_dict())
    return replace(model, network=changed.eval())


def describe_with_progress(pair: TraversePair, describer: Describer) -> DescribedPair:
    """Return a pair with its descriptors while progress is shown."""
    from cl_localization.research.seqmatchnet.training import describe_pair

    def watched(indices: Iterable[int]) -> Iterator[int]:
        return tracked(indices, len(pair.database), "describing images", "images")

    return describe_pair(pair, describer, watched)
