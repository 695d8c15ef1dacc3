"""Table checks of `doctor`: the database, the two tables in it, and the work that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from flask import current_app
from werkzeug.exceptions import HTTPException

from ..domain.handlers import load_order
from ..state import AppState
from ..storage.inspection import SILENT, Inspection
from .terminal import when

#: A check yields state (ok, wrong, unknown), text and advice of what it finds.
Findings = Iterator[tuple[str, ...]]

#: How long a row may wait for the dispatcher until the next reconcile.
_HAND_OVER = timedelta(minutes=10)

#: So many of the newest payments say by what keys the shop's orders are known.
_NEWEST = 20

#: The advice for MariaDB. CONVERT without COLLATE would make `a1` and `A1` one order.
_CONVERT = "ALTER TABLE {} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


def _nothing(
    found: Callable[[Inspection, datetime], int | str], says: str, do: str
) -> Callable[[AppState], Findings]:
    """Return a check that takes whatever is *found* for wrong."""

    def check(state: AppState) -> Findings:
        if number := found(state.storage.inspection, state.clock()):
            yield "wrong", says.format(number), do.format(state.command)

    return check


check_tables = _nothing(
    lambda tables, _: ", ".join(tables.differences()),
    "missing: {}",
    "create new tables with db.create_all(), or `flask db migrate` and `flask db upgrade`",
)

check_transactions = _nothing(
    lambda tables, _: not tables.keeps_transactions(),
    "its isolation level is AUTOCOMMIT: what a handler writes is kept if it fails",
    "remove isolation_level AUTOCOMMIT from the options of the engine",
)

check_accounts = _nothing(
    lambda tables, _: ", ".join(tables.strange_accounts(current_app.extensions["spayon"])),
    "there are payments of {}, and no Spayon object of that name: nobody sees them",
    "give the object its former name, or change the column `account` of both tables",
)

check_failing = _nothing(
    lambda tables, _: ", ".join(
        f"{number} with {error}" for error, number in tables.failing_handlers().items()
    ),
    "payments that could not be recorded, since a handler fails: {}",
    "mend it, reconcile tries again; `flask {} show` and the log say why",
)

check_reviews = _nothing(
    lambda tables, _: tables.under_review(),
    "{} under review",
    "decide on them: `flask {} review`",
)

check_dispatcher = _nothing(
    lambda tables, now: tables.undispatched(now=now - _HAND_OVER),
    "{} callbacks were not handed over",
    "look whether the queue runs, then `flask {} reconcile`",
)

check_unknown = _nothing(
    lambda tables, now: tables.unknown(since=now - timedelta(days=7)),
    "{} in a week about payment sessions that this shop does not know",
    "are these credentials used elsewhere? See `flask {} unknown`",
)


def check_database(state: AppState) -> Findings:
    """Ask the database anything."""
    state.storage.inspection.ping()
    yield "ok", "answers"


def check_encoding(state: AppState) -> Findings:
    """Look whether every letter can be written, and ids are told apart by each letter."""
    inspection = state.storage.inspection
    encoding, inexact = inspection.encoding(), inspection.inexact_ids()
    tables = (inspection.payment.fullname, inspection.callback.fullname)
    convert = "; ".join(map(_CONVERT.format, tables))

    if encoding not in ("utf8", "utf8mb4"):
        says = f"the tables are {encoding}: Armenian and Russian text cannot be written"
        yield "wrong", says, f"on MariaDB: {convert}; on PostgreSQL make a database in UTF8"

    elif inexact:
        names = ", ".join(inexact)
        yield "wrong", f"to these ids, orders a1 and A1 are one: {names}", convert

    else:
        yield "ok", encoding


def check_gateways(state: AppState) -> Findings:
    """Say if there are payments that another gateway was asked for."""
    if others := state.storage.inspection.other_gateways():
        listed = ", ".join(f"{number} of {name}" for name, number in others.items())
        yield "ok", f"left alone: {listed}"


def check_order_keys(state: AppState) -> Findings:
    """Look whether a stranger can guess the link to the newest order.

    The order loader is asked only if the keys are numbers.
    """
    keys = state.storage.inspection.newest_keys(_NEWEST)

    if keys and all(key.isdecimal() for key in keys) and _is_shown_to_strangers(state, keys[0]):
        says = f"they are numbers, such as {keys[0]}: whoever counts finds the orders of others"
        do = "give each order a code, secrets.token_urlsafe(12), and hand it over as Order(key=...)"
        yield "wrong", says, do


def _is_shown_to_strangers(state: AppState, key: str) -> bool:
    path = state.urls.path("checkout", order_id=key)

    with current_app.test_request_context(path, base_url=state.settings.public_url):
        try:
            answer = current_app.preprocess_request()
            return answer is None and load_order(state.handlers, key) is not None

        except HTTPException:
            return False

        finally:
            # What the loader wrote is for nobody.
            state.storage.queries.session.rollback()


def check_pending(state: AppState) -> Findings:
    """Look for payments that nobody asks about, and those whose answer cannot be recorded."""
    number, oldest, neglected = state.storage.inspection.overdue(now=state.clock())
    says = f"{number} without an answer for more than 30 minutes, the oldest since {when(oldest)}"

    if neglected:
        do = f"let `flask {state.command} reconcile` run every minute, and look what it says"
        yield "wrong", f"{says}; nobody asks about {neglected} of them", do

    elif number:
        yield "wrong", f"{says}, although reconcile asks about them", "look into its log"


def check_heartbeat(state: AppState) -> Findings:
    """Look when reconcile has last finished on this host."""
    beat = state.heartbeat.read()
    late = state.storage.schedule.count_due(now=state.clock() - SILENT)
    do = f"let `flask {state.command} reconcile` run every minute, on at least one host"

    # It may run on another host. Payments that wait too long are what `check_pending` finds.
    if beat is None and not late:
        yield "ok", "has not been seen to finish on this host; nothing waits"

    elif beat is None:
        says = "it has left no trace on this host, or there is no instance folder for one"
        yield "unknown", says, f"{do}; `mkdir {current_app.instance_path}` lets doctor see it"

    elif late and state.clock() - beat.finished_at > SILENT:
        says = f"last finished {when(beat.finished_at)} on this host, and {late} payments wait"
        yield "wrong", says, do

    else:
        says = f"last finished {when(beat.finished_at)} on this host, with exit code"
        yield "ok", f"{says} {beat.exit_code}"


def check_rotation(state: AppState) -> Findings:
    """Tell which of several callback secrets Spayon signs with."""
    seen = state.storage.inspection.secrets_seen()
    number = len(state.settings.callback_secrets)

    for index in range(number if number > 1 else 0):
        said = f"last verified {when(seen[index])}" if index in seen else "never verified anything"
        yield "ok", f"callback secret {index + 1} of {number}: {said}"
