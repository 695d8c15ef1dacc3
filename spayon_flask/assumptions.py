"""Assumptions: every fact about the gateway that the package or its simulator relies on.

This list is the only place: `docs/assumptions.md` is rendered from it, `flask spayon rehearse`
compares Spayon with it, and each place in the code that relies on an entry names it in a comment
(`Relies on: creation-status-code`). The source is Spayon's public documentation, as far as we hold
it.

The module is longer than 300 lines, because it is one table. As Python, mypy checks the fields of
each entry, and nothing has to be read from a file or shipped beside the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


#: The steps of a rehearsal, each with what it takes.
STEPS = {
    "alone": "`flask spayon rehearse`",
    "payer": "`flask spayon rehearse --pay`",
    "redelivery": "`flask spayon rehearse --redelivery`",
}


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """One fact about the gateway: what is *assumed*, and what happens *otherwise*.

    *value* is what a rehearsal sees if the assumption holds, None if no rehearsal tries it. *step*
    is the step that does; if there is none, *why* says why no rehearsal can. *switch* is the field
    of the simulator's `Shape` that stands for it; of a field that is a list, *item* is the entry.
    *like* maps what was seen to the value of the switch, if the two are not the same.
    """

    id: str
    assumed: str
    documented: bool
    otherwise: str
    step: str = ""
    why: str = ""
    value: Any = None
    switch: str = ""
    item: str = ""
    like: tuple[tuple[Any, Any], ...] = ()

    @property
    def found_out_by(self) -> str:
        """Return what tries the assumption, or why nothing does."""
        return STEPS[self.step] if self.step else self.why


_TOKENS = (
    Assumption(
        id="token-status-code",
        assumed="A token is answered with 200.",
        documented=True,
        otherwise="201 is taken as well. Any other code stops every checkout with a friendly page.",
        step="alone",
        value=200,
        switch="token_code",
    ),
    Assumption(
        id="token-expires-in",
        assumed="`expires_in` is a number.",
        documented=True,
        otherwise="Text is read as a number. Without it a token is taken to live one hour.",
        step="alone",
        value="number",
        switch="expires_in",
    ),
    Assumption(
        id="token-lifetime",
        assumed="A token lives 3600 seconds.",
        documented=True,
        otherwise="The package goes by what the answer says, and renews a token ahead of that.",
        step="alone",
        value=3600,
        switch="token_lifetime",
    ),
    Assumption(
        id="token-jwt-lifetime",
        assumed="If the token is a JWT that names its end, the end agrees with `expires_in`.",
        documented=False,
        otherwise="A token may be refused early. The call is then repeated once with a new one.",
        step="alone",
        value=True,
        switch="jwt_lifetime",
        like=((True, "as expires_in"), (False, "half")),
    ),
    Assumption(
        id="old-tokens",
        assumed="An old token lives on after a new one was bought.",
        documented=False,
        otherwise="Each process takes the token from the others, so that calls are repeated with "
        "a new one. Set `TOKEN_CACHE`, and all processes share one token.",
        step="alone",
        value="live on",
        switch="old_tokens",
    ),
    Assumption(
        id="wrong-secret-code",
        assumed="A wrong client id or secret is answered with 401.",
        documented=True,
        otherwise="400 and 403 are taken in the same way: the log names the two settings. With "
        "any other code the log says only that Spayon's answer is unusable.",
        step="alone",
        value=401,
        switch="wrong_secret_code",
    ),
    Assumption(
        id="wrong-token-code",
        assumed="A call with an unknown or expired token is answered with 401.",
        documented=True,
        otherwise="The package would not buy a new token when Spayon drops the old one: checkouts "
        "and status checks fail until the token's own end.",
        step="alone",
        value=401,
        switch="wrong_token_code",
    ),
)

_CREATION = (
    Assumption(
        id="creation-status-code",
        assumed="The creation of a payment session is answered with 200.",
        documented=False,
        otherwise="201 is taken as well. Any other code stops every checkout.",
        step="alone",
        value=200,
        switch="creation_code",
    ),
    Assumption(
        id="creation-keys",
        assumed="The answer has the keys `session_id` and `session_url`.",
        documented=True,
        otherwise="`sessionId` and `sessionUrl` are read as well. Other keys stop every checkout.",
        step="alone",
        value="snake",
        switch="creation_keys",
    ),
    Assumption(
        id="creation-required-fields",
        assumed="Of the optional fields Spayon insists on none.",
        documented=False,
        otherwise="A creation without such a field is refused. "
        "URLs and `order_id` are always sent. The checkout page asks again for email and name. "
        "Let the order loader fill in the others.",
        step="alone",
        value=[],
        switch="required",
    ),
    Assumption(
        id="used-order-id",
        assumed="An `order_id` that was used before is taken again.",
        documented=False,
        otherwise="Nothing to do. If the second attempt to pay an order is refused, or is answered "
        "with the session of the first, the package asks once more with an id for this attempt "
        "alone, such as `A1_R3F9A1C`. Spayon's panel shows that id. After an error 500 the "
        "package does not ask again, and such an order cannot be paid: tell us.",
        step="alone",
        value="accepted",
        switch="used_order",
    ),
    Assumption(
        id="decimal-price",
        assumed="A price may have a fraction, as a JSON number such as `10.5`.",
        documented=False,
        otherwise="Orders with such a price cannot be paid. Sell at whole prices.",
        step="alone",
        value="accepted",
        switch="refused",
        item="decimal-price",
    ),
    Assumption(
        id="lower-case-currency",
        assumed="`currency` is sent in lower case, as in the documented example.",
        documented=True,
        otherwise="Every creation with a price is refused. Tell us: the package has to change.",
        step="alone",
        value="accepted",
        switch="refused",
        item="lower-case-currency",
    ),
    Assumption(
        id="upper-case-currency",
        assumed="`currency` is taken in upper case as well.",
        documented=False,
        otherwise="Nothing to do: the package sends lower case.",
        step="alone",
        value="accepted",
        switch="refused",
        item="upper-case-currency",
    ),
    *(
        Assumption(
            id=f"language-{code}",
            assumed=f"`language` may be `{code}`.",
            documented=code == "en",
            otherwise="A creation that is refused is repeated without a language, so that Spayon's "
            "page speaks its own. Map the code to Spayon's with `LANGUAGE_CODES`, such as "
            f"`{{'{code}': ...}}`.",
            step="alone",
            value="accepted",
            switch="refused",
            item=f"language-{code}",
        )
        for code in ("hy", "ru", "en")
    ),
    Assumption(
        id="unknown-payment-method",
        assumed="A payment method that Spayon does not know does not stop a creation.",
        documented=False,
        otherwise="A mistyped name in `AVAILABLE_PAYMENT_METHODS` stops every checkout. The "
        "rehearsal does not know the right names: they are in your contract.",
        step="alone",
        value="accepted",
        switch="refused",
        item="unknown-payment-method",
    ),
    Assumption(
        id="long-product-name",
        assumed="A product name of 255 characters is taken.",
        documented=False,
        otherwise="Orders with long names cannot be paid. Let the order loader shorten them.",
        step="alone",
        value="accepted",
        switch="refused",
        item="long-product-name",
    ),
    Assumption(
        id="product-id",
        assumed="`product_id`, an integer, stands in place of name, price and currency.",
        documented=True,
        otherwise="Such orders cannot be paid. Give name, price and currency.",
        why="A rehearsal does not know a product that you set up in the admin panel.",
    ),
    Assumption(
        id="session-url-https",
        assumed="In production `session_url` is https.",
        documented=True,
        otherwise="The checkout stops: no payer is sent to a page without encryption.",
        why="Staging may differ, and in production each checkout looks.",
    ),
    Assumption(
        id="urls-in-ascii",
        assumed="URLs have to be in ASCII: Punycode and percent-encoding.",
        documented=False,
        otherwise="Nothing to do: such URLs are right everywhere.",
        why="Nothing depends on the answer.",
    ),
)

_STATUS = (
    Assumption(
        id="unknown-session-code",
        assumed="The status of a session that Spayon does not know is 404.",
        documented=True,
        otherwise="Such a payment stays pending and is asked about again, less and less often. "
        "`flask spayon payments` shows it.",
        step="alone",
        value=404,
        switch="unknown_session_code",
    ),
    Assumption(
        id="malformed-session-code",
        assumed="The status of a text that is no session id is 404.",
        documented=False,
        otherwise="Nothing to do: the package asks only about ids that Spayon gave out.",
        step="alone",
        value=404,
        switch="malformed_session_code",
    ),
    Assumption(
        id="fresh-status",
        assumed="A session that nobody has paid yet is `pending`.",
        documented=True,
        otherwise="A status that we do not know is recorded and changes nothing.",
        step="alone",
        value="pending",
        switch="fresh_status",
        like=(("pending", "pending"), ("another word", "created")),
    ),
    Assumption(
        id="report-keys",
        assumed="A report has the documented keys.",
        documented=True,
        otherwise="Further keys are ignored. Without `sessionId` or `status` nothing can be "
        "recorded; a `paid` without price, currency or order goes to review.",
        step="alone",
        value="nothing is missing",
        switch="left_out",
    ),
    Assumption(
        id="price-format",
        assumed="A whole price is written short: `10`. Both `10` and `5000.00` are documented.",
        documented=True,
        otherwise="Nothing to do: prices are compared as numbers.",
        step="alone",
        value="short",
        switch="price",
    ),
    Assumption(
        id="price-type",
        assumed="A price in a report is text.",
        documented=True,
        otherwise="Nothing to do: a JSON number is read too, and exactly.",
        step="alone",
        value="text",
        switch="price_type",
    ),
    Assumption(
        id="currency-case",
        assumed="The currency in a report is in upper case.",
        documented=True,
        otherwise="Nothing to do: either case is read.",
        step="alone",
        value="upper",
        switch="currency",
    ),
    Assumption(
        id="key-order",
        assumed="A report begins with `sessionId`. One of the two documented examples does not.",
        documented=True,
        otherwise="Nothing to do: the order of keys is never relied on.",
        step="alone",
        value="session",
        switch="key_order",
    ),
    Assumption(
        id="order-id-echoed",
        assumed="`orderId` comes back as it was sent.",
        documented=True,
        otherwise="Every `paid` goes to review, since its order cannot be told. Tell us.",
        step="alone",
        value=True,
        switch="order_id",
        like=((True, "as sent"), (False, "changed")),
    ),
    Assumption(
        id="time-format",
        assumed="Times are UTC, ISO 8601 with milliseconds.",
        documented=True,
        otherwise="Nothing to do: the package goes by its own clock.",
        step="alone",
        value="iso",
        switch="times",
        like=(("iso", "iso"), ("other", "seconds")),
    ),
    Assumption(
        id="api-without-version",
        assumed="The API has no version in its paths, speaks JSON and does not redirect.",
        documented=True,
        otherwise="Every call fails. The log says to check `API_URL`.",
        why="A rehearsal that creates a session has shown it. Otherwise it stops.",
    ),
    Assumption(
        id="retry-after",
        assumed="Spayon may ask to wait with 429 or 503 and `Retry-After`.",
        documented=False,
        otherwise="Without that header the package backs off by itself. Seconds and dates are "
        "read.",
        why="A rehearsal does not burden Spayon until Spayon asks to wait.",
    ),
    Assumption(
        id="idle-connections",
        assumed="Spayon may close a kept-alive connection while it is idle.",
        documented=False,
        otherwise="Nothing to do: such a call is repeated once on a fresh connection.",
        why="Nobody knows how long to wait for that, and either answer works.",
    ),
    Assumption(
        id="base-urls",
        assumed="Production and staging have the documented base URLs.",
        documented=True,
        otherwise="Set `API_URL`.",
        why="A rehearsal that gets a token has shown it. Otherwise it stops.",
    ),
)

_CALLBACK = (
    Assumption(
        id="signature-header",
        assumed="The signature of a callback stands in `X-Signature`.",
        documented=True,
        otherwise="Every callback is refused with 401. Payments are found out by status checks "
        "alone: run `reconcile`, and tell us.",
        step="payer",
        value="X-Signature",
        switch="signature_header",
    ),
    Assumption(
        id="signature-form",
        assumed="The signature is lower-case hex HMAC-SHA256 of the exact raw bytes of the body.",
        documented=True,
        otherwise="Every callback is refused with 401. Payments are found out by status checks "
        "alone: run `reconcile`. Another secret: compare `CALLBACK_SECRET` with the admin panel. "
        "Another form: tell us.",
        step="payer",
        value="hex",
        switch="signature",
    ),
    Assumption(
        id="callback-equals-status",
        assumed="A callback and the status answer say the same.",
        documented=True,
        otherwise="Nothing to do if only keys differ: both go through one function. A status that "
        "differs can send a payment to review.",
        step="payer",
        value=True,
        switch="status_answer",
        like=((True, "as the callback"), (False, "with a key more")),
    ),
    Assumption(
        id="return-parameter",
        assumed="`session_id` is added to the query string of `return_url`.",
        documented=True,
        otherwise="The return page cannot tell which payment it is about, and says so. The payment "
        "itself is recorded as ever.",
        step="payer",
        value="session_id",
        switch="return_parameter",
    ),
    Assumption(
        id="cancel-url-carries-session-id",
        assumed="Nothing is added to `cancel_url`.",
        documented=False,
        otherwise="Nothing to do: the cancel page goes by a reference of ours in the path.",
        step="payer",
        value="",
        switch="cancel_parameter",
    ),
    Assumption(
        id="cancel-keeps-session",
        assumed="A payer who clicks back can still pay: the session stays `pending`.",
        documented=True,
        otherwise="The cancel page offers to go on with a payment that is over. The payer then "
        "starts a new one from the shop.",
        step="payer",
        value=True,
        switch="back",
        like=((True, "keeps the session"), (False, "ends the session")),
    ),
    Assumption(
        id="session-fails",
        assumed="A declined card does not end the session: it fails when the payer gives up.",
        documented=False,
        otherwise="A payer whose first card is declined has to start again from the shop.",
        step="payer",
        value="when given up",
        switch="fails",
    ),
    Assumption(
        id="decline-reasons",
        assumed="A failed session has `declineReasons` with the three documented fields.",
        documented=True,
        otherwise="The payer is not told why. Nothing else depends on it.",
        step="payer",
        value=True,
        switch="declines",
        like=((True, "as documented"), (False, "missing")),
    ),
    Assumption(
        id="decline-codes",
        assumed="The codes `05`, `14` and `1A` mean what is documented; the full list is unknown.",
        documented=True,
        otherwise="Any other code is shown by the text that came with it.",
        why="The bank chooses the code. The report does not repeat it.",
    ),
    Assumption(
        id="callback-order",
        assumed="A callback may come before or after the payer is back, and more than once.",
        documented=True,
        otherwise="Nothing to do: either order works.",
        why="One payment shows one order of the two. The report says which: `payer_first`.",
    ),
    Assumption(
        id="statuses",
        assumed="The statuses are `paid`, `failed`, `pending` and `expired`.",
        documented=True,
        otherwise="Any other status is recorded and changes nothing.",
        why="A rehearsal meets some statuses. That there is no other one cannot be shown.",
    ),
    Assumption(
        id="no-event-id",
        assumed="Nothing but `sessionId` and `status` identifies a delivery.",
        documented=True,
        otherwise="Nothing to do: further identities are not needed.",
        why="Whether a header or a key identifies a delivery is for a person to see: the "
        "report names all headers and keys.",
    ),
    Assumption(
        id="content-type",
        assumed="A callback has the content type `application/json`.",
        documented=True,
        otherwise="Nothing to do: the signature decides.",
        step="payer",
        value=True,
        switch="content_type",
        like=((True, "application/json"), (False, "text/plain")),
    ),
)

_REDELIVERY = (
    Assumption(
        id="session-lifetime",
        assumed="A session lives 15 minutes.",
        documented=True,
        otherwise="The pages tell a payer a wrong time. If it lives longer, a payment that we took "
        "for expired may still be paid: it counts, or goes to review.",
        step="redelivery",
        value=900,
        switch="session_lifetime",
    ),
    Assumption(
        id="redelivery-count",
        assumed="A callback that is not answered with 200 is tried 3 times in all.",
        documented=True,
        otherwise="With fewer, `reconcile` has more to do. Nothing else changes.",
        step="redelivery",
        value=3,
        switch="attempts",
    ),
    Assumption(
        id="redelivery-spacing",
        assumed="The attempts are 5 minutes apart.",
        documented=True,
        otherwise="Nothing to do: the return page and `reconcile` do not wait for them.",
        step="redelivery",
        value=300,
        switch="spacing",
    ),
    Assumption(
        id="callback-timeout",
        assumed="Spayon waits at least 5 seconds for the answer to a callback.",
        documented=False,
        otherwise="Handlers must be fast: move slow work behind the dispatcher. Spayon delivers "
        "again what was recorded already, and that changes nothing.",
        step="redelivery",
        value="at least 5 s",
        switch="patience",
        like=(("less than 5 s", 2.5),),
    ),
    Assumption(
        id="delivered-by",
        assumed="Only the answer 200 ends the redelivery.",
        documented=True,
        otherwise="Nothing to do: the package answers 200.",
        step="redelivery",
        value="200",
        switch="delivered_by",
    ),
)

#: Every assumption, in the order of a payment.
REGISTER: tuple[Assumption, ...] = (*_TOKENS, *_CREATION, *_STATUS, *_CALLBACK, *_REDELIVERY)


def by_id(id_: str) -> Assumption:
    """Return the assumption with an id; raises `KeyError` if there is none."""
    return {each.id: each for each in REGISTER}[id_]
