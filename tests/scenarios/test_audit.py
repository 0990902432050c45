"""The main job, through Bolt's dispatcher, boto3 and SQLite: what the world looks like afterwards."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest

from tests.sandbox import world as story
from tests.scenarios.stage import Stage, words


def test_a_role(stage: Stage) -> None:
    """One card, which became the result; the full list below it."""
    reply = stage.say("role DBAdminRole")
    assert reply.ok
    [card] = stage.cards()
    assert "DBAdminRole: 2 of 25 services used in 90 days" in words(card)
    assert "22 no attempt seen" in words(card)
    assert card["metadata"]["event_type"] == "iam_audit.audit"
    assert card["metadata"]["event_payload"]["state"] == "done"
    assert card["updates"] >= 1
    [full] = stage.thread()
    assert "end-user-messaging" in words(full)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("role TestRole-DeleteLater", "0 of 3 services used in 90 days"),
        ("role TestRole-DeleteLater days=300", "1 of 3 services used in 300 days"),
        ("user anna", "anna: 5 of 18 services used"),
        ("group data-engineers", "6 members"),
        ("policy DataLakeAccess", "A change reaches 10 users and roles."),
        ("policy OldTools", "attached to nothing"),
        ("role OrgAdmin", "Nothing is offered for removal"),
        ("role report-writer", "too young to judge, 1 of 6 used so far"),
        ("role AWSReservedSSO_Ops_0a1b2c4d", "Protected: the bot never changes this role."),
        ("role AWSServiceRoleForSupport", "Protected: the bot never changes this role."),
        ("role passes-roles-only", "includes iam:PassRole, which is never tracked"),
        ("role denied-sqs", "0 of 1 services used"),
        ("role not-action-role", "granted by NotAction"),
        ("role DBAdminRole actions", "11 of 1,738 tracked actions used in 90 days"),
        ("arn:aws:iam::111111111111:role/DBAdminRole", "2 of 25 services used"),
        ("arn:aws:iam::111111111111:role/wrong/path/DBAdminRole", "2 of 25 services used"),
        ("arn:aws:sts::111111111111:assumed-role/DBAdminRole/somebody", "2 of 25 services used"),
        ("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", "AWS managed policy"),
    ],
)
def test_each_kind_has_its_card(stage: Stage, text: str, says: str) -> None:
    """Roles, users, groups and policies, each with what is special to it."""
    assert stage.say(text).ok
    assert says in words(stage.card()), words(stage.card())
    assert len(json.dumps(stage.card()["blocks"])) < 12_000


def test_hostile_names_stay_words(stage: Stage) -> None:
    """Nothing planted in a name, path, tag or description becomes markup."""
    stage.say("role _admin_=x,all@corp")
    card = stage.card()
    assert "<!channel>" in words(card)
    marked = [e["text"] for b in card["blocks"] for e in b.get("elements", []) if e.get("type") == "mrkdwn"]
    assert marked
    assert not any("channel" in m or "evil" in m or "bold" in m or "ops" in m for m in marked)
    assert "<!" not in card["text"]


def test_the_buttons(stage: Stage) -> None:
    """Every button answers in the thread."""
    stage.say("role DBAdminRole")
    for action, says in (
        ("audit.actions", "11 tracked actions used in 90 days"),
        ("audit.policies", "DBTools"),
        ("audit.history", "This is the first report of DBAdminRole."),
    ):
        before = len(stage.thread())
        assert stage.press(action).ok
        [*_, last] = stage.thread()
        assert len(stage.thread()) == before + 1
        assert says in words(last) + last["text"], action


def test_who_used_a_service(stage: Stage) -> None:
    """The type-ahead names the services; the answer names the members."""
    stage.say("group data-engineers")
    options = stage.slack.suggest(
        story.ALICE, story.SECURITY, "audit.breakdown", "glue", ts=stage.card()["ts"]
    ).body
    assert options
    stage.press("audit.breakdown", option=options["option_groups"][0]["options"][0])
    answer = words(stage.thread()[-1])
    assert "4 of 6 members in 90 days" in answer
    assert "intern-2024" in answer


def test_who_used_a_service_after_a_restart(stage: Stage) -> None:
    """Another session may not read the old report: a new one is made, and the answer comes all the same."""
    stage.say("role DBAdminRole")
    option = stage.slack.suggest(
        story.ALICE, story.SECURITY, "audit.breakdown", "dynamodb", ts=stage.card()["ts"]
    ).body["option_groups"][0]["options"][0]
    stage.restart()
    stage.press("audit.breakdown", option=option)
    assert "Who used dynamodb?" in words(stage.thread()[-1])
    assert stage.aws.operations().count("GenerateServiceLastAccessedDetails") == 2


def test_export(stage: Stage) -> None:
    """CSV and JSON have every service, and no cell that a spreadsheet would run."""
    stage.say("role _admin_=x,all@corp")
    stage.press("audit.export")
    files = {f["name"].rpartition(".")[2]: f for f in stage.slack.state.files.values()}
    rows = list(csv.DictReader(io.StringIO(files["csv"]["content"].decode("utf-8-sig"))))
    assert [r["service_namespace"] for r in rows] == ["sns", "sqs"]
    assert rows[0]["verdict"] == "remove"
    assert json.loads(files["json"]["content"])[0]["account"] == story.PROD
    assert files["csv"]["thread_ts"] == stage.card()["ts"]


def test_a_picture(stage: Stage) -> None:
    """A PNG with a sentence for those who cannot see it."""
    stage.say("role DBAdminRole")
    stage.press("audit.picture")
    [picture] = stage.slack.state.files.values()
    assert picture["content"].startswith(b"\x89PNG")
    assert "2 used in 90 days" in picture["alt_txt"]


def test_where_files_are_refused(stage: Stage) -> None:
    """The picture becomes a chart, then bars; the export says so."""
    stage.slack.state.files_allowed = False
    stage.say("role DBAdminRole")
    stage.press("audit.picture")
    assert stage.thread()[-1]["blocks"][0]["type"] == "data_visualization"
    stage.slack.state.refuse_blocks = {"data_visualization"}
    stage.press("audit.picture")
    assert "█" in words(stage.thread()[-1])
    stage.press("audit.export")
    assert "Slack refused the file (26 rows)" in words(stage.thread()[-1])


def test_the_cache(stage: Stage) -> None:
    """A young report is served from the store and says so; fresh and Refresh ask AWS."""
    stage.say("role DBAdminRole")
    stage.say("role DBAdminRole")
    assert stage.aws.operations().count("GenerateServiceLastAccessedDetails") == 1
    assert "(from the store)" in words(stage.card())
    stage.say("role DBAdminRole fresh")
    stage.press("audit.refresh")
    assert stage.aws.operations().count("GenerateServiceLastAccessedDetails") == 3
    stage.now += timedelta(hours=5)
    stage.say("role DBAdminRole")
    assert stage.aws.operations().count("GenerateServiceLastAccessedDetails") == 4


def test_ten_people_at_once(stage: Stage) -> None:
    """One job, ten cards, ten results."""
    for n in range(10):
        stage.slack.command(story.ALICE if n % 2 else story.BOB, story.SECURITY, "role DBAdminRole")
    stage.settle()
    assert stage.aws.operations().count("GenerateServiceLastAccessedDetails") == 1
    assert [c["metadata"]["event_payload"]["state"] for c in stage.cards()] == ["done"] * 10
    assert len({c["metadata"]["event_payload"]["id"] for c in stage.cards()}) == 10


def test_the_same_envelope_twice(stage: Stage) -> None:
    """One effect, the same answer, also after a restart."""
    reply = stage.say("role DBAdminRole")
    again = stage.slack.redeliver(reply)
    stage.restart()
    third = stage.slack.redeliver(reply)
    stage.settle()
    assert (again.ok, again.body, third.body) == (True, reply.body, reply.body)
    assert len(stage.cards()) == 1
    click = stage.press("audit.history")
    stage.slack.redeliver(click)
    stage.settle()
    assert len(stage.thread()) == 2


def test_several_accounts(stage: Stage) -> None:
    """A name in two accounts is asked back with a button each; one account that refuses delays nobody and is named."""
    stage.restart(accounts=story.ACCOUNTS)
    stage.say("role DBAdminRole")
    assert not stage.cards()
    [asked] = stage.slack.ephemerals(story.ALICE)
    assert "is in 2 accounts" in words(asked)
    stage.press("audit.choose.*", ts=asked["ts"])
    assert "prod (111111111111)" in words(stage.card())
    stage.say("role TestRole-DeleteLater")
    assert "Not asked: data: access denied" in words(stage.card())
    stage.say("role dev-deployer account=dev")
    assert "dev (222222222222)" in words(stage.card())
    stage.say("role Whatever account=data")
    denied = words(stage.slack.ephemerals(story.ALICE)[-1])
    assert "the bot may not enter data" in denied
    assert "sts:AssumeRole" in denied
    assert "arn:aws:iam::333333333333:role/iam-audit-read" in denied


def test_an_organisation(stage: Stage) -> None:
    """Accounts come from ListAccounts; suspended ones are left out."""
    org = stage.aws.client("organizations", story.PROD)
    org.create_organization(FeatureSet="ALL")
    stage.restart(accounts="organization")
    stage.say("role DBAdminRole")
    assert "2 of 25 services used" in words(stage.card())
    assert "ListAccounts" in stage.aws.operations()


def test_not_found_names_the_nearest(stage: Stage) -> None:
    """A misspelt name is answered privately with names that are near."""
    stage.say("role DBAdminRole")
    stage.say("role DBAdminRol")
    assert len(stage.cards()) == 1
    assert "/iam-audit role DBAdminRole" in words(stage.slack.ephemerals(story.ALICE)[-1])


@pytest.mark.parametrize(
    ("user", "channel", "says"),
    [
        (story.GUEST, story.SECURITY, "Guests may not use IAM Audit"),
        (story.GONE, story.SECURITY, "deactivated"),
        (story.OTHER, story.PARTNERS, "another company"),
    ],
)
def test_who_may_not(stage: Stage, user: str, channel: str, says: str) -> None:
    """Guests, deactivated people and people of other companies are refused privately; AWS is not asked."""
    stage.slack.state.channels[story.SECURITY]["members"].append(user)
    stage.say("role DBAdminRole", user, channel)
    told = "".join(words(e) for e in stage.slack.ephemerals(user)) + "".join(
        words(d) for d in stage.slack.dms(user)
    )
    assert says in told
    assert not stage.cards(channel)
    assert not [c for c in stage.aws.calls if c.service == "iam"]


def test_auditors_by_settings(stage: Stage) -> None:
    """With a list of auditors everybody else is refused, by id or by user group, at the click too."""
    stage.restart(iam_audit_auditors=(story.BOB, story.APPROVERS))
    stage.say("role DBAdminRole", story.ALICE)
    assert "You may not audit here" in words(stage.slack.ephemerals(story.ALICE)[-1])
    stage.say("role DBAdminRole", story.CAROL)
    assert len(stage.cards()) == 1
    stage.press("audit.export", user=story.ALICE)
    assert "You may not audit here" in words(stage.slack.ephemerals(story.ALICE)[-1])
    assert not stage.slack.state.files


@pytest.mark.parametrize(
    ("channel", "says"),
    [
        (story.RANDOM, "/invite @iam-audit"),
        (story.SECRET, "/invite @iam-audit"),
        (story.PARTNERS, "shared with another company"),
        (story.OLD, "archived"),
    ],
)
def test_where_it_may_not_be_said(stage: Stage, channel: str, says: str) -> None:
    """The result goes by direct message, and the channel says so to the person who asked."""
    stage.say("role DBAdminRole", channel=channel)
    assert not stage.cards(channel)
    [dm] = stage.slack.dms(story.ALICE)
    assert "2 of 25 services used" in words(dm)
    told = words(stage.slack.ephemerals(story.ALICE)[-1])
    assert says in told
    assert stage.slack.thread(dm and f"D{story.ALICE[1:]}", dm["ts"])


def test_the_form(stage: Stage) -> None:
    """Opens at once, fills itself, finds entities by a letter, starts the audit where it says."""
    assert stage.bot is not None
    stage.bot.housekeeping()
    assert stage.say("").ok
    view = stage.slack.view(story.ALICE)
    assert view and view["submit"]["text"] == "Start the audit"
    options = stage.slack.suggest(story.ALICE, view["id"], "audit.new.entity", "D").body
    names = [o["text"]["text"] for g in options["option_groups"] for o in g["options"]]
    assert "DBAdminRole" in names
    long = stage.slack.suggest(story.ALICE, view["id"], "audit.new.entity", "a-very-long").body
    assert long["option_groups"]
    nothing = stage.slack.suggest(story.ALICE, view["id"], "audit.new.entity", "zzzz").body
    assert nothing["options"][0]["value"] == "none"
    here = {"channel": {"selected_conversation": story.PLATFORM}}
    refused = stage.slack.submit(story.ALICE, here)
    assert refused.body and "arn" in refused.body["errors"]
    picked = next(
        o for g in options["option_groups"] for o in g["options"] if o["text"]["text"] == "DBAdminRole"
    )
    done = stage.slack.submit(story.ALICE, {"entity": {"selected_option": picked}, **here})
    assert done.ok and not done.body
    stage.settle()
    assert "2 of 25 services used" in words(stage.card(story.PLATFORM))


def test_the_shortcut_and_a_refused_form(stage: Stage) -> None:
    """The global shortcut opens the same form; who may not gets the refusal in it, without Submit."""
    stage.slack.shortcut(story.ALICE, "audit.new")
    stage.settle()
    assert (stage.slack.view(story.ALICE) or {}).get("submit")
    stage.slack.shortcut(story.GUEST, "audit.new")
    stage.settle()
    refused = stage.slack.view(story.GUEST)
    assert refused and "submit" not in refused
    assert "Guests may not use IAM Audit" in words(refused)


def test_private_answers(stage: Stage) -> None:
    """help, whoami, accounts and usage errors are for one person only."""
    assert "/iam-audit role DBAdminRole" in words(stage.say("help").body or {})
    assert "Not understood" in (stage.say("rol DBAdminRole").body or {})["text"]
    stage.say("whoami")
    assert "What you may do" in words(stage.slack.ephemerals(story.ALICE)[-1])
    stage.say("accounts")
    assert "111111111111" in words(stage.slack.ephemerals(story.ALICE)[-1])
    assert not stage.cards()


def test_history_after_a_change(stage: Stage) -> None:
    """What changed from report to report."""
    stage.say("role TestRole-DeleteLater")
    arn = stage.world.arn("role", "TestRole-DeleteLater")
    stage.aws.use(story.PROD, arn, "sqs", stage.now - timedelta(days=1))
    try:
        stage.press("audit.refresh")
        stage.press("audit.history")
    finally:
        stage.aws.uses.pop()
    assert "Newly used:  sqs" in words(stage.thread()[-1])


def test_an_old_button(stage: Stage) -> None:
    """A button of another release, and a card that the database does not know, say what to do instead."""
    stage.say("role DBAdminRole")
    stage.slack.state.messages[story.SECURITY][0]["blocks"][-2]["elements"][0]["action_id"] = "audit.of.old"
    stage.press("audit.of.old")
    assert "not known any more" in words(stage.slack.ephemerals(story.ALICE)[-1])
    stage.slack.state.messages[story.SECURITY][0]["blocks"][-2]["elements"][1]["value"] = "987654"
    stage.press("audit.policies")
    assert "older than the bot’s memory" in words(stage.slack.ephemerals(story.ALICE)[-1])
