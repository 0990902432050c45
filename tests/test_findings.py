"""advisor.core.findings and scp: what is found of a whole account, and what never is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core import scp
from advisor.core.credentials import CredentialReport, Flaw, Key, Login
from advisor.core.findings import (
    AccountFindings,
    Attempts,
    Idle,
    IdleEntity,
    LeftOut,
    Observed,
    canonical,
    find,
)
from advisor.core.model import Entity, Failure, Kind, PolicyKind
from advisor.core.policy import PASSING
from advisor.core.report import Rules
from advisor.core.scp import NEVER_DENIED, Spared
from advisor.edges.catalogue import IamCatalogue
from tests.worlds import (
    ACCOUNT,
    NOW,
    SmallCatalogue,
    ago,
    allow,
    deny,
    document,
    entity,
    policy,
    report,
    service,
    snapshot,
)

SMALL = SmallCatalogue({**SmallCatalogue().table, "sns": ("Publish",), "rds": ("DescribeDBInstances",)})
RULES = Rules(
    protect=("keep-*", "tag:owner=platform"), own_arns=frozenset({f"arn:aws:iam::{ACCOUNT}:role/bot"})
)
S3, SQS = policy("p", "s3:*"), policy("q", "sqs:*")


def attempts(*services: str | tuple[str, datetime], at: datetime = NOW) -> Attempts:
    rows = tuple((s, None) if isinstance(s, str) else s for s in services)
    return Attempts(at, rows)


def observed(
    *services: str | tuple[str, datetime], of: Entity | None = None, by: Iterable[Any] = (S3,), **more: Any
) -> Observed:
    """A role (or what is said) with these services in its report."""
    return Observed(snapshot(*by, of=of, **more), attempts(*services))


def found(*seen: Observed, rules: Rules = RULES, **more: Any) -> AccountFindings:
    return find(seen, rules, SMALL, account=ACCOUNT, at=NOW, **more)


def of(kind: Kind = Kind.ROLE, name: str = "etl", **more: object) -> Entity:
    return entity(kind, name, **more)


def test_a_report_in_short() -> None:
    """What is needed of it."""
    whole = report(service("s3", ago(days=3)), service("sqs"))
    assert Attempts.of(whole) == attempts(("s3", ago(days=3)), "sqs")


# -- roles and users -------------------------------------------------------------------------------------------------

YOUNG, GROWN = of(created_at=ago(days=89)), of(created_at=ago(days=90))
LINKED = of(arn=f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rds.amazonaws.com/etl")
ROLES: list[tuple[str, Observed, Idle | LeftOut | None]] = [
    ("no attempt at all", observed("s3", "sqs"), Idle.NO_ATTEMPT),
    ("one within the window", observed("s3", ("sqs", ago(days=90))), None),
    ("the last before the window", observed("s3", ("sqs", ago(days=91))), Idle.BEFORE_WINDOW),
    ("after the report began", observed(("s3", NOW + timedelta(minutes=1))), None),
    ("no policy", observed(by=()), Idle.GRANTS_NOTHING),
    ("only what is not tracked", observed(by=(SQS,)), LeftOut(untold=1)),
    ("no report", Observed(snapshot(S3)), LeftOut(unread=1)),
    ("young", observed("s3", of=YOUNG), LeftOut(young=1)),
    ("just grown", observed("s3", of=GROWN), Idle.NO_ATTEMPT),
    ("age not known", observed("s3", of=of(created_at=None)), LeftOut(untold=1)),
    ("protected by name", observed("s3", of=of(name="keep-me")), LeftOut(protected=1)),
    ("protected by tag", observed("s3", tags=(("owner", "platform"),)), LeftOut(protected=1)),
    ("service-linked", observed("s3", of=LINKED), LeftOut(protected=1)),
    ("the bot", observed("s3", of=of(name="bot")), LeftOut(protected=1)),
    ("protected and young", observed("s3", of=of(name="keep-me", created_at=NOW)), LeftOut(protected=1)),
    ("protected and used", observed(("s3", NOW), of=of(name="keep-me")), None),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "expected"), [r[1:] for r in ROLES], ids=[r[0] for r in ROLES])
def test_roles(seen: Observed, expected: Idle | LeftOut | None) -> None:
    """What nobody attempted, and all that stands against saying so."""
    result = found(seen)
    if isinstance(expected, LeftOut):
        assert (result.idle, result.left_out) == ((), expected)
    else:
        assert [e.why for e in result.idle] == ([expected] if expected else [])
        assert result.left_out == LeftOut()


def test_a_role_that_a_person_keeps_is_left_out() -> None:
    """Whole keeps only: the caller names their ARNs."""
    one = observed("s3")
    assert found(one, kept={one.snapshot.entity.arn}).left_out == LeftOut(kept=1)


def test_the_minimum_age_can_be_switched_off() -> None:
    """Then a role of today counts."""
    rules = replace(RULES, min_age_days=0)
    assert found(observed("s3", of=of(created_at=NOW)), rules=rules).idle


def test_what_is_said_of_an_idle_role() -> None:
    """Its age, its last attempt, and the services that it may live by unseen."""
    seen = observed(("s3", ago(days=200)), of=of(created_at=ago(days=300, hours=1)), by=(S3, SQS))
    (idle,) = found(seen).idle
    assert idle == IdleEntity(
        Kind.ROLE, "etl", seen.snapshot.entity.arn, Idle.BEFORE_WINDOW, 300, ago(days=200), ("sqs",)
    )


EVE = of(Kind.USER, "eve")


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        (None, Idle.NO_ATTEMPT),
        (Login("eve", EVE.arn), Idle.NO_ATTEMPT),
        (Login("eve", EVE.arn, password=True, password_used_at=ago(days=5)), None),
        (Login("eve", EVE.arn, keys=(Key(1, True, ago(days=500), ago(days=90)),)), None),
        (Login("eve", EVE.arn, keys=(Key(2, False, ago(days=500), ago(days=91)),)), Idle.BEFORE_WINDOW),
        (Login("eva", EVE.arn + "2", password=True, password_used_at=NOW), Idle.NO_ATTEMPT),
    ],
)
def test_a_user_who_signs_in_is_not_idle(login: Login | None, expected: Idle | None) -> None:
    """Access Advisor sees no sign-in, and no use of a key at a service that it does not track."""
    logins = CredentialReport(NOW, (login,)) if login else None
    result = found(observed("s3", of=EVE), logins=logins)
    assert [e.why for e in result.idle] == ([expected] if expected else [])


# -- groups and policies ---------------------------------------------------------------------------------------------

GROUP = of(Kind.GROUP, "devs")
POLICY = of(Kind.POLICY, "Data", arn=f"arn:aws:iam::{ACCOUNT}:policy/Data")
AWS = of(Kind.POLICY, "ReadOnly", arn="arn:aws:iam::aws:policy/ReadOnly")


@pytest.mark.parametrize(
    ("shot", "expected"),
    [
        (snapshot(of=GROUP), Idle.NO_MEMBERS),
        (snapshot(S3, of=GROUP, members=("eve",)), None),
        (snapshot(of=replace(GROUP, created_at=ago(days=3))), LeftOut(young=1)),
        (snapshot(of=replace(GROUP, name="keep-devs")), LeftOut(protected=1)),
        (snapshot(S3, of=POLICY), Idle.NOT_ATTACHED),
        (snapshot(S3, of=POLICY, boundary_of=1), None),
        (snapshot(S3, of=POLICY, holders=("role/etl",)), None),
        (snapshot(S3, of=POLICY, holders=("group/devs",), members=("eve",)), None),
        (snapshot(S3, of=POLICY, holders=("group/devs",)), Idle.EMPTY_GROUPS),
        (snapshot(S3, of=POLICY, holders=("group/a", "group/b"), boundary_of=2), None),
        (snapshot(S3, of=replace(POLICY, created_at=ago(days=3))), LeftOut(young=1)),
        (snapshot(S3, of=AWS), None),
    ],
)
def test_groups_and_policies(shot: Any, expected: Idle | LeftOut | None) -> None:
    """By members and holders, without a report: a group of no members is no holder that reaches anybody."""
    result = found(Observed(shot))
    if isinstance(expected, LeftOut):
        assert (result.idle, result.left_out) == ((), expected)
    else:
        assert [e.why for e in result.idle] == ([expected] if expected else [])


def test_order_and_counts() -> None:
    """Roles first, the oldest first; AWS's own policies are not entities of the account."""
    old = observed("s3", of=of(name="old", created_at=ago(days=900)))
    result = found(Observed(snapshot(of=GROUP)), observed("s3"), old, Observed(snapshot(S3, of=AWS)))
    assert [e.name for e in result.idle] == ["old", "DBAdminRole", "devs"]
    assert [result.of(kind) for kind in Kind] == [2, 0, 1, 0]


