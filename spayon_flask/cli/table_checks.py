"""Table checks of `doctor`: the database, the two tables in it, and the work that is left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from flask import current_app

from ..state import AppState
from ..storage.database_errors import database_trouble
from ..storage.inspection import SILENT
from .terminal import when

#: How long a row may wait for the dispatcher until the next reconcile.
_HAND_OVER = timedelta(minutes=10)

#: How long the former secret is kept while secrets are rotated.
_ROTATION = timedelta(days=30)

#: The advice for MariaDB. CONVERT without COLLATE would make `a1` and `A1` one order.
_CONVERT = "ALTER TABLE {} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


def check_database(state: AppState) -> Iterator[tuple[str, ...]]:
    """Ask the database anything."""
    inspection = state.storage.inspection

    try:
        inspection.ping()

    except Exception as error:
        if (trouble := database_trouble(error)) is None:
            raise

        says, _, do = trouble.partition(": ")
        yield "wrong", says, do
        return

    # What is tried needs the tables; without them this is not what is wrong.
    if not inspection.differences() and not inspection.keeps_transactions():
        yield (
            "wrong",
            "its isolation level is AUTOCOMMIT: what a handler writes is kept if it fails",
            "remove isolation_level AUTOCOMMIT from the options of the engine",
        )


def check_tables(state: AppState) -> Iterator[tuple[str, ...]]:
    """Compare the tables in the database with the models."""
    if missing := state.storage.inspection.differences():
        migrates = "migrate" in current_app.extensions
        yield (
            "wrong",
            f"missing: {', '.join(missing)}",
            "run `flask db migrate`, then `flask db upgrade`"
            if migrates
            else "create them: db.create_all() for new tables, or a migration (Flask-Migrate)",
        )


def check_encoding(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look whether every letter can be written, and ids are told apart by each letter."""
    inspection = state.storage.inspection
    encoding, inexact = inspection.encoding(), inspection.inexact_ids()
    tables = (inspection.payment.fullname, inspection.callback.fullname)
    convert = "; ".join(map(_CONVERT.format, tables))

    if encoding not in ("utf8", "utf8mb4"):
        yield (
            "wrong",
            f"the tables are {encoding}: Armenian and Russian text cannot be written",
            f"on MariaDB: {convert}; on PostgreSQL make a database in UTF8",
        )

    elif inexact:
        names = ", ".join(inexact)
        yield "wrong", f"to these ids, orders a1 and A1 are one: {names}", convert

    else:
        yield "ok", encoding


def check_accounts(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look for payments that no object of this app reads: those of a name that was changed."""
    if strangers := state.storage.inspection.strange_accounts(current_app.extensions["spayon"]):
        names = ", ".join(strangers)
        yield (
            "wrong",
            f"there are payments of {names}, and no Spayon object of that name: nobody sees them",
            "give the object its former name, or change the column `account` of both tables",
        )


def check_gateways(state: AppState) -> Iterator[tuple[str, ...]]:
    """Say if there are payments that another gateway was asked for."""
    others = state.storage.inspection.other_gateways()
    listed = ", ".join(f"{number} of {name}" for name, number in others.items())
    present = f"all payments are of {state.settings.gateway}"
    yield "ok", f"left alone: {listed}" if others else present


def check_pending(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look for payments that nobody asks about, and those whose answer cannot be recorded."""
    number, oldest, neglected = state.storage.inspection.overdue(now=state.clock())
    says = f"{number} without an answer for more than 30 minutes, the oldest since {when(oldest)}"

    if neglected:
        part = f"; nobody asks about {neglected} of them" if neglected < number else ""
        yield (
            "wrong",
            says + part,
            f"let `flask {state.command} reconcile` run every minute, and look what it says",
        )

    elif number:
        yield (
            "wrong",
            f"{says}, although reconcile asks about them",
            "look into its log: `not recorded` tells of a handler, `no status` of Spayon",
        )


def check_failing(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look for payments whose outcome the shop's handler did not take."""
    if failing := state.storage.inspection.failing_handlers():
        errors = ", ".join(f"{number} with {error}" for error, number in failing.items())
        yield (
            "wrong",
            f"payments that could not be recorded, since a handler fails: {errors}",
            f"mend it, reconcile tries again; `flask {state.command} show` and the log say why",
        )


def check_heartbeat(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look when reconcile has last finished on this host."""
    beat = state.heartbeat.read()
    late = state.storage.schedule.count_due(now=state.clock() - SILENT)
    every_minute = f"let `flask {state.command} reconcile` run every minute, on at least one host"
    last = beat and f"last finished {when(beat.finished_at)} on this host"

    # It may run on another host. Payments that wait too long are what `check_pending` finds.
    if beat is None and not late:
        yield "ok", "has not been seen to finish on this host; nothing waits"

    elif beat is None:
        yield (
            "unknown",
            "it has left no trace on this host, or there is no instance folder for one",
            f"{every_minute}; `mkdir {current_app.instance_path}` lets doctor see it",
        )

    elif late and state.clock() - beat.finished_at > SILENT:
        yield "wrong", f"{last}, and {late} payments wait for it", every_minute

    elif beat.exit_code == 1:
        yield "wrong", f"{last}, with 1: {beat.summary}", "look into its log"

    else:
        yield "ok", str(last)


def check_reviews(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look for payments that wait for a person."""
    if number := state.storage.inspection.under_review():
        yield "wrong", f"{number} under review", f"decide on them: `flask {state.command} review`"


def check_dispatcher(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look for callback rows that the dispatcher never got."""
    if number := state.storage.inspection.undispatched(now=state.clock() - _HAND_OVER):
        do = f"look whether the queue runs, then `flask {state.command} reconcile`"
        yield "wrong", f"{number} callbacks were not handed over", do


def check_unknown(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look for reports about payments that are not ours."""
    if number := state.storage.inspection.unknown(since=state.clock() - timedelta(days=7)):
        yield (
            "wrong",
            f"{number} in a week about payment sessions that this shop does not know",
            f"are these credentials used elsewhere? See `flask {state.command} unknown`",
        )


def check_rotation(state: AppState) -> Iterator[tuple[str, ...]]:
    """Tell which of several callback secrets Spayon signs with."""
    seen = state.storage.inspection.secrets_seen()
    number = len(state.settings.callback_secrets)

    for index in range(number if number > 1 else 0):
        said = f"last verified {when(seen[index])}" if index in seen else "never verified anything"
        says = f"callback secret {index + 1} of {number}: {said}"
        since = seen.get(index, seen[0]) if 0 in seen else None
        is_former = index > 0 and since is not None and since <= seen[0]

        if is_former and since is not None and state.clock() - since > _ROTATION:
            yield "wrong", says, "Spayon signs with the first one: remove this one"

        else:
            yield "ok", says
