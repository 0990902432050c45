"""Regroup: the users, and apart the roles, of one account by what they used. Reads the store; asks AWS for no report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from advisor.core.alike import merges
from advisor.core.common import Common
from advisor.core.errors import Invalid
from advisor.core.estate import ALL
from advisor.core.model import Kind, Policy
from advisor.core.regroup import regroup as grouped
from advisor.core.regrouped import Regrouped, Side
from advisor.desk import Desk
from advisor.edges.store.usage import Used, dump_regrouped, regrouped_of

SECONDS = 20
"""How long the search may take; 3,500 users and 1,600 services take two."""

_AWS_OWN = ("/aws-service-role/", "/aws-reserved/")
"""Paths of roles that nobody but AWS changes (IAM User Guide, service-linked roles; IAM Identity Center User Guide)."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Who used what, as the newest reports tell. Nothing is known of those who are `unread`."""

    kind: Kind
    read: tuple[Used, ...]
    unread: tuple[str, ...] = ()
    left_out: int = 0


def regroup(desk: Desk, words: dict[str, str]) -> str:
    """Answer `/iam-audit regroup [account=…]`: a `Regrouped` as JSON, for `read`. Raises AwsError."""
    account = _account(desk, words.get("account", ""))
    end = desk.clock() + timedelta(seconds=SECONDS)
    common = Common(desk.catalogue)
    users, roles = (
        _side(desk, matrix, common, lambda: desk.clock() < end) for matrix in gather(desk, account)
    )
    partial = users.grouping.partial or roles.grouping.partial
    days = desk.config.iam_audit_window_days
    return dump_regrouped(Regrouped(account, days, desk.clock(), users, roles, partial))


def read(result: str) -> Regrouped:
    """What `regroup` answered."""
    return regrouped_of(result)


def gather(desk: Desk, account_id: str) -> tuple[Matrix, Matrix]:
    """Users and roles of an account, each with the services used within the window before its newest report."""
    every = desk.store.usage.of(account_id, desk.config.iam_audit_window_days)
    return _matrix(Kind.USER, every), _matrix(Kind.ROLE, every)


def _matrix(kind: Kind, every: Sequence[Used]) -> Matrix:
    mine = [u for u in every if u.kind is kind]
    ours = [u for u in mine if not u.path.startswith(_AWS_OWN)]
    return Matrix(
        kind,
        read=tuple(u for u in ours if u.read_at),
        unread=tuple(u.name for u in ours if not u.read_at),
        left_out=len(mine) - len(ours),
    )


def _account(desk: Desk, word: str) -> str:
    if word.casefold() == ALL:
        raise Invalid(
            "account", "regroup looks at one account at a time: groups do not reach further", account=word
        )
    if word:
        return desk.aws.account(word).id
    return desk.aws.identity().account


def _side(desk: Desk, matrix: Matrix, common: Common, go_on: Callable[[], bool]) -> Side:
    found = grouped({u.name: u.services for u in matrix.read}, go_on)
    held = _held(desk, [u for u in matrix.read if u.name in found.grouped])
    times = [u.read_at for u in matrix.read if u.read_at]
    return Side(
        matrix.kind,
        found,
        proposals=tuple(common.propose(g.services, {m: held[m] for m in g.members}) for g in found.groups),
        merges=merges(found),
        unread=matrix.unread,
        left_out=matrix.left_out,
        oldest_at=min(times, default=None),
        newest_at=max(times, default=None),
    )


def _held(desk: Desk, people: Sequence[Used]) -> dict[str, tuple[Policy, ...] | None]:
    """The policies that each had when its report was made; None where that is not kept."""
    policies = desk.store.usage.policies([u.snapshot_id for u in people if u.snapshot_id])
    return {u.name: policies[u.snapshot_id] if u.snapshot_id else None for u in people}
