"""A watch at the wire: who is denied what a ticket took is told, once; one press gives just that back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from advisor.core import events
from handlers import check
from handlers.blocks import kit
from tests.sandbox import denials
from tests.sandbox import world as story
from tests.scenarios.stage import Stage, words

ROLE = f"arn:aws:iam::{story.PROD}:role/deploy-service-01"
SMALL = "role deploy-service-01"  # ecs, ecr and logs, in one inline policy; nobody used any of them
QUARTER = timedelta(minutes=15)


@pytest.fixture
def watched(writing: Stage) -> Stage:
    """A ticket that is carried out, and watched for 14 days; an approver is bob or carol."""
    writing.restart(iam_audit_watch_days=14)
    writing.ticket(SMALL)
    writing.press("ticket.approve", user=story.CAROL)
    assert state(writing) == "applied"
    writing.now += timedelta(minutes=1)
    return writing


def state(stage: Stage) -> str:
    return str(stage.rows("SELECT state FROM ticket ORDER BY id DESC LIMIT 1")[0]["state"])


def denied(stage: Stage, action: str = "ecs:ListClusters", **more: Any) -> str:
    return denials.attempt(stage.aws, story.PROD, more.pop("arn", ROLE), action, **more)


def later(stage: Stage, by: timedelta = QUARTER) -> None:
    """Time passes; what is due is done, and what is heard is gathered and said."""
    stage.now += by
    for _ in range(3):
        stage.beat()
        stage.now += timedelta(seconds=5)
    while stage.pending():
        stage.beat()
        stage.now += timedelta(seconds=0.5)


def told(stage: Stage) -> list[Any]:
    """Messages of the thread that tell of denied calls."""
    return [m for m in stage.thread() if "Give back is offered" in m["text"]]


def test_a_denied_call_is_said_once(watched: Stage) -> None:
    """With the call, the time, the session, on what it rests, and a button; the owner would hear it too."""
    said = denied(watched, session="export-nightly")
    assert said.endswith("because no identity-based policy allows the ecs:ListClusters action")
    later(watched)
    (one,) = told(watched)
    text = words(one)
    assert "deploy-service-01 was denied ecs:ListClusters since ticket 1 took it" in text
    assert "1 time, first" in text and "session export-nightly" in text
    assert "AWS says that no identity-based policy allows it, and those that the ticket changed did" in text
    for _ in range(3):
        denied(watched)
        later(watched)
    assert len(told(watched)) == 1
    assert "Denied since: ecs:ListClusters 4 times" in words(watched.card())


def test_ten_at_once_are_one_message(watched: Stage) -> None:
    """What comes within ten minutes of it waits, and is told together."""
    for action in ("ecs:ListClusters", "ecs:ListServices", "ecr:DescribeRepositories", "ecr:ListImages"):
        for _ in range(3):
            denied(watched, action)
    later(watched)
    (one,) = told(watched)
    assert "and 3 more" in words(one) and "ecr:ListImages , 3 times" in words(one)
    assert sorted(buttons(one)) == ["Give back ecr", "Give back ecs", "Not needed…", "Show the diff"]


def test_what_is_no_hit(watched: Stage) -> None:
    """What was never allowed, what an SCP denies, what happened before, what others call, and what is allowed."""
    denied(watched, "s3:ListAllMyBuckets", event="ListBuckets")
    arn = "arn:aws:organizations::999999999999:policy/o-1/service_control_policy/p-1"
    for said in (
        f"User: x is not authorized to perform: ecs:ListClusters on resource: * with an explicit deny in a service control policy: {arn}",
        "User: x is not authorized to perform: ecs:ListClusters on resource: * because no permissions boundary allows the ecs:ListClusters action",
        "User: x is not authorized to perform: ecs:ListClusters on resource: * with an explicit deny in an identity-based policy: arn:aws:iam::111111111111:policy/Theirs",
    ):
        denied(watched, said=said)
    denied(watched, ago=timedelta(minutes=5))
    denied(watched, arn=f"arn:aws:iam::{story.PROD}:role/deploy-service-03", said="You are not authorized")
    later(watched)
    assert not told(watched)
    denied(watched, code="Client.UnauthorizedOperation", said="You are not authorized. Encoded message: abc")
    later(watched)
    (one,) = told(watched)
    assert "the ticket took it; AWS does not say what denied it" in words(one)


def buttons(message: Any) -> dict[str, str]:
    """The labels of a message's buttons, with the rows that they stand in."""
    rows = [b for b in message["blocks"] if b["type"] == "actions"]
    return {e["text"]["text"]: b["block_id"] for b in rows for e in b["elements"]}


