"""Payer: pays the orders of a shop, without a browser and without a network."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from http.client import IncompleteRead
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import Client

from ..client.transport import Exchange
from ..simulator import ConnectionCutError
from ..simulator import Delivery
from ..simulator import PaymentSession
from ..simulator import Simulator
from ..simulator.transport import Answer
from .callbacks import path_of
from .callbacks import post_callback
from .callbacks import state_of


def connect(app: Flask, *, name: str = "spayon") -> Simulator:
    """Return a simulator that stands in for Spayon within this process, for the object *name*.

    It has the credentials that *app* is configured with. All that the two say to each other is
    said in the caller's thread, without a socket.
    """
    state = state_of(app, name)
    settings = state.settings
    simulator = Simulator(
        public_url=settings.api_url,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        callback_secret=settings.callback_secrets[0],
        transport=_into(app, name),
    )
    state.client.answer_with(_in_process(simulator.app))
    return simulator


class Payer:
    """Pay orders of *app* at *simulator*, and have their callbacks delivered.

    *client* walks through the checkout page: one that is logged in, if the shop asks for that.
    *key_of* returns the key of an order by its id, if the shop's links hold another key.
    Each method that ends a payment fails unless the shop's answer to the callback is *answer*.
    """

    def __init__(
        self,
        app: Flask,
        simulator: Simulator,
        *,
        client: FlaskClient | None = None,
        key_of: Callable[[str], str] = str,
        name: str = "spayon",
    ) -> None:
        self.client = client or app.test_client()
        self.simulator = simulator
        self._app = app
        self._key_of = key_of
        self._name = name

    def checkout(self, order_id: str, form: Mapping[str, str] | None = None) -> str:
        """Submit the checkout page of an order, and return the id of the payment session."""
        path = path_of(self._app, self._name, "checkout", order_id=self._key_of(order_id))
        response = self.client.post(path, data=form or {})
        session = self._session(order_id)

        if response.status_code != 303 or session is None:  # noqa: PLR2004  an HTTP status
            raise AssertionError(
                f"the checkout of order {order_id} answered {response.status_code} in place of a "
                f"redirect to Spayon:\n{response.text[:2000]}"
            )

        return session.id

    def pay(self, order_id: str, *, answer: int = 200) -> Delivery:
        """Pay an order, from its checkout page on if there is no payment session yet."""
        return self._end(self.simulator.pay, order_id, answer)

    def decline(self, order_id: str, code: str = "05", *, answer: int = 200) -> Delivery:
        """Have the card declined with *code*, after which the payer gives up."""
        return self._end(lambda each: self.simulator.decline(each, code), order_id, answer)

    def expire(self, order_id: str, *, answer: int = 200) -> Delivery:
        """Let the 15 minutes of the payment session pass."""
        return self._end(self.simulator.expire, order_id, answer)

    def deliver(
        self,
        order_id: str,
        *statuses: str,
        times: int = 1,
        shuffled: int | None = None,
        at_once: bool = False,
    ) -> list[int]:
        """Deliver callbacks about the payment session of an order; return the shop's answers.

        Each of *statuses* (or else how the session stands) *times* over, one after the other, or
        in an order that the seed *shuffled* gives, or all *at_once*, in threads.
        """
        session = self._needed(order_id)
        wanted = [*(statuses or (session.status,))] * times
        answers: list[int] = []

        if shuffled is not None:
            random.Random(shuffled).shuffle(wanted)  # noqa: S311  an order, not a secret

        def post(status: str) -> None:
            client = self._app.test_client()
            response = post_callback(client, session.id, status, name=self._name)
            answers.append(response.status_code)

        if at_once:
            _together(post, wanted)

        else:
            for status in wanted:
                post(status)

        return answers

    def _end(self, end: Callable[[str], Delivery | None], order_id: str, answer: int) -> Delivery:
        session = self._session(order_id)

        if session is None or session.over:
            self.checkout(order_id)
            session = self._needed(order_id)

        delivery = end(session.id)

        if delivery is None:
            raise AssertionError("the payment session names no callback_url")

        if delivery.status_code != answer:
            said = delivery.attempts[-1].answer if delivery.attempts else "nothing"
            raise AssertionError(
                f"the callback was answered {delivery.status_code}, not {answer}: {said.strip()}; "
                "if a handler failed, the log says why"
            )

        return delivery

    def _session(self, order_id: str) -> PaymentSession | None:
        found = self.simulator.sessions.of_order(order_id)
        return found[-1] if found else None

    def _needed(self, order_id: str) -> PaymentSession:
        session = self._session(order_id)

        if session is None:
            raise AssertionError(f"order {order_id} has no payment session: call checkout first")

        return session


def _in_process(wsgi_app: Any) -> Exchange:
    """Return what answers requests with *wsgi_app*, in the thread that sends them.

    A line that a fault of the simulator cuts is raised as a socket would raise it.
    """

    def exchange(
        method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        # A client of its own for each call: no cookie of one shows in the next.
        client = Client(wsgi_app)

        try:
            with client.open(url, method=method, headers=dict(headers), data=body) as answer:
                return answer.status_code, dict(answer.headers), answer.get_data()

        except ConnectionCutError as error:
            if error.answer_begun:
                raise IncompleteRead(b"") from None

            raise

    return exchange


def _into(app: Flask, name: str) -> Callable[[str, bytes, Mapping[str, str]], Answer]:
    """Return what carries the simulator's callbacks into *app*, whatever its PUBLIC_URL is."""

    def carry(_: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        path = path_of(app, name, "callback")
        response = app.test_client().post(path, data=body, headers=dict(headers))
        return Answer(response.status_code, response.data)

    return carry


def _together(call: Callable[[str], object], values: Sequence[str]) -> None:
    gate = threading.Barrier(len(values))

    def go(value: str) -> None:
        gate.wait()
        call(value)

    threads = [threading.Thread(target=go, args=(value,)) for value in values]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join()
