"""handlers.blocks.ticket: every card within one screen, no stranger's word ever markup, and buttons only where they can act."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from advisor.core.lifecycle import ENDED
from advisor.core.removal import TicketState as S
from handlers.blocks import ticket
from tests.drawn import nodes, strings, weight
from tests.ticket_views import BAD, CARDS, IDS, MOVED, PLANS, checked, opened

CHANGING = IDS - {"ticket.diff", "ticket.replan", "ticket.evidence"}


def buttons(payload: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By action id."""
    found = [n for n in nodes(payload) if n.get("type") == "button"]
    assert len({b["action_id"] for b in found}) == len(found)
    return {b["action_id"]: b for b in found}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_of_every_state_fits_one_screen(name: str) -> None:
    """Under 1,600 characters and at most 11 blocks; limits hold, strangers' words are inert."""
    payload = checked(ticket.card(CARDS[name]))
    assert len(payload["blocks"]) <= 11
    assert weight(payload["blocks"]) < 1600
    assert "EVIL" not in str([n for n in nodes(payload) if n.get("type") == "mrkdwn"])


@pytest.mark.parametrize("name", CARDS)
def test_the_plain_form_of_every_card_has_its_buttons(name: str) -> None:
    """What is sent when Slack refuses the full one."""
    full, short = ticket.card(CARDS[name]), ticket.minimal(CARDS[name])
    payload = checked(short)
    assert len(payload["blocks"]) <= 4
    assert payload["text"] == full.payload()["text"]
    assert list(buttons(payload)) == list(buttons(full.payload()))


@pytest.mark.parametrize("name", CARDS)
def test_the_spoken_text_says_the_whole_result(name: str) -> None:
    """About 260 characters; names the entity, never a reason, tag or path."""
    view = CARDS[name]
    text = ticket.card(view).text
    assert text.startswith("Ticket 12 ")
    assert view.name in text
    assert view.ticket.reason not in text
    assert not view.owner_tag or view.owner_tag[:80] not in text
    assert view.entity.path == "/" or view.entity.path not in text
    if "hostile" not in name and "asked" not in name and "long" not in name:
        assert len(text) <= 290


@pytest.mark.parametrize("name", CARDS)
def test_an_account_never_stands_without_its_number(name: str) -> None:
    """An alias is untrusted."""
    assert CARDS[name].account.id in " ".join(strings(ticket.card(CARDS[name]).payload()["blocks"]))


@pytest.mark.parametrize("name", CARDS)
def test_buttons_follow_the_state(name: str) -> None:
    """An ended ticket has none that could change it; one primary; red only where a click leads to a write."""
    view = CARDS[name]
    found = buttons(ticket.card(view).payload())
    state = view.ticket.state
    assert {"ticket.diff", "ticket.evidence"} <= set(found)
    if state in ENDED:
        assert not CHANGING & set(found)
    assert ("ticket.approve" in found) is (state is S.OPEN and not view.ticket.advice)
    assert sum(b.get("style") == "primary" for b in found.values()) <= 1
    red = {i for i, b in found.items() if b.get("style") == "danger"}
    assert red <= {"ticket.retry", "ticket.rollback", "ticket.finish"}
    for action in {"ticket.approve", "ticket.cancel", "ticket.retry", "ticket.finish"} & set(found):
        assert found[action]["confirm"]["text"]["type"] == "plain_text"
    for action in {"ticket.reject", "ticket.keep", "ticket.rollback", "ticket.replan"} & set(found):
        assert "confirm" not in found[action]
        assert found[action]["text"]["text"].endswith("…")
    if "ticket.approve" in found:
        last = len(view.approvals) + 1 >= view.needed
        assert (found["ticket.approve"]["confirm"].get("style") == "danger") is last


@pytest.mark.parametrize("name", CARDS)
def test_the_emergency_light_is_for_one_state(name: str) -> None:
    """🚨 is used for nothing else."""
    lit = {n["name"] for n in nodes(ticket.card(CARDS[name]).payload()) if n.get("type") == "emoji"}
    assert ("rotating_light" in lit) is (CARDS[name].ticket.state is S.NEEDS_HUMAN)


