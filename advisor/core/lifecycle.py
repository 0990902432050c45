"""The life of a ticket: one transition table, and who may do what. Pure; the shell that acts is `advisor/decisions.py` and `changes.py`.

docs/tickets.md draws the table; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from advisor.core.removal import TicketState, Verb

S = TicketState


class Event(StrEnum):
    """What happens to a ticket."""

    PLANNED = "planned"  # the form came to a plan
    NO_PLAN = "no_plan"  # or to none
    APPROVED = "approved"  # by as many as it takes
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    SEEN_DONE = "seen_done"  # advice that somebody carried out by hand
    BEGAN = "began"  # the last look agreed with the plan: the journal is written
    MOVED = "moved"  # it did not
    NOTHING_WRITTEN = "nothing_written"  # the first write was refused
    HELD = "held"  # the hold was read back: its quiet days begin
    ATTEMPTED = "attempted"  # somebody tried what is held: a person is asked before anything is rewritten
    FINISH_ASKED = "finish_asked"  # a person ends the hold early, or goes on all the same
    LOOSENED = "loosened"  # what was approved moved while a hold stands: the hold goes first
    LIFTED = "lifted"  # and is gone
    NARROWED = "narrowed"  # a part is given back, the rest is held on
    FINISHED = "finished"  # every write was read back
    STUCK = "stuck"  # part is written, and the next write cannot be made or settled
    RETRIED = "retried"
    BACK_ASKED = "back_asked"  # a person wants it back
    GIVEN = "given"  # a part is back
    BACK = "back"  # all of it


class Do(StrEnum):
    """What the shell does next."""

    WAIT = "wait"  # for a person
    CHECK = "check"  # a fresh report, and everything read again
    QUIET = "quiet"  # for the days of a hold; then as CHECK
    WRITE = "write"  # the next write of the journal
    END = "end"


TABLE: dict[tuple[TicketState, Event], tuple[TicketState, Do]] = {
    (S.DRAFT, Event.PLANNED): (S.OPEN, Do.WAIT),
    (S.DRAFT, Event.NO_PLAN): (S.VOID, Do.END),
    (S.OPEN, Event.APPROVED): (S.APPROVED, Do.CHECK),
    (S.OPEN, Event.REJECTED): (S.REJECTED, Do.END),
    (S.OPEN, Event.CANCELLED): (S.CANCELLED, Do.END),
    (S.OPEN, Event.EXPIRED): (S.EXPIRED, Do.END),
    (S.OPEN, Event.SUPERSEDED): (S.SUPERSEDED, Do.END),
    (S.OPEN, Event.SEEN_DONE): (S.APPLIED, Do.END),
    (S.APPROVED, Event.CANCELLED): (S.CANCELLED, Do.END),
    (S.APPROVED, Event.MOVED): (S.DRIFTED, Do.END),
    (S.APPROVED, Event.BEGAN): (S.APPLYING, Do.WRITE),
    (S.APPROVED, Event.RETRIED): (S.APPROVED, Do.CHECK),
    (S.APPLYING, Event.MOVED): (S.DRIFTED, Do.END),
    (S.APPLYING, Event.NOTHING_WRITTEN): (S.APPROVED, Do.WAIT),
    (S.APPLYING, Event.FINISHED): (S.APPLIED, Do.WAIT),
    (S.APPLYING, Event.STUCK): (S.NEEDS_HUMAN, Do.WAIT),
    (S.APPLYING, Event.HELD): (S.HELD, Do.QUIET),
    (S.APPLYING, Event.LOOSENED): (S.ROLLING_BACK, Do.WRITE),
    (S.HELD, Event.ATTEMPTED): (S.HELD, Do.WAIT),
    (S.HELD, Event.FINISH_ASKED): (S.HELD, Do.CHECK),
    (S.HELD, Event.BEGAN): (S.APPLYING, Do.WRITE),
    (S.HELD, Event.FINISHED): (S.APPLIED, Do.WAIT),
    (S.HELD, Event.BACK_ASKED): (S.ROLLING_BACK, Do.WRITE),
    (S.HELD, Event.LOOSENED): (S.ROLLING_BACK, Do.WRITE),
    (S.HELD, Event.MOVED): (S.DRIFTED, Do.END),
    (S.APPLIED, Event.BACK_ASKED): (S.ROLLING_BACK, Do.WRITE),
    (S.ROLLING_BACK, Event.BACK): (S.ROLLED_BACK, Do.END),
    (S.ROLLING_BACK, Event.GIVEN): (S.APPLIED, Do.WAIT),
    (S.ROLLING_BACK, Event.NARROWED): (S.HELD, Do.QUIET),
    (S.ROLLING_BACK, Event.LIFTED): (S.DRIFTED, Do.END),
    (S.ROLLING_BACK, Event.STUCK): (S.NEEDS_HUMAN, Do.WAIT),
    (S.NEEDS_HUMAN, Event.BACK_ASKED): (S.ROLLING_BACK, Do.WRITE),
    (S.NEEDS_HUMAN, Event.BEGAN): (S.APPLYING, Do.WRITE),
    (S.NEEDS_HUMAN, Event.RETRIED): (S.ROLLING_BACK, Do.WRITE),
}
"""(state, event) -> (state, what to do). What is not here cannot happen.

