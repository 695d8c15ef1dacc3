"""`flask spayon doctor`: each misconfiguration that is planted is found, with what to do."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from pathlib import Path
from typing import Any

import pytest
from flask import redirect
from flask import request
from sqlalchemy import text

from spayon_flask.simulator import Simulator
from tests.cli.conftest import Run
from tests.conftest import dispose
from tests.gateway import Gateway
from tests.gateway import Says
from tests.live import shop_at
from tests.reports import report
from tests.shop import Shop
from tests.shop import make_shop


PRODUCTION = {
    "SPAYON_API_URL": None,
    "SPAYON_PUBLIC_URL": "https://shop.example",
    "SPAYON_CLIENT_SECRET": "c1",
    "SPAYON_CALLBACK_SECRET": "s1",
    "SESSION_COOKIE_SECURE": True,
    "TESTING": False,
}


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
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a shop with other settings."""
    made: list[Shop] = []

    def make(**config: Any) -> Shop:
        made.append(make_shop(f"sqlite:///{tmp_path / 'made.db'}", **config))
        return made[-1]

    yield make

    for shop in made:
        dispose(shop)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Shop]:
    """A shop on a real port, with a simulator whose clock is that of this machine."""
    database_url = f"sqlite:///{tmp_path / 'live.db'}"

    with Simulator() as simulator, shop_at(simulator, database_url) as shop:
        yield shop
        dispose(shop)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway that answers as it is told to."""
    with Gateway() as gateway:
        yield gateway


@pytest.fixture
def any_shop(database_url: str) -> Iterator[Shop]:
    """A shop on each of the three engines."""
    shop = make_shop(database_url)
    yield shop
    dispose(shop)


def offline(shop: Shop) -> Diagnosis:
    """Ask the doctor about what needs no network."""
    return Diagnosis(shop, "--offline")


def test_a_shop_that_works_is_proven_to(live: Shop) -> None:
    diagnosis = Diagnosis(live)

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


def test_a_production_shop_that_works_is_proven_to_offline(make: Make) -> None:
    diagnosis = offline(make(**PRODUCTION))

    assert diagnosis.exit_code == 0, diagnosis.findings


def test_the_report_for_people_has_a_line_each_and_what_to_do(shop: Shop, run: Run) -> None:
    shop.add_payment(status="review", review="price_differs")

    output = run("doctor", "--offline").output

    assert "ok     tables: as they should be" in output
    assert (
        "WRONG  reviews: 1 under review\n       -> decide on them: `flask spayon review`" in output
    )


def test_no_secret_is_printed(live: Shop) -> None:
    said = json.dumps(Diagnosis(live).findings)

    assert "simulator-secret" not in said
    assert "simulator-callback-secret" not in said


# What is planted in the settings.


def test_plant_a_missing_setting_stops_the_app_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "from flask import Flask\n"
        "from flask_sqlalchemy import SQLAlchemy\n"
        "from spayon_flask import Spayon\n"
        "app = Flask('broken')\n"
        "app.config['SQLALCHEMY_DATABASE_URI'] = 'sqlite://'\n"
        "db = SQLAlchemy(app)\n"
        "Spayon(db).init_app(app)\n"
    )

    result = subprocess.run(
        [sys.executable, "-m", "flask", "--app", tmp_path / "broken.py", "spayon", "doctor"],
        capture_output=True,
        check=False,
        text=True,
    )

    assert result.returncode == 1
    assert "Error: SPAYON_CLIENT_ID, SPAYON_CLIENT_SECRET, SPAYON_CALLBACK_SECRET" in result.stderr
    assert "Traceback" not in result.stderr


def test_plant_a_mistyped_setting(make: Make) -> None:
    says = offline(make(SPAYON_CALBACK_SECRET="x")).only("names")

    assert says == "SPAYON_CALBACK_SECRET is no setting -> did you mean SPAYON_CALLBACK_SECRET?"


def test_plant_a_mistyped_prefix(make: Make) -> None:
    says = offline(make(SPYON_PUBLIC_URL="https://shop.example")).only("names")

    assert "did you mean SPAYON_PUBLIC_URL?" in says


def test_plant_a_setting_that_never_left_the_environment(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPAYON_SHOP_NAME", "Maran")

    assert "call it FLASK_SPAYON_SHOP_NAME" in offline(make()).only("names")


def test_plant_a_config_that_is_loaded_too_late(shop: Shop) -> None:
    shop.app.config["SPAYON_CALLBACK_SECRET"] = "loaded later"

    assert "load the config first" in offline(shop).only("settings")


def test_plant_a_config_that_is_emptied_later(shop: Shop) -> None:
    shop.app.config["SPAYON_CLIENT_ID"] = ""

    assert "SPAYON_CLIENT_ID is missing" in offline(shop).only("settings")


def test_plant_the_client_secret_in_place_of_the_callback_secret(make: Make) -> None:
    shop = make(SPAYON_CLIENT_SECRET="same", SPAYON_CALLBACK_SECRET="same")

    assert "copy the callback secret" in offline(shop).only("secrets")


def test_plant_a_callback_secret_twice(make: Make) -> None:
    shop = make(SPAYON_CALLBACK_SECRET=["s1", "s1"])

    assert "remove one" in offline(shop).only("secrets")


def test_plant_the_simulators_secrets_with_the_real_gateway(make: Make) -> None:
    shop = make(**PRODUCTION | {"SPAYON_CALLBACK_SECRET": "simulator-callback-secret"})

    assert "everybody knows" in offline(shop).only("secrets")


def test_the_work_of_a_before_request_is_said_to_be_committed_first(make: Make) -> None:
    shop = make()
    shop.app.before_request(lambda: None)
    (told,) = [says for name, says in offline(shop).of("ok") if name == "before_request"]

    assert told.startswith("1 of the app's functions run before our views")


def test_plant_a_simulator_in_production(make: Make) -> None:
    shop = make(
        **PRODUCTION
        | {"SPAYON_ENVIRONMENT": "production", "SPAYON_API_URL": "http://127.0.0.1:5001"}
    )

    assert "remove SPAYON_API_URL" in offline(shop).only("environment")


def test_plant_a_debugger_in_production(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")

    assert "turn off DEBUG" in offline(make(**PRODUCTION)).only("environment")


def test_plant_testing_in_production(make: Make) -> None:
    assert "turn off TESTING" in offline(make(**PRODUCTION | {"TESTING": True})).only("environment")


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.7", "localhost", "shop.local", "shop"])
def test_plant_a_public_url_that_is_private(make: Make, host: str) -> None:
    shop = make(**PRODUCTION | {"SPAYON_PUBLIC_URL": f"https://{host}"})

    assert "set SPAYON_PUBLIC_URL to the public address" in offline(shop).only("public URL")


def test_plant_no_public_url(make: Make) -> None:
    diagnosis = offline(make(SPAYON_PUBLIC_URL=None))

    assert diagnosis.exit_code == 2
    assert [name for name, _ in diagnosis.of("unknown")] == ["public URL"]


# What is planted in the app.


def test_plant_no_order_loader(shop: Shop) -> None:
    shop.spayon.handlers.order_loader = None

    assert "@spayon.order_loader" in dict(offline(shop).of("wrong"))["handlers"]


def test_plant_no_handler_for_paid(shop: Shop) -> None:
    shop.spayon.handlers.by_status["paid"].clear()

    assert "@spayon.on_paid" in offline(shop).only("handlers")


def test_plant_a_blueprint_that_is_not_mounted(shop: Shop) -> None:
    del shop.app.blueprints["spayon"]

    assert "register_blueprint" in dict(offline(shop).of("wrong"))["callback route"]


def test_plant_a_login_before_every_page(shop: Shop) -> None:
    @shop.app.before_request
    def log_in() -> Any:
        return redirect("/login")

    assert "it redirects to /login" in offline(shop).only("callback route")


def test_plant_a_login_by_header(shop: Shop) -> None:
    @shop.app.before_request
    def log_in() -> Any:
        return "who are you?", 401, {"WWW-Authenticate": "Basic"}

    assert "asks for a login" in offline(shop).only("callback route")


def test_plant_a_csrf_guard_of_the_shops_own(shop: Shop) -> None:
    @shop.app.before_request
    def guard() -> Any:
        return ("The CSRF token is missing.", 400) if request.method == "POST" else None

    assert "exempt the callback" in offline(shop).only("callback route")


def test_plant_hosts_that_do_not_include_the_public_url(make: Make) -> None:
    shop = make(TRUSTED_HOSTS=["other.example"])

    assert "it answers 400" in offline(shop).only("callback route")


@pytest.mark.parametrize(
    ("flags", "advice"),
    [
        ({"SESSION_COOKIE_SAMESITE": "Strict"}, "'Lax'"),
        ({"SESSION_COOKIE_SECURE": False}, "SESSION_COOKIE_SECURE = True"),
        ({"SESSION_COOKIE_HTTPONLY": False}, "SESSION_COOKIE_HTTPONLY = True"),
    ],
)
def test_plant_a_wrong_flag_of_the_session_cookie(
    make: Make, flags: dict[str, Any], advice: str
) -> None:
    assert advice in offline(make(**PRODUCTION | flags)).only("session cookie")


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        ("default-src 'self'", "ok"),
        ("form-action 'self' https://pay.spayon.io", "ok"),
        ("form-action 'self' https://*.spayon.io", "ok"),
        ("form-action https:", "ok"),
        ("form-action 'self'", "wrong"),
        ("form-action 'self' https://spayon.io", "wrong"),
        ("form-action 'self' http://pay.spayon.io", "wrong"),
    ],
)
def test_plant_a_policy_that_keeps_payers_from_spayon(shop: Shop, policy: str, state: str) -> None:
    shop.add_payment(session_url="https://pay.spayon.io/s/1")

    @shop.app.after_request
    def add_policy(response: Any) -> Any:
        response.headers["Content-Security-Policy"] = policy
        return response

    assert "form-action" in dict(offline(shop).of(state))


def test_the_look_at_the_policy_asks_neither_the_shop_nor_spayon(shop: Shop) -> None:
    asked: list[str] = []
    shop.add_payment()

    @shop.spayon.order_loader
    def load(order_id: str) -> None:
        asked.append(order_id)

    offline(shop)

    assert asked == []


def test_plant_a_policy_before_the_first_payment(shop: Shop) -> None:
    @shop.app.after_request
    def add_policy(response: Any) -> Any:
        response.headers["Content-Security-Policy"] = "form-action 'self'"
        return response

    assert "add the address" in offline(shop).only("form-action")


# What is planted in the database.


def change(shop: Shop, *statements: str) -> None:
    """Run SQL in the shop's database."""
    with shop.app.app_context():
        for statement in statements:
            shop.db.session.execute(text(statement))

        shop.db.session.commit()


