"""Alone: what a rehearsal asks by itself, without a payer, money or a public address."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

from ..domain.reports import read_stored
from ..domain.transitions import REPORTED
from ..errors import RequestRefusedError, SessionNotFoundError, UnexpectedAnswerError
from .notes import REPORT_IDS, STOPPED, Notes, note_report
from .shop import PRICE, Attempt, Shop, id_of, on_report
from .wire import StoppedError, Wire, json_object, jwt_seconds, seconds_in

UNUSABLE_URL = "session_url is unusable"

#: Tried in turn until one is taken.
_LEAST, _GREATEST = (1, 10, 100, 500), (10_000_000, 3_000_000, 1_000_000, 300_000, 100_000)


class Alone:
    """Ask over *wire*, and note what is found; *currencies* are those that the shop sells in."""

    def __init__(
        self,
        wire: Wire,
        notes: Notes,
        shop: Shop,
        *,
        currencies: Iterable[str] = (),
        product_id: int | None = None,
    ) -> None:
        self._wire = wire
        self._notes = notes
        self._shop = shop
        self._currencies = [each.lower() for each in currencies] or ["amd"]
        self._product_id = product_id
        self._attempt: Attempt | None = None

    def walk(self) -> None:
        """Ask everything, in an order in which one answer helps with the next."""
        take = self._notes.take
        take(
            "buy a token",
            ("token-status-code", "token-expires-in", "token-lifetime", "token-jwt-lifetime"),
            self._token,
        )

        is_stopped = self._notes["token-status-code"].outcome == STOPPED

        if is_stopped and not self._wire.calls[-1].in_trouble:
            self._notes.halted = "there is no token to ask with"

        take("try to buy one with a wrong secret, once", ("wrong-secret-code",), self._wrong_secret)
        take(
            "use an old token, and one that is none", ("old-tokens", "wrong-token-code"), self._old
        )
        take("ask about a session that nobody created", ("unknown-session-code",), self._unknown)
        take("ask about an id that is none", ("malformed-session-code",), self._malformed)
        take(
            "create a payment session as a shop does",
            ("creation-accepted", "creation-status-code", "creation-keys"),
            self._creation,
        )

        # If Spayon was only busy, the next creation may do.
        if self._attempt is None and not self._wire.calls[-1].in_trouble:
            self._notes.halted = self._notes.halted or "there is no payment session to ask about"

        take("ask how it stands", REPORT_IDS, self._status)
        take("create one more for the same order", ("used-order-id", "two-sessions"), self._used)
        take("leave out one field after the other", ("creation-required-fields",), self._required)
        self._changes()

    def _token(self) -> None:
        token = self._wire.client.tokens.get()
        call = self._wire.calls[-1]
        told = call.data.get("expires_in")
        kind = "missing" if told is None else "text" if isinstance(told, str) else "number"
        life, named = seconds_in(told), jwt_seconds(token)
        found = self._notes.found
        found("token-status-code", call.status)
        found("token-expires-in", kind)

        if life is not None:
            found("token-lifetime", life)

        if life is not None and named is not None:
            found("token-jwt-lifetime", abs(life - named) < 60)  # noqa: PLR2004  clocks

        self._notes.skip("the token does not say", "token-lifetime", "token-jwt-lifetime")

    def _wrong_secret(self) -> None:
        wrong = "a-wrong-secret-on-purpose"
        body = {"client_id": self._wire.settings.client_id, "client_secret": wrong}
        self._notes.found("wrong-secret-code", self._wire.ask("POST", "/api/tokens", body).status)

    def _old(self) -> None:
        client = self._wire.client
        first = client.tokens.get()
        client.request_token()
        old = self._wire.status(str(uuid4()), token=first)
        wrong = self._wire.status(str(uuid4()), token="a-token-that-is-none")  # noqa: S106  that is the question
        client.tokens.drop(first)
        self._notes.found("wrong-token-code", wrong.status)
        alive = old.status != wrong.status
        shared = self._wire.shares_tokens
        self._notes.found("old-tokens", "live on" if alive else "die", fine=shared)

    def _unknown(self) -> None:
        self._notes.found("unknown-session-code", self._wire.status(str(uuid4())).status)

    def _malformed(self) -> None:
        # An odd question: an error 500 that comes twice is the answer.
        for _ in range(2):
            with suppress(StoppedError):
                self._wire.status("no-id")
                break

        self._notes.found("malformed-session-code", self._wire.calls[-1].status)

    def _creation(self) -> None:
        order = self._shop.order()
        found = self._notes.found

        try:
            session_id, _ = self._shop.create(order)
            found("creation-accepted", "accepted")

            # The package has asked again without one.
            if "language" not in json_object(self._wire.calls[-1].sent.encode()):
                self._shop.base = {"language": None}

        except RequestRefusedError as error:
            session_id = self._shop.find_base(order, error)
            added = ", ".join(self._shop.base)
            found("creation-accepted", "refused", f"a creation is accepted only with: {added}")

        except UnexpectedAnswerError as error:
            call = self._wire.calls[-1]
            session_id = id_of(call)

            # Only the address is not usable: the rest can be asked all the same.
            if not call.accepted or not session_id or "session_url" not in str(error):
                raise

            if not {"session_url", "sessionUrl"} & {*call.data}:
                raise

            found("creation-accepted", UNUSABLE_URL, f"{error}: {call.answer}")

        call = self._wire.calls[-1]
        keys = {*call.data}
        snake, camel = {"session_id", "session_url"} <= keys, {"sessionId", "sessionUrl"} <= keys
        found("creation-status-code", call.status)
        found("creation-keys", "snake" if snake else "camel" if camel else "mixed")
        self._attempt = self._shop.attempt(order, session_id)

    def _status(self) -> None:
        attempt = self._known
        found = self._notes.found

        try:
            report = self._wire.client.get_session(attempt.session_id)

        except SessionNotFoundError as error:
            found("report-understood", "unknown session", f"{error}, which it has just created")
            return

        except UnexpectedAnswerError as error:
            # It can be read, but is about something else.
            told = read_stored(self._wire.calls[-1].body)

            if told is None:
                raise

            found("report-understood", "another session", str(error))
            report = told

        data = self._wire.calls[-1].data
        known = report.status in REPORTED
        found("fresh-status", report.status if known else "another word")
        outcome = on_report(report._replace(status="paid"), attempt)

        if report.session_id == attempt.session_id:
            found("report-understood", outcome.status, f"once it is paid: {outcome.why}")

        note_report(self._notes, data, attempt.order_id)

    def _used(self) -> None:
        attempt = self._known
        order = self._shop.order(order_id=attempt.order_id)
        call = self._shop.ask(self._shop.body(order))
        is_new = call.accepted and id_of(call) != attempt.session_id
        found = self._notes.found

        if is_new:
            found("used-order-id", "accepted")
            first = self._wire.status(attempt.session_id).data.get("status")
            over = first in ("failed", "expired", "paid")
            found("two-sessions", "the first ends" if over else "both live")
            return

        seen = "the same session" if call.accepted else "refused"
        self._notes.skip("a second session of one order is not given out", "two-sessions")

        # As a shop's second attempt does: with an id of its own, if the order's is refused.
        own = f"{attempt.order_id}_R0000000"

        try:
            if call.accepted:
                again, _ = self._shop.create(self._shop.order(order_id=own))

            else:
                again, _ = self._wire.client.create_session(
                    order, **self._shop.links, attempt_id=own
                )

            if again != attempt.session_id:
                found("used-order-id", seen)
                return

            found("used-order-id", "one session", "another order id brings the same session")
            self._notes.halted = "each creation is answered with one and the same session"

        except RequestRefusedError as error:
            found("used-order-id", f"{seen}, with an id of its own as well", str(error))

    def _required(self) -> None:
        required = self._shop.required_fields()
        lacking = sorted({*required} - self._shop.always_sent)
        self._notes.found(
            "creation-required-fields",
            required,
            f"a shop does not send: {', '.join(lacking)}" if lacking else "",
            fine=not lacking,
        )

    def _changes(self) -> None:
        """Create sessions that differ in one thing from those of a shop."""
        self._try("decimal-price", price=10.5)
        self._try("lower-case-currency", currency="amd")
        self._try("upper-case-currency", currency="AMD")
        self._notes.take("create one in Armenian", ("language-hy",), self._armenian)
        self._try("language-ru", language="ru")
        self._try("language-en", language="en")
        none = {"availablePaymentMethods": ["no-such"], "defaultPaymentMethod": "no-such"}
        self._try("unknown-payment-method", **none)
        self._try("long-product-name", product_name="R" * 255)
        take = self._notes.take
        take("create one in each currency", ("currencies",), self._each_currency)

        for id_, prices in (("least-price", _LEAST), ("greatest-price", _GREATEST)):
            take(f"look for the {id_}", (id_,), partial(self._price, id_, prices))

        if self._product_id is not None:
            product = dict.fromkeys(("product_name", "price", "currency"))
            self._try("product-id", **product, product_id=self._product_id)

        self._notes.skip("give a product of the panel: --product-id", "product-id")

    def _try(self, id_: str, **changes: Any) -> None:
        def ask() -> None:
            call = self._shop.ask(self._shop.body(**changes))
            self._notes.found(id_, "accepted" if call.accepted else "refused", call.answer)

        what = ", ".join(f"{name} {str(value)[:20]}" for name, value in changes.items() if value)
        self._notes.take(f"create one with {what}", (id_,), ask)

    def _armenian(self) -> None:
        code = self._wire.settings.language_codes.get("hy", "hy")
        call = self._shop.ask(self._shop.body(language=code))

        if call.accepted:
            self._notes.found("language-hy", "accepted")
            return

        other = self._shop.sells(language="am")
        why = f"{code} is refused; am is {'accepted' if other else 'refused as well'}"
        self._notes.found("language-hy", "refused", why)

    def _each_currency(self) -> None:
        codes = self._currencies
        refused = [code for code in codes if not self._shop.sells(currency=code, price=100)]
        taken = f"{', '.join(refused)} refused" if refused else "accepted"
        self._notes.found("currencies", taken, f"tried: {', '.join(codes)}")

    def _price(self, id_: str, prices: tuple[int, ...]) -> None:
        taken = (price for price in prices if self._shop.sells(price=price))
        self._notes.found(id_, next(taken, int(PRICE)), self._wire.calls[-1].answer)

    @property
    def _known(self) -> Attempt:
        if self._attempt is None:
            raise StoppedError("there is no payment session to ask about")

        return self._attempt
