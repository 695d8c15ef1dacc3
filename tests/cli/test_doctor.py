"""`flask spayon doctor`: each misconfiguration that is planted is found, with what to do."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cachelib import BaseCache, NullCache, RedisCache
from flask import abort, redirect
from jinja2 import DictLoader, StrictUndefined
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from spayon_flask import signals
from spayon_flask.domain.signing import DOCTOR_HEADER
from tests.caches import JsonCache
from tests.cli.conftest import Run
from tests.databases import SERVERS
from tests.gateway import Gateway, Says
from tests.kept import dispose
from tests.needs import missing
from tests.reports import report
from tests.shop import Shop, make_shop


class Diagnosis:
    """What the doctor said of a shop."""

    def __init__(self, shop: Shop, *arguments: str) -> None:
        runner = shop.app.test_cli_runner()
        result = runner.invoke(args=["spayon", "doctor", "--json", *arguments])
        said = json.loads(result.output)
        self.exit_code = result.exit_code
        self.findings: list[dict[str, str]] = said["findings"]
        assert said["exit_code"] == result.exit_code

    def of(self, state: str) -> list[tuple[str, str]]:
        """Return the checks that found this state, and what they say and advise."""
        return [
            (each["check"], f"{each['says']} -> {each['do']}")
            for each in self.findings
            if each["state"] == state
        ]

    def only(self, check: str) -> str:
        """Return what the one check says that found something wrong."""
        assert self.exit_code == 1, self.findings
        ((name, says),) = self.of("wrong")
        assert name == check
        return says


Make = Callable[..., Shop]


@pytest.fixture
def online(own_shop: Make, scripted: Gateway) -> Make:
    """Make a shop whose gateway is this one, and whose clock is that of this machine."""

    def online(**config: Any) -> Shop:
        shop = own_shop(**{"SPAYON_API_URL": scripted.url, "SPAYON_PUBLIC_URL": None} | config)
        shop.clock.now = datetime.now(timezone.utc)
        return shop

    return online


@pytest.fixture
def shop(own_shop: Make) -> Shop:
    """A shop with one order, whose app and tables the tests change."""
    shop = own_shop()
    shop.add_order()
    return shop


@pytest.fixture
def live(live_shop: Shop) -> Shop:
    """A shop on a real port, whose clock is that of this machine."""
    live_shop.clock.now = datetime.now(timezone.utc)
    return live_shop


@pytest.fixture
def any_shop(own_shop: Make, database_url: str) -> Shop:
    """A shop on each of the three engines, whose tables the tests change."""
    return own_shop(database_url)


def offline(shop: Shop) -> Diagnosis:
    """Ask the doctor about what needs no network."""
    return Diagnosis(shop, "--offline")


def test_a_shop_that_works_is_proven_to_and_no_secret_is_told(
    live: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    refused: list[object] = []

    def hear(_: object, **given: object) -> None:
        refused.append(given)

    with signals.callback_refused.connected_to(hear), caplog.at_level("INFO", "spayon_flask"):
        diagnosis = Diagnosis(live)

    told = json.dumps(diagnosis.findings)
    assert "has the same callback secret" in told
    # The callbacks are its own.
    assert refused == []
    assert "callback refused" not in caplog.text

    assert diagnosis.exit_code == 0, diagnosis.findings
    assert {name for name, _ in diagnosis.of("ok")} >= {
        "settings",
        "credentials",
        "clock",
        "callback URL",
        "callback route",
        "tables",
        "reviews",
    }
    assert "simulator-secret" not in told
    assert "simulator-callback-secret" not in told


def test_a_production_shop_that_works_is_proven_to_offline(own_shop: Make) -> None:
    diagnosis = offline(
        own_shop(
            SPAYON_API_URL=None,
            SPAYON_PUBLIC_URL="https://shop.example",
            SPAYON_CLIENT_SECRET="c1",
            SPAYON_CALLBACK_SECRET="s1",
            TESTING=False,
        )
    )

    assert diagnosis.exit_code == 0, diagnosis.findings


def test_the_report_for_people_has_a_line_each_and_what_to_do(shop: Shop, run: Run) -> None:
    shop.add_payment(status="review", review="price_differs")

    output = run("doctor", "--offline").output

    assert "ok     tables: as they should be" in output
    assert (
        "WRONG  reviews: 1 under review\n       -> decide on them: `flask spayon review`" in output
    )


def test_nobody_else_can_knock_in_silence(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    answer = shop.app.test_client().post("/pay/callback", headers={DOCTOR_HEADER: "00"})

    assert answer.status_code == 401
    assert "callback refused" in caplog.text


# What is planted in the settings.


@pytest.mark.parametrize(
    ("config", "check", "says"),
    [
        (
            {"SPAYON_CLIENT_SECRET": "same", "SPAYON_CALLBACK_SECRET": "same"},
            "secrets",
            "copy the callback secret",
        ),
        ({"TRUSTED_HOSTS": ["other.example"]}, "callback route", "not our 401, but 400"),
    ],
)
def test_plant_a_setting(own_shop: Make, config: dict[str, Any], check: str, says: str) -> None:
    assert says in offline(own_shop(**config)).only(check)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"SPAYON_CALLBACK_SECRET": "loaded later"}, "load the config first"),
        ({"SPAYON_CLIENT_ID": ""}, "SPAYON_CLIENT_ID is missing"),
    ],
)
def test_plant_a_config_that_is_changed_too_late(
    shop: Shop, config: dict[str, str], says: str
) -> None:
    shop.app.config.update(config)

    assert says in offline(shop).only("settings")


# What is planted in the app.


@pytest.mark.parametrize("name", ["order_loader", "on_paid"])
def test_plant_a_function_that_is_not_registered(shop: Shop, name: str) -> None:
    shop.spayon.handlers.functions[name].clear()

    assert f"@spayon.{name}" in offline(shop).only("handlers")


def test_a_shop_without_any_function_is_not_told_that_they_are_well(shop: Shop) -> None:
    for functions in shop.spayon.handlers.functions.values():
        functions.clear()

    found = offline(shop)

    assert [check for check, _ in found.of("wrong")] == ["handlers", "handlers"]
    assert "handlers" not in dict(found.of("ok"))


def test_plant_a_blueprint_that_is_not_mounted(shop: Shop) -> None:
    del shop.app.blueprints["spayon"]

    assert "register_blueprint" in dict(offline(shop).of("wrong"))["callback route"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (redirect("/login"), "not our 401, but 302 /login"),
        (("who are you?", 401, {"WWW-Authenticate": "Basic"}), "not our 401, but 401 who are you?"),
        (("The CSRF token is missing.", 400), "csrf.exempt(app.view_functions['spayon.callback'])"),
    ],
)
def test_plant_a_guard_before_the_callback(shop: Shop, answer: Any, says: str) -> None:
    @shop.app.before_request
    def guard() -> Any:
        return answer

    assert says in offline(shop).only("callback route")


#: An order and a payment alone have such a thing.
FAILS = "{% block details %}{{ spayon_payment.order_id.total.amount }}{% endblock %}"


@pytest.mark.parametrize(
    ("page", "text", "says"),
    [
        # A variable that only the shop's own views pass.
        ("base", "{{ cart.total }}{% block content %}{% endblock %}", "'cart' is undefined"),
        ("checkout", "{% extends 'spayon/default/checkout.html' %}" + FAILS, "UndefinedError"),
        ("return", "{% extends 'spayon/default/return.html' %}" + FAILS, "UndefinedError"),
        ("cancel", "{% extends 'spayon/default/cancel.html' %}" + FAILS, "UndefinedError"),
        ("base", "<body>{% block main %}{% endblock %}</body>", "no block `content`"),
        (
            "base",
            "{% block message %}{% endblock %}{% block content %}{% endblock %}",
            "swallows blocks of ours: message ->",
        ),
        (
            "base",
            "{% block next_steps %}{% endblock %}{% block content %}{% endblock %}",
            "swallows blocks of ours: next_steps ->",
        ),
        ("base", "<body>{% block content %}{% endblock %}</body>", "no stylesheet"),
    ],
)
def test_plant_a_template_that_loses_something(shop: Shop, page: str, text: str, says: str) -> None:
    shop.app.jinja_loader = DictLoader({f"spayon/{page}.html": text})

    assert says in offline(shop).only("pages")


def test_an_app_that_takes_no_undefined_name_has_pages_that_render(shop: Shop) -> None:
    shop.app.jinja_env.undefined = StrictUndefined

    assert "they render in the shop's frame" in dict(offline(shop).of("ok"))["pages"]


def test_pages_are_looked_at_without_a_row_and_without_a_call(
    shop: Shop, scripted: Gateway
) -> None:
    shop.configure(SPAYON_API_URL=scripted.url)
    called: list[str] = []
    scripted.tokens = scripted.creations = scripted.statuses = called.append  # type: ignore[assignment]

    assert "they render in the shop's frame" in dict(offline(shop).of("ok"))["pages"]
    assert called == []

    with shop.app.app_context():
        assert shop.db.session.query(shop.spayon.Payment).count() == 0


def test_a_frame_and_a_page_of_the_shop_s_own_are_right(shop: Shop) -> None:
    frame = "<style></style><body>{% block content %}{% endblock %}</body>"
    page = "<link rel=stylesheet href=/own.css><body>sorry</body>"
    shop.app.jinja_loader = DictLoader({"spayon/base.html": frame, "spayon/error.html": page})

    assert offline(shop).exit_code == 0


# What is planted in the database.


def change(shop: Shop, *statements: str) -> None:
    """Run SQL in the shop's database."""
    with shop.app.app_context():
        for statement in statements:
            shop.db.session.execute(text(statement))

        shop.db.session.commit()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DROP TABLE spayon_callback", "table spayon_callback"),
        ("ALTER TABLE spayon_payment DROP COLUMN reviewed_by", "column spayon_payment.reviewed_by"),
    ],
)
def test_plant_what_is_missing_in_the_database(shop: Shop, statement: str, says: str) -> None:
    change(shop, statement)

    assert offline(shop).only("tables").startswith(f"missing: {says} -> create new tables with")