From NEEDS_HUMAN, BEGAN takes the change up again and RETRIED its way back, by which of the two had stopped. From HELD,
MOVED is for an entity that is gone, and its hold with it; FINISHED for a quarantine, whose hold is all there is to write.
"""

ENDED = frozenset({S.VOID, S.REJECTED, S.CANCELLED, S.EXPIRED, S.SUPERSEDED, S.DRIFTED, S.ROLLED_BACK})
"""States that nothing leaves."""

WAITING = frozenset({S.DRAFT, S.OPEN, S.APPROVED, S.APPLYING, S.HELD, S.ROLLING_BACK, S.NEEDS_HUMAN})
"""States in which a ticket is not finished."""


def move(state: TicketState, event: Event) -> tuple[TicketState, Do] | None:
    """Where an event leads, or None where it cannot happen (any more)."""
    return TABLE.get((state, event))


PRESSABLE: dict[Verb, frozenset[TicketState]] = {
    Verb.APPROVE: frozenset({S.OPEN}),
    Verb.REJECT: frozenset({S.OPEN}),
    Verb.CANCEL: frozenset({S.OPEN, S.APPROVED}),
    Verb.KEEP: frozenset(set(S) - {S.DRAFT, S.VOID}),
    Verb.RETRY: frozenset({S.APPROVED, S.NEEDS_HUMAN}),
    Verb.ROLLBACK: frozenset({S.APPLIED, S.NEEDS_HUMAN, S.HELD}),
    Verb.FINISH: frozenset({S.HELD}),
    Verb.GIVE_BACK: frozenset({S.APPLIED, S.HELD}),
    Verb.NOT_NEEDED: frozenset(set(S) - {S.DRAFT, S.VOID}),
    Verb.EVIDENCE: frozenset(set(S) - {S.DRAFT, S.VOID}),
}
"""The states in which a verb can have an effect. A keep outlives its ticket, so it can be made in any."""


@dataclass(frozen=True, slots=True)
class Person:
    """What a person is to one ticket, at the moment of the press and by the settings of now."""

    requester: bool = False
    approver: bool = False
    owner: bool = False
    admin: bool = False
    auditor: bool = False
    has_approved: bool = False
    lapsed: frozenset[str] = frozenset()  # who approved and could not any more: what they said does not count


def refusal(verb: Verb, person: Person, *, self_approval: bool = False) -> str:
    """Why this person may not, as a word, or an empty string. Auditors may open; everything else stands here."""
    match verb:
        case Verb.APPROVE | Verb.REJECT:
            if not person.approver:
                return "not_approver"
            if person.requester and not self_approval:
                return "own"
            return "twice" if verb is Verb.APPROVE and person.has_approved else ""
        case Verb.CANCEL:
            return "" if person.requester or person.admin else "not_requester"
        case Verb.KEEP | Verb.NOT_NEEDED:
            return "" if person.owner or person.approver else "not_owner"
        case Verb.GIVE_BACK:  # whoever is no approver only asks them
            return "" if person.approver or person.owner or person.requester else "not_approver"
        case Verb.EVIDENCE:
            return "" if person.auditor else "auditor"
        case _:
            return "" if person.approver else "not_approver"


def outcome(verb: Verb, person: Person, state: TicketState, *, self_approval: bool = False) -> str:
    """Why nothing comes of a press, as a word, or an empty string. Whoever could have pressed earlier hears that it is late."""
    word = refusal(verb, person, self_approval=self_approval)
    return "late" if word in {"", "own", "twice"} and state not in PRESSABLE[verb] else word
