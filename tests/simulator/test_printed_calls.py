"""The calls by curl that docs/simulator.md and docs/other-languages.md print."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.simulator.scene import Scene

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["simulator.md", "other-languages.md"])
def test_each_call_by_curl_is_answered_as_the_page_has_it(scene: Scene, page: str) -> None:
    text = (DOCS / page).read_text().replace("http://127.0.0.1:5001", scene.sim.url)
    calls = re.findall(r"^\$ (curl (?:.*\\\n)*.*)\n(\{.*)?", text, re.MULTILINE)
    environment = os.environ | {"SIM": f"{scene.sim.url}/_simulator", "ID": scene.session.id}
    assert len(calls) > 2

    for call, answer in calls:
        command = call.replace("curl ", "curl --fail --silent --show-error ")
        done = subprocess.run(
            ["sh", "-c", command], env=environment, capture_output=True, text=True, check=False
        )

        assert done.returncode == 0, call + done.stderr
        assert not answer or done.stdout.strip() == answer
