"""What the simulator does not understand is refused in words, and nothing wrong becomes a 500."""

import json
import socket
from typing import Any

from spayon_flask.simulator import PaymentSession, Simulator
from spayon_flask.simulator.server import MAX_BODY
from tests.simulator.bare import Bare
from tests.simulator.scene import Scene

#: Pages and lists that show whatever a shop has sent.
PAGES = [
    "",
    *(f"{name}{form}" for name in ("sessions", "requests", "deliveries") for form in ("", ".json")),
]


def look_everywhere(sim: Simulator) -> None:
    """Open every page and list, and each entry."""
    client = sim.app.test_client()
    pages = [f"/_simulator/{page}" for page in PAGES if page != "sessions"]
    pages += [f"/_simulator/requests/{each.number}" for each in sim.requests]
    pages += [f"/_simulator/deliveries/{each.number}" for each in sim.deliveries]
    for session in sim.sessions:
        pages += [f"/_simulator/sessions/{session.id}", f"/pay/{session.id}"]

    for page in pages:
        assert client.get(page).status_code == 200, page


def command(sim: Simulator, path: str, body: Any, **headers: str) -> tuple[int, str]:
    """Post *body* to a control route; return the code and what was said."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **headers}
    answer = sim.app.test_client().post(f"/_simulator/{path}", data=sent, headers=headers)
    return answer.status_code, answer.text


def test_a_creation_that_makes_no_sense_is_a_400_that_names_what(api: Bare, sim: Simulator) -> None:
    """Half of a surrogate pair, a price out of all bounds, a list of the wrong things."""
    sim.shape.change(refused=["unknown-payment-method", "decimal-price"])
    base = {"product_name": "Tea", "price": 1000, "currency": "amd"}
    texts = ("product_name", "order_id", "full_name", "email", "language", "callback_url")
    bodies = [(json.dumps(base | {key: "a\ud800"}), key) for key in texts]
    bodies += [
        (json.dumps(base | {"availablePaymentMethods": ["\udfff"]}), "availablePaymentMethods"),
        (json.dumps(base | {"x\ud800": 1}), "x\\ud800"),
        (json.dumps(base | {"availablePaymentMethods": [{}]}), "availablePaymentMethods"),
        ('{"product_name": "Tea", "currency": "amd", "price": 1e9999}', "price"),
        ('{"product_name": "Tea", "currency": "amd", "price": 1e99999999999999999999}', "not JSON"),
        ('{"product_name": 12, "currency": "amd", "price": 1}', "not a number"),
        ('{"product_name": 1.5, "currency": "amd", "price": 1}', "not a number with a fraction"),
    ]
    for body, named in bodies:
        answer = api.ask("POST", "/api/product/session", body, api._authorized({}))
        assert answer.code == 400, body
        assert named in answer.json["error"]
        assert "not a number with" in named or "with a fraction" not in answer.text

    assert sim.sessions.created == 0
    look_everywhere(sim)


def test_a_command_says_what_it_has_not_understood(sim: Simulator, session: PaymentSession) -> None:
    """JSON under curl's default content type, an unknown field, a flag that is none."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    text = {"Content-Type": "text/plain"}
    pay = f"sessions/{session.id}/pay"
    wrong: list[tuple[str, Any, dict[str, str], str]] = [
        ("clock", b'{"step": 900}', form, "Content-Type: application/json"),
        ("clock", b'{"step": 900}', text, "Content-Type: application/json"),
        ("clock", b"[", {}, "JSON"),
        ("clock", {"steps": 900}, {}, "no field 'steps'; there are step, back, scale"),
        ("clock?step=900", {}, {}, "address"),
        ("clock", {"back": "perhaps"}, {}, "back must be true or false"),
        ("clock", {"step": True}, {}, "step must be a number"),
        (pay, {"late": "no"}, {}, "late must be true or false"),
        (pay, {"code": "05"}, {}, "no field 'code'"),
        ("faults", {"kind": "latency", "second": 3}, {}, "no field 'second'"),
        ("faults", {"kind": "latency", "times": 1.5}, {}, "whole number"),
        ("faults", {"kind": "latency", "order": "\ud800"}, {}, "surrogate"),
        ("faults/clear", {"numbers": 1}, {}, "no field"),
        ("shape", {"prices": "padded"}, {}, "no field 'prices'"),
        ("callbacks/hold", {"order": "made"}, {}, "no field"),
        ("tokens/revoke", {"x": 1}, {}, "no field"),
        ("clear", {"x": 1}, {}, "no field"),
        (f"sessions/{session.id}/replay", {"to": "shop"}, {}, "to must be an absolute URL"),
    ]
    before = sim.version, sim.clock.now()
    for path, body, headers, said in wrong:
        code, answer = command(sim, path, body, **headers)
        assert code == 400, (path, body, answer)
        assert said in json.loads(answer)["notice"]

    assert (sim.version, sim.clock.now()) == before


def test_a_flag_that_is_false_is_not_true(sim: Simulator, session: PaymentSession) -> None:
    """As text, too: a form has nothing else."""
    sim.expire(session.id)
    for value in (False, "false", "0"):
        code, said = command(sim, f"sessions/{session.id}/pay", {"late": value})
        assert (code, "expired already" in said) == (409, True)

    assert command(sim, f"sessions/{session.id}/pay", {"late": "true"})[0] == 200