def test_plant_a_missing_table(shop: Shop) -> None:
    change(shop, "DROP TABLE spayon_callback")

    says = dict(offline(shop).of("wrong"))["tables"]

    assert "table spayon_callback" in says
    assert "db.create_all()" in says


def test_plant_a_missing_column_in_a_shop_with_migrations(shop: Shop) -> None:
    shop.app.extensions["migrate"] = object()
    change(shop, "ALTER TABLE spayon_payment DROP COLUMN reviewed_by")

    says = dict(offline(shop).of("wrong"))["tables"]

    assert "column spayon_payment.reviewed_by" in says
    assert "flask db upgrade" in says


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

    assert "unique key of spayon_callback on session_id, status" in offline(any_shop).only("tables")


def test_plant_a_database_that_is_away(make: Make, tmp_path: Path) -> None:
    shop = make()
    (tmp_path / "made.db").unlink()
    (tmp_path / "made.db").mkdir()
    dispose(shop)

    says = offline(shop).only("database")

    assert says.startswith("the database does not answer (OperationalError) -> look whether it")


def test_plant_a_payment_that_nobody_asks_about(shop: Shop) -> None:
    shop.add_payment()
    shop.clock.step(31 * 60)

    says = offline(shop).only("pending payments")

    assert "the oldest since 2026-11-22 12:00:00" in says
    assert "flask spayon reconcile" in says


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

    assert "although reconcile asks about them" in says
    assert "`not recorded` tells of a handler" in says
    assert "let `flask" not in says

    shop.add_payment("S3", order_id="A3", created_at=shop.clock() - timedelta(hours=1))

    assert "nobody asks about 1 of them -> let `flask spayon reconcile`" in (
        offline(shop).only("pending payments")
    )

    shop.clock.step(12 * 60)

    says = offline(shop).only("pending payments")
    assert says.startswith("3 without an answer")
    assert "asks about" not in says


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

    assert "another shop or environment" in offline(shop).only("unknown reports")


