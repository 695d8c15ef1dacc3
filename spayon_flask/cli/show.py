"""`flask spayon show`: one payment, or all attempts to pay an order, and what can be done now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ..domain.orders import without_mark
from ..state import AppState
from ..storage.outbox import CHANGING
from .command import command, current
from .terminal import (
    Columns,
    callback_fields,
    payment_fields,
    person,
    price_of,
    print_json,
    print_pairs,
    print_table,
    reported_of,
    when,
)

_HELP = """Show a payment, its callbacks and their verdicts.

NAME is the id of a payment session, our own reference, or the id of an order: then each attempt to
pay the order is shown. With --ask Spayon is asked first, whatever the status: what comes too late
changes nothing, but a `paid` counts. With --hand-over the dispatcher is given each callback row
again that changed the payment; a row that waits for its first time is the work of `reconcile`.
"""


_CALLBACKS: Columns = {
    "RECEIVED (UTC)": lambda each: when(each.received_at),
    "SOURCE": lambda each: each.source.replace("_", " "),
    "STATUS": lambda each: each.status,
    "VERDICT": lambda each: each.verdict,
    "DISPATCHER": lambda each: f"waits since {when(each.dispatch_at)}" if each.dispatch_at else "",
}


@command(_HELP)
@click.argument("name")
@click.option("--ask", is_flag=True, help="Ask Spayon now, and record the answer.")
@click.option("--hand-over", is_flag=True, help="Give the dispatcher its callback rows again.")
@click.option("--by", metavar="NAME", help="Who hands over; else the user of this shell.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def show(name: str, ask: bool, hand_over: bool, by: str | None, as_json: bool) -> None:
    state = current()
    attempts = _attempts(state, name)

    if not attempts:
        _show_unknown(state, name, as_json=as_json, only_shown=not (ask or hand_over))
        return

    said = _ask(state, attempts) if ask else {}

    if hand_over:
        _hand_over(state, attempts, person(by))

    if said or hand_over:
        attempts = _attempts(state, name)

    shown = [(each, _told(state, each)) for each in attempts]

    if as_json:
        _print_json(shown, said)

    else:
        _print(shown, said)


def _attempts(state: AppState, name: str) -> Sequence[Any]:
    """Return the payment called *name*, or each attempt to pay the order of that id."""
    queries = state.storage.queries
    queries.look_again()
    payment = queries.named(name)

    if payment is not None:
        return [payment]

    # The id of an attempt stands in Spayon's panel.
    return queries.attempts(name) or queries.attempts(without_mark(name))


def _told(state: AppState, payment: Any) -> Sequence[Any]:
    """Return what Spayon told us of *payment*."""
    return state.storage.queries.callbacks(payment.session_id) if payment.session_id else []


def _show_unknown(state: AppState, name: str, *, as_json: bool, only_shown: bool) -> None:
    """Show the reports about a payment session that no payment of ours has."""
    told = state.storage.queries.callbacks(name) if only_shown else []

    if not told:
        raise click.ClickException(
            f"no payment session and no order {name}: `flask {state.command} payments` lists them"
        )

    if as_json:
        print_json({"payment": None, "callbacks": [callback_fields(each) for each in told]})
        return

    click.echo("No payment of ours, but Spayon has told us of this payment session.")
    _print_callbacks(told)


def _ask(state: AppState, attempts: Sequence[Any]) -> dict[int, tuple[bool, str | None]]:
    """Ask about each attempt; return whether that was done and what Spayon said, by payment id."""
    asked = [each for each in attempts if each.session_id is not None]

    if not asked:
        raise click.ClickException(
            "Spayon never answered when this payment was begun: there is nothing to ask about"
        )

    said: dict[int, tuple[bool, str | None]] = {}

    for payment in asked:
        if payment.gateway != state.settings.gateway:
            raise click.ClickException(
                f"this payment was made with {payment.gateway}, and this shop now asks "
                f"{state.settings.gateway}"
            )

        payment_id = payment.id
        answer = state.reconciler.refresh(payment, settled=True)
        said[payment_id] = (answer.asked, answer.status)

    return said


def _hand_over(state: AppState, attempts: Sequence[Any], by: str) -> None:
    """Give the dispatcher each row that changed one of *attempts*; the payment keeps who did so."""
    if state.handlers.dispatcher is None:
        raise click.ClickException("the shop has registered no dispatcher")

    rows = [
        (payment.id, [row.id for row in _told(state, payment) if row.verdict in CHANGING])
        for payment in attempts
    ]

    if not any(ids for _, ids in rows):
        raise click.ClickException("no report has changed this payment: nothing to hand over")

    now = state.clock()
    failed = False

    for payment_id, ids in rows:
        if ids and not state.storage.decisions.hand_over(payment_id, by=by, now=now):
            raise click.ClickException("that was done a moment ago: wait a minute")

        for row in ids:
            done = state.storage.outbox.hand_over_again(row, now=now)
            failed = failed or not done
            click.echo(f"callback {row}: {'' if done else 'NOT '}handed over", err=True)

    if failed:
        raise click.ClickException(
            "the dispatcher failed: the log says why, and reconcile tries again"
        )


def _print_json(
    shown: Sequence[tuple[Any, Sequence[Any]]], said: dict[int, tuple[bool, str | None]]
) -> None:
    written: list[dict[str, object]] = []

    for payment, told in shown:
        asked = said.get(payment.id)
        answer = {"asked": asked[0], "said": asked[1]} if asked else {}
        callbacks = [callback_fields(each) for each in told]
        written.append({**answer, "payment": payment_fields(payment), "callbacks": callbacks})

    print_json(written[0] if len(written) == 1 else {"attempts": written})


def _print(
    shown: Sequence[tuple[Any, Sequence[Any]]], said: dict[int, tuple[bool, str | None]]
) -> None:
    for number, (payment, told) in enumerate(shown, 1):
        if len(shown) > 1:
            click.echo(f"{'' if number == 1 else chr(10)}Attempt {number} of {len(shown)}\n")

        if payment.id in said:
            asked, status = said[payment.id]
            click.echo(
                f"Spayon says: {status or 'no such payment session'}"
                if asked
                else "somebody has asked just now, so Spayon was not asked again"
            )

        _print_payment(payment)
        _print_callbacks(told)


def _print_payment(payment: Any) -> None:
    declines = [
        f"{each.get('responseCode', '?')} {each.get('responseReasonEn', '')}".strip()
        for each in payment.decline_reasons or ()
    ]
    reviewed = f"{when(payment.reviewed_at)} by {payment.reviewed_by}: {payment.reviewed_because}"
    refunded = f"{when(payment.refunded_at)} by {payment.refunded_by}: {payment.refunded_because}"
    print_pairs(
        {
            "order": payment.order_id,
            "payment session": payment.session_id or "(Spayon never answered)",
            "reference": payment.reference,
            "status": payment.status,
            "review": payment.review or "",
            "reviewed": reviewed if payment.reviewed_at else "",
            "product": payment.product_name or "",
            "price": price_of(payment),
            "paid at": when(payment.paid_at),
            "reported": reported_of(payment),
            "refund noted": refunded if payment.refunded_at else "",
            "handler failed": _failures(payment),
            "superseded": "yes, the order was changed" if payment.superseded else "",
            "declined": "; ".join(declines),
            "created": when(payment.created_at),
            "payable until": when(payment.expires_at) if payment.status == "pending" else "",
            "last change": when(payment.updated_at),
            "asked about": f"{payment.attempts} times, next {when(payment.due_at)}"
            if payment.due_at
            else "",
        }
    )


def _failures(payment: Any) -> str:
    if not payment.handler_failures:
        return ""

    since = when(payment.handler_failed_at)
    return f"{payment.handler_failures} times since {since}: {payment.handler_error or '?'}"


def _print_callbacks(told: Sequence[Any]) -> None:
    click.echo()

    if told:
        print_table(told, _CALLBACKS)

    else:
        click.echo("Nothing that Spayon told us is recorded yet.")
