"""What a developer may do to the gateway that no payer and no shop can."""

from dataclasses import astuple
from typing import Any

from .deliveries import Delivery
from .faults import Fault
from .gateway import Gateway


class Controls(Gateway):
    """A gateway that delivers, holds and fails on command."""

    #: What the last command has come to, to be shown once on the next page.
    notice: str = ""

    @property
    def version(self) -> str:
        """Return a text that is another one after anything has happened."""
        counts = (
            self.sessions.changes,
            self.requests.total,
            self.deliveries.changes,
            self.faults.changes,
            self.clock.jumps,
            len(self.courier.held),
            int(self.courier.holding),
            len(self.tokens),
            *astuple(self.shape),
        )
        return ".".join(map(str, counts))

    def deliver(
        self,
        session_id: str,
        *,
        times: int = 1,
        concurrently: bool = False,
        secret: str | None = None,
        signed: bool = True,
        damaged: bool = False,
        **changes: Any,
    ) -> list[Delivery]:
        """Deliver the session's report once more, or *times* more; return what came of each.

        Each is one attempt, whatever is held. *changes* go into the report before it is signed
        (`status="failed"`, `price="1"`); *damaged* changes a byte after that; *secret* signs in
        place of the callback secret, and *signed* off leaves the signature out.
        """
        session = self.sessions[session_id]
        written = [
            self.courier.writer.write(
                session, secret=secret, signed=signed, damaged=damaged, **changes
            )
            for _ in range(times)
        ]
        deliveries = [delivery for delivery in written if delivery is not None]
        (self.courier.at_once if concurrently else self.courier.in_turn)(deliveries)
        return deliveries

    def hold_callbacks(self) -> None:
        """Hold every callback back from now on, until `release`."""
        self.courier.holding = True

    def release(self, order: str = "made", *, wait: bool = True) -> list[Delivery]:
        """Send on what was held: in the order `made`, `reversed` or `shuffled`."""
        released = self.courier.release(order, self.seed)
        if wait:
            for delivery in released:
                delivery.wait()

        return released

    def fault(self, kind: str, **options: Any) -> Fault:
        """Arm a fault (`faults.KINDS`): `fault("error", on="tokens", code=503, times=2)`."""
        return self.faults.arm(kind, **options)

    def settle(self, timeout: float = 15.0) -> bool:
        """Wait until no callback is under way or due; say whether that came within *timeout*."""
        return self.clock.settle(timeout)
