"""What Slack shows of a ticket, where, to whom: hostile words stay words, and a Slack that is down holds nothing up."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.pressing import button, form, heard, last_told, state
from tests.scenarios.stage import Json, Stage, words
from tests.scenarios.test_ticket_races import card_of, thread_of

PLANTED = "<!channel> *bold* _it_ `code` ~no~ <https://evil.example|AWS console> <@U0CAROL0001> :rotating_light: &lt;"
ODD = "\u202e\u200b\x07"
REASON = f"{PLANTED} {ODD} {'x' * 500}"[:500]
MARKS = ("<!channel", "*bold*", "`code`", "evil.example", ":rotating_light:", "_it_", "~no~")
NAME, POLICY = "_own_=x,*".replace("*", "@here"), "_all_@channel,=x+.-"


def hostile_role(aws: Aws, now: Any) -> None:
    """IAM takes all of this: a name, a path, a policy's name, a Sid, resources, conditions, tags, a description."""
    iam = aws.client("iam", story.PROD)
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}  # fmt: skip
    arn = iam.create_role(
        RoleName=NAME,
        Path="/<!channel>/*bold*/:rotating_light:/",
        AssumeRolePolicyDocument=json.dumps(trust),
        Tags=[{"Key": "owner", "Value": "*bold* <!channel> :rotating_light:"}],
    )["Role"]["Arn"]
    role = next(r for r in aws.backend(story.PROD).roles.values() if r.name == NAME)
    role.create_date = now - timedelta(days=900)
    statement = {
        "Sid": "channelBold",  # IAM takes letters and digits only
        "Effect": "Allow",
        "Action": ["s3:*", "athena:*", "redshift:*"],
        "Resource": f"arn:aws:s3:::{PLANTED}{ODD}",
        "Condition": {"StringEquals": {"aws:RequestTag/*bold*": [PLANTED, "`code`"]}},
    }
    role.policies[POLICY] = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role.policies["_bold_=@channel"] = json.dumps(
        {"Version": "2012-10-17", "Statement": [{**statement, "Action": "dax:*"}]}
    )
    aws.use(story.PROD, arn, "s3", now - timedelta(days=3))


def objects(node: Any) -> Iterator[Json]:
    """Every object inside."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


def everything_sent(stage: Stage) -> list[Json]:
    """The arguments of every call that showed something to anybody."""
    return [
        c.args for c in stage.slack.state.calls if c.method.startswith(("chat.", "views.", "files.complete"))
    ]


def never_marked_up(stage: Stage) -> int:
    """No planted text stands where Slack reads markup, mentions or emoji codes; how many places were looked at."""
    looked = 0
    for args in everything_sent(stage):
        assert "<" not in str(args.get("text") or ""), args["text"]
        for one in objects(args):
            kind, text = one.get("type"), one.get("text")
            if kind == "mrkdwn":
                looked += 1
                assert not [m for m in MARKS if m in str(text)], text
            if kind == "plain_text":
                looked += 1
                assert one.get("emoji") is False, one
            if kind in {"user", "usergroup", "broadcast", "link", "channel"} and "options" not in one:
                assert kind in {"user", "usergroup"}, one
                assert one.get("user_id") in {None, *stage.slack.state.users}, one
            if isinstance(text, str):
                assert not set(text) & {"\u202e", "\u200b", "\x07"}, text
    return looked


def test_hostile_words_through_the_whole_life(writing: Stage, aws: Aws) -> None:
    """Form, card, thread, diff, answers, direct messages, keeps: what was planted is shown as words or not at all."""
    stage = writing
    hostile_role(aws, stage.now)
    before = aws.state(story.PROD)
    assert stage.say(f"role {NAME}").ok
    stage.open_form()
    stage.send_form(reason={"value": REASON})
    assert state(stage) == "open"
    shown = words(card_of(stage, 1))
    assert "<!channel>" in shown
    assert "*bold*" in shown
    button(stage, "ticket.diff", 1, story.ALICE)
    assert "<!channel>" in thread_of(stage, 1)
    button(stage, "ticket.approve", 1, story.DAVE)
    form(stage, "ticket.keep", 1, story.CAROL, services=("athena",), reason=REASON)
    assert state(stage, 2) == "open"
    stage.say("keeps")
    stage.say("tickets")
    stage.say("ticket 2")
    stage.say(f"role {NAME}")
    stage.open_form(ts=stage.card()["ts"])
    stage.slack.close_view(story.ALICE)
    button(stage, "ticket.approve", 2, story.BOB)
    assert state(stage, 2) == "applied", words(card_of(stage, 2))
    assert aws.state(story.PROD) != before
    form(stage, "ticket.rollback", 2, story.BOB, reason=REASON)
    assert state(stage, 2) == "rolled_back"
    assert aws.state(story.PROD) == before
    assert never_marked_up(stage) > 20


def test_the_files_hold_the_very_text(writing: Stage, aws: Aws) -> None:
    """A file's name is safe, and its documents are those of IAM to the letter."""
    stage = writing
    hostile_role(aws, stage.now)
    stage.say(f"role {NAME}")
    stage.open_form()
    stage.send_form(reason={"value": REASON})
    button(stage, "ticket.diff", 1, story.ALICE)
    files = list(stage.slack.state.files.values())
    assert files
    for one in files:
        assert not set(one["name"]) & set("<>*/:`\u202e\x07 "), one["name"]
        assert one["shared"]
    whole = b"".join(f["content"] for f in files)
    assert b"<!channel>" in whole


