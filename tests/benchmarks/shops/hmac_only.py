"""Flask that verifies the signature and no more: what a rejected callback costs at least."""

from flask import Flask

from tests.benchmarks.shops.receiver import add_callback

application = Flask(__name__)
add_callback(application, record=None)


def create() -> None:
    """Make nothing: this shop has no database."""


def fill(first: int, count: int) -> None:
    """Open nothing, for the same reason."""
