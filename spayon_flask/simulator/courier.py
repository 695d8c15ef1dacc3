"""Courier: delivers callbacks, as often as needed, held back or in another order if asked to."""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

from .clock import Clock
from .deliveries import Attempt, Deliveries, Delivery, Writer
from .faults import Fault, Faults
from .shape import Shape
from .transport import Transport, likely_cause, timed

#: A callback that was set aside for the next one to overtake sets out by itself after this time.
PATIENCE = timedelta(seconds=60)

#: What an attempt has lost.
ON_THE_WAY = "lost on the way"
ANSWER_LOST = "answer lost"


class Courier:
    """Take reports to the shop over *transport*."""

    def __init__(
        self,
        clock: Clock,
        faults: Faults,
        shape: Shape,
        transport: Transport,
        callback_secret: Callable[[], str],
    ) -> None:
        self.deliveries = Deliveries()
        self.writer = Writer(self.deliveries, shape, clock, callback_secret)
        self.holding = False
        #: Is told of each attempt, once it is over.
        self.on_attempt: Callable[[Delivery, Attempt], object] = lambda *_: None
        self._clock = clock
        self._faults = faults
        self._shape = shape
        self._transport = transport
        self._lock = threading.Lock()
        self._held: list[Delivery] = []
        self._overtaken: list[Delivery] = []

    @property
    def held(self) -> list[Delivery]:
        """Return the deliveries that wait to be released."""
        with self._lock:
            return list(self._held)

    def dispatch(self, delivery: Delivery) -> bool:
        """Send *delivery* on its way; return True if it sets out now."""
        with self._lock:
            if self.holding:
                delivery.state = "held"
                self._held.append(delivery)
                self.deliveries.touch(delivery.number)
                return False

            # One at a time: the next callback overtakes it, and is not set aside as well.
            waiting = [each for each in self._overtaken if not each.attempts]
            if not waiting and self._strikes("callback_reordered", delivery):
                self._overtaken = [delivery]
                self._clock.at(self._clock.now() + PATIENCE, lambda: self._catch_up([delivery]))
                return False

            overtaken, self._overtaken = waiting, []

        late = self._strikes("callback_late", delivery)
        if late:
            self.resume(delivery, self._clock.now() + timedelta(seconds=late.seconds))
            self._clock.soon(lambda: self._catch_up(overtaken))
            return False

        self._clock.soon(lambda: self._carry(delivery, overtaken), origin_of(delivery.url))
        return True

    def reset(self) -> None:
        """Forget every delivery and hold none back; what was under way is not attempted again."""
        with self._lock:
            self.deliveries.reset()
            self.holding = False
            self._held, self._overtaken = [], []

    def resume(self, delivery: Delivery, due_at: datetime) -> None:
        """Attempt *delivery* at the moment *due_at*."""
        delivery.due_at = due_at
        self.deliveries.touch(delivery.number)
        self._clock.at(due_at, lambda: self._carry(delivery, ()), origin_of(delivery.url))

    def restore(self, delivery: Delivery) -> None:
        """Take *delivery* over from an earlier life, and go on with it."""
        self.deliveries.add(delivery)
        if delivery.state == "held":
            self._held.append(delivery)
        elif delivery.state == "waiting":
            self.resume(delivery, delivery.due_at or self._clock.now())

    def release(self, order: str = "made", seed: int | None = None) -> list[Delivery]:
        """Send on what was held, one after the other: as `made`, `reversed` or `shuffled`."""
        if order not in {"made", "reversed", "shuffled"}:
            raise ValueError("order must be made, reversed or shuffled")

        with self._lock:
            self.holding = False
            released, self._held = self._held, []

        if order == "reversed":
            released.reverse()
        elif order == "shuffled":
            random.Random(seed).shuffle(released)  # noqa: S311  repeatable, no secret

        for delivery in released:
            delivery.state = "waiting"
            self.deliveries.touch(delivery.number)

        self._clock.soon(lambda: self.in_turn(released))
        return released

    def at_once(self, deliveries: Sequence[Delivery]) -> None:
        """Attempt all of *deliveries* at the same moment, and wait until all were tried."""
        together([partial(self.attempt, delivery) for delivery in deliveries])

    def in_turn(self, deliveries: Sequence[Delivery]) -> None:
        """Attempt all of *deliveries*, one after the other."""
        for delivery in deliveries:
            self.attempt(delivery)

    def replay(self, recorded: Sequence[Delivery], to: str = "") -> list[Delivery]:
        """Repeat every attempt of *recorded*, in its order and with its delays.

        *to* is another shop (`http://127.0.0.1:8000`), or with a path the whole address.
        """
        attempts = [(each.at, delivery) for delivery in recorded for each in delivery.attempts]
        attempts.sort(key=lambda pair: pair[0])
        now, made = self._clock.now(), []
        for index, (at, delivery) in enumerate(attempts):
            url, other = urlsplit(delivery.url), urlsplit(to)
            if other.path.strip("/"):
                url = other
            elif to:
                url = url._replace(scheme=other.scheme, netloc=other.netloc)

            again = self.writer.rewrite(
                delivery,
                signature="same" if delivery.tampering else "right",
                origin="replayed",
                url=url.geturl(),
            )
            made.append(again)
            # A microsecond each, so that those of the same moment keep their order.
            self.resume(again, now + (at - attempts[0][0]) + timedelta(microseconds=index))

        return made

    def attempt(self, delivery: Delivery) -> None:
        """Try once to deliver, and see to the next attempt if there is to be one."""
        at = self._clock.now()
        if self._strikes("callback_lost", delivery):
            attempt = Attempt(at, None, 0.0, "", "The simulator lost it on purpose.", ON_THE_WAY)
        else:
            attempt = self._ask(delivery, at)

        delivered = self._shape.delivered(attempt.status_code)
        if delivery.add(attempt, delivered=delivered):
            self.resume(delivery, at + timedelta(seconds=self._shape.spacing))

        self.deliveries.touch(delivery.number)
        delivery.tried.set()
        self.on_attempt(delivery, attempt)

    def _ask(self, delivery: Delivery, at: datetime) -> Attempt:
        sent = dict(delivery.headers)
        answer, seconds = timed(self._transport, delivery.url, delivery.body, sent)
        if self._strikes("callback_answer_lost", delivery):
            code = answer.status_code or "no answer"
            cause = f"The shop's own answer was {code}; the simulator lost it on purpose."
            return Attempt(at, None, seconds, "", cause, ANSWER_LOST)

        taken = self._shape.delivered(answer.status_code)
        cause = likely_cause(answer, taken=taken, tampering=delivery.tampering)
        text = answer.body.decode(errors="replace") if answer.error is None else answer.error
        return Attempt(at, answer.status_code, seconds, text, cause, headers=answer.headers)

    def _strikes(self, kind: str, delivery: Delivery) -> Fault | None:
        return self._faults.strike(kind, order=delivery.order_id)

    def _carry(self, delivery: Delivery, overtaken: Sequence[Delivery]) -> None:
        if self.deliveries.find(delivery.number) is not delivery:
            return  # It was forgotten meanwhile.

        if self._strikes("callback_duplicated", delivery):
            twin = replace(
                delivery,
                number=self.deliveries.number(),
                allowed=1,
                origin="duplicate",
                again_of=delivery.number,
                attempts=[],
                tried=threading.Event(),
            )
            self.deliveries.add(twin)
            self.at_once([delivery, twin])
        else:
            self.attempt(delivery)

        self._catch_up(overtaken)

    def _catch_up(self, overtaken: Sequence[Delivery]) -> None:
        for delivery in overtaken:
            if not delivery.attempts:
                self._carry(delivery, ())


def origin_of(url: str) -> str:
    """Return the scheme, host and port of *url*, as the Origin header has them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def together(actions: Sequence[Callable[[], object]]) -> None:
    """Carry out all *actions* at the same moment, each in a thread; raise what one has raised."""
    if not actions:
        return

    gate = threading.Barrier(len(actions))
    errors: list[BaseException] = []

    def go(action: Callable[[], object]) -> None:
        gate.wait()
        try:
            action()
        except BaseException as error:  # noqa: BLE001  raised below, in the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=go, args=(each,), daemon=True) for each in actions]
    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join()

    if errors:
        raise errors[0]
