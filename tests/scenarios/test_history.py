"""`/iam-audit history` at the wire: an entity’s reports and tickets, an account’s sums, the picture and its fallbacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from advisor.edges.store.rows import stamp
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.stage import Stage, words


@pytest.fixture
def aged(stage: Stage, aws: Aws) -> Iterator[Stage]:
    """DBAdminRole was audited; thirty days later it had used sns and lost nothing, and was audited again."""
    put_back, uses = aws.remember(story.PROD), list(aws.uses)
    stage.say("role DBAdminRole")
    stage.now += timedelta(days=30)
    aws.use(story.PROD, stage.world.arn("role", "DBAdminRole"), "lambda", stage.now)
    iam = aws.client("iam", story.PROD)
    text = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}]}'
    iam.put_role_policy(RoleName="DBAdminRole", PolicyName="more", PolicyDocument=text)
    stage.say("role DBAdminRole fresh")
    yield stage
    put_back()
    aws.uses[:] = uses


def table(stage: Stage) -> list[list[str]]:
    (reply,) = [m for m in stage.thread() if m["text"].startswith("History of")]
    (block,) = [b for b in reply["blocks"] if b["type"] == "data_table"]
    return [[c["text"] for c in row] for row in block["rows"]]


def score(stage: Stage, name: str, days: float, granted: int, used: int, could_go: int) -> None:
    """A score as a sweep stores it, with a report whose rows are not kept any more."""
    at = stamp(stage.now - timedelta(days=days))
    with stage.store.transaction():
        run = stage.store._db.run
        known = f"SELECT id FROM entity WHERE name = '{name}' AND account = '{story.PROD}'"
        if not stage.rows(known):
            run(
                "INSERT INTO entity (account, kind, name, arn, unique_id, path, seen_at) "
                "VALUES (?, 'role', ?, ?, ?, '/', ?)",
                (story.PROD, name, f"arn:aws:iam::{story.PROD}:role/{name}", f"AROA{name}", at),
            )
        entity = stage.rows(known)[0]["id"]
        report = run(
            "INSERT INTO report (entity_id, granularity, created_at, completed_at, complete, thinned) "
            "VALUES (?, 'SERVICE_LEVEL', ?, ?, 1, 1)",
            (entity, at, at),
        ).lastrowid
        run(
            "INSERT INTO score (report_id, entity_id, account, at, granted, used, stale, untracked, could_go, risk, "
            "privileged, privileged_used, young, protected, best) VALUES (?, ?, ?, ?, ?, ?, 1, 0, ?, 0, 0, 0, 0, 0, '')",
            (report, entity, story.PROD, at, granted, used, could_go),
        )


def test_an_entity(aged: Stage) -> None:
    """Now and then, what changed, a table and a picture."""
    aged.say("history role DBAdminRole")
    shown = words(aged.card())
    assert "DBAdminRole: 3 of 26 services used; 2 of 25 on" in shown
    assert "Newly used: lambda" in shown and "Newly granted: ecs" in shown
    assert "Role in prod (111111111111)" in shown
    rows = table(aged)
    assert rows[0][1:] == ["Granted", "Used", "Stale", "No attempt", "Could go", "What changed"]
    assert [r[1:5] for r in rows[1:]] == [["26", "3", "1", "22"], ["25", "2", "1", "22"]]
    assert int(rows[1][5]) > 0
    (picture,) = aged.slack.state.files.values()
    assert picture["content"].startswith(b"\x89PNG") and picture["thread_ts"] == aged.card()["ts"]
    assert "26 services granted, 3 used" in picture["alt_txt"]


@pytest.mark.parametrize(
    "asked",
    ["role dbadminrole", "arn:aws:iam::111111111111:role/DBAdminRole", "role DBAdminRole account=prod"],
)
def test_an_entity_by_other_words(aged: Stage, asked: str) -> None:
    """By ARN, in another case, in one account."""
    aged.say(f"history {asked}")
    assert "3 of 26 services used" in words(aged.card())


def test_another_window(aged: Stage) -> None:
    """`days=` counts every report anew."""
    aged.say("history role DBAdminRole days=10")
    assert "DBAdminRole: 1 of 26 services used; 1 of 25 on" in words(aged.card())


def test_one_report(stage: Stage) -> None:
    """Nothing to compare with: said, and no picture."""
    stage.say("role TestRole-DeleteLater")
    stage.say("history role TestRole-DeleteLater")
    assert "nothing earlier to compare with" in words(stage.card())
    assert "The next audit adds a report" in words(stage.card())
    assert not stage.slack.state.files


def test_older_reports_are_counts(aged: Stage) -> None:
    """What retention took is in the scores: drawn, and said to be counts."""
    score(aged, "DBAdminRole", 400, 40, 9, 20)
    aged.say("history role DBAdminRole")
    assert "9 of 40 on" in words(aged.card())
    assert "Of 1 older report only the counts are shown" in words(aged.card())
    assert "Granted 26 (40 then)" in words(aged.card()).replace("  ", " ")
    assert table(aged)[-1][1:6] == ["40", "9", "1", "30", "20"]


def test_tickets_carried_out(writing: Stage) -> None:
    """A change and its way back stand in the history of the entity and of the account."""
    writing.ticket()
    writing.press("ticket.approve", user=story.CAROL)
    writing.now += timedelta(days=1)
    writing.say("role DBAdminRole fresh")
    writing.say("history role DBAdminRole")
    shown = words(writing.card())
    assert "Ticket 1 was carried out" in shown
    assert "No longer granted: " in shown
    assert [f for f in writing.slack.state.files.values() if f["name"].startswith("iam-audit-question")]
    score(writing, "DBAdminRole", 3, 25, 2, 20)
    writing.say("history")
    assert "Ticket 1 was carried out on the role DBAdminRole" in words(writing.card())


def test_an_account(stage: Stage) -> None:
    """Per day the sum of the last report of every entity: one that was not read that day counts as it was."""
    score(stage, "a", 60, 100, 10, 80)
    score(stage, "b", 60, 50, 5, 40)
    score(stage, "a", 30, 60, 12, 40)
    score(stage, "c", 2, 7, 7, 0)
    stage.say("history account=prod")
    shown = words(stage.card())
    assert "prod (111111111111): 24 of 117 services used over 3 entities; 15 of 150 on" in shown
    rows = table(stage)
    assert [r[1:5] for r in rows[1:]] == [
        ["3", "117", "24", "80"],
        ["2", "110", "17", "80"],
        ["2", "150", "15", "120"],
    ]
    (picture,) = stage.slack.state.files.values()
    assert picture["content"].startswith(b"\x89PNG")


def test_a_deleted_entity_leaves_the_sums(stage: Stage) -> None:
    """From the day on that IAM did not know it any more."""
    score(stage, "a", 60, 100, 10, 80)
    score(stage, "b", 60, 50, 5, 40)
    score(stage, "b", 1, 50, 5, 40)
    with stage.store.transaction():
        at = stamp(stage.now - timedelta(days=10))
        stage.store._db.run("UPDATE entity SET gone_at = ? WHERE name = 'a'", (at,))
    stage.say("history")
    assert "5 of 50 services used over 1 entity; 15 of 150 on" in words(stage.card())


def test_export(aged: Stage) -> None:
    """CSV and JSON of every report."""
    aged.say("history role DBAdminRole")
    aged.press("question.export")
    files = {f["name"]: f["content"] for f in aged.slack.state.files.values()}
    (name,) = [n for n in files if n.endswith(".json")]
    rows = json.loads(files[name])
    assert [r["granted"] for r in rows] == ["25", "26"]
    assert "newly_granted: ecs" in rows[1]["what_changed"]
    assert any("CSV and JSON" in m["text"] for m in aged.thread())


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("history account=nowhere", "No account “nowhere”"),
        ("history role Nobody", "Nothing is known of “Nobody”"),
        ("history role DBAdminRol", "/iam-audit history role DBAdminRole"),
        ("history role etl-nightly", "/iam-audit role etl-nightly"),
        ("history user <!channel>", "Not understood"),
    ],
)
def test_what_has_no_history(stage: Stage, asked: str, says: str) -> None:
    """Told to one person, with what to type; no card stands in the channel."""
    stage.bot.housekeeping()  # type: ignore[union-attr]  # lists the accounts
    stage.say("role DBAdminRole")
    stage.say(asked)
    assert says in words(stage.slack.ephemerals(story.ALICE)[-1])
    assert len(stage.cards()) == 1


def test_an_account_of_which_nothing_is_stored(stage: Stage) -> None:
    """Then it is said what to type."""
    stage.say("history")
    assert "/iam-audit sweep account=prod" in words(stage.slack.ephemerals(story.ALICE)[-1])
    assert not stage.cards()


def test_a_name_in_two_accounts(stage: Stage) -> None:
    """Asked back with lines that can be typed, and those work."""
    stage.restart(accounts=story.ACCOUNTS)
    stage.say("role DBAdminRole account=prod")
    stage.say("role DBAdminRole account=dev")
    stage.say("history role DBAdminRole")
    told = words(stage.slack.ephemerals(story.ALICE)[-1])
    assert "is in several places" in told
    (line,) = [w for w in told.splitlines() if w.strip().startswith("/iam-audit") and "dev" in w]
    stage.say(line.strip().removeprefix("/iam-audit "))
    assert "Role in dev (222222222222)" in words(stage.card())


def test_a_picture_that_slack_refuses(aged: Stage) -> None:
    """Its own chart, then bars, then words: on each rung the same numbers."""
    aged.slack.state.files_allowed = False
    aged.say("history role DBAdminRole")
    (chart,) = [m for m in aged.thread() if "services granted and used" in m["text"]]
    assert chart["blocks"][0]["type"] == "data_visualization"
    assert "26 services granted, 3 used" in chart["text"]

    def charts(args: dict[str, object]) -> bool:
        return "data_visualization" in str(args.get("blocks"))

    aged.slack.fail("chat.postMessage", error="invalid_blocks", when=charts, times=9)
    aged.say("history role DBAdminRole")
    (bars,) = [m for m in aged.thread() if "services granted and used" in m["text"]]
    assert "█" in words(bars) and "26" in words(bars)


@pytest.mark.parametrize("user", [story.GUEST])
def test_who_may_not(aged: Stage, user: str) -> None:
    """A history is as private as an audit."""
    aged.slack.state.channels[story.SECURITY]["members"].append(user)
    aged.say("history role DBAdminRole", user)
    assert "Guests may not" in words(aged.slack.ephemerals(user)[-1])
    assert not aged.slack.state.files


def test_a_role_of_a_hostile_name(stage: Stage) -> None:
    """Names are strangers’ words, also in a picture’s alt text and a file."""
    stage.say("role _admin_=x,all@corp")
    stage.now += timedelta(days=3)
    stage.say("role _admin_=x,all@corp fresh")
    stage.say("history role _admin_=x,all@corp")
    assert "_admin_=x,all@corp: 0 of 2 services used" in words(stage.card())