def test_hostile_words_of_aws(writing: Stage, aws: Aws) -> None:
    """The planted role of the story refuses in AWS's own words, with its name in them: quoted, never markup."""
    stage = writing
    stage.say("role _admin_=x,all@corp")
    stage.open_form()
    stage.send_form(reason={"value": "clean-up"})
    aws.fail("DeleteRolePolicy", error="AccessDenied")
    aws.fail("PutRolePolicy", error="AccessDenied")
    button(stage, "ticket.approve", 1, story.CAROL)
    assert state(stage) == "approved"
    assert never_marked_up(stage) > 5
    button(stage, "ticket.retry", 1, story.CAROL)
    assert state(stage) == "applied"
    assert never_marked_up(stage) > 5


# -- Slack is down -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"drop": "before"}, {"error": "internal_error"}],
    ids=["500", "dropped", "error"],
)
def test_slack_is_down_during_the_whole_change(writing: Stage, aws: Aws, fault: dict[str, Any]) -> None:
    """It is carried out and journalled; when Slack is back the card catches up, and each line is said once."""
    stage = writing
    stage.ticket()
    stage.press("ticket.diff")
    lines = len(stage.thread())
    button(stage, "ticket.approve", 1, story.CAROL, settle=False)
    assert stage.bot
    stage.bot.intake.beat()  # who may is asked of a Slack that answers; everything after it is not
    made = stage.slack.fail("*", times=10**6, **fault)
    for _ in range(12):
        stage.bot.intake.beat()
        if state(stage) == "applied":
            break
        stage.now += timedelta(seconds=2)
    stage.beat()
    assert state(stage) == "applied"
    assert [r["state"] for r in stage.rows("SELECT state FROM step")] == ["done", "done"]
    assert {r["verb"] for r in stage.rows("SELECT verb FROM log")} >= {"ticket.approve", "ticket.finished"}
    after = aws.state(story.PROD)
    assert "Waiting for approval" in words(card_of(stage, 1))
    stage.restart()
    stage.slack.faults.remove(made)
    stage.settle()
    assert "Applied" in words(card_of(stage, 1))
    assert [c["metadata"]["event_type"] for c in stage.cards()].count("iam_audit.ticket") == 1
    told = [m["text"] for m in stage.slack.thread(story.SECURITY, card_of(stage, 1)["ts"])]
    assert len(told) == lines + 2, told
    assert len([t for t in told if "was approved, 1 of 1" in t]) == 1
    assert len([t for t in told if "read back and equal to the plan" in t]) == 1
    assert len(stage.slack.dms(story.DAVE)) == 2
    assert aws.state(story.PROD) == after


# -- where it is posted --------------------------------------------------------------------------------------------


