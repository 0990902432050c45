"""The whole story without a browser: each step is done through the wire, printed, and held against the world."""

from __future__ import annotations

import textwrap
import traceback
from collections.abc import Callable
from typing import Any

from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.sandbox.script_estate import STEPS as ESTATE
from tests.sandbox.script_hold import Held
from tests.sandbox.script_home import at_home
from tests.sandbox.script_tickets import Tickets
from tests.scenarios.stage import words

A, S = story.ALICE, story.SECURITY


def play() -> int:
    """0 only if every step held."""
    with Demo(IAM_AUDIT_POLL_SECONDS="0.2", IAM_AUDIT_WATCH_DAYS="14") as demo:
        try:
            demo.with_queue()
            demo.start_bot()
            for number, step in enumerate(
                (*_AUDITS, *Tickets().steps, *Held().steps, *ESTATE, at_home, ended), 1
            ):
                print(f"{number:2}. {step.__doc__}", flush=True)
                print(textwrap.indent(step(demo), " " * 6), flush=True)
        except Exception:
            traceback.print_exc()
            print(demo.log()[-3000:])
            return 1
        assert not demo.slack.state.problems, demo.slack.state.problems
    print("All of it held.")
    return 0


def _done(demo: Demo, says: str, channel: str = S, count: int = 1) -> dict[str, Any]:
    def found() -> Any:
        done = [
            m
            for m in demo.slack.messages(channel)
            if m.get("metadata", {}).get("event_payload", {}).get("state") == "done"
        ]
        return done[-1] if len(done) >= count else None

    card: dict[str, Any] = demo.slack.wait(found, 15)
    assert says in words(card), words(card)
    return card


def _reply(demo: Demo, action: str, says: str, option: Any = None) -> str:
    card = demo.slack.messages(S)[0]
    before = len(demo.slack.thread(S, card["ts"]))
    assert demo.slack.click(A, S, action, ts=card["ts"], option=option).ok

    def found() -> Any:
        fresh = demo.slack.thread(S, card["ts"])[before:]
        return next((m for m in fresh if says in words(m) + m["text"] + str(m["files"])), None)

    message = demo.slack.wait(found, 30)
    return str(message["text"] or [f["name"] for f in message["files"]])[:150]


def ask(demo: Demo) -> str:
    """alice types /iam-audit role DBAdminRole account=prod"""
    assert demo.slack.command(A, S, "role DBAdminRole account=prod").ok
    return str(_done(demo, "DBAdminRole: 2 of 25 services used in 90 days")["text"])


def full_list(demo: Demo) -> str:
    """the full list stands in the thread"""
    card = demo.slack.messages(S)[0]
    return str(demo.slack.wait(lambda: demo.slack.thread(S, card["ts"]))[0]["text"])


def who_used(demo: Demo) -> str:
    """alice picks dynamodb: who used it?"""
    card = demo.slack.messages(S)[0]
    body = demo.slack.suggest(A, S, "audit.breakdown", "dyn", ts=card["ts"]).body or {}
    return _reply(demo, "audit.breakdown", "Who used dynamodb?", body["option_groups"][0]["options"][0])


def _button(action: str, says: str, label: str) -> Callable[[Demo], str]:
    def press(demo: Demo) -> str:
        return _reply(demo, action, says)

    press.__doc__ = f"alice presses {label}"
    return press


def cached(demo: Demo) -> str:
    """bob asks for the same role: served from the store at once"""
    before = demo.aws.operations().count("GenerateServiceLastAccessedDetails")
    assert demo.slack.command(story.BOB, S, "role DBAdminRole account=prod").ok
    _done(demo, "(from the store)", count=2)
    assert demo.aws.operations().count("GenerateServiceLastAccessedDetails") == before
    return "the same result, no new job"


def ambiguous(demo: Demo) -> str:
    """without account= the name is in two accounts: asked back with buttons"""
    assert demo.slack.command(A, S, "role DBAdminRole").ok
    told = demo.slack.wait(
        lambda: next((e for e in demo.slack.ephemerals(A) if "2 accounts" in words(e)), None), 10
    )
    demo.slack.click(A, S, "audit.choose.*", ts=told["ts"])
    _done(demo, "prod (111111111111)", count=3)
    return str(told["text"])


def killed(demo: Demo) -> str:
    """the bot is killed while a report is made, and starts again: the card becomes the result"""
    demo.aws.knobs.job_polls = 4
    assert demo.slack.command(A, S, "group data-engineers account=prod").ok
    demo.slack.wait(lambda: any("Running" in words(m) for m in demo.slack.messages(S)), 10)
    demo.stop_bot(kill=True)
    demo.aws.knobs.job_polls = 1
    demo.start_bot()
    _done(demo, "data-engineers: 5 of 18 services used", count=4)
    assert sum("data-engineers" in words(m) for m in demo.slack.messages(S)) == 1
    return "one card, the right result"


def private(demo: Demo) -> str:
    """in a channel that the bot is not in, the result comes by direct message"""
    assert demo.slack.command(A, story.RANDOM, "role OrgAdmin account=prod").ok
    _done(demo, "14 of 453 services used", demo.slack.dm_of(A))
    told = demo.slack.wait(lambda: next((e for e in demo.slack.ephemerals(A) if "/invite" in words(e)), None))
    return str(told["text"])


def guest(demo: Demo) -> str:
    """a guest is refused privately"""
    assert demo.slack.command(story.GUEST, S, "role DBAdminRole").ok
    return str(demo.slack.wait(lambda: demo.slack.ephemerals(story.GUEST))[0]["text"])


def refused_account(demo: Demo) -> str:
    """an account that the bot may not enter says what is missing"""
    assert demo.slack.command(A, S, "role Anything account=data").ok
    told = demo.slack.wait(
        lambda: next((e for e in demo.slack.ephemerals(A) if "sts:AssumeRole" in words(e)), None), 10
    )
    return str(told["text"])


def form(demo: Demo) -> str:
    """the form opens, finds entities by a letter, and starts an audit"""
    assert demo.slack.command(A, S, "").ok
    view = demo.slack.wait(lambda: (demo.slack.view(A) or {}).get("submit") and demo.slack.view(A))
    body = demo.slack.wait(
        lambda: (demo.slack.suggest(A, view["id"], "audit.new.entity", "T").body or {}).get("option_groups")
    )
    option = next(o for g in body for o in g["options"] if o["text"]["text"] == "TestRole-DeleteLater")
    sent = demo.slack.submit(
        A, {"entity": {"selected_option": option}, "channel": {"selected_conversation": story.PLATFORM}}
    )
    assert sent.ok
    return str(_done(demo, "TestRole-DeleteLater: 0 of 3 services used", story.PLATFORM)["text"])


def ended(demo: Demo) -> str:
    """SIGTERM ends the bot cleanly"""
    assert demo.stop_bot() == 0
    return "exit 0"


_AUDITS = (
    ask,
    full_list,
    who_used,
    _button("audit.actions", "11 tracked actions used", "Action level"),
    _button("audit.policies", "DBTools", "What grants it"),
    _button("audit.history", "DBAdminRole", "History"),
    _button("audit.picture", ".png", "Chart"),
    _button("audit.export", ".csv", "Export CSV"),
    cached,
    ambiguous,
    killed,
    private,
    guest,
    refused_account,
    form,
)