def test_plant_a_missing_unique_key(any_shop: Shop) -> None:
    kind = any_shop.app.config["SQLALCHEMY_DATABASE_URI"].split(":")[0]
    name, table = "uq_spayon_callback_session_status", "spayon_callback"

    if kind == "sqlite":
        change(
            any_shop,
            f"CREATE TABLE copy AS SELECT * FROM {table}",
            f"DROP TABLE {table}",
            f"ALTER TABLE copy RENAME TO {table}",
        )

    else:
        word = "CONSTRAINT" if kind.startswith("postgresql") else "INDEX"
        change(any_shop, f"ALTER TABLE {table} DROP {word} {name}")

    assert "unique key of spayon_callback on account, session_id, status" in offline(any_shop).only(
        "tables"
    )


def test_plant_a_database_that_commits_each_statement(own_shop: Make, database_url: str) -> None:
    # By an option that nobody sees at the start.
    options = {"execution_options": {"isolation_level": "AUTOCOMMIT"}}
    shop = own_shop(database_url, SQLALCHEMY_ENGINE_OPTIONS=options)

    assert "AUTOCOMMIT" in offline(shop).only("transactions")


def test_plant_tables_that_were_converted_without_a_collation(any_shop: Shop) -> None:
    if not any_shop.app.config["SQLALCHEMY_DATABASE_URI"].startswith("mysql"):
        pytest.skip("only MariaDB has a collation of its own for each column")

    tables = ("spayon_payment", "spayon_callback")
    change(any_shop, *(f"ALTER TABLE {each} CONVERT TO CHARACTER SET utf8mb4" for each in tables))
    any_shop.add_payment("S1", "a1")

    says, advice = offline(any_shop).only("encoding").split(" -> ")

    assert "spayon_payment.held_order_id" in says
    change(any_shop, *advice.split("; "))
    any_shop.add_payment("s1", "A1")
    assert dict(offline(any_shop).of("ok"))["encoding"] == "utf8mb4 -> "


