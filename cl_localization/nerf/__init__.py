"""Neural radiance fields that go on learning: offline in tasks, online in chunks of frames."""
