"""Sabotages: one condition or one call of the package made wrong, and where a test must notice."""

from typing import NamedTuple


class Sabotage(NamedTuple):
    """Replace *old*, which is there once, by *new*; the tests that are chosen must fail.

    `promises/handlers: commit and sqlite` is for `-k "commit and sqlite"` in
    `tests/promises/test_handlers.py`. If no *new* is named, the condition *old* never holds.
    """

    name: str
    old: str
    tests: str
    new: str = "if False:"


#: By the module of the package.
SABOTAGES = {
    "checkout.py": [
        Sabotage(
            "reports before the answer are forgotten",
            "for row in early:",
            "promises/unknown_sessions: an_early_report and sqlite",
            "for row in ():",
        ),
        Sabotage(
            "an order is sold as it was before the wait",
            "wish.order = self._load_again(wish.order)",
            "promises/changed_orders: a_request_that_waited_goes_on and sqlite",
            "pass",
        ),
        Sabotage(
            "a session that was superseded while it was made is sold",
            "payment.held_order_id is None or payment.superseded:",
            "promises/changed_orders: a_change_that_comes_while and sqlite",
            "payment.held_order_id is None:",
        ),
        Sabotage(
            "what a loader writes stops a checkout",
            "self._storage.commit_earlier_work()",
            "promises/changed_orders: TestLoaders and sqlite",
            "pass",
        ),
        Sabotage(
            "what the payer typed is in the log",
            'raise HandlerError(f"{error}{place_of(error.__cause__ or error)}") from None',
            "details: if_it_fails and sqlite",
            "raise",
        ),
    ],
    "client/client.py": [
        Sabotage(
            "a vendor's token is for whoever knows the client id",
            "{settings.client_id} {settings.client_secret}",
            "promises/vendors: whoever_knows_the_client_id",
            "{settings.client_id}",
        ),
    ],
    "client/token_cache.py": [
        Sabotage(
            "a token that another process has just shared is bought once more",
            "return found\n\n            access_token",
            "tokens: shared_meanwhile",
            "pass\n\n            access_token",
        ),
    ],
    "desk/desk.py": [
        Sabotage(
            "what is merely true opens the desk",
            "if answer is True or isinstance(",
            "staff/door: only_true_lets_somebody_in",
            "if answer or isinstance(",
        ),
        Sabotage(
            "a form from another site counts at the desk",
            "is_foreign(self.state.settings.public_url) or not",
            "staff/door: a_form_from_another_site",
            "not",
        ),
    ],
    "desk/forms.py": [
        Sabotage(
            "a token of the desk is good for anybody",
            "max_age=MAX_AGE) == person",
            "staff/door: a_token_is_good_for_its_person_alone",
            "max_age=MAX_AGE) != ''",
        ),
    ],
    "domain/handlers.py": [
        Sabotage(
            "whoever knows the number is shown the order behind the code",
            "if found.key != key:",
            "loading: an_order_whose_key",
        ),
    ],
    "domain/redaction.py": [
        Sabotage(
            "what is hidden shows in a traceback with its variables",
            '__slots__ = ()\n\n    def __repr__(self) -> str:\n        return "<hidden>"',
            "client: no_local_variable",
            "__slots__ = ()\n    __repr__ = str.__repr__",
        ),
    ],
    "domain/registration.py": [
        Sabotage(
            "a module under two names ships twice",
            "if line.module != module:",
            "handlers: a_module_that_is_imported",
        ),
        Sabotage(
            "a factory that registers behind init_app ships twice",
            "if after and self.first > 0:",
            "handlers: a_factory_that_runs_again",
        ),
        Sabotage(
            "a factory that registers ahead of init_app ships twice",
            "elif not is_newest:",
            "handlers: a_factory_that_runs_again",
        ),
        Sabotage(
            "a loop registers the last of its handlers alone",
            "if turn not in self.turns:",
            "handlers: nothing_is_lost",
            "if True:",
        ),
    ],
    "domain/reports.py": [
        Sabotage(
            "a body shows in an error report",
            'return f"Body({len(self)} bytes)"',
            "neighbours/sentry: an_error_in_a_callback_tells_nothing",
            "return bytes.__repr__(self)",
        ),
    ],
    "domain/signing.py": [
        Sabotage(
            "every signature fits",
            "if hmac.compare_digest(sign(body, secret).encode(), given) and found < 0:",
            "promises/nothing_forged: a_refused_callback and sqlite",
            "if found < 0:",
        ),
    ],
    "domain/transitions.py": [
        Sabotage(
            "a stale report overwrites",
            "if _RANK[report.status] <= _RANK[payment.status]:",
            "promises/order_of_statuses: paid_wins_in_every_order and sqlite",
        ),
        Sabotage(
            "the price is not compared",
            "if report.price != payment.price:",
            "promises/money_guard: a_doubtful_paid and sqlite",
        ),
        Sabotage(
            "an order is paid by two payments",
            "if order_is_paid:",
            "promises/one_live_session: a_second_payment_of_an_order and sqlite",
        ),
        Sabotage(
            "a superseded payment session is paid as if nothing were",
            "if payment.superseded:",
            "promises/one_live_session: a_changed_order and sqlite",
        ),
        Sabotage(
            "a changed order keeps its payment session",
            "if holder.session_id is not None and not wish.is_for(holder):",
            "promises/one_live_session: a_changed_order and sqlite",
        ),
        Sabotage(
            "a creation that never finished blocks its order for good",
            "CREATION_LIMIT = timedelta(seconds=30)",
            "promises/one_live_session: a_creation_that_never_finished and sqlite",
            "CREATION_LIMIT = timedelta(days=30)",
        ),
        Sabotage(
            "every tab gets a payment session of its own",
            'return "live" if can_be_paid(holder, now) else "ask"',
            "promises/one_live_session: a_second_tab and sqlite",
            'return "superseded"',
        ),
        Sabotage(
            "a paid order can be paid again",
            "for status in BARRING:",
            "promises/one_live_session: a_paid_order_cannot and sqlite",
            "for status in ():",
        ),
        Sabotage(
            "a payment session of another gateway is shared",
            "if holder is not None and holder.gateway == gateway:",
            "promises/one_live_session: a_payment_session_of_another_gateway and sqlite",
            "if holder is not None:",
        ),
        Sabotage(
            "a stranger's host is on the customer's payment",
            "if holder.base_url not in (None, wish.base_url):",
            "promises/hosts: a_payment_session_is_not_shared and sqlite",
        ),
    ],
    "reconcile/reconciler.py": [
        Sabotage(
            "a session that Spayon does not know expires at once",
            "over = self._clock() >= ends_at",
            "promises/unknown_sessions: a_session_that_spayon_does_not_know and sqlite",
            "over = True",
        ),
    ],
    "reconcile/run.py": [
        Sabotage(
            "the next run asks a gateway that wants to be left alone",
            "leave_the_rest(account.resume_at, now=began)",
            "promises/recovery: a_long_retry_after_holds and sqlite",
            "leave_the_rest(None, now=began)",
        ),
        Sabotage(
            "reconcile goes on asking a gateway that is away",
            "MAX_FAILURES = 5",
            "promises/recovery: calls_that_fail_in_a_row and sqlite",
            "MAX_FAILURES = 500",
        ),
        Sabotage(
            "one vendor's outage holds all threads",
            "min(free, share - account.asking, free if self._left",
            "promises/vendors: holds_its_share",
            "min(free, free if self._left",
        ),
    ],
    "rehearsal/report.py": [
        Sabotage(
            "a rehearsal that was stopped says yes",
            "if STOPPED in outcomes.values():",
            "rehearsal/matrix: foretells and wrong and secret and 500",
        ),
    ],
    "rehearsal/wire.py": [
        Sabotage(
            "a report repeats the secrets that were sent",
            "text = text.replace(secret, MASK)",
            "rehearsal/no_secrets: no_secret",
            "text = text.replace(secret, secret)",
        ),
    ],
    "settings.py": [
        Sabotage(
            "production takes the address from any Host header",
            'read.required("PUBLIC_URL", values.url, "https:")',
            "settings: in_production_the_address",
            'made.public_url or "https:"',
        ),
        Sabotage(
            "production takes the secrets of the simulator",
            "not made.production or PUBLISHED.isdisjoint(secrets)",
            "settings: senseless",
            "True",
        ),
    ],
    "state.py": [
        Sabotage(
            "all vendors have one account",
            'self.name = base.name if vendor is None else f"{base.name}/{vendor}"',
            "promises/vendors: pays_nothing_of_another and sqlite",
            "self.name = base.name",
        ),
        Sabotage(
            "a database that commits each statement is taken",
            'if engine.get("isolation_level") == "AUTOCOMMIT":',
            "extension: a_database_that_commits_each_statement",
        ),
    ],
    "storage/checkouts.py": [
        Sabotage(
            "what the payer typed is handed over outside the transaction",
            "with guarded(self.session, connection):",
            "details: if_it_fails and sqlite",
            "self.session.commit()\n        if True:",
        ),
        Sabotage(
            "a click that never reached Spayon leaves a row",
            "is_wanted = was_sent and",
            "promises/rows: clicks_while_nobody_listens and sqlite",
            "is_wanted =",
        ),
        Sabotage(
            "fifteen minutes begin with the answer",
            '"expires_at": asked_at + SESSION_LIFETIME,',
            "promises/rows: a_session_ends_fifteen_minutes and sqlite",
            '"expires_at": now + SESSION_LIFETIME,',
        ),
        Sabotage(
            "an old session is taken for a new one",
            "if any(row.received_at < since for row in reports):",
            "promises/used_order_ids: a_session_that_spayon_told_of and sqlite",
        ),
        Sabotage(
            "an early report of another account is applied",
            'c.account == bindparam("the_account"),',
            "promises/two_accounts: an_early_report_of_another_account and sqlite",
            "",
        ),
    ],
    "storage/column_types.py": [
        Sabotage(
            "prices are floats",
            "return Decimal(repr(value))",
            "promises/money_guard: prices_are_exact and sqlite",
            "return Decimal(value)",
        ),
    ],
    "storage/guard.py": [
        Sabotage(
            "changes of the caller are committed along",
            "if holds_changes(session):",
            "promises/uncommitted: a_call_that_commits_refuses and sqlite",
        ),
        Sabotage(
            "a handler may commit",
            "token = _guard.set(guard)",
            "promises/handlers: commit_until_it_works and sqlite",
            "token = _guard.set(None)",
        ),
        Sabotage(
            "a handler may commit the connection",
            '@event.listens_for(Engine, "commit")',
            "promises/handlers: commit_the_connection and sqlite",
            '@event.listens_for(Engine, "rollback_savepoint")',
        ),
        Sabotage(
            "a handler may go on after a rollback",
            "if session is guard.session or guard.has_ended():",
            "promises/handlers: roll_back_and_go_on and sqlite",
            "if session is guard.session and not guard.has_ended():",
        ),
        Sabotage(
            "a transaction that PostgreSQL gave up is committed",
            "return state not in (_IDLE, _IN_ERROR, _UNKNOWN)",
            "promises/handlers: a_swallowed_error_of_a_statement and postgresql",
            "return True",
        ),
        Sabotage(
            "a swallowed deadlock is forgotten",
            "self.error = error",
            "promises/retries: swallowed and mariadb",
            "pass",
        ),
        Sabotage(
            "a handler may say COMMIT",
            'if first in _ENDING and "TO" not in more:',
            "promises/hidden_endings: a_text_that_ends and postgresql and COMMIT",
        ),
        Sabotage(
            "what was written by text is dropped without a word",
            "known.has_written = True",
            "promises/uncommitted: a_call_that_commits_refuses and sqlite and by_text",
            "pass",
        ),
        Sabotage(
            "what was written elsewhere is lost in silence",
            "if any(each is not None and each.is_active for each in self._elsewhere):",
            "promises/elsewhere: a_handler_that_leaves and mariadb",
        ),
        Sabotage(
            "a second database may commit alone",
            "if self._has_second_database and not self.session.twophase:",
            "promises/kept_transaction: a_handler_that_writes_to_a_second_database and sqlite",
        ),
        Sabotage(
            "nobody looks if the database has rolled back",
            "if not self._lasts():",
            "promises/kept_transaction: a_trigger_of_sqlite",
        ),
    ],
    "storage/models.py": [
        Sabotage(
            "a report may have two rows",
            '"account", "session_id", "status", name=f"uq',
            "promises/one_live_session: keys_in_the_database and sqlite",
            '"id", name=f"uq',
        ),
        Sabotage(
            "a payment session may have two payments",
            '"account", "session_id", name=f"uq',
            "promises/one_live_session: keys_in_the_database and sqlite",
            '"id", name=f"uq',
        ),
        Sabotage(
            "an order may be held twice",
            '"account", "held_order_id", name=f"uq',
            "promises/one_live_session: a_key_in_the_database and sqlite",
            '"id", name=f"uq',
        ),
        Sabotage(
            "an id is given out twice",
            '_NO_ID_TWICE = {"sqlite_autoincrement": True}',
            "promises/kept_transaction: the_id_of_a_removed and sqlite",
            "_NO_ID_TWICE: dict[str, bool] = {}",
        ),
    ],
    "storage/outbox.py": [
        Sabotage(
            "the dispatcher's failures reach Spayon",
            "except Exception:",
            "promises/work_outside: a_dispatcher_that_raises and sqlite",
            "except KeyError:",
        ),
        Sabotage(
            "a hand-over that failed is not repeated",
            "return now + LEASE if self._handlers.dispatcher is not None else None",
            "promises/work_outside: a_dispatcher_that_raises and sqlite",
            "return None",
        ),
        Sabotage(
            "a hand-over is repeated although it went well",
            "self._finish(leased)",
            "promises/work_outside: a_dispatcher_that_raises and sqlite",
            "pass",
        ),
        Sabotage(
            "what a receiver leaves stays",
            "session.rollback()",
            "promises/kept_transaction: what_a_receiver_leaves and sqlite",
            "pass",
        ),
        Sabotage(
            "a receiver's clean-up takes the shop's work",
            "is_ours = before is None or not holds_changes(before)",
            "promises/kept_transaction: what_the_shop_has and sqlite",
            "is_ours = True",
        ),
    ],
    "storage/pruning.py": [
        Sabotage(
            "a body goes whatever was decided meanwhile",
            "unchanged = (c.verdict == verdict, *where)",
            "promises/rows: a_report_that_is_decided_on_while_its_body_goes and postgresql",
            "unchanged = tuple(where)",
        ),
        Sabotage(
            "the bodies of payments under review are removed",
            'p.status.in_(("pending", "review")),',
            "cli/bodies: a_payment_that_somebody_has_yet_to_decide and sqlite",
            'p.status.in_(("pending",)),',
        ),
        Sabotage(
            "what was paid a moment ago is pruned",
            ".where(p.id.in_(ids), *self._quiet(statuses, before)).with_for",
            "promises/rows: a_late_paid_just_before and postgresql",
            ".where(p.id.in_(ids)).with_for",
        ),
    ],
    "storage/recording.py": [
        Sabotage(
            "a known report is decided upon again",
            "if known is not None and (known.verdict != UNKNOWN or found is None):",
            "promises/exactly_once: deliveries_one_after_the_other and sqlite",
            "if known is not None and found is None:",
        ),
        Sabotage(
            "a row unknown swallows what comes after it",
            "if known is not None and (known.verdict != UNKNOWN or found is None):",
            "promises/unknown_sessions: an_unknown_report_applies and sqlite",
            "if known is not None:",
        ),
        Sabotage(
            "a payment whose answer was lost is lost",
            "if report.order_id is None or not is_id(report.order_id):",
            "promises/unknown_sessions: a_lost_answer and sqlite",
            "if True:",
        ),
        Sabotage(
            "a handler that fails for days fails for ever",
            'report.status != "paid" or failures',
            "promises/needs_review: after_days_of_failures and sqlite",
            "True or failures",
        ),
        Sabotage(
            "a lost session whose handler fails is forgotten",
            '"due_at": now if found.session_id is None else found.due_at or now,',
            "promises/needs_review: until_then_reconcile and sqlite",
            '"due_at": found.due_at,',
        ),
        Sabotage(
            "a failing handler is given up at once",
            "failures < MAX_FAILURES or now",
            "promises/needs_review: until_then_it_is_tried_again and sqlite",
            "False or now",
        ),
        Sabotage(
            "a failing handler of the review hides the payment for ever",
            "if reason != HANDLER_FAILED and not self._gives_up(report, error, now):",
            "promises/needs_review: a_failing_handler_of_the_review_keeps and sqlite",
            "if True:",
        ),
    ],
    "storage/reviews.py": [
        Sabotage(
            "a hand-over that ends late clears the next one",
            "while any(row.dispatch_at == until for row in rows):",
            "promises/work_outside: a_hand_over_that_ends_late and sqlite",
            "while False:",
        ),
    ],
    "storage/schedule.py": [
        Sabotage(
            "reconcile asks again what a page has asked in the meantime",
            "self.is_present, self._is_open, self._is_quiet)",
            "promises/recovery: reconcile_asks_no_more_about_what_a_page and sqlite",
            "self.is_present, self._is_open)",
        ),
        Sabotage(
            "a lease keeps nobody else away",
            '"due_at": now + pause(attempts),',
            "reconcile: a_session_that_is_still_pending",
            '"due_at": now,',
        ),
        Sabotage(
            "reconcile asks about what was begun with another gateway",
            '.where(p.id == bindparam("the_id"), self.is_present, self._is_quiet)',
            "promises/recovery: TestOtherGateways and sqlite",
            '.where(p.id == bindparam("the_id"), self._is_quiet)',
        ),
        Sabotage(
            "a host whose clock is ahead keeps the others from asking",
            'p.checked_at > bindparam("quiet_from"),',
            "promises/recovery: a_host_whose_clock_is_ahead and sqlite",
            'p.checked_at.is_(None) & (bindparam("quiet_from") < p.checked_at),',
        ),
    ],
    "storage/status.py": [
        Sabotage(
            "the report is committed before the handler runs",
            "if run_handlers:",
            "promises/exactly_once: a_handler_that_raises and sqlite",
            "self.session.commit()\n        connection = self.connect()\n        if run_handlers:",
        ),
        Sabotage(
            "a status is written whatever it was decided upon",
            'p.status == bindparam("the_status"),',
            "promises/exactly_once: a_report_that_another_one_overtakes and not mariadb",
            'or_(p.status == bindparam("the_status"), p.id > 0),',
        ),
        Sabotage(
            "a status is written that was not decided",
            "self._write(connection, found, values)",
            "promises/one_way_in: no_status_is_written_that_was_not_decided and sqlite",
            """self._write(connection, found, values | {"status": "failed"})
        connection.execute(update(self.payment).values(status=found.status))
        self._write(connection, found, values)""",
        ),
        Sabotage(
            "a payment that has ended is never asked about again",
            'taken["due_at"] = now + LAST_LOOK',
            "promises/recovery: a_late_paid_that_was_never_delivered and sqlite",
            "pass",
        ),
        Sabotage(
            "the end of a payment undoes an order that is paid",
            'return any(row.status == "paid" for row in rows)',
            "promises/ended_orders: no_handler_hears and sqlite",
            "return False",
        ),
        Sabotage(
            "a payment ends as the holder of an order that it has lost",
            "p.held_order_id.is_not_distinct_from(held),",
            "promises/ended_orders: a_payment_that_loses_its_order and sqlite",
            "",
        ),
        Sabotage(
            "a payment that becomes paid is not waited for",
            ".with_for_update()",
            "promises/ended_orders: a_payment_that_ends_waits_for and postgresql",
            "",
        ),
        Sabotage(
            "a payment without a session is told as expired",
            'if status == "expired" and values["session_id"] is None:',
            "promises/ended_orders: nobody_hears and sqlite",
        ),
        Sabotage(
            "paid_at is whatever Spayon's clock shows",
            "told if told is not None and found.created_at <= told <= now else now",
            "promises/kept_transaction: paid_at_lies and sqlite",
            "told or now",
        ),
    ],
    "storage/transactions.py": [
        Sabotage(
            "nothing is tried again",
            "MAX_TRIES = 5",
            "promises/retries: an_error_that_the_handler_wraps and postgresql",
            "MAX_TRIES = 1",
        ),
        Sabotage(
            "who lost a race does not look again",
            "return isinstance(error, LostRaceError) or is_transient(cause)",
            "promises/exactly_once: a_delivery_that_its_duplicate_overtakes and sqlite",
            "return is_transient(cause)",
        ),
        Sabotage(
            "a transaction is tried without end",
            "for left in reversed(range(MAX_TRIES)):",
            "promises/retries: a_transaction_that_always_loses and postgresql",
            "for left in reversed(range(MAX_TRIES * 20)):",
        ),
        Sabotage(
            "our statements go to a replica",
            'bind_arguments={"mapper": self._mapper, "clause": self._any_write}',
            "promises/replicas: all_that_is_written and sqlite",
            'bind_arguments={"mapper": self._mapper}',
        ),
        Sabotage(
            "a commit that is refused is nobody's failure",
            "if not handled or is_transient(error):",
            "promises/kept_transaction: it_counts_as_a_failure and sqlite",
            "if True:",
        ),
        Sabotage(
            "a handler reads the past",
            'connection.exec_driver_sql("COMMIT")',
            "promises/kept_transaction: an_order_that_is_cancelled_meanwhile and mariadb",
            "pass",
        ),
        Sabotage(
            "a look at a payment drops what the shop wrote",
            "unmodified = inspect(payment).unmodified",
            "promises/kept_transaction: what_the_shop_wrote_into_a_column and sqlite",
            "unmodified = {key for key, _ in self._attributes}",
        ),
        Sabotage(
            "what a statement was to write is in the log",
            "hide_parameters(error)",
            "callback: a_row_that_cannot_be_written",
            "pass",
        ),
    ],
    "views/blueprint.py": [
        Sabotage(
            "a path prefix leads to another host",
            "if request.root_path and not is_link(request.root_path):",
            "promises/hosts: a_path_prefix and sqlite",
        ),
    ],
    "views/callback.py": [
        Sabotage(
            "the body is parsed before it is verified",
            'request.environ.get("HTTP_X_SIGNATURE", "")',
            "promises/nothing_forged: a_refused_callback and sqlite",
            'Report.from_json(body) and request.environ.get("HTTP_X_SIGNATURE", "")',
        ),
        Sabotage(
            "a signature is written to the log",
            "secret_index = verify(",
            "promises/nothing_forged: no_secret and sqlite",
            "logger.info(signature)\n            secret_index = verify(",
        ),
        Sabotage(
            "the work of a before_request stops a callback",
            "state.storage.commit_earlier_work()",
            "earlier_work: each_page and sqlite",
            "pass",
        ),
        Sabotage(
            "the callback's own variables show its body",
            "del body, signature",
            "neighbours/sentry: an_error_in_a_callback_tells_nothing",
            "pass",
        ),
    ],
    "views/checkout.py": [
        Sabotage(
            "a form from another site counts at the checkout",
            "if is_foreign(public_url):",
            "pages/strangers: another_site_has_sent",
        ),
    ],
    "views/pages.py": [
        Sabotage(
            "a page dies with the database",
            "if trouble is None:",
            "surviving: without_a_database",
            "if True:",
        ),
    ],
    "views/payment_pages.py": [
        Sabotage(
            "the cancel page offers to pay what Spayon has confirmed just now",
            "if shown.standing.certainty is Certainty.UNRECORDED:",
            "pages/late_constraints: told_to_wait and cancel",
        ),
        Sabotage(
            "an order that has changed is still offered at the old price",
            "if payment.superseded or (order is not None and not order.is_asked_by(payment)):",
            "pages/every_standing: changed or superseded",
        ),
    ],
    "views/standing.py": [
        Sabotage(
            "a page is sure though nobody was asked",
            "return payment.id in heard or",
            "pages/every_standing: pending-cancel or unreachable",
            "return True or",
        ),
        Sabotage(
            "a page is sure of an attempt whose answer was lost",
            "if payment.session_id is None or is_refused(payment):",
            "pages/every_standing: lost",
            "if is_refused(payment):",
        ),
        Sabotage(
            "a page forgets what another payment of the order may hold",
            "if paid is not None:",
            "pages/every_standing: other and paid",
        ),
    ],
}
