"""Fixtures of every suite."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_logs() -> Path:
    """The folder of real logs: ``WATCHFLOOR_TEST_DATA``, else ``../shared/data`` beside the repository."""
    folder = Path(os.environ.get("WATCHFLOOR_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the collection of real logs is not on this machine (set WATCHFLOOR_TEST_DATA)")
    return folder