def drawn(payload: Any) -> list[str]:
    """A card in lines, as a person reads it."""
    out: list[str] = []
    for block in payload["blocks"]:
        if block["type"] == "rich_text":
            for part in block["elements"]:
                lines = part["elements"] if part["type"] == "rich_text_list" else [part]
                mark = {"rich_text_list": "* ", "rich_text_quote": "> "}.get(part["type"], "")
                out += [mark + "".join(map(_leaf, line["elements"])) for line in lines]
        elif block["type"] == "context":
            out.append("~ " + " | ".join(e["text"] for e in block["elements"]))
        elif block["type"] == "actions":
            out.append(" ".join(f"[{b['text']['text']}]" for b in block["elements"]))
        else:
            out.append("# " + block["text"]["text"])
    return out


def _leaf(leaf: dict[str, Any]) -> str:
    match leaf["type"]:
        case "emoji":
            return f":{leaf['name']}:"
        case "date":
            return str(leaf["fallback"])
        case "user":
            return f"@{leaf['user_id']}"
        case "usergroup":
            return f"@{leaf['usergroup_id']}"
        case _:
            return str(leaf["text"])


# -- word for word -------------------------------------------------------------------------------------------------

WHOSE = "~ Role in prod (111111111111) | Requested by <@U0ALICE0001>, <!date^1795512000^{date_short_pretty} {time}|24 Nov 2026 09:20 UTC> | Owner <@U0DAVE00001>"
GO = "application-autoscaling, athena, cassandra, cloudwatch, dax, devops-guru, dms, docdb-elastic, ec2, elasticache, logs, memorydb, neptune-db, outposts, pi, rds, redshift, sns, timestream"
PLAN = [
    WHOSE,
    "> Reason: Quarterly clean-up. RDS moved to the platform account in May.",
    "What changes, one role, nobody else",
    "* Edit db-admin-inline (inline policy): 10 services out, 4 stay",
    "* Detach AmazonRDSFullAccess (AWS managed): 9 services",
    f"* Go: {GO}",
    "* Stay: dynamodb, s3 (used) · kms (kept until 2027-01-31) · secretsmanager (stale) · lambda, sqs (policy shared with 2 others) · end-user-messaging (not tracked)",
    "[Approve] [Reject…] [Show the diff] [Keep, because…] [Cancel] [Evidence]",
    "~ Rests on the report of 24 Nov 2026 09:12 UTC: no attempt at these 19 in up to 400 days. Before writing, the bot reads everything again; if anything moved or was used, it writes nothing.",
]
EXACTLY = {
    "open_0": (
        "Ticket 12 waits for approval, 0 of 2: remove 19 of 25 services from DBAdminRole in prod, by editing db-admin-inline and detaching AmazonRDSFullAccess. Expires 1 Dec 2026 09:20 UTC.",
        [
            "# Ticket 12: remove 19 of 25 services from DBAdminRole",
            ":raised_hand: Waiting for approval, 0 of 2 · @S0APPROVERS, not @U0ALICE0001 · until 1 Dec 2026 09:20 UTC",
            *PLAN,
        ],
    ),
    "open_1": (
        "Ticket 12 waits for approval, 1 of 2: remove 19 of 25 services from DBAdminRole in prod, by editing db-admin-inline and detaching AmazonRDSFullAccess. Expires 1 Dec 2026 09:20 UTC.",
        [
            "# Ticket 12: remove 19 of 25 services from DBAdminRole",
            ":raised_hand: Waiting for approval, 1 of 2 · @U0CAROL0001 approved 24 Nov 2026 10:02 UTC · one more of @S0APPROVERS, not @U0ALICE0001 · until 1 Dec 2026 09:20 UTC",
            *PLAN,
        ],
    ),
    "applied": (
        "Ticket 12 is applied: DBAdminRole in prod lost 19 of 25 services, read back and equal to the plan. Roll back stays available.",
        [
            "# Ticket 12: DBAdminRole lost 19 of 25 services",
            ":white_check_mark: Applied 24 Nov 2026 10:32 UTC · approved by @U0CAROL0001 and @U0BOB000001",
            WHOSE,
            "What changed, read back and equal to the plan",
            "* Edited db-admin-inline: 10 services out, 4 stay",
            "* Detached AmazonRDSFullAccess: 9 services",
            "* Left: dynamodb, end-user-messaging, kms, lambda, s3, secretsmanager, sqs",
            "[Show the diff] [Roll back…] [Evidence]",
            "~ Roll back gives back the very text that was there, as long as nobody else has changed these policies.",
        ],
    ),
    "stuck": (
        "Ticket 12 needs a person: it stopped at step 2 of 2 for DBAdminRole in prod. Right now DBAdminRole has lost 10 of the 19 services. The other 9 still work. Retry or roll back.",
        [
            "# Ticket 12: stopped half way, DBAdminRole is part changed",
            ":rotating_light: Needs a person · stopped at step 2 of 2, 24 Nov 2026 10:32 UTC · @S0APPROVERS",
            "* :white_check_mark: Done: db-admin-inline edited, read back and equal",
            "* :warning: Not done: detach AmazonRDSFullAccess. AWS refused iam:DetachRolePolicy: the bot may not",
            "Right now DBAdminRole has lost 10 of the 19 services. The other 9 still work.",
            "AWS’s own words:",
            "> User is not authorized to perform iam:DetachRolePolicy with an explicit deny in a service control policy",
            "Ways out",
            "* Retry once AWS allows it",
            "* Roll back gives back what is written so far",
            "* Or do it by hand in AWS (detach AmazonRDSFullAccess), then Retry: the bot sees that it is done",
            WHOSE,
            "[Retry step 2] [Roll back…] [Show the diff] [Evidence]",
            "~ One approver is enough for either. Nothing happens by itself.",
        ],
    ),
    "stuck_back": (
        "Ticket 12 needs a person: rolling back stopped at step 2 of 2 for DBAdminRole in prod. Right now 9 of the 19 services are back, 10 are not. Retry.",
        [
            "# Ticket 12: roll back stopped, DBAdminRole is part restored",
            ":rotating_light: Needs a person · roll back stopped at step 2 of 2, 24 Nov 2026 10:32 UTC · @S0APPROVERS",
            "* :white_check_mark: Done: AmazonRDSFullAccess attached, read back and equal",
            "* :warning: Not done: put db-admin-inline back",
            "Right now 9 of the 19 services are back, 10 are not.",
            "What moved",
            "* db-admin-inline is not what ticket 12 left: someone edited it since",
            "Ways out",
            "* Show the diff has the saved texts, to put back by hand",
            "* Retry once the policy is again what this ticket left; it never overwrites other people’s work",
            WHOSE,
            "[Retry step 2] [Show the diff] [Evidence]",
            "~ One approver is enough. Nothing happens by itself.",
        ],
    ),
}


