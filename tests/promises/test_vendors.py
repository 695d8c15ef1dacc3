"""Every promise for a shop with many vendors: nothing of one vendor touches another."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cachelib import SimpleCache
from flask import render_template_string, url_for
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import event

from spayon_flask import (
    AuthenticationError,
    ConfigError,
    Credentials,
    Order,
    Settings,
    UnknownVendorError,
    signals,
)
from spayon_flask.client import Client
from spayon_flask.reconcile import Step
from spayon_flask.testing import Payer, connect
from tests.gateway import Gateway, Says
from tests.kept import dispose
from tests.promises.helpers import at_once, fail, reconcile
from tests.reports import report
from tests.vendors import Market, know_vendors, make_market

PAID = report("S1", orderId="A1")
ORDER = Order(order_id="A9", product_name="Tea", price=Decimal(1000), currency="AMD")


def _no_database(*_: object) -> None:
    """Stand for a database that is away."""
    raise sqlite3.OperationalError("unable to open database file")


@contextmanager
def _open(scripted: Gateway, database_url: str, *vendors: str, **options: Any) -> Iterator[Market]:
    """A market with these vendors, whom the gateway knows."""
    know_vendors(scripted)
    market = make_market(database_url, scripted.url, **options)
    market.add(*vendors)
    yield market
    dispose(market)  # type: ignore[arg-type]  # what is disposed of has the same names


@pytest.fixture
def market(database_url: str, scripted: Gateway) -> Iterator[Market]:
    """A market with the vendors ani and aram, on each of the three databases."""
    with _open(scripted, database_url, "ani", "aram") as market:
        yield market


@pytest.fixture
def small(scripted: Gateway) -> Iterator[Market]:
    """The same on SQLite alone, for what touches no table of its own."""
    with _open(scripted, "sqlite://", "ani", "aram") as market:
        yield market


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """A file of SQLite: what comes meanwhile has a connection of its own there."""
    return f"sqlite:///{tmp_path / 'market.db'}"


def _both_are_due(market: Market) -> None:
    """Begin a payment with each vendor, and let the time come to ask about it."""
    market.begin("ani")
    market.begin("aram")
    market.clock.step(120)


def _a_session_for_each_order(gateway: Gateway, _: str) -> Says:
    order = json.loads(gateway.call.body)["order_id"]
    says = {"session_id": f"S{order[1:]}", "session_url": f"{gateway.url}/pay/{order}"}
    return Says(json.dumps(says).encode())


def _ask_before_loading(market: Market, ask: Callable[[str], object]) -> None:
    """Call *ask* with the vendor's name ahead of each look at its credentials."""
    accounts = market.app.extensions["spayon"]["vendors"]
    load = accounts._load

    def load_after(vendor: str) -> Credentials | None:
        ask(vendor)
        found: Credentials | None = load(vendor)
        return found

    accounts._load = load_after


# The same order ids and the same ids of payment sessions: nothing crosses.


@pytest.mark.always
def test_a_payment_of_one_vendor_pays_nothing_of_another(market: Market) -> None:
    assert [market.begin("ani"), market.begin("aram")] == [303, 303]

    assert market.deliver("ani", PAID) == 200

    assert market.statuses() == {"vendors/ani": ["paid"], "vendors/aram": ["pending"]}
    assert market.paid == [("ani", "A1")]

    # Nor does its secret forge a callback of another.
    assert market.deliver("aram", PAID, secret="ani") == 401
    assert market.statuses()["vendors/aram"] == ["pending"]


def test_callbacks_of_all_vendors_at_once_have_one_effect_each(market: Market) -> None:
    _both_are_due(market)
    calls = [partial(market.deliver, vendor, PAID) for vendor in ("ani", "aram") * 4]

    assert at_once(calls) == [200] * 8
    assert sorted(market.paid) == [("ani", "A1"), ("aram", "A1")]


def test_reconcile_asks_for_every_vendor_with_the_vendor_s_own_token(
    market: Market, scripted: Gateway
) -> None:
    tokens: list[str] = []

    def answer(session_id: str) -> Says:
        tokens.append(scripted.call.token)
        return Says(report(session_id, orderId="A1"))

    scripted.statuses = answer
    _both_are_due(market)

    assert reconcile(market).changed == {"paid": 2}
    assert sorted(tokens) == ["token-ani-secret-ani", "token-aram-secret-aram"]


