"""`flask spayon rehearse` at the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from spayon_flask.cli.rehearse import gateway as gateways
from spayon_flask.simulator import Simulator
from tests.gateway import Gateway
from tests.rehearsal.conftest import Person
from tests.rehearsal.conftest import Stage
from tests.rehearsal.conftest import apart
from tests.shop import Shop


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "PAUSE", 0)


def run(shop: Shop, *arguments: str, **options: Any) -> Result:
    return shop.app.test_cli_runner().invoke(
        args=["spayon", "rehearse", *arguments], catch_exceptions=False, **options
    )


def reports(stage: Stage) -> list[Path]:
    return sorted(stage.state.rehearsals.folder.glob("rehearsal-*"))


def test_it_says_what_it_is_about_to_do_and_writes_a_report(stage: Any) -> None:
    staged: Stage = stage()
    result = run(staged.shop, input="y\n")

    assert result.exit_code == 0, result.output
    assert "buy a token" in result.output
    assert "0 differs" in result.output
    assert [path.suffix for path in reports(staged)] == [".json", ".txt"]
    report = json.loads(reports(staged)[0].read_text())
    assert report["environment"] == "simulator"
    assert report["like"]["creation_code"] == 200


def test_no_is_no(stage: Any) -> None:
    staged: Stage = stage()
    result = run(staged.shop, input="n\n")

    assert result.exit_code == 1
    assert staged.sim.requests.count() == 0
    assert reports(staged) == []


def test_a_dry_run_asks_nobody(stage: Any) -> None:
    staged: Stage = stage()
    result = run(staged.shop, "--dry-run", "--pay", "--redelivery")

    assert result.exit_code == 0
    assert "create a payment session with every field [at most 1 session]" in result.output
    assert "With a person" in result.output
    assert staged.sim.requests.count() == 0
    assert not staged.state.rehearsals.folder.exists()


def test_what_differs_is_said_with_what_it_means_and_the_exit_code_is_1(stage: Any) -> None:
    staged: Stage = stage(used_order="refused")
    result = run(staged.shop, "--yes")

    assert result.exit_code == 1
    assert "differs    used-order-id" in result.output
    assert "seen: refused; assumed: accepted" in result.output
    assert "asks once more with an id for this attempt alone" in result.output


def test_a_gateway_that_is_away_proves_nothing(stage: Any) -> None:
    staged: Stage = stage()
    staged.sim.stop()
    result = run(staged.shop, "--yes")

    assert result.exit_code == 2
    assert "Spayon gave no answer" in result.output


def test_wrong_credentials_prove_that_something_is_wrong_on_our_side(stage: Any) -> None:
    staged: Stage = stage()
    staged.sim.client_secret = "another"
    result = run(staged.shop, "--yes")

    assert result.exit_code == 2
    assert "compare CLIENT_ID and CLIENT_SECRET" in result.output


def test_a_payer_needs_a_public_address(tmp_path: Path, sim: Simulator) -> None:
    from tests.shop import make_shop  # noqa: PLC0415  another config

    shop = make_shop(SPAYON_API_URL=sim.url, SPAYON_PUBLIC_URL=None)
    apart(shop, tmp_path)
    result = run(shop, "--yes", "--pay")

    assert result.exit_code == 1
    assert "PUBLIC_URL is missing" in result.output
    assert sim.requests.count() == 0


def test_a_person_is_shown_where_to_pay(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    staged: Stage = stage()
    person = Person()

    def prompt(*_: Any, **__: Any) -> str:
        return ""

    def echo(text: Any = "", *_: Any, **__: Any) -> None:
        said.append(str(text))
        lines = [line.strip() for line in str(text).splitlines() if line.strip()]

        # The terminal shows an instruction and the address below it.
        if len(lines) == 2 and lines[1].startswith(staged.sim.url):
            person.do(lines[0], lines[1])

    said: list[str] = []
    monkeypatch.setattr("click.prompt", prompt)
    monkeypatch.setattr("click.echo", echo)
    monkeypatch.setattr("time.sleep", staged.sleep)
    result = run(staged.shop, "--yes", "--pay")

    assert result.exit_code == 0, said
    assert len(person.asked) == 4


def test_a_gateway_with_trouble_stops_it_and_it_goes_on_later(stage: Any) -> None:
    staged: Stage = stage()
    staged.sim.fault("error", on="sessions", code=503, skip=3)
    stopped = run(staged.shop, "--yes")

    assert stopped.exit_code == 0
    assert "Stopped: Spayon is not available (HTTP 503)" in stopped.output

    before = staged.sim.sessions.created
    done = run(staged.shop, "--yes", "--resume")

    assert done.exit_code == 0
    assert "Stopped" not in done.output
    # Eight of the eleven creations were left, and the one that failed is one of them.
    assert (before, staged.sim.sessions.created) == (3, 11)


@pytest.mark.parametrize(
    ("on", "skip", "name", "seen"),
    [
        ("status", 4, "malformed-session-code", "500"),
        ("sessions", 1, "used-order-id", "an error 500"),
        ("sessions", 3, "decimal-price", "refused"),
    ],
)
def test_an_error_500_is_an_answer_to_an_odd_question(
    stage: Any, on: str, skip: int, name: str, seen: str
) -> None:
    staged: Stage = stage()
    staged.sim.fault("error", on=on, code=500, skip=skip, times=2)
    result = run(staged.shop, "--yes")

    assert "Stopped" not in result.output
    assert result.exit_code == 1
    assert f"differs    {name}" in result.output
    assert f"seen: {seen}" in result.output


@pytest.mark.parametrize("on", ["sessions", "status"])
def test_an_error_500_to_a_plain_question_stops_it(stage: Any, on: str) -> None:
    staged: Stage = stage()
    staged.sim.fault("error", on=on, code=500, times=None)
    result = run(staged.shop, "--yes")

    assert "Stopped: Spayon is not available (HTTP 500)" in result.output


def test_an_error_500_once_is_no_answer(stage: Any) -> None:
    staged: Stage = stage()
    staged.sim.fault("error", on="sessions", code=500, skip=3)
    result = run(staged.shop, "--yes")

    assert (result.exit_code, "differs " in result.output) == (0, False)


def test_another_account_does_not_go_on_with_the_facts_of_this_one(stage: Any) -> None:
    staged: Stage = stage()
    run(staged.shop, "--yes")
    other: Stage = stage()
    journal = staged.state.rehearsals.journal()
    other.state.rehearsals.begin()
    other.state.rehearsals.keep(journal)
    run(other.shop, "--yes", "--resume")

    assert other.sim.sessions.created == 11


def test_a_gateway_that_answers_nonsense_stops_it(tmp_path: Path) -> None:
    from tests.shop import make_shop  # noqa: PLC0415  another config

    with Gateway() as gateway:
        shop = make_shop(SPAYON_API_URL=gateway.url)
        apart(shop, tmp_path)
        result = run(shop, "--yes")

    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output


def test_the_doctor_mentions_it_until_there_is_a_report_and_never_as_a_failure(stage: Any) -> None:
    staged: Stage = stage()

    def rehearsal() -> dict[str, str]:
        arguments = ["spayon", "doctor", "--offline", "--json"]
        said = json.loads(staged.shop.app.test_cli_runner().invoke(args=arguments).output)
        (found,) = (each for each in said["findings"] if each["check"] == "rehearsal")
        return dict(found)

    before = rehearsal()
    run(staged.shop, "--yes")
    after = rehearsal()

    assert (before["state"], after["state"]) == ("ok", "ok")
    assert "flask spayon rehearse" in before["do"]
    assert "rehearsal-simulator-" in after["says"]


def test_a_folder_that_cannot_be_written_is_one_line(stage: Any, tmp_path: Path) -> None:
    staged: Stage = stage()
    (tmp_path / "file").write_text("in the way")
    apart(staged.shop, tmp_path / "file")
    result = run(staged.shop, "--yes")

    assert result.exit_code == 1
    assert "cannot be written" in result.output
    assert staged.sim.requests.count() == 0
