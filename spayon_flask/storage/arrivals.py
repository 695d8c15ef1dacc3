"""Arrivals: a report, looked up among what is known, and kept as a callback row."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy import CursorResult
from sqlalchemy.exc import IntegrityError

from ..reports import Report
from ..verdicts import APPLIED
from ..verdicts import UNKNOWN
from .report_statements import ADOPTED
from .report_statements import ReportStatements
from .statements import NEEDED
from .transactions import LostRaceError


class Arrival(NamedTuple):
    """What is known of a report: its payment *found*, and *known_id*, an earlier delivery's row.

    *known_verdict* is that of the row, and `unknown` where there is none.
    *fresh_id* is the row that the look-up itself has inserted, where the database can do both;
    *written* says that it has written the payment's status as well.
    """

    found: dict[str, Any] | None
    known_id: int | None
    known_verdict: str
    fresh_id: int | None = None
    written: bool = False

    @property
    def repeated(self) -> bool:
        """Whether the report is known, and nothing has changed that would make it count now."""
        known = self.known_id is not None
        return known and (self.known_verdict != UNKNOWN or self.found is None)


class Arrivals:
    """The callback rows of one *account*."""

    def __init__(self, account: str, statements: ReportStatements) -> None:
        self._account = account
        self._statements = statements

    def look_up(
        self, connection: Connection, report: Report, row: dict[str, Any], ending: dict[str, Any]
    ) -> Arrival:
        """Return what is known of *report*.

        On PostgreSQL the same statement inserts *row*, unless the report is known, and gives a
        pending payment its status and *ending*: a round trip costs more there than the rest. Both
        are guesses, which `keep` and `Changes.write` set right.
        """
        if connection.dialect.name == "postgresql" and self._statements.are_plain:
            arrival = self._insert(connection, row | ending)

        else:
            arrival = self._find(connection, row)

        found, verdict = arrival.found, arrival.known_verdict

        # Another vendor account's payment session is unknown to this one.
        if found is not None and found["account"] != self._account:
            return arrival._replace(found=None)

        if found is None and verdict == UNKNOWN:
            return arrival._replace(found=self._find_unanswered(connection, report))

        return arrival

    def _find(self, connection: Connection, row: dict[str, Any]) -> Arrival:
        key = {f"the_{name}": row[name] for name in ("session_id", "status")}
        known = connection.execute(self._statements.find_report, key).one()
        found = None if known.id is None else dict(known._mapping)  # noqa: SLF001  public, despite its name
        return Arrival(found, known.callback_id, known.callback_verdict or UNKNOWN)

    def _insert(self, connection: Connection, values: dict[str, Any]) -> Arrival:
        key = {f"the_{name}": value for name, value in values.items()}
        answer = self._statements.insert_report.scalar(connection, key)
        fresh_id, before, known = json.loads(answer)

        # Another delivery was in the middle of it: now it is done, and can be seen.
        if fresh_id is None and known is None:
            raise LostRaceError

        known_id, known_verdict = known or (None, UNKNOWN)
        found: dict[str, Any] | None = None

        if before is not None:
            found = dict(zip(NEEDED, before, strict=True))
            found["price"] = None if found["price"] is None else Decimal(found["price"])

        # There was nothing to guess. What it may come to now hangs on the payment.
        elif known_verdict == UNKNOWN:
            found = self._find(connection, values).found

        return Arrival(found, known_id, known_verdict, fresh_id, before is not None)

    def keep(self, connection: Connection, arrival: Arrival, row: dict[str, Any]) -> int:
        """Write *row* where it is not yet as it should be, which of all deliveries only one can.

        Returns its id; raises `LostRaceError` where another delivery was faster.
        """
        if arrival.fresh_id is not None:
            if row["verdict"] != APPLIED:
                settled = {name: row[name] for name in ("verdict", "dispatch_at")}
                connection.execute(
                    self._statements.write_verdict, settled | {"the_id": arrival.fresh_id}
                )

            return arrival.fresh_id

        if arrival.known_id is not None:
            values = {name: row[name] for name in ADOPTED}
            result = connection.execute(
                self._statements.adopt_callback, values | {"the_id": arrival.known_id}
            )

            if result.rowcount != 1:
                raise LostRaceError

            return arrival.known_id

        try:
            result = connection.execute(self._statements.insert_callback, row)

        except IntegrityError as error:
            raise LostRaceError from error

        return _new_id(result)

    def _find_unanswered(self, connection: Connection, report: Report) -> dict[str, Any] | None:
        """Return the payment whose answer was lost: the one of this price, or the newest."""
        if report.order_id is None:
            return None

        key = {"the_account": self._account, "the_order_id": report.order_id}
        rows = sorted(
            connection.execute(self._statements.find_unanswered, key),
            key=lambda each: (bool(each.price == report.price), each.id),
            reverse=True,
        )
        return dict(rows[0]._mapping) if rows else None  # noqa: SLF001  public, despite its name


def _new_id(result: CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    return int(key[0]) if key is not None else 0
