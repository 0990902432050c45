"""Matrices with and without groups, and whole answers made of them: for the tests and the benchmark of regroup."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from advisor.core.alike import merges
from advisor.core.common import Common
from advisor.core.model import Kind, Policy
from advisor.core.regroup import regroup
from advisor.core.regrouped import Regrouped, Side
from tests.worlds import ACCOUNT, NOW, SmallCatalogue, ago, policy

Used = dict[str, frozenset[str]]


def planted(
    people: int, services: int, groups: int, size: int, *, own: int = 0, common: int = 0, seed: int = 1
) -> tuple[Used, list[frozenset[str]]]:
    """People who are in one or two of some groups, with up to `own` services beside; and the groups' services.

    `common` services are used by everyone.
    """
    odd = random.Random(seed)  # noqa: S311  # made-up people, the same every time
    names = [f"service-{n:04}" for n in range(services)]
    base = frozenset(names[:common])
    cores = [base | frozenset(odd.sample(names[common:], size)) for _ in range(groups)]
    used = {}
    for n in range(people):
        mine = base.union(*odd.sample(cores, odd.choice((1, 1, 2))))
        used[f"person-{n:04}"] = mine | frozenset(odd.sample(names, odd.randint(0, own)))
    return used, cores


def chance(people: int, services: int, share: float, seed: int = 1) -> Used:
    """Everybody uses each service with the same chance: there is no group."""
    odd = random.Random(seed)  # noqa: S311  # made-up people, the same every time
    names = [f"service-{n:04}" for n in range(services)]
    return {f"person-{n:04}": frozenset(s for s in names if odd.random() < share) for n in range(people)}


def side(
    kind: Kind,
    used: Mapping[str, frozenset[str]],
    held: Mapping[str, Sequence[Policy] | None] | None = None,
    unread: tuple[str, ...] = (),
    left_out: int = 0,
) -> Side:
    """Users or roles as the flow makes them; without `held` everyone may do everything in what they used."""
    found = regroup(used)
    has = held or {
        name: (policy("all", *(f"{s}:*" for s in sorted(services))),) for name, services in used.items()
    }
    common = Common(
        SmallCatalogue({s: ("GetThing", "PutThing") for services in used.values() for s in services})
    )
    return Side(
        kind,
        found,
        tuple(common.propose(g.services, {m: has[m] for m in g.members}) for g in found.groups),
        merges(found),
        unread,
        left_out,
        ago(days=2) if used else None,
        ago(days=1) if used else None,
    )


def regrouped(users: Side, roles: Side | None = None) -> Regrouped:
    """A whole answer."""
    return Regrouped(ACCOUNT, 90, NOW, users, roles or side(Kind.ROLE, {}))
