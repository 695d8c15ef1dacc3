"""The OpenAPI document of the inspector's routes, checked against the running simulator."""

import importlib
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings

from spayon_flask.simulator import PaymentSession, Simulator
from spayon_flask.simulator.commands import DOCUMENT
from spayon_flask.simulator.faults import CHOICES, ENDPOINTS, KINDS, PRESETS
from spayon_flask.simulator.shape import SWITCHES

document: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
pytestmark = pytest.mark.thorough

OPERATIONS = [(path, method) for path, item in document["paths"].items() for method in item]


@pytest.fixture
def known(sim: Simulator, session: PaymentSession) -> dict[str, Any]:
    """Return what stands in paths, of things that are there."""
    sim.pay(session.id)
    return {"session_id": session.id, "number": 1}


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_the_running_simulator_is_as_the_document_says(
    path: str, method: str, sim: Simulator, known: dict[str, Any]
) -> None:
    """Route by route, with what makes sense and with what does not."""
    # It has no types that mypy can read, and takes a second to import.
    schemathesis: Any = importlib.import_module("schemathesis")
    checks: Any = importlib.import_module("schemathesis.specs.openapi.checks")
    operation = schemathesis.openapi.from_dict(document)[path][method.upper()]

    @settings(max_examples=settings().max_examples // 2)
    @given(case=operation.as_strategy())
    def call(case: Any) -> None:
        for name in known.keys() & case.path_parameters.keys():
            case.path_parameters[name] = known[name]

        case.call_and_validate(
            base_url=sim.url,
            checks=[
                importlib.import_module("schemathesis.checks").not_a_server_error,
                checks.status_code_conformance,
                checks.content_type_conformance,
                checks.response_schema_conformance,
            ],
        )

    call()


def test_every_route_is_in_the_document(sim: Simulator) -> None:
    """Those of the imitated API as well; a page counts by its JSON."""
    pages = {"inspector.root", "inspector.session", "commands.openapi", "static"}
    rules = {
        (re.sub(r"\.?<any\(json\):form>", ".json", rule.rule), method)
        for rule in sim.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.partition(".")[0] in {"inspector", "commands", "api"}
        if rule.endpoint not in pages and "form" not in (rule.defaults or {})
    }
    expanded = set()
    for rule, method in rules:
        found = re.search(r"<any\((.*?)\):\w+>", rule)
        for choice in found[1].split(", ") if found else [""]:
            path = rule.replace(found[0], choice) if found else rule
            expanded.add((re.sub(r"<(?:int:)?(\w+)>", r"{\1}", path), method))

    listed = {(path, method.upper()) for path, ways in document["paths"].items() for method in ways}
    assert listed == expanded


def test_the_choices_of_the_document_are_those_of_the_code() -> None:
    """Kinds of faults, presets, switches."""
    schemas = document["components"]["schemas"]
    fault = schemas["Fault"]["properties"]

    assert fault["kind"]["enum"] == list(KINDS)
    assert fault["on"]["enum"] == list(ENDPOINTS)
    assert {name: tuple(fault[name]["enum"]) for name in CHOICES} == CHOICES
    assert schemas["Preset"]["enum"] == list(PRESETS)
    shape = schemas["Shape"]["properties"]
    assert list(shape) == list(SWITCHES)
    for name, switch in SWITCHES.items():
        assert shape[name]["description"] == switch.label
        values = shape[name].get("items", shape[name]).get("enum", [])
        assert values == list(switch.values)
        assert shape[name].get("maximum") == switch.high


def test_the_simulator_serves_the_document(sim: Simulator) -> None:
    """Where other tools look for it."""
    answer = sim.app.test_client().get("/_simulator/openapi.json")

    assert answer.json == document
