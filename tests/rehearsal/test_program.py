"""The program and the command: what a person types, sees and gets."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spayon_flask.rehearsal import Options, rehearse
from spayon_flask.rehearsal.__main__ import main
from spayon_flask.rehearsal.report import as_text
from spayon_flask.rehearsal.wire import Wire
from spayon_flask.simulator import Simulator
from tests.rehearsal.conftest import Person, Staged, free_port, outcomes, settings_for
from tests.shop import Shop, make_shop

#: Spayon's own address, at which nobody rehearses by accident.
PRODUCTION = {"SPAYON_ENVIRONMENT": "production", "SPAYON_API_URL": ""}


@pytest.fixture
def environ(sim: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set a shop's settings in the environment, and a folder for the report."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPAYON_API_URL", sim.url)
    monkeypatch.setenv("FLASK_SPAYON_CLIENT_ID", sim.client_id)
    monkeypatch.setenv("FLASK_SPAYON_CLIENT_SECRET", sim.client_secret)
    monkeypatch.setenv("FLASK_SPAYON_CALLBACK_SECRET", json.dumps(["new", sim.callback_secret]))


@pytest.mark.thorough
def test_the_program_shows_where_to_pay_and_writes_a_report(
    environ: None, sim: Simulator, tmp_path: Path
) -> None:
    port = free_port()
    program = [sys.executable, "-m", "spayon_flask.rehearsal", "--port", str(port), "--pay"]
    person, said = Person(), []

    with subprocess.Popen(
        [*program, "--url", f"http://127.0.0.1:{port}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        assert process.stdin
        assert process.stdout

        for line in process.stdout:
            said.append(line.strip())

            if line.strip().startswith(f"{sim.url}/pay/"):
                person.do(said[-2], said[-1])
                process.stdin.write("\n")
                process.stdin.flush()

    assert process.returncode == 0, said
    assert len(person.asked) == 4
    (file,) = tmp_path.glob("rehearsal-simulator-*.json")
    assert json.loads(file.read_text())["exit_code"] == 0
    assert "Every payment of a shop would work." in file.with_suffix(".txt").read_text()


@pytest.mark.thorough
def test_a_rehearsal_without_a_person_ends_by_itself_and_does_not_say_yes(
    environ: None, sim: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Nobody is at the terminal, and nobody pays."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.setattr("spayon_flask.rehearsal.payer.PATIENCE", 0.1)
    monkeypatch.setattr("spayon_flask.rehearsal.payer.SOON", 0.1)
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    assert main(["--url", url, "--port", str(port), "--pay", "--report", "told.json"]) == 2
    assert "Spayon says that nobody has paid" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "says", "environment"),
    [
        (["--pay"], 2, "--pay and --wait need --url", {}),
        (["--port", "many"], 64, "invalid int value", {}),
        (["--report", "no/such/folder.json"], 2, "use --report", {}),
        (["--pay", "--url", "tunnel.example"], 2, "--url must be a base URL", {}),
        (["--pay", "--url", "http://tunnel.example"], 2, "https", PRODUCTION),
        ([], 2, "SPAYON_CALLBACK_SECRET is missing: export", {"FLASK_SPAYON_CALLBACK_SECRET": ""}),
    ],
)
def test_what_cannot_work_is_one_line_before_anything_is_asked(
    environ: None,
    sim: Simulator,
    arguments: list[str],
    code: int,
    says: str,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    try:
        found: Any = main(arguments)

    except SystemExit as error:
        found = error.code

    assert found == code
    assert says in capsys.readouterr().err
    assert list(sim.requests) == []


def test_the_command_takes_the_settings_of_the_app(sim: Simulator, tmp_path: Path) -> None:
    shop: Shop = make_shop(SPAYON_API_URL=sim.url)
    shop.add_order()
    file = tmp_path / "told.json"
    result = shop.app.test_cli_runner().invoke(args=["spayon", "rehearse", "--report", str(file)])

    assert result.exit_code == 2, result.output
    assert "no payment was seen: run it with --pay" in result.output
    assert json.loads(file.read_text())["like"]["creation_code"] == 200
    assert shop.callbacks() == []

    result = shop.app.test_cli_runner().invoke(args=["spayon", "rehearse", "--pay"])
    assert result.exit_code == 2
    assert "--pay and --wait need --url" in result.output


def test_ctrl_c_keeps_what_was_found_out(stage: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    staged = stage()
    ask = Wire.ask

    def interrupted(wire: Wire, method: str, path: str, *rest: Any, **token: Any) -> Any:
        if path.endswith("/no-id"):
            raise KeyboardInterrupt

        return ask(wire, method, path, *rest, **token)

    monkeypatch.setattr(Wire, "ask", interrupted)
    report = staged.rehearse(pay=True)

    assert outcomes(report, "stopped") == {"malformed-session-code"}
    assert "token-status-code" in outcomes(report, "same")
    assert report["exit_code"] == 2
    assert "stopped by Ctrl-C" in as_text(report)


def test_a_url_that_leads_elsewhere_is_told_before_anybody_pays(sim: Simulator) -> None:
    told: list[str] = []
    options = Options(url=sim.url, port=free_port())
    rehearse(settings_for(sim.url), options, tell=told.append)

    assert "does not lead to port" in told[0]


def test_a_stopped_question_has_the_answer_and_what_to_do(stage: Staged) -> None:
    staged = stage()
    staged.sim.fault("error", on="sessions", code=503, times=None)
    text = as_text(staged.rehearse(pay=True))

    assert "stopped creation-accepted" in text
    assert re.search(r'answer \d+: HTTP 503 {"error": "a fault that was asked for"}', text)
    assert "What to do: Spayon has trouble: run the rehearsal again" in text
    assert "Spayon gave no usable answer 3 times in a row" in text
