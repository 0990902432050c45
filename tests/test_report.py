"""advisor.core.report: what a report proves, and what it never does."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.model import (
    ActionRow,
    Entity,
    Finding,
    Granularity,
    Kind,
    Policy,
    PolicyKind,
    Snapshot,
    Summary,
    Usage,
    Verdict,
    Why,
)
from advisor.core.report import Rules, attempts_seen, days_before, difference, protected, summarise, usage_of
from tests.worlds import (
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

SMALL = SmallCatalogue()
RULES = Rules()


def finding(summary: Summary, name: str) -> Finding:
    return next(f for f in summary.findings if f.service == name)


def judged(
    policies: list[Policy],
    *,
    of: Entity | None = None,
    rules: Rules = RULES,
    last_at: datetime | None = None,
    **more: object,
) -> Finding:
    """What becomes of s3, granted by these policies, last used then."""
    shot = snapshot(*policies, of=of, **more)
    return finding(summarise(report(service("s3", last_at, by=policies)), shot, rules, SMALL), "s3")


# -- the four absences


def test_four_absences_are_four_things() -> None:
    """Listed without a date; not listed; action without a date; action not listed, or no list at all."""
    p = policy("P", "s3:*", "sqs:*", "ec2:*")
    rows = [
        service("s3", by=[p], actions=[ActionRow("CreateBucket"), ActionRow("DeleteBucket")]),
        service("ec2", by=[p]),
    ]
    summary = summarise(report(*rows, granularity=Granularity.ACTION), snapshot(p), RULES, SMALL)
    assert (finding(summary, "s3").usage, finding(summary, "s3").verdict) == (Usage.NEVER, Verdict.REMOVE)
    assert (finding(summary, "sqs").usage, finding(summary, "sqs").verdict) == (Usage.UNTRACKED, Verdict.KEEP)
    actions = {f"{f.service}:{f.action}": (f.usage, f.verdict) for f in summary.actions}
    assert actions["s3:CreateBucket"] == (Usage.NEVER, Verdict.REMOVE)
    for name in (
        "s3:GetObject",
        "s3:PutObject",
        "s3:ListBucket",
        "ec2:RunInstances",
        "ec2:DescribeInstances",
    ):
        assert actions[name] == (Usage.UNTRACKED, Verdict.KEEP)


def test_what_is_not_in_the_report_is_no_row_of_it() -> None:
    """The denominator of a card is the report's own rows."""
    p = policy("P", "s3:*", "sqs:*")
    summary = summarise(report(service("s3", by=[p])), snapshot(p), RULES, SMALL)
    assert summary.granted == 1
    assert [f.service for f in summary.that(Verdict.KEEP)] == []
    assert [f.service for f in summary.of(Usage.UNTRACKED)] == ["sqs"]
    assert finding(summary, "sqs").policies == ("P",)


def test_a_service_denied_whole_is_neither_listed_nor_untracked() -> None:
    """Access Advisor leaves it out because of the Deny, not because it cannot tell."""
    a = Policy("A", PolicyKind.INLINE, document(allow("sqs:*", "s3:*")))
    b = Policy("B", PolicyKind.INLINE, document(deny("sqs:*")))
    summary = summarise(report(service("s3", by=[a])), snapshot(a, b), RULES, SMALL)
    assert {f.service for f in summary.findings} == {"s3"}


def test_an_empty_report_offers_nothing() -> None:
    """Only unknown or denied things are granted: nothing is a candidate."""
    summary = summarise(report(), snapshot(policy("P", "s3:Nonsense")), RULES, SMALL)
    assert summary.granted == 0
    assert summary.that(Verdict.REMOVE) == ()


def test_an_administrator_cut_at_page_one_loses_nothing() -> None:
    """A report that lacks s3 (as readers of one page had it) never makes s3 a candidate."""
    p = policy("Admin", "*")
    summary = summarise(report(service("ec2", by=[p])), snapshot(p), RULES, SMALL)
    assert all(f.verdict is not Verdict.REMOVE for f in summary.findings)
    assert finding(summary, "s3").usage is Usage.UNTRACKED


# -- the window, and days


