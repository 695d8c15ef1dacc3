"""Shop checks of `doctor`: settings, functions, pages, and what lies between us and Spayon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from flask import abort, current_app, template_rendered
from werkzeug.exceptions import HTTPException

from ..client.connections import Probed, probe
from ..domain.orders import Order
from ..domain.signing import CHALLENGE, DOCTOR_HEADER, DOCTOR_WORD, sign
from ..errors import GatewayError, GatewayUnavailableError
from ..settings import Settings
from ..state import AppState
from .table_checks import Findings

#: Clocks may differ so much; more, and a payer reads of minutes that are not there.
_TOLERANCE = timedelta(seconds=60)

#: Signed, and no report: nothing is recorded, but only who knows the secret says why not.
_NO_REPORT = b"{}"

_OURS = str(Path(__file__).parents[1] / "templates")

#: No payment session and no order has such an id, so the page is the one for an unknown payment.
_NOBODY = "doctor"


def check_settings(state: AppState) -> Findings:
    """Read the settings anew, and compare them with those in use."""
    now = Settings.from_config(
        current_app.config, state.config_prefix, of_vendors=state.vendor is not None
    )

    if now == state.configured:
        yield "ok", f"complete; the gateway is {now.api_url}"

    else:
        says = "the app's config was changed after init_app, which does not see that"
        yield "wrong", says, "load the config first, then call spayon.init_app(app)"


def check_secrets(state: AppState) -> Findings:
    """Look for a secret that was copied to the wrong place, and for a vendor who has gone."""
    secrets = state.settings.callback_secrets

    if not secrets:
        do = "let a vendor stay until nothing is pending; if credentials= failed, see the log"
        yield "wrong", "credentials= gives none", do

    elif state.settings.client_secret in secrets:
        do = "copy the callback secret from the settings in Spayon's admin panel"
        yield "wrong", "CALLBACK_SECRET is the same as CLIENT_SECRET", do


def check_handlers(state: AppState) -> Findings:
    """Look whether the shop registered what nothing works without."""
    registered = [name for name, each in state.handlers.functions.items() if each]
    do = "register one with @spayon.{}, in a module that is imported at start-up"

    if "order_loader" not in registered:
        yield "wrong", "no order loader: every checkout page fails", do.format("order_loader")

    if not {"on_paid", "dispatcher"} & {*registered}:
        says = "neither on_paid nor a dispatcher: nothing happens when an order is paid"
        yield "wrong", says, do.format("on_paid")

    if registered:
        yield "ok", ", ".join(registered)


def check_callback_route(state: AppState) -> Findings:
    """Post an unsigned callback within this process, past all that the app puts before it."""
    answer = current_app.test_client().post(
        state.urls.path("callback"),
        data=_NO_REPORT,
        headers=_headers(state),
        base_url=state.settings.public_url,
    )
    yield _judge(answer.status_code, answer.data, dict(answer.headers))


def check_callback_url(state: AppState) -> Findings:
    """Post to the callback route under PUBLIC_URL: unsigned, then signed but empty."""
    if state.settings.public_url is None:
        says = "PUBLIC_URL is not set: it is taken from each request, and cannot be looked at"
        yield "unknown", says, f"set {state.config_prefix}PUBLIC_URL to the address of the shop"
        return

    url = state.settings.public_url + state.urls.path("callback")
    answer = _post(state, url)

    if answer.status is None:
        says = f"{url}: {answer.error}, seen from this machine"
        do = "look from outside; if it is so there too, nobody can call back"
        yield "wrong" if answer.certificate else "unknown", says, do
        return

    finding = _judge(answer.status, answer.body, answer.headers)
    yield finding

    if finding[0] == "ok":
        signature = sign(_NO_REPORT, state.settings.callback_secrets[0])
        signed = _post(state, url, {"X-Signature": signature})

        # Who knows the secret goes on to the body, which is no report.
        if signed.status == 400:  # noqa: PLR2004  an HTTP status
            yield "ok", "the shop that answers there has the same callback secret"

        else:
            says = f"what is signed here is answered with {signed.status} {_text(signed.body)}"
            do = "give that shop the callback secret of this shell; let nothing change the body"
            yield "wrong", says.rstrip(), do


def _post(state: AppState, url: str, signature: Mapping[str, str] = {}) -> Probed:
    headers = {**_headers(state), **signature}
    timeout = state.settings.timeout
    return probe(url, method="POST", body=_NO_REPORT, headers=headers, timeout=timeout)


def _headers(state: AppState) -> dict[str, str]:
    """Return the headers of a callback that the shop does not log, since we sent it ourselves."""
    own = sign(DOCTOR_WORD, state.settings.callback_secrets[0])
    return {"Content-Type": "application/json", DOCTOR_HEADER: own}


def _judge(status: int, body: bytes, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what the answer to an unsigned callback says; only our own 401 is right."""
    if status == 401 and headers.get("WWW-Authenticate") == CHALLENGE:  # noqa: PLR2004  an HTTP status
        return "ok", "refuses an unsigned callback, as it must"

    says = f"not our 401, but {status} {headers.get('Location', _text(body))}"
    do = (
        "let PUBLIC_URL lead to it, and exempt it from logins, redirects and CSRF protection: "
        "csrf.exempt(app.view_functions['spayon.callback'])"
    )
    return "wrong", says, do


