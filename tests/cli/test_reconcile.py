"""`flask spayon reconcile`: alone and in company."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from tests.cli.conftest import Run
from tests.gateway import Gateway, Says
from tests.kept import dispose
from tests.many import add_many
from tests.reports import report
from tests.shop import Shop, make_shop


@pytest.fixture
def shop(scripted: Gateway, file_shop: Shop) -> Shop:
    """A shop in a file that asks this gateway."""
    file_shop.configure(SPAYON_API_URL=scripted.url)
    return file_shop


def start(
    database_url: str, scripted: Gateway, *arguments: str, stdout: Any = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start `flask spayon reconcile` as a process of its own."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "flask", "--app", "tests.cli.child"),
            *("spayon", "reconcile", *arguments),
        ],
        env=os.environ | {"SHOP_DATABASE_URL": database_url, "SHOP_API_URL": scripted.url},
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_what_changed_is_said_line_by_line_and_in_all(shop: Shop, run: Run) -> None:
    add_many(shop, 2)

    result = run("reconcile")

    assert result.exit_code == 0
    assert sorted(result.output.splitlines()) == [
        "S1: paid",
        "S2: paid",
        "asked 2; changed 2 paid",
    ]


@pytest.mark.parametrize("watch", [(), ("--watch", "3600")])
def test_it_exits_with_1_where_the_credentials_are_refused(
    shop: Shop, scripted: Gateway, run: Run, watch: tuple[str, ...]
) -> None:
    scripted.tokens = lambda _: Says(code=401)
    add_many(shop, 1)

    assert run("reconcile", *watch).exit_code == 1


def test_it_exits_with_2_where_spayon_leaves_some_unanswered_and_says_why_once(
    shop: Shop, scripted: Gateway, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.statuses = lambda _: Says(code=503)
    add_many(shop, 20)

    result = run("reconcile")

    assert result.exit_code == 2
    assert "changed none; unanswered" in result.output
    assert result.output.count("HTTP 503") == 1
    assert caplog.text.count("HTTP 503") == 1


def test_several_processes_share_the_work_and_ask_about_each_payment_once(
    database_url: str, scripted: Gateway
) -> None:
    shop = make_shop(database_url, SPAYON_API_URL=scripted.url)
    add_many(shop, 24)

    processes = [start(database_url, scripted, "--jobs", "2") for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert set(scripted.asked.values()) == {1}
    assert len(scripted.asked) == 24
    assert [shop.paid_times(f"A{number}") for number in range(1, 25)] == [1] * 24
    dispose(shop)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.thorough
def test_a_signal_lets_the_call_under_way_finish(
    shop: Shop, scripted: Gateway, number: signal.Signals
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold(session_id: str) -> Says:
        begun.set()
        go_on.wait(30)
        return Says(report(session_id, orderId=f"A{session_id[1:]}"))

    scripted.statuses = hold
    add_many(shop, 5)
    database_url = shop.app.config["SQLALCHEMY_DATABASE_URI"]
    process = start(database_url, scripted, "--jobs", "1", "--watch", "3600")

    assert begun.wait(30)
    process.send_signal(number)
    threading.Timer(0.2, go_on.set).start()
    output, _ = process.communicate(timeout=30)

    assert process.returncode == 2
    assert "asked 1; changed 1 paid; put back 4" in output
    assert shop.payment("S1").status == "paid"
    assert shop.payment("S2").status == "pending"


def test_a_watch_goes_on_until_a_signal_ends_it(shop: Shop, scripted: Gateway) -> None:
    database_url = shop.app.config["SQLALCHEMY_DATABASE_URI"]
    process = start(database_url, scripted, "--watch", "0.1")
    assert process.stdout is not None
    assert process.stdout.readline() == "asked 0; changed none\n"

    add_many(shop, 1)

    assert process.stdout.readline() == "S1: paid\n"
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_watch_outlives_a_database_that_is_away_for_a_while(
    shop: Shop, scripted: Gateway, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = count(1)
    stops = _Stops(shop, 8)
    monkeypatch.setattr("spayon_flask.cli.upkeep.stop_on_signals", stops.given)
    add_many(shop, 1)

    def break_some(*_: object) -> None:
        # The first statement of a round; 2 to 4 fail, in the middle of the session's transaction.
        if 2 <= next(rounds) <= 4:
            raise OperationalError("SELECT", {}, OSError("server closed the connection"))

    scripted.statuses = lambda each: Says(report(each, "pending"))

    with shop.ahead_of_statements(break_some):
        result = run("reconcile", "--watch", "10")

    assert result.exit_code == 0
    assert stops.waits == [10.0] * 8


def test_a_watch_that_never_succeeds_ends_with_1_after_five_minutes(
    shop: Shop, scripted: Gateway, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops = _Stops(shop, 100)
    monkeypatch.setattr("spayon_flask.cli.upkeep.stop_on_signals", stops.given)

    def fail(*_: object) -> None:
        raise OperationalError("SELECT", {}, OSError("server closed the connection"))

    with shop.ahead_of_statements(fail):
        result = run("reconcile", "--watch", "60")

    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("Error: the database does not answer")
    assert len(stops.waits) == 6


def test_quiet_says_nothing_unless_something_went_badly(
    shop: Shop, scripted: Gateway, run: Run
) -> None:
    add_many(shop, 1)
    assert run("reconcile", "--quiet").output == ""
    assert shop.payment().status == "paid"

    shop.add_payment("S9", "A9")
    scripted.statuses = lambda _: Says(code=503)
    result = run("reconcile", "--quiet")

    assert result.output.splitlines() == [
        "S9: Spayon is not available (HTTP 503)",
        "asked 1; changed none; unanswered 1",
    ]


class TestHeartbeat:
    """If there is an instance folder, `doctor` tells when reconcile has last finished."""

    @pytest.fixture
    def shop(self, scripted: Gateway, file_shop: Shop, tmp_path: Path) -> Shop:
        file_shop.configure(SPAYON_API_URL=scripted.url)
        state = file_shop.app.extensions["spayon"]["spayon"]
        state.heartbeat._path = str(tmp_path / "beat.json")
        return file_shop

    def _found(self, run: Run) -> tuple[str, str]:
        findings = json.loads(run("doctor", "--offline", "--json").output)["findings"]
        (found,) = [each for each in findings if each["check"] == "reconcile"]
        return found["state"], found["says"]

    def test_a_run_is_seen(self, shop: Shop, run: Run) -> None:
        assert self._found(run) == (
            "ok",
            "has not been seen to finish on this host; nothing waits",
        )

        run("reconcile")

        said = "last finished 2026-11-22 12:00:00 on this host, with exit code 0"
        assert self._found(run) == ("ok", said)

    def test_silence_is_wrong_if_payments_are_overdue(
        self, shop: Shop, scripted: Gateway, run: Run
    ) -> None:
        scripted.statuses = lambda each: Says(report(each, "pending"))
        run("reconcile")
        shop.clock.step(11 * 60)
        assert self._found(run)[0] == "ok"

        add_many(shop, 2)
        shop.clock.step(11 * 60)

        state, says = self._found(run)
        assert state == "wrong"
        assert says.startswith("last finished 2026-11-22 12:00:00 on this host, and ")
        assert says.endswith(" payments wait")

    def test_a_file_that_cannot_be_written_or_read_changes_nothing(
        self, shop: Shop, run: Run, tmp_path: Path
    ) -> None:
        (tmp_path / "beat.json").mkdir()

        assert run("reconcile").exit_code == 0
        assert self._found(run)[0] == "ok"


class _Stops:
    """Time passes while a watch waits, in a shop's clock; the watch ends after so many waits."""

    def __init__(self, shop: Shop, count: int) -> None:
        self._shop = shop
        self._left = count
        self.waits: list[float] = []

    @contextmanager
    def given(self) -> Iterator[Any]:
        yield self

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self._shop.clock.step(seconds)
        self._left -= 1
        return self._left <= 0


def test_payments_of_an_account_that_no_object_has_are_named_at_the_start(
    shop: Shop, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    shop.add_payment("S1", account="tea", status="failed", due_at=None)

    run("reconcile")

    (said,) = [each for each in caplog.records if "no Spayon object" in each.getMessage()]
    assert vars(said)["account"] == "tea"