def test_the_channel_of_tickets(writing: Stage) -> None:
    """Tickets go to their channel wherever they were asked for, and are decided there."""
    stage = writing
    stage.restart(iam_audit_ticket_channel=story.PLATFORM)
    stage.say("role DBAdminRole")
    stage.open_form()
    stage.send_form(reason={"value": "clean-up"})
    assert len(stage.cards()) == 1
    [card] = stage.cards(story.PLATFORM)
    assert "Waiting for approval" in words(card)
    stage.press("ticket.approve", user=story.CAROL, channel=story.PLATFORM)
    assert "Applied" in words(stage.card(story.PLATFORM))
    assert stage.thread(story.PLATFORM)
    stage.press("ticket.diff", user=story.CAROL, channel=story.PLATFORM)
    assert len(stage.cards()) == 1


def test_a_channel_of_tickets_that_cannot_be_posted_in(writing: Stage) -> None:
    """The bot is not in it: the card goes to its requester, who is told why."""
    stage = writing
    stage.restart(iam_audit_ticket_channel=story.RANDOM)
    stage.say("role DBAdminRole")
    stage.open_form()
    stage.send_form(reason={"value": "clean-up"})
    assert state(stage) == "open"
    assert not stage.cards(story.RANDOM)
    assert any("Waiting for approval" in words(m) for m in stage.slack.dms(story.ALICE))


def test_a_ticket_in_a_direct_message(writing: Stage) -> None:
    """Asked in the bot's direct message, it stays there; an approver of elsewhere decides it all the same."""
    stage = writing
    dm = stage.slack.dm_of(story.ALICE)
    stage.say("role DBAdminRole", channel=dm)
    stage.slack.click(story.ALICE, dm, "audit.ticket", ts=stage.card(dm)["ts"])
    stage.settle()
    stage.send_form(reason={"value": "clean-up"})
    assert not stage.cards()
    card = next(m for m in stage.slack.dms(story.ALICE) if "Waiting for approval" in words(m))
    button(stage, "ticket.approve", 1, story.CAROL)
    assert state(stage) == "applied"
    assert "Applied" in words(next(m for m in stage.slack.dms(story.ALICE) if m["ts"] == card["ts"]))
    assert stage.slack.thread(dm, card["ts"])
    assert not stage.cards()


def test_a_channel_shared_with_another_company(writing: Stage) -> None:
    """Nothing about a ticket is posted there, before or after it became shared; it goes by direct message."""
    stage = writing
    stage.say("role DBAdminRole", channel=story.PARTNERS)
    assert not stage.cards(story.PARTNERS)
    dm = stage.slack.dm_of(story.ALICE)
    stage.slack.click(story.ALICE, dm, "audit.ticket", ts=stage.card(dm)["ts"])
    stage.settle()
    stage.send_form(reason={"value": "clean-up"})
    assert state(stage) == "open"
    assert not stage.slack.state.messages.get(story.PARTNERS)
    assert any("Waiting for approval" in words(m) for m in stage.slack.dms(story.ALICE))


def test_a_channel_that_becomes_shared(writing: Stage) -> None:
    """An open ticket's channel is shared since: what follows is said to its requester alone."""
    stage = writing
    stage.ticket()
    posted = len(stage.slack.state.messages[story.SECURITY])
    text = words(card_of(stage, 1))
    stage.slack.state.channels[story.SECURITY]["is_ext_shared"] = True
    stage.now += timedelta(minutes=2)
    button(stage, "ticket.approve", 1, story.CAROL)
    assert state(stage) == "applied"
    assert len(stage.slack.state.messages[story.SECURITY]) == posted
    assert words(card_of(stage, 1)) == text
    assert any("Applied" in words(m) and m.get("metadata") for m in stage.slack.dms(story.ALICE))


# -- the owner -----------------------------------------------------------------------------------------------------


def tagged(aws: Aws, now: Any, owner: str) -> None:
    iam = aws.client("iam", story.PROD)
    iam.tag_role(RoleName="TestRole-DeleteLater", Tags=[{"Key": "owner", "Value": owner}])


