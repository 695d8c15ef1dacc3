"""Checks of what the tables hold: their shape, and the work that is left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from flask import current_app

from ...state import AppState
from ...storage.database_errors import database_trouble
from ...storage.queries import SILENT
from ..terminal import when
from .finding import Finding
from .finding import ok
from .finding import wrong


#: How long a hand-over may wait for the next reconcile.
_HAND_OVER = timedelta(minutes=10)

#: How long the former secret is kept while secrets are rotated.
_ROTATION = timedelta(days=30)


def check_database(state: AppState) -> Iterator[Finding]:
    """Ask the database anything."""
    try:
        state.storage.queries.ping()

    except Exception as error:
        if (trouble := database_trouble(error)) is None:
            raise

        says, _, do = trouble.partition(": ")
        yield wrong("database", says, do)

    else:
        yield ok("database", "answers")


def check_encoding(state: AppState) -> Iterator[Finding]:
    """Look whether the names of products can be written in every language."""
    encoding = state.storage.queries.encoding()

    if encoding in ("utf8", "utf8mb4"):
        yield ok("encoding", encoding)

    else:
        yield wrong(
            "encoding",
            f"the tables are {encoding}: Armenian and Russian text cannot be written",
            "convert the database and its tables to utf8mb4 (MariaDB), or UTF8 (PostgreSQL)",
        )


def check_tables(state: AppState) -> Iterator[Finding]:
    """Compare the tables in the database with the models."""
    missing = state.storage.queries.differences()

    if not missing:
        yield ok("tables", "as they should be")
        return

    migrates = "migrate" in current_app.extensions
    yield wrong(
        "tables",
        f"missing: {', '.join(missing)}",
        "run `flask db migrate`, then `flask db upgrade`"
        if migrates
        else "create them: db.create_all() for new tables, or a migration (Flask-Migrate)",
    )


def check_pending(state: AppState) -> Iterator[Finding]:
    """Look for payments that nobody asks about, and those whose answer cannot be recorded."""
    overdue = state.storage.queries.overdue(now=state.clock())
    number = overdue.number

    if not number:
        yield ok("pending payments", "none is overdue")
        return

    since = when(overdue.oldest)
    says = f"{number} without an answer for more than 30 minutes, the oldest since {since}"

    if overdue.neglected:
        others = (
            ""
            if overdue.neglected == number
            else f"; nobody asks about {overdue.neglected} of them"
        )
        yield wrong(
            "pending payments",
            f"{says}{others}",
            f"let `flask {state.name} reconcile` run every minute, and look what it says",
        )

    else:
        yield wrong(
            "pending payments",
            f"{says}, although reconcile asks about them",
            "look into its log: `not recorded` tells of a handler or a database that fails, "
            "`no status` of a Spayon that does not answer",
        )


def check_heartbeat(state: AppState) -> Iterator[Finding]:
    """Look when reconcile has last finished on this host."""
    beat = state.heartbeat.read()
    now = state.clock()

    if beat is None:
        # It may run on another host. Payments that wait too long are what `check_pending` finds.
        yield ok("reconcile", "has not been seen to finish on this host")
        return

    last = f"last finished {when(beat.finished_at)} on this host"
    late = state.storage.schedule.count_due(now=now - SILENT)

    if late and now - beat.finished_at > SILENT:
        yield wrong(
            "reconcile",
            f"{last}, and {late} payments wait for it",
            f"let `flask {state.name} reconcile` run every minute, on at least one host",
        )

    elif beat.exit_code == 1:
        yield wrong("reconcile", f"{last}, with 1: {beat.summary}", "look into its log")

    else:
        yield ok("reconcile", last)


def check_reviews(state: AppState) -> Iterator[Finding]:
    """Look for payments that wait for a person."""
    if number := state.storage.queries.under_review():
        yield wrong(
            "reviews", f"{number} under review", f"decide on them: `flask {state.name} review`"
        )

    else:
        yield ok("reviews", "nothing is under review")


def check_hand_over(state: AppState) -> Iterator[Finding]:
    """Look for callback rows that the dispatcher never got."""
    late = state.clock() - _HAND_OVER

    if number := state.storage.queries.undispatched(now=late):
        yield wrong(
            "dispatcher",
            f"{number} callbacks were not handed over",
            f"look whether the queue runs, then `flask {state.name} reconcile`",
        )

    else:
        yield ok("dispatcher", "nothing waits to be handed over")


def check_unknown(state: AppState) -> Iterator[Finding]:
    """Look for reports about payments that are not ours."""
    since = state.clock() - timedelta(days=7)

    if number := state.storage.queries.unknown(since=since):
        yield wrong(
            "unknown reports",
            f"{number} in a week about payment sessions that this shop does not know",
            "look whether another shop or environment uses the same credentials or database: "
            f"`flask {state.name} unknown` lists them, and notes that you have looked",
        )

    else:
        yield ok("unknown reports", "none in a week")


def check_rotation(state: AppState) -> Iterator[Finding]:
    """Tell which of several callback secrets Spayon signs with."""
    seen = state.storage.queries.secrets_seen()
    number = len(state.settings.callback_secrets)
    now = state.clock()

    for index in range(number):
        said = f"last verified {when(seen[index])}" if index in seen else "never verified anything"
        former = index > 0 and 0 in seen and seen.get(index, seen[0]) <= seen[0]

        if former and now - seen.get(index, seen[0]) > _ROTATION:
            yield wrong(
                "rotation",
                f"callback secret {index + 1} of {number}: {said}",
                "Spayon signs with the first one: remove this one",
            )

        elif number > 1:
            yield ok("rotation", f"callback secret {index + 1} of {number}: {said}")
