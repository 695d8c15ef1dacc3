"""The report of a rehearsal: a line for each assumption, without a secret, to be sent on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ...assumptions import REGISTER
from ...assumptions import Assumption
from ...assumptions import by_id
from .public_steps import OVER
from .steps import Facts


#: The form of the report; a later one has another number.
FORMAT = 1

#: Facts that are for going on, and in no report: they name the sessions.
_PRIVATE = ("account", "key", "session_id", "session_url", "order_id", "base", "at")


@dataclass(frozen=True)
class Line:
    """What became of one *assumption*: `same`, `differs` or `not tried`."""

    assumption: Assumption
    outcome: str
    seen: Any = None


def observed(facts: Mapping[str, Facts]) -> dict[str, Any]:
    """Return what the steps in *facts* have seen, by the ids of the assumptions."""
    found = {**_tokens(facts), **_sessions(facts), **_payer(facts), **_redelivery(facts)}
    return {name: value for name, value in found.items() if value is not None}


def _tokens(facts: Mapping[str, Facts]) -> dict[str, Any]:
    found: dict[str, Any] = {}

    if token := facts.get("token"):
        life, named = token["lifetime"], token["jwt_lifetime"]
        found["token-status-code"] = token["status"]
        found["token-expires-in"] = token["expires_in"]
        found["token-lifetime"] = life
        found["token-jwt-lifetime"] = None in (life, named) or abs(life - named) < 60  # noqa: PLR2004  clocks

    if old := facts.get("old-token"):
        found["old-tokens"] = "live on" if old["lives"] else "die"
        found["wrong-token-code"] = old["wrong_token"]

    if wrong := facts.get("wrong-secret"):
        found["wrong-secret-code"] = wrong["status"]

    return found


def _sessions(facts: Mapping[str, Facts]) -> dict[str, Any]:
    found: dict[str, Any] = {}

    if created := facts.get("creation"):
        keys = created["keys"]
        found["creation-status-code"] = created["status"]
        found["creation-keys"] = "snake" if {"session_id", "session_url"} <= {*keys} else "camel"

    if minimal := facts.get("minimal"):
        found["creation-required-fields"] = minimal["required"]

    if used := facts.get("used-order"):
        found["used-order-id"] = _of_used_order(used)

    for each in REGISTER:
        if each.item and each.item in facts:
            found[each.id] = "accepted" if facts[each.item]["accepted"] else "refused"

    for name in ("unknown-session", "malformed-session"):
        if name in facts:
            found[f"{name}-code"] = facts[name]["status"]

    if status := facts.get("status"):
        missing = [key for key in status["missing"] if key != "orderId"]
        found["fresh-status"] = status["status"]
        found["report-keys"] = ", ".join(missing) or "nothing is missing"
        found["price-format"] = status["price"]
        found["price-type"] = status["price_type"]
        found["currency-case"] = status["currency"]
        found["key-order"] = "status" if status["keys"][:1] == ["status"] else "session"
        found["order-id-echoed"] = status["order_id"]
        found["time-format"] = None if "createdAt" in status["missing"] else status["times"]

    return found


def _of_used_order(used: Facts) -> str:
    if used["accepted"]:
        return "the same session" if used.get("same_session") else "accepted"

    return "refused" if used["status"] < 500 else "an error 500"  # noqa: PLR2004  an HTTP status


def _payer(facts: Mapping[str, Facts]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    paid, declined, back = (facts.get(name, {}) for name in ("pay", "decline", "back"))

    if callback := paid.get("callback"):
        found["signature-header"] = callback["signature_header"] or "none"
        found["signature-form"] = callback["signature"] or "none"
        found["content-type"] = callback["json_type"]
        found["callback-equals-status"] = paid["same_as_status"]

    found["return-parameter"] = paid.get("return_parameter")

    if "after_decline" in declined:
        over = declined["after_decline"] in OVER
        found["session-fails"] = "at the first decline" if over else "when given up"

    if callback := declined.get("callback"):
        documented = ["responseCode", "responseReasonEn", "transactionId"]
        found["decline-reasons"] = {*documented} <= {*callback["declines"]}

    if back:
        found["cancel-url-carries-session-id"] = back["cancel_parameter"]
        found["cancel-keeps-session"] = back["status"] not in OVER

    return found


def _redelivery(facts: Mapping[str, Facts]) -> dict[str, Any]:
    seen = facts.get("redelivery", {})
    found: dict[str, Any] = {
        "session-lifetime": seen.get("lifetime"),
        "redelivery-count": seen.get("attempts"),
        "redelivery-spacing": seen.get("spacing"),
    }

    if "accepted_attempts" in seen:
        found["delivered-by"] = "any 2xx" if seen["accepted_attempts"] == 1 else "200"

    if "slow_attempts" in seen:
        found["callback-timeout"] = (
            "at least 5 s" if seen["slow_attempts"] == 1 else "less than 5 s"
        )

    return found


def lines(facts: Mapping[str, Facts]) -> list[Line]:
    """Compare what was seen with what is assumed."""
    seen = observed(facts)
    return [_line(each, seen) for each in REGISTER]


def _line(assumption: Assumption, seen: Mapping[str, Any]) -> Line:
    if assumption.id not in seen:
        return Line(assumption, "not tried")

    value = seen[assumption.id]
    return Line(assumption, "same" if value == assumption.value else "differs", value)


def exit_code(found: list[Line]) -> int:
    """Return 0 if all that was tried is as assumed, 1 if not, 2 if nothing is proven."""
    outcomes = {line.outcome for line in found}

    if "differs" in outcomes:
        return 1

    return 0 if "same" in outcomes else 2


def as_json(
    found: list[Line], facts: Mapping[str, Facts], environment: str, at: datetime
) -> dict[str, Any]:
    """Return the report: what is compared, all facts, and how the simulator is to be like it."""
    return {
        "report": FORMAT,
        "environment": environment,
        "at": at.isoformat(timespec="seconds"),
        "package": version("spayon-flask"),
        "lines": [
            {
                "id": line.assumption.id,
                "outcome": line.outcome,
                "assumed": line.assumption.value,
                "seen": line.seen,
                "documented": line.assumption.documented,
            }
            for line in found
        ],
        "facts": {name: _public(each) for name, each in facts.items() if _public(each)},
        "like": _like(found),
    }


def _public(facts: Facts) -> Facts:
    return {
        name: value
        for name, value in facts.items()
        # The sessions of a redelivery are facts within facts.
        if name not in _PRIVATE and not (isinstance(value, dict) and "session_id" in value)
    }


def _like(found: list[Line]) -> dict[str, Any]:
    """Return the simulator's switches as they were seen."""
    like: dict[str, Any] = {}

    for line in found:
        assumption = line.assumption

        if line.outcome == "not tried" or not assumption.switch:
            continue

        if assumption.item:
            refused = like.setdefault(assumption.switch, [])

            if line.seen != assumption.value:
                refused.append(assumption.item)

        elif assumption.like:
            mapped = dict(assumption.like)

            if line.seen in mapped:
                like[assumption.switch] = mapped[line.seen]

        else:
            like[assumption.switch] = line.seen

    return like


