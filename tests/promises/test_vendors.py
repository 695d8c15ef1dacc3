"""Every promise for a shop with many vendors: nothing of one vendor touches another."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import nullcontext
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
from tests.promises.helpers import at_once
from tests.reports import report
from tests.vendors import Market, know_vendors, make_market

PAID = report("S1", orderId="A1")
ORDER = Order(order_id="A9", product_name="Tea", price=Decimal(1000), currency="AMD")


def _no_database(*_: object) -> None:
    """Stand for a database that is away."""
    raise sqlite3.OperationalError("unable to open database file")


@pytest.fixture
def market(database_url: str, scripted: Gateway) -> Iterator[Market]:
    """A market with the vendors ani and aram, on each of the three databases."""
    know_vendors(scripted)
    market = make_market(database_url, scripted.url)
    market.add("ani", "aram")
    yield market
    dispose(market)  # type: ignore[arg-type]  # what is disposed of has the same names


@pytest.fixture
def small(scripted: Gateway) -> Iterator[Market]:
    """The same on SQLite alone, for what touches no table of its own."""
    know_vendors(scripted)
    market = make_market("sqlite://", scripted.url)
    market.add("ani", "aram")
    yield market
    dispose(market)  # type: ignore[arg-type]  # as above


@pytest.fixture
def file_market(tmp_path: Path, scripted: Gateway) -> Iterator[Market]:
    """The same in a file of SQLite: a callback that comes meanwhile has a connection of its own."""
    market = make_market(f"sqlite:///{tmp_path / 'market.db'}", scripted.url)
    market.add("ani", "aram")
    yield market
    dispose(market)  # type: ignore[arg-type]  # as above


class TestApart:
    """The same order ids and the same ids of payment sessions: nothing crosses."""

    @pytest.mark.always
    def test_a_payment_of_one_vendor_pays_nothing_of_another(self, market: Market) -> None:
        assert [market.begin("ani"), market.begin("aram")] == [303, 303]

        assert market.deliver("ani", PAID) == 200

        assert market.statuses() == {"vendors/ani": ["paid"], "vendors/aram": ["pending"]}
        assert market.paid == [("ani", "A1")]

    def test_a_secret_of_one_vendor_forges_no_callback_of_another(self, market: Market) -> None:
        market.begin("ani")

        assert market.deliver("ani", PAID, secret="aram") == 401
        assert market.statuses() == {"vendors/ani": ["pending"]}

    def test_callbacks_of_all_vendors_at_once_have_one_effect_each(self, market: Market) -> None:
        for vendor in ("ani", "aram"):
            market.begin(vendor)

        calls = [partial(market.deliver, vendor, PAID) for vendor in ("ani", "aram") * 4]

        assert at_once(calls) == [200] * 8
        assert sorted(market.paid) == [("ani", "A1"), ("aram", "A1")]

    def test_reconcile_asks_for_every_vendor_with_the_vendor_s_own_token(
        self, market: Market, scripted: Gateway
    ) -> None:
        tokens: list[str] = []

        def answer(session_id: str) -> Says:
            tokens.append(scripted.call.token)
            return Says(report(session_id, orderId="A1"))

        scripted.statuses = answer
        market.begin("ani")
        market.begin("aram")
        market.clock.step(120)

        with market.app.app_context():
            summary = market.spayon.reconcile()

        assert summary.changed == {"paid": 2}
        assert sorted(tokens) == ["token-ani-secret-ani", "token-aram-secret-aram"]

    def test_sums_and_lists_are_those_of_one_vendor(self, market: Market) -> None:
        market.begin("ani")
        market.deliver("ani", PAID)
        market.begin("aram")

        assert "A1" in market.flask("payments", "--vendor", "ani", "--status", "paid").output
        assert "A1" not in market.flask("payments", "--vendor", "aram", "--status", "paid").output

    def test_payment_of_tells_how_an_order_of_one_vendor_stands(self, market: Market) -> None:
        market.begin("ani")

        with market.app.app_context():
            ours = market.spayon.payment_of("A1", vendor="ani")
            theirs = market.spayon.payment_of("A1", vendor="aram")

        assert (ours and ours.vendor, theirs) == ("ani", None)


class TestCredentials:
    """Credentials come from the shop's own database, and hold from the next call on."""

    def test_one_token_serves_a_vendor_for_the_hour(self, small: Market, scripted: Gateway) -> None:
        buy, bought = scripted.tokens, []

        def tokens(path: str) -> Says:
            bought.append(json.loads(scripted.call.body)["client_id"])
            return buy(path)

        scripted.tokens = tokens
        for order in ("A1", "A2", "A3"):
            scripted.creations = lambda _, order=order: Says(  # type: ignore[misc]  # a default
                json.dumps(
                    {"session_id": order, "session_url": f"{scripted.url}/pay/{order}"}
                ).encode()
            )
            small.begin("ani", order)
            small.begin("aram", order)

        assert sorted(bought) == ["id-ani", "id-aram"]

    def test_changed_credentials_hold_from_the_next_call_on(
        self, small: Market, scripted: Gateway
    ) -> None:
        small.begin("ani")
        small.change("ani", "new")

        assert small.deliver("ani", PAID) == 401
        assert small.deliver("ani", PAID, secret="new") == 200

        with small.app.app_context():
            assert small.spayon.tokens_of("ani").get() == "token-ani-secret-new"
            assert small.spayon.client_of("ani").get_session("S1").status == "paid"

    def test_whoever_knows_the_client_id_of_a_vendor_gets_no_token_of_it(
        self, scripted: Gateway
    ) -> None:
        know_vendors(scripted)
        settings = Settings.from_config(
            {"SPAYON_API_URL": scripted.url, "SPAYON_TOKEN_CACHE": SimpleCache()}, of_vendors=True
        )

        def client(secret: str) -> Client:
            credentials = Credentials(
                client_id="id-ani", client_secret=secret, callback_secret="hush"
            )
            return Client(settings.for_vendor("ani", credentials))

        assert client("secret-ani").tokens.get() == "token-ani-secret-ani"

        with pytest.raises(AuthenticationError):
            client("guessed").tokens.get()

    def test_a_stranger_who_asks_for_vendors_leaves_nothing_behind(
        self, small: Market, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hooks: list[object] = []
        monkeypatch.setattr("os.register_at_fork", lambda **hook: hooks.append(hook))

        assert small.deliver("nobody", PAID) == 404
        assert hooks == []

    def test_who_is_no_vendor_is_not_found(self, small: Market) -> None:
        assert small.begin("nobody") == 404
        assert small.deliver("nobody", PAID) == 404

        with small.app.app_context(), pytest.raises(UnknownVendorError):
            small.spayon.client_of("nobody")

    def test_a_vendor_who_has_gone_keeps_the_payments_and_reconcile_says_so(
        self, market: Market
    ) -> None:
        market.begin("ani")
        market.begin("aram")
        market.remove("ani")
        market.clock.step(120)

        result = market.flask("reconcile")

        assert market.statuses() == {"vendors/ani": ["pending"], "vendors/aram": ["paid"]}
        assert "ani" in result.output
        assert result.exit_code == 1
        assert "A1" in market.flask("payments", "--vendor", "ani").output

    @pytest.mark.parametrize("name", ["a/b", ".", "..", "v" * 57])
    def test_nobody_whose_callbacks_could_not_come_is_a_vendor(
        self, small: Market, name: str
    ) -> None:
        small.add(name)

        with small.app.app_context(), pytest.raises(UnknownVendorError):
            small.spayon.start_checkout(ORDER, vendor=name)

        assert small.statuses() == {}

    def test_a_vendor_may_be_a_number(self, scripted: Gateway) -> None:
        know_vendors(scripted)
        market = make_market("sqlite://", scripted.url, part="<int:vendor>")
        market.add("5")

        assert market.begin("5") == 303
        assert market.deliver("5", PAID) == 200
        assert market.app.test_client().get("/staff/5/1").status_code == 200
        assert market.statuses() == {"vendors/5": ["paid"]}
        dispose(market)  # type: ignore[arg-type]  # as above

    def test_who_has_gone_is_looked_for_once_however_many_vendors_there_are(
        self, small: Market
    ) -> None:
        asked: list[str] = []

        with small.app.app_context():
            event.listen(
                small.db.engine, "before_cursor_execute", lambda *args: asked.append(args[2])
            )

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

    def test_a_call_names_the_vendor(self, small: Market) -> None:
        with small.app.app_context():
            with pytest.raises(ConfigError, match="vendor"):
                small.spayon.payment_of("A1")

            with pytest.raises(ConfigError, match="vendor"):
                _ = small.spayon.tokens

    def test_no_secret_of_a_vendor_reaches_a_repr_a_log_or_a_page(
        self, small: Market, caplog: pytest.LogCaptureFixture
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


class TestTrouble:
    """What is wrong with one vendor stops no other."""

    def test_a_callback_that_is_refused_is_logged_for_its_vendor(
        self, small: Market, caplog: pytest.LogCaptureFixture
    ) -> None:
        for vendor in ("ani", "aram", "ani"):
            small.deliver(vendor, PAID, secret="wrong")

        accounts = [record.__dict__["account"] for record in caplog.records]
        assert accounts == ["vendors/ani", "vendors/aram"]

    def test_a_callback_that_is_refused_asks_for_the_credentials_once(self, small: Market) -> None:
        accounts = small.app.extensions["spayon"]["vendors"]
        load, asked = accounts._load, []

        def ask(vendor: str) -> Credentials | None:
            asked.append(vendor)
            found: Credentials | None = load(vendor)
            return found

        accounts._load = ask
        small.deliver("ani", PAID, secret="wrong")

        assert asked == ["ani"]

    def test_a_wrong_secret_stops_nobody_else(self, market: Market, scripted: Gateway) -> None:
        market.begin("ani")
        market.begin("aram")
        know_vendors(scripted, wrong=("ani",))
        market.change("ani", "other")
        market.clock.step(120)

        with market.app.app_context():
            summary = market.spayon.reconcile()

        assert market.statuses() == {"vendors/ani": ["pending"], "vendors/aram": ["paid"]}
        assert summary.exit_code == 1

    def test_one_vendor_s_outage_holds_its_share_of_the_threads_and_no_more(
        self, tmp_path: Path, scripted: Gateway
    ) -> None:
        know_vendors(scripted)
        market = make_market(f"sqlite:///{tmp_path / 'market.db'}", scripted.url, timeout=20)
        names = [f"v{number}" for number in range(8)]
        market.add(*names)
        release = Event()

        def create(_: str) -> Says:
            order = json.loads(scripted.call.body)["order_id"]
            says = {"session_id": f"S{order[1:]}", "session_url": f"{scripted.url}/pay/{order}"}
            return Says(json.dumps(says).encode())

        def answer(session_id: str) -> Says:
            if "-v0-" in scripted.call.token:
                release.wait(10)

            return Says(report(session_id, orderId=f"A{session_id[1:]}"))

        scripted.creations, scripted.statuses = create, answer
        # The first one has as many payments as there are threads.
        for vendor, order in (("v0", "A1"), ("v0", "A2"), *((name, "A1") for name in names[1:])):
            market.begin(vendor, order)

        market.clock.step(120)
        done: list[int] = []

        def note(step: Step) -> None:
            done.append(step.payment_id)

            if len(done) == len(names) - 1:
                release.set()

        with market.app.app_context():
            summary = market.spayon.reconcile(jobs=2, progress=note)

        assert summary.changed == {"paid": len(names) + 1}
        assert {1, 2}.isdisjoint(done[: len(names) - 1])
        dispose(market)  # type: ignore[arg-type]  # as above

    def test_credentials_that_cannot_be_loaded_stop_nobody_else(self, small: Market) -> None:
        small.begin("ani")
        small.begin("aram")
        load = small.app.extensions["spayon"]["vendors"]._load

        def fails(vendor: str) -> Credentials | None:
            if vendor == "ani":
                raise ZeroDivisionError

            found: Credentials | None = load(vendor)
            return found

        small.app.extensions["spayon"]["vendors"]._load = fails
        small.clock.step(120)

        with small.app.app_context():
            small.spayon.reconcile()

        assert small.statuses() == {"vendors/ani": ["pending"], "vendors/aram": ["paid"]}


class TestPeople:
    """Commands, the desk and signals name the vendor."""

    def test_signals_name_the_vendor(self, small: Market) -> None:
        heard: list[tuple[str, str]] = []

        def hear(account: str, vendor: str, **_: object) -> None:
            heard.append((account, vendor))

        signals.payment_paid.connect(hear)
        small.begin("ani")
        small.deliver("ani", PAID)

        assert heard == [("vendors", "ani")]

    def test_the_desk_shows_the_payments_of_the_vendor_in_the_address(self, market: Market) -> None:
        market.begin("ani")
        market.begin("aram")
        client = market.app.test_client()

        page = client.get("/staff/ani/list").text

        assert page.count("A1") == client.get("/staff/aram/list").text.count("A1")
        assert "/staff/ani/1" in page
        assert "/staff/ani/2" not in page
        assert client.get("/staff/ani/2").status_code == 404

    def test_the_shop_lets_people_in_for_one_vendor_and_not_for_another(
        self, small: Market
    ) -> None:
        small.add("shut")
        client = small.app.test_client()

        assert client.get("/staff/ani/").status_code == 200
        assert client.get("/staff/shut/").status_code == 404
        assert client.get("/staff/nobody/").status_code == 404

    @pytest.mark.parametrize("fault", ["database", "function"])
    def test_a_payer_and_the_staff_are_told_if_the_credentials_cannot_be_read(
        self, small: Market, fault: str
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

    def test_nobody_can_sign_a_form_about_a_vendor_who_has_gone(self, small: Market) -> None:
        small.app.secret_key = None
        small.begin("ani")
        small.remove("ani")
        signer = URLSafeTimedSerializer([""], salt="spayon-staff/vendors/ani")
        form = {"csrf_token": signer.dumps("Ani")}

        answer = small.app.test_client().post("/staff/ani/1/ask", data=form)

        assert answer.status_code == 400

    def test_a_page_of_the_shop_without_a_vendor_may_use_the_macros(self, small: Market) -> None:
        page = '{% import "spayon/macros.html" as spayon %}{{ spayon_language_of("hy").code }}'

        with small.app.test_request_context("/"):
            assert render_template_string(page) == "hy"

    def test_a_handler_may_lead_to_the_desk(self, small: Market) -> None:
        links: list[str] = []

        @small.spayon.on_paid
        def link(payment: Any) -> None:
            values = {"vendor": payment.vendor, "payment_id": payment.id}
            links.append(url_for("vendors_staff.payment", **values, _external=True))

        small.begin("ani")

        assert small.deliver("ani", PAID) == 200
        assert links == ["http://market.test/staff/ani/1"]

    def test_the_desk_leads_to_each_vendor_whom_the_person_may_see(self, small: Market) -> None:
        small.add("shut")

        for vendor in ("ani", "aram", "shut"):
            small.begin(vendor)

        page = small.app.test_client().get("/staff/ani/vendors").text

        assert "/staff/aram/" in page
        assert "/staff/shut/" not in page

    def test_doctor_has_a_line_for_each_vendor(self, small: Market, scripted: Gateway) -> None:
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

    def test_who_has_gone_makes_nothing_of_the_shop_wrong(self, small: Market) -> None:
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

    def test_who_has_gone_is_let_be_if_nothing_is_pending(self, small: Market) -> None:
        small.begin("ani")
        small.begin("aram")
        small.deliver("ani", PAID)
        small.remove("ani")

        said = small.flask("doctor", "--offline").output

        assert "vendor aram: nothing is wrong" in said
        assert "vendor ani" not in said

    def test_a_watch_keeps_no_transaction_open_while_it_waits(
        self, small: Market, monkeypatch: pytest.MonkeyPatch
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

    def test_a_command_about_payments_asks_for_the_vendor(self, small: Market) -> None:
        result = small.flask("payments")

        assert result.exit_code == 64
        assert "--vendor" in result.output

    def test_a_shop_s_own_tests_pay_for_one_vendor(self, file_market: Market) -> None:
        payer = Payer(
            file_market.app, connect(file_market.app, name="vendors/ani"), name="vendors/ani"
        )

        payer.pay("A1")
        payer.deliver("A1", times=2)

        assert file_market.paid == [("ani", "A1")]

    def test_a_shop_may_begin_a_payment_by_itself(self, small: Market) -> None:
        with small.app.app_context():
            payment = small.spayon.start_checkout(ORDER, vendor="aram")
            assert (payment.account, payment.vendor) == ("vendors/aram", "aram")
            assert small.spayon.refresh(payment).status in {"pending", "review"}
