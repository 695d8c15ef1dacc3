"""The register of assumptions, and the places in the code that rely on it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import spayon_flask
from docs.assumptions_page import PAGE
from docs.assumptions_page import render
from spayon_flask.assumptions import REGISTER
from spayon_flask.assumptions import STEPS
from spayon_flask.simulator import Shape
from spayon_flask.simulator.shape import SWITCHES


PACKAGE = Path(spayon_flask.__file__).parent

#: What does not rely on the gateway, but is about the register itself.
ABOUT = ("assumptions.py", "rehearse")

#: Words of Spayon's API: whoever writes one relies on something.
WIRE = {
    "access_token", "expires_in", "session_id", "session_url", "sessionId", "sessionUrl", "status",
    "price", "currency", "orderId", "declineReasons", "responseCode", "responseReasonEn",
    "transactionId", "updatedAt", "createdAt", "product_id", "product_name", "email", "username",
    "full_name", "order_id", "defaultPaymentMethod", "availablePaymentMethods", "language",
    "callback_url", "return_url", "cancel_url", "client_id", "client_secret",
}  # fmt: skip

CALLERS = [
    *(f"client/{name}.py" for name in ("client", "payment_sessions", "transport")),
    "reports.py",
    "signing.py",
    "money.py",
]


def sources() -> list[Path]:
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if not {*ABOUT} & {path.name, path.parent.name}
    ]


def named(text: str) -> set[str]:
    """Return the ids in comments such as `Relies on: one, another`, of one line or more."""
    found = re.findall(r"# Relies on: ([a-z0-9, -]+(?:\n\s*# [a-z0-9, -]+)*)", text)
    return {id_ for each in found for id_ in re.findall(r"[a-z0-9-]*[a-z0-9]", each)}


RELIED_ON = {path: named(path.read_text()) for path in sources()}


def test_every_id_is_there_once() -> None:
    assert len({each.id for each in REGISTER}) == len(REGISTER)


def test_every_place_that_relies_on_something_names_an_entry() -> None:
    ids = {each.id for each in REGISTER}

    assert {path.name: found - ids for path, found in RELIED_ON.items() if found - ids} == {}


def test_no_entry_is_one_that_nothing_relies_on() -> None:
    everywhere = set().union(*RELIED_ON.values())

    assert {each.id for each in REGISTER} - everywhere == set()


@pytest.mark.parametrize("name", CALLERS)
def test_a_function_that_speaks_spayon_s_words_says_what_it_assumes(name: str) -> None:
    text = (PACKAGE / name).read_text()
    silent = []

    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            words = {
                each.value
                for each in ast.walk(node)
                if isinstance(each, ast.Constant) and isinstance(each.value, str)
            }
            compares = "an HTTP status" in (ast.get_source_segment(text, node) or "")

            if (words & WIRE or compares) and not named(ast.get_source_segment(text, node) or ""):
                silent.append(node.name)

    assert silent == []


def test_every_switch_of_the_simulator_stands_for_an_entry() -> None:
    assert {each.switch for each in REGISTER if each.switch} == set(SWITCHES)


def test_the_simulator_does_by_default_what_is_assumed() -> None:
    shape = Shape()

    for each in REGISTER:
        if each.item:
            assert each.item not in getattr(shape, each.switch)

        elif each.switch and not each.like:
            value = getattr(shape, each.switch)
            assert (list(value) if isinstance(value, tuple) else value) == each.value


def test_every_entry_says_what_happens_otherwise_and_who_finds_out() -> None:
    for each in REGISTER:
        assert each.assumed.endswith(".")
        assert each.otherwise.endswith((".", "`."))
        assert each.step in ("", *STEPS)
        assert (each.value is None) == (each.step == "")


def test_every_entry_has_a_step_that_tries_it_or_a_reason_why_there_is_none() -> None:
    for each in REGISTER:
        assert (each.step == "") == (each.why != ""), each.id
        assert not each.why or each.why.endswith((".", "`."))


def test_the_page_is_rendered_from_the_register() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m docs.assumptions_page"