@pytest.mark.parametrize(
    ("before", "window", "usage", "days"),
    [
        (timedelta(0), 90, Usage.USED, 0),
        (timedelta(hours=-3), 90, Usage.USED, 0),
        (timedelta(hours=23, minutes=59), 90, Usage.USED, 0),
        (timedelta(days=1), 90, Usage.USED, 1),
        (timedelta(days=90), 90, Usage.USED, 90),
        (timedelta(days=90, seconds=1), 90, Usage.STALE, 90),
        (timedelta(days=91), 90, Usage.STALE, 91),
        (timedelta(days=1), 1, Usage.USED, 1),
        (timedelta(days=2), 1, Usage.STALE, 2),
        (timedelta(days=400), 400, Usage.USED, 400),
        (timedelta(days=1200), 400, Usage.STALE, 1200),
    ],
)
def test_the_window_ends_to_the_second(before: timedelta, window: int, usage: Usage, days: int) -> None:
    """Counted from the report, whole days, never below nought."""
    row = report()
    assert usage_of(NOW - before, row, window) is usage
    assert days_before(NOW - before, row) == days


def test_no_attempt_is_no_number() -> None:
    """Never a 0 or None with four meanings."""
    assert usage_of(None, report(), 90) is Usage.NEVER
    assert days_before(None, report()) is None


@pytest.mark.parametrize("hours", [-11, 0, 9, 14])
def test_the_zone_in_which_a_time_is_written_does_not_matter(hours: int) -> None:
    """The epoch skew of other tools: eight hours in Los Angeles, nine in Tokyo."""
    there = timezone(timedelta(hours=hours))
    assert usage_of(ago(days=90).astimezone(there), report(), 90) is Usage.USED
    assert usage_of(ago(days=90, seconds=1).astimezone(there), report(), 90) is Usage.STALE


# -- verdicts


GROUP = policy("Team", "s3:*", group="devs")
SHARED = policy("Shared", "s3:*", kind=PolicyKind.CUSTOMER, attachments=3)
MINE = policy("Mine", "s3:*", kind=PolicyKind.CUSTOMER, attachments=1)
INLINE = policy("Inline", "s3:*")
AWS_WHOLE = policy("S3Full", "s3:*", kind=PolicyKind.AWS, attachments=40)
AWS_PART = policy("Power", "s3:*", "sqs:*", kind=PolicyKind.AWS, attachments=40)
ADMIN = policy("Admin", "*")
NOT = Policy("Not", PolicyKind.INLINE, document({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}))


@pytest.mark.parametrize(
    ("policies", "verdict", "why", "detail"),
    [
        ([INLINE], Verdict.REMOVE, Why.UNUSED, ""),
        ([MINE], Verdict.REMOVE, Why.UNUSED, ""),
        ([INLINE, MINE], Verdict.REMOVE, Why.UNUSED, ""),
        ([SHARED], Verdict.ASK, Why.SHARED, "2"),
        ([INLINE, SHARED], Verdict.ASK, Why.SHARED, "2"),
        ([GROUP], Verdict.KEEP, Why.GROUP, "devs"),
        ([INLINE, GROUP], Verdict.KEEP, Why.GROUP, "devs"),
        ([SHARED, GROUP], Verdict.KEEP, Why.GROUP, "devs"),
        ([AWS_WHOLE], Verdict.REMOVE, Why.UNUSED, "S3Full"),
        ([AWS_PART], Verdict.ASK, Why.AWS_MANAGED, "Power"),
        ([INLINE, AWS_PART], Verdict.ASK, Why.AWS_MANAGED, "Power"),
        ([ADMIN], Verdict.ASK, Why.ADMIN, "Admin"),
        ([INLINE, ADMIN], Verdict.ASK, Why.ADMIN, "Admin"),
        ([NOT], Verdict.ASK, Why.NOT_ACTION, "Not"),
        ([], Verdict.ASK, Why.GRANT_UNKNOWN, ""),
    ],
)
def test_the_hardest_grant_decides(policies: list[Policy], verdict: Verdict, why: Why, detail: str) -> None:
    """A service is gone only when every grant of it is gone."""
    found = judged(policies)
    assert (found.verdict, found.why, found.detail) == (verdict, why, detail)
    assert found.policies == tuple(p.name for p in policies)


