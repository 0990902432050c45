"""handlers.blocks.diff: what a ticket writes, word for word, and what a reply has no room for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.core.plan import NAME
from advisor.core.removal import Plan, Standing, TicketState, Treatment
from advisor.core.rewrite import Change
from handlers.blocks.diff import diff
from handlers.blocks.statements import Tally, entries
from handlers.blocks.ticket_view import TicketView
from tests import plans
from tests.drawn import checked, weight
from tests.views import HOSTILE
from tests.worlds import allow, document, entity

SHORT = """\
What ticket 12 writes · 2 changes, in this order. Lines with - go, nothing is added
1 of 2 · db-admin-inline, inline policy: 1 of 2 statements changes, 10 actions go
  Statement 1 "DatabaseAdmin": Allow, Resource *
-   athena:*
-   cassandra:*
-   dax:*
-   dms:*
-   docdb-elastic:*
    dynamodb:*
-   elasticache:*
    kms:Decrypt
-   memorydb:*
-   neptune-db:*
-   redshift:*
    s3:*
    secretsmanager:GetSecretValue
-   timestream:*
  Statement 2 "DenyProdDelete": Deny, untouched
2 of 2 · AmazonRDSFullAccess, AWS managed: detached whole
- arn:aws:iam::aws:policy/AmazonRDSFullAccess
Plan 7f3c 91aa. Both documents, before and after, letter by letter, are in ticket-12-diff.txt below."""


def drawn(view: TicketView) -> str:
    """The blocks as a reader sees them; each reply is checked for limits, markup and its own size."""
    payload = checked(diff(view))
    assert weight(payload["blocks"]) < 9_000
    assert len(payload["blocks"]) <= 50
    lines = []
    for block in payload["blocks"]:
        for element in block["elements"]:
            parts = element.get("elements", [element])
            lines.append("".join(p.get("text") or p.get("fallback") or f":{p['name']}:" for p in parts))
    return "\n".join(lines)


def said(view: TicketView) -> str:
    return str(diff(view).payload()["text"])


def test_an_open_ticket_word_for_word() -> None:
    """What goes, in which order, that nothing is added, and where the whole texts are."""
    view = plans.view(plans.dba())
    assert drawn(view) == SHORT
    assert said(view) == (
        "What ticket 12 changes in DBAdminRole: 1 of 2 documents edited (db-admin-inline: 10 actions out, none in), "
        "1 policy detached (AmazonRDSFullAccess). The full texts are in the attached file."
    )


def test_an_applied_ticket_word_for_word() -> None:
    """In the past tense, and that live documents equal the plan."""
    view = plans.view(plans.dba(), state=TicketState.APPLIED)
    first, second, *rest = drawn(view).split("\n")
    was = SHORT.split("\n")
    assert first == (
        "What ticket 12 wrote · 2 changes. Live documents equal the plan, read 24 Nov 2026 10:33 UTC"
    )
    assert second == "1 of 2 · db-admin-inline, inline policy: 10 actions went, none came"
    assert rest[:-1] == was[2:-1]
    assert rest[-1] == "Plan 7f3c 91aa. The saved texts, letter by letter, are in ticket-12-diff.txt below."
    assert said(view) == (
        "What ticket 12 changed in DBAdminRole: db-admin-inline 10 actions out, AmazonRDSFullAccess detached. "
        "Live documents equal the plan."
    )


@pytest.mark.parametrize(
    ("view", "first"),
    [
        (
            plans.view(plans.dba(), state=TicketState.APPLIED, given=("dms",)),
            "What ticket 12 wrote · 2 changes. Given back since: dms. Live documents do not equal the plan any more",
        ),
        (
            plans.view(plans.dba(), state=TicketState.NEEDS_HUMAN, done=1),
            "What ticket 12 wrote in part · 2 changes, 1 of 2 writes is known to be done",
        ),
        (
            plans.view(plans.dba(), state=TicketState.ROLLED_BACK, done=2),
            "What ticket 12 wrote · 2 changes. All that was written was rolled back: the saved texts are there again",
        ),
        (
            plans.view(plans.dba(), state=TicketState.REJECTED),
            "What ticket 12 would have written · 2 changes, in this order. Lines with - go, nothing is added. Nothing was written",
        ),
        (
            plans.view(plans.dba(), advice=True),
            "What ticket 12 proposes · 2 changes, in this order. Lines with - go, nothing is added",
        ),
        (
            plans.view(plans.dba(), state=TicketState.APPLIED, advice=True, done=0),
            "What ticket 12 proposed · 2 changes, made by hand. Live documents equal the plan, read 24 Nov 2026 10:12 UTC",
        ),
    ],
)
def test_the_first_line_says_what_is_true_of_aws(view: TicketView, first: str) -> None:
    """“Live documents equal the plan” only where all was written and nothing was given back."""
    assert drawn(view).split("\n")[0] == first
    assert ("equal the plan." in said(view)) == ("equal the plan, read" in first)


def test_a_ticket_that_stopped_halfway_says_of_each_change_whether_it_was_written() -> None:
    text = drawn(plans.view(plans.dba(), state=TicketState.NEEDS_HUMAN, done=1))
    assert "1 of 2 statements changes, 10 actions go · written\n" in text
    assert "AWS managed: detached whole · not written" in text


def test_narrower_wildcards_are_marked_with_what_they_lie_in() -> None:
    text = drawn(plans.view(plans.narrowed()))
    assert "-   ec2:*\n" in text
    assert "+   ec2:CreateTags   inside ec2:*\n+   ec2:D*           inside ec2:*\n" in text
    assert "1 of 1 statement changes, 1 wildcard gets narrower" in text
    assert "3 marked + stand in for a wildcard and lie inside it: nothing new is granted" in text
    assert "nothing is added" not in text


def test_a_longer_list_of_exceptions_is_no_grant() -> None:
    text = drawn(plans.view(plans.excepted()))
    assert "Statement 1: Allow all but, Resource *\n    iam:*\n+   sqs:*   no longer allowed" in text
    assert "1 marked + is an exception that takes away more" in text


@pytest.mark.parametrize(
    ("before", "after", "inside"),
    [
        (("s3:*",), ("s3:Get*",), True),
        (("*",), ("s3:*",), True),
        (("s3:*Object",), ("s3:Get*Object",), True),
        (("s3:Get*",), ("s3:*",), False),
        (("s3:Get?",), ("s3:Get*",), False),
        (("s3:G?t*",), ("s3:G*",), False),
        (("s3:Get*",), ("sqs:Get*",), False),
        (("s3:*",), ("s3:Get?",), True),
        (("s3:Get*",), ("s3:Ge?*",), False),
    ],
)
def test_nothing_is_said_to_lie_inside_what_does_not_hold_it(
    before: tuple[str, ...], after: tuple[str, ...], *, inside: bool
) -> None:
    """And the first line then does not say that nothing new is granted."""
    change = Change(0, "", "Allow", "Action", before, after)
    assert entries(change)[-1].inside == (before[0] if inside else "")
    assert Tally.of([change]).loose == (not inside)
    plan = plans.narrowed()
    plan = replace(plan, edits=(replace(plan.edits[0], changes=(change,)),))
    text = drawn(plans.view(plan))
    assert ("nothing new is granted" in text) == inside
    assert ("inside nothing that goes: read them one by one" in text) != inside


def test_every_treatment_says_what_it_attaches_and_detaches() -> None:
    text = drawn(plans.view(plans.everything()))
    ours = f"{plans.OURS}/IAMAudit-R-t12"
    assert "2 of 6 · Gone, inline policy: deleted whole, 1 of 1 statement changes, 1 action goes\n" in text
    assert (
        "- Statement 1: Allow, Resource *\n-   sqs:*\n  (the whole statement goes: nothing is left in it)"
        in text
    )
    assert f"- delete version v1 of {plans.OURS}/Own" in text
    assert "98 characters before, 90 after, without white space, of 6,144." in text
    assert "5 of 6 · Shared, managed: replaced by a copy of what stays" in text
    assert 'Condition {"StringLike": {"aws:PrincipalTag/x": "${aws:username}"}}' in text
    assert f"+ create {ours}\n+ attach {ours}\n- detach {plans.OURS}/Shared" in text
    assert "6 of 6 · Wide, AWS managed: replaced by a policy of what stays" in text
    assert f"+ attach {ours}-3\n- detach arn:aws:iam::aws:policy/Wide" in text
    assert "What is attached instead holds only what stays: nothing new is granted" in text


def test_a_quarantine_is_one_attachment() -> None:
    text = drawn(plans.view(plans.denied()))
    assert "+ attach arn:aws:iam::aws:policy/AWSDenyAll" in text
    assert "1 change: everything is denied, no document is touched" in text
    assert "nothing is added" not in text


def test_detachments_in_a_row_share_a_line() -> None:
    held = [plans.managed(f"arn:aws:iam::aws:policy/P{n}", allow("rds:*")) for n in range(3)]
    standing = Standing(entity(), (), tuple(m.arn for m in held), managed=tuple(held))
    plan = plans.planned((), standing, *(plans.whole(Treatment.DETACH, m, "rds") for m in held))
    text = drawn(plans.view(plan))
    assert "1 to 3 of 3, AWS managed: detached whole\n- arn:aws:iam::aws:policy/P0\n- arn" in text
    assert "All 3 documents" in text


def test_a_policys_own_ticket_says_how_many_have_it() -> None:
    assert "1 of 1 · Own, managed, on 2 entities: " in drawn(plans.view(plans.of_policy()))


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (plans.large(17, 60), "1 of 17 changed statements is shown."),
        (plans.large(9, 60, documents=2), "2 of 18 changed statements are shown."),
        (plans.large(1, 450, documents=2), "1 of 2 changed statements is shown."),
        (plans.large(1, 1500), "0 of 1 changed statement is shown."),
        (plans.large(1, 4, documents=60), "more changes are in the file."),
        (plans.large(1, 4, documents=200, name="n" * NAME), "more changes are in the file."),
    ],
)
def test_a_long_diff_is_cut_at_whole_statements_and_says_so(plan: Plan, told: str) -> None:
    """Below 9,000 characters and 50 blocks; the approval is for all of it."""
    text = drawn(plans.view(plan, number=30))
    assert told in text
    assert "Read ticket-30-diff.txt below before you approve: the approval is for all of it." in text
    assert "Plan " in text and "The file has every document" in text
    past = drawn(plans.view(plan, number=30, state=TicketState.APPLIED))
    assert "before you approve" not in past


def test_a_cut_diff_shows_the_first_changed_statement_of_each_document() -> None:
    text = drawn(plans.view(plans.large(9, 60, documents=2), number=30))
    assert "1 of 2 · p00, inline policy: 9 of 9 statements change, 540 actions go, the first is\n" in text
    assert '  Statement 1 "S0": Allow, Resource arn:aws:s3:::b0/*\n    s3:*\n-   svc000:*' in text
    assert text.count("8 more changed statements are in the file.") == 2
    assert "What ticket 30 writes · 2 changes: 2 documents edited. 1,080 actions go" in text
    assert "2 of 18 changed statements are shown here; all are in the attached file." in said(
        plans.view(plans.large(9, 60, documents=2), number=30)
    )


def test_450_services_of_one_statement_are_shown_whole() -> None:
    text = drawn(plans.view(plans.large(1, 450)))
    assert text.count("\n-   svc") == 450
    assert "is shown" not in text


def test_a_statement_that_has_no_room_is_counted() -> None:
    text = drawn(plans.view(plans.large(1, 1500)))
    assert "(1,500 actions go, 1 stays: too long to show here)\nThe whole statement is in the file." in text


@pytest.mark.parametrize("state", list(TicketState))
@pytest.mark.parametrize("evil", [plans.EVIL, HOSTILE])
def test_hostile_names_make_no_markup_and_no_lines(evil: str, state: TicketState) -> None:
    """A name with a new line does not begin a line of its own."""
    text = drawn(plans.view(plans.everything(evil), state=state, done=3))
    assert "\nEOT" not in text
    assert "\n#" not in text
    evil_sid = plans.dba("EVIL", "EVIL\n- all", 'EVIL"\n+   *:*')
    assert "\n+" not in drawn(plans.view(evil_sid, state=state))


def test_a_pattern_with_a_new_line_stays_one_line() -> None:
    text = document(allow("s3:*\n-   ec2:*", "sqs:*"))
    plan = plans.planned(["sqs"], Standing(entity(), (("P", text),)))
    assert "    s3:* -   ec2:*\n-   sqs:*" in drawn(plans.view(plan))
