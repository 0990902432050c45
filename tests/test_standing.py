"""advisor.core.standing: what a write makes of what stands, what moved, and a way back that is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core.back import restorable, way_back, whole
from advisor.core.model import Kind, PolicyKind
from advisor.core.offer import QUARANTINE
from advisor.core.removal import (
    Entry,
    Managed,
    Moved,
    Operation,
    Plan,
    Standing,
    Step,
    StepState,
    Version,
)
from advisor.core.standing import Found, after, found, moved, remaining
from tests import brute
from tests.removals import Estate, catalogue, estate, shared
from tests.worlds import ago, allow, document, entity, policy

USED = {"s3": ago(days=3)}
OWN = "arn:aws:iam::111111111111:policy/Own"


def journal(plan: Plan, steps: Sequence[Step], run: int = 1, *, back: bool = False) -> list[Entry]:
    """These steps as the journal has them once all are read back; versions get AWS's next numbers."""
    entries = []
    for place, step in enumerate(steps, 1):
        made = f"v{100 * run + place}" if step.operation is Operation.CREATE_VERSION else ""
        entries.append(Entry(place, 12, run, place, back, step, StepState.DONE, made=made))
    return entries


def carried_out(standing: Standing, entries: Sequence[Entry]) -> Standing:
    for entry in entries:
        standing = after(standing, entry.step, entry.made)
    return standing


def own(*versions: Version) -> Managed:
    return Managed(OWN, "Own", versions, holders=("role/DBAdminRole",))


FOUND = [
    ("put, not there yet", Step(Operation.PUT, "a", before="1", after="2"), Standing(entity(), inline=(("a", "1"),)), Found.BEFORE),
    ("put, there", Step(Operation.PUT, "a", before="1", after="2"), Standing(entity(), inline=(("a", "2"),)), Found.AFTER),
    ("put, edited", Step(Operation.PUT, "a", before="1", after="2"), Standing(entity(), inline=(("a", "3"),)), Found.OTHER),
    ("put, gone", Step(Operation.PUT, "a", before="1", after="2"), Standing(entity()), Found.OTHER),
    ("put of what was not there", Step(Operation.PUT, "a", after="2"), Standing(entity()), Found.BEFORE),
    ("delete, there", Step(Operation.DELETE, "a", before="1"), Standing(entity(), inline=(("a", "1"),)), Found.BEFORE),
    ("delete, gone", Step(Operation.DELETE, "a", before="1"), Standing(entity()), Found.AFTER),
    ("delete, edited", Step(Operation.DELETE, "a", before="1"), Standing(entity(), inline=(("a", "9"),)), Found.OTHER),
    ("attach", Step(Operation.ATTACH, "P", "arn"), Standing(entity()), Found.BEFORE),
    ("attached", Step(Operation.ATTACH, "P", "arn"), Standing(entity(), attached=("arn",)), Found.AFTER),
    ("detach", Step(Operation.DETACH, "P", "arn"), Standing(entity(), attached=("arn",)), Found.BEFORE),
    ("detached", Step(Operation.DETACH, "P", "arn"), Standing(entity()), Found.AFTER),
    ("new version", Step(Operation.CREATE_VERSION, "Own", OWN, "1", "2", "v1"), Standing(entity(), managed=(own(Version("v1", "1", True)),)), Found.BEFORE),
    ("new version there", Step(Operation.CREATE_VERSION, "Own", OWN, "1", "2", "v1"), Standing(entity(), managed=(own(Version("v1", "1"), Version("v7", "2", True)),)), Found.AFTER),
    ("same text in an older version is not ours", Step(Operation.CREATE_VERSION, "Own", OWN, "1", "2", "v1"), Standing(entity(), managed=(own(Version("v0", "2"), Version("v1", "1", True)),)), Found.BEFORE),
    ("somebody else's default", Step(Operation.CREATE_VERSION, "Own", OWN, "1", "2", "v1"), Standing(entity(), managed=(own(Version("v1", "1"), Version("v9", "x", True)),)), Found.OTHER),
    ("version gone", Step(Operation.DELETE_VERSION, "Own", OWN, "0", None, "v0"), Standing(entity(), managed=(own(Version("v1", "1", True)),)), Found.AFTER),
    ("version made default", Step(Operation.DELETE_VERSION, "Own", OWN, "0", None, "v0"), Standing(entity(), managed=(own(Version("v0", "0", True)),)), Found.OTHER),
    ("policy made", Step(Operation.CREATE_POLICY, "New", OWN, after="2"), Standing(entity(), managed=(own(Version("v1", "2", True)),)), Found.AFTER),
    ("policy of another text", Step(Operation.CREATE_POLICY, "New", OWN, after="2"), Standing(entity(), managed=(own(Version("v1", "x", True)),)), Found.OTHER),
    ("policy not there", Step(Operation.CREATE_POLICY, "New", OWN, after="2"), Standing(entity()), Found.BEFORE),
]  # fmt: skip


