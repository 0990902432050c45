"""`/iam-audit org` at the wire: the organisation’s path, AWS’s report on it, and everything that AWS may say instead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.sandbox import organizations
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.sandbox.slack import Fault
from tests.scenarios.stage import Died, Points, Stage, words, worlds

MANAGEMENT = story.PROD


@pytest.fixture
def ids(aws: Aws) -> Iterator[dict[str, str]]:
    """prod is the management account; dev stands in an OU, data at the root; dms is denied everywhere."""
    organizations.none()
    made = organizations.found(aws, MANAGEMENT, {story.DEV: "workloads", story.DATA: ""})
    organizations.limit(aws, MANAGEMENT, made["root"], "dms:*")
    organizations.limit(aws, MANAGEMENT, made["workloads"], "sqs:*")
    yield made
    organizations.none()


@pytest.fixture
def org(stage: Stage, ids: dict[str, str]) -> Stage:
    stage.restart(accounts=story.ACCOUNTS)
    stage.aws.calls.clear()
    return stage


def table(stage: Stage) -> list[list[str]]:
    """The cells of the thread’s table."""
    (reply,) = [m for m in stage.thread() if m["text"].startswith("Services allowed in")]
    (block,) = [b for b in reply["blocks"] if b["type"] == "data_table"]
    return [[c["text"] for c in row] for row in block["rows"]]


def test_the_whole_organisation(org: Stage, ids: dict[str, str]) -> None:
    """What the root’s SCPs allow and which member account tried what; the management account’s use does not count."""
    org.say("org")
    shown = words(org.card())
    total = len(table(org)) - 1
    assert total == 99
    assert f"{ids['o']}/{ids['root']}: " in shown
    assert "services that SCPs allow were not used by any account in 90 days" in shown
    assert "The management account is not in it" in shown
    assert "2 used" in shown and "ecs, s3" in shown  # of dev; prod used dozens
    assert org.card()["metadata"]["event_type"] == "iam_audit.question"
    assert org.card()["metadata"]["event_payload"]["state"] == "done"
    sent = [c.params for c in org.aws.calls if c.operation == "GenerateOrganizationsAccessReport"]
    assert [p["EntityPath"] for p in sent] == [f"{ids['o']}/{ids['root']}"]


@pytest.mark.parametrize(
    ("target", "path", "says"),
    [
        ("{root}", "{o}/{root}", "by any account"),
        ("{workloads}", "{o}/{root}/{workloads}", "by any account"),
        ("dev", "{o}/{root}/{workloads}/222222222222", "dev (222222222222): "),
        ("222222222222", "{o}/{root}/{workloads}/222222222222", "dev (222222222222): "),
        ("data", "{o}/{root}/333333333333", "data (333333333333): "),
        ("prod", "{o}/{root}/111111111111", "no SCP limits it"),
    ],
)
def test_each_place(org: Stage, ids: dict[str, str], target: str, path: str, says: str) -> None:
    """A root, an OU, an account by number or alias: its path from the root down, without a slash at the end."""
    org.say(f"org {target.format(**ids)}")
    (sent,) = [c.params for c in org.aws.calls if c.operation == "GenerateOrganizationsAccessReport"]
    assert sent["EntityPath"] == path.format(**ids)
    assert says in words(org.card())


def test_pages_are_all_read(org: Stage, ids: dict[str, str]) -> None:
    """Services of the fortieth page count too, and what is denied on a level above is not in the list."""
    org.aws.knobs.page_size = 7
    org.say(f"org {ids['workloads']}")
    org.press("question.export")
    upload = next(f for f in org.slack.state.files.values() if f["name"].endswith(".csv"))
    rows = upload["content"].decode("utf-8-sig").splitlines()
    names = {r.split(",")[1] for r in rows[1:]}
    assert len(names) > 200
    assert not {"dms", "sqs"} & names
    assert f"of {len(names):,} services" in words(org.card()) or str(len(names)) in words(org.card())
    by_name = {r.split(",")[1]: r for r in rows}
    assert "used," in by_name["s3"] and story.DEV in by_name["s3"]
    assert "no_attempt" in by_name["sns"]


def test_a_stale_service_names_its_last_account(org: Stage, ids: dict[str, str]) -> None:
    """Used, but before the window: who, and when."""
    before = list(org.aws.uses)
    org.aws.use(story.DATA, "arn:aws:iam::333333333333:role/x", "kinesis", org.now - timedelta(days=200))
    org.say("org")
    org.aws.uses[:] = before
    shown = words(org.card())
    for said in ("1 stale", "latest:  kinesis", "by data (333333333333)"):
        assert said in shown, shown


def test_a_job_takes_its_time(org: Stage) -> None:
    """The card says so first, and is the same card at the end."""
    org.aws.knobs.job_polls = 20
    org.slack.command(story.ALICE, story.SECURITY, "org")
    org.beat()
    assert "AWS is building the report on the organisation" in words(org.card())
    org.settle()
    assert "were not used" in words(org.card())
    assert len(org.cards()) == 1


def test_a_slow_job_says_when_it_gives_up(org: Stage) -> None:
    """After a minute; in the end it failed, and Retry asks again for the same card."""
    org.restart(iam_audit_job_minutes=2)
    org.aws.knobs.job_result = "stick"
    org.slack.command(story.ALICE, story.SECURITY, "org")
    org.beat()
    org.now += timedelta(seconds=90)
    org.beat()
    org.settle()
    assert "AWS did not finish the report in time" in words(org.card())
    org.aws.knobs.job_result = "ok"
    org.now += timedelta(minutes=2)
    org.press("question.retry")
    assert "were not used" in words(org.card())
    assert len(org.cards()) == 1


def test_one_report_at_a_time(org: Stage, ids: dict[str, str]) -> None:
    """A second question waits its turn and says so; both are answered."""
    org.aws.knobs.job_polls = 4
    org.slack.command(story.ALICE, story.SECURITY, "org")
    org.beat()
    org.slack.command(story.BOB, story.SECURITY, f"org {ids['workloads']}")
    org.beat()
    org.beat()
    assert "bot waits its turn" in words(org.card())
    org.settle()
    assert all("were not used" in words(c) for c in org.cards())
    refused = [c for c in org.aws.calls if c.operation.startswith("GenerateOrg") and c.status == 409]
    assert refused


def test_the_same_question_twice_is_one_job(org: Stage) -> None:
    """AWS gives the same job for the same path within a minute."""
    org.slack.command(story.ALICE, story.SECURITY, "org")
    org.slack.command(story.BOB, story.SECURITY, "org")
    org.settle()
    assert len([c for c in org.cards() if "were not used" in words(c)]) == 2
    assert len(org.aws.jobs) == 1


def test_a_turn_that_never_comes(org: Stage) -> None:
    """Busy until the deadline: what helps, and Retry."""
    org.restart(iam_audit_job_minutes=1)
    fault = org.aws.fail(
        "GenerateOrganizationsAccessReport", error="ReportGenerationLimitExceeded", status=409, times=None
    )
    org.say("org")
    assert "AWS makes one such report at a time, and was busy" in words(org.card())
    org.aws.faults.remove(fault)
    org.press("question.retry")
    assert "were not used" in words(org.card())


def test_a_job_that_aws_forgets(org: Stage) -> None:
    """NoSuchEntity on our own job: it is begun again."""
    org.aws.knobs.job_polls = 3
    org.slack.command(story.ALICE, story.SECURITY, "org")
    org.beat()
    org.aws.jobs.clear()
    org.settle()
    assert "were not used" in words(org.card())
    org.aws.fail("GetOrganizationsAccessReport", error="NoSuchEntity", times=None)
    org.say("org dev")
    assert "does not know the report it began" in words(org.card())


def _org_says(stage: Stage, *said: str) -> str:
    stage.say("org")
    shown = words(stage.card())
    assert "No answer: services that SCPs allow" in shown
    assert "Nothing is known either way" in shown
    for part in said:
        assert part in shown, shown
    assert stage.card()["metadata"]["event_payload"]["state"] == "failed"
    return shown


def test_no_organisation(stage: Stage) -> None:
    """AWSOrganizationsNotInUse: a fact, not a fault."""
    organizations.none()
    _org_says(stage, "is in no organisation", "if this account stands alone")


def test_not_the_management_account(stage: Stage, aws: Aws) -> None:
    """The card names the account that could."""
    organizations.none()
    organizations.found(aws, story.DATA, {story.PROD: ""})
    _org_says(stage, "only to the management account, 333333333333")
    assert "GenerateOrganizationsAccessReport" not in aws.operations()
    organizations.none()


def test_policies_not_turned_on(stage: Stage, aws: Aws) -> None:
    """Without SCPs there is nothing to report on."""
    organizations.none()
    organizations.found(aws, MANAGEMENT, {}, scps=False)
    _org_says(stage, "service control policies are not turned on", "an administrator turns on")
    organizations.none()


def test_iam_may_not_read_the_organisation(org: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is accepted and FAILED with ORGANIZATIONS_REPORT_ACCESS_DENIED: the permissions are named."""
    monkeypatch.setattr(organizations, "READ_BY_IAM", ["ListHandshakes"])
    shown = _org_says(org, "AWS refuses the bot to read the organisation")
    assert "organizations:ListChildren\norganizations:ListPoliciesForTarget" in shown


