"""Runs the simulator: `spayon-simulator`, or `python -m spayon_flask.simulator`."""

import argparse
import contextlib
import ipaddress
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .clock import FASTEST
from .deliveries import Attempt, Delivery
from .simulator import Simulator
from .story import load, origin

#: Where the simulator listens unless told otherwise.
PORT = 5001

GREETING = """\
The Spayon simulator is running. No money moves here.

  API and inspector  {sim.url}
  SPAYON_API_URL           {sim.url}
  SPAYON_CLIENT_ID         {sim.client_id}
  SPAYON_CLIENT_SECRET     {sim.client_secret}
  SPAYON_CALLBACK_SECRET   {sim.callback_secret}

Ctrl-C ends it.
"""

WARNING = """\
Warning: the simulator listens on {host}, so others on the network can reach it. Everybody knows
its secrets: do not let a shop that sells real goods talk to it.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator until it is told to end."""
    options = _parser().parse_args(arguments)
    where = f"{options.host}:{options.port}"
    try:
        simulator = Simulator(
            host=options.host,
            port=options.port,
            time_scale=options.time_scale,
            seed=options.seed,
            public_url=options.public_url,
            state=options.state,
            allow_hosts=options.allow_host,
            like=options.like,
            verify=not options.skip_verify,
        )
        story = _story(options.load)
        simulator.start()
    except OSError as error:
        # That a name is not known has no number that the system explains.
        known = isinstance(error, socket.gaierror)
        why = error.strerror if known else os.strerror(error.errno or 0)
        print(f"Cannot listen on {where}: {why}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1

    try:
        replayed = load(simulator, story, options.to or "") if story else []
    except ValueError as error:
        simulator.stop()
        print(f"{options.load}: {error}", file=sys.stderr)
        return 1

    # A pipe that nobody empties would hold up the callbacks.
    if sys.stdout.isatty():
        simulator.courier.on_attempt = _tell

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())

    with contextlib.closing(simulator):
        print(GREETING.format(sim=simulator), flush=True)
        if story:
            print(f"{len(replayed)} callbacks of {options.load} are replayed.", flush=True)

        for each in simulator.unlike:
            print(f"Not like the report: {each}", file=sys.stderr, flush=True)

        if not _is_loopback(options.host):
            print(WARNING.format(host=options.host), file=sys.stderr, flush=True)

        # In small pieces: a signal that another thread receives would not end one long wait.
        while not ended.wait(0.1):
            pass

    return 0


def _tell(delivery: Delivery, attempt: Attempt) -> None:
    """Print a line for each attempt to deliver a callback."""
    line = (
        f"{attempt.at:%H:%M:%S}  {delivery.status:<7}  {delivery.order_id or delivery.session_id}"
        f"  {origin(delivery)}  {delivery.url}  {attempt.outcome}, {attempt.seconds * 1000:.0f} ms"
        f"  {attempt.cause}"
    )
    # Nothing that a shop has sent may command the terminal.
    print(line.rstrip().encode("unicode_escape").decode(), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spayon-simulator",
        description="A stand-in for the Spayon gateway, for development and tests.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    add(
        "--port",
        type=_port,
        default=PORT,
        help=f"port (default: {PORT}; 0: a free one)",
    )
    add(
        "--time-scale",
        type=_scale,
        default=1.0,
        metavar="N",
        help="simulated seconds in a real one; 0 stops the clock",
    )
    add("--seed", type=int, metavar="N", help="make ids and chances repeat themselves")
    add("--state", metavar="FILE", help="remember everything in FILE, over a restart")
    add("--like", metavar="FILE", help="behave as Spayon did in this report of a rehearsal")
    add(
        "--public-url",
        metavar="URL",
        help="the address under which payers reach the simulator, if another",
    )
    add(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a further host name under which the pages may be opened; may be repeated",
    )
    add("--load", metavar="FILE", help="play back the story of a session, exported as JSON")
    add("--to", metavar="URL", help="with --load: the shop that is told, if another")
    add("--skip-verify", action="store_true", help="take any certificate of a shop for good")
    return parser


def _story(path: str | None) -> Any:
    """Return what the file at *path* holds; a `ValueError` names a file that cannot be read."""
    if path is None:
        return None

    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def _scale(text: str) -> float:
    scale = float(text)
    if not 0 <= scale <= FASTEST:
        raise argparse.ArgumentTypeError(f"from 0 to {FASTEST}")

    return scale


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 1 << 16:
        raise argparse.ArgumentTypeError("from 0 to 65535")

    return port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
