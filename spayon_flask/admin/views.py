"""Views: the payments and the callbacks as lists in Flask-Admin, with a page to act on a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import Protocol

from flask import Response
from flask import abort
from flask import current_app
from flask import flash
from flask import make_response
from flask import redirect
from flask import request
from flask.typing import ResponseReturnValue
from flask_admin import Admin  # type: ignore[import-untyped]  # it says nothing of its types
from flask_admin import expose
from flask_admin.contrib.sqla import ModelView  # type: ignore[import-untyped]  # as above
from flask_admin.model.template import EndpointLinkRowAction  # type: ignore[import-untyped]  # as above

from ..languages import Language
from ..models import CallbackMixin
from ..models import PaymentMixin
from ..staff.desk import Door
from ..staff.forms import Tokens
from ..staff.forms import read_reason
from ..staff.story import removed
from ..state import AppState
from ..views.pages import page_language
from .actions import NOTHING
from .actions import Actions
from .actions import Outcome
from .actions import PaymentActions
from .actions import ReportActions


#: Ids have fewer digits.
_LONGEST_ID = 19


class Account(Protocol):
    """What is used of the `Spayon` object, for which there is no app yet."""

    name: str
    db: Any
    Payment: type[PaymentMixin]
    Callback: type[CallbackMixin]

    @property
    def state(self) -> AppState: ...


class AccountView(ModelView):  # type: ignore[misc]  # Flask-Admin says little of its types
    """Show the rows of one account, newest first; nothing can be made, edited or removed.

    *accessible* is asked on every request whether the present user may see them. What the desk lets
    people do is done here too, on a page of its own, by those whom *door* lets write.
    """

    #: What can be done about a row.
    actions_class: type[Actions]

    can_create = False
    can_edit = False
    can_delete = False
    can_view_details = True
    column_display_pk = True
    column_default_sort = ("id", True)
    page_size = 50

    # There is no form to make, and no column of ours that one could be made from.
    form_columns: tuple[str, ...] = ()

    column_extra_row_actions = [  # noqa: RUF012  Flask-Admin's way
        EndpointLinkRowAction("fa fa-wrench", ".act", title="Act")
    ]

    def __init__(
        self,
        *args: Any,
        account: Account,
        accessible: Callable[[], bool],
        door: Door,
        **options: Any,
    ) -> None:
        self._account = account
        self._accessible = accessible
        self._door = door
        super().__init__(*args, **options)

    def is_accessible(self) -> bool:
        """Return True if the present user may see this."""
        return bool(self._accessible())

    def get_query(self) -> Any:
        """Return the query for the rows of this account."""
        return super().get_query().filter(self.model.account == self._account.name)

    def get_count_query(self) -> Any:
        """Return the query for their number."""
        return super().get_count_query().filter(self.model.account == self._account.name)

    def get_one(self, id: Any) -> Any:  # noqa: A002  Flask-Admin's name
        """Return a row of this account, or None."""
        row = super().get_one(id) if str(id).isdecimal() and len(str(id)) < _LONGEST_ID else None
        return row if row is not None and row.account == self._account.name else None

    @expose("/act/", methods=("GET", "POST"))  # type: ignore[untyped-decorator]  # as above
    def act(self) -> ResponseReturnValue:
        """Show what can be done about a row (GET), or do it (POST)."""
        row = self.get_one(request.args.get("id", ""))

        if row is None:
            abort(404)

        state = self._account.state
        secret: Any = current_app.secret_key or state.settings.client_secret
        tokens = Tokens(secret, f"{state.name}/admin")
        language = page_language(state, None)
        actions = self.actions_class(state, language)
        row_id = row.id
        error = what = typed = None

        if request.method == "POST":
            answer = self._door.check_write()
            name = self._door.name() if answer is True else None

            if answer is not True or name is None or not tokens.check():
                return answer if not isinstance(answer, bool) else Response(status=403)

            what, typed = request.form["what"], request.form.get("reason", "")
            outcome = self._act(actions, row, what, by=name, language=language)

            if outcome.is_done:
                flash(outcome.sentence)
                return redirect(self.get_url(".act", id=row_id), 303)

            # Somebody else may have changed the row, or removed it.
            error, row = outcome.sentence, self.get_one(str(row_id)) or abort(404)

        offered = actions.offered(row) if self._door.may_write() else []
        page = make_response(
            self.render(
                "spayon/admin/act.html",
                row=row,
                actions=offered,
                error=error,
                # Nothing that was typed is lost.
                what=what,
                typed=typed,
                token=tokens.make,
                back=self.get_url(".index_view"),
            )
        )
        tokens.keep(page, self.get_url(".act"))
        page.headers["Cache-Control"] = "no-store"
        return page

    def _act(
        self, actions: Actions, row: Any, what: str, *, by: str, language: Language
    ) -> Outcome:
        wanted = next((each for each in actions.offered(row) if each.name == what), None)

        if wanted is None:
            return Outcome(language.gettext(NOTHING), is_done=False)

        reason = read_reason(language)

        if wanted.reason and reason.error:
            return Outcome(reason.error, is_done=False)

        return actions.do(row.id, wanted.name, by=by, because=reason.text)


class PaymentView(AccountView):
    """The payments, searchable by order, payment session and reference."""

    actions_class = PaymentActions
    column_list = (
        "id",
        "account",
        "order_id",
        "status",
        "review",
        "price",
        "currency",
        "product_name",
        "session_id",
        "created_at",
        "updated_at",
    )
    column_searchable_list = ("order_id", "session_id", "reference")
    column_filters = ("account", "status", "review", "currency")
    column_sortable_list = ("id", "order_id", "status", "price", "created_at", "updated_at")

    # A link to pay is of no use here, and is not to be copied from here.
    column_details_exclude_list = ("session_url",)


class CallbackView(AccountView):
    """What Spayon told us, with what became of it; the raw body is in the details."""

    actions_class = ReportActions
    column_list = (
        "id",
        "account",
        "session_id",
        "status",
        "source",
        "verdict",
        "received_at",
        "dispatch_at",
    )
    column_searchable_list = ("session_id",)
    column_filters = ("account", "status", "source", "verdict")
    column_sortable_list = ("id", "session_id", "status", "verdict", "received_at")
    column_formatters_detail = {  # noqa: RUF012  Flask-Admin's way
        "body": lambda view, _context, row, _name: view.body_of(row)
    }

    def body_of(self, row: Any) -> str:
        """Return the text of a report; one that is not exact any more says so first."""
        body = bytes(row.body)
        said = removed(body, page_language(self._account.state, None))
        return f"{said} {body.decode(errors='replace')}".strip()


def add_views(
    admin: Admin,
    spayon: Account,
    *,
    accessible: Callable[[], bool],
    may_settle: Callable[[], object] | None = None,
    who: Callable[[], str] | None = None,
    category: str = "Spayon",
) -> None:
    """Add the payments and the callbacks of *spayon* to *admin*, under *category*.

    *accessible* says on each request whether the present user may see them: there is no default,
    because nobody but the shop knows its staff. *may_settle* and *who* are as for `Spayon.staff`:
    without them nobody writes. Raises `RegistrationError`.
    """
    door = Door(accessible, may_settle, who)

    for view, model, name in (
        (PaymentView, spayon.Payment, "payments"),
        (CallbackView, spayon.Callback, "callbacks"),
    ):
        admin.add_view(
            view(
                model,
                spayon.db,
                name=name.capitalize(),
                category=category,
                endpoint=f"{spayon.name}_{name}",
                account=spayon,
                accessible=accessible,
                door=door,
            )
        )
