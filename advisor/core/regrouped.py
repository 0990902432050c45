"""The whole answer to "who could be grouped": what a card, a picture and files are drawn from. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from advisor.core.alike import Merge
from advisor.core.common import Proposal
from advisor.core.model import Kind
from advisor.core.regroup import Grouping


@dataclass(frozen=True, slots=True)
class Side:
    """Users, or roles. `proposals` stand beside the groups; `unread` have no report, so nothing is known of them.

    `left_out` counts roles that AWS owns (service-linked ones, those of Identity Center): nobody can regroup them.
    """

    kind: Kind
    grouping: Grouping
    proposals: tuple[Proposal, ...] = ()
    merges: tuple[Merge, ...] = ()
    unread: tuple[str, ...] = ()
    left_out: int = 0
    oldest_at: datetime | None = None
    newest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Regrouped:
    """One account, as its newest reports tell, by use within `days` before each report."""

    account: str
    days: int
    made_at: datetime
    users: Side
    roles: Side
    partial: bool = False  # the time ended before the search did