@pytest.mark.parametrize(("step", "live", "expected"), [f[1:] for f in FOUND], ids=[f[0] for f in FOUND])
def test_a_write_is_judged_by_looking(step: Step, live: Standing, expected: Found) -> None:
    assert found(live, step, {"v0", "v1"})[0] is expected


def test_the_version_that_a_write_made_is_found_by_its_text_among_new_ones() -> None:
    step = Step(Operation.CREATE_VERSION, "Own", OWN, "1", "2", "v1")
    live = Standing(entity(), managed=(own(Version("v1", "1"), Version("v8", "2", True)),))
    assert found(live, step, {"v1"}) == (Found.AFTER, "v8")


BASE = estate(
    policy("base", "s3:*", "athena:*"),
    policy("Own", "s3:*", "sqs:*", kind=PolicyKind.CUSTOMER, attachments=1),
    used=USED,
)
PLAN = BASE.plan()

MOVED = [
    ("nothing", lambda s: s, ()),
    ("recreated", lambda s: replace(s, entity=entity(unique_id="AROANEW")), (Moved("recreated", "DBAdminRole"),)),
    ("edited", lambda s: replace(s, inline=(("base", "x"),)), (Moved("inline", "base", "edited"),)),
    ("deleted", lambda s: replace(s, inline=()), (Moved("inline", "base", "gone"),)),
    ("one more", lambda s: replace(s, inline=(*s.inline, ("z", "x"))), (Moved("inline", "z", "new"),)),
    ("attached", lambda s: replace(s, attached=(*s.attached, "arn:aws:iam::aws:policy/X")), (Moved("attached", "X", "attached"),)),
    ("detached", lambda s: replace(s, attached=()), (Moved("attached", "Own", "detached"),)),
    ("boundary", lambda s: replace(s, boundary="arn:aws:iam::1:policy/B"), (Moved("boundary", "B"),)),
    ("one more holder", lambda s: replace(s, managed=(replace(s.managed[0], holders=("role/DBAdminRole", "role/x")),)), (Moved("holders", "Own", "role/x"),)),
    ("another default", lambda s: replace(s, managed=(replace(s.managed[0], versions=(Version("v1", s.managed[0].default.text), Version("v2", "x", True))),)), (Moved("version", "Own", "v1 is not the default, v2 is"),)),
    ("a boundary for somebody", lambda s: replace(s, managed=(replace(s.managed[0], boundary_of=1),)), (Moved("boundary", "Own"),)),
    ("gone", lambda s: replace(s, managed=()), (Moved("version", "Own", "gone"),)),
    ("tags do not matter", lambda s: replace(s, tags=(("a", "b"),)), ()),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), [m[1:] for m in MOVED], ids=[m[0] for m in MOVED])
def test_what_moved_is_named(change, expected) -> None:  # type: ignore[no-untyped-def]
    assert moved(PLAN.basis, change(PLAN.basis)) == expected


def test_groups_moved() -> None:
    of = entity(Kind.USER, "alice")
    plan = estate(
        policy("base", "s3:*", "athena:*"), policy("g", "sns:*", group="team"), of=of, used=USED
    ).plan()
    assert moved(plan.basis, replace(plan.basis, groups=("ops", "team"))) == (
        Moved("groups", "ops, team", "team"),
    )


# -- the way back --------------------------------------------------------------------------------------------------


