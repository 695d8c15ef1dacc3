"""Assumptions: every fact about the gateway that the package or its simulator relies on.

This list is the only place: the documentation renders a page from it, a rehearsal compares Spayon
with it, and each place in the code that relies on an entry names it in a comment (`Relies on:
creation-status-code`). The source is Spayon's public documentation, as far as we hold it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DOCUMENTED, UNKNOWN = "documented", "unknown"

#: What tries an entry: a rehearsal by itself, with a person who pays, or one that waits.
ALONE, PAY, WAIT = "", "--pay", "--wait"

#: In place of a rehearsal, if none can try an entry.
NOBODY = None

#: Every value is fine.
ANY = object()


@dataclass(frozen=True)
class Assumption:
    """One fact about the gateway: what is *assumed*, and what happens *otherwise*.

    *source* is `DOCUMENTED` or `UNKNOWN`. *step* is the option of a rehearsal that tries the
    entry; if it is `NOBODY`, *why* says why. *value* is what is seen if the assumption holds;
    with the *fine* values every payment works as well. *switch* is the field of the simulator's
    `Shape` that stands for it; of a field that is a list, *item* is the entry. *like* maps what was
    seen to the value of the switch, if the two are not the same.
    """

    id: str
    source: str
    step: str | None
    value: Any = None
    fine: Any = ()
    switch: str = ""
    item: str = ""
    like: tuple[tuple[Any, Any], ...] = ()
    assumed: str = ""
    otherwise: str = ""
    why: str = ""

    def is_fine(self, seen: Any) -> bool:
        """Return True if payments work with what was *seen*, and there is nothing to do."""
        return self.fine is ANY or seen == self.value or seen in self.fine

    @property
    def found_out_by(self) -> str:
        """Return what tries the assumption, or why nothing does."""
        return self.why or f"`flask spayon rehearse {self.step or ''}".rstrip() + "`"


#: Every assumption, in the order of a payment.
# fmt: off
REGISTER: tuple[Assumption, ...] = (
    Assumption("token-status-code", DOCUMENTED, ALONE, 200, fine=(201,), switch="token_code",
        assumed="A token is answered with 200.",
        otherwise="201 is taken as well. Any other code stops every checkout."),
    Assumption("token-expires-in", DOCUMENTED, ALONE, "number", fine=("text", "missing"),
        switch="expires_in",
        assumed="`expires_in` is a number.",
        otherwise="Text is read as a number. Without it a token is taken to live one hour."),
    Assumption("token-lifetime", DOCUMENTED, ALONE, 3600, fine=ANY, switch="token_lifetime",
        assumed="A token lives 3600 seconds.",
        otherwise="The package goes by what the answer says, and renews a token ahead of that."),
    Assumption("token-jwt-lifetime", UNKNOWN, ALONE, True, fine=ANY, switch="jwt_lifetime",
        like=((True, "as expires_in"), (False, "half")),
        assumed="If the token is a JWT that names its end, the end agrees with `expires_in`.",
        otherwise="A token may be refused early. The call is then repeated once with a new one."),
    Assumption("old-tokens", UNKNOWN, ALONE, "live on", switch="old_tokens",
        assumed="An old token lives on after a new one was bought.",
        otherwise="Processes take the token from each other. Set `TOKEN_CACHE`, which shares it."),
    Assumption("wrong-secret-code", DOCUMENTED, ALONE, 401, fine=(400, 403),
        switch="wrong_secret_code",
        assumed="A wrong client id or secret is answered with 401.",
        otherwise="400 and 403 do as well. Of another code the log names no setting."),
    Assumption("wrong-token-code", DOCUMENTED, ALONE, 401, switch="wrong_token_code",
        assumed="A call with an unknown or expired token is answered with 401.",
        otherwise="If Spayon drops a token early, every call fails until the token's own end."),
    Assumption("creation-accepted", DOCUMENTED, ALONE, "accepted",
        assumed="A creation is accepted as a shop sends it: product, URLs, `order_id`, email, "
                "name and language; and the answer is usable.",
        otherwise="No payer gets to Spayon: every checkout ends with an error page."),
    Assumption("creation-status-code", UNKNOWN, ALONE, 200, fine=(201,), switch="creation_code",
        assumed="The creation of a payment session is answered with 200.",
        otherwise="201 is taken as well. Any other code stops every checkout."),
    Assumption("creation-keys", DOCUMENTED, ALONE, "snake", fine=("camel", "mixed"),
        switch="creation_keys",
        assumed="The answer has the keys `session_id` and `session_url`.",
        otherwise="`sessionId` and `sessionUrl` are read too. Other keys stop every checkout."),
    Assumption("creation-required-fields", UNKNOWN, ALONE, [], switch="required",
        assumed="Of the optional fields Spayon insists on none.",
        otherwise="A creation without such a field is refused. URLs, `order_id` and `language` "
                  "are always sent, and the checkout page asks for email and name. Let the order "
                  "loader fill in the others."),
    Assumption("used-order-id", UNKNOWN, ALONE, "accepted", fine=("refused", "the same session"),
        switch="used_order",
        assumed="An `order_id` that was used before is taken again.",
        otherwise="If the second attempt to pay an order is refused, or is answered with the "
                  "session of the first, the package asks once more with an id for this attempt "
                  "alone, such as `A1_R3F9A1C`, which Spayon's panel shows. If that is refused "
                  "as well, such an order cannot be paid: tell us."),
    Assumption("decimal-price", UNKNOWN, ALONE, "accepted", switch="refused", item="decimal-price",
        assumed="A price may have a fraction, as a JSON number such as `10.5`.",
        otherwise="Orders with such a price cannot be paid. Sell at whole prices."),
    Assumption("lower-case-currency", DOCUMENTED, ALONE, "accepted", switch="refused",
        item="lower-case-currency",
        assumed="`currency` is sent in lower case, as in the documented example.",
        otherwise="Every creation with a price is refused. Tell us: the package has to change."),
    Assumption("upper-case-currency", UNKNOWN, ALONE, "accepted", fine=ANY, switch="refused",
        item="upper-case-currency",
        assumed="`currency` is taken in upper case as well.",
        otherwise="Nothing to do: the package sends lower case."),
    Assumption("language-hy", UNKNOWN, ALONE, "accepted", switch="refused", item="language-hy",
        assumed="`language` may be `hy`.",
        otherwise="The creation is repeated without a language. If `am` is accepted, set "
                  "`LANGUAGE_CODES` to `{'hy': 'am'}`; else ask Spayon for the code of Armenian."),
    Assumption("language-ru", UNKNOWN, ALONE, "accepted", switch="refused", item="language-ru",
        assumed="`language` may be `ru`.",
        otherwise="The creation is repeated without a language. Map the code: `LANGUAGE_CODES`."),
    Assumption("language-en", DOCUMENTED, ALONE, "accepted", switch="refused", item="language-en",
        assumed="`language` may be `en`.",
        otherwise="The creation is repeated without a language. Map the code: `LANGUAGE_CODES`."),
    Assumption("unknown-payment-method", UNKNOWN, ALONE, "accepted", fine=ANY, switch="refused",
        item="unknown-payment-method",
        assumed="A payment method that Spayon does not know does not stop a creation.",
        otherwise="A mistyped name in `AVAILABLE_PAYMENT_METHODS` stops every checkout."),
    Assumption("long-product-name", UNKNOWN, ALONE, "accepted", switch="refused",
        item="long-product-name",
        assumed="A product name of 255 characters is taken.",
        otherwise="Orders with long names cannot be paid. Let the order loader shorten them."),
    Assumption("currencies", UNKNOWN, ALONE, "accepted",
        assumed="Each currency that you sell in (`--currency`) is taken.",
        otherwise="Orders in it cannot be paid. Ask Spayon to enable it."),
    Assumption("least-price", UNKNOWN, ALONE, 1,
        assumed="A price of 1 is taken.",
        otherwise="Cheaper orders than the least price seen cannot be paid: do not offer them."),
    Assumption("greatest-price", UNKNOWN, ALONE, 10_000_000,
        assumed="A price of 10,000,000 is taken.",
        otherwise="Dearer orders than that cannot be paid: ask Spayon for a higher limit."),
    Assumption("two-sessions", UNKNOWN, ALONE, "both live", fine=ANY,
        assumed="Two sessions of one order may live at the same time.",
        otherwise="Nothing to do: the package has one live session for an order."),
    Assumption("product-id", DOCUMENTED, ALONE, "accepted",
        assumed="`product_id`, an integer, stands in place of name, price and currency.",
        otherwise="Such orders cannot be paid. Give name, price and currency."),
    Assumption("session-url-https", DOCUMENTED, NOBODY,
        assumed="In production `session_url` is https.",
        otherwise="The checkout stops: no payer is sent to a page without encryption.",
        why="Staging may differ, and in production each checkout looks."),
    Assumption("urls-in-ascii", UNKNOWN, NOBODY,
        assumed="URLs have to be in ASCII: Punycode and percent-encoding.",
        otherwise="Nothing to do: such URLs are right everywhere.",
        why="Nothing depends on the answer."),
    Assumption("unknown-session-code", DOCUMENTED, ALONE, 404, switch="unknown_session_code",
        assumed="The status of a session that Spayon does not know is 404.",
        otherwise="A payment that Spayon has forgotten is asked about less and less often."),
    Assumption("malformed-session-code", UNKNOWN, ALONE, 404, fine=ANY,
        switch="malformed_session_code",
        assumed="The status of a text that is no session id is 404.",
        otherwise="Nothing to do: the package asks only about ids that Spayon gave out."),
    Assumption("fresh-status", DOCUMENTED, ALONE, "pending", fine=("another word",),
        switch="fresh_status", like=(("pending", "pending"), ("another word", "created")),
        assumed="A session that nobody has paid yet is `pending`.",
        otherwise="Another word changes nothing. `paid` would give goods away: do not go live."),
    Assumption("report-understood", DOCUMENTED, ALONE, "paid",
        assumed="A status answer is about the session, the order, the price and the currency "
                "that were asked for.",
        otherwise="Payments would go to review, or get lost. Do not go live: tell us."),
    Assumption("report-keys", DOCUMENTED, ALONE, "nothing is missing", fine=ANY, switch="left_out",
        assumed="A report has the documented keys.",
        otherwise="Further keys are ignored. Of a missing one `report-understood` tells."),
    Assumption("price-format", DOCUMENTED, ALONE, "short", fine=ANY, switch="price",
        assumed="A whole price is written short: `10`. Both `10` and `5000.00` are documented.",
        otherwise="Nothing to do: prices are compared as numbers."),
    Assumption("price-type", DOCUMENTED, ALONE, "text", fine=ANY, switch="price_type",
        assumed="A price in a report is text.",
        otherwise="Nothing to do: a JSON number is read too, and exactly."),
    Assumption("currency-case", DOCUMENTED, ALONE, "upper", fine=ANY, switch="currency",
        assumed="The currency in a report is in upper case.",
        otherwise="Nothing to do: either case is read."),
    Assumption("key-order", DOCUMENTED, ALONE, "session", fine=ANY, switch="key_order",
        assumed="A report begins with `sessionId`. One of the two documented examples does not.",
        otherwise="Nothing to do: the order of keys is never relied on."),
    Assumption("order-id-echoed", DOCUMENTED, ALONE, True, switch="order_id",
        like=((True, "as sent"), (False, "changed")),
        assumed="`orderId` comes back as it was sent.",
        otherwise="Every `paid` goes to review, since its order cannot be told. Tell us."),
    Assumption("time-format", DOCUMENTED, ALONE, "iso", fine=ANY, switch="times",
        like=(("iso", "iso"), ("other", "seconds")),
        assumed="Times are UTC, ISO 8601 with milliseconds.",
        otherwise="Nothing to do: the package goes by its own clock."),
    Assumption("api-without-version", DOCUMENTED, NOBODY, switch="other_bodies",
        like=((True, "accepted"),),
        assumed="The API has no version in its paths, speaks JSON and does not redirect.",
        otherwise="Every call fails. The log says to check `API_URL`.",
        why="A rehearsal that creates a session has shown it. Otherwise it stops."),
    Assumption("retry-after", UNKNOWN, NOBODY,
        assumed="Spayon may ask to wait with 429 or 503 and `Retry-After`.",
        otherwise="Without that header the package backs off by itself.",
        why="A rehearsal does not burden Spayon until Spayon asks to wait."),
    Assumption("idle-connections", UNKNOWN, NOBODY,
        assumed="Spayon may close a kept-alive connection while it is idle.",
        otherwise="Nothing to do: such a call is repeated once on a fresh connection.",
        why="Nobody knows how long to wait for that, and either answer works."),
    Assumption("base-urls", DOCUMENTED, NOBODY,
        assumed="Production and staging have the documented base URLs.",
        otherwise="Set `API_URL`.",
        why="A rehearsal that gets a token has shown it. Otherwise it stops."),
    Assumption("signature-header", DOCUMENTED, PAY, "X-Signature", switch="signature_header",
        assumed="The signature of a callback stands in `X-Signature`.",
        otherwise="Every callback is refused; `reconcile` finds out the payments. Tell us."),
    Assumption("signature-form", DOCUMENTED, PAY, "hex", switch="signature", like=(("hex",
        "hex"), ("upper", "upper"), ("base64", "base64")),
        assumed="The signature is lower-case hex HMAC-SHA256 of the exact raw bytes of the body.",
        otherwise="Every callback is refused with 401; `reconcile` finds out the payments. "
                  "Compare `CALLBACK_SECRET` with the admin panel. Of another form tell us."),
    Assumption("callback-understood", DOCUMENTED, PAY, "paid",
        assumed="A shop that gets the callback of a payment records it as paid.",
        otherwise="If refused, `reconcile` finds out; under review a person looks at each."),
    Assumption("payment-understood", DOCUMENTED, PAY, "paid",
        assumed="A shop that asks for the status of a payment that was made records it as paid.",
        otherwise="If no callback comes, nobody learns of the payment: do not go live, tell us."),
    Assumption("failure-understood", DOCUMENTED, PAY, "failed",
        assumed="A shop that gets the callback of a payment that failed records it as failed.",
        otherwise="The payer is not told why. `reconcile` finds out the payment by its status."),
    Assumption("callback-equals-status", DOCUMENTED, PAY, True, fine=ANY, switch="status_answer",
        like=((True, "as the callback"), (False, "with a key more")),
        assumed="A callback and the status answer say the same.",
        otherwise="Nothing to do if only keys differ: each is looked at by itself."),
    Assumption("return-parameter", DOCUMENTED, PAY, "session_id", switch="return_parameter",
        assumed="`session_id` is added to the query string of `return_url`.",
        otherwise="The return page cannot tell which payment it is about, and says so. Tell us."),
    Assumption("cancel-url-carries-session-id", UNKNOWN, PAY, "", fine=ANY,
        switch="cancel_parameter",
        assumed="Nothing is added to `cancel_url`.",
        otherwise="Nothing to do: the cancel page goes by a reference of ours in the path."),
    Assumption("cancel-keeps-session", DOCUMENTED, PAY, True, fine=ANY, switch="back",
        like=((True, "keeps the session"), (False, "ends the session")),
        assumed="A payer who clicks back can still pay: the session stays `pending`.",
        otherwise="Nothing to do. The payer starts a new payment from the shop."),
    Assumption("session-fails", UNKNOWN, PAY, "when given up", fine=ANY, switch="fails",
        assumed="A declined card does not end the session: it fails when the payer gives up.",
        otherwise="Nothing to do. A payer whose card is declined starts again from the shop."),
    Assumption("decline-reasons", DOCUMENTED, PAY, True, fine=ANY, switch="declines",
        like=((True, "as documented"), (False, "missing")),
        assumed="A failed session has `declineReasons` with the three documented fields.",
        otherwise="Nothing to do. The payer is not told why."),
    Assumption("decline-codes", DOCUMENTED, NOBODY,
        assumed="The codes `05`, `14` and `1A` mean what is documented; no list is complete.",
        otherwise="Any other code is shown by the text that came with it.",
        why="The bank chooses the code."),
    Assumption("callback-order", DOCUMENTED, NOBODY, switch="payer_returns",
        like=((True, "at once"), (False, "after the callback")),
        assumed="A callback may come before or after the payer is back, and more than once.",
        otherwise="Nothing to do: either order works.",
        why="One payment shows one order of the two."),
    Assumption("statuses", DOCUMENTED, NOBODY,
        assumed="The statuses are `paid`, `failed`, `pending` and `expired`.",
        otherwise="Any other status is recorded and changes nothing.",
        why="A rehearsal meets some statuses. That there is no other one cannot be shown."),
    Assumption("no-event-id", DOCUMENTED, NOBODY,
        assumed="Nothing but `sessionId` and `status` identifies a delivery.",
        otherwise="Nothing to do: further identities are not needed.",
        why="The report names all headers and keys: whether one identifies, a person sees."),
    Assumption("content-type", DOCUMENTED, PAY, True, fine=ANY, switch="content_type",
        like=((True, "application/json"), (False, "text/plain")),
        assumed="A callback has the content type `application/json`.",
        otherwise="Nothing to do: the signature decides."),
    Assumption("session-lifetime", DOCUMENTED, WAIT, 900, switch="session_lifetime",
        assumed="A session lives 15 minutes.",
        otherwise="The pages tell a payer a wrong time. A late `paid` counts. Tell us."),
    Assumption("expiry-understood", DOCUMENTED, WAIT, "expired",
        assumed="A shop that gets the callback of a session that expired records it as expired.",
        otherwise="`reconcile` finds out that nobody has paid. Tell us."),
    Assumption("redelivery-count", DOCUMENTED, WAIT, 3, fine=ANY, switch="attempts",
        assumed="A callback that is not answered with 200 is tried 3 times in all.",
        otherwise="Nothing to do: `reconcile` finds what was not delivered."),
    Assumption("redelivery-spacing", DOCUMENTED, WAIT, 300, fine=ANY, switch="spacing",
        assumed="The attempts are 5 minutes apart.",
        otherwise="Nothing to do: the return page and `reconcile` do not wait for them."),
    Assumption("callback-timeout", UNKNOWN, WAIT, "at least 5 s", switch="patience",
        like=(("less than 5 s", 2.5),),
        assumed="Spayon waits at least 5 seconds for the answer to a callback.",
        otherwise="Handlers must be fast: move slow work behind the dispatcher."),
    Assumption("delivered-by", DOCUMENTED, WAIT, "200", fine=ANY, switch="delivered_by",
        assumed="Only the answer 200 ends the redelivery.",
        otherwise="Nothing to do: the package answers 200."),
)
# fmt: on


def by_id(id_: str) -> Assumption:
    """Return the assumption with an id; raises `KeyError` if there is none."""
    return {each.id: each for each in REGISTER}[id_]
