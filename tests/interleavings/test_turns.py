"""The harness itself: where operations stand still, and what it would notice."""

import threading

import pytest
from sqlalchemy import text

from tests.interleavings.explore import Explorer
from tests.interleavings.operations import callback, checkout
from tests.interleavings.turns import HungError, Operation
from tests.interleavings.world import World


@pytest.fixture
def world(explorer: Explorer) -> World:
    """A world in which there is one order of 1000, which nobody has begun to pay."""
    world = explorer.world
    world.begin_anew()
    return world


def add(world: World, *, locked: bool) -> Operation:
    """Return an operation that reads the price, adds 1 to it in Python, and writes it."""
    session = world.shop.db.session

    def work() -> None:
        with world.shop.app.app_context():
            if locked:
                session.execute(text("UPDATE shop_order SET paid_times = 0 WHERE id = 'A1'"))

            price = session.execute(text("SELECT price FROM shop_order")).scalar_one()
            new = {"price": str(int(price) + 1)}
            session.execute(text("UPDATE shop_order SET price = :price"), new)
            session.commit()

    return Operation("add", work)


def price(world: World) -> int:
    """Return the price of the order."""
    return int(world.execute("SELECT price FROM shop_order")[0].price)


def test_an_update_is_lost_if_the_other_one_writes_between_reading_and_writing(
    world: World,
) -> None:
    played = world.turns.play(add(world, locked=False), add(world, locked=False), 1, 9)

    assert played.stood
    assert price(world) == 1001


def test_an_operation_that_waits_for_a_lock_lets_the_other_one_go_on(world: World) -> None:
    first, second = add(world, locked=True), add(world, locked=True)

    played = world.turns.play(first, second, 1, 9)

    assert played.cut
    assert played.reached == 1  # the statement that had to wait
    assert (first.error, second.error) == (None, None)
    assert price(world) == 1002


def test_a_checkout_stands_ahead_of_its_statements_its_commits_and_the_gateway(
    world: World,
) -> None:
    operation = Operation("checkout", lambda: checkout(world))
    other = Operation("nothing", lambda: None)

    world.turns.play(operation, other, None, 0)

    assert operation.result.answer == 303
    assert "SELECT shop_order" in operation.trail
    assert "INSERT spayon_payment" in operation.trail
    assert "gateway" in operation.trail
    assert "COMMIT" in operation.trail


def test_the_trigger_sees_a_status_that_is_written_over_in_the_same_transaction(
    world: World,
) -> None:
    checkout(world)

    with world.shop.app.app_context():
        for status in ("paid", "review"):
            statement = text("UPDATE spayon_payment SET status = :status")
            world.shop.db.session.execute(statement, {"status": status})

        world.shop.db.session.commit()

    steps = world.execute("SELECT was, became FROM status_log WHERE event = 'status' ORDER BY seq")

    assert [tuple(each) for each in steps] == [("pending", "paid"), ("paid", "review")]


def test_two_operations_that_get_nowhere_are_told_of(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.interleavings.turns.HANGS", 0.05)
    never = threading.Event()

    with pytest.raises(HungError, match="endless"):
        world.turns.play(Operation("endless", never.wait), Operation("none", print), None, 0)

    never.set()


def test_a_moment_is_put_back_as_it_was(world: World) -> None:
    checkout(world)
    moment = world.keep()
    callback("G1", "paid")(world)

    world.restore(moment)

    assert world.rows() == moment.rows
    assert world.gateway.sessions == moment.sessions
