"""What goes into training and tests of place recognition is checked here, once."""

from __future__ import annotations

from cl_localization.errors import DataError


def checked_length(sequence_length: int, images: int, thing: str) -> int:
    """Return the sequence length L if there are that many images.

    Raises:
        DataError: L is below 1 or larger than the number of images.
    """
    if sequence_length < 1:
        raise DataError("sequence length", "must be at least 1", sequence_length)
    if images < sequence_length:
        raise DataError(thing, f"must have at least {sequence_length} images in a row for that sequence length", images,
                        "choose a shorter sequence length or a longer traverse")
    return sequence_length


def checked_width(width: int, wanted: int, thing: str) -> int:
    """Return the width of descriptors if a model takes it.

    Raises:
        DataError: it takes another.
    """
    if width != wanted:
        raise DataError(thing, f"must be {wanted} numbers wide for this model", width,
                        "describe images as the model was trained")
    return width