@pytest.mark.parametrize("owner", [story.DAVE, "dave@example.com", "Dave@Example.com"])
def test_the_owner_is_told(writing: Stage, aws: Aws, owner: str) -> None:
    """By direct message when a ticket is opened and when it was carried out, once each, also over restarts."""
    stage = writing
    stage.slack.state.scopes.add("users:read.email")
    stage.slack.state.users[story.DAVE]["profile"] = {"email": "dave@example.com"}
    tagged(aws, stage.now, owner)
    stage.say("role TestRole-DeleteLater")
    stage.open_form()
    stage.send_form(reason={"value": "clean-up"})
    [first] = stage.slack.dms(story.DAVE)
    assert "names you as its owner" in words(first)
    assert "Nothing is written before it is approved." in words(first)
    assert [e["action_id"] for b in first["blocks"] if b["type"] == "actions" for e in b["elements"]] == [
        "ticket.keep",
        "ticket.diff",
    ]
    stage.restart()
    stage.settle()
    button(stage, "ticket.approve", 1, story.CAROL)
    stage.restart()
    stage.settle()
    assert len(stage.slack.dms(story.DAVE)) == 2
    second = stage.slack.dms(story.DAVE)[1]
    assert "Applied" in words(second)
    assert "an approver can roll it back" in words(second)


def test_the_owner_keeps_from_the_direct_message(writing: Stage) -> None:
    """The button of the message opens the form, and the keep counts."""
    stage = writing
    stage.ticket()
    dm = stage.slack.dm_of(story.DAVE)
    assert stage.slack.click(story.DAVE, dm, "ticket.keep", ts=stage.slack.dms(story.DAVE)[0]["ts"]).ok
    stage.settle()
    view = stage.slack.view(story.DAVE)
    assert view
    assert view["submit"]
    stage.send_form(user=story.DAVE, reason={"value": "mine"})
    assert state(stage) == "superseded"


@pytest.mark.parametrize(
    "owner",
    [story.GONE, "U0NOBODY001", "nobody@example.com", "platform", "dave@example.com", "<@U0CAROL0001>"],
)
def test_an_owner_that_nobody_is(writing: Stage, aws: Aws, owner: str) -> None:
    """A deactivated person, an unknown one, a word, an address without the scope to look it up: nobody is told, the ticket opens."""
    stage = writing
    stage.slack.state.users[story.DAVE]["profile"] = {"email": "dave@example.com"}
    if "<" not in owner:
        tagged(aws, stage.now, owner)
    stage.say("role TestRole-DeleteLater")
    stage.open_form()
    stage.send_form(reason={"value": "clean-up"})
    assert state(stage) == "open"
    for user in stage.slack.state.users:
        if user not in {story.ALICE, stage.slack.bot_user_id}:
            assert not stage.slack.dms(user), user


# -- forms ---------------------------------------------------------------------------------------------------------


@contextmanager
def without(stage: Stage, table: str) -> Iterator[None]:
    """A database that is broken for a while."""
    other = sqlite3.connect(stage.path, timeout=5)
    other.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
    other.commit()
    yield
    other.execute(f"ALTER TABLE {table}_away RENAME TO {table}")
    other.commit()
    other.close()


def alerts(view: Json) -> str:
    return " ".join(b["text"]["text"] for b in view["blocks"] if b["type"] == "alert")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"iam_audit_approvers": ""}, "it needs 1 approver who is not you, and nobody is configured"),
        ({"iam_audit_approvers": story.ALICE}, "it needs 1 approver who is not you, and nobody is configured"),
        ({"iam_audit_approvals": 2, "iam_audit_approvers": story.BOB}, "it needs 2 approvers who are not you, and only 1 is configured"),
        ({"iam_audit_approvals": 3}, "it needs 3 approvers who are not you, and only 2 are configured"),
        ({"iam_audit_approvers": story.ALICE, "iam_audit_self_approval": True}, ""),
        ({"iam_audit_approvals": 2}, ""),
    ],
)  # fmt: skip
def test_the_form_says_when_nobody_can_approve(writing: Stage, settings: dict[str, Any], says: str) -> None:
    """Before anybody opens a ticket that can only wait and expire."""
    stage = writing
    stage.restart(**settings)
    stage.say("role DBAdminRole")
    shown = alerts(stage.open_form())
    assert says in shown
    assert bool(says) == ("Nobody can approve this" in shown)
    stage.send_form(reason={"value": "clean-up"})
    assert state(stage) == "open"