@pytest.mark.parametrize("state", EXACTLY)
def test_the_main_cards_word_for_word(state: str) -> None:
    """What is said, and what is drawn."""
    message = ticket.card(CARDS[f"small:{state}"])
    text, lines = EXACTLY[state]
    assert message.text == text
    assert drawn(message.payload()) == lines


def test_what_moved_word_for_word() -> None:
    """A line each; then that nothing was written and what to do."""
    view = opened(state=S.DRIFTED, moved=(MOVED[0], MOVED[3]))
    message = ticket.card(view)
    assert message.text == (
        "Ticket 12 stopped before writing: db-admin-inline and 1 more of DBAdminRole in prod moved after the plan was made. Nothing was written. Plan again is offered."
    )
    assert drawn(message.payload()) == [
        "# Ticket 12: stopped before writing anything",
        ":warning: Moved since the plan was made · nothing was written · 24 Nov 2026 10:32 UTC",
        "What moved",
        "* db-admin-inline is not the document that was approved: someone changed it",
        "* rds was used 24 Nov 2026 10:05 UTC, after the plan",
        WHOSE,
        "[Plan again…] [Show the diff] [Evidence]",
        "~ The bot does not know who changed it; CloudTrail does. “Plan again” makes a new ticket that needs new approvals.",
    ]


