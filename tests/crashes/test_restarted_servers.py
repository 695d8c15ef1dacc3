"""The database server crashes in the middle of a transaction, and comes back."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import dispose
from tests.crashes.private import PrivateMariaDB
from tests.crashes.private import PrivatePostgreSQL
from tests.crashes.private import PrivateServer
from tests.reports import report
from tests.shop import make_shop


@pytest.fixture(params=[PrivatePostgreSQL, PrivateMariaDB], ids=["postgresql", "mariadb"])
def private(request: pytest.FixtureRequest) -> Iterator[PrivateServer]:
    """A server that nobody else uses."""
    # Not below pytest's own folder, which other users, such as `postgres`, cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="spayon-"))
    server: PrivateServer = request.param(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


class TestRestartedServers:
    """Written and not committed is not written; committed is."""

    def test_a_crash_of_the_server_in_the_handler_costs_nothing(
        self, private: PrivateServer
    ) -> None:
        shop = make_shop(private.url)
        shop.add_order()
        shop.add_payment()

        def crash(*_: object) -> None:
            shop.db.session.flush()

            if len(shop.handled) == 1:
                private.crash()

        shop.handle = crash

        assert shop.deliver(report()) == 200
        assert shop.deliver(report()) == 200

        assert len(shop.handled) == 2
        assert shop.paid_times() == 1
        assert shop.payment().status == "paid"

        # And what was acknowledged outlives a crash.
        private.crash()
        dispose(shop)
        assert shop.deliver(report()) == 200
        assert len(shop.handled) == 2
        assert shop.paid_times() == 1
        dispose(shop)
