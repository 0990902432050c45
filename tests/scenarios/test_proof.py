"""IAM_AUDIT_ACCESS_ANALYZER at the wire: what AWS says of a plan, on the card, in the thread and in the evidence."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

import pytest

from advisor.core import proof
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.pressing import last_told, said_in_log, state
from tests.scenarios.stage import Json, Stage
from tests.scenarios.stage import words as spaced

ALL = (
    "access-analyzer:ValidatePolicy",
    "access-analyzer:CheckNoNewAccess",
    "access-analyzer:CheckAccessNotGranted",
    "iam:SimulatePrincipalPolicy",
    "iam:SimulateCustomPolicy",
)


def words(message: Json) -> str:
    """What it says, with the spaces that a reader sees."""
    return re.sub(r" +([,.:;])", r"\1", re.sub(r"\s+", " ", spaced(message)))


def permit(aws: Aws, *actions: str) -> None:
    """The bot may do this beside what it may."""
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
        }
    )
    aws.client("iam", story.PROD).put_user_policy(
        UserName="iam-audit-bot", PolicyName="proof", PolicyDocument=text
    )


@pytest.fixture
def asking(writing: Stage, aws: Aws) -> Stage:
    """The setting on, and every permission there."""
    permit(aws, *ALL)
    writing.restart(iam_audit_access_analyzer="on")
    return writing


def asked(aws: Aws) -> list[str]:
    return [
        c.operation for c in aws.calls if c.service == "access-analyzer" or c.operation.startswith("Simulate")
    ]


def stored(stage: Stage) -> proof.Proof:
    found = stage.store.proofs.of(1)
    assert found
    return found


def evidence(stage: Stage) -> dict[str, Any]:
    (file,) = [f for f in stage.slack.state.files.values() if f["name"].endswith("-evidence.zip")]
    with zipfile.ZipFile(io.BytesIO(file["content"])) as archive:
        return dict(json.loads(archive.read("evidence.json")))


def test_three_of_three(asking: Stage, aws: Aws) -> None:
    """The second evaluator, Access Analyzer and the simulator: on the card in a line, in the thread by answer."""
    asking.say("role DBAdminRole actions")
    asking.open_form()
    asking.send_form(reason={"value": "x"})
    assert state(asking) == "open"
    assert "Proved: by 3 of 3: a second evaluator, Access Analyzer, IAM’s simulator" in words(asking.card())
    (reply,) = [m for m in asking.thread() if "what AWS says of the new documents" in m["text"]]
    told = words(reply)
    assert "agrees · CheckNoNewAccess of db-admin-inline: the new document allows nothing new" in told
    assert "agrees · CheckAccessNotGranted of db-admin-inline: none of" in told
    assert "used actions stay allowed" in told
    found = stored(asking)
    checks = [c for c in aws.calls if c.operation in {"CheckNoNewAccess", "CheckAccessNotGranted"}]
    assert found.charged == len(checks) and f"{found.charged} were made" in told
    granted = [c for c in checks if c.operation == "CheckAccessNotGranted"]
    sizes = [len(json.loads(c.params["access"])[0]["actions"]) for c in granted]
    assert len(sizes) > 1 and max(sizes) == 100 and not any(c.operation.startswith("Put") for c in aws.calls)
    (no_new,) = [c for c in checks if c.operation == "CheckNoNewAccess"]
    before = aws.backend(story.PROD).get_role("DBAdminRole").policies["db-admin-inline"]
    assert no_new.params["existingPolicyDocument"] == before
    asking.press("ticket.evidence")
    named = {w["name"]: w for w in evidence(asking)["witnesses"]}
    assert [w["agrees"] for w in named.values()] == [True, True, True]
    assert len(named["IAM Access Analyzer"]["request_ids"]) == found.charged
    assert all(named["IAM Access Analyzer"]["request_ids"])


def test_off_nothing_is_asked(writing: Stage, aws: Aws) -> None:
    """The default: no call, no line, no row."""
    permit(aws, *ALL)
    writing.ticket()
    assert asked(aws) == []
    assert "Proved" not in words(writing.card())
    assert writing.store.proofs.of(1) is None


def test_at_service_level_the_simulator_is_not_asked(asking: Stage, aws: Aws) -> None:
    """No action report says which actions are used: said, and two of three."""
    asking.ticket()
    assert "Proved: by 2 of 3: a second evaluator, Access Analyzer; IAM’s simulator did not tell" in words(
        asking.card()
    )
    assert not [o for o in asked(aws) if o.startswith("Simulate")]


@pytest.mark.parametrize("missing", [ALL[1], ALL[4]])
def test_what_is_not_allowed_is_said(asking: Stage, aws: Aws, missing: str) -> None:
    """Never “nothing found”, and never a reason not to open."""
    permit(aws, *(a for a in ALL if a != missing))
    asking.say("role DBAdminRole actions")
    asking.open_form()
    asking.send_form(reason={"value": "x"})
    assert state(asking) == "open"
    (reply,) = [m for m in asking.thread() if "what AWS says of the new documents" in m["text"]]
    assert f"not asked: {missing} is not allowed" in words(reply)
    assert ("did not tell" in words(asking.card())) is missing.startswith("iam:")


def test_nothing_is_allowed(asking: Stage, aws: Aws) -> None:
    """One of three, and said."""
    permit(aws, "sts:GetCallerIdentity")
    asking.ticket()
    assert "by 1 of 3: a second evaluator; Access Analyzer and IAM’s simulator did not tell" in words(
        asking.card()
    )
    assert stored(asking).charged == 0


def test_no_answer_is_no_objection(asking: Stage, aws: Aws) -> None:
    """After botocore’s own tries: not asked, with the reason."""
    aws.fail("CheckNoNewAccess", error="Throttling", times=None)
    asking.ticket()
    assert state(asking) == "open"
    (answer,) = [a for a in stored(asking).answers if a.source is proof.Source.NO_NEW_ACCESS]
    assert answer.agrees is None and "no answer to access-analyzer:CheckNoNewAccess" in answer.said


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        (
            "CheckNoNewAccess",
            "CheckNoNewAccess of db-admin-inline says: The check did not pass.; by the test",
        ),
        (
            "CheckAccessNotGranted",
            "CheckAccessNotGranted of db-admin-inline says: The check did not pass.; by the test",
        ),
    ],
)
def test_a_disagreement_stops_the_ticket(asking: Stage, aws: Aws, operation: str, says: str) -> None:
    """No ticket; both answers are told to whoever asked, and the log keeps the case."""
    before = aws.state(story.PROD)
    aws.analyzer_faults[operation] = "by the test"
    asking.say("role DBAdminRole")
    asking.open_form()
    asking.send_form(reason={"value": "x"})
    assert state(asking) == "void"
    told = last_told(asking, story.ALICE)
    assert says in told and "The bot’s own check says: nothing new is allowed" in told
    assert "ticket.plan_refuted" in said_in_log(asking)
    row = asking.rows("SELECT detail FROM log WHERE verb = 'ticket.plan_refuted'")[0]
    assert says in json.loads(row["detail"])["faults"]
    assert len(asking.cards()) == 1 and aws.state(story.PROD) == before


def test_errors_that_were_there_before_are_no_objection(asking: Stage, aws: Aws) -> None:
    """IAM takes an action that nobody knows, ValidatePolicy calls it an error: only a new one counts; every page."""
    aws.knobs.page_size = 1
    text = json.dumps(
        {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["dynamodb:*", "s3:*", "s3:NoSuchThing", "athena:*", "x:Old", "x:Older"], "Resource": "*"}
        ]}
    )  # fmt: skip
    iam = aws.client("iam", story.PROD)
    iam.put_role_policy(RoleName="DBAdminRole", PolicyName="db-admin-inline", PolicyDocument=text)
    asking.ticket()
    assert state(asking) == "open"
    validated = [c for c in aws.calls if c.operation == "ValidatePolicy"]
    assert len({c.params["policyDocument"] for c in validated}) == 2
    assert max(int(c.params.get("nextToken") or 0) for c in validated) > 1
    (answer,) = [a for a in stored(asking).answers if a.source is proof.Source.VALIDATE]
    assert answer.agrees is True


def test_a_new_error_is_one(asking: Stage, aws: Aws) -> None:
    """Of a document that AWS would not call valid any more; what it said of the old one does not excuse it."""
    aws.analyzer_faults["ValidatePolicy"] = '"secretsmanager:*"]'
    asking.say("role DBAdminRole")
    asking.open_form()
    asking.send_form(reason={"value": "x"})
    assert state(asking) == "void"
    assert "ValidatePolicy of db-admin-inline says: BY_THE_TEST" in last_told(asking, story.ALICE)


def test_in_another_account(asking: Stage, aws: Aws) -> None:
    """With the read role’s rights there: refused, and said."""
    asking.restart(accounts=story.ACCOUNTS)
    asking.say("role DBAdminRole account=dev")
    asking.open_form()
    asking.send_form(reason={"value": "x"})
    if state(asking) == "open":
        assert all("not allowed" in a.said or "not asked" in a.said for a in stored(asking).answers)
    assert {c.account for c in aws.calls if c.service == "access-analyzer"} <= {story.DEV}


def test_a_quarantine_has_nothing_to_ask(asking: Stage, aws: Aws) -> None:
    """No document changes."""
    asking.say("role db-backup")
    view = asking.open_form()
    boxes = [b for b in view["blocks"] if "quarantine" in json.dumps(b).lower() and b.get("type") == "input"]
    assert boxes
    picked = {boxes[0]["block_id"]: {"selected_options": boxes[0]["element"]["options"]}}
    asking.send_form(reason={"value": "x"}, **picked)
    assert asked(aws) == [] and asking.store.proofs.of(1) is None


@pytest.mark.parametrize("operation", ["ValidatePolicy", "CheckNoNewAccess", "CheckAccessNotGranted"])
def test_half_an_answer_is_none(asking: Stage, aws: Aws, operation: str) -> None:
    """Neither "no finding" nor "does not pass": it is not asked, and the ticket opens."""
    aws.fail(operation, truncate=True, times=None)
    asking.ticket()
    assert state(asking) == "open"
    found = [a for a in stored(asking).answers if a.source == operation]
    assert found
    assert {a.agrees for a in found} == {None}