def rounds() -> list[tuple[str, Estate, list[str] | None]]:
    tools = shared(policy("DBTools", "athena:*", "sqs:*", kind=PolicyKind.CUSTOMER), 2)
    rds = policy("AmazonRDSFullAccess", "rds:*", "pi:*", kind=PolicyKind.AWS)
    one = policy("Own", "s3:*", "dax:*", kind=PolicyKind.CUSTOMER, attachments=1)
    five = tuple(
        Version(f"v{n}", one.text if n == 5 else document(allow(f"sns:{n}")), n == 5) for n in range(1, 6)
    )
    held = {tools.arn: ("role/DBAdminRole", "role/x", "role/y")}
    base = policy("base", "s3:*", "athena:*")
    used = {**USED, "sqs": ago(days=1)}
    return [
        ("edit", estate(base, used=USED), None),
        ("delete", estate(policy("mine", "athena:*"), policy("keep", "s3:*"), used=USED), None),
        ("version", estate(one, used=USED), None),
        ("version with pruning", estate(one, used=USED, versions={one.arn: five}), None),
        ("detach", estate(base, rds, used=USED), None),
        ("copy", estate(base, tools, used=used, holders=held), ["DBTools"]),
        ("replace", estate(base, rds, used={**USED, "rds": ago(days=2)}), ["AmazonRDSFullAccess"]),
        ("quarantine", estate(policy("base", "s3:*"), used={"s3": ago(days=200)}), [QUARANTINE]),
        ("all of it", estate(base, policy("mine", "dms:*"), tools, rds, one, used=used, holders=held, versions={one.arn: five}), ["DBTools"]),
    ]  # fmt: skip


ROUNDS = rounds()


def planned(made: Estate, also: list[str] | None) -> Plan:
    return made.plan(keys=[QUARANTINE]) if also == [QUARANTINE] else made.plan(*(also or ()))


@pytest.mark.parametrize(("made", "also"), [r[1:] for r in ROUNDS], ids=[r[0] for r in ROUNDS])
def test_the_way_back_leads_back_to_the_letter(made: Estate, also: list[str] | None) -> None:
    plan = planned(made, also)
    entries = journal(plan, plan.steps)
    back = way_back(plan, entries, catalogue())
    entries += journal(plan, back, 2, back=True)
    now = carried_out(plan.basis, entries)
    assert now.inline == plan.basis.inline
    assert now.attached == plan.basis.attached
    for was in plan.basis.managed:
        is_ = now.policy(was.arn)
        assert is_
        assert is_.default == was.default
        assert sorted(v.text for v in is_.versions) == sorted(v.text for v in was.versions)
    assert {m.arn for m in now.managed} == {m.arn for m in plan.basis.managed}
    assert whole(plan, entries)
    assert way_back(plan, entries, catalogue()) == ()


@pytest.mark.parametrize(("made", "also"), [r[1:] for r in ROUNDS], ids=[r[0] for r in ROUNDS])
def test_at_no_step_of_the_change_is_anything_gained(made: Estate, also: list[str] | None) -> None:
    plan = planned(made, also)
    before = allowed(texts(plan.basis, made))
    now = made.standing
    for entry in journal(plan, plan.steps):
        now = after(now, entry.step, entry.made)
        assert allowed(texts(now, made)) <= before


def allowed(documents: Sequence[str]) -> set[str]:
    """Every action that these documents allow, by an evaluator that shares no code with the product."""
    return {a for text in documents for names in brute.allowed(text).values() for a in names}


def texts(now: Standing, made: Estate) -> list[str]:
    """Every document that grants something to the entity."""
    full = {m.arn: m for m in made.standing.managed} | {m.arn: m for m in now.managed}
    return [t for _, t in now.inline] + [full[a].default.text for a in now.attached if a in full]


@pytest.mark.parametrize(("made", "also"), [r[1:] for r in ROUNDS], ids=[r[0] for r in ROUNDS])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_way_back_starts_from_wherever_the_change_stopped(
    made: Estate, also: list[str] | None, data: st.DataObject
) -> None:
    plan = planned(made, also)
    done = data.draw(st.integers(0, len(plan.steps)))
    entries = journal(plan, plan.steps[:done])
    entries += journal(plan, way_back(plan, entries, catalogue()), 2, back=True)
    now = carried_out(plan.basis, entries)
    assert (now.inline, now.attached) == (plan.basis.inline, plan.basis.attached)
    for was in plan.basis.managed:
        is_ = now.policy(was.arn)
        assert is_
        assert sorted(v.text for v in is_.versions) == sorted(v.text for v in was.versions)
    assert whole(plan, entries)