def click(stage: Stage, message: Any, label: str, user: str = story.CAROL, place: str = "") -> None:
    """Press the button that gives this back."""
    row, ts = buttons(message)[f"Give back {label}"], message["ts"]
    assert stage.slack.click(user, place or story.SECURITY, "ticket.giveback", ts=ts, block_id=row).ok


def press(stage: Stage, message: Any, label: str, user: str = story.CAROL, place: str = "") -> None:
    """And let everything that follows happen."""
    click(stage, message, label, user, place)
    stage.settle()


def inline(stage: Stage) -> str:
    role = stage.aws.state(story.PROD)["role/deploy-service-01"]
    return str(role["inline"])  # type: ignore[index]


def test_an_approver_gives_back_what_was_denied(watched: Stage) -> None:
    """Just that service; it is kept for 90 days with the call as the reason; the rest stays removed."""
    denied(watched)
    later(watched)
    (one,) = told(watched)
    press(watched, one, "ecs")
    assert state(watched) == "applied"
    assert "ecs:*" in inline(watched) and "ecr" not in inline(watched) and "logs" not in inline(watched)
    assert not denied(watched), "it works again"
    (keep,) = watched.store.keeps.standing(watched.now)
    day = f"{watched.now.day} {watched.now:%b %Y}"
    assert (keep.service, keep.user) == ("ecs", story.CAROL)
    assert keep.reason == f"ecs:ListClusters was denied on {day}; given back by ticket 1"
    assert timedelta(days=89) < keep.until - watched.now < timedelta(days=91)
    assert "gives back what was denied: ecs" in words(watched.thread()[-2])
    assert "Partly back" in words(watched.thread()[-1])
    press(watched, one, "ecs", user=story.BOB)
    assert "settled already" in watched.slack.ephemerals(story.BOB)[-1]["text"]
    denied(watched, "ecs:ListServices", said="AWS does not say")
    later(watched)
    assert len(told(watched)) == 1, "what is given back is none of ours any more"


def test_two_presses_at_once(watched: Stage) -> None:
    """One gives back, the other is told."""
    denied(watched)
    later(watched)
    (one,) = told(watched)
    for user in (story.CAROL, story.BOB):
        click(watched, one, "ecs", user)
    watched.settle()
    assert watched.rows("SELECT count(*) AS n FROM step WHERE back = 1")[0]["n"] == 1
    assert watched.slack.ephemerals(story.BOB)


def test_the_owner_asks_and_an_approver_decides(writing: Stage) -> None:
    """A direct message with the button; pressed by dave, the thread asks those who may; carol gives it back."""
    stage = writing
    stage.restart(iam_audit_watch_days=14)
    stage.ticket()
    stage.press("ticket.approve", user=story.CAROL)
    stage.now += timedelta(minutes=1)
    arn = f"arn:aws:iam::{story.PROD}:role/DBAdminRole"
    denied(stage, "redshift:DescribeClusters", arn=arn, session="<!channel> *x*")
    denied(stage, "rds:DescribeDBInstances", arn=arn)
    later(stage)
    (one,) = [m for m in stage.slack.dms(story.DAVE) if "was denied" in m["text"]]
    assert "<!channel>" not in one["text"]
    assert "session <!channel> *x*" in words(one)
    assert {"Give back redshift", "Give back AmazonRDSFullAccess"} <= buttons(one).keys()
    dm = stage.slack.dm_of(story.DAVE)
    before = stage.aws.state(story.PROD)
    press(stage, one, "redshift", story.DAVE, dm)
    assert stage.aws.state(story.PROD) == before
    asked = stage.thread()[-1]
    assert f"<@{story.DAVE}> asks for redshift back" in words(asked)
    assert "The approvers were asked to give redshift back" in stage.slack.ephemerals(story.DAVE)[-1]["text"]
    press(stage, one, "redshift", story.DAVE, dm)
    assert "have been asked for it already" in stage.slack.ephemerals(story.DAVE)[-1]["text"]
    press(stage, asked, "redshift")
    assert not denied(stage, "redshift:DescribeClusters", arn=arn)
    assert denied(stage, "rds:DescribeDBInstances", arn=arn)
    press(stage, told(stage)[0], "AmazonRDSFullAccess")
    assert not denied(stage, "rds:DescribeDBInstances", arn=arn)


