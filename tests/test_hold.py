"""advisor.core.hold and back: a hold denies what the plan takes and nothing else, fits, gets narrower, and is lifted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core.back import given_in_all, narrowed, rest, way_back
from advisor.core.evaluate import Allowing, between
from advisor.core.hold import (
    GRANTING,
    HOLD,
    INLINE,
    MANAGED,
    also_stops,
    fits,
    held_since,
    held_until,
    lay,
    lift,
    standing_hold,
    still_denied,
    text,
    ticket_of,
)
from advisor.core.model import Kind
from advisor.core.policy import matches
from advisor.core.removal import (
    ATTACHMENTS,
    INLINE_SIZE,
    TOGETHER,
    Entry,
    Operation,
    Plan,
    Standing,
    StepState,
)
from advisor.core.replay import documents
from advisor.core.rewrite import size
from advisor.core.standing import fingerprint, remaining
from tests import plans
from tests.removals import catalogue
from tests.worlds import NOW, SmallCatalogue, allow, document, entity

PLANS = {
    "dba": plans.dba(),
    "everything": plans.everything(),
    "narrowed": plans.narrowed(),
    "excepted": plans.excepted(),
}
SMALL = SmallCatalogue(
    {"ec2": ("DescribeInstances", "DescribeImages", "GetConsole", "GetImage", "CreateTags", "RunInstances")}
)


def held(plan: Plan, days: int = 7) -> Plan:
    """The plan with its hold."""
    hold = lay(plan, plan.basis, 12, days)
    assert hold
    return replace(plan, hold=hold)


def journal(plan: Plan, steps: object = None, run: int = 1, *, back: bool = False) -> tuple[Entry, ...]:
    """Writes that were read back."""
    done = plan.hold.lay if steps is None and plan.hold else steps
    assert isinstance(done, tuple)
    return tuple(
        Entry(run * 10 + n, 12, run, n, back, s, StepState.DONE, NOW, NOW, made=f"v{n + 1}" if "version" in s.operation else "")
        for n, s in enumerate(done, 1)
    )  # fmt: skip


def denied(document_: str, action: str) -> bool:
    (statement,) = json.loads(document_)["Statement"]
    return any(
        p.partition(":")[0] == action.partition(":")[0]
        and matches(p.partition(":")[2], action.partition(":")[2])
        for p in statement["Action"]
    )


@pytest.mark.parametrize("name", PLANS)
def test_it_denies_what_goes_and_nothing_that_stays(name: str) -> None:
    """Every action of every service that is touched, by the documents before and after."""
    plan = held(PLANS[name])
    assert plan.hold
    document_ = plan.hold.lay[0].after or ""
    before, after = (Allowing(texts) for texts in documents(plan.basis, plan))
    services = {*plan.services, *(a.partition(":")[0] for a in plan.actions)}
    names = catalogue() if name != "narrowed" else SMALL
    actions = [f"{s}:{a}" for s in services for a in names.actions(s)]
    assert actions
    for action in actions:
        assert denied(document_, action) is (not after.contexts(action) and bool(before.contexts(action))), (
            action
        )


def test_single_actions_are_written_by_name() -> None:
    """A wildcard could catch an action that nobody has listed yet."""
    hold = held(PLANS["narrowed"]).hold
    assert hold and hold.denied == ("ec2:RunInstances",)


def test_an_approval_of_a_hold_is_for_its_days_too() -> None:
    plan = PLANS["dba"]
    one, other = held(plan, 7), held(plan, 8)
    prints = {fingerprint(plan.basis, plan.steps, h) for h in (None, one.hold, other.hold)}
    assert len(prints) == 3


@pytest.mark.parametrize(
    ("name", "ticket"),
    [(f"{INLINE}7", 7), (f"{MANAGED}12", 12), (f"{INLINE}", None), (f"{INLINE}7x", None), (f"x{INLINE}7", None), (f"{INLINE}{'9' * 30}", None), (f"{INLINE}７", None)],
)  # fmt: skip
def test_a_hold_is_known_by_its_name(name: str, ticket: int | None) -> None:
    assert ticket_of(name) == ticket


def test_where_an_inline_one_has_no_room_it_is_managed_and_where_that_has_none_there_is_none() -> None:
    user = entity(Kind.USER, "ann")
    full = document(allow("sqs:*", "s3:*", *(f"s3:Get{'x' * 40}{n:02}" for n in range(38))))
    assert INLINE_SIZE[Kind.USER] - 120 < size(full) <= INLINE_SIZE[Kind.USER]
    standing = Standing(user, (("own", full),))
    plan = plans.planned(["sqs"], standing)
    hold = lay(plan, standing, 12, 7)
    assert hold
    assert [s.operation for s in hold.lay] == [Operation.CREATE_POLICY, Operation.ATTACH]
    assert hold.arn.endswith(f":policy/{MANAGED}12")
    crowded = replace(standing, attached=tuple(f"arn:aws:iam::aws:policy/P{n}" for n in range(ATTACHMENTS)))
    assert lay(plan, crowded, 12, 7) is None
    assert not fits(["sqs:*"], Kind.USER, [full], ATTACHMENTS)
    assert fits(["sqs:*"], Kind.USER, [full], ATTACHMENTS - 1)


def test_it_leaves_room_for_what_the_plan_attaches() -> None:
    """A copy is attached before the shared policy goes: a managed hold and the copy need two places."""
    plan = plans.everything()
    more = tuple(f"arn:aws:iam::aws:policy/P{n}" for n in range(ATTACHMENTS - len(plan.basis.attached) - 2))
    fill = document(allow(*(f"s3:Get{'x' * 202}{n:03}" for n in range(46))))
    tight = replace(
        plan.basis, inline=(*plan.basis.inline, ("fill", fill)), attached=(*plan.basis.attached, *more)
    )
    assert INLINE_SIZE[Kind.ROLE] - 100 < sum(size(t) for _, t in tight.inline)
    assert lay(plan, tight, 12, 7) is None
    assert lay(plan, replace(tight, attached=tight.attached[:-1]), 12, 7) is not None


def test_a_policy_has_no_place_for_one() -> None:
    assert lay(plans.of_policy(), plans.of_policy().basis, 12, 7) is None
    assert not fits(["sqs:*"], Kind.POLICY, [], 0)


def test_a_quarantine_is_its_own_hold() -> None:
    plan = held(plans.denied())
    assert plan.hold and plan.hold.lay == plan.steps
    entries = journal(plan)
    assert standing_hold(plan, remaining(plan, entries)) == ""
    assert rest(plan, entries, (), catalogue()) == ()
    assert [s.operation for s in way_back(plan, entries, catalogue())] == [Operation.DETACH]


@pytest.mark.parametrize("name", PLANS)
def test_both_stages_end_where_the_plan_alone_ends(name: str) -> None:
    """And the hold, which is lifted last, is gone."""
    plan = held(PLANS[name])
    entries = journal(plan)
    steps = rest(plan, entries, (), catalogue())
    assert steps[: len(plan.steps)] == plan.steps
    done = (*entries, *journal(plan, steps, 2))
    assert remaining(plan, done) == remaining(replace(plan, hold=None), journal(plan, plan.steps, 2))
    assert lift(plan, remaining(plan, done)) == ()


@pytest.mark.parametrize("name", PLANS)
def test_it_is_lifted_by_one_write(name: str) -> None:
    plan = held(PLANS[name])
    steps = way_back(plan, journal(plan), catalogue())
    assert [s.operation for s in steps] == [Operation.DELETE]
    assert remaining(plan, (*journal(plan), *journal(plan, steps, 2, back=True))) == plan.basis


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_given_back_is_neither_denied_nor_taken(data: st.DataObject) -> None:
    """Documents lie between the saved and the approved ones; policies that go only whole stay whole."""
    plan = held(PLANS[data.draw(st.sampled_from(["dba", "everything", "excepted"]))])
    keys = [*plan.services, *plan.actions, *(e.policy for e in plan.edits if e.treatment in TOGETHER)]
    back = data.draw(st.lists(st.sampled_from(keys), min_size=1, unique=True))
    entries = journal(plan)
    steps = way_back(plan, entries, catalogue(), back)
    now = remaining(plan, (*entries, *journal(plan, steps, 2, back=True)))
    left = still_denied(plan, back)
    assert standing_hold(plan, now) == (text(left) if left else None)
    less = narrowed(plan, back, catalogue())
    assert set(less.services) <= set(plan.services) - set(back)
    full = {e.policy: e for e in plan.edits}
    for edit in less.edits:
        if edit.treatment in TOGETHER:
            assert not set(edit.out) & set(back)
            assert edit == full[edit.policy]
        else:
            assert between(full[edit.policy].after, edit.after, edit.before, catalogue()) == ()
    for edit in plan.edits:
        whole = edit.treatment in TOGETHER and (edit.policy in back or set(edit.out) & set(back))
        assert not (whole and edit.policy in {e.policy for e in less.edits})
        assert not whole or edit.policy in given_in_all(plan, back)


def test_a_managed_hold_gets_narrower_and_goes_with_all_its_versions() -> None:
    user = entity(Kind.USER, "ann")
    full = document(allow("sqs:*", "sns:*", *(f"s3:Get{'x' * 40}{n:02}" for n in range(38))))
    plan = held(plans.planned(["sqs", "sns"], Standing(user, (("own", full),))))
    assert plan.hold and plan.hold.arn
    entries = journal(plan)
    steps = way_back(plan, entries, catalogue(), ["sqs"])
    assert [s.operation for s in steps] == [Operation.CREATE_VERSION, Operation.DELETE_VERSION]
    entries += tuple(replace(e, made="v2") for e in journal(plan, steps, 2, back=True))
    assert standing_hold(plan, remaining(plan, entries)) == text(["sns:*"])
    steps = way_back(plan, entries, catalogue())
    assert [s.operation for s in steps] == [Operation.DETACH, Operation.DELETE_POLICY]
    assert remaining(plan, (*entries, *journal(plan, steps, 3, back=True))).inline == plan.basis.inline


def test_its_days_begin_when_it_was_read_back() -> None:
    plan = held(PLANS["dba"])
    assert held_since(plan, ()) is None
    assert held_until(plan, journal(plan)) == NOW + timedelta(days=7)
    begun = tuple(replace(e, state=StepState.BEGUN) for e in journal(plan))
    assert held_until(plan, begun) is None


def test_what_resources_may_grant_by_themselves_is_named() -> None:
    assert also_stops(["s3:*", "kms:Decrypt", "rds:*"]) == ("kms", "s3")
    known = catalogue().services()
    assert known >= GRANTING - {"ssm-contacts", "ssm-incidents", "s3-outposts"}, GRANTING - known
    assert HOLD == "hold"
