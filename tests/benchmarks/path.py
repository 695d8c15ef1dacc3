"""Print the way of a first `paid` callback: each module and function of ours that it passes.

`python -m tests.benchmarks.path` delivers one callback to a shop on SQLite, with a handler, and
traces what is called from the view to the commit and the answer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import spayon_flask
from tests.conftest import dispose
from tests.reports import report
from tests.shop import make_shop


PACKAGE = Path(spayon_flask.__file__).parent

#: The money path, as the design has it.
MONEY_PATH = (
    "views/callback.py",
    "storage/recording.py",
    "transitions.py",
    "storage/status.py",
    "storage/outbox.py",
)


def trace() -> dict[str, list[str]]:
    """Return the functions that a first `paid` callback calls, by module, in order."""
    shop = make_shop()
    shop.add_order()

    # The first callback builds statements, which those after it find built.
    for session_id in ("S1", "S2"):
        shop.add_payment(session_id, "A1" if session_id == "S1" else shop.add_order("A2"))

    shop.deliver(report("S1"))
    passed: dict[str, list[str]] = {}

    def note(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        path = Path(frame.f_code.co_filename)

        if event == "call" and path.is_relative_to(PACKAGE):
            functions = passed.setdefault(path.relative_to(PACKAGE).as_posix(), [])

            if (name := _name(frame)) not in functions:
                functions.append(name)

        return None

    sys.setprofile(note)

    try:
        assert shop.deliver(report("S2", orderId="A2")) == 200

    finally:
        sys.setprofile(None)
        dispose(shop)

    return passed


def _name(frame: FrameType) -> str:
    # With its class from Python 3.11 on.
    return str(getattr(frame.f_code, "co_qualname", frame.f_code.co_name))


def main() -> None:
    """Print the modules and functions, and count them."""
    passed = trace()

    for module, functions in passed.items():
        mark = "*" if module in MONEY_PATH else " "
        print(f"{mark} {module:32} {', '.join(functions)}")

    print(f"{len(passed)} modules, {sum(map(len, passed.values()))} functions")
    print(f"* the money path: {len(MONEY_PATH)} modules")


if __name__ == "__main__":
    main()