def test_not_needed(watched: Stage) -> None:
    """With a reason, said in the thread; the same is not said again, another call is."""
    denied(watched)
    later(watched)
    (one,) = told(watched)
    assert watched.slack.click(story.BOB, story.SECURITY, "ticket.notneeded", ts=one["ts"]).ok
    watched.settle()
    watched.send_form(user=story.BOB, reason={"value": "A scanner *x* <!here>"})
    said = watched.thread()[-1]
    assert "what was denied is not needed" in words(said) and "A scanner *x* <!here>" in words(said)
    assert "<!here>" not in said["text"]
    denied(watched)
    later(watched)
    assert len(told(watched)) == 1
    denied(watched, "ecr:ListImages")
    later(watched)
    assert "ecs" not in words(told(watched)[1])
    assert "Denied since: ecr:ListImages 1 time" in words(watched.card())


def test_the_roll_back_form_has_it_chosen(watched: Stage) -> None:
    denied(watched)
    later(watched)
    view = watched.open_form("ticket.rollback", user=story.BOB)
    assert "Denied since the change: ecs, 1 time. It is chosen below." in words(view)
    fields = {b["block_id"]: b["element"] for b in view["blocks"] if b["type"] == "input"}
    assert fields["scope"]["initial_option"]["value"] == "some"
    assert [o["value"] for o in fields["services"]["initial_options"]] == ["s:ecs"]


def test_the_watch_ends(watched: Stage) -> None:
    """After its days, often at first and then daily; it says what it could not see."""
    asked = watched.aws.trail.asked
    asked.clear()
    later(watched)
    assert len(asked) == 6, "three services in two Regions"
    for _ in range(4):
        later(watched)
    assert len(asked) == 5 * 6
    later(watched, timedelta(days=1))
    asked.clear()
    later(watched, timedelta(hours=12))
    assert not asked
    for _ in range(14):
        later(watched, timedelta(days=1))
    said = watched.thread()[-1]
    assert "14 days, no denied call seen : the watch on ticket 1 has ended." in words(said)
    assert "Not seen: data events" in words(said)
    asked.clear()
    later(watched, timedelta(days=1))
    assert not asked


def test_without_the_permission_it_says_that_it_was_deaf(watched: Stage) -> None:
    """Never "nothing found"."""
    watched.aws.fail("LookupEvents", error="AccessDenied", times=None)
    denied(watched)
    for _ in range(16):
        later(watched, timedelta(days=1))
    said = watched.thread()[-1]
    assert "Not asked: cloudtrail:LookupEvents is not allowed." in words(said)
    assert "no denied call seen" not in said["text"] + words(said)


def test_it_ends_silently_with_a_roll_back(watched: Stage) -> None:
    watched.open_form("ticket.rollback", user=story.BOB)
    watched.send_form(user=story.BOB)
    assert state(watched) == "rolled_back"
    count = len(watched.thread())
    denied(watched, said="AWS does not say")
    later(watched)
    later(watched, timedelta(days=16))
    assert len(watched.thread()) == count
    assert watched.rows("SELECT ended_at FROM watch")[0]["ended_at"]


def test_a_late_event_is_heard(watched: Stage) -> None:
    """It stands in event history only after the look that should have seen it."""
    denied(watched, late=timedelta(minutes=20))
    later(watched, timedelta(minutes=16))
    assert not told(watched)
    later(watched)
    assert len(told(watched)) == 1