def test_lists_and_how_an_order_stands_are_told_for_one_vendor(market: Market) -> None:
    market.begin("ani")

    with market.app.app_context():
        ours = market.spayon.payment_of("A1", vendor="ani")
        theirs = market.spayon.payment_of("A1", vendor="aram")

    assert (ours and ours.vendor, theirs) == ("ani", None)

    market.deliver("ani", PAID)
    market.begin("aram")
    assert "A1" in market.flask("payments", "--vendor", "ani", "--status", "paid").output
    assert "A1" not in market.flask("payments", "--vendor", "aram", "--status", "paid").output


# Credentials come from the shop's own database, and hold from the next call on.


def test_one_token_serves_a_vendor_for_the_hour(small: Market, scripted: Gateway) -> None:
    buy, bought = scripted.tokens, []

    def tokens(path: str) -> Says:
        bought.append(json.loads(scripted.call.body)["client_id"])
        return buy(path)

    scripted.tokens = tokens
    scripted.creations = partial(_a_session_for_each_order, scripted)

    for order in ("A1", "A2", "A3"):
        small.begin("ani", order)
        small.begin("aram", order)

    assert sorted(bought) == ["id-ani", "id-aram"]


def test_changed_credentials_hold_from_the_next_call_on(small: Market, scripted: Gateway) -> None:
    small.begin("ani")
    small.change("ani", "new")

    assert small.deliver("ani", PAID) == 401
    assert small.deliver("ani", PAID, secret="new") == 200

    with small.app.app_context():
        assert small.spayon.tokens_of("ani").get() == "token-ani-secret-new"
        assert small.spayon.client_of("ani").get_session("S1").status == "paid"


def test_whoever_knows_the_client_id_of_a_vendor_gets_no_token_of_it(scripted: Gateway) -> None:
    know_vendors(scripted)
    settings = Settings.from_config(
        {"SPAYON_API_URL": scripted.url, "SPAYON_TOKEN_CACHE": SimpleCache()}, of_vendors=True
    )

    def client(secret: str) -> Client:
        credentials = Credentials(client_id="id-ani", client_secret=secret, callback_secret="hush")
        return Client(settings.for_vendor("ani", credentials))

    assert client("secret-ani").tokens.get() == "token-ani-secret-ani"

    with pytest.raises(AuthenticationError):
        client("guessed").tokens.get()


def test_who_is_no_vendor_is_not_found_and_leaves_nothing_behind(
    small: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks: list[object] = []
    monkeypatch.setattr("os.register_at_fork", lambda **hook: hooks.append(hook))

    assert small.begin("nobody") == 404
    assert small.deliver("nobody", PAID) == 404
    assert hooks == []

    with small.app.app_context(), pytest.raises(UnknownVendorError):
        small.spayon.client_of("nobody")


def test_a_vendor_who_has_gone_keeps_the_payments_and_reconcile_says_so(market: Market) -> None:
    _both_are_due(market)
    market.remove("ani")

    result = market.flask("reconcile")

    assert market.statuses() == {"vendors/ani": ["pending"], "vendors/aram": ["paid"]}
    assert "ani" in result.output
    assert result.exit_code == 1
    assert "A1" in market.flask("payments", "--vendor", "ani").output


@pytest.mark.parametrize("name", ["a/b", ".", "..", "v" * 57])
def test_nobody_whose_callbacks_could_not_come_is_a_vendor(small: Market, name: str) -> None:
    small.add(name)

    with small.app.app_context(), pytest.raises(UnknownVendorError):
        small.spayon.start_checkout(ORDER, vendor=name)

    assert small.statuses() == {}


def test_a_vendor_may_be_a_number(scripted: Gateway) -> None:
    with _open(scripted, "sqlite://", "5", part="<int:vendor>") as market:
        assert market.begin("5") == 303
        assert market.deliver("5", PAID) == 200
        assert market.app.test_client().get("/staff/5/1").status_code == 200
        assert market.statuses() == {"vendors/5": ["paid"]}


def test_who_has_gone_is_looked_for_once_however_many_vendors_there_are(small: Market) -> None:
    asked: list[str] = []

    with small.app.app_context():
        event.listen(small.db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))

    def look() -> int:
        asked.clear()

        with small.app.app_context():
            assert small.spayon.payment_of("A1", vendor="ani")

        return len(asked)

    small.begin("ani")
    small.remove("ani")
    alone = look()
    small.begin("aram")

    assert look() == alone


def test_a_call_or_a_command_names_the_vendor(small: Market) -> None:
    with small.app.app_context():
        with pytest.raises(ConfigError, match="vendor"):
            small.spayon.payment_of("A1")

        with pytest.raises(ConfigError, match="vendor"):
            _ = small.spayon.tokens

    result = small.flask("payments")
    assert result.exit_code == 64
    assert "--vendor" in result.output


