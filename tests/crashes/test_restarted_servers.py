"""The database server crashes in the middle of a transaction, and comes back."""

import pytest

from tests.crashes.private import PrivateServer
from tests.kept import dispose
from tests.reports import report
from tests.shop import make_shop

pytestmark = pytest.mark.thorough


class TestRestartedServers:
    """Written and not committed is not written; committed is."""

    def test_a_crash_of_the_server_in_the_handler_costs_nothing(
        self, private: PrivateServer
    ) -> None:
        shop = make_shop(private.url)
        shop.add_pending()

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