def as_text(report: Mapping[str, Any]) -> str:
    """Return *report* for a person."""
    counts = {
        outcome: sum(line["outcome"] == outcome for line in report["lines"])
        for outcome in ("same", "differs", "not tried")
    }
    text = [
        f"A rehearsal with Spayon's {report['environment']}, {report['at']}",
        f"spayon-flask {report['package']}",
        ", ".join(f"{count} {outcome}" for outcome, count in counts.items()),
    ]

    for outcome in ("differs", "same", "not tried"):
        for line in report["lines"]:
            if line["outcome"] == outcome:
                text += _in_words(line)

    return "\n".join(text) + "\n"


def _in_words(line: Mapping[str, Any]) -> list[str]:
    assumption = by_id(line["id"])
    head = f"{line['outcome']:9}  {assumption.id}: {assumption.assumed}"

    if line["outcome"] == "same":
        return [head]

    if line["outcome"] == "not tried":
        return [f"{head} ({assumption.found_out_by})"]

    return [
        "",
        head,
        f"           seen: {_value(line['seen'])}; assumed: {_value(assumption.value)}",
        f"           what it means: {assumption.otherwise}",
        "",
    ]


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def write(report: Mapping[str, Any], folder: Path) -> Path:
    """Write *report* into *folder*, as JSON and as text; return the path of the JSON."""
    path = folder / f"rehearsal-{report['environment']}-{report['at'][:10]}.json"
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    path.with_suffix(".txt").write_text(as_text(report), encoding="utf-8")
    return path
