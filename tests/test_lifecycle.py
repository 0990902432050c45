"""advisor.core.lifecycle: the table is whole, ended is ended, and each verb belongs to whom the design says."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from advisor.core.lifecycle import ENDED, PRESSABLE, TABLE, WAITING, Do, Event, Person, move, refusal
from advisor.core.removal import TicketState, Verb

S = TicketState


def test_nothing_leaves_an_ended_state() -> None:
    assert not [state for state, _ in TABLE if state in ENDED]
    assert {to for to, _ in TABLE.values()} | {S.DRAFT} == set(S)


def test_every_state_but_the_ended_ones_has_a_way_on() -> None:
    assert {state for state, _ in TABLE} == set(S) - ENDED
    assert WAITING | ENDED | {S.APPLIED} == set(S)


def test_nothing_is_written_without_an_approval() -> None:
    """Every way into `applying` comes from `approved`, from a hold, or from a person's retry of what had begun."""
    into = {state for (state, _), (to, _) in TABLE.items() if to is S.APPLYING}
    assert into == {S.APPROVED, S.HELD, S.NEEDS_HUMAN}
    into = {state for (state, _), (to, _) in TABLE.items() if to is S.HELD and state is not S.HELD}
    assert into == {S.APPLYING, S.ROLLING_BACK}
    into = {event for (_, event), (to, _) in TABLE.items() if to is S.APPROVED}
    assert into == {Event.APPROVED, Event.RETRIED, Event.NOTHING_WRITTEN}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(S, Event)))
def test_what_is_not_in_the_table_cannot_happen(state: TicketState, event: Event) -> None:
    assert move(state, event) == TABLE.get((state, event))


PEOPLE = {
    "requester": Person(requester=True),
    "approver": Person(approver=True),
    "approver who is requester": Person(approver=True, requester=True),
    "approver who has approved": Person(approver=True, has_approved=True),
    "owner": Person(owner=True),
    "nobody": Person(),
    "auditor": Person(auditor=True),
    "admin": Person(admin=True),
}
MAY = {
    Verb.APPROVE: {"approver"},
    Verb.REJECT: {"approver", "approver who has approved"},
    Verb.CANCEL: {"requester", "approver who is requester", "admin"},
    Verb.KEEP: {"owner", "approver", "approver who is requester", "approver who has approved"},
    Verb.RETRY: {"approver", "approver who is requester", "approver who has approved"},
    Verb.ROLLBACK: {"approver", "approver who is requester", "approver who has approved"},
    Verb.FINISH: {"approver", "approver who is requester", "approver who has approved"},
    Verb.GIVE_BACK: {
        "owner",
        "requester",
        "approver",
        "approver who is requester",
        "approver who has approved",
    },
    Verb.NOT_NEEDED: {"owner", "approver", "approver who is requester", "approver who has approved"},
    Verb.EVIDENCE: {"auditor"},
}


@pytest.mark.parametrize(("verb", "who"), list(itertools.product(Verb, PEOPLE)))
def test_who_may(verb: Verb, who: str) -> None:
    assert (refusal(verb, PEOPLE[who]) == "") is (who in MAY[verb])


def test_self_approval_is_for_approvers_only() -> None:
    both = Person(approver=True, requester=True)
    assert refusal(Verb.APPROVE, both, self_approval=True) == ""
    assert refusal(Verb.APPROVE, Person(requester=True), self_approval=True) == "not_approver"


def test_verbs_have_an_effect_only_where_the_table_has_a_way() -> None:
    leads = {
        Verb.APPROVE: Event.APPROVED,
        Verb.REJECT: Event.REJECTED,
        Verb.CANCEL: Event.CANCELLED,
        Verb.ROLLBACK: Event.BACK_ASKED,
        Verb.FINISH: Event.FINISH_ASKED,
    }
    for verb, event in leads.items():
        assert PRESSABLE[verb] == {state for (state, e) in TABLE if e is event}


class Life(RuleBasedStateMachine):
    """Any order of events: the path is always one that a person can be told."""

    def __init__(self) -> None:
        super().__init__()
        self.state = S.DRAFT
        self.path = [S.DRAFT]
        self.events: list[Event] = []
        self.approved = self.wrote = False

    @rule(event=st.sampled_from(list(Event)))
    def happens(self, event: Event) -> None:
        to = move(self.state, event)
        by_hand = Event.SEEN_DONE in self.events  # the shell rolls back only what it wrote itself
        if to is None or (event is Event.BACK_ASKED and by_hand):
            return
        self.events.append(event)
        self.approved |= event is Event.APPROVED
        self.wrote |= to[1] is Do.WRITE
        self.state = to[0]
        self.path.append(self.state)

    @invariant()
    def writes_only_what_was_approved(self) -> None:
        assert not self.wrote or self.approved

    @invariant()
    def an_end_that_says_nothing_changed_was_never_carried_out(self) -> None:
        if self.state in {S.REJECTED, S.EXPIRED, S.SUPERSEDED, S.VOID}:
            assert S.APPLYING not in self.path


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLife = Life.TestCase
