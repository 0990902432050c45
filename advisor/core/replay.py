"""The second witness: what CloudTrail's event history of 90 days says of a plan. Pure.

Each kind of call (who, which action) falls in one class: it would still be allowed, it would be lost, it was denied
already, or it is unknown, because. A Deny stands in no class: plans never touch one, so what it denied then it denies
afterwards. What no event tells is said beside them, never counted as unused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from advisor.core import events
from advisor.core.arn import partition_of
from advisor.core.evaluate import Allowing
from advisor.core.model import Entity, Kind, Report, Snapshot
from advisor.core.policy import Catalogue
from advisor.core.removal import Plan, Standing, Treatment

DAYS = 90
"""Days that event history keeps (CloudTrail User Guide, "Working with CloudTrail Event history")."""

KEPT_CALLS = 2_000
"""Kinds of call that are stored with a ticket one by one; the rest is counted."""

SOURCE, NAME = "EventSource", "EventName"
"""The attributes that a look asks by (CloudTrail API Reference, LookupAttribute)."""


@dataclass(frozen=True, slots=True, order=True)
class Look:
    """One question to event history: one attribute in one Region."""

    region: str
    key: str  # SOURCE or NAME
    value: str


@dataclass(frozen=True, slots=True)
class Call:
    """A kind of call: who, which event, denied or not; when it was made last, and how often it was seen.

    `principal` is an ARN without a path: arn:aws:iam::111111111111:role/NAME. `session` is that of the newest event.
    """

    principal: str
    source: str
    name: str
    denied: bool
    newest: datetime
    count: int = 1
    session: str = ""
    region: str = ""


class Fate(StrEnum):
    """What becomes of a kind of call."""

    ALLOWED = "allowed"
    LOST = "lost"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Because(StrEnum):
    """Why it is unknown whether a call would still be allowed."""

    ELSEWHERE = "elsewhere"  # these documents did not allow it: something else did
    NARROWER = "narrower"  # allowed, but for fewer resources or under fewer conditions than before
    UNREADABLE = "unreadable"  # a document cannot be read


@dataclass(frozen=True, slots=True)
class Judged:
    """A kind of call with its class."""

    principal: str
    actions: tuple[str, ...]
    fate: Fate
    at: datetime
    count: int = 1
    because: Because | None = None
    event: str = ""  # its name, where the action is called otherwise
    session: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """What was to be asked and has no (whole) answer: a Region, how many questions, and why."""

    region: str
    looks: int
    why: str  # a code of an AwsError, or "time"


@dataclass(frozen=True, slots=True)
class Replay:
    """What the witness said, as it is stored with a ticket. `not_asked` is the permission that was refused."""

    at: datetime
    not_asked: str = ""
    judged: tuple[Judged, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()  # by class
    turned: tuple[Judged, ...] = ()  # what would have been lost, and so stays
    unseen: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    all_regions: bool = True  # whether the account's enabled Regions are known
    looks: int = 0
    gaps: tuple[Gap, ...] = ()

    @property
    def kinds(self) -> int:
        """How many kinds of call there were."""
        return sum(n for _, n in self.counts)

    def of(self, fate: Fate) -> int:
        """How many of one class."""
        return dict(self.counts).get(fate.value, 0)

    @property
    def missing(self) -> int:
        """Questions without a whole answer."""
        return sum(g.looks for g in self.gaps)


# -- what to ask -----------------------------------------------------------------------------------------------------


def taken(plan: Plan, report: Report) -> tuple[frozenset[str], frozenset[str]]:
    """The services that go whole from some policy, and the single actions; a quarantine takes every service."""
    whole = plan.takes | (frozenset(s.namespace for s in report.services) if plan.quarantine else frozenset())
    return whole, frozenset(a for a in plan.takes_singly if a.partition(":")[0] not in whole)


def questions(services: Iterable[str], single: Iterable[str], regions: Iterable[str]) -> tuple[Look, ...]:
    """What is to be looked up, each once; what leaves no event is not asked for."""
    wanted = {(SOURCE, source) for s in services if not events.silent(s) for source in events.sources(s)}
    for action in single:
        if events.hidden(action):
            continue
        names = events.names(action)
        wanted |= {(NAME, n) for n in names}
        wanted |= set() if names else {(SOURCE, s) for s in events.sources(action.partition(":")[0])}
    return tuple(Look(region, key, value) for region in sorted(set(regions)) for key, value in sorted(wanted))


def regions_used(report: Report) -> frozenset[str]:
    """Where Access Advisor saw the entity."""
    rows = {r.region for r in report.services} | {a.region for r in report.services for a in r.actions or ()}
    return frozenset(r for r in rows if r)


# -- who -------------------------------------------------------------------------------------------------------------


def pathless(arn: str) -> str:
    """The ARN of a role or user without its path; the role of a session's ARN; other principals as they are."""
    head, _, rest = arn.partition(":assumed-role/")
    if rest:
        return f"{head.replace(':sts:', ':iam:')}:role/{rest.partition('/')[0]}"
    kind, slash, name = arn.partition("/")
    return f"{kind}{slash}{name.rpartition('/')[2]}"


def concerned(entity: Entity, snapshot: Snapshot | None) -> frozenset[str]:
    """Whose calls count: the role or user itself, a group's members, whoever has a policy."""
    if entity.kind in {Kind.ROLE, Kind.USER}:
        return frozenset({pathless(entity.arn)})
    if snapshot is None:
        return frozenset()
    partition = partition_of(entity.arn)
    who = [h for h in snapshot.holders if not h.startswith("group/")]
    who += [f"user/{m}" for m in snapshot.members]
    return frozenset(f"arn:{partition}:iam::{entity.account}:{w}" for w in who)


