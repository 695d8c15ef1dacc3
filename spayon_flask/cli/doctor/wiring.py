"""Checks of how the shop has wired us in: handlers, routes, cookies, policies."""

from __future__ import annotations

from collections.abc import Iterator

from flask import current_app

from ...signing import DOCTOR_HEADER
from ...signing import DOCTOR_WORD
from ...signing import sign
from ...state import AppState
from .callback_answer import judge_answer
from .finding import Finding
from .finding import ok
from .finding import wrong


def check_handlers(state: AppState) -> Iterator[Finding]:
    """Look whether the shop registered what nothing works without."""
    handlers = state.handlers

    if handlers.order_loader is None:
        yield wrong(
            "handlers",
            "no order loader: every checkout page fails",
            "register one with @spayon.order_loader, in a module that is imported at start-up",
        )

    if not handlers.by_status["paid"] and handlers.dispatcher is None:
        yield wrong(
            "handlers",
            "neither on_paid nor a dispatcher: nothing happens when an order is paid",
            "register one with @spayon.on_paid, in a module that is imported at start-up",
        )

    if handlers.order_loader is not None:
        registered = [f"on_{status}" for status, found in handlers.by_status.items() if found]
        registered += ["dispatcher"] if handlers.dispatcher is not None else []
        yield ok("handlers", ", ".join(["order_loader", *registered]))


def check_earlier_work(_: AppState) -> Iterator[Finding]:
    """Say what becomes of what the shop writes before our views run."""
    if number := len(current_app.before_request_funcs.get(None, ())):
        yield ok(
            "before_request",
            f"{number} of the app's functions run before our views; what they write through "
            "db.session is committed first (start_checkout in your own code refuses to do that)",
        )


def check_callback_route(state: AppState) -> Iterator[Finding]:
    """Post an unsigned callback within this process, past all that the app puts before it."""
    response = current_app.test_client().post(
        state.urls.path("callback"),
        data=b"{}",
        content_type="application/json",
        headers=doctors(state),
        base_url=state.settings.public_url,
    )
    yield judge_answer("callback route", response.status_code, response.data, response.headers.get)


def check_cookie(state: AppState) -> Iterator[Finding]:
    """Look at the flags of the session cookie, which the payer's login may hang on."""
    config = current_app.config
    same_site = str(config.get("SESSION_COOKIE_SAMESITE") or "Lax").lower()
    secure = bool(config.get("SESSION_COOKIE_SECURE"))
    good = True

    if not current_app.secret_key:
        yield ok("session cookie", "none: the app has no SECRET_KEY")
        return

    if same_site == "strict":
        good = False
        yield wrong(
            "session cookie",
            "SameSite=Strict: payers who come back from Spayon arrive logged out",
            "set SESSION_COOKIE_SAMESITE = 'Lax'",
        )

    if not secure and (state.settings.production or same_site == "none"):
        good = False
        yield wrong(
            "session cookie",
            "it is sent over plain HTTP too",
            "set SESSION_COOKIE_SECURE = True",
        )

    if not config.get("SESSION_COOKIE_HTTPONLY", True):
        good = False
        yield wrong("session cookie", "scripts can read it", "set SESSION_COOKIE_HTTPONLY = True")

    if good:
        yield ok("session cookie", "flags are right")


def doctors(state: AppState) -> dict[str, str]:
    """Return the header of a callback that the shop does not log, since we sent it ourselves."""
    return {DOCTOR_HEADER: sign(DOCTOR_WORD, state.settings.callback_secrets[0])}
