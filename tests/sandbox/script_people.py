"""What people do in a story of tickets, and what the world shows of it: read from Slack and IAM, not from the bot."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from tests.sandbox import world as story
from tests.sandbox.__main__ import ROOT, Demo
from tests.sandbox.iam_state import is_read
from tests.scenarios.stage import words

Json = dict[str, Any]
A, S = story.ALICE, story.SECURITY


# -- what people do --------------------------------------------------------------------------------------------------


def audit(demo: Demo, role: str, user: str = A) -> str:
    """Ask anew; the card once it is the result."""
    known = {m["ts"] for m in demo.slack.messages(S)}
    assert demo.slack.command(user, S, f"role {role} account=prod fresh").ok

    def done() -> Any:
        fresh = [m for m in demo.slack.messages(S) if m["ts"] not in known]
        return next((m["ts"] for m in fresh if payload(m).get("state") == "done"), None)

    return str(demo.slack.wait(done, 20))


def open_form(demo: Demo, user: str, action: str, ts: str) -> Json:
    """Press a button that opens a form; the form once it is filled."""
    assert demo.slack.click(user, S, action, ts=ts).ok

    def filled() -> Any:
        view = demo.slack.view(user) or {}
        return view if view.get("submit") else None

    return dict(demo.slack.wait(filled, 15))


def press(demo: Demo, user: str, action: str, number: int) -> None:
    assert demo.slack.click(user, S, action, ts=card_of(demo, number)["ts"]).ok


def refused(demo: Demo, user: str, action: str, number: int) -> str:
    heard, public = len(demo.slack.ephemerals(user)), len(demo.slack.thread(S, card_of(demo, number)["ts"]))
    press(demo, user, action, number)
    told = demo.slack.wait(lambda: demo.slack.ephemerals(user)[heard:])[0]
    assert "Nothing was changed" in words(told), words(told)
    assert len(demo.slack.thread(S, card_of(demo, number)["ts"])) == public
    return f"only {demo.slack.state.users[user]['name']} sees: {told['text']}"


# -- what the world shows --------------------------------------------------------------------------------------------


_SAYS = {
    "open": "waits for approval",
    "held": "is held, day",
    "applied": "is applied",
    "rolled_back": "is rolled back",
    "drifted": "stopped before writing",
    "superseded": "is replaced by",
    "rejected": "was rejected",
}


def denied(messages: list[Json]) -> list[Json]:
    return [m for m in messages if "Give back is offered" in m["text"]]


def payload(message: Json) -> Json:
    return dict(message.get("metadata", {}).get("event_payload", {}))


def number_of(card: Json) -> int:
    return int(payload(card)["id"])


def cards(demo: Demo) -> list[Json]:
    shown = demo.slack.messages(S)
    return [m for m in shown if m.get("metadata", {}).get("event_type") == "iam_audit.ticket"]


def card_of(demo: Demo, number: int) -> Json:
    return next(m for m in cards(demo) if number_of(m) == number)


def state(demo: Demo, number: int) -> str:
    return str(payload(card_of(demo, number))["state"])


def card_in(demo: Demo, state: str, number: int = 0, *, after: int = 0, seconds: float = 15) -> Json:
    """The card of a ticket (or of a later one) once it is in this state."""

    def found() -> Any:
        rows = [m for m in cards(demo) if (number_of(m) == number if number else number_of(m) > after)]
        return next((m for m in rows if payload(m)["state"] == state and _SAYS[state] in m["text"]), None)

    return dict(demo.slack.wait(found, seconds))


def reply(demo: Demo, number: int, says: str) -> None:
    ts = card_of(demo, number)["ts"]
    demo.slack.wait(lambda: any(says in words(m) for m in demo.slack.thread(S, ts)))


def text_with(demo: Demo, ts: str, says: str) -> str:
    card = next(m for m in demo.slack.messages(S) if m["ts"] == ts)
    assert says in words(card), words(card)
    return str(card["text"])


def inputs(view: Json) -> Iterator[Json]:
    return (b for b in view["blocks"] if b["type"] == "input")


def iam(demo: Demo) -> Json:
    """All of IAM, in every account."""
    accounts = {"prod": story.PROD, "dev": story.DEV, "data": story.DATA}
    return {
        f"{alias} {k}": v for alias, number in accounts.items() for k, v in demo.aws.state(number).items()
    }


def differ(before: Json, after: Json) -> set[str]:
    return {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}


def services(role: Json) -> set[str]:
    texts = [json.loads(text) for text in role["inline"].values()]
    return {a.partition(":")[0] for text in texts for s in text["Statement"] for a in s["Action"]}


def told(before: Json, after: Json) -> Iterator[str]:
    """Which documents are not as they were."""
    for name in sorted(differ(before, after)):
        was, now = before[name], after[name]
        for policy in sorted(was["inline"].keys() | now["inline"].keys()):
            old, new = was["inline"].get(policy, ""), now["inline"].get(policy, "")
            if old != new:
                yield f"{name}: {policy}, {len(old)} characters before, {len(new)} after"
        for arn in sorted({*was["attached"]} ^ {*now["attached"]}):
            yield f"{name}: {arn} {'attached' if arn in now['attached'] else 'detached'}"


def writes(demo: Demo, since: int) -> list[str]:
    """The changes that AWS took since then, in order."""
    found = [
        c
        for c in demo.aws.calls[since:]
        if c.status == 200 and c.service == "iam" and not is_read(c.operation)
    ]
    return [f"{c.operation} {c.params.get('PolicyName') or c.params.get('PolicyArn', '')}" for c in found]


def verify(path: Any) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "bot.py"), "verify", str(path)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip()
