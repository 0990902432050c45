"""advisor.regroups over a real store: who is read, what counts as used, which account, and what comes back as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from advisor import regroups
from advisor.core.common import Common
from advisor.core.errors import Invalid
from advisor.core.model import Entity, Granularity, Kind, Policy, PolicyKind, Snapshot
from advisor.desk import Desk
from advisor.edges.store import Store
from tests.sandbox import world as story
from tests.scenarios.stage import Stage
from tests.worlds import NOW, ago, allow, document, entity, policy, report, service

LAST = ago(days=3)


def desk(stage: Stage) -> Desk:
    assert stage.bot
    return stage.bot.desk


def known(
    store: Store, name: str, kind: Kind = Kind.USER, account: str = story.PROD, path: str = "/"
) -> Entity:
    arn = f"arn:aws:iam::{account}:{kind}{path}{name}"
    return store.entities.see(
        entity(kind, name, account=account, arn=arn, unique_id=f"ID{kind}{name}{account}", path=path), NOW
    )


def read(
    store: Store,
    who: Entity,
    used: Iterable[str],
    *,
    stale: Iterable[str] = (),
    never: Iterable[str] = (),
    at: timedelta = timedelta(),
    policies: tuple[Policy, ...] = (),
    granularity: Granularity = Granularity.SERVICE,
    snapshot: bool = True,
) -> None:
    """A report as an audit stores it."""
    rows = [service(s, LAST + at) for s in used] + [service(s, ago(days=100) + at) for s in stale]
    made = report(*rows, *(service(s) for s in never), granularity=granularity, at=NOW + at, entity_id=who.id)
    kept = store.entities.save_snapshot(Snapshot(who, NOW + at, policies)) if snapshot else None
    store.reports.show(store.reports.save(made, kept))


def test_what_counts_as_used(stage: Stage) -> None:
    """The newest report of each that is there, within the window before that report; of this account alone."""
    store = stage.store
    anna = known(store, "anna")
    read(store, anna, ["s3", "old"])
    read(store, anna, ["s3", "ec2"], stale=["sqs"], never=["kms"], at=timedelta(days=1))
    read(store, known(store, "bela"), ["lambda"], granularity=Granularity.ACTION)
    known(store, "cem")
    gone = known(store, "dora")
    read(store, gone, ["s3"])
    store.entities.gone(gone.id, NOW)
    read(store, known(store, "anna", account=story.DEV), ["iam"])
    read(store, known(store, "readers", Kind.GROUP), ["s3"])
    read(store, known(store, "etl", Kind.ROLE), [], never=["s3"])
    read(
        store,
        known(store, "AWSServiceRoleForX", Kind.ROLE, path="/aws-service-role/x.amazonaws.com/"),
        ["s3"],
    )
    users, roles = regroups.gather(desk(stage), story.PROD)
    assert {u.name: set(u.services) for u in users.read} == {"anna": {"s3", "ec2"}, "bela": {"lambda"}}
    assert (users.unread, users.left_out) == (("cem",), 0)
    assert {u.name: set(u.services) for u in roles.read} == {"etl": set()}
    assert (roles.unread, roles.left_out) == ((), 1)


def test_an_unfinished_report_is_none(stage: Stage) -> None:
    """What was not shown yet is not read."""
    who = known(stage.store, "anna")
    stage.store.reports.save(report(service("s3", LAST), entity_id=who.id), None)
    users, _ = regroups.gather(desk(stage), story.PROD)
    assert (users.read, users.unread) == ((), ("anna",))


def team(store: Store, account: str = story.PROD) -> None:
    """Four who share three services, one of whom may do less than the others."""
    for n, name in enumerate(("anna", "bela", "cem", "dora")):
        own = ["kms"] if n == 0 else []
        may = ("s3:Get*", "ec2:*", "sqs:SendMessage") if n == 3 else ("s3:*", "ec2:*", "sqs:*", "kms:*")
        read(
            store,
            known(store, name, account=account),
            ["s3", "ec2", "sqs", *own],
            policies=(policy(f"p{n}", *may),),
        )
    known(store, "eve", account=account)
    for name in ("one", "two"):
        read(store, known(store, name, Kind.ROLE, account=account), ["s3", "lambda"], snapshot=False)


def test_the_answer_comes_back_out_of_its_json(stage: Stage) -> None:
    """Groups, policies and all, by their own types."""
    team(stage.store)
    text = regroups.regroup(desk(stage), {"account": "prod"})
    json.loads(text)
    found = regroups.read(text)
    assert (found.account, found.days, found.partial) == (story.PROD, 90, False)
    (group,) = found.users.grouping.groups
    assert (group.members, group.services) == (("anna", "bela", "cem", "dora"), ("ec2", "s3", "sqs"))
    assert {o.name: o.services for o in found.users.grouping.own}["anna"] == ("kms",)
    assert found.users.unread == ("eve",)
    assert (found.users.oldest_at, found.users.newest_at) == (NOW, NOW)
    (proposal,) = found.users.proposals
    every = {a for d in proposal.documents for s in json.loads(d)["Statement"] for a in s["Action"]}
    assert every == {"ec2:*", "s3:Get*", "sqs:SendMessage"}
    assert [m.members for m in proposal.missing] == [("anna", "bela", "cem")]
    (pair,) = found.roles.proposals  # their policies are not kept
    assert (pair.unread, pair.documents) == (("one", "two"), ())
    assert regroups.regroup(desk(stage), {"account": "prod"}) == text


@pytest.mark.parametrize(
    ("word", "account"), [("", story.PROD), ("prod", story.PROD), (story.DEV, story.DEV), ("dev", story.DEV)]
)
def test_which_account_is_meant(stage: Stage, word: str, account: str) -> None:
    """An alias, a number, or nothing for the bot's own."""
    stage.restart(accounts=f"prod={story.PROD},dev={story.DEV}")
    own = desk(stage).aws.identity().account
    team(stage.store, account)
    assert regroups.read(regroups.regroup(desk(stage), {"account": word} if word else {})).account == (
        account if word else own
    )


