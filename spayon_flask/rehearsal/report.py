"""Report: what a rehearsal has found out, without a secret, to be read and to be sent on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import quantiles
from typing import Any

from .assumptions import PAY, UNKNOWN, by_id
from .notes import DIFFERS, NEEDED, NOT_TRIED, SAME, STOPPED, WORKS, Finding, Notes
from .receiver import Came
from .shop import Outcome
from .wire import Call, Wire

#: The form of the report; another form has another number.
FORMAT = 2

#: Exit codes: every payment of a shop would work; something differs; stopped or could not tell.
YES, NO, UNSURE = 0, 1, 2

#: What follows from other entries, if one of those is not as assumed.
_FOLLOWS = {
    "creation-accepted": ("creation-required-fields", "lower-case-currency"),
    "currencies": ("creation-required-fields", "lower-case-currency"),
    "report-understood": ("order-id-echoed",),
    "payment-understood": ("order-id-echoed",),
    "callback-understood": ("order-id-echoed", "signature-header", "signature-form"),
    "failure-understood": ("signature-header", "signature-form"),
    "expiry-understood": ("signature-header", "signature-form"),
}

_HEADINGS = {
    DIFFERS: "Differs, with what to do",
    STOPPED: "Stopped: Spayon's answer leaves it open",
    WORKS: "Not as assumed, but payments work and there is nothing to do",
    SAME: "As assumed",
    NOT_TRIED: "Not tried",
}


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 0 only if all that a payment needs was seen to work, and nothing differs."""
    outcomes = {each.assumption.id: each.outcome for each in findings}

    # First, since a rehearsal that was stopped has to be run again anyway.
    if STOPPED in outcomes.values():
        return UNSURE

    if DIFFERS in outcomes.values():
        return NO

    return YES if all(outcomes[id_] in (SAME, WORKS) for id_ in NEEDED) else UNSURE


def verdict(findings: Iterable[Finding]) -> str:
    """Return the exit code in words."""
    found = list(findings)
    code = exit_code(found)
    missing = [each for each in found if each.assumption.id in NEEDED and each.outcome == NOT_TRIED]

    if code == YES:
        return "Every payment of a shop would work."

    if code == NO:
        return "Something differs: do what is said below before you go live."

    if missing and not any(each.outcome == STOPPED for each in found):
        differs = any(each.outcome == DIFFERS for each in found)
        also = " Something differs as well." if differs else " So far nothing differs."
        how = f": run it with {PAY}" if all(each.assumption.step == PAY for each in missing) else ""
        return f"Nobody can tell yet: no payment was seen{how}.{also}"

    return "Nobody can tell yet: the rehearsal was stopped, see below."


def as_json(
    notes: Notes, wire: Wire, came: Iterable[tuple[Came, Outcome]], environment: str, at: datetime
) -> dict[str, Any]:
    """Return the report."""
    findings = list(notes)
    return {
        "report": FORMAT,
        "environment": environment,
        "at": at.isoformat(timespec="seconds"),
        "package": version("spayon-flask"),
        "exit_code": exit_code(findings),
        "verdict": verdict(findings),
        "lines": [
            {
                "id": each.assumption.id,
                "outcome": each.outcome,
                "assumed": each.assumption.value,
                "seen": each.seen,
                "source": each.assumption.source,
                "why": each.why,
                "calls": list(each.calls),
            }
            for each in findings
        ],
        "callbacks": [_callback(each, outcome, wire) for each, outcome in came],
        "calls": [
            {
                "number": each.number,
                "request": each.request,
                "answer": each.answer,
                "seconds": round(each.seconds, 3),
            }
            for each in wire.calls
        ],
        "seconds": latencies(wire.calls),
        "rate_limit": rate_limit(wire.calls),
        "like": like(findings),
        "unlike": unlike(findings),
    }


def _callback(came: Came, outcome: Outcome, wire: Wire) -> dict[str, Any]:
    return {
        "method": came.method,
        "headers": sorted(came.headers),
        "content_type": came.headers.get("content-type", ""),
        "body": wire.clean_body(came.body),
        "answer": outcome.answer,
        "status": outcome.status,
        "why": wire.clean(outcome.why),
    }


def latencies(calls: Iterable[Call]) -> dict[str, list[float]]:
    """Return the least, the quartiles and the greatest of the seconds of each kind of call."""
    kinds: dict[str, list[float]] = {}

    for each in calls:
        path = each.path if each.method == "POST" else each.path.rpartition("/")[0] + "/{id}"
        kinds.setdefault(f"{each.method} {path}", []).append(each.seconds)

    return {
        kind: [
            round(each, 3)
            for each in (
                min(seconds),
                *(quantiles(seconds, n=4) if len(seconds) > 1 else seconds * 3),
                max(seconds),
            )
        ]
        for kind, seconds in kinds.items()
    }


