"""Shop checks of `doctor`: settings and secrets, the shop's functions, its links and its pages."""

from __future__ import annotations

import ipaddress
import re
import traceback
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, render_template, template_rendered
from werkzeug.exceptions import HTTPException

from ..domain.handlers import load_order
from ..domain.orders import Order
from ..errors import ConfigError
from ..settings import Settings
from ..state import AppState

#: So many of the newest payments say by what keys the shop's orders are known.
_NEWEST = 20

_OURS = Path(__file__).parents[1] / "templates"

#: Of each page, blocks that are on it once, and the class by which each is known.
_BLOCKS = {
    "error": {"heading": "spayon-heading", "message": "spayon-message"},
    "checkout": {"heading": "spayon-kicker", "next_steps": "spayon-steps"},
    "return": {"heading": "spayon-heading", "message": "spayon-message"},
}

#: No payment session and no order has such an id, so the page is the one for an unknown payment.
_NOBODY = "doctor"


class _Recorder(dict[str, Any]):
    """A config that notes which keys are asked for."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def check_settings(state: AppState) -> Iterator[tuple[str, ...]]:
    """Read the settings anew, and compare them with those in use."""
    recorder = _Recorder(current_app.config)

    try:
        now = Settings.from_config(
            recorder, state.config_prefix, of_vendors=state.vendor is not None
        )

    except ConfigError as error:
        yield "wrong", f"changed after init_app: {error}", "set it before init_app"
        return

    ours = {key for key in current_app.config if key.startswith(state.config_prefix)}

    if now != state.configured:
        yield (
            "wrong",
            "the app's config was changed after init_app, which does not see that",
            "load the config first, then call spayon.init_app(app)",
        )

    elif strays := ours - recorder.asked:
        names = ", ".join(sorted(strays))
        yield "wrong", f"no setting: {names}", "compare the names with the page on settings"

    else:
        yield "ok", f"complete; the gateway is {now.api_url}"


def check_secrets(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look for secrets that were copied to the wrong place."""
    secrets = state.settings.callback_secrets

    if not secrets:
        do = "let a vendor stay until nothing is pending"
        yield "wrong", "credentials= gives none for this vendor", do

    elif state.settings.client_secret in secrets:
        yield (
            "wrong",
            "CALLBACK_SECRET is the same as CLIENT_SECRET",
            "copy the callback secret from the settings in Spayon's admin panel",
        )

    elif len(set(secrets)) < len(secrets):
        yield "wrong", "CALLBACK_SECRET holds a secret twice", "remove one of the two"


