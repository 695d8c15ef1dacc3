"""Rehearsal: one walk through all steps, to a report and an exit code."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..settings import Settings
from . import report as reports
from .alone import Alone
from .notes import Notes
from .payer import Payer, Person
from .receiver import Receiver
from .shop import Shop
from .waiting import HANG, Waiting
from .wire import Wire

#: Where sessions lead that nobody comes back from.
NOWHERE = {
    f"{what}_url": f"https://example.com/spayon-rehearsal/{what}"
    for what in ("callback", "return", "cancel")
}


@dataclass(frozen=True)
class Options:
    """What a rehearsal is to try, and where it listens: *url* leads to *port* from outside."""

    url: str | None = None
    port: int = 5002
    host: str = "127.0.0.1"
    pay: bool = False
    wait: bool = False
    currencies: Iterable[str] = ()
    product_id: int | None = None
    hang: float = HANG


class Terminal:
    """The person at the terminal."""

    def tell(self, says: str) -> None:
        """Print what is done."""
        print(f"- {says}" if not says.startswith(" ") else says, flush=True)

    def do(self, what: str, url: str) -> bool:
        """Ask the person to do *what* at *url*; return False if the person leaves it out."""
        print(f"\n  {what}\n  {url}\n", flush=True)

        try:
            answer = input("  Press Enter when it is done; s and Enter leaves it out: ")

        except EOFError:
            answer = ""

        print(flush=True)
        return answer.strip().lower() != "s"


def rehearse(
    settings: Settings,
    options: Options,
    *,
    person: Person | None = None,
    tell: Callable[[str], object] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    sleep: Callable[[float], object] = time.sleep,
) -> dict[str, Any]:
    """Find out what Spayon really does, and return the report.

    Raises `ConfigError` if *options* cannot work. What stops a step is in the report.
    """
    terminal = Terminal()
    tell = tell or terminal.tell
    wire = Wire(settings, sleep=sleep)
    notes = Notes(wire, tell)
    payer = None

    with ExitStack() as stack:
        receiver = stack.enter_context(_receiver(settings, options, clock)) if options.url else None
        links = receiver.links(receiver.open()) if receiver else NOWHERE
        shop = Shop(wire, links)
        alone = Alone(
            wire, notes, shop, currencies=options.currencies, product_id=options.product_id
        )

        if receiver is not None and (why := receiver.check(settings.timeout)):
            tell(f"Warning: {why}. Go on only if Spayon can reach it all the same.")

        alone.walk()

        if receiver is not None:
            time_ = {"clock": clock, "sleep": sleep}
            waiting = Waiting(wire, notes, shop, receiver, hang=options.hang, **time_)  # type: ignore[arg-type]  # as named
            payer = Payer(wire, notes, shop, receiver, person or terminal, **time_)  # type: ignore[arg-type]  # as named

            if options.wait:
                waiting.begin()

            if options.pay:
                payer.walk()

            waiting.finish()

    came = payer.came if payer else []
    return reports.as_json(notes, wire, came, environment_of(settings), clock())


def _receiver(settings: Settings, options: Options, clock: Callable[[], datetime]) -> Receiver:
    url = options.url or ""

    if settings.production and not url.startswith("https:"):
        raise ConfigError("--url must be https: in production Spayon calls nothing else")

    return Receiver(url, options.port, clock, options.host)


def run(settings: Settings, options: Options, path: str | None) -> int:
    """Rehearse at the terminal, write the report to *path*, and return the exit code."""
    if (options.pay or options.wait) and not options.url:
        raise ConfigError(
            "--pay and --wait need --url: the public address that leads to --port of this machine"
        )

    # Found out before a person has paid, and not after.
    if not os.access(folder := Path(path or "report").absolute().parent, os.W_OK):
        raise ConfigError(f"no report can be written into {folder}: use --report")

    environment = environment_of(settings)
    print(f"A rehearsal with {settings.api_url} ({environment})", flush=True)
    report = rehearse(settings, options)
    print("\n" + reports.as_text(report), flush=True)
    file = Path(path or f"rehearsal-{environment}-{report['at'][:10]}.json")

    try:
        reports.write(report, file)

    except OSError as error:
        raise ConfigError(f"{file} cannot be written ({error.strerror}): use --report") from error

    print(f"Written to {file} and {file.with_suffix('.txt').name}", flush=True)
    return int(report["exit_code"])


def environment_of(settings: Settings) -> str:
    """Return what a report calls the gateway of *settings*."""
    return "simulator" if settings.simulated else settings.environment
