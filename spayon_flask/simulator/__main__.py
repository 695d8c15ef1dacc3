"""Runs the simulator: `spayon-simulator`, or `python -m spayon_flask.simulator`."""

import argparse
import contextlib
import ipaddress
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .clock import FASTEST
from .simulator import Simulator
from .story import load


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

TUNNEL_HELP = """\
How a phone or a colleague reaches the simulator. It opens no tunnel by itself.

A shop sends its payers to the address that the simulator believes to have, so tell it the public
one. Payers need the simulator; a colleague who walks through the whole purchase needs the shop too.

1. A phone in the same network. Find this machine's address (here 192.168.1.20), and start

     spayon-simulator --host 0.0.0.0 --public-url http://192.168.1.20:5001

   Start the shop so that the phone reaches it as well (flask run --host 0.0.0.0) and set its
   SPAYON_PUBLIC_URL to http://192.168.1.20:5000. SPAYON_API_URL may stay at 127.0.0.1.

2. A colleague elsewhere, by a server of yours that both reach over SSH. In another terminal:

     ssh -R 8001:127.0.0.1:5001 you@server.example

   and start with --public-url http://server.example:8001 (sshd needs GatewayPorts).

3. A colleague elsewhere, by a tunnel service. Each of them prints a public URL for a local port:

     cloudflared tunnel --url http://127.0.0.1:5001
     ngrok http 5001
     tailscale funnel 5001

   Start the simulator again with --public-url and that URL. It must have a port or a host name of
   its own: the simulator does not work below a path.

Who reaches the simulator can see and change everything in it, and its secrets are known to
everybody. Let no shop that sells real goods talk to it, and end the tunnel when you are done.
"""

WARNING = """\
Warning: the simulator listens on {host}, so others on the network can reach it. Everybody knows
its secrets: do not let a shop that sells real goods talk to it.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator until it is told to end."""
    options = _parser().parse_args(arguments)
    if options.tunnel_help:
        print(TUNNEL_HELP, end="")
        return 0

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
        )
    except (OSError, ValueError) as error:
        print(f"Cannot be like {options.like}: {error}", file=sys.stderr)
        return 1

    try:
        story = _story(options.load)
        simulator.start()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        print(f"Cannot listen on {options.host}:{options.port}: {reason}", file=sys.stderr)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spayon-simulator",
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
    add(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a further host name under which the pages may be opened; may be repeated",
    )
    add("--load", metavar="FILE", help="play back the story of a session, exported as JSON")
    add("--to", metavar="URL", help="with --load: the shop that is told, if another")
    add("--tunnel-help", action="store_true", help="explain how a phone or a colleague reaches it")
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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