# -- credentials -----------------------------------------------------------------------------------------------------


def test_credentials_are_part_of_it() -> None:
    """With the report's own time; keys are old by days of their own."""
    key = Key(1, True, ago(days=50), ago(days=1))
    logins = CredentialReport(ago(hours=3), (Login("eve", EVE.arn, keys=(key,)),))
    assert found(logins=logins).weaknesses == ()
    result = found(logins=logins, key_days=30)
    assert ([w.flaw for w in result.weaknesses], result.credentials_at) == ([Flaw.OLD], ago(hours=3))


def test_without_a_credential_report_the_reason_is_kept() -> None:
    """And nothing is said of anybody's keys."""
    failure = Failure("refused", "iam:GenerateCredentialReport")
    result = found(logins=failure)
    assert (result.failure, result.credentials_at, result.weaknesses) == (failure, None, ())


# -- the same policy -------------------------------------------------------------------------------------------------

ALIKE = [
    document(allow("s3:GetObject", "s3:PutObject")),
    document(allow("s3:PutObject", "S3:getobject", "s3:GetObject", Sid="Mine")),
    json.dumps(
        {"Statement": allow("s3:GetObject", "s3:PutObject"), "Version": "2012-10-17", "Id": "x"}, indent=3
    ),
    "\ufeff" + document({"Resource": ["*"], "Action": ["s3:PutObject", "s3:GetObject"], "Effect": "Allow"}),
]
OTHER = [
    document(allow("s3:GetObject")),
    document(allow("s3:GetObject", "s3:PutObject", Resource="arn:aws:s3:::x/*")),
    document(allow("s3:GetObject", "s3:PutObject", Condition={"Bool": {"aws:SecureTransport": "true"}})),
    document(allow("s3:GetObject"), allow("s3:PutObject")),
    document(allow("s3:PutObject"), allow("s3:GetObject")),
    document(deny("s3:GetObject", "s3:PutObject")),
    json.dumps({"Statement": [allow("s3:GetObject", "s3:PutObject")]}),
    "no JSON",
    "[]",
]


