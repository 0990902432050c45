"""advisor.core.proof and its line on the card: what is asked of a plan, what answers come to, within one screen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from advisor.core.model import ActionRow, Granularity, Kind
from advisor.core.proof import (
    Answer,
    Decision,
    Proof,
    Source,
    batches,
    documents,
    dump,
    effective,
    errors_added,
    load,
    removed,
    simulated,
    takes,
    used,
)
from advisor.core.removal import Plan, Standing, TicketState, Treatment
from advisor.proofs import witnesses
from handlers.blocks import ticket, ticket_proof
from tests import brute, plans
from tests.drawn import weight
from tests.test_blocks_ticket import buttons
from tests.ticket_views import CARDS, checked
from tests.views import HOSTILE, LONG
from tests.worlds import NOW, SmallCatalogue, ago, allow, document, entity, report, service

CATALOGUE = SmallCatalogue()
PLANS = {
    "dba": plans.dba(), "everything": plans.everything(), "narrowed": plans.narrowed(), "excepted": plans.excepted(),
    "policy": plans.of_policy(), "denied": plans.denied(),
}  # fmt: skip


def treated(plan: Plan) -> set[Treatment]:
    return {e.treatment for e in plan.edits if any(d.policy == e.policy for d in documents(plan, CATALOGUE))}


def test_what_leaves_a_document_is_asked_about() -> None:
    """A document that goes whole, a detachment and a quarantine leave none."""
    assert treated(PLANS["everything"]) == {
        Treatment.EDIT,
        Treatment.VERSION,
        Treatment.COPY,
        Treatment.REPLACE,
    }
    assert documents(PLANS["denied"], CATALOGUE) == ()
    (only,) = documents(PLANS["policy"], CATALOGUE)
    assert (only.policy, only.removed) == ("Own", ("sqs:SendMessage",))


@pytest.mark.parametrize("name", PLANS)
def test_what_was_removed_is_what_the_third_evaluator_says(name: str) -> None:
    """Allowed before by some statement, and by none afterwards."""
    for edit in PLANS[name].edits:
        names = {f"{s}:{a}" for s, actions in CATALOGUE.table.items() for a in actions}

        def held(text: str | None, of: set[str]) -> set[str]:
            return {n for n in of for found in brute.allowed(text, of).values() if n.lower() in found}

        of = {n for n in names if n.partition(":")[0] in edit.cut.services or n in edit.cut.actions}
        gone = set(removed(edit, CATALOGUE))
        assert gone == held(edit.before, of) - held(edit.after, of), edit.policy


def test_at_most_so_many_a_call() -> None:
    """Whole, in order."""
    names = [f"s3:A{n}" for n in range(250)]
    assert [len(b) for b in batches(names)] == [100, 100, 50]
    assert [a for b in batches(names) for a in b] == names
    assert batches([]) == []


def test_used_actions() -> None:
    """Those with an attempt; without a report none."""
    rows = (ActionRow("GetObject", ago(days=300)), ActionRow("PutObject"))
    assert used(report(service("s3", NOW, actions=rows), service("sqs"), granularity=Granularity.ACTION)) == (
        "s3:GetObject",
    )
    assert used(None) == ()


@pytest.mark.parametrize(
    ("action", "held"), [("sqs:SendMessage", True), ("SQS:sendmessage", True), ("s3:GetObject", False)]
)
def test_what_a_plan_means_to_take(action: str, held: bool) -> None:
    """A person’s decision is no loss."""
    assert takes(PLANS["policy"], action) is held


def told(texts: Sequence[str]) -> set[str]:
    names = {f"{s}:{a}" for s, actions in CATALOGUE.table.items() for a in actions}
    return {
        n for n in names for t in texts for found in brute.allowed(t, names).values() if n.lower() in found
    }


@pytest.mark.parametrize("name", ["dba", "everything", "policy", "narrowed"])
def test_what_holds_afterwards_is_before_without_the_cut(name: str) -> None:
    """Each treatment: edits, deletions, versions, detachments, copies, replacements."""
    plan = PLANS[name]
    before, after = effective(plan.basis), effective(plan.basis, plan)
    assert told(after) == {a for a in told(before) if not takes(plan, a)}


def test_an_aws_policy_that_is_attached_instead_counts() -> None:
    """It was not read with the entity: its text stands in the edit."""
    plan = PLANS["everything"]
    (edit,) = [e for e in plan.edits if e.treatment is Treatment.REPLACE]
    attach = next(s for s in edit.steps if s.operation.value == "attach")
    swap = replace(
        edit, treatment=Treatment.SWAP, after=document(allow("kms:Decrypt")),
        steps=(replace(attach, arn="arn:aws:iam::aws:policy/Narrow", name="Narrow"),),
    )  # fmt: skip
    found = effective(Standing(entity()), replace(plan, edits=(swap,)))
    assert found == (document(allow("kms:Decrypt")),)


def test_documents_of_groups_hold_too() -> None:
    """What comes through a group stays."""
    text = document(allow("s3:*"))
    assert effective(Standing(entity(Kind.USER), elsewhere=(("g/p", text),))) == (text,)


YES, NO = Decision(True), Decision(False)
SIMULATED = [
    ({"a:B": YES}, {"a:B": YES}, True, "1 used actions stay allowed"),
    (
        {"a:B": YES, "a:C": NO},
        {"a:B": YES, "a:C": NO},
        True,
        "1 not allowed on any resource now, so not told",
    ),
    (
        {"a:B": YES, "a:C": Decision(False, by_boundary=True)},
        {"a:B": YES},
        True,
        "1 of them by a boundary or an SCP",
    ),
    ({"a:B": YES}, {"a:B": NO}, False, "used, allowed now and not afterwards: a:B"),
    ({f"a:{n}": YES for n in range(9)}, {f"a:{n}": NO for n in range(9)}, False, "and 4 more"),
    ({"a:B": YES}, {}, None, "no answer for some used actions"),
    ({"a:B": NO}, {"a:B": NO}, None, "none of 1 used actions is allowed"),
    ({}, {}, None, "no used action is known"),
]


@pytest.mark.parametrize(("now", "then", "agrees", "said"), SIMULATED)
def test_what_a_simulation_comes_to(
    now: dict[str, Decision], then: dict[str, Decision], agrees: bool | None, said: str
) -> None:
    """Only what is allowed now and is not then is a loss."""
    found, words = simulated(now, then)
    assert found is agrees
    assert said in words


@pytest.mark.parametrize(
    ("old", "new", "added"),
    [
        ([], [], ()),
        ([("A", "x")], [("A", "y")], ()),
        ([("A", "x")], [("A", "y"), ("A", "z")], ("A: z",)),
        ([], [("B", "z")], ("B: z",)),
        ([("A", "x")], [("B", "z")], ("B: z",)),
    ],
)
def test_only_new_errors_count(
    old: list[tuple[str, str]], new: list[tuple[str, str]], added: tuple[str, ...]
) -> None:
    """By their codes, each as often as it stands there."""
    assert errors_added(old, new) == added


# -- said ------------------------------------------------------------------------------------------------------------


def answers(*agree: bool | None, said: str = "x") -> Proof:
    made = tuple(Answer(s, HOSTILE, a, said, ("req",)) for s, a in zip(Source, agree, strict=False))
    return Proof(NOW, made, 2)


PROOFS = {
    "all": answers(True, True, True, True),
    "no simulator": answers(True, True, True, None),
    "nobody": answers(
        None, None, None, None, said="not asked: access-analyzer:ValidatePolicy is not allowed"
    ),
    "nothing": Proof(NOW, ()),
    "many": Proof(NOW, answers(True, True, True, True, said=LONG).answers * 30),
}
LINES = {
    "all": "by 3 of 3: a second evaluator, Access Analyzer, IAM’s simulator",
    "no simulator": "by 2 of 3: a second evaluator, Access Analyzer; IAM’s simulator did not tell",
    "nobody": "by 1 of 3: a second evaluator; Access Analyzer and IAM’s simulator did not tell",
}


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_comes_back_from_its_text(name: str) -> None:
    """And who said what is named in the evidence."""
    found = PROOFS[name]
    assert load(dump(found)) == found
    own, analyzer, simulator = witnesses(found)
    assert own.agrees is True
    assert analyzer.said and simulator.said
    json.dumps([analyzer.said, simulator.said])


@pytest.mark.parametrize("name", LINES)
def test_the_line_of_the_card(name: str) -> None:
    """Who agrees, out of three, and who did not tell."""
    view = replace(CARDS["small:open_1"], proof=PROOFS[name])
    assert ticket_proof.line(view) == LINES[name]


@pytest.mark.parametrize("card", [n for n, v in CARDS.items() if v.ticket.state is TicketState.OPEN])
@pytest.mark.parametrize("name", PROOFS)
def test_it_fits_on_every_card_and_thread(card: str, name: str) -> None:
    """Within one screen, strangers’ words inert."""
    view = replace(CARDS[card], proof=PROOFS[name])
    payload = checked(ticket.card(view))
    assert weight(payload["blocks"]) < 1600
    assert "ticket.evidence" in buttons(payload)
    found = PROOFS[name]
    shown = checked(ticket_proof.thread(view, found))
    assert weight(shown["blocks"]) < 9_600