@pytest.mark.parametrize("call", ["DescribeOrganization", "ListRoots", "GenerateOrganizationsAccessReport"])
def test_a_refused_call(org: Stage, call: str) -> None:
    """The card names the permission; Retry works once it is allowed."""
    fault = org.aws.fail(call, error="AccessDenied", times=None)
    shown = _org_says(org)
    assert f":{call}" in shown
    org.aws.faults.remove(fault)
    org.press("question.retry")
    assert "were not used" in words(org.card())


def test_a_failed_job(org: Stage) -> None:
    """AWS’s own words, as words."""
    org.aws.knobs.job_result = "fail"
    _org_says(org, "AWS ended the report as failed", "<error> *happened*")


@pytest.mark.parametrize("target", ["ou-ab12-cdefgh34", "999999999999", "nowhere", "r-zzzz", "*<!channel>*"])
def test_no_such_place(org: Stage, target: str) -> None:
    """Said with what was typed, as text."""
    org.say(f"org {target}")
    assert f"no root, organisational unit or account “{target}”" in words(org.card())
    assert "GenerateOrganizationsAccessReport" not in org.aws.operations()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("DescribeOrganization", "ServiceFailure"),
        ("GenerateOrganizationsAccessReport", "ServiceFailure"),
        ("GetOrganizationsAccessReport", "Throttling"),
        ("GetOrganizationsAccessReport", "ServiceFailure"),
    ],
)
def test_a_passing_fault(org: Stage, call: str, error: str) -> None:
    """Tried again until it works; nobody has to press anything."""
    org.aws.fail(call, error=error, times=4)
    org.say("org")
    assert "were not used" in words(org.card())