def test_chosen_services_come_back_and_the_rest_stays_removed() -> None:
    plan = estate(policy("base", "s3:*", "athena:*", "dax:*"), used=USED).plan()
    entries = journal(plan, plan.steps)
    assert restorable(plan.edits[0]) == {"athena", "dax"}
    steps = way_back(plan, entries, catalogue(), ["athena"])
    entries += journal(plan, steps, 2, back=True)
    now = carried_out(plan.basis, entries)
    assert allowed([t for _, t in now.inline]) == allowed([document(allow("s3:*", "athena:*"))])
    assert not whole(plan, entries)
    entries += journal(plan, way_back(plan, entries, catalogue()), 3, back=True)
    assert whole(plan, entries)


def test_a_chosen_service_of_a_managed_policy_comes_back_as_a_version_and_ours_goes() -> None:
    one = policy("Own", "s3:*", "dax:*", "dms:*", kind=PolicyKind.CUSTOMER, attachments=1)
    plan = estate(one, used=USED).plan()
    entries = journal(plan, plan.steps)
    steps = way_back(plan, entries, catalogue(), ["dax"])
    assert [s.operation for s in steps] == [Operation.CREATE_VERSION, Operation.DELETE_VERSION]
    entries += journal(plan, steps, 2, back=True)
    entries += journal(plan, way_back(plan, entries, catalogue()), 3, back=True)
    policy_now = remaining(plan, entries).policy(one.arn)
    assert policy_now
    assert [(v.id, v.default) for v in policy_now.versions] == [("v1", True)]


def test_what_goes_back_only_whole_is_chosen_by_its_policy() -> None:
    rds = policy("AmazonRDSFullAccess", "rds:*", "pi:*", kind=PolicyKind.AWS)
    plan = estate(policy("base", "s3:*", "athena:*"), rds, used=USED).plan()
    entries = journal(plan, plan.steps)
    steps = way_back(plan, entries, catalogue(), ["AmazonRDSFullAccess"])
    assert [(s.operation, s.name) for s in steps] == [(Operation.ATTACH, "AmazonRDSFullAccess")]


def deleted_defaults(plan: Plan, entries: Sequence[Entry]) -> list[str]:
    """Versions that the journal deletes while they are in force: AWS refuses that."""
    now, found_ = plan.basis, []
    for entry in entries:
        step = entry.step
        held = now.policy(step.arn) if step.operation is Operation.DELETE_VERSION else None
        if held and held.default.id == step.version:
            found_.append(step.version)
        now = after(now, step, entry.made)
    return found_


def test_a_second_choice_leaves_the_version_alone_that_the_first_one_made() -> None:
    """What came back of one policy stands; giving back something else does not take its version in force away."""
    one = policy("Own", "s3:*", "dax:*", "dms:*", kind=PolicyKind.CUSTOMER, attachments=1)
    plan = estate(policy("base", "s3:*", "athena:*"), one, used=USED).plan()
    entries = journal(plan, plan.steps)
    entries += journal(plan, way_back(plan, entries, catalogue(), ["dax"]), 2, back=True)
    second = way_back(plan, entries, catalogue(), ["dax", "athena"])
    assert [(s.operation, s.name) for s in second] == [(Operation.PUT, "base")]
    entries += journal(plan, second, 3, back=True)
    assert way_back(plan, entries, catalogue(), ["dax", "athena"]) == ()
    entries += journal(plan, way_back(plan, entries, catalogue()), 4, back=True)
    assert whole(plan, entries)
    assert not deleted_defaults(plan, entries)


def test_everything_comes_back_though_a_choice_has_pruned_the_first_version() -> None:
    one = policy("Own", "s3:*", "dax:*", "dms:*", kind=PolicyKind.CUSTOMER, attachments=1)
    five = tuple(
        Version(f"v{n}", one.text if n == 1 else document(allow(f"s3:Get{n}")), default=n == 1)
        for n in range(1, 6)
    )
    plan = estate(one, used=USED, versions={one.arn: five}).plan()
    entries = journal(plan, plan.steps)
    for run, chosen in enumerate((["dax"], ["dax", "dms"], ()), 2):
        entries += journal(plan, way_back(plan, entries, catalogue(), chosen), run, back=True)
    assert whole(plan, entries)
    assert not deleted_defaults(plan, entries)
    now = remaining(plan, entries).policy(one.arn)
    assert now
    assert sorted(v.text for v in now.versions) == sorted(v.text for v in five)
