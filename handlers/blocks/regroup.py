"""The card of `/iam-audit regroup`: who could be grouped, what stays own, what is not known. Pure: values to Block Kit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from advisor.core.common import Proposal
from advisor.core.model import Account, Kind
from advisor.core.regroup import Group
from advisor.core.regrouped import Regrouped, Side
from handlers.blocks import kit, words
from handlers.blocks.kit import Message, Part

_GROUPS = 3
"""Groups that are shown, those of one kind alone; beside another kind's one fewer. The files have all."""

_NAME = 24
_NAMES, _SERVICES = 64, 40
"""Characters that the names of a group's members, and of its services, fill about at most."""

_LIMITS = (
    "Advice only: nothing is written. By service, {days}-day window: those who used the same one may have used other "
    "actions of it. Nobody would get a service that they did not use."
)


@dataclass(frozen=True, slots=True)
class RegroupView:
    """What the card is drawn from. `user` is the checked id of whoever asked."""

    found: Regrouped
    account: Account
    user: str

    @property
    def where(self) -> str:
        """in prod (111111111111)"""
        return f"in {words.account_name(self.account)}"


def card(view: RegroupView) -> Message:
    """The answer. What each person keeps outside, the policies and the picture are in the thread."""
    blocks: list[Any] = [kit.header(headline(view)), kit.rich(_state(view)), _about(view)]
    sides = (view.found.users, view.found.roles)
    grouped = [s for s in sides if s.grouping.groups]
    blocks += [kit.rich(*_side(s, _GROUPS - n - (len(grouped) - 1))) for n, s in enumerate(grouped)]
    if notes := _notes(view, sides):
        blocks.append(kit.rich(kit.bullets([kit.section(*note) for note in notes])))
    return Message(_said(view), [*blocks, kit.small(_LIMITS.format(days=view.found.days))])


def minimal(view: RegroupView) -> Message:
    """The answer where Slack takes no more: in words."""
    return Message(
        _said(view),
        [
            kit.header(headline(view)),
            kit.small(f"{_sentence(view.found.users)} {_sentence(view.found.roles)}"),
            kit.small(_LIMITS.format(days=view.found.days)),
        ],
    )


def headline(view: RegroupView) -> str:
    """The answer as a sentence with its numbers."""
    users, roles = view.found.users, view.found.roles
    side = users if users.grouping.groups or not roles.grouping.groups else roles
    grouping, noun = side.grouping, f"{side.kind.value}s"
    if not users.grouping.people and not roles.grouping.people:
        return "Nothing to group yet: no user and no role has a report"
    if not grouping.people:  # users none, roles without groups
        side, grouping, noun = roles, roles.grouping, "roles"
    if grouping.groups:
        groups = words.some(len(grouping.groups), "group")
        return f"{len(grouping.grouped):,} of {words.some(grouping.people, side.kind.value)} fall into {groups} of equal use"
    if grouping.partial:
        return f"No groups found among {grouping.people:,} {noun} before the time ended"
    return f"No groups of equal use among {words.some(grouping.people, side.kind.value)}"


def _said(view: RegroupView) -> str:
    return f"{headline(view)}, {view.where}. Advice only: nothing is written."


def _state(view: RegroupView) -> Any:
    if view.found.partial:
        rest = ": the time ended before the search did. What is shown is true; there may be more groups."
        return kit.section(kit.emoji("warning"), kit.text(" Partial", bold=True), kit.text(rest))
    users, roles = (_sentence(s) for s in (view.found.users, view.found.roles))
    return kit.section(
        kit.emoji("white_check_mark"), kit.text(" Done", bold=True), kit.text(f"\n{users}\n{roles}")
    )


def _sentence(side: Side) -> str:
    """Users: 38 of 60 in 5 groups, which account for 410 of 530 uses."""
    grouping, noun = side.grouping, f"{words.KIND[side.kind]}s"
    if not grouping.people:
        return f"{noun}: none has a report."
    if grouping.groups:
        return (
            f"{noun}: {len(grouping.grouped):,} of {grouping.people:,} in "
            f"{words.some(len(grouping.groups), 'group')}, which account for {grouping.covered:,} of "
            f"{words.some(grouping.uses, 'use')}."
        )
    if not grouping.own:
        return f"{noun}: none of {grouping.people:,} used any service."
    if grouping.partial:
        return f"{noun}: no group was found among {grouping.people:,} in time."
    return (
        f"{noun}: no group structure. {len(grouping.own):,} used {words.some(grouping.distinct, 'different set')} of "
        "services; what they share is no more than chance explains, or too little for a group."
    )


