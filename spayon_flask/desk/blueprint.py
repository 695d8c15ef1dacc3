"""Blueprint: the routes of the desk, each behind the door."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from flask import Flask, Response, abort, make_response, request, send_from_directory
from flask.typing import ResponseReturnValue

from ..errors import UnknownVendorError
from ..state import Accounts, AppState
from ..urls import vendor_in_address
from ..views import LastResortBlueprint
from ..views.blueprint import before_first_request
from ..views.pages import surviving
from . import books, decisions, payments
from .desk import Desk, SorryError
from .door import Allowed, Door, Who

#: Every method comes to our views: a 405, a redirect or an automatic answer to OPTIONS would tell
#: who may not come in that something is here.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")

_READ = ("GET", "HEAD")

_HERE = Path(__file__).parent

_SHARED = _HERE.parent / "static"

#: What the payers' pages have too, and what the desk adds.
_STYLES = {"spayon.css": _SHARED, "icon.svg": _SHARED, "desk.css": _HERE / "static"}

#: The largest id that a table can hold.
_MOST = 2**63 - 1

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}

View = Callable[..., ResponseReturnValue]


def create_staff(
    name: str,
    accounts: Accounts,
    *,
    allowed: Allowed,
    may_settle: Allowed | None,
    who: Who | None,
    vendors: bool,
) -> LastResortBlueprint:
    """Return the desk of the account *name*; *accounts* returns those of the app.

    With *vendors* each address names one, by a part `<vendor>` of the prefix. Raises
    `RegistrationError` if one of the shop's functions cannot do its work.
    """
    door = Door(allowed, may_settle, who, vendors=vendors)
    blueprint = LastResortBlueprint(
        f"{name}_staff", "spayon_flask", template_folder="templates", static_folder=None
    )
    blueprint.before_request(door.check)

    def current(*, bare: bool = False) -> AppState:
        vendor = vendor_in_address() if vendors else None

        try:
            return accounts().bare(vendor) if bare else accounts().kept(vendor)

        except UnknownVendorError:
            abort(404)

    if vendors:
        blueprint.url_defaults(lambda _, values: values.setdefault("vendor", vendor_in_address()))

    def add(rule: str, endpoint: str, view: View, methods: Sequence[str] = _READ) -> None:
        def show(state: AppState, **arguments: object) -> ResponseReturnValue:
            arguments.pop("vendor", None)
            # What we do must not be mixed with what the shop did before our view: who was seen
            # last, say.
            state.storage.commit_earlier_work()
            desk = Desk(state, door)

            try:
                answer = desk.check_form() if request.method == "POST" else None
                return view(desk, **arguments) if answer is None else answer

            except SorryError as error:
                return desk.page("sorry.html", error.status_code, message=str(error))

        shown = surviving(current, show, lambda state, _: Desk(state, door).outage())

        def answer(**arguments: object) -> Response:
            if request.method not in methods:
                return _guarded(Response(status=405, headers={"Allow": ", ".join(methods)}))

            return _guarded(make_response(shown(**arguments)))

        blueprint.add_url_rule(
            rule,
            endpoint,
            answer,
            methods=_METHODS,
            strict_slashes=False,
            merge_slashes=False,
            provide_automatic_options=False,
        )

    payment = f"/<int(max={_MOST}):payment_id>"
    report = f"<int(max={_MOST}):callback_id>"
    both = (*_READ, "POST")
    add("/", "today", books.today)
    add("/list", "payments", payments.find)
    add(payment, "payment", payments.show)
    add(f"{payment}/ask", "ask", payments.ask, both)
    add(f"{payment}/decide", "decide", decisions.decide, both)
    add(f"{payment}/refund", "refund", decisions.refund, both)
    add(f"/reports/{report}/hand-over", "hand_over", payments.hand_over, both)
    add("/reviews", "reviews", decisions.reviews)
    add("/unknown", "unknown", decisions.unknown)
    add(f"/unknown/{report}", "seen", decisions.seen, both)
    add("/export", "export", books.export)
    add("/export.csv", "export_csv", books.export_csv)
    add("/style/<file>", "style", _style)

    if vendors:
        add("/vendors", "vendors", lambda desk: _vendors(desk, accounts().vendors()))

    def leave_to_us(app: Flask) -> None:
        # Before we have looked, a 400 of CSRFProtect would say that something is here.
        if (protect := app.extensions.get("csrf")) is not None:
            protect.exempt(blueprint)

    before_first_request(blueprint, leave_to_us)
    return blueprint


def _guarded(response: Response) -> Response:
    """Return *response*, which no cache keeps, no robot lists and no frame holds."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)

    return response


def _vendors(desk: Desk, names: Sequence[str]) -> Response:
    """Show of whom the present person may see the payments."""
    seen = [name for name in names if desk.door.lets_in(name)]
    return desk.page("vendors.html", vendors=seen)


def _style(desk: Desk, file: str) -> Response:
    """Send a stylesheet, or the icon."""
    if file not in _STYLES:
        raise SorryError(404, desk.gettext("There is no such page."))

    response = send_from_directory(_STYLES[file], file)
    response.headers["Cache-Control"] = "private, no-cache"
    return response