@pytest.mark.parametrize("policies", [[INLINE], [SHARED], [AWS_PART], [ADMIN], [NOT]])
def test_stale_use_is_for_a_person(policies: list[Policy]) -> None:
    """It was used once: never REMOVE."""
    found = judged(policies, last_at=ago(days=91))
    assert (found.usage, found.verdict, found.why) == (Usage.STALE, Verdict.ASK, Why.STALE)


def test_stale_use_that_stays_anyway_says_why_it_stays() -> None:
    """Through a group nothing can be done here, stale or not."""
    found = judged([GROUP], last_at=ago(days=91))
    assert (found.usage, found.verdict, found.why) == (Usage.STALE, Verdict.KEEP, Why.GROUP)


@pytest.mark.parametrize("policies", [[INLINE], [SHARED], [GROUP], [ADMIN], []])
def test_used_stays(policies: list[Policy]) -> None:
    """Whatever grants it."""
    found = judged(policies, last_at=ago(days=3))
    assert (found.usage, found.verdict, found.why, found.days) == (Usage.USED, Verdict.KEEP, Why.USED, 3)


def test_a_grant_that_nobody_could_name_is_for_a_person() -> None:
    """The policies were not asked for, or one came or went between the two reads."""
    gone = policy("Gone", "s3:*")
    for row in (service("s3", by=None), service("s3", by=[]), service("s3", by=[gone])):
        found = finding(summarise(report(row), snapshot(INLINE), RULES, SMALL), "s3")
        assert (found.verdict, found.why) == (Verdict.ASK, Why.GRANT_UNKNOWN)


@pytest.mark.parametrize("turn", [1, -1])
def test_an_inline_and_a_managed_policy_of_one_name_are_two_grants(turn: int) -> None:
    """IAM allows the same name for both on one role: the shared one still decides, in any order."""
    inline, shared = policy("Same", "s3:*"), policy("Same", "s3:*", kind=PolicyKind.CUSTOMER, attachments=3)
    found = judged([inline, shared][::turn])
    assert (found.verdict, found.why) == (Verdict.ASK, Why.SHARED)


@pytest.mark.parametrize("turn", [1, -1])
def test_an_aws_and_a_customer_policy_of_one_name_are_two_grants(turn: int) -> None:
    """A customer managed policy may bear the name of one of AWS’s."""
    mine = policy("Same", "s3:*", kind=PolicyKind.CUSTOMER, attachments=1)
    aws = policy("Same", "s3:*", "sqs:*", kind=PolicyKind.AWS)
    found = judged([mine, aws][::turn])
    assert (found.verdict, found.why) == (Verdict.ASK, Why.AWS_MANAGED)


@pytest.mark.parametrize("kind", [PolicyKind.CUSTOMER, PolicyKind.AWS])
def test_a_managed_policy_through_a_group_is_known_by_its_arn(kind: PolicyKind) -> None:
    """AWS names no entity beside a managed policy (IAM API reference, PolicyGrantingServiceAccess: EntityName is null)."""
    team = policy("Team", "s3:*", kind=kind, attachments=1, group="devs")
    row = service("s3", by=[replace(team, group="")])
    found = finding(summarise(report(row), snapshot(team, of=entity(Kind.USER, "alice")), RULES, SMALL), "s3")
    assert (found.verdict, found.why, found.detail) == (Verdict.KEEP, Why.GROUP, "devs")


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("kind", [PolicyKind.CUSTOMER, PolicyKind.AWS])
def test_a_managed_policy_that_comes_twice_stays(kind: PolicyKind, turn: int) -> None:
    """Attached to the user and to a group of hers: detaching it from her takes nothing away."""
    direct = policy("Twice", "s3:*", kind=kind, attachments=2)
    held = [direct, replace(direct, group="devs")][::turn]
    row = service("s3", by=[direct])
    found = finding(
        summarise(report(row), snapshot(*held, of=entity(Kind.USER, "alice")), RULES, SMALL), "s3"
    )
    assert found.verdict is not Verdict.REMOVE


