"""advisor.core.watch: what AWS's sentence means, and which denied calls are a ticket's doing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from advisor.core.removal import Edit, Hold, Operation, Plan, Standing, Step, Treatment
from advisor.core.rewrite import Cut
from advisor.core.watch import By, Cause, Denials, Hit, Judge, Phase, Watch, denier, next_look, reason
from tests.worlds import ACCOUNT, NOW, SmallCatalogue, allow, deny, document, entity

CATALOGUE = SmallCatalogue()
ROLE = f"arn:aws:iam::{ACCOUNT}:role/DBAdminRole"
WHO = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/R/s is not authorized to perform: s3:CreateBucket on resource: "
OURS = f"arn:aws:iam::{ACCOUNT}:policy/iam-audit-hold-12"


@pytest.mark.parametrize(
    ("message", "by", "policy"),
    [
        (f"{WHO}* because no identity-based policy allows the s3:CreateBucket action", By.NOTHING, ""),
        (f"{WHO}* with an explicit deny in an identity-based policy", By.DENY, ""),
        (f"{WHO}* with an explicit deny in an identity-based policy: {OURS}", By.DENY, OURS),
        (f"{WHO}* with an explicit deny in a service control policy", By.OTHER, ""),
        (f"{WHO}* with an explicit deny in a Service Control Policy", By.OTHER, ""),
        (
            f"{WHO}* with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/p",
            By.OTHER,
            "arn:aws:organizations::1:policy/o-1/p",
        ),
        (f"{WHO}* with an explicit deny in a resource control policy", By.OTHER, ""),
        (f"{WHO}* with an explicit deny in a resource-based policy", By.OTHER, ""),
        (f"{WHO}* with an explicit deny in a permissions boundary", By.OTHER, ""),
        (f"{WHO}* with an explicit deny in a session policy", By.OTHER, ""),
        (f"{WHO}* with an explicit deny in a VPC endpoint policy", By.OTHER, ""),
        (f"{WHO}* because no permissions boundary allows the s3:CreateBucket action", By.OTHER, ""),
        (f"{WHO}* because no session policy allows the s3:CreateBucket action", By.OTHER, ""),
        (f"{WHO}* because no resource-based policy allows the s3:CreateBucket action", By.OTHER, ""),
        (f"{WHO}* because no VPC endpoint policy allows the s3:CreateBucket action", By.OTHER, ""),
        (f"{WHO}*", By.UNSAID, ""),
        (f"{WHO}* with an explicit deny", By.UNSAID, ""),
        ("You are not authorized. Encoded authorization failure message: aGVsbG8", By.UNSAID, ""),
        ("", By.UNSAID, ""),
        (
            f"{WHO}arn:aws:s3:::with an explicit deny in a service control policy: x because no identity-based policy allows the a:B action",
            By.NOTHING,
            "",
        ),
        (f"{WHO}{'a' * 100_000} with an explicit deny in an identity-based policy", By.DENY, ""),
    ],
)
def test_what_denied_it(message: str, by: By, policy: str) -> None:
    assert denier(message) == (by, policy)


def plan(*, hold: bool = False, managed: bool = False, before: str = "", quarantine: bool = False) -> Plan:
    """s3 goes whole from one document, ec2:RunInstances singly; with a hold of them, where one is wanted."""
    text = before or document(allow("s3:*", "ec2:*", "iam:GetRole"))
    cut = Cut(services=frozenset({"s3"}), actions=frozenset({"ec2:RunInstances"}))
    step = Step(Operation.PUT, "own", before=text, after="{}")
    edit = Edit(
        Treatment.EDIT, "own", (step,), out=("s3",), cut=cut, actions=("ec2:RunInstances",), before=text
    )
    if quarantine:
        arn = "arn:aws:iam::aws:policy/AWSDenyAll"
        edit = Edit(
            Treatment.QUARANTINE, "AWSDenyAll", (Step(Operation.ATTACH, "AWSDenyAll", arn),), arn, aws=True
        )
    laid = Step(Operation.PUT, "iam-audit-hold-12", OURS if managed else "")
    return Plan(
        (edit,),
        Standing(entity(), inline=(("own", text),)),
        "f",
        () if quarantine else ("s3",),
        () if quarantine else ("ec2:RunInstances",),
        3,
        hold=Hold("iam-audit-hold-12", 7, ("s3:*", "ec2:RunInstances"), (laid,)) if hold else None,
    )


def one(name: str = "CreateBucket", source: str = "s3", by: By = By.NOTHING, **more: object) -> Denials:
    values = {"policy": "", "phase": Phase.CHANGED, "count": 2, "first": NOW, "last": NOW, **more}
    return Denials(ROLE, f"{source}.amazonaws.com", name, by, **values)  # type: ignore[arg-type]


def hits(made: Plan, *denials: Denials, given: tuple[str, ...] = ()) -> tuple[Hit, ...]:
    services = frozenset({"s3", "ec2"}) if made.quarantine else frozenset({"s3"})
    return Judge(made, services, frozenset({"ec2:RunInstances"}), given, CATALOGUE).hits(denials)


DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"


@pytest.mark.parametrize(
    ("made", "denials", "given", "expected"),
    [
        (plan(), one(), (), (Cause.CHANGE, "s3")),
        (plan(), one(by=By.UNSAID), (), (Cause.UNSAID, "s3")),
        (plan(), one("RunInstances", "ec2"), (), (Cause.CHANGE, "ec2:RunInstances")),
        (plan(), one("DescribeInstances", "ec2"), (), None),  # the ticket did not take it
        (plan(), one("Decrypt", "kms"), (), None),  # nor was it ever allowed
        (plan(before=document(allow("ec2:*"))), one(), (), None),  # a scanner: the documents before did not allow it
        (plan(before="no JSON"), one(), (), (Cause.CHANGE, "s3")),  # who knows
        (plan(), one(by=By.OTHER), (), None),
        (plan(), one(by=By.DENY), (), None),  # there is no hold
        (plan(), one(), ("s3",), None),  # given back
        (plan(), one("RunInstances", "ec2"), ("ec2:RunInstances",), None),
        (plan(hold=True), one(by=By.DENY, phase=Phase.HELD), (), (Cause.HOLD, "s3")),
        (plan(hold=True), one(by=By.DENY, phase=Phase.CHANGING), (), (Cause.HOLD, "s3")),
        (plan(hold=True), one(by=By.DENY), (), None),  # the hold is gone: somebody else's Deny
        (plan(hold=True), one(phase=Phase.HELD), (), None),  # the documents are as they were
        (plan(hold=True), one(phase=Phase.CHANGING), (), (Cause.CHANGE, "s3")),
        (plan(hold=True, managed=True), one(by=By.DENY, policy=OURS), (), (Cause.HOLD, "s3")),
        (plan(hold=True), one(by=By.DENY, policy=OURS, phase=Phase.HELD), (), None),  # another's ARN
        (
            plan(hold=True, before=document(allow("s3:*"), deny("s3:Create*", Resource="arn:aws:s3:::x"))),
            one(by=By.DENY, phase=Phase.HELD),
            (),
            (Cause.UNSAID, "s3"),  # their own Deny may be meant
        ),
        (plan(before=document(allow("s3:*"), deny("s3:Create*"))), one(), (), None),  # it was denied before
        (plan(quarantine=True), one("RunInstances", "ec2", By.DENY, policy=DENY_ALL), (), (Cause.HOLD, "AWSDenyAll")),
        (plan(quarantine=True), one(by=By.DENY), (), (Cause.HOLD, "AWSDenyAll")),
        (plan(quarantine=True), one(), (), None),  # the policies stay: nothing of them went
        (plan(quarantine=True), one("Decrypt", "kms", By.DENY), (), None),  # it never had kms
    ],
)  # fmt: skip
def test_which_denied_calls_are_ours(
    made: Plan, denials: Denials, given: tuple[str, ...], expected: tuple[Cause, str] | None
) -> None:
    found = [(h.cause, *h.things) for h in hits(made, denials, given=given)]
    assert found == ([expected] if expected else [])


def test_a_policy_that_goes_back_whole() -> None:
    """Its services, as far as its own document allowed the call."""
    arn = "arn:aws:iam::aws:policy/Both"
    text = document(allow("sqs:*"))
    step = Step(Operation.DETACH, "Both", arn)
    edit = Edit(
        Treatment.DETACH, "Both", (step,), arn, out=("sqs",), cut=Cut(frozenset({"sqs"})), before=text
    )
    made = Plan((edit,), Standing(entity(), inline=(("own", text),)), "f", ("sqs",), (), 1)
    judge = Judge(made, frozenset({"sqs"}), frozenset(), (), CATALOGUE)
    (hit,) = judge.hits([one("CreateQueue", "sqs")])
    assert hit.things == ("Both",)
    assert not Judge(made, frozenset({"sqs"}), frozenset(), ("Both",), CATALOGUE).hits(
        [one("CreateQueue", "sqs")]
    )


def test_kinds_of_one_call_are_one_hit() -> None:
    """Told by the newest: first held, then changed."""
    early = one(
        by=By.DENY,
        phase=Phase.HELD,
        first=NOW - timedelta(days=2),
        last=NOW - timedelta(days=1),
        sessions=("a",),
    )
    (hit,) = hits(plan(hold=True), one(sessions=("b", "c", "d")), early)
    assert (hit.cause, hit.count, hit.first, hit.last) == (Cause.CHANGE, 4, NOW - timedelta(days=2), NOW)
    assert hit.sessions == ("b", "c", "d")
    assert reason(hit, 12) == "s3:CreateBucket was denied on 24 Nov 2026; given back by ticket 12"


def test_how_often_it_looks() -> None:
    """Every quarter of an hour for a day, then daily, and once more when the last events have come."""
    late = timedelta(minutes=30)
    watch = Watch(1, ACCOUNT, (ROLE,), NOW, NOW + timedelta(days=3), NOW + timedelta(days=1))
    at, looks = NOW, 0
    while (following := next_look(watch, at, late)) is not None:
        at, looks = following, looks + 1
    assert at == watch.until + late
    assert looks == 96 + 3


def test_the_template_of_the_queue() -> None:
    """It delivers calls that only read, too, and lets nobody but its own rule fill the queue."""
    text = (Path(__file__).parent.parent / "docs" / "denied-queue.yaml").read_text("utf-8")
    made = yaml.safe_load(text)["Resources"]
    rule = made["Rule"]["Properties"]
    assert rule["State"] == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    pattern = rule["EventPattern"]
    assert pattern["detail-type"] == ["AWS API Call via CloudTrail"]
    assert [p["prefix"] for p in pattern["detail"]["errorCode"]] == [
        "AccessDenied",
        "Client.UnauthorizedOperation",
    ]
    (statement,) = made["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Condition"]["ArnEquals"] == {"aws:SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}


@pytest.mark.parametrize(
    ("held", "action", "things"),
    [
        (True, "s3:CreateBucket", ("s3",)),
        (True, "ec2:runinstances", ("ec2:RunInstances",)),
        (True, "kms:Decrypt", ()),
        (False, "ec2:runinstances", ("ec2:RunInstances",)),
        (False, "ec2:DescribeInstances", ()),
    ],
)
def test_the_least_that_gives_it_back(held: bool, action: str, things: tuple[str, ...]) -> None:
    """While it is held, what the hold denies by itself."""
    judge = Judge(plan(hold=True), frozenset({"s3"}), frozenset(), (), CATALOGUE, held=held)
    assert judge.things([action]) == things