def test_plant_a_database_that_cannot_write_every_letter() -> None:
    server = make_url(SERVERS["mariadb"])
    engine = create_engine(server)

    try:
        with engine.connect() as connection:
            connection.execute(text("DROP DATABASE IF EXISTS spayon_latin"))
            connection.execute(text("CREATE DATABASE spayon_latin CHARACTER SET latin1"))

    except OperationalError:
        missing("a mariadb server")

    shop = make_shop(server.set(database="spayon_latin").render_as_string(hide_password=False))

    try:
        assert "the tables are latin1" in offline(shop).only("encoding")

    finally:
        dispose(shop)

        with engine.connect() as connection:
            connection.execute(text("DROP DATABASE spayon_latin"))

        engine.dispose()


def test_plant_payments_of_a_name_that_was_changed(any_shop: Shop) -> None:
    any_shop.add_payment("S1", account="tea")
    any_shop.add_payment("S2", account="zoo")
    any_shop.add_payment("S3")

    assert offline(any_shop).only("accounts").startswith("there are payments of tea, zoo, and no")


def test_payments_of_another_gateway_are_told_of_and_not_counted(any_shop: Shop) -> None:
    any_shop.add_payment("S1", gateway="api.spayon.io", status="review", review="price_differs")
    any_shop.add_payment("S2", "A2", gateway="api.spayon.io", held_order_id=None)

    diagnosis = offline(any_shop)

    assert diagnosis.exit_code == 0
    assert dict(diagnosis.of("ok"))["gateways"] == "left alone: 2 of api.spayon.io -> "


