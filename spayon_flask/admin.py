"""Admin: read-only views of payments and callbacks for Flask-Admin; needs `spayon-flask[admin]`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import Protocol

from flask_admin import Admin  # type: ignore[import-untyped]  # it says nothing of its types
from flask_admin.contrib.sqla import ModelView  # type: ignore[import-untyped]  # as above

from .models import CallbackMixin
from .models import PaymentMixin


class Account(Protocol):
    """What is used of the `Spayon` object, for which there is no app yet."""

    name: str
    db: Any
    Payment: type[PaymentMixin]
    Callback: type[CallbackMixin]


class ReadOnlyView(ModelView):  # type: ignore[misc]  # Flask-Admin says little of its types
    """Show rows, newest first; nothing can be made, changed or removed.

    *accessible* is asked on every request whether the present user may see them.
    """

    can_create = False
    can_edit = False
    can_delete = False
    can_view_details = True
    column_display_pk = True
    column_default_sort = ("id", True)
    page_size = 50

    # There is no form to make, and no column of ours that one could be made from.
    form_columns: tuple[str, ...] = ()

    def __init__(self, *args: Any, accessible: Callable[[], bool], **options: Any) -> None:
        self._accessible = accessible
        super().__init__(*args, **options)

    def is_accessible(self) -> bool:
        """Say whether the present user may see this."""
        return bool(self._accessible())


class PaymentView(ReadOnlyView):
    """The payments, searchable by order, payment session and reference."""

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


class CallbackView(ReadOnlyView):
    """What Spayon told us, with what became of it; the raw body is in the details."""

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
        "body": lambda _view, _context, row, _name: row.body.decode(errors="replace")
    }


def add_views(
    admin: Admin,
    spayon: Account,
    *,
    accessible: Callable[[], bool],
    category: str = "Spayon",
) -> None:
    """Add the payments and the callbacks of *spayon* to *admin*, under *category*.

    *accessible* says on each request whether the present user may see them: there is no default,
    because nobody but the shop knows its staff.
    """
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
                accessible=accessible,
            )
        )