def test_one_look_serves_every_ticket_of_an_account(watched: Stage) -> None:
    watched.ticket("role deploy-service-02")
    watched.press("ticket.approve", user=story.CAROL)
    watched.aws.trail.asked.clear()
    later(watched, timedelta(minutes=20))
    assert len(watched.aws.trail.asked) == 6


@pytest.fixture
def queued(watched: Stage) -> Stage:
    """The same with a queue."""
    url = denials.queue(watched.aws, story.PROD)
    watched.restart(iam_audit_denied_queue=url)
    return watched


def hear(stage: Stage) -> None:
    """A few beats within some seconds."""
    for _ in range(4):
        stage.beat()
        stage.now += timedelta(seconds=3)


def test_the_queue_is_heard_at_once(queued: Stage) -> None:
    """Within seconds; the same event in history counts once; what is no record of a call is let go."""
    url = queued.settings["iam_audit_denied_queue"]
    for garbage in ("", "{", '{"detail": 1}', '["x"]', '{"detail": {"eventTime": "yesterday"}}'):
        denials.send(queued.aws, url, garbage or " ")
    denied(queued, url=url)
    denied(queued, arn=f"arn:aws:iam::{story.PROD}:role/deploy-service-03", said="no", url=url)
    hear(queued)
    assert len(told(queued)) == 1
    assert queued.rows("SELECT count(*) AS n, min(heard) AS heard FROM denied")[0]["n"] == 1
    later(queued)
    assert [r["count"] for r in queued.rows("SELECT count FROM hit")] == [1]
    assert queued.bot and queued.bot.desk.aws.denials.probe(url) == 0


def test_a_queue_that_may_not_be_read(queued: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Said once in the log, and asked again with patience; event history goes on."""
    fault = queued.aws.fail("ReceiveMessage", error="AccessDenied", times=None)
    assert queued.bot
    config = queued.bot.desk.config
    assert list(check._queue(config)) == [("AWS queue of denied calls", True, "about 0 waiting")]
    gone = config.model_copy(update={"iam_audit_denied_queue": f"{config.iam_audit_denied_queue}x"})
    ((_, good, note),) = check._queue(gone)
    assert not good
    assert note.startswith("sqs:GetQueueAttributes: ")
    assert [queued.bot.listening.beat() for _ in range(3)] == [60.0] * 3
    assert caplog.text.count("denied.deaf what=sqs:ReceiveMessage refused") == 1
    queued.aws.faults.remove(fault)
    denied(queued, url=queued.settings["iam_audit_denied_queue"])
    assert queued.bot.listening.beat() == 0.0
    hear(queued)
    assert len(told(queued)) == 1


def test_throttled_reading_goes_on(watched: Stage) -> None:
    """Twice a second, as AWS takes it."""
    watched.aws.trail.rate = 2
    denied(watched)
    later(watched)
    assert watched.aws.trail.refused
    assert len(told(watched)) == 1


def test_a_single_action(writing: Stage) -> None:
    """Of a service that stays: that action alone comes back."""
    stage = writing
    stage.restart(iam_audit_watch_days=14)
    stage.ticket("role DBAdminRole actions")
    stage.press("ticket.approve", user=story.CAROL)
    assert state(stage) == "applied"
    stage.now += timedelta(minutes=1)
    arn = f"arn:aws:iam::{story.PROD}:role/DBAdminRole"
    ticket = stage.store.tickets.get(1)
    assert ticket and ticket.plan
    gone = [a for a in ticket.plan.actions if a.startswith("dynamodb:") and not events.hidden(a)]
    one, other = gone[0], gone[1]
    for action in (one, other):
        assert denied(stage, action, arn=arn)
    later(stage)
    press(stage, told(stage)[0], kit.clip(one, 30 - len("Give back ")))
    assert not denied(stage, one, arn=arn)
    assert denied(stage, other, arn=arn)
    assert state(stage) == "applied"
    stage.now += timedelta(days=91)
    assert stage.bot
    stage.bot.housekeeping()
    assert not stage.rows("SELECT 1 FROM denied")
