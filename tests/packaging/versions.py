"""Run the core of the suite on each Python, with the newest and the oldest dependencies.

`make versions` calls this, and `make oldest`, which runs one of these: the Python at hand with the
oldest dependencies. A Python that is not on the machine is stated as not run.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
RESOLUTIONS = ("lowest-direct", "highest")

#: What asks for neighbours and a whole site.
LEFT_OUT = {"test_docs.py"}


def find_python(version: str) -> str | None:
    """Return the path of a Python of this version, or None."""
    command = [uv(), "python", "find", "--no-python-downloads", "--no-project", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False)

    if found.returncode == 0:
        return found.stdout.strip()

    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    return str(installed[-1]) if installed else None


def uv() -> str:
    """Return the path of uv."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv") or "uv"


def core() -> list[str]:
    """Return the test files that need no neighbour but a database."""
    paths = sorted((ROOT / "tests").glob("test_*.py"))
    names = [str(path.relative_to(ROOT)) for path in paths if path.name not in LEFT_OUT]
    beside = ("tests/neighbours/test_engines.py", "tests/neighbours/test_sessions.py")
    return [*names, "tests/promises", *beside]


def run(python: str, resolution: str) -> str:
    """Run the core in an environment of its own; return what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "VIRTUAL_ENV": folder}
        path = str(Path(folder) / "bin" / "python")

        fixed = str(Path(folder) / "fixed.txt")

        for command in (
            [uv(), "venv", "--quiet", "--python", python, folder],
            [uv(), "pip", "install", "--quiet", "--resolution", resolution, "-e", str(ROOT)],
            [uv(), "pip", "freeze", "--exclude-editable"],
            # The tools are new ones, and may not bring newer dependencies of ours along.
            [uv(), "pip", "install", "--quiet", "--constraints", fixed, "--group", "dev"],
        ):
            made = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
            )

            if made.returncode:
                return f"not installed: {made.stderr.strip()[-500:]}"

            if "freeze" in command:
                Path(fixed).write_text(made.stdout)

        options = ["-q", "-n", "auto", "-p", "no:cacheprovider", "-m", "not thorough"]
        command = [path, "-m", "pytest", *options, *core()]
        tested = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        lines = tested.stdout.strip().splitlines() or [tested.stderr.strip()]

        if tested.returncode:
            failed = [line for line in lines if re.match("FAILED|ERROR", line)]
            return "\n    ".join([f"FAILED: {lines[-1]}", *failed[:20]])

        return f"passed: {lines[-1]}"


def main() -> int:
    """Run all that is asked for, say what came of each, and return 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.packaging.versions")
    parser.add_argument("pythons", nargs="*", default=PYTHONS)
    parser.add_argument("--oldest", action="store_true", help="oldest dependencies, this Python")
    options = parser.parse_args()
    here = "{}.{}".format(*sys.version_info)
    failed = False

    for version in [here] if options.oldest else options.pythons:
        python = find_python(version)

        for resolution in RESOLUTIONS[:1] if options.oldest else RESOLUTIONS:
            outcome = run(python, resolution) if python else "not run: no such Python here"
            failed |= outcome.startswith(("FAILED", "not installed"))
            sys.stdout.write(f"Python {version}, {resolution} dependencies: {outcome}\n")
            sys.stdout.flush()

    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