def test_an_account_of_a_hostile_name(org: Stage) -> None:
    """An alias is a stranger’s word."""
    name = "<!channel>*x*"
    org.restart(accounts=f"prod={story.PROD},{name}={story.DEV}")
    org.say(f"org {story.DEV}")
    assert f"{name} ({story.DEV}): " in words(org.card())
    assert name not in org.card()["text"]  # escaped there


# -- who, where, and how often ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "says"), [(story.GUEST, "Guests may not use IAM Audit"), (story.GONE, "deactivated")]
)
def test_who_may_not(org: Stage, user: str, says: str) -> None:
    """Refused privately; AWS is not asked, no card stands."""
    org.slack.state.channels[story.SECURITY]["members"].append(user)
    org.say("org", user)
    told = "".join(words(e) for e in [*org.slack.ephemerals(user), *org.slack.dms(user)])
    assert says in told
    assert not org.cards()
    assert not [c for c in org.aws.calls if c.service in {"iam", "organizations"}]


def test_auditors_only(org: Stage) -> None:
    """Also for the buttons of somebody else’s card."""
    org.restart(iam_audit_auditors=story.ALICE)
    org.say("org", story.BOB)
    assert "You may not audit here" in words(org.slack.ephemerals(story.BOB)[-1])
    org.say("org")
    org.press("question.export", user=story.BOB)
    assert len([e for e in org.slack.ephemerals(story.BOB) if "You may not audit" in words(e)]) == 2
    assert not org.slack.state.files
    org.press("question.export")
    assert len(org.slack.state.files) == 2


