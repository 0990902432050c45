"""advisor.core.replay: who is meant, what is asked, and the class of each kind of call."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core import replay
from advisor.core.model import Kind
from advisor.core.removal import Edit, Plan, Standing, Treatment
from advisor.core.replay import NAME, SOURCE, Because, Call, Court, Fate, Judged, Look
from advisor.core.rewrite import Cut
from tests.worlds import (
    ACCOUNT,
    NOW,
    SmallCatalogue,
    ago,
    allow,
    deny,
    document,
    entity,
    report,
    service,
    snapshot,
)

CATALOGUE = SmallCatalogue()
ROLE = f"arn:aws:iam::{ACCOUNT}:role/DBAdminRole"


def call(name: str, source: str = "s3", *, denied: bool = False, at: datetime = NOW, **more: object) -> Call:
    return Call(ROLE, f"{source}.amazonaws.com", name, denied, at, **more)  # type: ignore[arg-type]


def judged(before: list[str], after: list[str], one: Call) -> Judged:
    return Court(before, after, CATALOGUE).judge(one)


BUCKET = {"Resource": "arn:aws:s3:::one"}


@pytest.mark.parametrize(
    ("before", "after", "one", "fate", "because"),
    [
        ([document(allow("s3:*"))], [document(allow("s3:*"))], call("CreateBucket"), Fate.ALLOWED, None),
        ([document(allow("s3:*"))], [], call("CreateBucket"), Fate.LOST, None),
        ([document(allow("*"))], [document(allow("ec2:*"))], call("CreateBucket"), Fate.LOST, None),
        ([document(allow("s3:*"))], [], call("CreateBucket", denied=True), Fate.DENIED, None),
        ([document(allow("ec2:*"))], [], call("CreateBucket"), Fate.UNKNOWN, Because.ELSEWHERE),
        (
            [document(allow("s3:*"), allow("s3:*", **BUCKET))],
            [document(allow("s3:*", **BUCKET))],
            call("CreateBucket"),
            Fate.UNKNOWN,
            Because.NARROWER,
        ),
        (
            [document(allow("s3:*"), allow("s3:CreateBucket"))],
            [document(allow("s3:CreateBucket"))],
            call("CreateBucket"),
            Fate.ALLOWED,
            None,
        ),
        ([document(allow("S3:create*"))], [], call("CreateBucket"), Fate.LOST, None),
        (
            [document({"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"})],
            [],
            call("CreateBucket"),
            Fate.LOST,
            None,
        ),
        ([document(deny("s3:*"))], [], call("CreateBucket"), Fate.UNKNOWN, Because.ELSEWHERE),
        (["no JSON"], [], call("CreateBucket"), Fate.UNKNOWN, Because.UNREADABLE),
        ([document(allow("s3:*"))], [], call("NobodyKnowsThis"), Fate.LOST, None),
        ([document(allow("s3:Get*"))], [], call("NobodyKnowsThis"), Fate.UNKNOWN, Because.ELSEWHERE),
        ([document(allow("lambda:*"))], [], call("CreateFunction20150331", "lambda"), Fate.LOST, None),
    ],
)
def test_each_class(
    before: list[str], after: list[str], one: Call, fate: Fate, because: Because | None
) -> None:
    found = judged(before, after, one)
    assert (found.fate, found.because) == (fate, because)


def test_a_call_of_several_actions_is_lost_with_any_of_them() -> None:
    both = document(allow("kms:ReEncryptFrom", "kms:ReEncryptTo"))
    left = document(allow("kms:ReEncryptFrom"))
    assert judged([both], [left], call("ReEncrypt", "kms")).fate is Fate.LOST
    assert judged([both], [both], call("ReEncrypt", "kms")).fate is Fate.ALLOWED


def test_an_attempt_that_went_through_outweighs_denied_ones() -> None:
    """And kinds are counted over Regions and versions of a name."""
    found = replay.merged(
        [
            call("CreateFunction20150331", "lambda", denied=True, count=5),
            call("CreateFunction20150331v2", "lambda", at=ago(days=3), count=2),
            call("CreateFunction", "lambda", at=ago(days=1), region="eu-north-1", session="new"),
            call("CreateFunction", "lambda", denied=True, count=9),
        ]
    )
    assert [(c.denied, c.count, c.newest, c.session) for c in found] == [(False, 3, ago(days=1), "new")]


def test_only_what_the_plan_takes_is_judged() -> None:
    court = Court([document(allow("*"))], [document(allow("ec2:*"))], CATALOGUE)
    calls = [
        call("CreateBucket"),
        call("RunInstances", "ec2"),
        call("GetRole", "iam"),
        call("CreateRole", "iam"),
    ]
    found = replay.replayed(calls, court, frozenset({"s3"}), frozenset({"iam:getrole"}))
    assert [j.actions for j in found] == [("s3:CreateBucket",), ("iam:GetRole",)]
    assert dict(replay.seen(found, frozenset({"s3"}), frozenset({"iam:GetRole"}))) == {
        "s3": found[0],
        "iam:getrole": found[1],
    }
    assert replay.detail(found[0]) == "s3:CreateBucket on 2026-11-24"


actions = st.sampled_from(
    ["s3:*", "s3:Get*", "s3:CreateBucket", "s3:ListBucket", "ec2:*", "iam:GetRole", "*"]
)
names = st.sampled_from([(s, n) for s, names in CATALOGUE.table.items() for n in names])


@given(st.lists(actions, min_size=1, max_size=4), st.lists(actions, max_size=4), names)
def test_lost_is_what_is_allowed_before_and_by_nothing_after(
    before: list[str], after: list[str], name: tuple[str, str]
) -> None:
    """Against the plainest reading there is: one context, wildcards at the end only."""

    def allows(entries: list[str]) -> bool:
        action = f"{name[0]}:{name[1]}"
        return any(
            action.startswith(e.removesuffix("*")) if e.endswith("*") else e == action for e in entries
        )

    texts = [document(allow(*before))], [document(allow(*after))] if after else []
    found = Court(*texts, CATALOGUE)._one(f"{name[0]}:{name[1]}")[0]
    expected = Fate.UNKNOWN if not allows(before) else Fate.ALLOWED if allows(after) else Fate.LOST
    assert found is expected


@given(st.lists(st.tuples(names, st.booleans(), st.integers(1, 9)), max_size=30))
def test_every_kind_has_one_class(made: list[tuple[tuple[str, str], bool, int]]) -> None:
    calls = [call(n, s, denied=d, at=ago(days=days)) for (s, n), d, days in made]
    court = Court([document(allow("s3:*", "iam:*"))], [document(allow("iam:*"))], CATALOGUE)
    found = replay.replayed(calls, court, frozenset(CATALOGUE.table), frozenset())
    told = replay.told(found, NOW)
    assert told.kinds == len({(s, n) for (s, n), _, _ in made})
    assert told.kinds == sum(told.of(f) for f in Fate) == len(told.judged)
    went = {f"{s}:{n}" for (s, n), denied, _ in made if not denied}
    assert {j.actions[0] for j in found if j.fate is Fate.LOST} == {a for a in went if a.startswith("s3:")}


# -- what is asked, of whom ------------------------------------------------------------------------------------------


def test_questions() -> None:
    found = replay.questions(
        {"athena", "rds-db"}, {"s3:ListAllMyBuckets", "s3:GetObject", "lambda:CreateAlias"}, ["us-east-1"]
    )
    assert found == (
        Look("us-east-1", NAME, "ListAllMyBuckets"),
        Look("us-east-1", NAME, "ListBuckets"),
        Look("us-east-1", SOURCE, "athena.amazonaws.com"),
        Look("us-east-1", SOURCE, "lambda.amazonaws.com"),
    )  # fmt: skip
    assert len(replay.questions({"athena"}, (), ["b", "a", "a"])) == 2


@pytest.mark.parametrize(
    ("arn", "short"),
    [
        (ROLE, ROLE),
        (f"arn:aws:iam::{ACCOUNT}:role/a/b/DBAdminRole", ROLE),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/DBAdminRole/<!channel>", ROLE),
        (f"arn:aws:iam::{ACCOUNT}:user/people/anna", f"arn:aws:iam::{ACCOUNT}:user/anna"),
        (f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:root"),
    ],
)
def test_pathless(arn: str, short: str) -> None:
    assert replay.pathless(arn) == short


def test_whose_calls_count() -> None:
    here = f"arn:aws:iam::{ACCOUNT}"
    assert replay.concerned(entity(), None) == {ROLE}
    group = entity(Kind.GROUP, "data")
    assert replay.concerned(group, snapshot(of=group, members=("anna", "bo"))) == {f"{here}:user/anna", f"{here}:user/bo"}  # fmt: skip
    policy = entity(Kind.POLICY, "Tools")
    shot = snapshot(of=policy, holders=("role/a", "user/b", "group/data"), members=("anna",))
    assert replay.concerned(policy, shot) == {f"{here}:{w}" for w in ("role/a", "user/b", "user/anna")}
    assert replay.concerned(policy, None) == frozenset()


def plan(*edits: Edit) -> Plan:
    return Plan(edits, Standing(entity()), "", ("s3",), (), 3)


def test_the_documents_of_a_plan() -> None:
    """What is edited, deleted and detached; what is not touched stays; a quarantine leaves nothing."""
    standing = Standing(entity(), inline=(("a", "A"), ("b", "B"), ("c", "C")), elsewhere=(("g/x", "G"),))
    cut = Cut(services=frozenset({"s3"}))
    edit = Edit(Treatment.EDIT, "a", (), before="A", after="A2", cut=cut)
    gone = Edit(Treatment.DELETE, "b", (), before="B", cut=cut)
    assert replay.documents(standing, plan(edit, gone)) == (["A", "B", "C", "G"], ["A2", "C", "G"])
    whole = plan(Edit(Treatment.QUARANTINE, "AWSDenyAll", (), arn="arn:aws:iam::aws:policy/AWSDenyAll"))
    assert replay.documents(standing, whole) == (["A", "B", "C", "G"], [])
    rows = report(service("s3"), service("ec2"))
    assert replay.taken(whole, rows)[0] == {"s3", "ec2"}
    assert replay.taken(plan(edit), rows)[0] == {"s3"}


def test_many_kinds_are_counted_and_the_worst_kept() -> None:
    one = judged([document(allow("s3:*"))], [], call("CreateBucket"))
    fine = [replace(one, principal=f"{ROLE}{n}", fate=Fate.ALLOWED) for n in range(replay.KEPT_CALLS + 5)]
    told = replay.told([*fine, one], NOW)
    assert (told.kinds, len(told.judged), told.judged[0]) == (replay.KEPT_CALLS + 6, replay.KEPT_CALLS, one)