def test_an_aws_managed_policy_goes_only_whole() -> None:
    """Every service in it is listed and unused; one that is used, or not listed, keeps it."""
    whole = report(service("s3", by=[AWS_PART]), service("sqs", by=[AWS_PART]))
    used = report(service("s3", by=[AWS_PART]), service("sqs", ago(days=300), by=[AWS_PART]))
    for row, verdict in ((whole, Verdict.REMOVE), (used, Verdict.ASK)):
        assert finding(summarise(row, snapshot(AWS_PART), RULES, SMALL), "s3").verdict is verdict


@pytest.mark.parametrize("grant", ["iam:*", "iam:PassRole", "iam:Pass*"])
def test_passing_is_never_removed_on_the_strength_of_a_report(grant: str) -> None:
    """iam:PassRole leaves no trace, at service level either."""
    p = policy("P", grant, "s3:*")
    summary = summarise(report(service("iam", by=[p]), service("s3", by=[p])), snapshot(p), RULES, SMALL)
    assert (finding(summary, "iam").verdict, finding(summary, "iam").why) == (Verdict.ASK, Why.PASS_ROLE)
    assert finding(summary, "iam").detail == "iam:PassRole"
    assert finding(summary, "s3").verdict is Verdict.REMOVE


# -- actions


def test_action_level_tells_three_things_apart_and_passing_by_name() -> None:
    """Tracked actions by their dates; granted ones that are not tracked stay; iam:PassRole says why."""
    p = policy("P", "s3:*", "iam:*")
    rows = [
        service(
            "s3",
            ago(days=2),
            by=[p],
            actions=[ActionRow("CreateBucket", ago(days=2), "arn:x", "eu-west-1"), ActionRow("DeleteBucket")],
        ),
        service(
            "iam", ago(days=2), by=[p], actions=[ActionRow("GetRole", ago(days=200)), ActionRow("createrole")]
        ),
    ]
    summary = summarise(report(*rows, granularity=Granularity.ACTION), snapshot(p), RULES, SMALL)
    found = {f"{f.service}:{f.action}": (f.usage, f.verdict, f.why) for f in summary.actions}
    assert found["s3:CreateBucket"] == (Usage.USED, Verdict.KEEP, Why.USED)
    assert found["s3:DeleteBucket"] == (Usage.NEVER, Verdict.REMOVE, Why.UNUSED)
    assert found["iam:GetRole"] == (Usage.STALE, Verdict.ASK, Why.STALE)
    assert found["iam:PassRole"] == (Usage.UNTRACKED, Verdict.KEEP, Why.PASS_ROLE)
    assert found["s3:GetObject"] == (Usage.UNTRACKED, Verdict.KEEP, Why.UNTRACKED)
    assert "iam:CreateRole" not in found  # the report has it, in another case


def test_a_tracked_action_beside_passing_is_not_kept_for_it() -> None:
    """Passing stands beside it as an action of its own, and is the one that stays."""
    p = policy("P", "iam:*")
    row = service("iam", by=[p], actions=[ActionRow("CreateRole")])
    summary = summarise(report(row, granularity=Granularity.ACTION), snapshot(p), RULES, SMALL)
    found = next(f for f in summary.actions if f.action == "CreateRole")
    assert found.verdict is not Verdict.KEEP
    assert next(f for f in summary.actions if f.action == "PassRole").verdict is Verdict.KEEP


def test_a_service_level_report_says_nothing_of_actions() -> None:
    """Not even that they are untracked."""
    assert summarise(report(service("s3", by=[INLINE])), snapshot(INLINE), RULES, SMALL).actions == ()


# -- the entity as a whole


@pytest.mark.parametrize(
    ("age", "min_age", "young"),
    [(89, 90, True), (90, 90, False), (91, 90, False), (0, 90, True), (0, 0, False), (400, 3650, True)],
)
def test_too_young_to_judge(age: int, min_age: int, young: bool) -> None:
    """A young entity keeps everything, with the day on which that ends; 0 turns it off."""
    born = entity(created_at=ago(days=age))
    rules = Rules(min_age_days=min_age)
    summary = summarise(report(service("s3", by=[INLINE])), snapshot(INLINE, of=born), rules, SMALL)
    grown = born.created_at + timedelta(days=min_age)
    assert summary.young_until == (grown if young else None)
    found = finding(summary, "s3")
    assert (found.verdict, found.why) == (
        (Verdict.KEEP, Why.YOUNG) if young else (Verdict.REMOVE, Why.UNUSED)
    )
    assert found.detail == (grown.date().isoformat() if young else "")


