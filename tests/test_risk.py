"""advisor.core.risk: what a permission weighs, which removals are most of the risk, and what was used of the privileged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.estate import Score
from advisor.core.model import (
    ActionRow,
    Finding,
    Granularity,
    Policy,
    PolicyKind,
    Summary,
    Usage,
    Verdict,
    Why,
)
from advisor.core.privileged import PRIVILEGED, Reach
from advisor.core.report import Rules, summarise
from advisor.core.risk import Risk, Weighed, heaviest, score, severity, weigh
from advisor.edges.catalogue import IamCatalogue
from tests.worlds import ACCOUNT, ago, allow, deny, document, report, service, snapshot

KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0a1b"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
MICRO = "unheard-of"


@lru_cache(maxsize=1)
def catalogue() -> IamCatalogue:
    return IamCatalogue()


@dataclass(frozen=True)
class Few:
    """Some services of the catalogue: NotAction means every service there is, and 457 are too many for a property."""

    names: frozenset[str] = frozenset({"iam", "sts", "kms", "s3", "ssm", "sqs"})

    def services(self) -> frozenset[str]:
        return self.names

    def actions(self, service_: str) -> Mapping[str, frozenset[str]]:
        return catalogue().actions(service_) if service_ in self.names else {}


def risk_of(
    statements: Sequence[dict[str, object]],
    services: Sequence[str],
    used: Sequence[str] = (),
    actions: dict[str, Sequence[ActionRow]] | None = None,
) -> Risk:
    """The risk of a role with one document, and a report that lists these services."""
    own = Policy("own", PolicyKind.INLINE, document(*statements))
    shot = snapshot(own)
    deep = Granularity.ACTION if actions is not None else Granularity.SERVICE
    rows = [
        service(s, ago(days=2) if s in used else None, by=[own], actions=(actions or {}).get(s))
        for s in services
    ]
    return weigh(summarise(report(*rows, granularity=deep), shot, Rules(), catalogue()), shot, catalogue())


def weighed(service_: str, *statements: dict[str, object]) -> Weighed:
    """What one service weighs."""
    found = risk_of(statements, [service_])
    return next(w for w in found.services if w.finding.service == service_)


def narrow(*actions: str, **more: object) -> dict[str, object]:
    return allow(*actions, Resource=KEY, **more)


# -- the table ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service_", sorted(PRIVILEGED))
def test_every_privileged_action_is_one_of_aws_s(service_: str) -> None:
    """As it is spelled there; a name that AWS drops has to go from the table."""
    assert PRIVILEGED[service_].keys() <= catalogue().actions(service_).keys()
    assert set(PRIVILEGED[service_].values()) <= set(list(Reach)[:6])


CASES = [
    # service, statements, weight, what it could do
    ("iam", [allow("iam:*")], 6144, Reach.ESCALATION),
    ("iam", [allow("*")], 6144, Reach.ESCALATION),
    ("iam", [allow("*:*")], 6144, Reach.ESCALATION),
    ("iam", [allow("iam:PassRole")], 6144, Reach.ESCALATION),
    ("iam", [allow("IAM:passrole")], 6144, Reach.ESCALATION),
    ("iam", [allow("iam:Pass*")], 6144, Reach.ESCALATION),
    ("iam", [allow("iam:?assRole")], 6144, Reach.ESCALATION),
    ("iam", [allow("iam:PassRole", Resource=ROLE)], 5120, Reach.ESCALATION),
    ("iam", [allow("iam:PassRole", Resource=[ROLE, "*"])], 6144, Reach.ESCALATION),
    ("iam", [allow("iam:PassRole", Resource=f"arn:aws:iam::{ACCOUNT}:role/*")], 6144, Reach.ESCALATION),
    ("iam", [allow("iam:PassRole", Resource=f"arn:aws:iam::{ACCOUNT}:role/team-*")], 5120, Reach.ESCALATION),
    ("iam", [allow("iam:PassRole", Condition=MFA)], 5120, Reach.ESCALATION),
    ("iam", [allow("iam:PassRole", Resource=ROLE, Condition=MFA)], 4096, Reach.ESCALATION),
    (
        "iam",
        [allow("iam:PassRole", Resource=ROLE, Condition=MFA), allow("iam:PassRole")],
        6144,
        Reach.ESCALATION,
    ),
    ("iam", [allow("iam:CreateUser")], 1536, Reach.ADMINISTRATION),
    ("iam", [allow("iam:Get*", "iam:List*")], 12, Reach.READ),
    ("iam", [allow("iam:*"), deny("iam:*User*", "iam:*Group*")], 6144, Reach.ESCALATION),
    ("iam", [allow("iam:PassRole", "iam:GetRole"), deny("iam:PassRole")], 12, Reach.READ),
    ("iam", [allow("iam:PassRole"), {**deny("iam:PassRole"), "Resource": ROLE}], 6144, Reach.ESCALATION),
    ("iam", [allow("iam:PassRole"), {**deny("iam:PassRole"), "Condition": MFA}], 6144, Reach.ESCALATION),
    ("iam", [{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], 6144, Reach.ESCALATION),
    ("sts", [allow("sts:AssumeRole")], 6144, Reach.ESCALATION),
    ("sts", [allow("sts:AssumeRole", Resource=ROLE)], 5120, Reach.ESCALATION),
    ("sts", [allow("sts:GetCallerIdentity")], 12, Reach.READ),
    ("secretsmanager", [allow("secretsmanager:Get*")], 1536, Reach.SECRETS),
    ("secretsmanager", [narrow("secretsmanager:GetSecretValue")], 1280, Reach.SECRETS),
    ("secretsmanager", [allow("secretsmanager:ListSecrets")], 6, Reach.LIST),
    ("secretsmanager", [allow("secretsmanager:DescribeSecret")], 12, Reach.READ),
    ("secretsmanager", [allow("secretsmanager:TagResource")], 24, Reach.TAGGING),
    ("secretsmanager", [allow("secretsmanager:DeleteSecret")], 48, Reach.WRITE),
    ("secretsmanager", [allow("secretsmanager:DeleteResourcePolicy")], 96, Reach.PERMISSIONS),
    ("ssm", [allow("ssm:GetParameter*")], 1536, Reach.SECRETS),
    ("ssm", [allow("ssm:SendCommand")], 384, Reach.CODE),
    ("organizations", [allow("organizations:*")], 1536, Reach.ADMINISTRATION),
    ("organizations", [allow("organizations:Describe*")], 12, Reach.READ),
    ("kms", [allow("kms:Decrypt")], 384, Reach.KEYS),
    ("kms", [narrow("kms:Decrypt")], 320, Reach.KEYS),
    ("kms", [allow("kms:Decrypt", Resource=f"arn:aws:kms:*:{ACCOUNT}:key/*")], 384, Reach.KEYS),
    ("kms", [narrow("kms:Decrypt", Condition=MFA)], 256, Reach.KEYS),
    ("kms", [allow("kms:Encrypt")], 48, Reach.WRITE),
    ("lambda", [allow("lambda:CreateFunction")], 384, Reach.CODE),
    ("lambda", [allow("lambda:InvokeFunction")], 48, Reach.WRITE),
    ("ec2", [allow("ec2:RunInstances")], 384, Reach.CODE),
    ("ec2", [allow("ec2:Describe*")], 6, Reach.LIST),
    ("ec2", [allow("ec2:CreateTags")], 24, Reach.TAGGING),
    ("s3", [allow("s3:PutBucketPolicy")], 384, Reach.EXPOSURE),
    ("s3", [allow("s3:GetObject")], 12, Reach.READ),
    ("s3", [allow("s3:GetObject", Resource="arn:aws:s3:::*/*")], 12, Reach.READ),
    ("s3", [allow("s3:GetObject", Resource="arn:aws:s3:::lake/*")], 10, Reach.READ),
    ("s3", [allow("s3:PutObject", "s3:ListBucket")], 48, Reach.WRITE),
    ("sns", [allow("sns:Publish")], 48, Reach.WRITE),
    ("sns", [allow("sns:*")], 384, Reach.EXPOSURE),
    (MICRO, [allow(f"{MICRO}:Do")], 48, Reach.WRITE),
    (MICRO, [allow(f"{MICRO}:Get*", Resource=KEY)], 40, Reach.WRITE),
    ("s3", [allow("s3:ListAllMyBuckets", "s3:BrandNew")], 48, Reach.WRITE),
    ("athena", [allow("s3:*")], 4, Reach.LIST),  # the report lists it, no document shows it
]


@pytest.mark.parametrize(("service_", "statements", "weight", "reach"), CASES)
def test_what_a_service_weighs(
    service_: str, statements: list[dict[str, object]], weight: int, reach: Reach
) -> None:
    """The worst that the documents allow in it, as broadly as they allow it."""
    found = weighed(service_, *statements)
    assert (found.weight, found.reach) == (weight, reach)


@pytest.mark.parametrize(
    ("weight", "word"),
    [
        (4, "low"),
        (6, "low"),
        (24, "low"),
        (31, "low"),
        (32, "medium"),
        (48, "medium"),
        (96, "medium"),
        (255, "medium"),
        (256, "high"),
        (384, "high"),
        (6144, "high"),
    ],
)
def test_a_word_for_a_weight(weight: int, word: str) -> None:
    """Privileged is high, what writes is medium, what tags, reads or lists is low."""
    assert severity(weight) == word


# -- the whole ---------------------------------------------------------------------------------------------------------


def test_the_riskiest_come_first_and_the_names_decide_between_equals() -> None:
    """Then what grants more privileged actions, then the alphabet."""
    found = risk_of(
        [
            allow(
                "iam:PassRole", "sns:Publish", "sqs:SendMessage", "ec2:*", "lambda:CreateFunction", "s3:Get*"
            )
        ],
        ["sqs", "sns", "s3", "iam", "lambda", "ec2"],
    )
    assert [w.finding.service for w in found.services] == ["iam", "ec2", "lambda", "sns", "sqs", "s3"]
    assert [w.finding.service for w in found.candidates] == ["ec2", "lambda", "sns", "sqs", "s3"]
    assert found.total == sum(w.weight for w in found.candidates) == 1536 + 384 + 48 + 48 + 12


def test_privileged_actions_of_a_report_of_services_are_known_by_their_service() -> None:
    """Used at most: those of services that were used; passing a role leaves no trace there either."""
    found = risk_of(
        [allow("iam:PassRole", "iam:CreateUser", "kms:Decrypt", "kms:CreateGrant", "ssm:SendCommand")],
        ["iam", "kms"],
        used=["iam", "kms"],
    )
    assert (found.privileged, found.privileged_used, found.privileged_untold) == (5, 3, 2)
    assert not found.exact


def test_privileged_actions_of_an_action_report_are_known_exactly() -> None:
    """What the report tracks; what it does not track cannot be told."""
    found = risk_of(
        [allow("iam:PassRole", "iam:CreateUser", "iam:PutRolePolicy", "kms:Decrypt")],
        ["iam", "kms"],
        used=["iam", "kms"],
        actions={
            "iam": [ActionRow("CreateUser", ago(days=3)), ActionRow("PutRolePolicy")],
            "kms": [ActionRow("Decrypt", ago(days=200))],
        },
    )
    assert (found.privileged, found.privileged_used, found.privileged_untold) == (4, 1, 1)
    assert found.exact
    assert [(w.finding.action, w.weight) for w in found.actions[:3]] == [
        ("PassRole", 6144),
        ("PutRolePolicy", 6144),
        ("CreateUser", 1536),
    ]
    assert found.single == ()  # of what passes a role, a person decides


def test_a_score_is_what_lists_and_digests_need() -> None:
    """Counts of services, the weight of what could go, and the five heaviest by name."""
    names = ["iam", "kms", "s3", "sns", "sqs", "ec2", "dynamodb", "athena"]
    own = Policy("own", PolicyKind.INLINE, document(allow("kms:*", *(f"{n}:Get*" for n in names))))
    shot = snapshot(own)
    made = report(*[service(n, ago(days=2) if n == "s3" else None, by=[own]) for n in names], id=7)
    summary = summarise(made, shot, Rules(), catalogue())
    assert score(made, summary, weigh(summary, shot, catalogue())) == Score(
        report_id=7,
        entity_id=1,
        at=made.created_at,
        granted=8,
        used=1,
        stale=0,
        untracked=0,
        could_go=7,
        risk=1536 + 384 + 48 + 12 * 4,
        heaviest=1536,
        privileged=8,
        privileged_used=0,
        best=("ec2", "kms", "athena", "dynamodb", "iam"),
    )


def test_a_protected_or_young_entity_has_nothing_that_could_go() -> None:
    """Its findings weigh what they weigh; none of it is a removal."""
    own = Policy("own", PolicyKind.INLINE, document(allow("iam:*")))
    shot = snapshot(own)
    made = report(service("iam", by=[own]))
    summary = summarise(made, shot, Rules(protect=("*",)), catalogue())
    found = weigh(summary, shot, catalogue())
    assert (found.total, found.services[0].weight) == (0, 6144)
    assert score(made, summary, found).protected


# -- what always holds -------------------------------------------------------------------------------------------------

_SOME = ("iam", "sts", "kms", "s3", "ssm", "sqs", MICRO)
_PATTERNS = st.sampled_from(
    [
        "*",
        "iam:*",
        "iam:Get*",
        "iam:PassRole",
        "iam:CreateUser",
        "sts:*",
        "kms:Decrypt",
        "kms:List*",
        "s3:?et*",
        "s3:PutBucketPolicy",
        "s3:Strange",
        "ssm:*Parameter*",
        "ssm:Describe*",
        "sqs:SendMessage",
        f"{MICRO}:Do",
    ]
)


@st.composite
def _statement(draw: st.DrawFn) -> dict[str, object]:
    said: dict[str, object] = {"Effect": "Allow", "Resource": draw(st.sampled_from(["*", KEY]))}
    said[draw(st.sampled_from(["Action", "NotAction"]))] = draw(st.lists(_PATTERNS, min_size=1, max_size=3))
    if draw(st.booleans()):
        said["Condition"] = MFA
    return said


@given(
    st.lists(_statement(), min_size=1, max_size=3), _statement(), st.lists(_PATTERNS, max_size=1), st.data()
)
def test_granting_more_never_weighs_less(
    had: list[dict[str, object]], more: dict[str, object], denied: list[str], data: st.DataObject
) -> None:
    """One more Allow, or the same without its Deny; and the order of statements does not matter."""
    no = [deny(*denied)] if denied else []
    documents = [[*had, *no], [*had, more, *no], data.draw(st.permutations([*had, more]))]
    weights = []
    for said in documents:
        shot = snapshot(Policy("own", PolicyKind.INLINE, document(*said)))
        summary = Summary(tuple(Finding(s, Usage.NEVER, Verdict.REMOVE, Why.UNUSED) for s in _SOME))
        weights.append({w.finding.service: w.weight for w in weigh(summary, shot, Few()).services})
    for name in _SOME:
        least, with_deny, most = (found[name] for found in weights)
        assert 4 <= least <= with_deny <= most <= 6144


@given(st.lists(st.tuples(st.sampled_from([4, 12, 48, 96, 384, 1536, 6144]), st.booleans()), max_size=12))
def test_the_first_removals_are_the_fewest(found: list[tuple[int, bool]]) -> None:
    """They come to four fifths; without the last of them they do not; no other choice of fewer does."""
    weights = sorted((w for w, _ in found), reverse=True)
    candidates = [
        Weighed(Finding(f"s{n}", Usage.NEVER, Verdict.REMOVE, Why.UNUSED), w, Reach.WRITE)
        for n, w in enumerate(weights)
    ]
    first = heaviest(candidates)
    assert list(first) == candidates[: len(first)]
    if candidates:
        assert sum(w.weight for w in first) * 100 >= sum(weights) * 80 > sum(weights[: len(first) - 1]) * 100
    else:
        assert first == ()


@given(st.permutations(["iam", "sts", "kms", "s3", "ssm", "sqs", "sns", "ec2", "athena"]))
def test_the_order_is_always_the_same(services: list[str]) -> None:
    """Whatever order the report has, and total: no two findings are equal in it."""
    found = risk_of([allow(*(f"{s}:*" for s in sorted(services)))], services)
    names = [w.finding.service for w in found.services]
    assert names == ["iam", "sts", "ec2", "ssm", "s3", "kms", "sns", "sqs", "athena"]
