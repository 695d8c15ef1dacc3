"""Blueprint: the routes of the desk, each behind the door."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from flask import Response
from flask import request
from flask import send_from_directory
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as AnyResponse

from ..state import Current
from ..views import LastResortBlueprint
from . import decisions
from . import payments
from . import today
from .desk import Allowed
from .desk import Desk
from .desk import Door
from .desk import Who
from .desk import guarded
from .forms import leave_to_us
from .today import Days


#: Every method comes to our views: a 405, a redirect or an automatic answer to OPTIONS would tell
#: who may not come in that something is here.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")

_READ = ("GET", "HEAD")

_HERE = Path(__file__).parent

#: Those of the payers' pages, and what the desk adds.
_STYLES = {"spayon.css": _HERE.parent / "static", "desk.css": _HERE / "static"}

#: The largest id that a table can hold.
_MOST = 2**63 - 1

View = Callable[..., ResponseReturnValue]


def create_staff(
    name: str,
    current: Current,
    *,
    allowed: Allowed,
    may_settle: Allowed | None,
    who: Who | None,
) -> LastResortBlueprint:
    """Return the desk of the account *name*; *current* returns the state of the app.

    Raises `RegistrationError` if one of the shop's functions cannot do its work.
    """
    door = Door(allowed, may_settle, who)
    blueprint = LastResortBlueprint(
        f"{name}_staff", "spayon_flask", template_folder="templates", static_folder=None
    )

    @blueprint.before_request
    def check() -> AnyResponse | None:
        return door.check()

    def add(rule: str, endpoint: str, view: View, methods: Sequence[str] = _READ) -> None:
        def answer(**arguments: object) -> ResponseReturnValue:
            if request.method not in methods:
                return guarded(Response(status=405, headers={"Allow": ", ".join(methods)}))

            state = current()
            # What the shop did before our view (who was seen last, say) is the shop's to keep, and
            # what we do must not be mixed with it.
            state.storage.queries.session.commit()
            desk = Desk(state, door)

            if request.method == "POST" and (refusal := _refusal(desk)) is not None:
                return refusal

            return view(desk, **arguments)

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
    both, post = (*_READ, "POST"), ("POST",)
    add("/", "today", partial(today.show, days=Days()))
    add("/list", "payments", payments.find)
    add(payment, "payment", payments.show)
    add(f"{payment}/ask", "ask", payments.ask, post)
    add(f"{payment}/decide", "decide", decisions.decide, both)
    add(f"{payment}/refund", "refund", decisions.refund, both)
    add(f"/reports/{report}/hand-over", "hand_over", payments.hand_over, post)
    add("/reviews", "reviews", decisions.reviews)
    add("/unknown", "unknown", decisions.unknown)
    add(f"/unknown/{report}", "seen", decisions.seen, both)
    add("/export", "export", payments.export)
    add("/export.csv", "export_csv", payments.export_csv)
    add("/style/<file>", "style", _style)
    leave_to_us(blueprint)
    return blueprint


def _refusal(desk: Desk) -> ResponseReturnValue | None:
    """Return why a POST is refused, or None."""
    _ = desk.language.gettext
    answer = desk.door.check_write()

    if answer is False:
        return desk.sorry(403, _("You may look at payments, but not decide about them."))

    if answer is not True:
        return answer

    if not desk.tokens.check():
        return desk.sorry(
            400, _("This form is too old, or not from this page. Go back, load the page anew.")
        )

    if desk.door.name() is None:
        return desk.sorry(403, _("The shop does not say who you are, so nothing was changed."))

    return None


def _style(desk: Desk, file: str) -> ResponseReturnValue:
    """Send one of the two stylesheets."""
    if file not in _STYLES:
        return desk.sorry(404, desk.language.gettext("There is no such page."))

    response = send_from_directory(_STYLES[file], file)
    response.headers["Cache-Control"] = "private, no-cache"
    return response