def test_several_secrets_tell_when_each_last_verified(make: Make) -> None:
    shop = make(SPAYON_CALLBACK_SECRET=["simulator-callback-secret", "old"])
    shop.add_order()
    shop.add_payment()
    shop.deliver(report())

    told = [says for name, says in offline(shop).of("ok") if name == "rotation"]

    assert told == [
        "callback secret 1 of 2: last verified 2026-11-22 12:00:00 -> ",
        "callback secret 2 of 2: never verified anything -> ",
    ]


def test_plant_a_former_secret_that_is_kept_for_too_long(make: Make) -> None:
    shop = make(SPAYON_CALLBACK_SECRET=["simulator-callback-secret", "old"])
    shop.add_order()
    shop.add_payment()
    shop.deliver(report())
    shop.clock.step(31 * 86400)

    assert "remove this one" in offline(shop).only("rotation")


# What is planted in the network.


def test_plant_wrong_credentials(make: Make, gateway: Gateway) -> None:
    gateway.tokens = lambda _: Says(code=401)
    diagnosis = Diagnosis(make(SPAYON_API_URL=gateway.url, SPAYON_PUBLIC_URL=None))

    assert "CLIENT_SECRET" in dict(diagnosis.of("wrong"))["credentials"]


def test_plant_an_address_that_is_no_gateway(make: Make, gateway: Gateway) -> None:
    gateway.tokens = lambda _: Says(b"<html>Welcome</html>")
    diagnosis = Diagnosis(make(SPAYON_API_URL=gateway.url, SPAYON_PUBLIC_URL=None))

    assert "SPAYON_API_URL" in dict(diagnosis.of("wrong"))["credentials"]


