"""Faults are swept, not sampled: the n-th point of a flow dies, fails or loses its answer, n = 1, 2, 3 … to the end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.sandbox.aws import Fault as AwsFault
from tests.sandbox.slack import Fault, Slack
from tests.scenarios.stage import Died, Points, Stage, watched, words

STEP = 1
"""Every point of the flow is a case."""


def _fresh(slack: Slack) -> None:
    """The channel as it was before: everything said is gone."""
    slack.state.messages.clear()
    slack.state.ephemerals.clear()
    slack.state.calls.clear()
    slack.faults.clear()


def _audit_until_it_dies(stage: Stage, points: Points) -> bool:
    """Ask and settle; when the process dies, start again and settle. Says whether the asking was acknowledged."""
    acknowledged = False
    try:
        with watched(points):
            stage.restart()
            acknowledged = stage.slack.command(story.ALICE, story.SECURITY, "role TestRole-DeleteLater").ok
            stage.settle()
    except Died:
        stage.restart()
        stage.settle()
    return acknowledged


def _one_right_card(stage: Stage, *, acknowledged: bool) -> None:
    cards = stage.cards()
    assert len(cards) == 1 or (not cards and not acknowledged), f"{len(cards)} cards"
    for card in cards:
        assert "0 of 3 services used in 90 days" in words(card)
        assert card["metadata"]["event_payload"]["state"] == "done"
        assert any("All 3 services" in m["text"] for m in stage.thread())
        assert len(stage.rows("SELECT id FROM report WHERE complete = 1")) == 1
        assert not stage.rows("SELECT id FROM report WHERE complete = 0")


def test_dying_anywhere(stage: Stage, tmp_path: Path) -> None:
    """The process is killed at every commit and before and after every call: one card with the right result follows."""
    n, total = 0, None
    while total is None:
        n += 1
        _fresh(stage.slack)
        stage.end()
        stage.path = tmp_path / f"die{n}.db"
        points = Points(n)
        acknowledged = _audit_until_it_dies(stage, points)
        try:
            _one_right_card(stage, acknowledged=acknowledged)
        except AssertionError as error:
            raise AssertionError(f"died at point {n}: {points.trace[-1]}: {error}") from error
        if points.count < n:
            total = points.count
    assert total > 40


def test_the_same_run_has_the_same_trace(stage: Stage, tmp_path: Path) -> None:
    """Twice the same asking: the same commits and calls in the same order."""
    traces = []
    for n in range(2):
        _fresh(stage.slack)
        stage.end()
        stage.path = tmp_path / f"trace{n}.db"
        points = Points(None)
        _audit_until_it_dies(stage, points)
        traces.append(points.trace)
    assert traces[0] == traces[1]


_TROUBLE: dict[str, tuple[str, Any]] = {
    "slack 500": ("slack", Fault("*", status=500)),
    "slack 429": ("slack", Fault("*", retry_after=2)),
    "slack lost before": ("slack", Fault("*", drop="before")),
    "slack lost after": ("slack", Fault("*", drop="after")),
    "slack half an answer": ("slack", Fault("*", body=b'{"ok": tr')),
    "slack done, half an answer": ("slack", Fault("*", body=b'{"ok": tr', drop="after")),
    "aws 500": ("aws", AwsFault("*", error="ServiceFailure", status=500)),
    "aws throttled": ("aws", AwsFault("*", error="Throttling")),
    "aws lost before": ("aws", AwsFault("*", drop="before")),
    "aws expired": ("aws", AwsFault("*", error="ExpiredToken")),
}


@pytest.mark.parametrize("name", _TROUBLE)
def test_the_nth_call_fails(stage: Stage, aws: Aws, tmp_path: Path, name: str) -> None:
    """Whichever call fails or loses its answer, the same one card with the right result follows."""
    side, fault = _TROUBLE[name]
    n, ended = 0, False
    while not ended:
        n += 1
        _fresh(stage.slack)
        stage.end()
        stage.path = tmp_path / f"{n}.db"
        calls = 0
        hit: list[str] = []

        def at(what: str, phase: str) -> Any:
            nonlocal calls
            if phase == "before":
                calls += 1
            if calls != n or hit or (phase == "after") != (fault.drop == "after"):
                return None
            hit.append(what)
            return fault

        stage.slack.hook = at if side == "slack" else None
        aws.hook = at if side == "aws" else None
        stage.begin()
        acknowledged = stage.slack.command(story.ALICE, story.SECURITY, "role TestRole-DeleteLater").ok
        stage.settle()
        stage.slack.hook = aws.hook = None
        try:
            _one_right_card(stage, acknowledged=acknowledged)
        except AssertionError as error:
            raise AssertionError(f"call {n} ({hit}): {error}") from error
        ended = not hit
    assert n > 4


def test_throttling_for_a_minute(stage: Stage, aws: Aws) -> None:
    """AWS limits the rate for a minute: the card says so, and the result follows."""
    aws.knobs.throttle = True
    stage.slack.command(story.ALICE, story.SECURITY, "role TestRole-DeleteLater")
    until = stage.now + timedelta(seconds=60)
    while stage.now < until:
        stage.beat()
        stage.now += timedelta(seconds=20)
    aws.knobs.throttle = False
    stage.settle()
    assert "0 of 3 services used" in words(stage.card())


@pytest.mark.parametrize(
    "call",
    [
        "GenerateServiceLastAccessedDetails",
        "GetServiceLastAccessedDetails",
        "ListPoliciesGrantingServiceAccess",
        "GetRolePolicy",
        "ListAttachedRolePolicies",
    ],
)
def test_a_refused_call(stage: Stage, aws: Aws, call: str) -> None:
    """AccessDenied on one call: a failed card that names it, never an empty report; Retry works once it is allowed."""
    fault = aws.fail(call, error="AccessDenied", times=None)
    stage.say("role TestRole-DeleteLater")
    shown = words(stage.card())
    assert "No result for TestRole-DeleteLater" in shown
    assert f"iam:{call}" in shown
    assert "this is not “unused”" in shown
    aws.faults.remove(fault)
    stage.press("audit.retry")
    assert "0 of 3 services used" in words(stage.card())
    assert len(stage.cards()) == 1


def test_a_job_that_sticks(stage: Stage, aws: Aws) -> None:
    """After 15 minutes the card gives up, with Retry."""
    aws.knobs.job_result = "stick"
    stage.say("role TestRole-DeleteLater")
    assert "AWS did not finish the report in time" in words(stage.card())
    aws.knobs.job_result = "ok"
    stage.press("audit.retry")
    assert "0 of 3 services used" in words(stage.card())


def test_a_job_that_fails(stage: Stage, aws: Aws) -> None:
    """FAILED is a visible failure, in AWS's own words as words."""
    aws.knobs.job_result = "fail"
    stage.say("role TestRole-DeleteLater")
    assert "AWS ended the report as failed" in words(stage.card())
    assert "<error> *happened*" in words(stage.card())