def test_slack_is_silent(org: Stage) -> None:
    """Who somebody is cannot be known for a while: it is asked again; for ever: nobody may."""
    org.slack.fail("users.info", error="internal_error", times=3)
    org.say("org")
    assert "were not used" in words(org.card())
    org.slack.fail("users.info", error="internal_error", times=1000)
    org.now += timedelta(hours=1)
    org.slack.command(story.BOB, story.SECURITY, "org")
    for _ in range(8):
        org.beat()
        org.now += timedelta(seconds=45)
    org.slack.faults.clear()
    org.settle()
    assert "It could not be checked who you are" in words(org.slack.ephemerals(story.BOB)[-1])


@pytest.mark.parametrize("channel", [story.RANDOM, story.PARTNERS, story.OLD, story.SECRET])
def test_where_it_may_not_stand(org: Stage, channel: str) -> None:
    """Not joined, shared with another company, archived, private: by direct message, and said so."""
    org.say("org", channel=channel)
    assert not org.cards(channel)
    (card, *_) = [m for m in org.slack.dms(story.ALICE) if "were not used" in words(m)]
    assert card["metadata"]["event_type"] == "iam_audit.question"
    assert any("direct message" in words(e) for e in org.slack.ephemerals(story.ALICE))


def test_one_envelope_twice(org: Stage) -> None:
    """The same trigger has one effect."""
    reply = org.say("org")
    assert org.slack.redeliver(reply).ok
    org.settle()
    click = org.press("question.export")
    assert org.slack.redeliver(click).ok
    org.settle()
    assert len(org.slack.state.files) == 2
    assert len(org.cards()) == 1
    assert [r["kind"] for r in org.rows("SELECT kind FROM question")] == ["org", "export"]


def test_a_retry_pressed_twice(org: Stage) -> None:
    """By two people on the same screen: one retry, and the second is told."""
    org.aws.knobs.job_result = "fail"
    org.say("org")
    org.aws.knobs.job_result = "ok"
    org.now += timedelta(minutes=2)
    ts = org.card()["ts"]
    assert org.slack.click(story.ALICE, story.SECURITY, "question.retry", ts=ts).ok
    assert org.slack.click(story.BOB, story.SECURITY, "question.retry", ts=ts).ok
    org.settle()
    assert "were not used" in words(org.card())
    assert len(org.rows("SELECT id FROM question WHERE kind = 'retry'")) == 2
    assert len(org.thread()) == 1


def test_files_that_slack_refuses(org: Stage) -> None:
    """The thread says so."""
    org.slack.state.files_allowed = False
    org.say("org")
    org.press("question.export")
    assert any("Slack refused the file" in m["text"] for m in org.thread())


def test_a_post_whose_answer_is_lost(org: Stage) -> None:
    """Looked for by its metadata, and not posted twice."""
    org.slack.faults.append(Fault("chat.postMessage", drop="after"))
    org.say("org")
    assert len(org.cards()) == 1
    assert "were not used" in words(org.card())


def _until_it_dies(stage: Stage, points: Points) -> bool:
    """Ask, export, settle; when the process dies, start again and settle. Says whether the asking was acknowledged."""
    acknowledged = False
    try:
        with worlds(points):
            stage.restart()
            acknowledged = stage.slack.command(story.ALICE, story.SECURITY, "org").ok
            stage.settle()
            stage.press("question.export")
    except Died:
        stage.restart()
        stage.settle()
    return acknowledged


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.long)])
def test_dying_anywhere(org: Stage, tmp_path: Path, step: int) -> None:
    """Killed at every moment at which the world is another: one answered card, one table, files at most once."""
    n, total = 1 - step, 0
    while not total:
        n += step
        for kept in (org.slack.state.messages, org.slack.state.files, org.aws.jobs):
            kept.clear()
        org.end()
        org.path, points = tmp_path / f"die{n}.db", Points(n)
        acknowledged = _until_it_dies(org, points)
        where = f"died at point {n}: {points.trace[-1]}"
        assert len(org.cards()) == 1 or (not org.cards() and not acknowledged), where
        for card in org.cards():
            assert "were not used" in words(card), where
            assert card["metadata"]["event_payload"]["state"] == "done", where
            tables = [m for m in org.thread() if m["text"].startswith("Services allowed in")]
            assert len(tables) in {1, 2}, where  # a reply whose answer was lost may come twice
            assert len({f["name"] for f in org.slack.state.files.values() if f["shared"]}) in {0, 2}, where
        if points.count < n:
            total = points.count
    assert total > 15
