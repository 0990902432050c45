"""What is denied after a hold or a change: what CloudTrail has of it, and whether it is ours. Pure.

A hit is a denied call of somebody whom a ticket concerns, of something that its plan took and the documents before
allowed. Scanners try everything, so what was never allowed is none; nor is what somebody else's policy denied.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from advisor.core import events
from advisor.core.evaluate import Allowing
from advisor.core.policy import Catalogue, matches, statements
from advisor.core.removal import TOGETHER, Edit, Plan, Treatment
from advisor.core.replay import Gap, documents

OFTEN, SELDOM, AT_FIRST = timedelta(minutes=15), timedelta(days=1), timedelta(days=1)
"""How often event history is asked: at first, so long, and afterwards."""

TOGETHER_FOR = timedelta(seconds=5)
"""So long hits are gathered before the first is said: ten denials at once are one message."""

QUIET_FOR = timedelta(minutes=10)
"""At most one message of a ticket in so long."""

SESSIONS = 3
"""Names of sessions that a hit keeps."""


class By(StrEnum):
    """What denied a call, by AWS's own sentence."""

    DENY = "deny"  # an explicit deny in an identity-based policy
    NOTHING = "nothing"  # no identity-based policy allows it
    OTHER = "other"  # an SCP, a boundary, a session's, a resource's or an endpoint's policy
    UNSAID = "unsaid"  # encoded, or no words of it


_DENY = re.compile(
    r"with an explicit deny in (?:an? |the )?(?P<kind>[a-z -]{3,60}?)(?: ?: ?(?P<arn>arn:\S+))?\s*$",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"because no (?P<kind>[a-z -]{3,60}?) allows the \S+ action(?: ?: ?(?P<arn>arn:\S+))?\s*$", re.IGNORECASE
)
_OURS = "identity-based policy"


def denier(message: str) -> tuple[By, str]:
    """What denied a call, and the ARN of the policy where AWS names it.

    Only the end of the sentence counts: what stands before it names resources, which anybody may call anything.
    Source: IAM User Guide, "Troubleshoot access denied error messages"; AWS Security Blog, "Enhanced access denied error
    messages with policy ARNs" (January 2026: rolling out; never for an inline policy, which has no ARN).
    """
    text = message.strip().removesuffix(".")
    found = _DENY.search(text)
    if found:
        ours = found["kind"].lower() == _OURS
        return (By.DENY if ours else By.OTHER), str(found["arn"] or "")[:256]
    found = _NONE.search(text)
    if found:
        return (By.NOTHING if found["kind"].lower() == _OURS else By.OTHER), str(found["arn"] or "")[:256]
    return By.UNSAID, ""


class Phase(StrEnum):
    """How far a ticket was when a call was denied."""

    HELD = "held"  # only its hold stood
    CHANGING = "changing"  # documents were rewritten while the hold still stood
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Denied:
    """One denied event, as it is kept."""

    id: str
    principal: str  # an ARN without a path
    source: str
    name: str
    at: datetime
    session: str = ""
    region: str = ""
    by: By = By.UNSAID
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Denials:
    """Denied calls of one kind in one phase, counted."""

    principal: str
    source: str
    name: str
    by: By
    policy: str
    phase: Phase
    count: int
    first: datetime
    last: datetime
    sessions: tuple[str, ...] = ()  # that of the newest first
    region: str = ""


class Cause(StrEnum):
    """Why we count it as ours. On what that rests: the policy's ARN where AWS named it, else AWS's sentence."""

    HOLD = "hold"  # our hold (or quarantine) denied it
    CHANGE = "change"  # nothing allows it any more
    UNSAID = "unsaid"  # AWS does not say