def rate_limit(calls: Iterable[Call]) -> dict[str, str]:
    """Return the headers by which Spayon tells of a limit, as they were last seen."""
    return {
        name: value
        for each in calls
        for name, value in each.headers.items()
        if "ratelimit" in name or "rate-limit" in name or name == "retry-after"
    }


def like(findings: Iterable[Finding]) -> dict[str, Any]:
    """Return the simulator's switches as they were seen."""
    found: dict[str, Any] = {}

    for each in findings:
        assumption = each.assumption

        if each.outcome in (STOPPED, NOT_TRIED) or not assumption.switch:
            continue

        if assumption.item:
            refused = found.setdefault(assumption.switch, [])
            refused += [assumption.item] if each.seen != assumption.value else []

        elif assumption.like:
            mapped = dict(assumption.like)
            found |= {assumption.switch: mapped[each.seen]} if each.seen in mapped else {}

        else:
            found[assumption.switch] = each.seen

    return found


def unlike(findings: Iterable[Finding]) -> list[str]:
    """Return what was seen and no switch of the simulator stands for."""
    found = {each.assumption.id: each for each in findings}
    switched = like(found.values())
    left = []

    for id_, each in found.items():
        imitated = any(
            other.outcome in (WORKS, DIFFERS) and other.assumption.switch in switched
            for other in (each, *(found[name] for name in _FOLLOWS.get(id_, ())))
        )

        if each.outcome in (WORKS, DIFFERS) and not imitated:
            left.append(f"{id_}: {_value(each.seen)} was seen")

    return left


def as_text(report: Mapping[str, Any]) -> str:
    """Return *report* for a person."""
    text = [
        f"A rehearsal with Spayon's {report['environment']}, {report['at']}",
        f"spayon-flask {report['package']}",
        "",
        f"{report['verdict']} (exit code {report['exit_code']})",
    ]
    calls = {each["number"]: each for each in report["calls"]}
    shown: set[object] = set()

    for outcome, heading in _HEADINGS.items():
        lines = [line for line in report["lines"] if line["outcome"] == outcome]

        if lines:
            text += ["", f"{heading} ({len(lines)})"]

        for line in lines:
            text += _in_words(line, calls, shown)

    for each in report["callbacks"]:
        text += ["", f"A callback came: {each['body']}"]
        text += [f"  answered {each['answer']}, the payment {each['status']}: {each['why']}"]

    text += ["", "Seconds of each call: least, quartiles, greatest"]
    text += [f"  {kind}: {seconds}" for kind, seconds in report["seconds"].items()]

    if report["rate_limit"]:
        text += ["", f"Rate limit: {report['rate_limit']}"]

    return "\n".join(text) + "\n"


def _in_words(
    line: Mapping[str, Any], calls: Mapping[int, Mapping[str, Any]], shown: set[object]
) -> list[str]:
    """Return *line* for a person; what is in *shown* already is only named."""
    assumption = by_id(line["id"])
    outcome = line["outcome"]
    head = f"- {outcome} {assumption.id}: {assumption.assumed}"

    if outcome == SAME:
        return [head]

    ask = [f"    ask Spayon's support: {assumption.assumed} Is that so?"]
    ask = ask if assumption.source == UNKNOWN else []

    if outcome == NOT_TRIED:
        return [head, f"    {line['why']}", *ask]

    if outcome == WORKS:
        return [head, f"    seen: {_value(line['seen'])}"]

    tried = []

    for number in line["calls"][-2:]:
        each = calls[number]
        whole = [
            f"    request {number}: {each['request']}",
            f"    answer {number}: {each['answer']}",
        ]
        tried += [f"    request {number}: see above"] if number in shown else whole
        shown.add(number)

    why = line["why"]

    if outcome == STOPPED:
        stopped_by = "    the same answer has stopped it" if why in shown else f"    {why}"
        shown.add(why)
        return [head, stopped_by, *tried, *ask]

    why = f" ({why})" if why else ""
    return [
        head,
        f"    seen: {_value(line['seen'])}{why}; assumed: {_value(assumption.value)}",
        f"    what to do: {assumption.otherwise}",
        *tried,
    ]


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def write(report: Mapping[str, Any], path: Path) -> None:
    """Write *report* to *path* as JSON, and beside it as text."""
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    path.with_suffix(".txt").write_text(as_text(report), encoding="utf-8")