@pytest.mark.parametrize("action", ["audit.ticket", "ticket.reject", "ticket.keep", "ticket.rollback"])
def test_a_form_opens_as_loading_and_is_filled(writing: Stage, action: str) -> None:
    """Slack gives three seconds: it opens at once, says that it loads, without Submit, and fills itself."""
    stage = writing
    stage.ticket()
    if action == "ticket.rollback":
        button(stage, "ticket.approve", 1, story.CAROL)
    stage.slack.state.calls.clear()
    stage.press(action, user=story.CAROL, ts=next(c["ts"] for c in stage.cards() if action in json.dumps(c)))
    shown = [c.args["view"] for c in stage.slack.state.calls if c.method in {"views.open", "views.update"}]
    assert "This form fills itself in a moment." in words(shown[0])
    assert "submit" not in shown[0]
    assert len(shown) == 2
    assert "submit" in shown[1]
    assert shown[0]["callback_id"] == shown[1]["callback_id"]


@pytest.mark.parametrize("action", ["audit.ticket", "ticket.reject", "ticket.keep"])
def test_a_form_that_cannot_be_filled(writing: Stage, action: str) -> None:
    """Whatever fails, the person sees a number that stands in the operator's log too, and nothing to send."""
    stage = writing
    stage.ticket()
    ts = next(c["ts"] for c in stage.cards() if action in json.dumps(c))
    table = {"audit.ticket": "keep", "ticket.keep": "step", "ticket.reject": "step"}[action]
    with without(stage, table):
        assert stage.slack.click(story.CAROL, story.SECURITY, action, ts=ts).ok
    view = stage.slack.view(story.CAROL)
    assert view
    assert "The form could not be filled. Nothing was changed." in alerts(view)
    assert "*e-" in words(view)
    assert "submit" not in view


def test_a_form_that_cannot_be_taken(writing: Stage) -> None:
    """The database is broken when it is sent: the number stands in the form, at a field that it has."""
    stage = writing
    stage.say("role DBAdminRole")
    view = stage.open_form()
    with without(stage, "ticket"):
        reply = stage.slack.submit(story.ALICE, {"reason": {"value": "clean-up"}})
    assert reply.body
    [(block, error)] = reply.body["errors"].items()
    assert block in {b.get("block_id") for b in view["blocks"] if b["type"] == "input"}
    assert "Reference e-" in error
    assert not stage.rows("SELECT id FROM ticket")
    assert stage.send_form(reason={"value": "clean-up"}).ok
    assert state(stage) == "open"


def test_a_press_that_cannot_be_taken(writing: Stage, aws: Aws) -> None:
    """The database is broken when Approve is pressed: a number, privately, and nothing happens later."""
    stage = writing
    stage.ticket()
    before = aws.state(story.PROD)
    with without(stage, "press"):
        stage.slack.click(story.CAROL, story.SECURITY, "ticket.approve", ts=card_of(stage, 1)["ts"])
    assert heard(stage, story.CAROL) == 1
    assert "Something went wrong inside IAM Audit. Nothing was changed in AWS." in last_told(
        stage, story.CAROL
    )
    stage.settle()
    assert state(stage) == "open"
    assert aws.state(story.PROD) == before
    stage.press("ticket.approve", user=story.CAROL)
    assert state(stage) == "applied"


@pytest.mark.parametrize("old", [False, True])
def test_alerts_of_an_older_slack(writing: Stage, *, old: bool) -> None:
    """A Slack that does not know the alert block gets the same words as a section, and the form can be sent."""
    stage = writing
    stage.restart(iam_audit_approvers="")
    if old:
        stage.slack.state.refuse_blocks = {"alert"}
    stage.say("role DBAdminRole")
    view = stage.open_form()
    kinds = {b["type"] for b in view["blocks"]}
    said = words(view) + alerts(view)
    assert "Nobody can approve this" in said
    assert ("alert" in kinds) is not old
    stage.send_form(reason={"value": "clean-up"})
    assert state(stage) == "open"


def test_a_person_closes_the_form_before_it_is_filled(writing: Stage) -> None:
    """Slack says not_found: nobody is bothered, nothing is open, nothing fails later."""
    stage = writing
    stage.say("role DBAdminRole")
    stage.slack.fail("views.update", error="not_found")
    assert stage.press("audit.ticket").ok
    view = stage.slack.view(story.ALICE)
    assert view
    assert "submit" not in view
    assert not stage.rows("SELECT id FROM ticket")