@dataclass(frozen=True, slots=True)
class Hit:
    """Somebody was hurt, or may have been: a principal, what the call needed, and what would give it back."""

    principal: str
    actions: tuple[str, ...]
    things: tuple[str, ...]  # services, single actions, or policies that go back whole
    cause: Cause
    first: datetime
    last: datetime
    count: int = 1
    sessions: tuple[str, ...] = ()
    region: str = ""
    policy: str = ""
    ticket: int = 0
    id: int = 0
    said_at: datetime | None = None
    closed_at: datetime | None = None
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the newest look of a watch could read, and what it could not."""

    not_asked: str = ""  # the permission that was refused
    gaps: tuple[Gap, ...] = ()
    regions: tuple[str, ...] = ()
    all_regions: bool = True
    unseen: tuple[str, ...] = ()  # what of the plan no event tells


@dataclass(frozen=True, slots=True)
class Watch:
    """A ticket that is watched, and until when."""

    ticket: int
    account: str
    who: tuple[str, ...]
    since: datetime
    until: datetime
    often_until: datetime
    next_at: datetime | None = None
    changed_at: datetime | None = None  # when documents began to be rewritten
    lifted_at: datetime | None = None  # when no hold stood any more
    said_at: datetime | None = None
    ended_at: datetime | None = None
    seen: Seen = Seen()


def next_look(watch: Watch, now: datetime, late: timedelta) -> datetime | None:
    """When event history is asked again; the last time so long after the end that late events are there. None: never."""
    last = watch.until + late
    if now >= last:
        return None
    return min(now + (OFTEN if now < watch.often_until else SELDOM), last)


# -- what is ours ----------------------------------------------------------------------------------------------------


class Judge:
    """Tells what of one ticket's plan a denied call is about."""

    def __init__(
        self,
        plan: Plan,
        services: frozenset[str],
        single: frozenset[str],
        given: Collection[str],
        catalogue: Catalogue,
        *,
        held: bool = False,
    ) -> None:
        self._plan = plan
        self._held = held  # now: what goes back is what its hold no longer denies
        self._catalogue = catalogue
        self._services = services
        self._single = {a.lower() for a in single}
        self._given = {g.lower() for g in given}
        self._ours = {s.arn for e in plan.edits if e.treatment is Treatment.QUARANTINE for s in e.steps}
        self._ours |= {plan.hold.arn} if plan.hold else set()
        self._ours.discard("")
        self._edits = [(e, _allowing([_text(plan, e)])) for e in plan.edits]
        before = documents(plan.basis, plan)[0]
        self._before = _allowing(before)
        self._denies = (
            [] if self._before is None else [s for t in before for s in statements(t) if not s.allow]
        )

    def hits(self, denials: Iterable[Denials]) -> tuple[Hit, ...]:
        """What was denied because of the ticket; one hit a principal and call, told by the newest denial."""
        found: dict[tuple[str, tuple[str, ...]], Hit] = {}
        for one in sorted(denials, key=lambda d: d.last):
            hit = self._hit(one)
            if hit is None:
                continue
            older = found.get((hit.principal, hit.actions))
            if older:
                sessions = tuple(dict.fromkeys((*hit.sessions, *older.sessions)))[:SESSIONS]
                first = min(older.first, hit.first)
                hit = replace(hit, first=first, count=hit.count + older.count, sessions=sessions)
            found[hit.principal, hit.actions] = hit
        return tuple(found.values())

    def _hit(self, one: Denials) -> Hit | None:
        cause = self._cause(one)
        needed = events.actions(one.source, one.name, self._catalogue)
        actions = tuple(a for a in needed if self._took(a) and self._allowed(a) and not self._is_back(a))
        if cause is Cause.HOLD and not one.policy and self._plan.hold and not self._plan.quarantine:
            actions = tuple(a for a in actions if any(matches(d, a) for d in self._plan.hold.denied))
            if any(s.names(a) for s in self._denies for a in actions):  # a Deny of their own may be meant
                cause = Cause.UNSAID
        if cause is None or not actions:
            return None
        return Hit(
            one.principal,
            actions,
            self.things(actions),
            cause,
            one.first,
            one.last,
            one.count,
            one.sessions[:SESSIONS],
            one.region,
            one.policy,
        )

    def _cause(self, one: Denials) -> Cause | None:
        """Why it is ours; None where something else denied it."""
        match one.by:
            case By.OTHER:
                return None
            case By.UNSAID:
                return Cause.UNSAID
            case By.NOTHING:  # while only a hold stands, the documents are as they were
                return None if one.phase is Phase.HELD or self._plan.quarantine else Cause.CHANGE
            case By.DENY if one.policy:
                return Cause.HOLD if one.policy in self._ours else None
            case _:
                stood = self._plan.hold is not None and one.phase is not Phase.CHANGED
                return Cause.HOLD if stood or self._plan.quarantine else None

    def _took(self, action: str) -> bool:
        return action.partition(":")[0] in self._services or action.lower() in self._single

    def _allowed(self, action: str) -> bool:
        """Whether the documents before allowed it; of a quarantine not all of them are known."""
        if any(s.blanket and s.names(action) for s in self._denies):
            return False
        return self._plan.quarantine or self._before is None or bool(self._before.contexts(action))

    def _is_back(self, action: str) -> bool:
        if {action.lower(), action.partition(":")[0]} & self._given:
            return True
        given = (p for e, p in self._edits if e.treatment in TOGETHER and e.policy.lower() in self._given)
        return any(p is None or p.contexts(action) for p in given)

    def things(self, actions: Iterable[str]) -> tuple[str, ...]:
        """The least that gives each action back: itself, its service, or the policy that goes back whole."""
        found = (min(self._ways(a), default=(0, ""))[1] for a in actions)
        return tuple(dict.fromkeys(t for t in found if t))

    def _ways(self, action: str) -> Iterator[tuple[int, str]]:
        service = action.partition(":")[0]
        if self._held and self._plan.hold and not self._plan.quarantine:
            for entry in self._plan.hold.denied:
                if entry == f"{service}:*":
                    yield 1, service
                elif entry.lower() == action.lower():
                    yield 0, entry
            return
        for edit, granted in self._edits:
            if edit.treatment is not Treatment.QUARANTINE and granted and not granted.contexts(action):
                continue
            if edit.treatment in TOGETHER:
                yield 2, edit.policy
            elif service in edit.cut.services or service in edit.out:
                yield 1, service
            else:
                own = next((a for a in edit.cut.actions if a.lower() == action.lower()), "")
                if own:
                    yield 0, own


def _text(plan: Plan, edit: Edit) -> str:
    policy = plan.basis.policy(edit.arn) if edit.arn else None
    return edit.before or (policy.default.text if policy else "")


def _allowing(texts: Iterable[str]) -> Allowing | None:
    """None where a document cannot be read: then nobody can say that it did not allow something."""
    try:
        return Allowing(t for t in texts if t)
    except (ValueError, RecursionError):
        return None


def reason(hit: Hit, ticket_id: int) -> str:
    """The event as the reason of a keep: redshift:DescribeClusters was denied on 26 Nov 2026; given back by ticket 12."""
    day = f"{hit.last.day} {hit.last:%b %Y}"
    return f"{' and '.join(hit.actions)} was denied on {day}; given back by ticket {ticket_id}"