def test_a_session_that_is_gone(stage: Stage, aws: Aws) -> None:
    """A restart while the report is made: it is made again, three times at most."""
    aws.knobs.job_polls = 3
    stage.slack.command(story.ALICE, story.SECURITY, "role TestRole-DeleteLater")
    stage.beat()
    stage.restart()
    stage.settle()
    assert "0 of 3 services used" in words(stage.card())
    assert aws.operations().count("GenerateServiceLastAccessedDetails") == 2
    aws.knobs.job_polls = 99
    stage.slack.command(story.ALICE, story.SECURITY, "role OrgAdmin fresh")
    for _ in range(12):
        stage.beat()
        stage.restart()
        stage.now += timedelta(seconds=2)
    stage.settle()
    assert "does not know the report it began" in words(stage.card())


def test_pages_of_one_row(stage: Stage, aws: Aws) -> None:
    """Every page is read, however small."""
    aws.knobs.page_size = 1
    stage.say("group data-engineers")
    assert "5 of 18 services used" in words(stage.card())
    assert "6 members" in words(stage.card())


def test_a_namesake(stage: Stage, aws: Aws) -> None:
    """Deleted while the job ran: said. Created again under the same name: another entity, and Retry audits it."""
    iam = aws.client("iam", story.PROD)

    def make() -> None:
        iam.create_role(RoleName="short-lived", AssumeRolePolicyDocument='{"Statement": []}')
        iam.put_role_policy(
            RoleName="short-lived",
            PolicyName="p",
            PolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}',
        )

    def unmake() -> None:
        iam.delete_role_policy(RoleName="short-lived", PolicyName="p")
        iam.delete_role(RoleName="short-lived")

    make()
    try:
        aws.knobs.job_polls = 2
        stage.slack.command(story.ALICE, story.SECURITY, "role short-lived")
        stage.beat()
        unmake()
        make()
        stage.settle()
        assert "this is another short-lived" in words(stage.card())
        stage.press("audit.retry")
        assert "too young to judge" in words(stage.card())
        assert len(stage.rows("SELECT id FROM entity WHERE name = 'short-lived'")) == 2
        stage.slack.command(story.ALICE, story.SECURITY, "role short-lived fresh")
        stage.beat()
        unmake()
        stage.settle()
        assert "does not exist any more" in words(stage.card())
    finally:
        if any(r["RoleName"] == "short-lived" for r in iam.list_roles(MaxItems=1000)["Roles"]):
            unmake()


