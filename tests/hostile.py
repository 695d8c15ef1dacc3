"""What a hostile or broken sender may send: strategies for hypothesis."""

import json
from collections.abc import Sequence

from hypothesis import strategies as st

from tests.reports import report

#: Text with everything that text may hold, lone surrogates and NUL among it.
wild_text = st.text(st.characters(exclude_categories=()), max_size=40)

_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=True, allow_infinity=True)
    | wild_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(wild_text, inner, max_size=4),
    max_leaves=12,
)

_TRICKS = (
    *("NaN", "Infinity", "-Infinity", "1e999999", "-1e-999999", "9" * 5000, "0." + "3" * 5000),
    *("-0", "1E+3", "1000.0000000000000000001", "00", "1_000", "0x10", "+1"),
    *("[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900, "[" * 100_00, "{}", "[]", "null"),
    *('"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"' + "x" * 300 + '"', '" S1"', '"S1 "'),
    *('"1000.00"', '"1000"', '"1e3"', '"１０００"', '"1,000"', '"NaN"', '"Infinity"', '""'),
    *('"paid"', '"PAID"', '"paid\\n"', '"review"', '"<script>"', '"refunded"', '"\\u202e"'),
    *("undefined", "'paid'", "//", "\x00", "\\", '"', "{", "}", ","),
)

#: A piece of text in the place of a JSON value, mostly one.
tokens = _values.map(json.dumps) | st.sampled_from(_TRICKS)

_NAMES = (
    *("sessionId", "status", "productName", "price", "currency", "createdAt", "updatedAt"),
    *("orderId", "declineReasons"),
)

_names = st.sampled_from(_NAMES) | wild_text


def _document(
    status: str, changes: Sequence[tuple[str, str]], repeated: Sequence[tuple[str, str]]
) -> bytes:
    fields = {name: json.dumps(value) for name, value in json.loads(report(status=status)).items()}
    pairs = [*(fields | dict(changes)).items(), *repeated]
    text = ",".join(f"{json.dumps(name)}:{token}" for name, token in pairs)
    return f"{{{text}}}".encode("utf-8", "surrogatepass")


#: A report about S1 in which some fields are hostile, and some are there twice.
documents = st.builds(
    _document,
    st.sampled_from(["paid", "failed", "expired", "pending"]),
    st.lists(st.tuples(_names, tokens), max_size=4),
    st.lists(st.tuples(_names, tokens), max_size=1),
)

#: Any bytes: noise, JSON of any shape, and reports with a few bytes exchanged.
bodies = (
    st.binary(max_size=400)
    | tokens.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | documents
    | st.tuples(documents, st.binary(max_size=6), st.integers(0, 400)).map(
        lambda parts: parts[0][: parts[2]] + parts[1] + parts[0][parts[2] + len(parts[1]) :]
    )
)

#: An `X-Signature` as a header can carry it.
signatures = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80)