def _about(view: RegroupView) -> Any:
    times = [s.oldest_at for s in (view.found.users, view.found.roles) if s.oldest_at]
    parts: list[Any] = [
        kit.plain(words.account_name(view.account), 200),
        kit.fixed(f"Asked by <@{view.user}>"),
    ]
    if times:
        parts.append(kit.fixed(f"Oldest report {kit.token(min(times))}"))
    return kit.context(*parts)


def _side(side: Side, most: int) -> Sequence[Any]:
    groups = side.grouping.groups
    shown = groups[:most]
    what = "" if side.kind is Kind.USER else ": each could share one policy"
    more = f" · {len(shown)} of {len(groups)}, all are in the files" if len(groups) > len(shown) else ""
    head = kit.section(kit.text(f"Groups of {side.kind.value}s", bold=True), kit.text(f"{what}{more}"))
    lines = [kit.section(*_group(side, g, p)) for g, p in zip(shown, side.proposals, strict=False)]
    return [head, kit.bullets(lines)]


def _group(side: Side, group: Group, proposal: Proposal) -> list[Part]:
    own = {o.name: o.services for o in side.grouping.own}
    keep = sum(bool(own[m]) for m in group.members)
    services = _first(group.services, _SERVICES)
    parts: list[Part] = [
        kit.text(f"{group.number} · {words.some(len(group.members), side.kind.value)}", bold=True),
        kit.text(f" all used {words.some(len(group.services), 'service')}: "),
    ]
    for n, service in enumerate(services):
        parts += [kit.text(", ")] if n else []
        parts.append(kit.code(service, _NAME))
    members = _first(group.members, _NAMES)
    who = f"{', '.join(members)}{_more(group.members, members)}"
    parts.append(
        kit.text(f"{_more(group.services, services)}. Members: {who}. {_outside(keep)}{_policy(proposal)}")
    )
    return parts


def _first(names: Sequence[str], room: int) -> list[str]:
    """The first eight, as far as there is room; one at least."""
    shown: list[str] = []
    for name in names[: words.NAMES_OF_MANY]:
        clipped = kit.clip(name, _NAME)
        if shown and sum(map(len, shown)) + len(clipped) > room:
            break
        shown.append(clipped)
    return shown


def _more(names: Sequence[str], shown: Sequence[str]) -> str:
    return f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""


def _outside(keep: int) -> str:
    if not keep:
        return "All their use is in groups."
    return f"{keep:,} keep some use of their own." if keep != 1 else "1 keeps some use of its own."


def _policy(proposal: Proposal) -> str:
    if proposal.unread:
        return f" No policy: those of {len(proposal.unread):,} are not kept."
    if not proposal.documents:
        return " No policy: they share no action."
    return f" Policy: {words.some(proposal.actions, 'action')} all have today." if proposal.actions else ""


def _notes(view: RegroupView, sides: Sequence[Side]) -> list[list[Part]]:
    found: list[list[Part]] = []
    if merge := next(((s, s.merges[0]) for s in sides if s.merges), None):
        side, best = merge
        gain = f"give {words.some(best.people, side.kind.value)} services not used, {best.gains:,} in all"
        cost = f"as one they would {gain if best.gains else 'give nobody anything'}"
        pair = f"groups {best.left} and {best.right} of {side.kind.value}s"
        found.append([kit.text(f"Most alike: {pair}; {cost}. Not proposed.")])
    if unread := _counted((len(s.unread), s) for s in sides):
        sweep = kit.code(f"/iam-audit sweep account={view.account.id}", 64)
        found.append([kit.text(f"{unread} not read: nothing is known of them. Type "), sweep])
    if idle := _counted((len(s.grouping.idle), s) for s in sides):
        found.append([kit.text(f"{idle} used nothing in the window.")])
    if left := _counted((s.left_out, s) for s in sides):
        found.append([kit.text(f"Left out: {left} that AWS owns.")])
    return found


def _counted(counts: Iterable[tuple[int, Side]]) -> str:
    """2 users and 1 role; empty where there are none."""
    return " and ".join(words.some(count, side.kind.value) for count, side in counts if count)
