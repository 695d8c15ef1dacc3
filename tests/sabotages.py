"""Sabotages: one condition or one call of the package made wrong, and where a test must notice."""

from typing import NamedTuple


class Sabotage(NamedTuple):
    """Replace *old*, which is there once, by *new*; the tests that are chosen must fail.

    `promises/handlers: commit` is for `-k commit` in `tests/promises/test_handlers.py`, on SQLite
    unless a database is named. If no *new* is named, the condition *old* never holds.
    """

    old: str
    tests: str
    new: str = "if False:"


#: By the module of the package.
SABOTAGES = {
    "checkout.py": [
        Sabotage("in early:", "promises/unknown_sessions: an_early_report", "in ():"),
        Sabotage(
            "wish.order = self._load_again(wish.order)",
            "promises/changed_orders: waited_goes_on",
            "pass",
        ),
        Sabotage(
            "None or payment.superseded:",
            "promises/changed_orders: a_change_that_comes_while",
            "None:",
        ),
        Sabotage("self.storage.commit_earlier_work()", "promises/changed_orders: loader", "pass"),
        Sabotage(
            'raise HandlerError(f"{error}{place_of(error.__cause__ or error)}") from None',
            "details: if_it_fails",
            "raise",
        ),
    ],
    "client/client.py": [
        Sabotage(" {settings.client_secret}", "promises/vendors: whoever_knows_the_client_id", ""),
    ],
    "client/token_cache.py": [
        Sabotage(
            "return found\n\n            access_token",
            "tokens: shared_meanwhile",
            "pass\n\n            access_token",
        ),
    ],
    "desk/desk.py": [
        Sabotage(
            "is_foreign(self.state.settings.public_url) or not",
            "staff/door: a_form_from_another_site",
            "not",
        ),
        Sabotage("== self.person", "staff/door: a_token_is_good_for_its_person_alone", "!= ''"),
    ],
    "desk/door.py": [
        Sabotage("is True or", "staff/door: only_true_lets_somebody_in", "or"),
    ],
    "domain/handlers.py": [
        Sabotage("if found.key != key:", "loading: an_order_whose_key"),
    ],
    "domain/redaction.py": [
        Sabotage(
            '__slots__ = ()\n\n    def __repr__(self) -> str:\n        return "<hidden>"',
            "client: no_local_variable",
            "__slots__ = ()\n    __repr__ = str.__repr__",
        ),
    ],
    "domain/registration.py": [
        Sabotage("if after and self.first > 0:", "handlers: a_factory_that_runs_again"),
        Sabotage("if turn not in self.turns:", "handlers: nothing_is_lost", "if True:"),
    ],
    "domain/reports.py": [
        Sabotage(
            'return f"Body({len(self)} bytes)"',
            "neighbours/sentry: error_in_a_callback",
            "return bytes.__repr__(self)",
        ),
    ],
    "domain/signing.py": [
        Sabotage(
            "if hmac.compare_digest(sign(body, secret).encode(), given) and found < 0:",
            "promises/nothing_forged: a_refused_callback",
            "if found < 0:",
        ),
    ],
    "domain/transitions.py": [
        Sabotage(
            "if _RANK[report.status] <= _RANK[payment.status]:",
            "promises/order_of_statuses: paid_wins_in_every_order",
        ),
        Sabotage("if report.price != payment.price:", "promises/money_guard: a_doubtful_paid"),
        Sabotage("if order_is_paid:", "promises/one_live_session: a_second_payment_of_an_order"),
        Sabotage("if payment.superseded:", "promises/one_live_session: a_changed_order"),
        Sabotage(
            "seconds=30", "promises/one_live_session: creation_that_never_finished", "days=30"
        ),
        Sabotage(
            'return "live" if can_be_paid(holder, now) else "ask"',
            "promises/one_live_session: a_second_tab",
            'return "superseded"',
        ),
        Sabotage("in BARRING:", "promises/one_live_session: a_paid_order_cannot", "in ():"),
        Sabotage(
            " and holder.gateway == gateway", "promises/one_live_session: of_another_gateway", ""
        ),
        Sabotage(
            "if holder.base_url not in (None, wish.base_url):",
            "promises/hosts: belongs_to_the_whole",
        ),
    ],
    "reconcile/reconciler.py": [
        Sabotage(
            "self._clock() >= ends_at",
            "promises/unknown_sessions: a_session_that_spayon_does_not_know",
            "True",
        ),
    ],
    "reconcile/run.py": [
        Sabotage(
            "if until else", "promises/recovery: a_long_retry_after_holds", "if not until else"
        ),
        Sabotage("MAX_FAILURES = 5", "promises/recovery: calls_that_fail", "MAX_FAILURES = 500"),
        Sabotage("share - asking, ", "promises/vendors: holds_its_share", ""),
    ],
    "rehearsal/report.py": [
        Sabotage(
            "if STOPPED in outcomes.values():",
            "rehearsal/matrix: foretells and wrong and secret and 500",
        ),
    ],
    "rehearsal/wire.py": [
        Sabotage("secret, MASK", "rehearsal/no_secrets: no_secret", "secret, secret"),
    ],
    "state.py": [
        Sabotage(
            'self.name = base.name if vendor is None else f"{base.name}/{vendor}"',
            "promises/vendors: pays_nothing_of_another",
            "self.name = base.name",
        ),
    ],
    "storage/checkouts.py": [
        Sabotage(
            "with guarded(self.session, connection):",
            "details: if_it_fails",
            "self.session.commit()\n        if True:",
        ),
        Sabotage(" = was_sent and", "promises/rows: clicks_while_nobody_listens", " ="),
        Sabotage(": asked_at +", "promises/rows: a_session_ends_fifteen_minutes", ": now +"),
        Sabotage(
            "if any(row.received_at < since for row in reports):",
            "promises/used_order_ids: a_session_that_spayon_told_of",
        ),
        Sabotage(
            'c.account == bindparam("the_account"),',
            "promises/two_accounts: an_early_report_of_another_account",
            "",
        ),
    ],
    "storage/column_types.py": [
        Sabotage("repr(value)", "promises/money_guard: prices_are_exact", "value"),
    ],
    "storage/decisions.py": [
        Sabotage(
            "any(row.dispatch_at == until for row in rows)",
            "promises/work_outside: a_hand_over_that_ends_late",
            "False",
        ),
    ],
    "storage/guard.py": [
        Sabotage("if holds_changes(session):", "promises/uncommitted: a_call_that_commits_refuses"),
        Sabotage("set(guard)", "promises/handlers: insists and commit", "set(None)"),
        Sabotage('"commit")', "promises/handlers: commits_in_another_way", '"rollback_savepoint")'),
        Sabotage("or guard.", "promises/handlers: insists and rollback", "and not guard."),
        Sabotage(
            "return state not in (_IDLE, _IN_ERROR, _UNKNOWN)",
            "promises/handlers: a_swallowed_error_of_a_statement and postgresql",
            "return True",
        ),
        Sabotage("self.error = error", "promises/retries: swallowed and mariadb", "pass"),
        Sabotage(
            'if first in _ENDING and "TO" not in more:',
            "promises/hidden_endings: a_text_that_ends and postgresql and COMMIT",
        ),
        Sabotage(
            "known.has_written = True",
            "promises/uncommitted: a_call_that_commits_refuses and sqlite and by_text",
            "pass",
        ),
        Sabotage(
            "if any(each is not None and each.is_active for each in self._elsewhere):",
            "promises/elsewhere: a_handler_that_leaves and mariadb",
        ),
        Sabotage(
            "if self._has_second_database and not self.session.twophase:",
            "promises/kept_transaction: a_handler_that_writes_to_a_second_database",
        ),
        Sabotage("if not self._lasts():", "promises/kept_transaction: a_trigger_of_sqlite"),
    ],
    "storage/models.py": [
        Sabotage(
            '"account", "session_id", "status", name=f"uq',
            "promises/one_live_session: keys_in_the_database",
            '"id", name=f"uq',
        ),
        Sabotage(
            '"account", "session_id", name=f"uq',
            "promises/one_live_session: keys_in_the_database",
            '"id", name=f"uq',
        ),
        Sabotage(
            '"account", "held_order_id", name=f"uq',
            "promises/one_live_session: a_key_in_the_database",
            '"id", name=f"uq',
        ),
        Sabotage(
            '_NO_ID_TWICE = {"sqlite_autoincrement": True}',
            "promises/kept_transaction: the_id_of_a_removed",
            "_NO_ID_TWICE: dict[str, bool] = {}",
        ),
    ],
    "storage/outbox.py": [
        Sabotage("Exception:", "promises/work_outside: a_dispatcher_that_raises", "KeyError:"),
        Sabotage(
            "return now + LEASE if self._handlers.dispatcher is not None else None",
            "promises/work_outside: a_dispatcher_that_raises",
            "return None",
        ),
        Sabotage("session.rollback()", "promises/kept_transaction: what_a_receiver_leaves", "pass"),
        Sabotage(
            "before is None or not holds_changes(before)",
            "promises/kept_transaction: what_the_shop_has",
            "True",
        ),
    ],
    "storage/pruning.py": [
        Sabotage(
            "unchanged = (c.verdict == verdict, *where)",
            "promises/rows: while_its_body_goes and postgresql",
            "unchanged = tuple(where)",
        ),
        Sabotage(
            ", *self._quiet(statuses, before)).with_for",
            "promises/rows: a_late_paid_just_before and postgresql",
            ").with_for",
        ),
    ],
    "storage/recording.py": [
        Sabotage(
            "if known is not None and (known.verdict != UNKNOWN or found is None):",
            "promises/exactly_once: deliveries_one_after_the_other",
            "if known is not None and found is None:",
        ),
        Sabotage(
            "if known is not None and (known.verdict != UNKNOWN or found is None):",
            "promises/unknown_sessions: an_unknown_report_applies",
            "if known is not None:",
        ),
        Sabotage(
            "if report.order_id is None or not is_id(report.order_id):",
            "promises/unknown_sessions: a_lost_answer",
            "if True:",
        ),
        Sabotage(
            'report.status != "paid" or', "promises/needs_review: after_days_of_failures", "True or"
        ),
        Sabotage(
            '"due_at": now if found.session_id is None else found.due_at or now,',
            "promises/needs_review: until_then_reconcile",
            '"due_at": found.due_at,',
        ),
        Sabotage(
            "if reason != HANDLER_FAILED and not self._gives_up(report, error, now):",
            "promises/needs_review: a_failing_handler_of_the_review_keeps",
            "if True:",
        ),
    ],
    "storage/schedule.py": [
        Sabotage(
            "*self._may_be_asked(now),\n",
            "promises/recovery: asks_no_more",
            "self._may_be_asked(now)[0],\n",
        ),
        Sabotage("now + pause(attempts)", "reconcile: a_session_that_is_still_pending", "now"),
        Sabotage(
            "return (p.gateway == self.source.gateway, is_quiet)",
            "promises/recovery: nobody_asks_about_a_payment_of_another",
            'return (p.gateway != "", is_quiet)',
        ),
        Sabotage(
            "p.checked_at > now + self._interval,",
            "promises/recovery: a_host_whose_clock_is_ahead",
            "",
        ),
    ],
    "storage/status.py": [
        Sabotage(
            "if run_handlers:",
            "promises/exactly_once: a_handler_that_raises",
            "self.session.commit()\n        connection = self.connect()\n        if run_handlers:",
        ),
        Sabotage(
            'p.status == bindparam("the_status"),',
            "promises/exactly_once: a_report_that_another_one_overtakes and not mariadb",
            'or_(p.status == bindparam("the_status"), p.id > 0),',
        ),
        Sabotage(
            "self._write(connection, found, values)",
            "promises/one_way_in: no_status_is_written_that_was_not_decided",
            """self._write(connection, found, values | {"status": "failed"})
        connection.execute(update(self.payment).values(status=found.status))
        self._write(connection, found, values)""",
        ),
        Sabotage(
            'taken["due_at"] = now + LAST_LOOK',
            "promises/recovery: a_late_paid_that_was_never_delivered",
            "pass",
        ),
        Sabotage(
            'return any(row.status == "paid" for row in rows)',
            "promises/ended_orders: no_handler_hears",
            "return False",
        ),
        Sabotage(
            "p.held_order_id.is_not_distinct_from(held),",
            "promises/ended_orders: at_the_moment_another and holder",
            "",
        ),
        Sabotage(
            ".with_for_update()",
            "promises/ended_orders: a_payment_that_ends_waits_for and postgresql",
            "",
        ),
        Sabotage(
            'if status == "expired" and values["session_id"] is None:',
            "promises/ended_orders: nobody_hears",
        ),
        Sabotage(
            "told if told is not None and found.created_at <= told <= now else now",
            "promises/kept_transaction: paid_at_lies",
            "told or now",
        ),
    ],
    "storage/transactions.py": [
        Sabotage(
            "return isinstance(error, LostRaceError) or is_transient(cause)",
            "promises/exactly_once: a_delivery_that_its_duplicate_overtakes",
            "return is_transient(cause)",
        ),
        Sabotage(
            "(MAX_TRIES)", "promises/retries: always_loses and postgresql", "(MAX_TRIES * 20)"
        ),
        Sabotage(', "clause": self._any_write', "promises/replicas: all_that_is_written", ""),
        Sabotage(
            "if not handled or is_transient(error):",
            "promises/kept_transaction: it_counts_as_a_failure",
            "if True:",
        ),
        Sabotage(
            'connection.exec_driver_sql("COMMIT")',
            "promises/kept_transaction: an_order_that_is_cancelled_meanwhile and mariadb",
            "pass",
        ),
        Sabotage(
            "unmodified = inspect(payment).unmodified",
            "promises/kept_transaction: what_the_shop_wrote_into_a_column",
            "unmodified = {key for key, _ in self._attributes}",
        ),
        Sabotage("hide_parameters(error)", "callback: a_row_that_cannot_be_written", "pass"),
    ],
    "views/blueprint.py": [
        Sabotage(
            "if request.root_path and not is_link(request.root_path):",
            "promises/hosts: a_path_prefix",
        ),
    ],
    "views/callback.py": [
        Sabotage(
            'request.environ.get("HTTP_X_SIGNATURE", "")',
            "promises/nothing_forged: a_refused_callback",
            'Report.from_json(body) and request.environ.get("HTTP_X_SIGNATURE", "")',
        ),
        Sabotage(
            "secret_index = verify(",
            "promises/nothing_forged: no_secret",
            "logger.info(signature)\n            secret_index = verify(",
        ),
        Sabotage("state.storage.commit_earlier_work()", "earlier_work: each_page", "pass"),
    ],
    "views/checkout.py": [
        Sabotage("if is_foreign:", "pages/strangers: another_site_has_sent"),
    ],
    "views/payment_pages.py": [
        Sabotage(
            "if payment.superseded or (order is not None and not order.is_asked_by(payment)):",
            "pages/every_standing: changed or superseded",
        ),
    ],
    "views/standing.py": [
        Sabotage(
            "payment.id in heard", "pages/every_standing: pending-cancel or unreachable", "True"
        ),
        Sabotage(
            "if payment.session_id is None or is_refused(payment):",
            "pages/every_standing: lost",
            "if payment.session_id is None:\n        return True\n\n    if is_refused(payment):",
        ),
        Sabotage("if paid is not None:", "pages/every_standing: other and paid"),
    ],
}
