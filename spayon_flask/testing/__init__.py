"""Testing: help for a shop's own tests.

As a pytest plugin it is asked for with `pytest_plugins = ["spayon_flask.testing"]`, and works on
the fixture `app` of the shop. `connect` and `Payer` do the same for an app that no fixture gives,
and need no pytest.

PYTEST_DONT_REWRITE: nothing here asserts, and a conftest may import from here before pytest has
read its `pytest_plugins`, of which pytest would warn.
"""

from contextlib import suppress

from .callbacks import happens, happens_once, post_callback
from .payer import Payer, connect

# Without pytest there are no fixtures.
with suppress(ImportError):
    from .payer import spayon_payer, spayon_simulator


__all__ = [
    "Payer",
    "connect",
    "happens",
    "happens_once",
    "post_callback",
    "spayon_payer",
    "spayon_simulator",
]
