"""A simulator that behaves as Spayon did in the report of a rehearsal."""

import json
from pathlib import Path
from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from spayon_flask.simulator.__main__ import main
from tests.simulator.test_simulator_program import running

REPORT: dict[str, Any] = {
    "report": 1,
    "like": {"creation_code": 201, "price": "padded", "required": ["email"]},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a report on disk."""
    path = tmp_path / "rehearsal-staging-2026-11-25.json"
    path.write_text(json.dumps(REPORT))
    return path


def test_the_switches_stand_as_the_report_has_them(file: Path) -> None:
    """Given as a path, as text, or as it was read."""
    for like in (file, str(file), REPORT):
        differences = Simulator(like=like).shape.differences()
        assert differences == {"creation_code": 201, "price": "padded", "required": ("email",)}


def test_what_no_switch_can_imitate_is_said_and_left_out() -> None:
    """A real gateway may do what nobody thought of."""
    like = {"signature": "sha256=", "weather": "fine", "price": "padded"}
    sim = Simulator(like={"like": like, "unlike": ["least-price: 100 was seen"]})

    assert sim.shape.differences() == {"price": "padded"}
    assert len(sim.unlike) == 3
    assert sim.unlike[:2] == [
        "least-price: 100 was seen",
        "signature must be one of hex, upper, base64, not 'sha256='",
    ]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"like": 1}'])
def test_what_is_no_report_is_refused(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, by the program as well."""
    path = tmp_path / "report.json"
    path.write_text(text)

    with pytest.raises(ValueError, match=r"report|JSON|property"):
        Simulator(like=path)

    assert main(["--like", str(path), "--port", "0"]) == 1
    assert "Cannot be like" in capsys.readouterr().err


def test_the_program_takes_a_report(file: Path) -> None:
    """It greets as ever, and says what it cannot do."""
    file.write_text(json.dumps({"like": {"creation_code": 299}}))

    with running("--like", str(file)) as (program, _):
        assert program.stderr is not None
        assert "Not like the report: creation_code" in program.stderr.readline()
