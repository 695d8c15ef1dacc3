"""OnDemand: the parts of storage that only an operator, or reconcile, asks for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING
from typing import Any

from sqlalchemy.orm import scoped_session

from ..handlers import Handlers
from ..models import CallbackMixin
from ..models import PaymentMixin
from .changes import Changes


if TYPE_CHECKING:
    from .endings import Endings
    from .queries import Queries
    from .retention import Retention
    from .reviews import Reviews


class OnDemand:
    """Import and make each part when it is first asked for: a web worker never does."""

    def __init__(
        self,
        account: str,
        session: scoped_session[Any],
        payment_class: type[PaymentMixin],
        callback_class: type[CallbackMixin],
        changes: Changes,
        handlers: Handlers,
    ) -> None:
        self._account = account
        self._session = session
        self._payment_class = payment_class
        self._callback_class = callback_class
        self._changes = changes
        self._handlers = handlers

    @cached_property
    def queries(self) -> Queries:
        """Payments and callbacks as an operator looks for them."""
        from .queries import Queries  # noqa: PLC0415  on demand

        return Queries(self._account, self._session, self._payment_class, self._callback_class)

    @cached_property
    def retention(self) -> Retention:
        """Removes old rows."""
        from .retention import Retention  # noqa: PLC0415  on demand

        return Retention(self._account, self._session, self._payment_class, self._callback_class)

    @cached_property
    def _reviews(self) -> Reviews:
        from .reviews import Reviews  # noqa: PLC0415  on demand

        return Reviews(
            self._account, self._payment_class, self._callback_class, self._changes, self._handlers
        )

    @cached_property
    def _endings(self) -> Endings:
        from .endings import Endings  # noqa: PLC0415  on demand

        return Endings(self._payment_class, self._changes)