@pytest.mark.parametrize(
    ("error", "lands"),
    [
        ("invalid_blocks", "channel"),
        ("msg_too_long", "channel"),
        ("channel_not_found", "dm"),
        ("is_archived", "dm"),
        ("not_in_channel", "dm"),
    ],
)
def test_slack_refuses_the_card(stage: Stage, error: str, lands: str) -> None:
    """A refused rich card is sent again as a plain one; a channel that takes nothing becomes a direct message."""
    stage.slack.fail("chat.postMessage", error=error, when=lambda args: args.get("channel") == story.SECURITY)
    if lands == "channel":
        stage.slack.fail("chat.update", error=error)
    stage.say("role TestRole-DeleteLater")
    found = stage.cards() if lands == "channel" else stage.slack.dms(story.ALICE)
    assert len(found) == 1
    assert "0 of 3 services used in 90 days" in words(found[0])


@pytest.mark.parametrize("error", ["message_not_found", "channel_not_found", "is_archived"])
def test_slack_loses_the_card(stage: Stage, error: str) -> None:
    """A card that cannot be updated is posted anew, where the channel takes it, else to the person."""
    stage.slack.fail("chat.update", error=error)
    stage.say("role TestRole-DeleteLater")
    found = stage.cards() if error == "message_not_found" else stage.slack.dms(story.ALICE)
    assert "0 of 3 services used in 90 days" in words(found[-1])


def test_tables_are_refused(stage: Stage) -> None:
    """data_table, then table, then fixed-width text; the rung is remembered."""
    stage.slack.state.refuse_blocks = {"data_table"}
    stage.say("role TestRole-DeleteLater")
    assert stage.thread()[-1]["blocks"][0]["type"] == "table"
    stage.slack.state.refuse_blocks = {"data_table", "table"}
    stage.say("role TestRole-DeleteLater")
    assert stage.thread()[-1]["blocks"][0]["type"] == "rich_text"
    before = len(stage.slack.state.calls)
    stage.say("role TestRole-DeleteLater")
    assert not [c for c in stage.slack.state.calls[before:] if c.answer.get("error") == "invalid_blocks"]


@pytest.mark.parametrize(
    "text",
    [
        "   ",
        "x" * 3000,
        "💥💥",
        "role \u202e\x00",
        "<!channel> `x` *bold* <https://evil.example|click>",
        "role '; DROP TABLE request; --",
        "arn:aws:s3:::bucket",
    ],
)
def test_odd_input(stage: Stage, text: str) -> None:
    """A clear private answer; nothing is started and nothing breaks."""
    reply = stage.say(text)
    assert reply.ok
    if text.strip():
        assert (reply.body or {}).get("response_type") == "ephemeral"
        assert "Nothing was started" in words(reply.body or {})
    assert not stage.cards()


def test_a_full_disk(stage: Stage) -> None:
    """Nothing is acknowledged that is not kept: the person gets a number, and once there is room all goes on."""
    pages = stage.store._db._write.execute("PRAGMA page_count").fetchone()[0]
    stage.store._db._write.execute(f"PRAGMA max_page_count = {pages}")
    answers = [
        stage.slack.command(story.ALICE, story.SECURITY, f"role {'x' * 64} account={'y' * 2000}")
        for _ in range(3)
    ]
    refused = [
        a for a in answers if "Something went wrong inside IAM Audit" in (a.body or {}).get("text", "")
    ]
    assert refused
    assert "Reference e-" in (refused[0].body or {})["text"]
    kept = len(stage.rows("SELECT id FROM request"))
    assert kept == len(answers) - len(refused)
    stage.store._db._write.execute("PRAGMA max_page_count = 1000000")
    stage.say("role TestRole-DeleteLater")
    assert "0 of 3 services used" in words(stage.card())


def test_a_click_twice_at_once(stage: Stage) -> None:
    """Refresh pressed by two people at the same time: one new report, and the card is right."""
    stage.say("role TestRole-DeleteLater")
    ts = stage.card()["ts"]
    stage.slack.click(story.ALICE, story.SECURITY, "audit.refresh", ts=ts)
    stage.slack.click(story.BOB, story.SECURITY, "audit.refresh", ts=ts)
    stage.settle()
    assert stage.aws.operations().count("GenerateServiceLastAccessedDetails") == 2
    assert stage.card()["metadata"]["event_payload"]["state"] == "done"


