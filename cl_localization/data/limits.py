"""Bounds on files that somebody else made: a wrong or hostile one ends in an error, not in a full memory."""

from __future__ import annotations

MAX_IMAGE_PIXELS = 100_000_000
"""Largest image, width times height."""

MAX_IMAGE_BYTES = 500_000_000
"""Largest encoded image file or message."""

MAX_TEXT_BYTES = 100_000_000
"""Largest text or JSON file."""

MAX_YAML_BYTES, MAX_YAML_DEPTH = 1_000_000, 30
"""Largest YAML file, and how far it may be nested: calibrations and metadata are small."""

MAX_FRAMES = 1_000_000
"""Most frames in one sequence."""
