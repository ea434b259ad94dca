"""NeRF-CL: radiance fields that learn in tasks or from a stream, with what it does against forgetting."""