def test_a_card_of_last_year(stage: Stage) -> None:
    """After the retention time the rows of an old report are gone: its buttons say so, and Refresh works."""
    stage.say("role TestRole-DeleteLater")
    stage.now += timedelta(days=800)
    stage.say("role TestRole-DeleteLater")
    assert stage.bot is not None
    stage.bot.housekeeping()
    old = stage.cards()[0]["ts"]
    stage.press("audit.export", ts=old)
    answer = stage.slack.thread(story.SECURITY, old)[-1]
    assert "older than what is kept" in words(answer) + answer["text"]
    stage.press("audit.refresh", ts=old)
    assert "TestRole-DeleteLater: 0 of 3 services used" in words(stage.cards()[0])


def test_slack_is_silent_about_people(stage: Stage) -> None:
    """Who may is never guessed: while Slack does not say, the request waits; if it never does, it is refused."""
    stage.slack.fail("users.info", error="internal_error", times=3)
    stage.say("role TestRole-DeleteLater")
    assert "0 of 3 services used" in words(stage.card())
    stage.now += timedelta(minutes=10)
    stage.slack.fail("users.info", error="internal_error", times=1000)
    stage.say("role OrgAdmin")
    assert len(stage.cards()) == 1
    assert "could not be checked who you are" in words(stage.slack.ephemerals(story.ALICE)[-1])


def test_many_rows(stage: Stage, aws: Aws) -> None:
    """An administrator at action level: thousands of actions, and the card still fits one screen."""
    stage.say("role OrgAdmin actions")
    assert "tracked actions used in 90 days" in words(stage.card())
    assert len(stage.rows("SELECT id FROM action")) > 3000
    assert len(words(stage.card())) < 1600
    files = [f for f in stage.slack.state.files.values() if f["name"].endswith(".csv")]
    assert len(files[0]["content"].splitlines()) > 3000


def test_a_lost_post_that_cannot_be_looked_for_at_once(stage: Stage) -> None:
    """The answer of a post is lost and Slack's history is silent for a while: the post is not made twice."""
    stage.slack.fail("chat.postMessage", drop="after")
    stage.slack.fail("conversations.history", error="internal_error", times=3)
    stage.say("role TestRole-DeleteLater")
    assert len(stage.cards()) == 1
    assert "0 of 3 services used" in words(stage.card())


@pytest.mark.parametrize("silent", [0, 2])
def test_a_lost_reply_is_looked_for_in_its_thread(stage: Stage, silent: int) -> None:
    """As a card is in its channel: it stands there once, also where Slack does not say so at first."""
    in_thread = lambda args: bool(args.get("thread_ts"))  # noqa: E731
    stage.slack.fail("chat.postMessage", drop="after", when=in_thread)
    if silent:
        stage.slack.fail("conversations.replies", error="internal_error", times=silent)
    stage.say("role TestRole-DeleteLater")
    texts = [m["text"] for m in stage.thread()]
    assert texts
    assert len(texts) == len(set(texts))
    assert stage.rows("SELECT count(*) AS n FROM notice WHERE state <> 'sent'")[0]["n"] == 0


def test_a_lost_reply_that_may_not_be_looked_for(stage: Stage) -> None:
    """Without the optional scope it is said again: better twice than never."""
    stage.slack.state.scopes.discard("channels:history")
    stage.slack.fail("chat.postMessage", drop="after", when=lambda args: bool(args.get("thread_ts")))
    stage.say("role TestRole-DeleteLater")
    texts = [m["text"] for m in stage.thread()]
    assert len(texts) == len(set(texts)) + 1


def test_one_429_holds_all_posts(stage: Stage) -> None:
    """After Slack has named a time, nothing is posted before it: not this card and no other."""
    stage.slack.fail("chat.postMessage", retry_after=30)
    for name in ("TestRole-DeleteLater", "DBAdminRole", "OrgAdmin"):
        stage.slack.command(story.ALICE, story.SECURITY, f"role {name}")
        stage.beat()
    for _ in range(5):
        stage.beat()
        stage.now += timedelta(seconds=5)
    assert stage.slack.methods().count("chat.postMessage") == 1
    stage.settle()
    assert len(stage.cards()) == 3


def test_a_card_that_changes_while_it_is_drawn(stage: Stage) -> None:
    """What changes between a drawing and its sending is drawn again: no card stays behind its row."""
    stage.say("role DBAdminRole")
    card_id = stage.rows("SELECT card_id FROM request")[0]["card_id"]
    stage.store.outbox.redraw(card_id, stage.now)
    before = stage.card()["updates"]
    stage.now += timedelta(minutes=6)  # the owner is looked up anew, in the middle of the drawing

    def meanwhile(method: str, phase: str) -> None:
        if (method, phase) == ("users.info", "before"):
            stage.slack.hook = None
            stage.store.outbox.redraw(card_id, stage.now)

    stage.slack.hook = meanwhile
    stage.settle()
    assert stage.slack.hook is None
    assert stage.card()["updates"] == before + 2
