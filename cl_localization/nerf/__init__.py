"""Radiance fields with continual learning: offline in tasks, online in chunks of frames."""