def test_documents_that_read_the_same_are_the_same() -> None:
    """Sids, spaces, case, single values and the order of actions do not count; the order of statements does."""
    assert len({canonical(t) for t in ALIKE}) == 1
    assert len({canonical(t) for t in [*ALIKE, *OTHER]}) == 1 + len(OTHER)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Bool": {"aws:SecureTransport": True}}, {"Bool": {"aws:SecureTransport": ["true"]}}),
        ({"StringLike": {"s3:prefix": ["b", "a"]}}, {"StringLike": {"s3:prefix": ["a", "b"]}}),
        ("odd", "odd"),
        ({"Bool": "odd"}, {"Bool": "odd"}),
    ],
)
def test_conditions_are_compared_by_value(one: Any, other: Any) -> None:
    """As IAM reads them."""
    assert canonical(document(allow("s3:*", Condition=one))) == canonical(
        document(allow("s3:*", Condition=other))
    )


def holding(name: str, text: str, *, kind: Kind = Kind.ROLE, inline: str = "p") -> Observed:
    made = replace(policy(inline), text=text)
    return Observed(snapshot(made, of=of(kind, name)), attempts(("s3", NOW)))


def test_the_same_policy_in_three_roles() -> None:
    """Who has it, under which name; two are not enough, and users and protected roles do not count."""
    two = [holding("a", ALIKE[0]), holding("b", ALIKE[1], inline="q")]
    others = [holding("eve", ALIKE[0], kind=Kind.USER), holding("keep-c", ALIKE[0]), holding("d", OTHER[0])]
    assert found(*two, *others).copies == ()
    (copies,) = found(*two, *others, holding("c", ALIKE[2])).copies
    assert [(arn.rpartition("/")[2], name) for arn, name in copies.holders] == [
        ("a", "p"),
        ("b", "q"),
        ("c", "p"),
    ]