def test_age_is_counted_to_the_report_not_to_now() -> None:
    """A card that is read years later says the same."""
    born = entity(created_at=ago(days=89))
    later = report(service("s3", by=[INLINE]), at=NOW + timedelta(days=1))
    assert summarise(later, snapshot(INLINE, of=born), RULES, SMALL).young_until is None


def test_an_entity_of_unknown_age_is_not_young() -> None:
    """Nothing is known, so nothing is said."""
    assert summarise(report(), snapshot(of=entity(created_at=None)), RULES, SMALL).young_until is None


def _arn(path: str, kind: str = "role", partition: str = "aws") -> str:
    return f"arn:{partition}:iam::111111111111:{kind}/{path}"


@pytest.mark.parametrize(
    ("shot", "rules", "word"),
    [
        (snapshot(), RULES, ""),
        (
            snapshot(of=entity(arn=_arn("aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"))),
            RULES,
            "service_linked",
        ),
        (
            snapshot(of=entity(arn=_arn("aws-service-role/x/R", partition="aws-us-gov"))),
            RULES,
            "service_linked",
        ),
        (
            snapshot(of=entity(arn=_arn("aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123"))),
            RULES,
            "sso",
        ),
        (snapshot(of=entity(arn=_arn("AWSReservedSSO_Admin_0123"))), RULES, "sso"),
        (snapshot(of=entity(arn=_arn("OrganizationAccountAccessRole"))), RULES, "organization_access"),
        (snapshot(of=entity(arn=_arn("OrganizationAccountAccessRole2"))), RULES, ""),
        (snapshot(of=entity(arn=_arn("AWSControlTowerExecution"))), RULES, "control_tower"),
        (snapshot(of=entity(arn=_arn("service-role/AWSControlTowerAdmin"))), RULES, "control_tower"),
        (snapshot(of=entity(Kind.USER, arn=_arn("AWSReservedSSO_x", "user"))), RULES, ""),
        (snapshot(of=entity(Kind.POLICY, arn="arn:aws:iam::aws:policy/ReadOnlyAccess")), RULES, "aws_owned"),
        (
            snapshot(of=entity(Kind.POLICY, arn="arn:aws-cn:iam::aws:policy/ReadOnlyAccess")),
            RULES,
            "aws_owned",
        ),
        (snapshot(of=entity(Kind.POLICY), boundary_of=2), RULES, "boundary"),
        (snapshot(), Rules(own_arns=frozenset({entity().arn})), "bot"),
        (snapshot(), Rules(protect=("DBAdmin*",)), "setting"),
        (snapshot(), Rules(protect=("dbadmin*",)), ""),
        (snapshot(), Rules(protect=("arn:aws:iam::111111111111:role/*",)), "setting"),
        (snapshot(), Rules(protect=("Other", "tag:owner=platform")), ""),
        (snapshot(tags=(("owner", "platform"),)), Rules(protect=("tag:owner=platform",)), "setting"),
        (snapshot(tags=(("owner", "platform-eu"),)), Rules(protect=("tag:owner=platform*",)), "setting"),
        (snapshot(tags=(("owner", "x"),)), Rules(protect=("tag:owner",)), "setting"),
        (snapshot(tags=(("Owner", "platform"),)), Rules(protect=("tag:owner=platform",)), ""),
        (snapshot(tags=(("owner", "data"),)), Rules(protect=("tag:owner=platform",)), ""),
    ],
)
def test_protected(shot: Snapshot, rules: Rules, word: str) -> None:
    """Who is never changed, whatever a report says; and then nothing of it is a candidate."""
    assert protected(shot, rules) == word
    shot = replace(shot, policies=(INLINE,), holders=("role/R",))
    summary = summarise(report(service("s3", by=[INLINE])), shot, rules, SMALL)
    assert summary.protected == word
    if word:
        found = finding(summary, "s3")
        assert (found.verdict, found.why, found.detail) == (Verdict.KEEP, Why.PROTECTED, word)


def policy_report(*policies: Policy, **more: object) -> Summary:
    return summarise(
        report(service("s3", by=None)), snapshot(*policies, of=entity(Kind.POLICY, "P"), **more), RULES, SMALL
    )