def _text(body: bytes) -> str:
    """Return the beginning of an answer in one printable line."""
    line = " ".join(body.decode(errors="replace").split())
    return "".join(filter(str.isprintable, line))[:200]


def check_credentials(state: AppState) -> Findings:
    """Ask for a token."""
    try:
        token = state.client.request_token()

    except GatewayUnavailableError as error:
        yield "unknown", str(error), "try again; look at API_URL and the way out"

    except GatewayError as error:
        prefix = state.config_prefix
        ours = f"{prefix}CLIENT_ID, {prefix}CLIENT_SECRET or {prefix}API_URL"
        what = "what credentials= returns" if state.vendor else ours
        yield "wrong", str(error), f"correct {what}"

    else:
        yield "ok", f"accepted; the token is good for {token.expires_in:.0f} s"


def check_clock(state: AppState) -> Findings:
    """Compare the clock of this machine with the gateway's."""
    answer = probe(state.settings.api_url + "/", timeout=state.settings.timeout)

    if answer.date is None:
        yield "unknown", answer.error or "the gateway does not tell it", "look whether NTP runs"
        return

    difference = state.clock() - answer.date
    is_right = abs(difference) <= _TOLERANCE
    says = f"{difference.total_seconds():+.0f} s from the gateway's"
    yield ("ok", says) if is_right else ("wrong", says, "let NTP set the clock of this machine")


def check_token_cache(state: AppState) -> Findings:
    """Look how the shared cache is set up, then put something into it and take it out again."""
    cache: Any = state.settings.token_cache

    if cache is None:
        return

    # Flask-Caching's object has the cache itself under this name.
    backend = getattr(cache, "cache", cache)
    parts = getattr(backend, "__dict__", {}).values()

    if clients := [each for each in parts if hasattr(each, "connection_pool")]:
        pool = clients[0].connection_pool

        if pool.connection_class(**pool.connection_kwargs).socket_timeout is None:
            says = "its Redis client has no socket_timeout: a Redis that hangs stops the shop"
            yield "wrong", says, "give the cache socket_timeout=1 and socket_connect_timeout=1"
            return

        written = backend.serializer.dumps([_NOBODY])

        if isinstance(written, bytes) and b"\x80" in written:  # pickled bytes begin so
            says = "it unpickles what it reads: whoever writes to that Redis runs code in the shop"
            yield "wrong", says, "give it the JSON serializer of the documentation (Neighbours)"

    try:
        cache.set("spayon:doctor", _NOBODY, timeout=10)
        trouble = "" if cache.get("spayon:doctor") == _NOBODY else "forgets at once"
        cache.delete("spayon:doctor")

    except Exception as error:  # noqa: BLE001  each backend has its own
        trouble = f"fails with {type(error).__name__}"

    do = "look whether its server runs, or its folder can be written; each process buys a token"
    yield ("wrong", f"TOKEN_CACHE {trouble}", do) if trouble else ("ok", "works")


