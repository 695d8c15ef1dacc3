"""What a test needs of the machine: skipped without it, failed if everything must run."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test for want of *what*; under `.ci/run`, fail it."""
    if os.environ.get("SPAYON_TESTS_MUST_RUN"):
        pytest.fail(f"{what} is missing, and here every test must run")

    pytest.skip(f"{what} is missing on this machine")