def test_a_policy_is_judged_by_its_own_text() -> None:
    """AWS cannot say what grants a service to a policy: it is the policy."""
    mine = policy("P", "s3:*", kind=PolicyKind.CUSTOMER, attachments=2)
    summary = policy_report(mine, holders=("role/A", "role/B"))
    assert (finding(summary, "s3").verdict, summary.unattached) == (Verdict.REMOVE, False)


def test_a_policy_attached_to_nothing_is_left_alone() -> None:
    """Its report lists services that nobody has; it is never deleted."""
    summary = policy_report(policy("P", "s3:*", kind=PolicyKind.CUSTOMER))
    assert (finding(summary, "s3").verdict, finding(summary, "s3").why) == (Verdict.KEEP, Why.UNATTACHED)
    assert summary.unattached


@pytest.mark.parametrize(("text", "why"), [(ADMIN.text, Why.ADMIN), (NOT.text, Why.NOT_ACTION)])
def test_a_policy_that_cannot_be_cut_is_for_a_person(text: str, why: Why) -> None:
    """As for an entity that has it."""
    found = finding(policy_report(Policy("P", PolicyKind.CUSTOMER, text), holders=("role/A",)), "s3")
    assert (found.verdict, found.why) == (Verdict.ASK, why)


@pytest.mark.parametrize(
    ("shot", "reach"),
    [
        (snapshot(of=entity(Kind.GROUP), members=("a", "b")), 2),
        (snapshot(of=entity(Kind.GROUP)), 0),
        (snapshot(of=entity(Kind.POLICY), holders=("role/R", "user/u", "group/g"), members=("u", "v")), 3),
        (snapshot(of=entity(Kind.POLICY), holders=("group/g",)), 0),
    ],
)
def test_whom_a_change_reaches(shot: Snapshot, reach: int) -> None:
    """A user who has a policy twice is one user; a group is its members."""
    assert shot.reach == reach


def test_findings_stand_latest_first_and_untold_last() -> None:
    """Latest attempt, then what could go, then what a person decides, then what cannot be told."""
    shared = policy("Shared", "kms:*", kind=PolicyKind.CUSTOMER, attachments=2)
    p = policy("P", "s3:*", "ec2:*", "sqs:*", "lambda:CreateFunction")
    rows = [
        service("kms", by=[shared]),
        service("sqs", by=[p]),
        service("ec2", ago(days=200), by=[p]),
        service("s3", ago(days=1), by=[p]),
    ]
    summary = summarise(report(*rows), snapshot(p, shared), RULES, SMALL)
    assert [f.service for f in summary.findings] == ["s3", "ec2", "sqs", "kms", "lambda"]


# -- two reports


def test_the_difference_of_two_reports() -> None:
    """Each with the window of its own day."""
    before = report(
        service("a", ago(days=100)),
        service("b"),
        service("c", ago(days=85)),
        service("d", ago(days=399)),
        service("e"),
        at=ago(days=30),
    )
    after = report(
        service("a", ago(days=1)),
        service("b", ago(days=2)),
        service("c", ago(days=95)),
        service("d"),
        service("f"),
    )
    found = difference(before, after, 90)
    assert found.newly_used == ("b",)
    assert found.now_stale == ("c",)
    assert found.no_longer_seen == ("d",)
    assert found.newly_granted == ("f",)
    assert found.no_longer_granted == ("e",)
    assert not found.empty
    assert difference(after, after, 90).empty


# -- for all reports


_AT = st.none() | st.integers(-1, 1500).map(lambda d: ago(days=d))
_NAMES = sorted(SMALL.table)
_POLICY = st.sampled_from(
    [INLINE, MINE, SHARED, GROUP, AWS_WHOLE, AWS_PART, ADMIN, NOT, policy("Iam", "iam:*", "s3:*")]
)
_ROWS = st.dictionaries(
    st.sampled_from([*_NAMES, "unheard-of"]),
    st.tuples(_AT, st.none() | st.lists(_POLICY, max_size=3, unique=True)),
    max_size=6,
)