def test_one_role_with_the_same_policy_three_times_is_one_role() -> None:
    """And a managed policy is shared on purpose."""
    thrice = snapshot(*(replace(policy(n), text=ALIKE[0]) for n in "abc"))
    assert found(Observed(thrice, attempts("s3"))).copies == ()
    managed = policy("m", "s3:*", kind=PolicyKind.CUSTOMER)
    assert found(*(observed("s3", of=of(name=n), by=(managed,)) for n in "abcd")).copies == ()


# -- services that nobody tried --------------------------------------------------------------------------------------


def unneeded(*seen: Observed, **more: Any) -> scp.Unneeded:
    return found(*seen, **more).unneeded


def test_services_that_nobody_tried() -> None:
    """Granted to somebody, told of for all who are granted it, attempted by nobody."""
    both = policy("both", "sqs:*", "sns:*")
    seen = [
        observed("sqs", ("sns", ago(days=399)), by=(both,)),
        observed("sqs", of=EVE, by=(SQS,)),
        observed("rds", of=of(name="db"), by=(policy("r", "rds:*"),)),
    ]
    assert unneeded(*seen) == scp.Unneeded(("rds", "sqs"), (), 3, 0)


R = policy("r", "sqs:*", "rds:*")


@pytest.mark.parametrize(
    ("other", "more", "services", "spared"),
    [
        (observed(("sqs", ago(days=300)), of=GROUP), {}, ("rds",), ()),
        (observed(("sqs", ago(days=300)), of=AWS), {}, ("rds",), ()),
        (observed("rds", of=of(name="b"), by=(R,)), {}, ("rds",), (("sqs", Spared.UNTOLD),)),
        (observed("sqs", "rds", of=YOUNG, by=(R,)), {}, (), (("rds", Spared.YOUNG), ("sqs", Spared.YOUNG))),
        (Observed(snapshot(of=of(name="b"))), {}, (), ()),
        (Observed(snapshot(of=GROUP)), {}, ("rds", "sqs"), ()),
        (observed("sqs", by=(replace(S3, text="{"),)), {}, (), ()),
        (Observed(snapshot(of=GROUP)), {"unread": 1}, (), ()),
    ],
    ids=[
        "group used it",
        "policy used it",
        "not told",
        "young",
        "unread",
        "group unread",
        "bad text",
        "not there",
    ],
)
def test_what_stands_against_it(
    other: Observed, more: Any, services: tuple[str, ...], spared: tuple[tuple[str, Spared], ...]
) -> None:
    """One attempt by anybody, one who cannot be told of, one who is young, one who was not read."""
    base = observed("sqs", "rds", of=of(name="a"), by=(R,))
    result = unneeded(base, other, **more)
    assert (result.services, result.spared) == (services, spared)
    assert bool(result.unread) == (not services and not spared)


def test_a_key_that_was_last_used_with_a_service_is_an_attempt() -> None:
    """Root's too, of whom Access Advisor tells nothing."""
    key = Key(1, False, ago(days=900), ago(days=800), service="sqs")
    logins = CredentialReport(NOW, (Login("<root_account>", f"arn:aws:iam::{ACCOUNT}:root", keys=(key,)),))
    assert unneeded(observed("sqs", "rds", by=(R,)), logins=logins).services == ("rds",)


def test_what_the_bot_and_every_account_need_is_never_denied() -> None:
    """Each is named with its reason, and is a service of AWS."""
    needed = {"iam", "sts", "organizations", "access-analyzer", "cloudtrail"}
    assert {s for s, why in NEVER_DENIED.items() if why is Spared.BOT} == needed
    assert set(NEVER_DENIED) <= IamCatalogue().services()
    result = unneeded(observed(*NEVER_DENIED, by=(S3,)))
    assert (result.services, dict(result.spared)) == ((), NEVER_DENIED)


def test_a_service_with_an_action_that_leaves_no_trace_is_never_denied() -> None:
    """iam:PassRole and its kind."""
    result = unneeded(observed(*PASSING, by=(S3,)))
    assert result.services == ()
    assert {why for _, why in result.spared} <= {Spared.UNTOLD, Spared.BOT, Spared.GLOBAL}


