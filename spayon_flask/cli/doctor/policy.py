"""The check of the Content-Security-Policy, which may keep payers from Spayon's page."""

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
    """Yield the sources of each policy that comes with a checkout page, None for those without."""
    payments = state.storage.queries.payments(limit=1)
    key = (payments[0].order_key or payments[0].order_id) if payments else "doctor"
    path = state.urls.path("checkout", order_id=key)
    response = current_app.test_client().get(path, base_url=state.settings.public_url)

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
