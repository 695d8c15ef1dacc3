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
CLIENT = "tests/test_client.py"
TOKENS = "tests/test_tokens.py"
ONE_WAY = _of("one_way_in")
ENDED = _of("ended_orders")
CHANGED = _of("changed_orders")
HOSTS = _of("hosts")

SABOTAGES = [
    Sabotage(
        "a report may have two rows",
        "models.py",
        'UniqueConstraint("session_id", "status", name=f"uq_{table}_session_status"),',
        "",
        LIVE,
        "test_keys_in_the_database and sqlite",
    ),
    Sabotage(
        "a payment session may have two payments",
        "models.py",
        'UniqueConstraint("session_id", name=f"uq_{table}_session_id"),',
        "",
        LIVE,
        "test_keys_in_the_database and sqlite",
    ),
    Sabotage(
        "an order may be held twice",
        "models.py",
        'UniqueConstraint("account", "held_order_id", name=f"uq_{table}_held_order"),',
        "",
        LIVE,
        "test_a_key_in_the_database and sqlite",
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
        "a stale report overwrites",
        "transitions.py",
        "    if _RANK[report.status] <= _RANK[payment.status]:\n",
        "    if False:\n",
        ORDER,
        "test_paid_wins_in_every_order and sqlite",
    ),
    Sabotage(
        "a late paid does not count",
        "transitions.py",
        "    if _RANK[report.status] <= _RANK[payment.status]:\n",
        '    if payment.status != "pending":\n',
        ORDER,
        "test_a_late_paid_counts and sqlite",
    ),
    Sabotage(
        "an unknown status is taken for a known one",
        "transitions.py",
        "    if report.status not in REPORTED:\n        return Transition(IGNORED)\n",
        "    if report.status not in REPORTED:\n        return Transition(APPLIED, 'failed')\n",
        ORDER,
        "test_each_report_has_its_verdict and sqlite",
    ),
    Sabotage(
        "the price is not compared",
        "transitions.py",
        "    if report.price != payment.price:\n",
        "    if False:\n",
        MONEY,
        "test_a_doubtful_paid and sqlite",
    ),
    Sabotage(
        "the currency is not compared",
        "transitions.py",
        "    return None if report.currency == payment.currency else ",
        "    return None if report.currency else ",
        MONEY,
        "test_a_doubtful_paid and sqlite",
    ),
    Sabotage(
        "the order is not compared",
        "transitions.py",
        "    if report.order_id != payment.order_id:\n",
        "    if False:\n",
        MONEY,
        "test_a_doubtful_paid and sqlite",
    ),
    Sabotage(
        "a missing price is no price",
        "transitions.py",
        "    if report.price is None:\n",
        "    if report.price is None and report.has_price:\n",
        MONEY,
        "test_a_doubtful_paid and sqlite",
    ),
    Sabotage(
        "prices are floats",
        "column_types.py",
        "        return Decimal(repr(value))\n",
        "        return Decimal(value)\n",
        MONEY,
        "test_prices_are_exact and sqlite",
    ),
    Sabotage(
        "an order is paid by two payments",
        "transitions.py",
        "    if order_is_paid:\n",
        "    if False:\n",
        LIVE,
        "test_a_second_payment_of_an_order and sqlite",
    ),
    Sabotage(
        "a superseded payment session is paid as if nothing were",
        "transitions.py",
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
        "a creation that never finished blocks its order for good",
        "storage/checkouts.py",
        "CREATION_LIMIT = timedelta(seconds=30)\n",
        "CREATION_LIMIT = timedelta(days=30)\n",
        LIVE,
        "test_a_creation_that_never_finished and sqlite",
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
        "reconcile/reconciler.py",
        "            over = now >= ends_at\n",
        "            over = True\n",
        UNKNOWN,
        "test_a_session_that_spayon_does_not_know and sqlite",
    ),
    Sabotage(
        "the body is parsed before it is verified",
        "views/callback.py",
        '            signature = request.environ.get("HTTP_X_SIGNATURE", "")\n',
        "            Report.from_json(body)\n"
        '            signature = request.environ.get("HTTP_X_SIGNATURE", "")\n',
        FORGED,
        "test_a_refused_callback and sqlite",
    ),
    Sabotage(
        "every signature fits",
        "signing.py",
        "        if hmac.compare_digest(sign(body, secret).encode(), given) and found < 0:\n",
        "        if found < 0:\n",
        FORGED,
        "test_a_refused_callback and sqlite",
    ),
    Sabotage(
        "a signature is compared as text",
        "signing.py",
        "hmac.compare_digest(sign(body, secret).encode(), given)",
        "hmac.compare_digest(sign(body, secret), signature)",
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
        "several threads write to a database that has one writer",
        "reconcile/run.py",
        "aside = jobs > 1 and storage.writes_side_by_side",
        "aside = jobs > 1",
        RECOVERY,
        "test_one_writer",
    ),
    Sabotage(
        "an error of the caller loses the answers that wait to be recorded",
        "reconcile/workers.py",
        "        self._recording.shutdown()\n",
        "        self._recording.shutdown(cancel_futures=True)\n",
        RECOVERY,
        "loses_no_answer and postgresql",
    ),
    Sabotage(
        "an error of the caller loses what its own thread was to record",
        "reconcile/run.py",
        "        finally:\n            # If an error of the caller",
        "        except KeyError:\n            # If an error of the caller",
        RECOVERY,
        "loses_no_answer_if_there_is_one_writer",
    ),
    Sabotage(
        "a payment is marked when it is leased, however late its call is made",
        "reconcile/workers.py",
        "LATE = timedelta(seconds=0.25)",
        "LATE = timedelta(days=1)",
        RECOVERY,
        "test_a_page_asks_no_earlier and sqlite",
    ),
    Sabotage(
        "reconcile asks again what a page has asked in the meantime",
        "storage/schedule.py",
        'self._is_open, p.checked_at <= bindparam("since"))',
        "self._is_open)",
        RECOVERY,
        "test_reconcile_asks_no_more_about_what_a_page and sqlite",
    ),
    Sabotage(
        "reconcile goes on asking a gateway that is away",
        "reconcile/run.py",
        "MAX_FAILURES = 5\n",
        "MAX_FAILURES = 500\n",
        RECOVERY,
        "test_calls_that_fail_in_a_row and sqlite",
    ),
    Sabotage(
        "the report is committed before the handler runs",
        "storage/status.py",
        "        if run_handlers:\n",
        "        self.session.commit()\n"
        "        connection = self.connect()\n\n"
        "        if run_handlers:\n",
        ONCE,
        "test_a_handler_that_raises and sqlite",
    ),
    Sabotage(
        "the handler runs before the status is written",
        "storage/status.py",
        "        self._write(connection, found, values)\n",
        "        self._run_handlers(connection, found, values)\n"
        "        self._write(connection, found, values)\n",
        ONCE,
        "test_deliveries_one_after_the_other and sqlite",
    ),
    Sabotage(
        "a status is written whatever it was decided upon",
        "storage/status.py",
        '                p.status == bindparam("the_status"),\n',
        '                or_(p.status == bindparam("the_status"), p.id > 0),\n',
        ONCE,
        "test_a_report_that_another_one_overtakes and not mariadb",
    ),
    Sabotage(
        "a status is written that was not decided",
        "storage/status.py",
        "        self._write(connection, found, values)\n\n",
        "        for guess in {'paid' if status == 'review' else status, status}:\n"
        "            self._write(connection, found, values | {'status': guess})\n"
        "            connection.execute(update(self.payment).values(status=found.status))\n\n",
        ONE_WAY,
        "test_no_status_is_written_that_was_not_decided and sqlite",
    ),
    Sabotage(
        "a known report is decided upon again",
        "storage/recording.py",
        "        if known is not None and (known.verdict != UNKNOWN or found is None):\n",
        "        if known is not None and found is None:\n",
        ONCE,
        "test_deliveries_one_after_the_other and sqlite",
    ),
    Sabotage(
        "a row unknown swallows what comes after it",
        "storage/recording.py",
        "        if known is not None and (known.verdict != UNKNOWN or found is None):\n",
        "        if known is not None:\n",
        UNKNOWN,
        "test_an_unknown_report_applies and sqlite",
    ),
    Sabotage(
        "a payment whose answer was lost is lost",
        "storage/recording.py",
        "        if report.order_id is None:\n            return None\n",
        "        return None\n",
        UNKNOWN,
        "test_a_lost_answer and sqlite",
    ),
    Sabotage(
        "another account's payment session is one's own",
        "storage/recording.py",
        "        return known, row if row.account == self.account else None\n",
        "        return known, row\n",
        ACCOUNTS,
        "test_a_report_to_the_wrong_account and sqlite",
    ),
    Sabotage(
        "who lost a race does not look again",
        "storage/transactions.py",
        "    return isinstance(error, LostRaceError) or is_transient(cause)\n",
        "    return is_transient(cause)\n",
        ONCE,
        "test_a_delivery_that_its_duplicate_overtakes and sqlite",
    ),
    Sabotage(
        "a transaction is tried without end",
        "storage/transactions.py",
        "        for left in reversed(range(MAX_TRIES)):\n",
        "        for left in reversed(range(MAX_TRIES * 20)):\n",
        RETRIES,
        "test_a_transaction_that_always_loses and postgresql",
    ),
    Sabotage(
        "changes of the caller are committed along",
        "storage/transactions.py",
        "    if holds_changes(session):\n        raise",
        "    if False:\n        raise",
        ONCE,
        "test_changes_of_the_caller and sqlite",
    ),
    Sabotage(
        "a handler may commit",
        "storage/handler_guard.py",
        "    token = _guard.set(guard)\n",
        "    token = _guard.set(None)\n",
        HANDLERS,
        "commit_until_it_works and sqlite",
    ),
    Sabotage(
        "a handler may commit the connection",
        "storage/handler_guard.py",
        "        if connection is guard.connection:\n            guard.refuse_end()\n",
        "",
        HANDLERS,
        "commit_the_connection and sqlite",
    ),
    Sabotage(
        "a handler may go on after a rollback",
        "storage/handler_guard.py",
        "    if session is guard.session or guard.has_ended():\n",
        "    if session is guard.session and not guard.has_ended():\n",
        HANDLERS,
        "roll_back_and_go_on and sqlite",
    ),
    Sabotage(
        "a transaction that PostgreSQL gave up is committed",
        "storage/handler_guard.py",
        "            return bool(status == _IN_ERROR)\n",
        "            return False\n",
        HANDLERS,
        "test_a_swallowed_error_of_a_statement and postgresql",
    ),
    Sabotage(
        "a swallowed deadlock is forgotten",
        "storage/handler_guard.py",
        "            self.lost = self.lost or loses_transaction(error)\n",
        "",
        RETRIES,
        "swallowed and mariadb",
    ),
    Sabotage(
        "the dispatcher's failures reach Spayon",
        "storage/outbox.py",
        "        except Exception:\n",
        "        except KeyError:\n",
        OUTSIDE,
        "test_a_dispatcher_that_raises and sqlite",
    ),
    Sabotage(
        "a hand-over that failed is not repeated",
        "storage/outbox.py",
        "        return now + LEASE if self._handlers.dispatcher is not None else None\n",
        "        return None\n",
        OUTSIDE,
        "test_a_dispatcher_that_raises and sqlite",
    ),
    Sabotage(
        "a hand-over is repeated although it went well",
        "storage/outbox.py",
        "        self._finish(leased)\n",
        "",
        OUTSIDE,
        "test_a_dispatcher_that_raises and sqlite",
    ),
    Sabotage(
        "a payment that has ended is never asked about again",
        "storage/status.py",
        '        taken["due_at"] = now + LAST_LOOK\n',
        "        pass\n",
        RECOVERY,
        "test_a_late_paid_that_was_never_delivered and sqlite",
    ),
    Sabotage(
        "a lease keeps nobody else away",
        "storage/schedule.py",
        '                    "due_at": now + pause(attempts),\n',
        '                    "due_at": now,\n',
        "tests/test_reconcile.py",
        "test_a_session_that_is_still_pending",
    ),
    Sabotage(
        "every tab gets a payment session of its own",
        "storage/checkouts.py",
        '    return "live" if can_be_paid(row, now) else "lapsed"\n',
        '    return "superseded"\n',
        LIVE,
        "test_a_second_tab and sqlite",
    ),
    Sabotage(
        "a paid order can be paid again",
        "storage/checkouts.py",
        "        for status in BARRING:\n",
        "        for status in ():\n",
        LIVE,
        "test_a_paid_order_cannot and sqlite",
    ),
    Sabotage(
        "the end of a payment undoes an order that is paid",
        "storage/status.py",
        '        return any(row.status == "paid" for row in rows)\n',
        "        return False\n",
        ENDED,
        "test_no_handler_hears and sqlite",
    ),
    Sabotage(
        "a payment ends as the holder of an order that it has lost",
        "storage/status.py",
        "                p.held_order_id.is_not_distinct_from(held),\n",
        "",
        ENDED,
        "test_a_payment_that_loses_its_order and sqlite",
    ),
    Sabotage(
        "a payment that becomes paid is not waited for",
        "storage/status.py",
        "            .with_for_update()\n",
        "",
        ENDED,
        "test_a_payment_that_ends_waits_for_one_that_is_being_paid and postgresql",
    ),
    Sabotage(
        "a payment without a session is told as expired",
        "storage/status.py",
        '        if status == "expired" and values["session_id"] is None:\n',
        "        if False:\n",
        ENDED,
        "test_nobody_hears and sqlite",
    ),
    Sabotage(
        "only the payment that holds a changed order is superseded",
        "storage/checkouts.py",
        "            if row.superseded or order.is_asked_by(row):\n",
        "            if row.held_order_id is None or order.is_asked_by(row):\n",
        CHANGED,
        "test_a_session_that_lapsed and sqlite",
    ),
    Sabotage(
        "an order is sold as it was before the wait",
        "checkout.py",
        "            order = self._load_again(order)\n",
        "",
        CHANGED,
        "test_a_request_that_waited_goes_on and sqlite",
    ),
    Sabotage(
        "a slow request displaces a newer session",
        "storage/checkouts.py",
        "            if is_newer and not row.superseded and not order.is_asked_by(row):\n",
        "            if False:\n",
        CHANGED,
        "test_a_request_that_was_slow and sqlite",
    ),
    Sabotage(
        "a session that was superseded while it was made is sold",
        "checkout.py",
        "payment.held_order_id is None or payment.superseded:",
        "payment.held_order_id is None:",
        CHANGED,
        "test_a_change_that_comes_while and sqlite",
    ),
    Sabotage(
        "a connection that was cut while idle costs the payer an error",
        "client/transport.py",
        "                if not _hung_up(error):\n",
        "                if True:\n",
        CLIENT,
        "cut_while_idle",
    ),
    Sabotage(
        "a call is repeated for as long as Spayon hangs up",
        "client/transport.py",
        "                with self._new_http() as fresh:\n",
        "                while True:\n"
        "                    with suppress(requests.ConnectionError):\n"
        "                        self._exchanged(self._new_http(), request)\n"
        "                    break\n"
        "                with self._new_http() as fresh:\n",
        CLIENT,
        "hangs_up_each_time",
    ),
    Sabotage(
        "a life of a token that makes no sense stops every checkout",
        "client/client.py",
        "    return TOKEN_SECONDS\n",
        '    raise UnexpectedAnswerError("expires_in")\n',
        CLIENT,
        "a_life_that_makes_no_sense",
    ),
    Sabotage(
        "a language that Spayon refuses stops a checkout",
        "client/client.py",
        '        if answer.status in _REFUSED and body.pop("language", None) is not None:\n',
        "        if False:\n",
        CLIENT,
        "a_language_that_spayon_refuses",
    ),
    Sabotage(
        "URLs go out as they were typed",
        "client/payment_sessions.py",
        '        return str(requests.Request("GET", url).prepare().url)\n',
        "        return url\n",
        CLIENT,
        "beyond_ascii_reach_spayon",
    ),
    Sabotage(
        "what is hidden shows in a traceback with its variables",
        "hidden.py",
        '    __slots__ = ()\n\n    def __repr__(self) -> str:\n        return "<hidden>"\n',
        "    __slots__ = ()\n",
        CLIENT,
        "no_local_variable",
    ),
    Sabotage(
        "a cache that does not answer is asked again and again",
        "token_cache.py",
        "        if self._clock() < self._left_alone_until:\n",
        "        if False:\n",
        TOKENS,
        "TestAStuckCache",
    ),
    Sabotage(
        "a cache that does not answer is waited for",
        "token_cache.py",
        "    thread.join(seconds)\n",
        "    thread.join(20)\n",
        "tests/neighbours/test_token_cache.py",
        "accepts_and_does_not_answer",
    ),
    Sabotage(
        "a token that another process has just shared is bought once more",
        "token_cache.py",
        "            if (found := self._read(margin)) is not None:\n"
        "                return found\n\n"
        "            access_token",
        "            access_token",
        TOKENS,
        "shared_meanwhile",
    ),
    Sabotage(
        "a stopped rehearsal asks everything anew",
        "cli/rehearse/rehearsal.py",
        "        if name not in self.facts:\n            if says:\n",
        "        if True:\n            if says:\n",
        "tests/rehearsal/test_stopped.py",
        "killed_ahead_of_any_call",
    ),
    Sabotage(
        "a callback of a rehearsal is recorded in the shop's tables",
        "views/callback.py",
        "        if nobody_s and state.rehearsals.has_session(report.session_id):\n",
        "        if False:\n",
        "tests/rehearsal/test_stopped.py",
        "recorded_nowhere",
    ),
    Sabotage(
        "a report repeats what stands in an answer",
        "cli/rehearse/gateway.py",
        'return [key if _NAME.fullmatch(key) else "(another name)" for key in data]',
        "return [*data]",
        "tests/rehearsal/test_no_secrets.py",
        "no_secret",
    ),
    Sabotage(
        "an async handler is registered",
        "handlers.py",
        '        (inspect.iscoroutinefunction, "an async function, which nobody would await"),\n',
        "",
        "tests/test_handlers.py",
        "test_what_would_silently_do_nothing",
    ),
    Sabotage(
        "a handler that returned a generator has done its work",
        "handlers.py",
        "inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result)",
        "inspect.isawaitable(result)",
        "tests/test_handlers.py",
        "test_a_result_that_nobody_runs",
    ),
    Sabotage(
        "a module under two names ships twice",
        "handlers.py",
        "            if code == other_code and (values == other_values or apps < self.apps):\n",
        "            if function is other:\n",
        "tests/test_handlers.py",
        "test_a_module_that_is_imported",
    ),
    Sabotage(
        "the handlers of every app so far run",
        "handlers.py",
        "values == other_values or apps < self.apps",
        "values == other_values",
        "tests/test_handlers.py",
        "test_a_factory_s_handlers",
    ),
    Sabotage(
        "a loop registers the last of its handlers alone",
        "handlers.py",
        "(values == other_values or apps < self.apps)",
        "(values == other_values or apps <= self.apps)",
        "tests/test_handlers.py",
        "test_a_loop_registers",
    ),
    Sabotage(
        "a stranger's host is on the customer's payment",
        "storage/checkouts.py",
        "    if host is not None and row.host not in (None, host):\n",
        "    if False:\n",
        HOSTS,
        "test_a_payment_session_is_not_shared and sqlite",
    ),
    Sabotage(
        "production takes the address from any Host header",
        "settings.py",
        "        if production and not public_url and not bounded:\n",
        "        if False:\n",
        "tests/test_settings.py",
        "test_in_production_the_address",
    ),
    Sabotage(
        "one row is two orders",
        "loading.py",
        "    for spelling in _other_spellings(order, asked):\n",
        "    for spelling in ():\n",
        "tests/test_loading.py",
        "test_another_spelling_of_a_number",
    ),
    Sabotage(
        "a payer who came with the number is sent to the secret",
        "loading.py",
        "    if asked not in (key, order.order_id):\n",
        "    if asked != key:\n        yield key\n\n    if asked not in (key, order.order_id):\n",
        "tests/test_loading.py",
        "test_a_payer_who_came_with_the_number",
    ),
    Sabotage(
        "what the payer typed is in the log",
        "checkout.py",
        '            raise HandlerError(f"{error}{_place(error.__cause__)}") from None\n',
        "            raise\n",
        "tests/test_details.py",
        "test_if_it_fails and sqlite",
    ),
    Sabotage(
        "what the payer typed is handed over outside the transaction",
        "storage/checkouts.py",
        "        with handlers_only(self.session, connection):\n"
        "            for handler in self._handlers.details:\n"
        "                check_result(handler, handler(payment, dict(details)))\n",
        "        self.session.commit()\n"
        "        for handler in self._handlers.details:\n"
        "            check_result(handler, handler(payment, dict(details)))\n",
        "tests/test_details.py",
        "test_if_it_fails and sqlite",
    ),
    Sabotage(
        "the work of a before_request stops a callback",
        "views/callback.py",
        "        state.storage.commit_earlier_work()\n",
        "",
        "tests/test_earlier_work.py",
        "test_each_page and sqlite",
    ),
    Sabotage(
        "an order that is known by its key is pruned",
        "cli/prune.py",
        "        keys = {old.order_key or old.order_id, old.order_id}\n",
        "        keys = {old.order_id}\n",
        "tests/cli/test_prune.py",
        "test_an_order_that_the_shop_knows and sqlite",
    ),
]
