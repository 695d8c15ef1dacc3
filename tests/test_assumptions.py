"""The register of assumptions, and the places in the code that rely on it."""

import re
from pathlib import Path

import spayon_flask
from spayon_flask.rehearsal.assumptions import (
    NOBODY,
    REGISTER,
)
from spayon_flask.simulator import Shape
from spayon_flask.simulator.shape import SWITCHES

PACKAGE = Path(spayon_flask.__file__).parent


def sources() -> list[Path]:
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        # That is about the register itself.
        if path.parent.name != "rehearsal"
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
    """But for those that a rehearsal tries because a shop as a whole relies on them."""
    everywhere = set().union(*RELIED_ON.values())
    whole = {each.id for each in REGISTER if each.step is not NOBODY and not each.switch}

    assert {each.id for each in REGISTER} - everywhere - whole == set()


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


def test_every_entry_has_a_step_that_tries_it_or_a_reason_why_there_is_none() -> None:
    for each in REGISTER:
        assert (each.step is NOBODY) == (each.why != ""), each.id
        assert not each.why or each.why.endswith((".", "`."))
