"""The simulator inside a shop's own process: what a socket would raise is raised there as well."""

from pathlib import Path

import pytest
from werkzeug.test import Client

from spayon_flask.simulator import ConnectionCutError, Simulator
from spayon_flask.testing import connect
from tests.kept import dispose
from tests.shop import make_shop

CUTS = ("drop_before", "drop_after", "truncated")
CREDENTIALS = {"client_id": "simulator-client", "client_secret": "simulator-secret"}


@pytest.mark.parametrize("kind", CUTS)
def test_a_cut_line_is_raised_out_of_the_app(kind: str) -> None:
    """As a class that a program can catch, and that is a `ConnectionError`."""
    sim = Simulator()
    client = Client(sim.app)
    sim.fault(kind, on="tokens")

    with pytest.raises(ConnectionCutError):
        client.post("/api/tokens", json=CREDENTIALS)

    assert client.post("/api/tokens", json=CREDENTIALS).status_code == 200


@pytest.mark.parametrize("kind", CUTS)
def test_a_checkout_over_a_cut_line_fails_as_it_would_over_a_socket(
    kind: str, tmp_path: Path
) -> None:
    """The payer is asked to try again, and the next try works.

    A call is repeated once if no byte of an answer came.
    """
    shop = make_shop(f"sqlite:///{tmp_path / 'shop.db'}")
    simulator = connect(shop.app)
    shop.add_order()
    simulator.fault(kind, on="sessions", times=1 if kind == "truncated" else 2)
    browser = shop.app.test_client()

    assert browser.post("/pay/checkout/A1").status_code == 503
    created = {"drop_before": 0, "drop_after": 2, "truncated": 1}
    assert simulator.sessions.created == created[kind]
    assert browser.post("/pay/checkout/A1").status_code == 303
    dispose(shop)