def test_the_session_of_an_order_is_asked_for_exactly(sim: Simulator, api: Bare) -> None:
    """`q` finds a part, `order` the whole; what nobody reads is a 400."""
    for order in ("99", "7", "123", "12"):
        api.create(order_id=order, product_name="Box of 12", price=12)

    client = sim.app.test_client()

    def orders(query: str) -> list[str]:
        found = client.get(f"/_simulator/sessions.json?{query}").get_json()["sessions"]
        return [each["creation"]["order_id"] for each in found]

    assert len(orders("q=12")) == 4
    assert orders("order=12") == ["12"]
    assert orders("order=1") == []
    for query in ("sessions.json?orders=12", "requests.json?kind=token", "setup.json?x=1",
                  "deliveries.json?answer=god", "sessions?x=1"):  # fmt: skip
        path = query.replace("sessions?", "?")
        assert client.get(f"/_simulator/{path}").status_code == 400


def test_every_request_of_a_shop_is_shown(sim: Simulator, api: Bare) -> None:
    """Wrong paths and methods, bodies that are too long, and faults of the simulator itself."""
    sim.requests.reset()
    sim.app.config["PROPAGATE_EXCEPTIONS"] = False
    api.get("/api/token")
    refused = api.get("/api/tokens")
    api.ask("POST", "/api/product/session", b"x" * (MAX_BODY + 1), api._authorized({}))
    session_id = api.create().json["session_id"]
    sim.shape.report = None  # type: ignore[method-assign,assignment]  # something is broken
    api.status(session_id)

    shown = [(each.method, each.path, each.status_code) for each in sim.requests]
    assert [each for each in shown if each[2] != 200] == [
        ("GET", "/api/token", 404),
        ("GET", "/api/tokens", 405),
        ("POST", "/api/product/session", 413),
        ("GET", shown[-1][1], 500),
    ]
    assert {*refused.headers["Allow"].split(", ")} == {"POST", "OPTIONS"}


def test_a_body_that_is_not_json_by_its_label_is_remarked_on_and_can_be_refused(
    sim: Simulator, api: Bare
) -> None:
    """Spayon's documentation says JSON; a shop that sends anything else may be lucky here."""
    text = json.dumps({"product_name": "Tea", "price": 1, "currency": "amd"})
    sent = [
        ("application/x-www-form-urlencoded", text.encode(), "sent as application/x-www-form"),
        ("text/plain", text.encode(), "sent as text/plain"),
        ("application/json", text.encode("utf-8-sig"), "byte order mark"),
        ("application/json", text.encode("utf-16-le"), "utf-16-le"),
    ]
    for choice, code in (("accepted", 200), ("refused", 400)):
        sim.shape.change(other_bodies=choice)
        for label, body, said in sent:
            headers = api._authorized({"Content-Type": label})
            assert api.ask("POST", "/api/product/session", body, headers).code == code
            assert said in list(sim.requests)[-1].remark

        assert api.create().code == 200
        assert list(sim.requests)[-1].remark == ""


def test_an_expected_100_continue_comes_before_the_body(sim: Simulator) -> None:
    """A client that announces its body waits for that, some for seconds."""
    with socket.create_connection(("127.0.0.1", sim.port), timeout=5) as line:
        line.sendall(
            b"POST /api/tokens HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\n"
            b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n"
        )
        assert line.recv(100).startswith(b"HTTP/1.1 100 ")
        line.sendall(b"{}")
        assert line.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_the_api_is_not_reached_under_a_foreign_name(sim: Simulator, api: Bare) -> None:
    """A web site may have its name lead to this machine; a container's name is allowed."""
    answer = api.ask("POST", "/api/tokens", "{}", {"Host": "evil.example"})
    assert answer.code == 403
    assert "--allow-host evil.example" in answer.json["error"]

    with Simulator(allow_hosts=["simulator"]) as other:
        client = Bare(other.url)
        assert client.ask("POST", "/api/tokens", "{}", {"Host": "simulator"}).code == 400
        client.close()


def test_a_story_with_anything_wrong_in_it_is_a_400(scene: Scene) -> None:
    """And takes over nothing, so that no page fails afterwards."""
    scene.pay()
    client = scene.sim.app.test_client()
    story = client.get(f"/_simulator/sessions/{scene.session.id}/story.json").get_json()
    wrong: list[tuple[str, str, Any]] = [
        ("sessions", "id", "../../x"), ("sessions", "id", 5), ("sessions", "status", "lost"),
        ("sessions", "created_at", "2026-01-01T00:00:00"), ("sessions", "timeline", "none"),
        ("sessions", "declines", [{"code": "05"}]), ("sessions", "lifetime", "long"),
        ("deliveries", "url", 5), ("deliveries", "body", 5), ("deliveries", "number", "one"),
        ("deliveries", "attempts", [{}]), ("requests", "headers", 5), ("requests", "path", None),
    ]  # fmt: skip
    creation: list[tuple[str, Any]] = [
        ("product_name", 5), ("price", "1e9999"), ("price", "NaN"), ("price", [1]),
        ("return_url", "javascript:alert(1)"), ("language", 5), ("payment_methods", "mir"),
    ]  # fmt: skip
    broken = [{**story, part: [{**story[part][0], key: value}]} for part, key, value in wrong]
    for key, value in creation:
        first = story["sessions"][0]
        broken.append(
            story | {"sessions": [first | {"creation": first["creation"] | {key: value}}]}
        )

    scene.sim.clear()
    for each in (*broken, {}, [], 5, {"now": "today"}):
        code, answer = command(scene.sim, "load", {"story": each})
        assert (code, scene.sim.sessions.created) == (400, 0), (each, answer)

    assert command(scene.sim, "load", {"story": story})[0] == 200
    look_everywhere(scene.sim)