def test_plant_orders_that_anybody_can_count(any_shop: Shop) -> None:
    any_shop.add_order("17")
    any_shop.add_payment(order_id="17")

    assert "secrets.token_urlsafe(12)" in offline(any_shop).only("order keys")

    any_shop.add_payment("S2", order_id="18", order_key="qIkpGHxhV8mF", held_order_id=None)
    assert offline(any_shop).exit_code == 0


def test_numbers_are_no_fault_if_the_loader_asks_who_is_looking(shop: Shop) -> None:
    shop.add_payment(order_id="17")

    @shop.spayon.order_loader
    def load(key: str) -> None:
        shop.db.session.add(shop.orders(id="written", price="1", currency="AMD"))
        shop.db.session.flush()
        abort(403)

    assert "no stranger" in dict(offline(shop).of("ok"))["order keys"]

    with shop.app.app_context():
        assert shop.db.session.get(shop.orders, "written") is None


def test_plant_a_handler_that_has_failed(any_shop: Shop) -> None:
    since = any_shop.clock()
    any_shop.add_payment(handler_failures=3, handler_failed_at=since, handler_error="KeyError")
    any_shop.add_payment("S2", "A2", handler_failures=1, status="paid")

    says = offline(any_shop).only("failing handlers")

    assert "since a handler fails: 1 with KeyError -> " in says


def test_reconcile_that_leaves_no_trace_is_not_called_well(shop: Shop) -> None:
    shop.add_payment()
    shop.clock.step(20 * 60)

    assert dict(offline(shop).of("unknown"))["reconcile"].startswith("it has left no trace")


def test_plant_a_database_that_is_away(own_shop: Make, tmp_path: Path) -> None:
    shop = own_shop(f"sqlite:///{tmp_path / 'made.db'}")
    (tmp_path / "made.db").unlink()
    (tmp_path / "made.db").mkdir()
    dispose(shop)

    says = offline(shop).only("database")

    assert says.startswith("the database does not answer (OperationalError): look whether it")


def test_plant_a_handler_that_fails(any_shop: Shop) -> None:
    shop = any_shop
    shop.add_payment()
    shop.add_payment("S2", order_id="A2")
    shop.clock.step(31 * 60)

    # So reconcile does, for which each of these questions ends with `not recorded`.
    with shop.app.app_context():
        schedule = shop.spayon.state.storage.schedule
        assert len(schedule.lease_due(now=shop.clock(), limit=2)) == 2

    says = offline(shop).only("pending payments")

    assert "although reconcile asks about them -> look into its log" in says

    shop.add_payment("S3", order_id="A3", created_at=shop.clock() - timedelta(hours=1))

    says = offline(shop).only("pending payments")
    assert "the oldest since 2026-11-22 11:31:00" in says
    assert "nobody asks about 1 of them -> let `flask spayon reconcile`" in says

    shop.clock.step(12 * 60)

    assert "nobody asks about 3 of them" in offline(shop).only("pending payments")


def test_plant_a_payment_under_review(shop: Shop) -> None:
    shop.add_payment()
    shop.deliver(report(price="1"))

    assert "flask spayon review" in offline(shop).only("reviews")


def test_plant_a_callback_that_was_never_handed_over(shop: Shop) -> None:
    @shop.spayon.dispatcher
    def dispatch(callback_id: int) -> None:
        raise RuntimeError("the queue is away")

    shop.add_payment()
    shop.deliver(report())
    shop.clock.step(15 * 60)

    assert "1 callbacks were not handed over" in offline(shop).only("dispatcher")


