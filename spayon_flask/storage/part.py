"""Part: what each part of storage has: the shop's session, and the two tables."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy import Connection
from sqlalchemy import CursorResult
from sqlalchemy import Table
from sqlalchemy import bindparam
from sqlalchemy import inspect
from sqlalchemy import update
from sqlalchemy.orm import Mapper
from sqlalchemy.orm import Session
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm import scoped_session
from sqlalchemy.orm.attributes import instance_dict
from sqlalchemy.orm.attributes import set_committed_value

from ..models import CallbackMixin
from ..models import PaymentMixin
from ..models import table_of


@dataclass(frozen=True)
class Source:
    """Where the payments of one vendor *account* are kept.

    *get_session* returns the shop's `db.session` of this moment: a shop may replace it.
    """

    account: str
    get_session: Callable[[], scoped_session[Any]]
    payment_class: type[PaymentMixin]
    callback_class: type[CallbackMixin]


class Part:
    """Read or write the payments of *source* through the shop's own session.

    Each statement stands beside the method that executes it, and is built once. Bound parameters
    that would clash with the name of a column begin with `the_`.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.account = source.account
        self.payment: Table = table_of(source.payment_class)
        self.callback: Table = table_of(source.callback_class)
        self._mapper: Mapper[Any] = inspect(source.payment_class)

    @property
    def session(self) -> Session:
        """The shop's session of this app context."""
        session: Session = self.source.get_session()()
        return session

    def connect(self) -> Connection:
        """Return the connection, in the session's transaction, to the database that we write to.

        A session that sends reads to a replica is told that a statement is going to write.
        """
        return self.session.connection(
            bind_arguments={"mapper": self._mapper, "clause": self._any_write}
        )

    def load(self, values: Mapping[str, Any]) -> PaymentMixin:
        """Return a payment as an object of the session; *values* are those of its columns.

        The database is not asked. What is not in *values* is loaded when somebody needs it.
        """
        session = self.session
        known = {key: values[name] for key, name in self._attributes if name in values}
        key = self._mapper.identity_key_from_primary_key((values["id"],))
        payment = session.identity_map.get(key)

        if payment is None:
            payment = self._mapper.class_manager.new_instance()
            instance_dict(payment).update(known)
            make_transient_to_detached(payment)
            session.add(payment)

        else:
            session.expire(payment)

            for name, value in known.items():
                set_committed_value(payment, name, value)

        return payment  # type: ignore[no-any-return]  # an identity map holds Any

    @cached_property
    def _attributes(self) -> list[tuple[str, str]]:
        """The attributes of a payment object, each with the name of its column."""
        return [(each.key, each.columns[0].name) for each in self._mapper.column_attrs]

    @cached_property
    def is_mine(self) -> ColumnElement[bool]:
        """The condition that a payment belongs to this account."""
        return self.payment.c.account == bindparam("the_account", self.account)

    def waits_for_dispatcher(self, now: Any) -> Any:
        """Return the condition that a callback row is due to be handed over at *now*.

        `dispatch_at` is set in the transaction that changes a status, and cleared once the
        dispatcher has taken the row.
        """
        return self.callback.c.dispatch_at <= now

    @cached_property
    def take_lock(self) -> Any:
        """A statement that writes nothing, and by which SQLite locks the database for us."""
        return update(self.payment).where(self.payment.c.id == -1).values(attempts=0)

    @cached_property
    def _any_write(self) -> Any:
        return update(self.payment)


def new_id(result: CursorResult[Any]) -> int:
    """Return the id of the row that was inserted."""
    key = result.inserted_primary_key
    return int(key[0]) if key is not None else 0


def as_dict(row: Any) -> dict[str, Any]:
    """Return the columns of *row* by their names."""
    return dict(row._mapping)  # noqa: SLF001  public, despite its name
