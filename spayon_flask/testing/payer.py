"""Payer: pays the orders of a shop, without a browser and without a network; its fixtures."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import Client

from ..client.connections import Exchange
from ..domain.orders import without_mark
from ..simulator import ConnectionCutError, Delivery, PaymentSession, Simulator
from ..simulator.courier import together
from ..simulator.server import PATIENCE
from ..simulator.transport import Answer
from .callbacks import path_of, post_callback, state_of


def connect(
    app: Flask,
    *,
    name: str = "spayon",
    seed: int | None = None,
    shape: Mapping[str, object] | None = None,
    like: str | Path | Mapping[str, Any] | None = None,
) -> Simulator:
    """Return a simulator that stands in for Spayon within this process, for the account *name*.

    The simulator has the credentials that *app* is configured with. All that the two say to each
    other is said in the caller's thread, without a socket and without waiting. *seed*, *shape* and
    *like* are those of `Simulator`: repeatable ids, and how the gateway behaves.
    """
    state = state_of(app, name)
    settings = state.settings
    simulator = Simulator(
        public_url=settings.api_url,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        callback_secret=settings.callback_secrets[0],
        transport=_into(app, name),
        seed=seed,
        shape=shape,
        like=like,
    )
    state.client.answer_with(_in_process(simulator.app, settings.timeout[1]))
    return simulator


class Payer:
    """Pay orders of *app* at *simulator*, and have their callbacks delivered.

    *client* walks through the checkout page: one that is logged in, if the shop asks for that.
    An order goes by its key, as in the shop's links; or by its id, if *key_of* returns the key.
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
        #: The payment session that each key has led to.
        self._led_to: dict[str, str] = {}

    def checkout(self, order_id: str, form: Mapping[str, str] | None = None) -> str:
        """Submit the checkout page of an order, and return the id of the payment session.

        Fails unless the shop sends the payer on to Spayon.
        """
        path = path_of(self._app, self._name, "checkout", order_id=self._key_of(order_id))
        response = self.client.post(path, data=form or {})
        hosted, _, session_id = response.headers.get("Location", "").rpartition("/")

        if response.status_code != 303 or hosted != f"{self.simulator.url}/pay":  # noqa: PLR2004  an HTTP status
            raise AssertionError(
                f"the checkout of order {order_id} answered {response.status_code} "
                f"{response.headers.get('Location', '')} in place of a redirect to Spayon:\n"
                f"{response.text[:2000]}"
            )

        self._led_to[order_id] = session_id
        return session_id

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
            together([partial(post, status) for status in wanted])

        else:
            for status in wanted:
                post(status)

        return answers

    def _end(self, end: Callable[[str], Delivery | None], order_id: str, answer: int) -> Delivery:
        session = self._session(order_id)

        if session is None or session.over:
            session = self.simulator.find(self.checkout(order_id))

        if session is None:
            raise AssertionError(
                f"the payment session of order {order_id} is that of an earlier simulator: "
                "connect the app once, before the first checkout"
            )

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
        # Spayon may take each order id once: a later attempt then has one of its own.
        found = [
            each
            for each in self.simulator.sessions
            if order_id in (each.order_id, without_mark(each.order_id or ""))
        ]
        return found[-1] if found else self.simulator.find(self._led_to.get(order_id, ""))

    def _needed(self, order_id: str) -> PaymentSession:
        session = self._session(order_id)

        if session is None:
            raise AssertionError(f"order {order_id} has no payment session: call checkout first")

        return session


def _in_process(wsgi_app: Any, patience: float) -> Exchange:
    """Return what answers requests with *wsgi_app*, in the thread that sends them.

    A line that a fault of the simulator cuts, or an answer that would take longer than *patience*
    seconds, is raised as a socket would raise it.
    """

    def exchange(
        method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        # A client of its own for each call: no cookie of one shows in the next.
        client = Client(wsgi_app)

        try:
            with client.open(
                url,
                method=method,
                headers=dict(headers),
                data=body,
                environ_overrides={PATIENCE: patience},
            ) as answer:
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


# Only if pytest is installed is there somebody to ask for a fixture.
with suppress(ModuleNotFoundError):
    import pytest

    @pytest.fixture
    def spayon_simulator(app: Flask) -> Simulator:
        """Stand in for Spayon, within the process, for the shop's fixture `app`."""
        return connect(app)

    @pytest.fixture
    def spayon_payer(app: Flask, spayon_simulator: Simulator) -> Payer:
        """Pay orders of the shop's fixture `app`."""
        return Payer(app, spayon_simulator)