def check_pages(state: AppState) -> Findings:
    """Render our pages in the shop's frame, and look whether something of either is lost."""
    path = state.urls.path("return_page", session_id=_NOBODY)

    with current_app.test_request_context(path, base_url=state.settings.public_url):
        try:
            pages = _render_pages(state)

        except HTTPException:
            yield "ok", "not looked at: the app answers in their place"
            return

        except Exception as error:  # noqa: BLE001  whatever the shop's template raises
            do = "give your base template what it needs: spayon.blueprint.context_processor"
            yield "wrong", f"they fail with {type(error).__name__}: {error}", do
            return

    frame = current_app.jinja_env.get_template("spayon/default/base.html").blocks
    # Of each block: whether it is ours, that of the page first, and that of the frame last.
    blocks = [
        (name, [each.__code__.co_filename.startswith(_OURS) for each in chain])
        for _, found in pages
        for name, chain in found.items()
    ]
    swallowed = {name for name, ours in blocks if any(ours) and not ours[-1]} - {*frame}

    if ("content", [True]) in blocks:
        yield "wrong", "your frame has no block `content`, so ours is lost", "give it one"

    elif swallowed:
        do = "give the blocks of your frame names that ours have not"
        yield "wrong", f"your frame swallows blocks of ours: {', '.join(sorted(swallowed))}", do

    elif not all("stylesheet" in text or "<style" in text for text, _ in pages):
        do = "let your spayon/base.html link one, ours (spayon.css) or yours"
        yield "wrong", "they have no stylesheet", do


def _render_pages(state: AppState) -> list[tuple[str, dict[str, list[Any]]]]:
    """Return text and blocks of a page for nobody's payment, and of three for a made-up one."""
    given: dict[str, Any] = {}

    def keep(_: object, *, context: dict[str, Any], **__: object) -> None:
        given.update(context)

    # What the shop does before each request, its frame may need.
    if (answer := current_app.preprocess_request()) is not None:
        abort(current_app.make_response(answer))

    with template_rendered.connected_to(keep):
        current_app.dispatch_request()

    made_up = given | _made_up(state)
    return [
        _render("error", given),
        _render("checkout", made_up | {"spayon_state": "payable"}),
        _render("return", made_up | {"spayon_state": "failed"}),
        _render("cancel", made_up | {"spayon_state": "failed"}),
    ]


def _render(page: str, given: dict[str, Any]) -> tuple[str, dict[str, list[Any]]]:
    template = current_app.jinja_env.get_template(f"spayon/{page}.html")
    context = template.new_context(given)
    return "".join(template.root_render_func(context)), context.blocks


def _made_up(state: AppState) -> dict[str, Any]:
    """Return what our pages are given, about an order and a payment that nobody has made."""
    now, payment_class = state.clock(), cast("Any", state.storage.source.payment_class)
    order = Order(order_id=_NOBODY, product_name=_NOBODY, price=Decimal(1), currency="AMD")
    payment = payment_class(order_id=_NOBODY, status="failed", created_at=now, expires_at=now)
    values: dict[str, Any] = {"order": order, "payment": payment, "order_id": _NOBODY}
    # For an app whose Jinja takes no undefined name.
    values |= dict.fromkeys(("guarded", "stale", "refused", "closed", "other_url", "paid_at"))
    values |= dict.fromkeys(("product_name", "over", "next_url", "asks", "return_url"))
    values |= dict.fromkeys(("lines", "fields", "declines"), ())
    values |= dict.fromkeys(("retry_url", "check_url"), "/")
    values |= {"price": "1 AMD", "certainty": "sure", "slow": 0, "looked_at": now}
    return {f"spayon_{name}": value for name, value in values.items()}
