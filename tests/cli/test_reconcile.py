"""`flask spayon reconcile`: alone and in company, on a terminal and off it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.conftest import dispose
from tests.gateway import Gateway
from tests.gateway import Says
from tests.many import add_many
from tests.reports import report
from tests.shop import Shop
from tests.shop import make_shop


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway that says "paid" for the order of that number."""
    with Gateway() as gateway:
        gateway.statuses = lambda each: Says(report(each, orderId=f"A{each[1:]}"))
        yield gateway


@pytest.fixture
def shop(gateway: Gateway, tmp_path: Any) -> Iterator[Shop]:
    """A shop in a file that asks this gateway."""
    shop = make_shop(f"sqlite:///{tmp_path / 'shop.db'}", SPAYON_API_URL=gateway.url)
    yield shop
    dispose(shop)


def start(
    database_url: str, gateway: Gateway, *arguments: str, stdout: Any = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start `flask spayon reconcile` as a process of its own."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "flask", "--app", "tests.cli.child"),
            *("spayon", "reconcile", *arguments),
        ],
        env=os.environ | {"SHOP_DATABASE_URL": database_url, "SHOP_API_URL": gateway.url},
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


def test_it_exits_with_1_where_the_credentials_are_refused(
    shop: Shop, gateway: Gateway, run: Run
) -> None:
    gateway.tokens = lambda _: Says(code=401)
    add_many(shop, 1)

    assert run("reconcile").exit_code == 1


def test_it_exits_with_2_where_spayon_leaves_some_unanswered(
    shop: Shop, gateway: Gateway, run: Run
) -> None:
    gateway.statuses = lambda _: Says(code=503)
    add_many(shop, 1)

    result = run("reconcile")

    assert result.exit_code == 2
    assert "asked 1; changed none; unanswered 1" in result.output


def test_a_watch_ends_with_1_where_the_credentials_are_refused(
    shop: Shop, gateway: Gateway, run: Run
) -> None:
    gateway.tokens = lambda _: Says(code=401)
    add_many(shop, 1)

    assert run("reconcile", "--watch", "3600").exit_code == 1


def test_several_processes_share_the_work_and_ask_about_each_payment_once(
    database_url: str, gateway: Gateway
) -> None:
    shop = make_shop(database_url, SPAYON_API_URL=gateway.url)
    add_many(shop, 24)

    processes = [start(database_url, gateway, "--jobs", "2") for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert set(gateway.asked.values()) == {1}
    assert len(gateway.asked) == 24
    assert [shop.paid_times(f"A{number}") for number in range(1, 25)] == [1] * 24
    dispose(shop)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_call_under_way_finish(
    shop: Shop, gateway: Gateway, number: signal.Signals
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold(session_id: str) -> Says:
        begun.set()
        go_on.wait(30)
        return Says(report(session_id, orderId=f"A{session_id[1:]}"))

    gateway.statuses = hold
    add_many(shop, 5)
    database_url = shop.app.config["SQLALCHEMY_DATABASE_URI"]
    process = start(database_url, gateway, "--jobs", "1", "--watch", "3600")

    assert begun.wait(30)
    process.send_signal(number)
    threading.Timer(0.2, go_on.set).start()
    output, _ = process.communicate(timeout=30)

    assert process.returncode == 2
    assert "asked 1; changed 1 paid; put back 4" in output
    assert shop.payment("S1").status == "paid"
    assert shop.payment("S2").status == "pending"


def test_a_watch_goes_on_until_a_signal_ends_it(shop: Shop, gateway: Gateway) -> None:
    database_url = shop.app.config["SQLALCHEMY_DATABASE_URI"]
    process = start(database_url, gateway, "--watch", "0.1")
    assert process.stdout is not None
    assert process.stdout.readline() == "asked 0; changed none\n"

    add_many(shop, 1)

    assert process.stdout.readline() == "S1: paid\n"
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_terminal_shows_a_bar(shop: Shop, gateway: Gateway) -> None:
    add_many(shop, 3)
    ours, theirs = pty.openpty()
    process = start(shop.app.config["SQLALCHEMY_DATABASE_URI"], gateway, stdout=theirs)
    os.close(theirs)
    shown = b""

    with suppress(OSError):  # the end of a terminal
        while more := os.read(ours, 4096):
            shown += more

    os.close(ours)
    assert process.wait(30) == 0
    assert b"3/3" in shown
    assert b"S1: paid" not in shown
