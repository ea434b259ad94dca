"""What all tests share: the data folder, fixed seeds, quick hypothesis runs, one thread for array libraries."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
from pathlib import Path

# Read when NumPy, PyTorch and faiss are first imported, and by the processes that tests start. The arrays of tests are
# small: more threads mostly wait for each other, and on a machine with other work each of them is late.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]
DATA_VARIABLE = "CL_LOCALIZATION_DATA"
LONG_TIMEOUT_S = 7200.0

settings.register_profile("quick", max_examples=40, deadline=None, derandomize=True,
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
settings.load_profile("quick")


def pytest_configure() -> None:
    """Hear SIGINT also in a background job, which its shell lets ignore it: tests interrupt commands."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests that are long a timeout of their own; pyproject.toml has that of the others."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_S))


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Every test starts from the same global random state, though none of our code should draw from it."""
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """PyTorch runs on one thread, also where a node in this process has set more."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(autouse=True)
def log_propagates() -> None:
    """What the package logs reaches `caplog`, also after a command in this process has sent it to stderr only."""
    logging.getLogger("cl_localization").propagate = True


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of development data; tests that need it are skipped with a reason when it is not there."""
    candidates = [Path(os.environ[DATA_VARIABLE])] if DATA_VARIABLE in os.environ else []
    candidates.append(REPOSITORY.parent / "shared" / "data")
    for folder in candidates:
        if folder.is_dir():
            return folder
    pytest.skip(f"no development data: set {DATA_VARIABLE} to its folder")


@pytest.fixture(scope="session")
def kitchen_folder(data_folder: Path) -> Path:
    """The RedKitchen sequence of the development data."""
    folder = data_folder / "redkitchen" / "seq-01"
    if not folder.is_dir():
        pytest.skip(f"no RedKitchen in {data_folder.name}: redkitchen/seq-01 is missing")
    return folder