def test_odd_names_of_services_are_left_out() -> None:
    """A document of ours is never built of what AWS could not have said."""
    assert unneeded(observed('x","*', "a*", "", by=(S3,))).services == ()


# -- the policy ------------------------------------------------------------------------------------------------------

names = st.from_regex(r"[a-z][a-z0-9-]{0,40}", fullmatch=True)


@given(st.lists(names, unique=True, max_size=150), st.integers(300, scp.LIMIT))
def test_policies_are_json_within_the_limit_and_deny_just_these(services: list[str], limit: int) -> None:
    """All of them, each once, in order, and never by NotAction."""
    denied: list[str] = []
    for text in scp.documents(services, limit):
        assert len(text.encode()) <= limit
        whole = json.loads(text)
        (statement,) = whole["Statement"]
        assert (whole["Version"], statement["Effect"], statement["Resource"]) == ("2012-10-17", "Deny", "*")
        assert set(statement) == {"Sid", "Effect", "Action", "Resource"}
        assert statement["Sid"].isalnum()
        assert all(a.endswith(":*") for a in statement["Action"])
        denied += [a[:-2] for a in statement["Action"]]
    assert denied == services


def test_every_service_of_aws_takes_few_policies() -> None:
    """An account has room for five at most."""
    assert len(scp.documents(sorted(IamCatalogue().services()))) == 2
    assert scp.documents(()) == ()


SERVICES = ("s3", "ec2", "iam", "sqs", "kms", "lambda", "sns", "rds")
TIMES = st.none() | st.integers(0, 500).map(lambda d: ago(days=d))


@st.composite
def accounts(draw: st.DrawFn) -> list[Observed]:
    """Roles, users, groups and policies with any grants, reports and ages."""
    made = []
    for n in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(Kind))
        granted = draw(st.lists(st.sampled_from((*SERVICES, "*")), max_size=4))
        texts = [policy(f"p{i}", g if g == "*" else f"{g}:*") for i, g in enumerate(granted)]
        rows = draw(st.dictionaries(st.sampled_from(SERVICES), TIMES, max_size=5))
        who = of(kind, f"e{n}", created_at=draw(TIMES))
        seen = Attempts(NOW, tuple(rows.items())) if draw(st.integers(0, 9)) else None
        made.append(Observed(snapshot(*texts, of=who), seen))
    return made


@given(accounts(), st.integers(0, 1))
def test_no_policy_denies_what_anybody_tried_or_what_is_not_told(seen: list[Observed], unread: int) -> None:
    """Whoever they are, whenever it was; and nothing at all while somebody is unread."""
    denied = set(unneeded(*seen, unread=unread).services)
    people = [o for o in seen if o.snapshot.entity.kind in {Kind.ROLE, Kind.USER}]
    for one in seen:
        if one.attempts:
            assert not denied & {s for s, last in one.attempts.services if last}
    for one in people:
        listed = {s for s, _ in one.attempts.services} if one.attempts else set()
        granted = {p.text.split('"')[9].partition(":")[0] for p in one.snapshot.policies}
        if "*" in granted or one.attempts is None:
            assert denied <= listed
        assert not denied & (granted - listed)
    assert not denied & NEVER_DENIED.keys()
    assert not denied or not unread
    listed_by_all = {s for o in people if o.attempts for s, _ in o.attempts.services}
    assert denied <= listed_by_all


@given(accounts())
def test_nobody_with_an_attempt_in_the_window_is_idle(seen: list[Observed]) -> None:
    """Nor anybody who is young, of unknown age, or without a report; and everybody is counted at most once."""
    result = found(*seen)
    by_arn = {o.snapshot.entity.arn: o for o in seen}
    for idle in result.idle:
        one = by_arn[idle.arn]
        born = one.snapshot.entity.created_at
        assert born is not None and NOW - born >= timedelta(days=90)
        if idle.kind in {Kind.ROLE, Kind.USER}:
            assert one.attempts
            assert all(last is None or NOW - last > timedelta(days=90) for _, last in one.attempts.services)
    out = result.left_out
    counted = len(result.idle) + out.young + out.protected + out.kept + out.unread + out.untold
    assert counted <= sum(n for _, n in result.seen) == len(seen)