def test_plant_a_gateway_that_is_away(make: Make) -> None:
    diagnosis = Diagnosis(make(SPAYON_PUBLIC_URL=None))

    assert diagnosis.exit_code == 2
    assert {name for name, _ in diagnosis.of("unknown")} == {"public URL", "credentials", "clock"}


@pytest.mark.parametrize("seconds", [-90, 90])
def test_plant_a_wrong_clock(make: Make, gateway: Gateway, seconds: int) -> None:
    shop = make(SPAYON_API_URL=gateway.url, SPAYON_PUBLIC_URL=None)
    shop.clock.now = datetime.now(timezone.utc) + timedelta(seconds=seconds)

    assert "NTP" in Diagnosis(shop).only("clock")


def test_plant_a_public_url_that_leads_elsewhere(make: Make, live: Shop) -> None:
    shop = make(
        SPAYON_API_URL=live.app.config["SPAYON_API_URL"],
        SPAYON_PUBLIC_URL=live.app.config["SPAYON_PUBLIC_URL"] + "/shop",
    )
    shop.clock.now = datetime.now(timezone.utc)

    assert "it answers 404" in Diagnosis(shop).only("callback URL")


def test_plant_a_public_url_where_nobody_listens(make: Make, gateway: Gateway) -> None:
    shop = make(SPAYON_API_URL=gateway.url, SPAYON_PUBLIC_URL="http://127.0.0.1:9")
    shop.clock.now = datetime.now(timezone.utc)
    diagnosis = Diagnosis(shop)

    assert diagnosis.exit_code == 2
    assert "nothing listens there" in dict(diagnosis.of("unknown"))["callback URL"]


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (Says(code=200), "accepted"),
        (Says(code=301, headers={"Location": "https://shop.example/"}), "redirects"),
        (Says(b"who?", code=401), "login"),
        (Says(code=403), "forbids"),
        (Says(code=405), "another route"),
        (Says(code=502), "proxy"),
    ],
)
def test_plant_a_proxy_that_answers_in_the_shops_place(
    make: Make, gateway: Gateway, said: Says, advice: str
) -> None:
    gateway.creations = lambda _: said
    shop = make(SPAYON_API_URL=gateway.url, SPAYON_PUBLIC_URL=gateway.url)
    shop.clock.now = datetime.now(timezone.utc)

    assert advice in Diagnosis(shop).only("callback URL")


def test_plant_another_shop_of_ours_behind_the_public_url(make: Make, live: Shop) -> None:
    shop = make(
        SPAYON_API_URL=live.app.config["SPAYON_API_URL"],
        SPAYON_PUBLIC_URL=live.app.config["SPAYON_PUBLIC_URL"],
        SPAYON_CALLBACK_SECRET="another",
    )
    shop.clock.now = datetime.now(timezone.utc)

    assert "another callback secret" in Diagnosis(shop).only("callback URL")


class Forgetful:
    """A cache that keeps nothing."""

    def get(self, key: str) -> None:
        return None

    def set(self, key: str, value: object, timeout: int | None = None) -> bool:
        return True

    def add(self, key: str, value: object, timeout: int | None = None) -> bool:
        return True

    def delete(self, key: str) -> bool:
        return True


class Away(Forgetful):
    """A cache whose server is away."""

    def get(self, key: str) -> None:
        raise ConnectionError


class Stuck(Forgetful):
    """A cache whose server accepts, and does not answer."""

    def get(self, key: str) -> None:
        threading.Event().wait(20)


@pytest.mark.parametrize(
    ("cache", "says"),
    [(Forgetful(), "forgets"), (Away(), "fails"), (Stuck(), "give its client a socket_timeout")],
)
def test_plant_a_token_cache_that_does_not_work(
    make: Make, gateway: Gateway, cache: Forgetful, says: str
) -> None:
    shop = make(SPAYON_API_URL=gateway.url, SPAYON_PUBLIC_URL=None, SPAYON_TOKEN_CACHE=cache)
    shop.clock.now = datetime.now(timezone.utc)

    assert says in Diagnosis(shop).only("token cache")