def check_environment(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look for a test system that says production, and the other way round."""
    settings = state.settings
    unsafe = " and ".join(name for name in ("DEBUG", "TESTING") if current_app.config.get(name))

    if settings.production and settings.simulated:
        yield (
            "wrong",
            "this is production, but API_URL leads to a stand-in on this machine",
            f"remove {state.config_prefix}API_URL",
        )

    elif settings.production and unsafe:
        yield "wrong", f"{unsafe} on in production", f"turn off {unsafe}"

    else:
        yield "ok", "production" if settings.production else "not production"


def check_public_url(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look at the address under which Spayon and the payers are to reach the shop."""
    settings, key = state.settings, f"{state.config_prefix}PUBLIC_URL"
    url = settings.public_url

    if url is None:
        yield (
            "unknown",
            "not set: it is taken from each request, and cannot be looked at from here",
            f"set {key} to the address of the shop",
        )

    elif not settings.simulated and _is_private(urlsplit(url).hostname or ""):
        yield (
            "wrong",
            f"{url} is known on this network only, and Spayon calls from outside",
            f"set {key} to the public address",
        )

    else:
        yield "ok", url


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global

    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost"))


def check_handlers(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look whether the shop registered what nothing works without."""
    handlers = state.handlers
    paid = handlers.of_status("paid") or handlers.dispatcher

    if handlers.order_loader is None:
        yield (
            "wrong",
            "no order loader: every checkout page fails",
            "register one with @spayon.order_loader, in a module that is imported at start-up",
        )

    if not paid:
        yield (
            "wrong",
            "neither on_paid nor a dispatcher: nothing happens when an order is paid",
            "register one with @spayon.on_paid, in a module that is imported at start-up",
        )

    elif handlers.order_loader is not None:
        yield "ok", ", ".join(name for name, each in handlers.functions.items() if each)


def check_order_keys(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look whether a stranger can guess the link to the newest order.

    The order loader is asked only if the keys are numbers, and what it writes is rolled back.
    """
    keys = state.storage.inspection.newest_keys(_NEWEST)

    if not keys or not all(key.isdecimal() for key in keys):
        return

    if _is_shown_to_strangers(state, keys[0]):
        yield (
            "wrong",
            f"they are numbers, such as {keys[0]}: whoever counts finds the orders of others",
            "give each order a code, secrets.token_urlsafe(12), and hand it over as Order(key=...)",
        )

    else:
        yield "ok", "numbers, which the order loader does not show to strangers"


def _is_shown_to_strangers(state: AppState, key: str) -> bool:
    path = state.urls.path("checkout", order_id=key)

    with current_app.test_request_context(path, base_url=state.settings.public_url):
        try:
            return (
                current_app.preprocess_request() is None
                and load_order(state.handlers, key) is not None
            )

        except HTTPException:
            return False

        finally:
            state.storage.queries.session.rollback()


def check_pages(state: AppState) -> Iterator[tuple[str, ...]]:
    """Render pages in the shop's frame, and look whether something of either is lost."""
    # Without the tables our page is another one, and the log says why.
    if state.storage.inspection.differences():
        return

    path = state.urls.path("return_page", session_id=_NOBODY)
    given: dict[str, Any] = {}

    def keep(_: object, *, context: dict[str, Any], **__: object) -> None:
        given.update(context)

    with current_app.test_request_context(path, base_url=state.settings.public_url):
        try:
            if current_app.preprocess_request() is not None:
                yield "ok", "not looked at: a before_request answers in their place"
                return

            with template_rendered.connected_to(keep):
                answer = current_app.make_response(current_app.dispatch_request())

            pages = {"error": answer.get_data(as_text=True)}
            given |= _made_up(state)

            for name, stands in (("checkout", "payable"), ("return", "failed")):
                given["spayon_state"] = stands
                pages[name] = render_template(f"spayon/{name}.html", **given)

        except HTTPException as error:
            yield "ok", f"not looked at: the app answers {error.code}"
            return

        except Exception as error:  # noqa: BLE001  whatever the shop's template raises
            yield (
                "wrong",
                f"they fail with {type(error).__name__}: {error}{_place(error)}",
                "give your base template what it needs: spayon.blueprint.context_processor",
            )
            return

    if odd := [f"{each} of {name}.html" for name in pages for each in _odd(name, pages[name])]:
        yield (
            "wrong",
            f"blocks of ours are not on their page exactly once: {', '.join(odd)}",
            "hold our block `content` once, and give blocks of your base names that ours have not",
        )

    elif not re.search(r"""rel=["']?stylesheet|<style""", pages["error"]):
        yield (
            "wrong",
            "they have no stylesheet",
            "let your spayon/base.html link one, ours (spayon.css) or yours",
        )

    else:
        yield "ok", "they render in the shop's frame"


def _made_up(state: AppState) -> dict[str, Any]:
    """Return what our pages are given, about an order and a payment that nobody has made."""
    now = state.clock()
    order = Order(order_id=_NOBODY, product_name=_NOBODY, price=Decimal(1), currency="AMD")
    payment: Any = state.storage.source.payment_class()
    payment.order_id, payment.product_name, payment.status = _NOBODY, _NOBODY, "failed"
    payment.created_at = payment.updated_at = payment.expires_at = now
    values: dict[str, Any] = {"order": order, "payment": payment, "order_id": _NOBODY}
    values |= dict.fromkeys(("lines", "fields", "declines"), ())
    values |= {"price": "1 AMD", "certainty": "sure", "slow": 0, "looked_at": now}
    values |= dict.fromkeys(("retry_url", "check_url"), "/")
    return {f"spayon_{name}": value for name, value in values.items()}


def _odd(name: str, page: str) -> list[str]:
    """Return which blocks of ours the *page* has lost, or shows twice; none if it is the shop's."""
    template = current_app.jinja_env.get_template(f"spayon/{name}.html")

    if _OURS not in Path(template.filename or "").parents:
        return []

    blocks = _BLOCKS[name].items()
    return [block for block, word in blocks if page.count(f'class="{word}"') != 1]


def _place(error: Exception) -> str:
    """Return in which template *error* was raised, and in which line, if in any."""
    frames = traceback.extract_tb(error.__traceback__)
    found = [each for each in frames if each.filename.endswith(".html")]
    return f" ({found[-1].filename}, line {found[-1].lineno})" if found else ""
