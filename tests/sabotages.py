"""Sabotages: one line of the package made wrong, and where a test must notice."""

from __future__ import annotations

from dataclasses import dataclass


PROMISES = "tests/promises/"


@dataclass(frozen=True)
class Sabotage:
    """Replace *old*, which is there once, by *new* in *path*; *tests* of *file* must fail.

    *tests* is an expression for `pytest -k`.
    """

    name: str
    path: str
    old: str
    new: str
    file: str
    tests: str


def _of(file: str) -> str:
    return f"{PROMISES}test_{file}.py"


ONCE = _of("exactly_once")
HANDLERS = _of("handlers")
ORDER = _of("order_of_statuses")
MONEY = _of("money_guard")
LIVE = _of("one_live_session")
UNKNOWN = _of("unknown_sessions")
FORGED = _of("nothing_forged")
OUTSIDE = _of("work_outside")
ACCOUNTS = _of("two_accounts")
RETRIES = _of("retries")
RECOVERY = _of("recovery")

SABOTAGES = [
    Sabotage(
        "a report may have two rows",
        "models/__init__.py",
        'UniqueConstraint("session_id", "status", name=f"uq_{table}_session_status"),',
        "",
        LIVE,
        "test_keys_in_the_database and sqlite",
    ),
    Sabotage(
        "a payment session may have two payments",
        "models/__init__.py",
        'UniqueConstraint("session_id", name=f"uq_{table}_session_id"),',
        "",
        LIVE,
        "test_keys_in_the_database and sqlite",
    ),
    Sabotage(
        "an order may be held twice",
        "models/__init__.py",
        'UniqueConstraint("account", "held_order_id", name=f"uq_{table}_held_order"),',
        "",
        LIVE,
        "test_a_key_in_the_database and sqlite",
    ),
    Sabotage(
        "the report is committed before the handler runs",
        "storage/changes.py",
        "        self._run_handlers(join, connection, {**found, **values})\n",
        "        session = join()\n"
        "        session.commit()\n"
        "        connection = session.connection(bind_arguments={'mapper': self._mapper})\n"
        "        self._run_handlers(lambda: session, connection, {**found, **values})\n",
        ONCE,
        "test_a_handler_that_raises and sqlite",
    ),
    Sabotage(
        "the session joins a transaction that its commit does not end",
        "storage/own_transaction.py",
        'session.join_transaction_mode = "control_fully"',
        'session.join_transaction_mode = "rollback_only"',
        ONCE,
        "test_deliveries_one_after_the_other and sqlite",
    ),
    Sabotage(
        "the handler runs before the status is written",
        "storage/changes.py",
        "        if written != decision.status:\n",
        "        self._run_handlers(join, connection, {**found, **values})\n\n"
        "        if written != decision.status:\n",
        ONCE,
        "test_deliveries_one_after_the_other and sqlite",
    ),
    Sabotage(
        "a status is written whatever it was decided upon",
        "storage/statements.py",
        '                p.status == bindparam("the_status"),\n'
        '                p.superseded == bindparam("the_superseded"),\n',
        '                or_(p.status == bindparam("the_status"), p.id > 0),\n'
        '                p.superseded == bindparam("the_superseded"),\n',
        ONCE,
        "test_a_report_that_another_one_overtakes and not mariadb",
    ),
    Sabotage(
        "what was written with the report stands, whatever is decided",
        "storage/changes.py",
        "        if written != decision.status:\n",
        "        if written is None:\n",
        MONEY,
        "test_a_doubtful_paid and postgresql",
    ),
    Sabotage(
        "a status is written with the report whatever it was",
        "storage/report_statements.py",
        '                p.status == _text("pending"),\n',
        "",
        ORDER,
        "postgresql",
    ),
    Sabotage(
        "a status is written with a report that was known",
        "storage/report_statements.py",
        "                select(fresh.c.id).exists(),\n",
        "",
        ONCE,
        "test_a_repetition_writes_nothing and postgresql",
    ),
    Sabotage(
        "who lost a race does not look again",
        "storage/transactions.py",
        "        except LostRaceError:\n            if not left:\n                raise\n",
        "        except LostRaceError:\n            raise\n",
        ONCE,
        "test_a_delivery_that_its_duplicate_overtakes and sqlite",
    ),
    Sabotage(
        "a known report is judged again",
        "storage/arrivals.py",
        "        return known and (self.known_verdict != UNKNOWN or self.found is None)\n",
        "        return known and self.found is None\n",
        ONCE,
        "test_deliveries_one_after_the_other and sqlite",
    ),
    Sabotage(
        "a handler may commit",
        "storage/guard.py",
        "    token = _guard.set(guard)\n",
        "    token = _guard.set(None)\n",
        HANDLERS,
        "commit_until_it_works and sqlite",
    ),
    Sabotage(
        "a handler may commit the connection",
        "storage/own_connection.py",
        "        connection.listener = listener\n",
        "        connection.listener = None\n",
        HANDLERS,
        "commit_the_connection and sqlite",
    ),
    Sabotage(
        "a tenant's report is kept in another's schema",
        "storage/prepared_statement.py",
        "        if _is_changed(connection):\n",
        "        if connection.closed:\n",
        "tests/neighbours/test_engines.py",
        "test_our_tables_may_be_in_the_schema_of_a_tenant",
    ),
    Sabotage(
        "any session says which database is that of all others",
        "storage/sessions.py",
        "        if not is_plain or self._scoped.registry.has():\n",
        "        if self._scoped.registry.has():\n",
        "tests/neighbours/test_sessions.py",
        "chooses_anew and sqlite",
    ),
    Sabotage(
        "a handler may go on after a rollback",
        "storage/guard.py",
        "    if session is guard.session or guard.has_ended():\n",
        "    if session is guard.session and not guard.has_ended():\n",
        HANDLERS,
        "roll_back_and_go_on and sqlite",
    ),
    Sabotage(
        "a transaction that PostgreSQL gave up is committed",
        "storage/guard.py",
        "            return bool(status == _IN_ERROR)\n",
        "            return False\n",
        HANDLERS,
        "test_a_swallowed_error_of_a_statement and postgresql",
    ),
    Sabotage(
        "a swallowed deadlock is forgotten",
        "storage/guard.py",
        "    guard.lost = guard.lost or loses_transaction(error)\n",
        "",
        RETRIES,
        "swallowed and mariadb",
    ),
    Sabotage(
        "nothing is tried again",
        "storage/transactions.py",
        "MAX_TRIES = 5\n",
        "MAX_TRIES = 1\n",
        RETRIES,
        "test_an_error_that_the_handler_wraps and postgresql",
    ),
    Sabotage(
        "a transaction is tried without end",
        "storage/transactions.py",
        "    for left in reversed(range(MAX_TRIES)):\n",
        "    for left in reversed(range(MAX_TRIES * 20)):\n",
        RETRIES,
        "test_a_transaction_that_always_loses and postgresql",
    ),
    Sabotage(
        "changes of the caller are committed along",
        "storage/transactions.py",
        "    if session.info.get(_WRITTEN) or session.new or session.dirty or session.deleted:\n",
        "    if False:\n",
        ONCE,
        "test_changes_of_the_caller and sqlite",
    ),
    Sabotage(
        "a stale report overwrites",
        "verdicts.py",
        "    if _RANK[report.status] <= _RANK[payment.status]:\n",
        "    if False:\n",
        ORDER,
        "test_paid_wins_in_every_order and sqlite",
    ),
    Sabotage(
        "a late paid does not count",
        "verdicts.py",
        "    if _RANK[report.status] <= _RANK[payment.status]:\n",
        '    if payment.status != "pending":\n',
        ORDER,
        "test_a_late_paid_counts and sqlite",
    ),
    Sabotage(
        "an unknown status is taken for a known one",
        "verdicts.py",
        "    if report.status not in _REPORTED:\n        return Decision(IGNORED)\n",
        "    if report.status not in _REPORTED:\n        return Decision(APPLIED, 'failed')\n",
        ORDER,
        "test_each_report_has_its_verdict and sqlite",
    ),
    Sabotage(
        "the price is not compared",
        "verdicts.py",
        "    if report.price != payment.price:\n",
        "    if False:\n",
        MONEY,
        "test_a_doubtful_paid and sqlite",
    ),
    Sabotage(
        "the currency is not compared",
        "verdicts.py",
        "    return None if report.currency == payment.currency else ",
        "    return None if report.currency else ",
        MONEY,
        "test_a_doubtful_paid and sqlite",
    ),
    Sabotage(
        "the order is not compared",
        "verdicts.py",
        "    if report.order_id != payment.order_id:\n",
        "    if False:\n",
        MONEY,
        "test_a_doubtful_paid and sqlite",
    ),
    Sabotage(
        "a missing price is no price",
        "verdicts.py",
        "    if report.price is None:\n",
        "    if report.price is None and report.has_price:\n",
        MONEY,
        "test_a_doubtful_paid and sqlite",
    ),
    Sabotage(
        "prices are floats",
        "models/types.py",
        "        return Decimal(repr(value))\n",
        "        return Decimal(value)\n",
        MONEY,
        "test_prices_are_exact and sqlite",
    ),
    Sabotage(
        "an order is paid by two payments",
        "verdicts.py",
        "    if order_is_paid:\n",
        "    if False:\n",
        LIVE,
        "test_a_second_payment_of_an_order and sqlite",
    ),
    Sabotage(
        "a superseded payment session is paid as if nothing were",
        "verdicts.py",
        "    if payment.superseded:\n",
        "    if False:\n",
        LIVE,
        "test_a_changed_order and sqlite",
    ),
    Sabotage(
        "a changed order keeps its payment session",
        "storage/checkouts.py",
        "    if not order.is_asked_by(row):\n",
        "    if False:\n",
        LIVE,
        "test_a_changed_order and sqlite",
    ),
    Sabotage(
        "every tab gets a payment session of its own",
        "storage/checkouts.py",
        '    return "live" if now < row.expires_at else "lapsed"\n',
        '    return "superseded"\n',
        LIVE,
        "test_a_second_tab and sqlite",
    ),
    Sabotage(
        "a paid order can be paid again",
        "storage/checkouts.py",
        '        for status in ("paid", "review"):\n',
        "        for status in ():\n",
        LIVE,
        "test_a_paid_order_cannot and sqlite",
    ),
    Sabotage(
        "a creation that never finished blocks its order for good",
        "storage/checkouts.py",
        "CREATION_LIMIT = timedelta(seconds=30)\n",
        "CREATION_LIMIT = timedelta(days=30)\n",
        LIVE,
        "test_a_creation_that_never_finished and sqlite",
    ),
    Sabotage(
        "a row unknown swallows what comes after it",
        "storage/arrivals.py",
        "        return known and (self.known_verdict != UNKNOWN or self.found is None)\n",
        "        return known\n",
        UNKNOWN,
        "test_an_unknown_report_applies and sqlite",
    ),
    Sabotage(
        "a payment whose answer was lost is lost",
        "storage/arrivals.py",
        "        if report.order_id is None:\n            return None\n",
        "        return None\n",
        UNKNOWN,
        "test_a_lost_answer and sqlite",
    ),
    Sabotage(
        "reports before the answer are forgotten",
        "checkout.py",
        "        for each in early:\n",
        "        for each in ():\n",
        UNKNOWN,
        "test_an_early_report and sqlite",
    ),
    Sabotage(
        "a session that Spayon does not know expires at once",
        "reconcile/__init__.py",
        "            over = now >= ends_at\n",
        "            over = True\n",
        UNKNOWN,
        "test_a_session_that_spayon_does_not_know and sqlite",
    ),
    Sabotage(
        "another account's payment session is one's own",
        "storage/arrivals.py",
        '        if found is not None and found["account"] != self._account:\n',
        "        if found is not None and not self._account:\n",
        ACCOUNTS,
        "test_a_report_to_the_wrong_account and sqlite",
    ),
    Sabotage(
        "the body is parsed before it is verified",
        "views/callback.py",
        '            signature = given.environ.get("HTTP_X_SIGNATURE", "")\n',
        "            Report.from_json(body)\n"
        '            signature = given.environ.get("HTTP_X_SIGNATURE", "")\n',
        FORGED,
        "test_a_refused_callback and sqlite",
    ),
    Sabotage(
        "every signature fits",
        "signing.py",
        "        if hmac.compare_digest(expected, given) and found < 0:\n",
        "        if found < 0:\n",
        FORGED,
        "test_a_refused_callback and sqlite",
    ),
    Sabotage(
        "a signature is compared as text",
        "signing.py",
        "hmac.compare_digest(expected, given)",
        "hmac.compare_digest(expected.decode(), signature)",
        FORGED,
        "test_a_refused_callback and sqlite",
    ),
    Sabotage(
        "the old callback secret is forgotten at once",
        "signing.py",
        "    for position, secret in enumerate(callback_secrets):\n",
        "    for position, secret in enumerate(list(callback_secrets)[:1]):\n",
        FORGED,
        "test_a_callback_secret_is_rotated and sqlite",
    ),
    Sabotage(
        "a signature is written to the log",
        "views/callback.py",
        "            secret_index = verify(",
        '            logger.info("signature %s", signature)\n            secret_index = verify(',
        FORGED,
        "test_no_secret and sqlite",
    ),
    Sabotage(
        "the dispatcher's failures reach Spayon",
        "storage/hand_over.py",
        "        except Exception:\n",
        "        except KeyError:\n",
        OUTSIDE,
        "test_a_dispatcher_that_raises and sqlite",
    ),
    Sabotage(
        "a hand-over that failed is not repeated",
        "storage/records.py",
        "        return now + DISPATCH_LEASE if self._handlers.dispatcher is not None else None\n",
        "        return None\n",
        OUTSIDE,
        "test_a_dispatcher_that_raises and sqlite",
    ),
    Sabotage(
        "a hand-over is repeated although it went well",
        "storage/hand_over.py",
        '            connection.execute(self._statements.dispatched, {"the_id": callback_id})\n',
        "",
        OUTSIDE,
        "test_a_dispatcher_that_raises and sqlite",
    ),
    Sabotage(
        "a payment that has ended is never asked about again",
        "storage/changes.py",
        '        "due_at": now + LAST_LOOK if ended else None,\n',
        '        "due_at": None if ended else None,\n',
        RECOVERY,
        "test_a_late_paid_that_was_never_delivered and sqlite",
    ),
    Sabotage(
        "a lease keeps nobody else away",
        "storage/schedule.py",
        '                        "due_at": now + pause(attempts),\n',
        '                            "due_at": now,\n',
        "tests/test_reconcile.py",
        "test_a_session_that_is_still_pending",
    ),
    Sabotage(
        "several threads write to a database that has one writer",
        "reconcile/recording.py",
        "threads > 1 and storage.writes_side_by_side",
        "threads > 1",
        RECOVERY,
        "test_one_writer",
    ),
    Sabotage(
        "an error of the caller loses the answers that wait to be recorded",
        "reconcile/crew.py",
        "        for _thread in self._threads:\n",
        "        while not self._queue.empty():\n            self._queue.get()\n\n"
        "        for _thread in self._threads:\n",
        RECOVERY,
        "loses_no_answer and postgresql",
    ),
]
