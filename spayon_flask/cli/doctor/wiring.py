"""Checks of how the shop has wired us in: handlers, cookies, and the policy of its pages."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import SplitResult
from urllib.parse import urlsplit

from flask import current_app

from ...state import AppState
from .finding import Finding
from .finding import ok
from .finding import unknown
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


def check_policy(state: AppState) -> Iterator[Finding]:
    """Look whether the checkout form may lead to Spayon's page.

    Browsers apply form-action to the redirect that answers a form, too.
    """
    policies = [sources for sources in _form_actions(state) if sources is not None]

    if not policies:
        yield ok("form-action", "no Content-Security-Policy restricts forms")
        return

    target = _hosted_page(state)

    if target is None:
        only_self = all(sources <= {"'self'", "'none'"} for sources in policies)
        finding = wrong if only_self else unknown
        yield finding(
            "form-action",
            "the policy restricts forms, and no payment session tells yet where Spayon's page is",
            "add the address of Spayon's payment page to form-action",
        )
        return

    origin = f"{target.scheme}://{target.netloc}"

    if all(_allows(sources, target) for sources in policies):
        yield ok("form-action", f"allows {origin}")

    else:
        yield wrong(
            "form-action",
            f"the policy keeps the checkout form from {origin}: payers cannot get there",
            f"add {origin} to form-action",
        )


def _form_actions(state: AppState) -> Iterator[set[str] | None]:
    """Yield the sources of each policy that comes with a checkout page, None for those without.

    Flask answers OPTIONS by itself, with the headers of the page. Neither the order loader nor the
    view runs.
    """
    path = state.urls.path("checkout", order_id="doctor")
    response = current_app.test_client().options(path, base_url=state.settings.public_url)

    for header in response.headers.getlist("Content-Security-Policy"):
        for policy in header.split(","):
            directives = [part.split() for part in policy.lower().split(";") if part.split()]
            yield next(
                (set(sources) for name, *sources in directives if name == "form-action"), None
            )


def _hosted_page(state: AppState) -> SplitResult | None:
    found = state.storage.queries.payments(with_session=True, limit=1)
    url = found[0].session_url if found else None
    return urlsplit(url.lower()) if url else None


def _allows(sources: set[str], target: SplitResult) -> bool:
    return any(_matches(source, target) for source in sources)


def _matches(source: str, target: SplitResult) -> bool:
    if source in ("*", f"{target.scheme}:"):
        return True

    scheme, separator, rest = source.rpartition("://")
    host = rest.partition("/")[0]

    if separator and scheme != target.scheme:
        return False

    if host.startswith("*."):
        return (target.hostname or "").endswith(host[1:])

    return host in (target.netloc, target.hostname)
