"""Runs the simulator: `python -m spayon_flask.simulator`."""

import argparse
import contextlib
import ipaddress
import os
import signal
import sys
import threading
from collections.abc import Sequence

from .clock import FASTEST
from .simulator import Simulator


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
    try:
        simulator = Simulator(
            host=options.host,
            port=options.port,
            time_scale=options.time_scale,
            seed=options.seed,
            public_url=options.public_url,
            state=options.state,
            like=options.like,
        )
    except (OSError, ValueError) as error:
        print(f"Cannot be like {options.like}: {error}", file=sys.stderr)
        return 1

    try:
        simulator.start()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        print(f"Cannot listen on {options.host}:{options.port}: {reason}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())

    with contextlib.closing(simulator):
        print(GREETING.format(sim=simulator), flush=True)
        for each in simulator.unlike:
            print(f"Not like the report: {each}", file=sys.stderr, flush=True)

        if not _is_loopback(options.host):
            print(WARNING.format(host=options.host), file=sys.stderr, flush=True)

        # In small pieces: a signal that another thread receives would not end one long wait.
        while not ended.wait(0.1):
            pass

    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spayon_flask.simulator",
        description="A stand-in for the Spayon gateway, for development and tests.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    add(
        "--port", type=int, default=PORT, help=f"port to listen on (default: {PORT}; 0: a free one)"
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
    return parser


def _scale(text: str) -> float:
    scale = float(text)
    if not 0 <= scale <= FASTEST:
        raise argparse.ArgumentTypeError(f"from 0 to {FASTEST}")

    return scale


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
