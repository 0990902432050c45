"""The story of whole accounts: a sweep over three, a digest that people act on, groups, an organisation, and the past."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.scenarios.stage import words

Json = dict[str, Any]
A, S, P = story.ALICE, story.SECURITY, story.PLATFORM
GENERATE = "GenerateServiceLastAccessedDetails"


def _cards(demo: Demo, kind: str, channel: str = S) -> list[Json]:
    shown = demo.slack.messages(channel)
    return [m for m in shown if m.get("metadata", {}).get("event_type") == f"iam_audit.{kind}"]


def _card(demo: Demo, kind: str, state: str, channel: str = S, seconds: float = 60) -> Json:
    """The newest card of this kind, once it is in this state."""

    def found() -> Any:
        newest = _cards(demo, kind, channel)[-1:]
        return next((m for m in newest if m["metadata"]["event_payload"]["state"] == state), None)

    return dict(demo.slack.wait(found, seconds))


def _files(demo: Demo, card: Json, ending: str, channel: str = S) -> list[str]:
    def found() -> Any:
        thread = demo.slack.thread(channel, card["ts"])
        return [f["name"] for m in thread for f in m.get("files") or [] if f["name"].endswith(ending)]

    return list(demo.slack.wait(found, 30))


def swept(demo: Demo) -> str:
    """alice sweeps all accounts: every entity of two is read, by processes of their own; the third lets nobody in"""
    begun = demo.aws.operations().count(GENERATE)
    assert demo.slack.command(A, S, "sweep account=all").ok
    card = _card(demo, "sweep", "partial")
    said = words(card)
    assert "data (333333333333), nobody is listed" in said, said
    assert "About who is in there nothing is known" in said, said
    entities = int(card["text"].partition(" entities read")[0].split(" of ")[-1])
    assert entities > 35, card["text"]
    assert demo.aws.operations().count(GENERATE) - begun <= entities
    return str(card["text"])


def what_else(demo: Demo) -> str:
    """in its thread: idle roles, old keys, copies, and what a service control policy could deny; whole as files"""
    card = _cards(demo, "sweep")[-1]

    def found() -> Any:
        thread = demo.slack.thread(S, card["ts"])
        return next((m for m in thread if "What else" in words(m)), None)

    told = demo.slack.wait(found, 30)
    return f"{told['text'][:200]}\n{', '.join(_files(demo, card, '.csv'))}"


def sweep_file(demo: Demo) -> str:
    """“Export CSV”: a row for each service of each entity, and one for what was not read"""
    card = _cards(demo, "sweep")[-1]
    assert demo.slack.click(A, S, "sweep.export", ts=card["ts"]).ok

    def found() -> Any:
        thread = demo.slack.thread(S, card["ts"])
        return next((m for m in thread if "rows of" in words(m)), None)

    told = demo.slack.wait(found, 30)
    stored = [f for f in demo.slack.state.files.values() if f["name"] == "iam-audit-sweep-1.csv"]
    assert b"not_read" in stored[-1]["content"]
    return str(told["text"])


def digest(demo: Demo) -> str:
    """bob asks for the channel's digest now: it rests on the sweep, and says what to clean up next, riskiest first"""
    begun = demo.aws.operations().count(GENERATE)
    assert demo.slack.command(story.BOB, P, "digest weekly mon 09:00").ok
    demo.slack.wait(lambda: demo.slack.ephemerals(story.BOB))
    assert demo.slack.command(story.BOB, P, "digest now").ok
    card = _card(demo, "digest", "posted", P)
    said = words(card)
    assert "Clean up next" in said, said
    assert demo.aws.operations().count(GENERATE) == begun
    return str(card["text"])


def digest_ticket(demo: Demo) -> str:
    """he opens a ticket from it; carol approves, and it is carried out"""
    card = _cards(demo, "digest", P)[-1]
    assert demo.slack.click(story.BOB, P, "digest.ticket", ts=card["ts"]).ok

    def form() -> Any:
        view = demo.slack.view(story.BOB) or {}
        return view if view.get("submit") else None

    demo.slack.wait(form, 15)
    assert demo.slack.submit(story.BOB, {"reason": {"value": "From the digest"}}).body in ({}, None)
    ticket = _card(demo, "ticket", "open", P, 20)
    assert demo.slack.click(story.CAROL, P, "ticket.approve", ts=ticket["ts"]).ok
    return str(_card(demo, "ticket", "applied", P, 30)["text"])


def _asked(command: str, says: str, files: str = "") -> Callable[[Demo], str]:
    def ask(demo: Demo) -> str:
        known = len(_cards(demo, "question"))
        assert demo.slack.command(A, S, command).ok

        def found() -> Any:
            fresh = _cards(demo, "question")[known:]
            done = [m for m in fresh if m["metadata"]["event_payload"]["state"] in {"done", "partial"}]
            return done[-1] if done else None

        card = demo.slack.wait(found, 30)
        assert says in words(card), words(card)
        more = f"\n{', '.join(_files(demo, card, files))}" if files else ""
        return f"{card['text']}{more}"

    ask.__doc__ = f"alice types /iam-audit {command}"
    return ask


STEPS = (
    swept,
    what_else,
    sweep_file,
    digest,
    digest_ticket,
    _asked("regroup account=prod", "users", ".png"),
    _asked("org", "services"),
    _asked("history role DBAdminRole account=prod", "DBAdminRole"),
)