@pytest.mark.parametrize("one", [*MOVED, *BAD], ids=lambda m: f"{m.what}-{m.detail}"[:20])
def test_everything_that_moves_has_a_line(one: Any) -> None:
    """On a card of its own."""
    payload = checked(ticket.card(opened(PLANS["shared"], S.DRIFTED, moved=(one,))))
    lines = drawn(payload)
    assert len(lines[lines.index("What moved") + 1]) > 12


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "small:open_0",
            "Takes 19 services from DBAdminRole in prod: edits db-admin-inline, detaches AmazonRDSFullAccess. Yours is approval 1 of 2: nothing is written before approval 2.",
        ),
        (
            "small:open_1",
            "Takes 19 services from DBAdminRole in prod: edits db-admin-inline, detaches AmazonRDSFullAccess. Yours is the last approval needed: the change starts at once. All is read again first; if anything moved, nothing is written.",
        ),
        (
            "quarantine:open_only",
            "Denies everything to TestRole-DeleteLater in prod; its policies stay. Yours is the only approval needed: the change starts at once. All is read again first; if anything moved, nothing is written.",
        ),
        (
            "shared:open_0",
            "Takes 4 services from DataLakeAccess in prod. Reaches 9 users and roles and every member of 1 group. Yours is approval 1 of 2: nothing is written before approval 2.",
        ),
    ],
)
def test_the_question_before_an_approval(name: str, said: str) -> None:
    """What goes, from whom, and whether this approval is the last one."""
    asked = buttons(ticket.card(CARDS[name]).payload())["ticket.approve"]["confirm"]
    assert asked["text"]["text"] == said
    assert asked["title"]["text"] == "Approve ticket 12?"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "shared:open_0",
            "Prune version v3 of DataLakeAccess, the oldest of 5 (AWS keeps 5). Its text is saved first",
        ),
        ("shared:open_0", ":warning: Reaches 9 users and roles and every member of 1 group: "),
        ("group:open_0", ":warning: Reaches every member of the group"),
        ("unattached:open_0", ":warning: Reaches nobody: the policy is attached to nothing"),
        ("whole_role:open_0", "Stay: nothing. Afterwards the role can do nothing"),
        (
            "everything:open_0",
            ":warning: A person decided, not the report: s3: stale, last attempt 8 May 2026, 200 days before the report",
        ),
        ("everything:open_0", "Chosen, but stays: svc300 (granted by NotAction in Policy)"),
        ("quarantine:applied", "AWSDenyAll is attached, so it is denied everything."),
        (
            "small:not_begun",
            "Approved, not begun · AWS refused iam:DetachRolePolicy: the bot may not. Nothing was written",
        ),
        (
            "small:applying",
            ":hourglass_flowing_sand: Now: detach AmazonRDSFullAccess; written, reading back (AWS may take a minute)",
        ),
        (
            "small:partly_back",
            ":leftwards_arrow_with_hook: 1 given back: application-autoscaling, by @U0CAROL0001",
        ),
        ("small:by_hand", "by hand: an audit found the policies as this ticket proposed"),
        (
            "small:stuck_unseen",
            "Not known: detach AmazonRDSFullAccess. AWS took the call, but the change was not seen within a minute",
        ),
        ("small:superseded", "Superseded by ticket 14"),
        (
            "of_450:open_0",
            "Go: svc000, svc001, svc002, svc003, svc004, svc005, svc006, svc007 and 442 more in the diff",
        ),
        ("hostile:open_0", ":warning: Managed by code (tag EVIL"),
    ],
)
def test_a_card_says_what_matters(name: str, said: str) -> None:
    """The lines that people decide by."""
    assert said in "\n".join(drawn(ticket.card(CARDS[name]).payload()))


def test_what_went_back_and_what_stays_removed_add_up() -> None:
    """A policy that went back whole counts with all its services: 9 of it and one more are back, 9 of 19 are not."""
    view = CARDS["small:partly_back"]
    both = replace(view, ticket=replace(view.ticket, given=("AmazonRDSFullAccess", "athena")))
    said = "\n".join(drawn(ticket.card(both).payload()))
    assert len(view.plan.services) == 19
    assert "10 given back: AmazonRDSFullAccess, athena" in said
    assert "9 stay removed" in said