@pytest.mark.parametrize("word", ["all", "ALL", "nowhere"])
def test_an_account_that_is_none(stage: Stage, word: str) -> None:
    """Groups do not reach from one account into another."""
    with pytest.raises(Invalid):
        regroups.regroup(desk(stage), {"account": word})


def test_an_empty_account_is_an_answer(stage: Stage) -> None:
    """Nothing to group, and no failure."""
    found = regroups.read(regroups.regroup(desk(stage), {"account": "prod"}))
    assert found.users.grouping.people == found.roles.grouping.people == 0


def test_the_time_box_makes_it_partial(stage: Stage) -> None:
    """The clock is the desk's: where every look at it takes a second, twenty looks are all there are."""
    team(stage.store)
    ticks = iter(range(10_000))
    slow = replace(desk(stage), clock=lambda: NOW + timedelta(seconds=5 * next(ticks)))
    found = regroups.read(regroups.regroup(slow, {"account": "prod"}))
    assert found.partial
    assert found.users.grouping.people == 4


def test_policies_of_many_are_read_in_few_questions(stage: Stage) -> None:
    """More snapshots than one question asks for; one of them without a policy."""
    store, ids = stage.store, []
    with store.transaction():
        for n in range(520):
            who = known(store, f"u{n}")
            made = () if n == 7 else (Policy(f"p{n}", PolicyKind.INLINE, document(allow("s3:*"))),)
            ids.append(store.entities.save_snapshot(Snapshot(who, NOW, made)))
    found = store.usage.policies(ids)
    assert [len(found[i]) for i in ids] == [0 if n == 7 else 1 for n in range(520)]
    assert found[ids[519]] == (Policy("p519", PolicyKind.INLINE, document(allow("s3:*"))),)
    assert Common(desk(stage).catalogue).propose(["s3"], {"a": found[ids[0]], "b": found[ids[7]]}).empty == (
        "s3",
    )
