"""Sabotage: break one promise at a time in a copy of the tree, and see that a test notices.

`python -m tests.sabotage [WORD ...]` prints a line for each, and exits with 1 if one escapes.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from tests.databases import SERVERS
from tests.sabotages import SABOTAGES, Sabotage

ROOT = Path(__file__).parents[1]

#: Copies of the tree, each for one sabotage at a time.
COPIES = 2

#: What pytest exits with if tests ran and some failed; an error in collecting them is no proof.
FAILED = 1


class BrokenRunError(Exception):
    """The tests did not run, so nothing is known about the sabotage."""


def main() -> int:
    """Apply each sabotage by itself; 1 if a test suite passes in spite of one."""
    parser = argparse.ArgumentParser(prog="python -m tests.sabotage", description=__doc__)
    parser.add_argument("words", nargs="*", help="parts of those to try; all by default")
    wanted = parser.parse_args().words or [""]
    chosen = [
        (module, each)
        for module, group in SABOTAGES.items()
        for each in group
        if any(word in f"{module} {each.old} {each.tests}" for word in wanted)
    ]
    copies: SimpleQueue[Path] = SimpleQueue()

    with TemporaryDirectory(prefix="spayon-sabotage-") as folder:
        for number in range(COPIES):
            copies.put(_copy(Path(folder) / str(number)))

        # All of them pass while nothing is broken, or their failing would show nothing.
        sound = copies.get()
        broken = _run(sound, *(each.tests for _, each in chosen))
        copies.put(sound)

        if broken:
            print(f"{broken} fails without any sabotage")
            return 1

        def try_out(work: tuple[str, Sabotage]) -> bool:
            copy = copies.get()

            try:
                return _is_caught(*work, copy)

            finally:
                copies.put(copy)

        with ThreadPoolExecutor(COPIES) as pool:
            caught = list(pool.map(try_out, chosen))

    print(f"{sum(caught)} of {len(caught)} caught")
    return 0 if all(caught) else 1


def _copy(target: Path) -> Path:
    unwanted = shutil.ignore_patterns("__pycache__", ".git", ".*_cache", ".venv", "_build", "dist")
    shutil.copytree(ROOT, target, ignore=unwanted)
    return target


def _is_caught(module: str, sabotage: Sabotage, copy: Path) -> bool:
    """Apply *sabotage* to *copy*, run its tests, mend the copy again; return True if one failed."""
    path = copy / "spayon_flask" / module
    sound = path.read_text()
    name = f"{module}: {sabotage.old.splitlines()[0]}"

    if sound.count(sabotage.old) != 1:
        print(f"NOT APPLIED  {name}", flush=True)
        return False

    began = time.monotonic()
    path.write_text(sound.replace(sabotage.old, sabotage.new))

    try:
        failed = _run(copy, sabotage.tests)

    except BrokenRunError as error:
        print(f"NO PROOF  {name}: {error}", flush=True)
        return False

    finally:
        path.write_text(sound)

    seconds = time.monotonic() - began
    verdict = "caught " if failed else "ESCAPED"
    print(f"{verdict}  {name}  [{failed}, {seconds:.0f} s]", flush=True)
    return bool(failed)


def _run(copy: Path, *tests: str) -> str:
    """Run *tests*, each `file: words`; return the first that failed, empty if all passed."""
    chosen = [each.split(": ") for each in tests]
    paths = {Path("tests", name) for name, _ in chosen}
    files = sorted(str(path.with_name(f"test_{path.name}.py")) for path in paths)
    words = " or ".join(f"({_on_one_database(words)})" for _, words in chosen)
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-x", "-q", "-rf", "-p", "no:cacheprovider"),
            *(*files, "-k", words),
        ],
        cwd=copy,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )

    # An error before the test, or no test at all, is no proof of anything.
    if result.returncode not in {0, FAILED} or "error" in result.stdout.splitlines()[-1]:
        said = (result.stdout + result.stderr)[-2000:]
        raise BrokenRunError(f"pytest ended with {result.returncode}: {said}")

    failed = [line for line in result.stdout.splitlines() if line.startswith("FAILED")]
    return failed[0].partition(" - ")[0].rpartition("::")[2] if failed else ""


def _on_one_database(words: str) -> str:
    """Leave the servers out, unless one of them is named."""
    named = any(each in words for each in SERVERS)
    return words if named else " and not ".join([f"({words})", *SERVERS])


if __name__ == "__main__":
    raise SystemExit(main())
