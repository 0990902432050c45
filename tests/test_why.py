"""advisor.core.why and its card: which statement speaks of a call, the last use, and every line within Slack’s limits."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core import policy
from advisor.core.estate import QuestionKind, SweepState
from advisor.core.model import ActionRow, Granularity, Policy, PolicyKind, Report, ServiceRow
from advisor.core.removal import TicketState
from advisor.core.why import (
    KeepLine,
    LastUse,
    Line,
    Says,
    Seen,
    TicketLine,
    Why,
    dump,
    known,
    last_use,
    load,
    nearest,
    speaking,
)
from advisor.edges.catalogue import IamCatalogue
from handlers.blocks import question_why
from tests.drawn import checked, nodes, strings, weight
from tests.test_blocks_question import view
from tests.views import HOSTILE, LONG
from tests.worlds import NOW, ago

CATALOGUE = IamCatalogue()


def document(*statements: dict[str, object] | str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


SPEAKING = [
    ("exact before a wildcard", allow("s3:*", "s3:GetObject"), "s3:GetObject", False),
    ("wildcard", allow("s3:Get*", "sns:*"), "s3:Get*", False),
    ("everything", allow("*"), "*", False),
    ("another case", allow("S3:getobject"), "S3:getobject", False),
    ("one letter", allow("s3:GetObjec?"), "s3:GetObjec?", False),
    ("NotAction", {"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"}, "iam:*", True),
    ("a single action", {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}, "s3:GetObject", False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "pattern", "inverted"), [c[1:] for c in SPEAKING], ids=[c[0] for c in SPEAKING]
)
def test_the_entry_that_matches_is_named(statement: dict[str, object], pattern: str, inverted: bool) -> None:
    """The most exact one."""
    text = document(allow("sqs:*"), statement)
    (line,) = speaking([Policy("p", PolicyKind.INLINE, text)], "s3:GetObject")
    assert (line.pattern, line.inverted, line.place) == (pattern, inverted, 2)


@pytest.mark.parametrize(
    "text",
    [
        document(allow("sns:*")),
        document({"Effect": "Allow", "NotAction": ["s3:*"], "Resource": "*"}),
        document({"Effect": "Allow", "Action": [], "Resource": "*"}),
        document({"Effect": "Allow", "Resource": "*"}),
        "no JSON",
        "[]",
        "[" * 100_000,
    ],
)
def test_what_does_not_speak_of_it(text: str) -> None:
    """Also where a document cannot be read."""
    assert speaking([Policy("p", PolicyKind.INLINE, text)], "s3:GetObject") == ()


ENTRIES = st.sampled_from(["s3:*", "s3:Get*", "s3:GetObject", "sns:*", "*", "s3:Put*", "S3:GETOBJECT"])
STATEMENTS = st.builds(
    lambda effect, key, entries, resource, condition: {
        "Effect": effect, key: entries, "Resource": resource, **({"Condition": {"Bool": {"x": "y"}}} if condition else {}),
    },
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from(["Action", "NotAction"]),
    st.lists(ENTRIES, min_size=1, max_size=3),
    st.sampled_from(["*", "arn:aws:s3:::x", ["a", "*"]]),
    st.booleans(),
)  # fmt: skip


@given(st.lists(STATEMENTS, max_size=5))
def test_it_agrees_with_what_the_findings_read(statements: list[dict[str, object]]) -> None:
    """Allowed and not denied outright here is granted there."""
    policies = [Policy("p", PolicyKind.INLINE, document(*statements))]
    answer = Why(1, "s3:GetObject", NOW, speaking(policies, "s3:GetObject"), LastUse(Seen.NO_REPORT))
    granted = "GetObject" in policy.actions_granted(policies, "s3", CATALOGUE)
    assert granted == (answer.says in {Says.ALLOWED, Says.PARTLY})


def report(granularity: Granularity, days: float, *services: ServiceRow) -> Report:
    return Report(1, granularity, ago(days=days), ago(days=days), services)


S3 = ServiceRow("s3", last_at=ago(days=9), last_by="arn:aws:iam::1:role/x", region="eu-west-1")
NEVER = ServiceRow("s3")
DEEP = replace(
    S3,
    actions=(ActionRow("GetBucketPolicy", ago(days=12), "arn:x", "eu-north-1"), ActionRow("PutBucketPolicy")),
)
A, S = Granularity.ACTION, Granularity.SERVICE
USES = [
    ("s3:GetBucketPolicy", (DEEP,), (), Seen.ACTION, 12),
    ("s3:getbucketpolicy", (DEEP,), (S3,), Seen.ACTION, 12),
    ("s3:PutBucketPolicy", (DEEP,), (), Seen.NO_ATTEMPT, None),
    ("s3:GetObject", (DEEP,), (), Seen.NOT_TRACKED, None),
    ("s3:GetObject", (S3,), (), Seen.NOT_TRACKED, None),
    ("s3:GetObject", None, (S3,), Seen.SERVICE, 9),
    ("s3:GetObject", None, (NEVER,), Seen.SERVICE_NEVER, None),
    ("s3:GetObject", None, (), Seen.NOT_LISTED, None),
    ("s3:GetObject", (), (), Seen.NOT_LISTED, None),
    ("s3:GetObject", None, None, Seen.NO_REPORT, None),
]


@pytest.mark.parametrize(("action", "deep", "shallow", "seen", "days"), USES)
def test_the_last_use(
    action: str,
    deep: tuple[ServiceRow, ...] | None,
    shallow: tuple[ServiceRow, ...] | None,
    seen: Seen,
    days: int | None,
) -> None:
    """What is not in a report is not “never”."""
    found = last_use(
        action,
        None if deep is None else report(A, 3, *deep),
        None if shallow is None else report(S, 1, *shallow),
    )
    assert found.seen is seen
    assert found.at == (None if days is None else ago(days=days))


@pytest.mark.parametrize(
    ("typed", "right", "near"),
    [
        ("s3:getobject", "s3:GetObject", "s3:GetObject"),
        ("S3:GetObject", "s3:GetObject", "s3:GetObject"),
        ("s3:GetObjekt", "", "s3:GetObject"),
        ("dynamdb:GetItem", "", "dynamodb:GetItem"),
        ("GetCallerIdentity", "", "sts:GetCallerIdentity"),
        ("zzzz:Nothing", "", ""),
        ("", "", ""),
    ],
)
def test_actions_are_the_catalogue_s(typed: str, right: str, near: str) -> None:
    """In AWS’s own writing, or the nearest ones."""
    assert known(typed, CATALOGUE) == right
    assert near in nearest(typed, CATALOGUE) if near else not nearest(typed, CATALOGUE)


# -- the card --------------------------------------------------------------------------------------------------------


def line(**more: object) -> Line:
    made = Line(HOSTILE, "inline", "", HOSTILE, 3, HOSTILE, True, "s3:*", False, ("*",), False)
    return replace(made, **more)  # type: ignore[arg-type]


TICKETS = tuple(
    TicketLine(
        n,
        s.value,
        ago(days=n),
        ("U1ALICE", "W2"),
        ("U3",),
        LONG,
        whole,
        (HOSTILE, "p"),
        back,
        quarantine,
        HOSTILE,
        "U4",
        LONG,
    )
    for n, (s, whole, back, quarantine) in enumerate(
        product(list(question_why._STATES), [True, False], [True, False], [True, False]), 1
    )
)
KEEPS = tuple(
    KeepLine(n, who, ago(days=-n), HOSTILE, n % 2 == 0, HOSTILE) for n, who in enumerate(["U1", "", HOSTILE])
)
USED = [
    LastUse(s, ago(days=3), HOSTILE, HOSTILE, NOW, service_at)
    for s in Seen
    for service_at in (None, ago(days=4))
]
ANSWERS = {
    "plain": Why(1, "s3:GetObject", NOW, (line(policy="p", group="", sid=""),), USED[0]),
    "nothing": Why(1, "s3:GetObject", NOW, (), LastUse(Seen.NO_REPORT)),
    "many": Why(
        1, "s3:GetObject", NOW, tuple(line(place=n) for n in range(60)), USED[2], TICKETS, KEEPS, HOSTILE
    ),
    "denied": Why(
        1, "s3:GetObject", NOW, (line(allow=False), line(resources=(HOSTILE,), conditional=True)), USED[0]
    ),
    "partly": Why(
        1, "s3:GetObject", NOW, (line(allow=False, resources=()), line(resources=("a", "b"))), USED[0]
    ),
    **{f"used {n}": Why(1, "s3:GetObject", NOW, (), u) for n, u in enumerate(USED)},
    **{f"ticket {t.ticket}": Why(1, "s3:GetObject", NOW, (), USED[0], (t,)) for t in TICKETS},
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_card(name: str) -> None:
    """Within Slack’s limits, strangers’ words inert, one button, and what it cannot see stands on it."""
    found = ANSWERS[name]
    assert load(dump(found)) == found
    shown = view(QuestionKind.WHY, SweepState.DONE, result=dump(found), asked={"name": LONG, "kind": "role"})
    payload = checked(question_why.card(shown))
    assert weight(payload["blocks"]) < 9_600
    text = " ".join(strings(payload))
    assert "SCPs" in text
    assert [n["action_id"] for n in nodes(payload) if n.get("type") == "button"] == ["question.export"]
    assert len(question_why.rows(shown)) == len(found.lines)
    assert {s.value for s in TicketState} - {"draft", "void"} == {s.value for s in question_why._STATES}