def test_no_secret_of_a_vendor_reaches_a_repr_a_log_or_a_page(
    small: Market, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    credentials = Credentials(
        client_id="id-ani", client_secret="secret-ani", callback_secret="callback-ani"
    )
    small.begin("ani")
    small.deliver("ani", PAID)
    client = small.app.test_client()
    pages = [client.get("/staff/ani/").text, small.flask("doctor", "--offline").output]

    for text in (repr(credentials), caplog.text, *pages):
        assert "secret-ani" not in text
        assert "callback-ani" not in text


# What is wrong with one vendor stops no other.


def test_a_callback_that_is_refused_asks_for_the_credentials_once_and_is_logged_for_its_vendor(
    small: Market, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []
    _ask_before_loading(small, asked.append)

    for vendor in ("ani", "aram", "ani"):
        small.deliver(vendor, PAID, secret="wrong")

    accounts = [record.__dict__["account"] for record in caplog.records]
    assert accounts == ["vendors/ani", "vendors/aram"]
    assert asked == ["ani", "aram", "ani"]


def test_a_wrong_secret_stops_nobody_else(market: Market, scripted: Gateway) -> None:
    _both_are_due(market)
    know_vendors(scripted, wrong=("ani",))
    market.change("ani", "other")

    assert reconcile(market).exit_code == 1
    assert market.statuses() == {"vendors/ani": ["pending"], "vendors/aram": ["paid"]}


def test_one_vendor_s_outage_holds_its_share_of_the_threads_and_no_more(
    file_url: str, scripted: Gateway
) -> None:
    names = [f"v{number}" for number in range(8)]
    release = Event()
    done: list[int] = []

    def answer(session_id: str) -> Says:
        if "-v0-" in scripted.call.token:
            release.wait(10)

        return Says(report(session_id, orderId=f"A{session_id[1:]}"))

    def note(step: Step) -> None:
        done.append(step.payment_id)

        if len(done) == len(names) - 1:
            release.set()

    with _open(scripted, file_url, *names, timeout=20) as market:
        scripted.creations = partial(_a_session_for_each_order, scripted)
        scripted.statuses = answer
        # The first one has as many payments as there are threads.
        market.begin("v0", "A2")

        for name in names:
            market.begin(name)

        market.clock.step(120)
        summary = reconcile(market, jobs=2, progress=note)

    assert summary.changed == {"paid": len(names) + 1}
    assert {1, 2}.isdisjoint(done[: len(names) - 1])


def test_credentials_that_cannot_be_loaded_stop_nobody_else(small: Market) -> None:
    _both_are_due(small)
    _ask_before_loading(small, lambda vendor: fail() if vendor == "ani" else None)
    reconcile(small)

    assert small.statuses() == {"vendors/ani": ["pending"], "vendors/aram": ["paid"]}


# Commands, the desk and signals name the vendor.


def test_signals_name_the_vendor(small: Market) -> None:
    heard: list[tuple[str, str]] = []

    def hear(account: str, vendor: str, **_: object) -> None:
        heard.append((account, vendor))

    signals.payment_paid.connect(hear)
    small.begin("ani")
    small.deliver("ani", PAID)

    assert heard == [("vendors", "ani")]


def test_the_desk_shows_the_payments_of_the_vendor_in_the_address(market: Market) -> None:
    _both_are_due(market)
    client = market.app.test_client()

    page = client.get("/staff/ani/list").text

    assert page.count("A1") == client.get("/staff/aram/list").text.count("A1")
    assert "/staff/ani/1" in page
    assert "/staff/ani/2" not in page
    assert client.get("/staff/ani/2").status_code == 404


def test_the_shop_lets_people_in_for_one_vendor_and_not_for_another(small: Market) -> None:
    small.add("shut")
    client = small.app.test_client()

    for vendor in ("ani", "aram", "shut"):
        small.begin(vendor)

    assert client.get("/staff/ani/").status_code == 200
    assert client.get("/staff/shut/").status_code == 404
    assert client.get("/staff/nobody/").status_code == 404

    # The desk leads to each vendor whom the person may see.
    page = client.get("/staff/ani/vendors").text
    assert "/staff/aram/" in page
    assert "/staff/shut/" not in page


@pytest.mark.parametrize("fault", ["database", "function"])
def test_a_payer_and_the_staff_are_told_if_the_credentials_cannot_be_read(
    small: Market, fault: str
) -> None:
    if fault == "function":
        # It raises a TypeError.
        small.app.extensions["spayon"]["vendors"]._load = divmod

    else:
        with small.app.app_context():
            event.listen(small.db.engine, "do_execute", _no_database)

    for path in ("/pay/ani/checkout/A1", "/pay/ani/return?session_id=S1", "/staff/ani/list"):
        answer = small.app.test_client().get(path)

        assert answer.status_code == 503
        assert "spayon-page" in answer.text


def test_nobody_can_sign_a_form_about_a_vendor_who_has_gone(small: Market) -> None:
    small.app.secret_key = None
    small.begin("ani")
    small.remove("ani")
    signer = URLSafeTimedSerializer([""], salt="spayon-staff/vendors/ani")
    form = {"csrf_token": signer.dumps("Ani")}

    answer = small.app.test_client().post("/staff/ani/1/ask", data=form)

    assert answer.status_code == 400


def test_a_page_of_the_shop_without_a_vendor_may_use_the_macros(small: Market) -> None:
    page = '{% import "spayon/macros.html" as spayon %}{{ spayon_language_of("hy").code }}'

    with small.app.test_request_context("/"):
        assert render_template_string(page) == "hy"


def test_a_handler_may_lead_to_the_desk(small: Market) -> None:
    links: list[str] = []

    @small.spayon.on_paid
    def link(payment: Any) -> None:
        values = {"vendor": payment.vendor, "payment_id": payment.id}
        links.append(url_for("vendors_staff.payment", **values, _external=True))

    small.begin("ani")

    assert small.deliver("ani", PAID) == 200
    assert links == ["http://market.test/staff/ani/1"]


def test_doctor_has_a_line_for_each_vendor(small: Market, scripted: Gateway) -> None:
    small.begin("ani")
    small.begin("aram")
    know_vendors(scripted, wrong=("aram",))
    small.change("aram", "other")

    said = small.flask("doctor").output

    assert "vendor ani: nothing is wrong" in said
    assert "vendor aram: credentials" in said
    said = small.flask("doctor", "--vendor", "aram").output
    assert "refused" in said
    assert "-> correct what credentials= returns" in said


def test_doctor_looks_at_the_shop_before_any_vendor_has_a_payment(small: Market) -> None:
    said = small.flask("doctor", "--offline").output

    assert "ok     tables: as they should be" in said
    assert "?      vendors: none of them has payments" in said

    with small.app.app_context():
        small.db.drop_all()

    said = small.flask("doctor", "--offline").output

    assert "WRONG  tables: missing: table spayon_payment" in said
    assert "vendors:" not in said


def test_who_has_gone_makes_nothing_of_the_shop_wrong(small: Market) -> None:
    small.begin("ani")
    small.begin("aram")
    before = small.flask("doctor", "--offline").output
    small.remove("ani")

    after = small.flask("doctor", "--offline").output

    assert after.count("WRONG") == 1
    assert "WRONG  vendor ani: secrets: credentials= gives none" in after
    assert set(before.splitlines()) - set(after.splitlines()) == {
        "ok     vendor ani: nothing is wrong"
    }
    assert "IndexError" not in small.flask("doctor", "--vendor", "ani").output


def test_who_has_gone_is_let_be_if_nothing_is_pending(small: Market) -> None:
    small.begin("ani")
    small.begin("aram")
    small.deliver("ani", PAID)
    small.remove("ani")

    said = small.flask("doctor", "--offline").output

    assert "vendor aram: nothing is wrong" in said
    assert "vendor ani" not in said


def test_a_watch_keeps_no_transaction_open_while_it_waits(
    small: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_open: list[bool] = []

    class Stop(Event):
        def wait(self, timeout: float | None = None) -> bool:
            is_open.append(small.db.session().in_transaction())
            return True

    monkeypatch.setattr("spayon_flask.cli.upkeep.stop_on_signals", lambda: nullcontext(Stop()))
    small.begin("ani")
    small.flask("reconcile", "--vendor", "ani", "--watch", "60")

    assert is_open == [False]


def test_a_shop_s_own_tests_pay_for_one_vendor(scripted: Gateway, file_url: str) -> None:
    with _open(scripted, file_url, "ani", "aram") as market:
        payer = Payer(market.app, connect(market.app, name="vendors/ani"), name="vendors/ani")
        payer.pay("A1")
        payer.deliver("A1", times=2)

    assert market.paid == [("ani", "A1")]


def test_a_shop_may_begin_a_payment_by_itself(small: Market) -> None:
    with small.app.app_context():
        payment = small.spayon.start_checkout(ORDER, vendor="aram")
        assert (payment.account, payment.vendor) == ("vendors/aram", "aram")
        assert small.spayon.refresh(payment).status in {"pending", "review"}