# -- what became of it -----------------------------------------------------------------------------------------------


def documents(standing: Standing, plan: Plan) -> tuple[list[str], list[str]]:
    """Every text that grants something now, and every one that does so under the plan."""
    inline = {e.policy: e.after for e in plan.edits if e.treatment in {Treatment.EDIT, Treatment.DELETE}}
    managed = {e.arn: e.after for e in plan.edits if e.arn and e.treatment is not Treatment.QUARANTINE}
    own = [(t, inline.get(n, t)) for n, t in standing.inline]
    held = standing.attached or tuple(m.arn for m in standing.managed)
    own += [(m.default.text, managed.get(m.arn, m.default.text)) for m in standing.managed if m.arn in held]
    own += [(t, t) for _, t in standing.elsewhere]
    return [b for b, _ in own], [] if plan.quarantine else [a for _, a in own if a]


class Court:
    """Judges calls by the documents before and after; remembers what it said of an action."""

    def __init__(self, before: Iterable[str], after: Iterable[str], catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._actions: dict[tuple[str, str], tuple[str, ...]] = {}
        self._said: dict[tuple[str, ...], tuple[Fate, Because | None]] = {}
        try:
            self._before, self._after = Allowing(before), Allowing(after)
            self._readable = True
        except (ValueError, RecursionError):
            self._readable = False

    def actions(self, call: Call) -> tuple[str, ...]:
        """The IAM actions that a call needed."""
        key = (call.source, call.name)
        if key not in self._actions:
            self._actions[key] = events.actions(call.source, call.name, self._catalogue)
        return self._actions[key]

    def allowed(self, actions: Iterable[str]) -> bool:
        """Whether the documents before allow any of these at all; True where they cannot be read."""
        return not self._readable or any(self._before.contexts(a) for a in actions)

    def judge(self, call: Call) -> Judged:
        """The class of one kind of call."""
        actions = self.actions(call)
        fate, because = (Fate.DENIED, None) if call.denied else self._judge(actions)
        plain = any(a.partition(":")[2] == call.name for a in actions)
        return Judged(
            call.principal,
            actions,
            fate,
            call.newest,
            call.count,
            because,
            "" if plain else call.name,
            call.session,
            call.region,
        )

    def _judge(self, actions: tuple[str, ...]) -> tuple[Fate, Because | None]:
        if actions not in self._said:
            self._said[actions] = self._weigh(actions)
        return self._said[actions]

    def _weigh(self, actions: tuple[str, ...]) -> tuple[Fate, Because | None]:
        if not self._readable:
            return Fate.UNKNOWN, Because.UNREADABLE
        found = [self._one(a) for a in actions]
        order = (Fate.LOST, Fate.UNKNOWN, Fate.ALLOWED)
        return min(found, key=lambda f: order.index(f[0]))

    def _one(self, action: str) -> tuple[Fate, Because | None]:
        before, after = self._before.contexts(action), self._after.contexts(action)
        if not before:
            return Fate.UNKNOWN, Because.ELSEWHERE
        if not after:
            return Fate.LOST, None
        return (Fate.ALLOWED, None) if before <= after else (Fate.UNKNOWN, Because.NARROWER)


def merged(calls: Iterable[Call]) -> list[Call]:
    """Kinds of call over all Regions and looks; denied only where no attempt of the kind went through."""
    found: dict[tuple[str, str, str], Call] = {}
    for call in calls:
        key = (call.principal, events.host(call.source), events.undated(call.name))
        held = found.get(key)
        if held is None or (held.denied and not call.denied):
            found[key] = call
        elif held.denied == call.denied:
            newer = call if call.newest > held.newest else held
            found[key] = replace(newer, count=held.count + call.count)
    return list(found.values())


def replayed(
    calls: Iterable[Call],
    court: Court,
    services: frozenset[str],
    single: frozenset[str],
) -> list[Judged]:
    """The class of every kind of call that the plan concerns: those of services that go, and of single actions."""
    low = {a.lower() for a in single}
    found = []
    for call in merged(calls):
        actions = court.actions(call)
        if any(a.partition(":")[0] in services or a.lower() in low for a in actions):
            found.append(court.judge(call))
    return found


def told(judged: Sequence[Judged], at: datetime) -> Replay:
    """What is stored: the classes counted, and the first KEPT_CALLS kinds, what would be lost before all others."""
    order = (Fate.LOST, Fate.UNKNOWN, Fate.DENIED, Fate.ALLOWED)
    kept = sorted(judged, key=lambda j: (order.index(j.fate), j.actions, j.principal))[:KEPT_CALLS]
    counts = Counter(j.fate.value for j in judged)
    return Replay(at, judged=tuple(kept), counts=tuple(sorted(counts.items())))


def seen(lost: Iterable[Judged], services: frozenset[str], single: frozenset[str]) -> Mapping[str, Judged]:
    """What stays because of calls that would be lost: a service that was to go whole, or one action; by its name."""
    low = {a.lower() for a in single}
    found: dict[str, Judged] = {}
    for one in sorted(lost, key=lambda j: j.at):
        for action in one.actions:
            service = action.partition(":")[0]
            if service in services:
                found[service] = one
            elif action.lower() in low:
                found[action.lower()] = one
    return found


def detail(one: Judged) -> str:
    """rds:DescribeDBInstances on 2026-11-20: the event as the reason of a finding."""
    return f"{' and '.join(one.actions)} on {one.at.date().isoformat()}"
