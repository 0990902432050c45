"""advisor.core.offer and plan: from findings and ticks to exact writes, and what stays with its reason."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from advisor.core.back import way_back, whole
from advisor.core.model import Kind, Policy, PolicyKind, Usage, Why
from advisor.core.offer import QUARANTINE
from advisor.core.plan import Nothing, make
from advisor.core.removal import (
    INLINE_SIZE,
    Entry,
    Kept,
    Left,
    Operation,
    Plan,
    Standing,
    StepState,
    Treatment,
    Version,
)
from advisor.core.report import Rules
from advisor.core.rewrite import size
from advisor.core.standing import after, moved
from tests.removals import Estate, catalogue, estate, keep, shared
from tests.worlds import ago, allow, deny, document, entity, policy

USED = {"s3": ago(days=3)}
DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"


def inline(name: str, *statements: dict[str, object]) -> Policy:
    return Policy(name, PolicyKind.INLINE, document(*statements))


def steps(plan: Plan) -> list[tuple[str, str]]:
    return [(s.operation.value, s.name) for s in plan.steps]


def actions(text: str | None, n: int = 0) -> object:
    return json.loads(text or "{}")["Statement"][n]["Action"]


# -- what is offered -----------------------------------------------------------------------------------------------


def test_what_the_report_proves_is_ticked_and_what_was_used_stays() -> None:
    made = estate(policy("base", "s3:*", "athena:*", "dax:*"), used=USED)
    assert [(c.services, c.ticked, c.treatment) for c in made.offer.candidates] == [
        (("athena",), True, Treatment.EDIT),
        (("dax",), True, Treatment.EDIT),
    ]
    assert [(f.service, f.why) for f in made.offer.stays] == [("s3", Why.USED)]
    assert not made.offer.quarantine


ASKED = [
    ("stale", estate(policy("base", "s3:*", "sqs:*"), used={**USED, "sqs": ago(days=143)}), "sqs", Why.STALE),
    ("passing", estate(policy("base", "s3:*", "iam:*"), used=USED), "iam", Why.PASS_ROLE),
    (
        "not action",
        estate(inline("base", {"Effect": "Allow", "NotAction": ["ec2:*"], "Resource": "*"}), used=USED),
        "athena",
        Why.NOT_ACTION,
    ),
    ("admin", estate(policy("base", "*"), used=USED), "athena", Why.ADMIN),
]


@pytest.mark.parametrize(("made", "service", "why"), [a[1:] for a in ASKED], ids=[a[0] for a in ASKED])
def test_what_a_person_decides_is_there_unticked_with_its_reason(
    made: Estate, service: str, why: Why
) -> None:
    [candidate] = [c for c in made.offer.candidates if c.services == (service,)]
    assert not candidate.ticked
    assert candidate.asks
    assert candidate.asks.why is why


NOTHING = [
    ("used", estate(policy("base", "s3:*"), used=USED), "used"),
    ("young", estate(policy("base", "athena:*"), of=entity(created_at=ago(days=5))), "young"),
    ("protected", estate(policy("base", "athena:*"), rules=Rules(protect=("DB*",))), "protected:setting"),
    (
        "service linked",
        estate(
            policy("base", "athena:*"),
            of=entity(arn="arn:aws:iam::111111111111:role/aws-service-role/x/DBAdminRole"),
        ),
        "protected:service_linked",
    ),
    (
        "the bot's own",
        estate(policy("base", "athena:*"), rules=Rules(own_arns=frozenset({entity().arn}))),
        "protected:bot",
    ),
    ("kept whole", estate(policy("base", "athena:*"), keeps=[keep("")]), "stays"),
    (
        "through a group",
        estate(
            policy("base", "athena:*", group="team"),
            of=entity(Kind.USER, "alice"),
            used={"athena": ago(days=1)},
        ),
        "used",
    ),
]


@pytest.mark.parametrize(("made", "why"), [n[1:] for n in NOTHING], ids=[n[0] for n in NOTHING])
def test_where_nothing_can_go_the_offer_says_why(made: Estate, why: str) -> None:
    assert made.offer.candidates == ()
    assert made.offer.nothing == why


def test_a_kept_service_is_not_offered() -> None:
    made = estate(policy("base", "s3:*", "kms:*", "athena:*"), used=USED, keeps=[keep("kms")])
    assert [c.services for c in made.offer.candidates] == [("athena",)]
    assert [(f.service, f.why) for f in made.offer.stays] == [("s3", Why.USED), ("kms", Why.KEPT)]


def test_a_service_that_the_report_does_not_list_is_never_offered() -> None:
    made = estate(policy("base", "s3:*", "athena:*", "dax:*"), used=USED, unlisted=["dax"])
    assert [c.services for c in made.offer.candidates] == [("athena",)]
    assert next(f for f in made.offer.stays if f.service == "dax").usage is Usage.UNTRACKED
    assert "dax:*" in json.dumps(actions(made.plan().edits[0].after))


def test_what_comes_through_a_group_is_not_offered_to_a_member() -> None:
    made = estate(policy("team-base", "athena:*", group="team"), of=entity(Kind.USER, "alice"))
    assert made.offer.candidates == ()
    assert made.offer.stays[0].why is Why.GROUP


# -- rewrites ------------------------------------------------------------------------------------------------------


def test_an_inline_document_gets_shorter_and_keeps_everything_else_to_the_letter() -> None:
    text = document(
        allow("s3:*", "athena:*", Sid="Mine", Condition={"Bool": {"aws:SecureTransport": "true"}}),
        deny("kms:*"),
    )
    plan = estate(Policy("base", PolicyKind.INLINE, text), used=USED).plan()
    edit = plan.edits[0]
    assert steps(plan) == [("put_inline", "base")]
    assert plan.steps[0].before == text
    after_ = json.loads(edit.after or "")
    assert after_["Statement"][0] == {**json.loads(text)["Statement"][0], "Action": ["s3:*"]}
    assert after_["Statement"][1] == json.loads(text)["Statement"][1]
    assert (plan.services, edit.out, edit.stay) == (("athena",), ("athena",), ("s3",))


def test_nothing_left_means_the_inline_policy_goes() -> None:
    plan = estate(policy("base", "athena:*"), policy("mine", "s3:*"), used=USED).plan()
    assert steps(plan) == [("delete_inline", "base")]
    assert plan.edits[0].treatment is Treatment.DELETE


def test_the_same_service_in_five_places_goes_from_all_of_them() -> None:
    five = [policy(f"p{n}", "athena:*", "s3:*") for n in range(5)]
    plan = estate(*five, used=USED).plan()
    assert steps(plan) == [("put_inline", f"p{n}") for n in range(5)]
    assert plan.services == ("athena",)


def test_a_service_that_a_shared_policy_grants_too_is_only_gone_with_the_copy() -> None:
    tools = shared(policy("DBTools", "athena:*", "sqs:*", kind=PolicyKind.CUSTOMER), 2)
    held = {tools.arn: ("role/DBAdminRole", "role/x", "role/y")}
    made = estate(policy("base", "s3:*", "athena:*"), tools, used={**USED, "sqs": ago(days=1)}, holders=held)
    assert [(c.treatment, c.ticked, c.policy) for c in made.offer.candidates] == [
        (Treatment.COPY, False, "DBTools")
    ]
    plan = made.plan("DBTools")
    assert plan.services == ("athena",)
    assert steps(plan) == [
        ("put_inline", "base"),
        ("create_policy", "IAMAudit-DBAdminRole-t12"),
        ("attach", "IAMAudit-DBAdminRole-t12"),
        ("detach", "DBTools"),
    ]
    create = plan.steps[1]
    assert actions(create.after) == ["sqs:*"]
    assert ("iam-audit:ticket", "12") in create.tags
    assert create.arn == "arn:aws:iam::111111111111:policy/IAMAudit-DBAdminRole-t12"


def test_an_aws_managed_policy_of_which_nothing_stays_is_detached() -> None:
    rds = policy("AmazonRDSFullAccess", "rds:*", "pi:*", kind=PolicyKind.AWS)
    made = estate(policy("base", "s3:*"), rds, used=USED)
    assert [(c.treatment, c.ticked, c.services) for c in made.offer.candidates] == [
        (Treatment.DETACH, True, ("pi", "rds"))
    ]
    plan = made.plan()
    assert steps(plan) == [("detach", "AmazonRDSFullAccess")]
    assert plan.services == ("pi", "rds")


def test_an_aws_managed_policy_of_which_something_stays_is_replaced_only_where_a_person_ticks_it() -> None:
    rds = policy("AmazonRDSFullAccess", "rds:*", "pi:*", kind=PolicyKind.AWS)
    made = estate(rds, used={"rds": ago(days=2)})
    assert isinstance(made.made(), Nothing)
    plan = made.plan("AmazonRDSFullAccess")
    assert steps(plan) == [
        ("create_policy", "IAMAudit-DBAdminRole-t12"),
        ("attach", "IAMAudit-DBAdminRole-t12"),
        ("detach", "AmazonRDSFullAccess"),
    ]
    assert actions(plan.steps[0].after) == ["rds:*"]
    assert plan.asked[0].policy == "AmazonRDSFullAccess"


def test_a_customer_policy_of_this_entity_alone_gets_a_new_version() -> None:
    own = policy("Own", "s3:*", "athena:*", kind=PolicyKind.CUSTOMER, attachments=1)
    plan = estate(own, used=USED).plan()
    assert steps(plan) == [("create_version", "Own")]
    assert (plan.steps[0].version, plan.steps[0].before) == ("v1", own.text)


def test_the_oldest_version_that_is_not_the_default_makes_room_and_its_text_is_kept() -> None:
    own = policy("Own", "s3:*", "athena:*", kind=PolicyKind.CUSTOMER, attachments=1)
    five = tuple(
        Version(f"v{n}", own.text if n == 3 else document(allow("a:b")), n == 3) for n in (3, 4, 10, 11, 12)
    )
    plan = estate(own, used=USED, versions={own.arn: five}).plan()
    assert [(s.operation, s.version) for s in plan.steps] == [
        (Operation.DELETE_VERSION, "v4"),
        (Operation.CREATE_VERSION, "v3"),
    ]
    assert plan.steps[0].before == document(allow("a:b"))


def test_a_boundary_is_never_cut() -> None:
    own = policy("Own", "s3:*", "athena:*", kind=PolicyKind.CUSTOMER, attachments=1)
    made = estate(own, used=USED, boundary_of={own.arn: 1}).made()
    assert made == Nothing((Left("athena", "Own", Kept.BOUNDARY),))


def test_a_policy_that_somebody_else_got_since_is_left_alone() -> None:
    own = policy("Own", "s3:*", "athena:*", kind=PolicyKind.CUSTOMER, attachments=1)
    made = estate(own, used=USED, holders={own.arn: ("role/DBAdminRole", "role/new")}).made()
    assert isinstance(made, Nothing)


def test_a_ticket_on_a_policy_changes_it_for_all_who_have_it() -> None:
    who = entity(Kind.POLICY, "DataLake", arn="arn:aws:iam::111111111111:policy/DataLake")
    lake = policy("DataLake", "s3:*", "sns:*", kind=PolicyKind.CUSTOMER, attachments=3)
    held = {lake.arn: ("group/g", "role/a", "user/u")}
    plan = estate(lake, of=who, used=USED, holders=held).plan()
    assert steps(plan) == [("create_version", "DataLake")]
    assert plan.edits[0].holders == held[lake.arn]


def test_a_policy_that_would_be_empty_stays_and_says_so() -> None:
    who = entity(Kind.POLICY, "DataLake", arn="arn:aws:iam::111111111111:policy/DataLake")
    lake = policy("DataLake", "sns:*", kind=PolicyKind.CUSTOMER, attachments=3)
    assert estate(lake, of=who).made() == Nothing((Left("sns", "DataLake", Kept.EMPTY),))


def test_passrole_goes_only_with_its_service_and_by_a_persons_tick() -> None:
    made = estate(policy("base", "s3:*", "iam:*"), used=USED)
    assert isinstance(made.made(), Nothing)
    plan = made.plan("iam")
    assert plan.services == ("iam",)
    assert [c.asks.why for c in plan.asked if c.asks] == [Why.PASS_ROLE]


def test_not_action_is_lengthened_only_by_a_persons_tick() -> None:
    base = inline("base", {"Effect": "Allow", "NotAction": ["ec2:*"], "Resource": "*"})
    plan = estate(base, used=USED).plan("athena")
    assert json.loads(plan.edits[0].after or "")["Statement"][0]["NotAction"] == ["ec2:*", "athena:*"]
    assert plan.services == ("athena",)


# -- sizes and quotas ----------------------------------------------------------------------------------------------


def test_a_rewrite_over_the_size_limit_is_not_made() -> None:
    long = [f"s3:GetObject{'x' * 40}{n}" for n in range(230)]
    made = estate(policy("base", "*"), inline("long", allow(*long)), used=USED)
    assert sum(size(t) for _, t in made.standing.inline) > INLINE_SIZE[Kind.ROLE] - 8000
    found = made.made(keys=[next(c.key for c in made.offer.candidates if c.services == ("athena",))])
    assert isinstance(found, Nothing)
    assert Left("athena", "base", Kept.SIZE) in found.left


def test_a_full_set_of_attachments_leaves_no_room_for_a_replacement() -> None:
    ten = [policy(f"P{n}", "s3:*", kind=PolicyKind.AWS) for n in range(9)]
    rds = policy("AmazonRDSFullAccess", "rds:*", "pi:*", kind=PolicyKind.AWS)
    made = estate(*ten, rds, used={**USED, "rds": ago(days=2)}).made("AmazonRDSFullAccess")
    assert isinstance(made, Nothing)
    assert Left("pi", "AmazonRDSFullAccess", Kept.ATTACHMENTS) in made.left


# -- action level --------------------------------------------------------------------------------------------------

S3 = {
    "GetBucketAcl": ago(days=3),
    "ListAllMyBuckets": ago(days=3),
    "GetBucketPolicy": None,
    "CreateBucket": None,
    "DeleteBucket": None,
    "PutBucketPolicy": None,
}


def test_a_service_that_is_only_read_is_offered_for_reading_alone() -> None:
    made = estate(policy("base", "s3:*"), used=USED, actions={"s3": S3})
    tracked, untracked = made.offer.candidates
    assert tracked.ticked
    assert set(tracked.actions) == {"s3:CreateBucket", "s3:DeleteBucket", "s3:PutBucketPolicy"}
    assert not untracked.ticked
    assert untracked.untracked
    assert "s3:PutObject" in untracked.actions
    assert "s3:GetObject" not in untracked.actions


def test_its_writes_go_and_every_read_and_every_untracked_action_stays() -> None:
    plan = estate(policy("base", "s3:*"), used=USED, actions={"s3": S3}).plan()
    assert plan.services == ()
    assert set(plan.actions) == {"s3:CreateBucket", "s3:DeleteBucket", "s3:PutBucketPolicy"}
    left = actions(plan.edits[0].after)
    assert isinstance(left, list)
    assert all(p.startswith("s3:") and p != "s3:*" for p in left)


def test_where_a_write_was_used_no_untracked_action_is_offered() -> None:
    used = {**S3, "CreateBucket": ago(days=1)}
    made = estate(policy("base", "s3:*"), used=USED, actions={"s3": used})
    assert [c.untracked for c in made.offer.candidates] == [False]
    assert set(made.offer.candidates[0].actions) == {
        "s3:GetBucketPolicy",
        "s3:DeleteBucket",
        "s3:PutBucketPolicy",
    }


def test_a_service_used_only_by_untracked_actions_does_not_count_as_read_only() -> None:
    none = dict.fromkeys(S3)
    made = estate(policy("base", "s3:*"), used=USED, actions={"s3": none})
    assert [c.untracked for c in made.offer.candidates] == [False]


# -- quarantine ----------------------------------------------------------------------------------------------------


def test_an_entity_that_used_nothing_may_be_quarantined_by_one_attachment() -> None:
    made = estate(policy("base", "s3:*", "sns:*"), used={"s3": ago(days=200)})
    assert made.offer.quarantine
    plan = made.plan(keys=[QUARANTINE])
    assert [(s.operation, s.arn) for s in plan.steps] == [(Operation.ATTACH, DENY_ALL)]
    assert plan.quarantine
    live = after(made.standing, plan.steps[0])
    assert live.inline == made.standing.inline


NO_QUARANTINE = [
    ("used", estate(policy("base", "s3:*"), used=USED)),
    ("young", estate(policy("base", "s3:*"), of=entity(created_at=ago(days=5)))),
    ("kept", estate(policy("base", "s3:*"), keeps=[keep("s3")])),
    ("protected", estate(policy("base", "s3:*"), rules=Rules(protect=("DB*",)))),
]


@pytest.mark.parametrize("made", [n[1] for n in NO_QUARANTINE], ids=[n[0] for n in NO_QUARANTINE])
def test_quarantine_is_not_offered(made: Estate) -> None:
    assert not made.offer.quarantine


def test_a_quarantined_entity_is_not_quarantined_twice() -> None:
    made = estate(policy("base", "s3:*"), change=lambda s: replace(s, attached=(DENY_ALL,)))
    assert isinstance(made.made(keys=[QUARANTINE]), Nothing)


# -- the fingerprint -----------------------------------------------------------------------------------------------


def test_the_fingerprint_covers_everything_the_plan_rests_on_and_every_write() -> None:
    base = policy("base", "s3:*", "athena:*")
    other = policy("other", "s3:*")
    first = estate(base, other, used=USED).plan()
    assert first.fingerprint == estate(base, other, used=USED).plan().fingerprint
    changed = [
        estate(base, policy("other", "s3:Get*"), used=USED).plan(),
        estate(base, used=USED).plan(),
        estate(
            base, other, used=USED, change=lambda s: replace(s, boundary="arn:aws:iam::1:policy/b")
        ).plan(),
        estate(base, other, used=USED, change=lambda s: replace(s, attached=(DENY_ALL,))).plan(),
        estate(base, other, used=USED, of=entity(unique_id="AROAANOTHER")).plan(),
    ]
    prints = {first.fingerprint, *(p.fingerprint for p in changed)}
    assert len(prints) == len(changed) + 1


def test_order_is_put_before_delete_and_attach_before_detach() -> None:
    rds = policy("AmazonRDSFullAccess", "rds:*", "pi:*", kind=PolicyKind.AWS)
    made = estate(policy("a-gone", "athena:*"), policy("b", "s3:*", "dax:*"), rds, used=USED)
    assert [s.operation.value for s in made.plan().steps] == ["put_inline", "delete_inline", "detach"]
    assert catalogue().services()


def test_an_aws_policy_that_grants_exactly_what_stays_is_attached_instead() -> None:
    """Only one that is met before and neither more nor less; what is nearly so is left alone."""
    full = policy("AmazonRDSFullAccess", "rds:*", "pi:*", kind=PolicyKind.AWS)
    exact = policy("JustRDS", "rds:*", kind=PolicyKind.AWS)
    less = policy("RDSReadOnly", "rds:Describe*", kind=PolicyKind.AWS)
    more = policy("RDSAndMore", "rds:*", "sns:*", kind=PolicyKind.AWS)
    made = estate(full, used={"rds": ago(days=2)})
    for known, expected in (
        ([less, more, full], ["create_policy", "attach", "detach"]),
        ([less, more, exact], ["attach", "detach"]),
    ):
        plan = make(made.offer, {"r0"}, made.standing, made.report, catalogue(), 12, known)
        assert isinstance(plan, Plan)
        assert [s.operation.value for s in plan.steps] == expected
    assert plan.edits[0].treatment is Treatment.SWAP
    assert (plan.edits[0].instead, plan.services) == ("JustRDS", ("pi",))
    assert plan.steps[0].arn == exact.arn
    entries = [
        Entry(n, 12, 1, n, back=False, step=s, state=StepState.DONE) for n, s in enumerate(plan.steps, 1)
    ]
    back = way_back(plan, entries, catalogue())
    assert [(s.operation.value, s.name) for s in back] == [
        ("attach", "AmazonRDSFullAccess"),
        ("detach", "JustRDS"),
    ]


def test_what_stays_is_told_whole_also_what_was_offered_and_not_chosen() -> None:
    tools = shared(policy("DBTools", "sqs:*", kind=PolicyKind.CUSTOMER), 2)
    held = {tools.arn: ("role/DBAdminRole", "role/x", "role/y")}
    used = {**USED, "secretsmanager": ago(days=143)}
    made = estate(policy("base", "s3:*", "athena:*", "secretsmanager:*"), tools, used=used, holders=held)
    assert {(f.service, f.why) for f in made.plan().stays} == {
        ("s3", Why.USED),
        ("secretsmanager", Why.STALE),
        ("sqs", Why.SHARED),
    }


def test_a_policy_that_also_denies_is_not_detached_but_replaced_by_what_it_denies() -> None:
    """To detach it would take the Deny away, too: the entity could do more than before."""
    text = document(allow("athena:*"), deny("s3:DeleteBucket"))
    for kind in (PolicyKind.CUSTOMER, PolicyKind.AWS):
        owner = "aws" if kind is PolicyKind.AWS else "111111111111"
        one = Policy("Fence", kind, text, f"arn:aws:iam::{owner}:policy/Fence", "v1", attachments=2)
        plan = estate(policy("base", "s3:*"), one, used=USED).plan("athena")
        [edit] = plan.edits
        assert edit.treatment in {Treatment.COPY, Treatment.REPLACE}
        assert [s["Effect"] for s in json.loads(edit.after or "")["Statement"]] == ["Deny"]
        assert [s.operation for s in plan.steps] == [
            Operation.CREATE_POLICY,
            Operation.ATTACH,
            Operation.DETACH,
        ]
        assert plan.services == ("athena",)


def test_a_policy_that_grants_more_by_now_is_not_detached_whole() -> None:
    """The audit saw a policy of unused services only; since then somebody added one that is used."""
    one = shared(policy("Team", "athena:*", kind=PolicyKind.CUSTOMER), 2)

    def grown(standing: Standing) -> Standing:
        more = tuple(
            replace(m, versions=(Version("v2", document(allow("athena:*", "sqs:*")), default=True),))
            for m in standing.managed
        )
        return replace(standing, managed=more)

    plan = estate(policy("base", "s3:*"), one, used=USED, change=grown).plan("athena")
    [edit] = plan.edits
    assert edit.treatment is Treatment.COPY
    assert actions(edit.after) in ("sqs:*", ["sqs:*"])
    assert plan.services == ("athena",)


def test_a_plan_rests_on_the_text_of_the_narrower_policy_that_it_attaches() -> None:
    """AWS may have widened it since it was met: that is drift, never a grant that nobody approved."""
    full = policy("AmazonRDSFullAccess", "rds:*", "pi:*", kind=PolicyKind.AWS)
    exact = policy("JustRDS", "rds:*", kind=PolicyKind.AWS)
    made = estate(full, used={"rds": ago(days=2)})
    plan = make(made.offer, {"r0"}, made.standing, made.report, catalogue(), 12, [exact])
    assert isinstance(plan, Plan)
    basis = plan.basis
    assert {m.arn for m in basis.managed} == {full.arn, exact.arn}
    assert moved(basis, basis) == ()
    wide = tuple(
        replace(m, versions=(Version("v2", document(allow("rds:*", "sns:*")), default=True),))
        if m.arn == exact.arn
        else m
        for m in basis.managed
    )
    assert [m.name for m in moved(basis, replace(basis, managed=wide))] == ["JustRDS"]
    entries = [
        Entry(n, 12, 1, n, back=False, step=s, state=StepState.DONE) for n, s in enumerate(plan.steps, 1)
    ]
    entries += [
        Entry(9 + n, 12, 2, n, back=True, step=s, state=StepState.DONE)
        for n, s in enumerate(way_back(plan, entries, catalogue()), 1)
    ]
    assert whole(plan, entries)


def test_a_copy_of_a_policy_that_a_ticket_made_bears_each_tag_once() -> None:
    """IAM takes no key twice, and compares keys without regard to case."""
    tools = shared(policy("IAMAudit-x-t1", "sqs:*", "athena:*", kind=PolicyKind.CUSTOMER), 2)
    held = {tools.arn: ("role/DBAdminRole", "role/x", "role/y")}

    def tagged(standing: Standing) -> Standing:
        tags = (("team", "data"), ("IAM-Audit:ticket", "1"))
        return replace(standing, managed=tuple(replace(m, tags=tags) for m in standing.managed))

    made = estate(tools, used={"sqs": ago(days=1)}, holders=held, change=tagged)
    create = made.plan("IAMAudit-x-t1").steps[0]
    assert create.operation is Operation.CREATE_POLICY
    assert create.tags == (("team", "data"), ("iam-audit:ticket", "12"))


def test_what_is_put_has_room_beside_what_is_deleted_only_afterwards() -> None:
    """Puts come before deletes: AWS would refuse the put, or stop the change half way."""
    names = sorted(n for n in catalogue().actions("s3") if n.startswith(("Get", "Put")))
    tracked = {n: ago(days=3) if place % 2 else None for place, n in enumerate(names)}
    grows = policy("grows", "s3:Get*", "s3:Put*")
    goes = policy("goes", *(f"athena:{n}" for n in sorted(catalogue().actions("athena"))[:50]))
    who = entity(Kind.USER, "alice")
    made = estate(grows, goes, of=who, used=USED, actions={"s3": tracked})
    alone = estate(grows, of=who, used=USED, actions={"s3": tracked})
    grown = alone.made()
    biggest = size(grown.edits[0].after or "") if isinstance(grown, Plan) else 0
    room = INLINE_SIZE[Kind.USER]
    assert biggest <= room < biggest + size(goes.text)
    result = made.made()
    assert isinstance(result, Nothing)
    assert {x.why for x in result.left} == {Kept.SIZE}


def test_what_a_deny_stands_above_is_said_and_never_offered() -> None:
    base = inline("base", allow("s3:*", "sqs:*", "athena:*"), deny("sqs:*"))
    made = estate(base, used=USED)
    assert {c.services for c in made.offer.candidates} == {("athena",)}
    assert [f.service for f in made.offer.stays if f.why is Why.DENIED] == ["sqs"]
    assert json.loads(made.plan().edits[0].after or "")["Statement"] == [
        allow("s3:*", "sqs:*"),
        deny("sqs:*"),
    ]