def test_plant_reports_about_the_payments_of_another_shop(shop: Shop) -> None:
    shop.deliver(report("S9", orderId="A9"))

    assert "used elsewhere" in offline(shop).only("unknown reports")


def test_several_secrets_tell_when_each_last_verified(own_shop: Make) -> None:
    shop = own_shop(SPAYON_CALLBACK_SECRET=["simulator-callback-secret", "old"])
    shop.add_pending()
    shop.deliver(report())

    told = [says for name, says in offline(shop).of("ok") if name == "rotation"]

    assert told == [
        "callback secret 1 of 2: last verified 2026-11-22 12:00:00 -> ",
        "callback secret 2 of 2: never verified anything -> ",
    ]


# What is planted in the network.


@pytest.mark.parametrize("answer", [Says(code=401), Says(b"<html>Welcome</html>")])
def test_plant_what_is_no_gateway_or_knows_no_such_credentials(
    online: Make, scripted: Gateway, answer: Says
) -> None:
    scripted.tokens = lambda _: answer

    wanted = "correct SPAYON_CLIENT_ID, SPAYON_CLIENT_SECRET or SPAYON_API_URL"
    assert wanted in Diagnosis(online()).only("credentials")


def test_plant_a_gateway_and_a_shop_that_are_away(own_shop: Make) -> None:
    diagnosis = Diagnosis(own_shop(SPAYON_PUBLIC_URL="http://127.0.0.1:9"))

    assert diagnosis.exit_code == 2
    unknown = dict(diagnosis.of("unknown"))
    assert unknown.keys() == {"credentials", "clock", "callback URL"}
    assert "nothing listens there" in unknown["callback URL"]


def test_plant_no_public_url(online: Make) -> None:
    diagnosis = Diagnosis(online())

    assert diagnosis.exit_code == 2
    assert "set SPAYON_PUBLIC_URL" in dict(diagnosis.of("unknown"))["callback URL"]


@pytest.mark.parametrize("seconds", [-90, 90])
def test_plant_a_wrong_clock(online: Make, seconds: int) -> None:
    shop = online()
    shop.clock.step(seconds)

    assert "NTP" in Diagnosis(shop).only("clock")


@pytest.mark.parametrize(
    ("path", "secret", "says"),
    [
        ("/shop", "simulator-callback-secret", "not our 401, but 404"),
        ("", "another", "give that shop the callback secret"),
    ],
)
def test_plant_another_shop_behind_the_public_url(
    online: Make, live: Shop, path: str, secret: str, says: str
) -> None:
    url = live.app.config["SPAYON_PUBLIC_URL"] + path
    shop = online(SPAYON_PUBLIC_URL=url, SPAYON_CALLBACK_SECRET=secret)

    assert says in Diagnosis(shop).only("callback URL")


@pytest.mark.parametrize("code", [200, 401, 502])
def test_plant_a_proxy_that_answers_in_the_shops_place(
    online: Make, scripted: Gateway, code: int
) -> None:
    scripted.creations = lambda _: Says(b"hello", code=code)
    diagnosis = Diagnosis(online(SPAYON_PUBLIC_URL=scripted.url))

    assert f"not our 401, but {code} hello" in diagnosis.only("callback URL")


def test_plant_a_cache_that_unpickles(online: Make) -> None:
    shop = online(SPAYON_TOKEN_CACHE=RedisCache(port=9, socket_timeout=1))
    says = [says for _, says in Diagnosis(shop).of("wrong")]

    assert says[0].startswith("it unpickles what it reads")
    assert "fails with ConnectionError" in says[1]


@pytest.mark.parametrize(
    ("cache", "says"),
    [
        (NullCache(), "TOKEN_CACHE forgets at once"),
        (RedisCache(port=9, socket_timeout=None), "give the cache socket_timeout=1"),
        (JsonCache(port=9, socket_timeout=1), "fails with ConnectionError"),
    ],
)
def test_plant_a_token_cache_that_does_not_work(online: Make, cache: BaseCache, says: str) -> None:
    assert says in Diagnosis(online(SPAYON_TOKEN_CACHE=cache)).only("token cache")