@given(
    rows=_ROWS,
    policies=st.lists(_POLICY, max_size=4, unique=True),
    kind=st.sampled_from(list(Kind)),
    age=st.none() | st.integers(0, 800),
    window=st.integers(1, 400),
    actions=st.booleans(),
)
def test_only_what_is_listed_and_never_attempted_can_go(
    rows: dict[str, tuple[datetime | None, list[Policy] | None]],
    policies: list[Policy],
    kind: Kind,
    age: int | None,
    window: int,
    actions: bool,
) -> None:
    """A service absent from the report is never a candidate, and REMOVE stands only beside NEVER."""
    tracked = [ActionRow("CreateBucket"), ActionRow("DeleteBucket", ago(days=5))] if actions else None
    made = report(
        *(service(n, at, by=by, actions=tracked if n == "s3" else None) for n, (at, by) in rows.items()),
        granularity=Granularity.ACTION if actions else Granularity.SERVICE,
    )
    born = entity(kind, created_at=None if age is None else ago(days=age))
    shot = snapshot(*(policies or [INLINE]), of=born, holders=("role/R",))
    summary = summarise(made, shot, Rules(window_days=window), SMALL)
    assert summary.granted == len(rows)
    assert len({f.service for f in summary.findings}) == len(summary.findings)
    listed = {(s.namespace, a.name) for s in made.services for a in s.actions or ()}
    for found in (*summary.findings, *summary.actions):
        if found.verdict is Verdict.REMOVE:
            assert found.usage is Usage.NEVER
            assert found.last_at is None
            assert (found.service, found.action) in listed if found.action else found.service in rows
        if found.usage is Usage.UNTRACKED:
            assert found.verdict is Verdict.KEEP
        assert (found.days is None) is (found.last_at is None)


@given(before=_ROWS, after=_ROWS, window=st.integers(1, 400))
def test_a_service_changes_in_one_way_at_most(
    before: dict[str, tuple[datetime | None, object]],
    after: dict[str, tuple[datetime | None, object]],
    window: int,
) -> None:
    """No service stands twice in a difference."""
    old, new = (report(*(service(n, at) for n, (at, _) in rows.items())) for rows in (before, after))
    found = difference(old, new, window)
    names = [
        *found.newly_used,
        *found.now_stale,
        *found.no_longer_seen,
        *found.newly_granted,
        *found.no_longer_granted,
    ]
    assert len(names) == len(set(names))


def test_attempts_that_earlier_reports_saw_are_told_by_service() -> None:
    """Counted from the newest report, each once; a service that was never attempted has none."""
    older = report(service("s3", ago(days=40)), service("sqs"), at=ago(days=30))
    newest = report(service("s3", ago(days=3)), service("sqs"))
    assert attempts_seen([newest, older, newest], newest) == {"s3": (3, 40)}


OURS = frozenset({"arn:aws:iam::111111111111:role/ops/IAMAuditWrite"})
REACHED = [
    ("the bot has the policy", Kind.POLICY, ("role/IAMAuditWrite",), (), Rules(own_arns=OURS), "bot"),
    ("a protected role has it", Kind.POLICY, ("role/BreakGlass",), (), Rules(protect=("BreakGlass*",)), "setting"),
    ("by its ARN", Kind.POLICY, ("user/root2",), (), Rules(protect=("arn:aws:iam::*:user/root2",)), "setting"),
    ("Identity Center has it", Kind.POLICY, ("role/AWSReservedSSO_Admin_1",), (), Rules(), "sso"),
    ("a member of the group", Kind.GROUP, (), ("breakglass",), Rules(protect=("breakglass",)), "setting"),
    ("somebody of another kind", Kind.POLICY, ("user/IAMAuditWrite",), (), Rules(own_arns=OURS), ""),
    ("nobody", Kind.POLICY, ("role/x",), ("y",), Rules(protect=("BreakGlass*",), own_arns=OURS), ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "holders", "members", "rules", "word"), [r[1:] for r in REACHED], ids=[r[0] for r in REACHED]
)
def test_what_reaches_somebody_protected_is_protected(
    kind: Kind, holders: tuple[str, ...], members: tuple[str, ...], rules: Rules, word: str
) -> None:
    """To cut a policy cuts all who have it, to cut a group all its members."""
    shot = replace(snapshot(of=entity(kind, "Team")), holders=holders, members=members)
    assert protected(shot, rules) == word
