"""handlers.blocks.home: what waits comes first, no stranger's word is markup, and Slack takes it whatever it holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from advisor.core.estate import Cadence, Part, Rhythm, Schedule, SweepState
from advisor.core.home import (
    SHOWN,
    AuditLine,
    Counts,
    Few,
    HomeView,
    KeepLine,
    OwnedLine,
    Place,
    Reader,
    SweepLine,
    SweptLine,
    TicketLine,
)
from advisor.core.model import Account, Asked, Failure, Kind, RequestState
from advisor.core.removal import Keep, TicketState
from handlers.blocks import answers, home, home_lines
from handlers.blocks.home_lines import Page
from handlers.blocks.kit import Json
from handlers.homes import HOME
from tests.drawn import nodes, safe
from tests.sandbox.slack import limits
from tests.views import ALIAS, HOSTILE, LONG
from tests.worlds import ACCOUNT, NOW, entity

ALICE, BOB = "U0ALICE0001", "U0BOB000001"
CARD = Place("C0SECURITY1", "1795600000.000100")
LINK = "https://example.slack.com/archives/C0SECURITY1/p1795600000000100"
PROD = Account(ACCOUNT, "prod")


def ticket(number: int, state: TicketState, name: str = "db-backup", **more: Any) -> TicketLine:
    values = {"services": 6, "granted": 11, "approvals": 1, "card": CARD} | more
    return TicketLine(
        number, state, entity(name=name), NOW - timedelta(days=1), NOW + timedelta(days=6), **values
    )


def audit(number: int, state: RequestState, name: str = "DBAdminRole", **more: Any) -> AuditLine:
    values = {"entity": entity(name=name), "card": CARD} | more
    return AuditLine(number, state, Asked(Kind.ROLE, name), NOW, **values)


def keep(name: str = "DBAdminRole", reason: str = "yearly key rotation") -> KeepLine:
    until = NOW + timedelta(days=68)
    return KeepLine(Keep(5, 1, "kms", ALICE, until, reason, NOW), entity(name=name))


def every(text: str = "") -> HomeView:
    """A home with something in each list; `text` stands wherever a stranger's word can."""
    name = text or "DBAdminRole"
    waiting = (
        ticket(12, TicketState.NEEDS_HUMAN, name),
        ticket(13, TicketState.NEEDS_HUMAN, name, back=True),
        ticket(14, TicketState.OPEN, name),
        ticket(15, TicketState.OPEN, name, services=0, actions=61),
        ticket(16, TicketState.OPEN, name, quarantine=True),
    )
    states = [s for s in TicketState if s not in {TicketState.DRAFT, TicketState.VOID}]
    mine = tuple(ticket(20 + n, s, name, services=n) for n, s in enumerate(states))
    rhythms = (
        Rhythm(Cadence.WEEKLY, "mon", "09:00", "Europe/Stockholm"),
        Rhythm(Cadence.DAILY, "", "09:00", "UTC"),
        Rhythm(Cadence.MONTHLY, "last", "09:00", text or "Not/AZone"),
    )
    schedules = tuple(
        Schedule(
            31 + n,
            what,
            ALICE,
            "C0SECURITY1",
            r,
            NOW + timedelta(days=6),
            NOW,
            accounts,
            tag=text or "team=a",
        )
        for n, (what, r, accounts) in enumerate(
            zip(
                ("digest", "digest", "sweep"),
                rhythms,
                (("prod", "dev"), (), (text or "all", "a", "b", "c")),
                strict=True,
            )
        )
    )
    failure = Failure("refused", "sts:AssumeRole", message=text)
    return HomeView(
        Reader(ALICE, auditor=True, approver=True),
        NOW,
        needed=2,
        known=(Account(ACCOUNT, text[:60] or "prod"),),
        waiting=Few(waiting, 9),
        tickets=Few(mine, 40),
        audits=(
            audit(1, RequestState.DONE, name, counts=Counts(25, 2, 19)),
            audit(2, RequestState.DONE, name),
            audit(3, RequestState.FAILED, name, failure=failure),
            audit(4, RequestState.RUNNING, name, card=Place()),
            replace(audit(5, RequestState.QUEUED, name), entity=None),
        ),
        owned=Few(
            (
                OwnedLine(entity(name=name), Counts(25, 2, 19), ticket(14, TicketState.OPEN, name)),
                OwnedLine(entity(name=name), None, None),
            ),
            7,
        ),
        schedules=Few(schedules, 8),
        sweeps=Few((SweepLine(9, ALICE, "C0SECURITY1", text or "all", SweepState.RUNNING, NOW, CARD),), 1),
        keeps=Few((keep(name, text or "yearly key rotation"),), 6),
        accounts=Few(
            tuple(
                SweptLine(ACCOUNT, state, NOW, 503, failed, failure if state is Part.FAILED else None, text)
                for state, failed in ((None, 0), *((p, 0) for p in Part), (Part.DONE, 2))
            ),
            120,
        ),
    )


def page(view: HomeView, **more: Any) -> Page:
    return Page(view, {CARD: LINK}, {"C0SECURITY1": more.pop("channel", "security")}, **more)


def checked(view: Json) -> str:
    """Slack takes it, strangers' words are inert, ids are documented ones; everything that it says as one text."""
    assert view["type"] == "home"
    assert limits.check_view(view) == []
    safe({**view, "blocks": [b for b in view["blocks"] if not _linking(b)]})
    for node in nodes(view):
        assert node.get("url") in {None, LINK}
        if node.get("type") == "mrkdwn":
            assert "EVIL" not in node["text"]
        if "action_id" in node:
            assert any(node["action_id"] == i or node["action_id"].startswith(f"{i}.") for i in HOME)
            assert len(node["text"]["text"]) <= 30
    return " ".join(str(n["text"]) for n in nodes(view["blocks"]) if isinstance(n.get("text"), str))


def _linking(block: Json) -> bool:
    return any(n.get("type") == "link" for n in nodes(block))


@pytest.mark.parametrize("text", ["", HOSTILE, LONG, ALIAS], ids=["plain", "hostile", "long", "alias"])
def test_slack_takes_it_whatever_it_holds(text: str) -> None:
    """Every state in every list, with hostile and endless names."""
    view = every(text)
    told = checked(home.home(page(view, channel=text or "security")))
    assert "Waiting for you: 9" in told
    assert checked(home.minimal(page(view)))


def test_a_full_home_is_far_from_a_hundred_blocks() -> None:
    """Five lines of each list; a list says how many more there are."""
    view = every()
    few = Few(tuple(ticket(n, TicketState.OPEN) for n in range(SHOWN)), 9)
    owned = Few(tuple(OwnedLine(entity(name=f"r{n}")) for n in range(SHOWN)), 9)
    keeps = Few((keep(),) * SHOWN, 9)
    digests = Few((every().schedules.rows[0],) * SHOWN, 9)
    full = replace(view, waiting=few, owned=owned, keeps=keeps, schedules=digests)
    made = home.home(page(full))
    assert len(made["blocks"]) <= 50
    assert str(made).count("4 more") == 4


def test_the_words_of_the_design() -> None:
    """As the drawn design has them: what a person reads first, and each line of a list."""
    told = checked(home.home(page(every())))
    for line in (
        "Needs a person: ticket 12, stopped half way. DBAdminRole (role in prod) is part changed. Retry or roll back",
        "Waiting for approval, 1 of 2: ticket 14, remove 6 of 11 services from DBAdminRole (role in prod). Until ",
        "remove 61 actions from DBAdminRole (role in prod)",
        "quarantine DBAdminRole (role in prod)",
        "Digest of prod and dev with team=a in #security: Mondays 09:00 (Europe/Stockholm), next ",
        "kms for DBAdminRole (role in prod), until ",
        "“yearly key rotation”",
        "kms of DBAdminRole may then be planned for removal. Nothing is removed now.",
        "DBAdminRole (role in prod): 2 of 25 used, 19 could go. Waiting for approval, ticket 14: 6 services would go",
        ", prod: 2 of 25 used, 19 could go · ",
        "You may audit, approve and roll back. Not your own tickets: they need 2 other approvers.",
        ". Showing the latest 5 of each list; /iam-audit tickets and /iam-audit keeps list all.",
    ):
        assert line in told, line


def test_the_empty_home() -> None:
    """What the app is for, and how to begin."""
    reader = Reader(BOB, auditor=True)
    view = HomeView(reader, NOW)
    made = home.home(page(view))
    told = checked(made)
    assert "Nothing waits for you" in told
    assert "You may audit. You may not approve: ask your operator (IAM_AUDIT_APPROVERS)." in told
    assert "Showing" not in told
    buttons = [e["action_id"] for e in made["blocks"][0]["elements"]]
    assert buttons == ["home.new", "home.digest_new", "home.refresh"]


@pytest.mark.parametrize("word", sorted(answers._REFUSED))
def test_whoever_may_not_reads_why(word: str) -> None:
    """The words of every other refusal, and a way to try again."""
    made = home.turned_away(answers.refused(word), NOW)
    assert answers._REFUSED[word][0] in checked(made)


def test_a_view_is_the_same_whenever_it_was_drawn() -> None:
    """The print of a home leaves out when it was drawn, and nothing else."""
    view = every()
    first, later = (home.home(page(replace(view, now=NOW + timedelta(hours=h)))) for h in (0, 9))
    assert first != later
    assert home.print_of(first) == home.print_of(later)
    other = home.home(page(replace(view, keeps=Few())))
    assert home.print_of(first) != home.print_of(other)


def test_the_next_day_is_in_the_zone_of_the_schedule() -> None:
    """Monday nine in Auckland is Sunday in UTC."""
    due = NOW.replace(year=2026, month=11, day=29, hour=20)
    rhythm = Rhythm(Cadence.WEEKLY, "mon", "09:00", "Pacific/Auckland")
    one = Schedule(1, "digest", ALICE, "C1", rhythm, due, NOW)
    assert home_lines.next_day(one) == "30 Nov"
    assert home_lines.next_day(replace(one, rhythm=replace(rhythm, zone="No/Zone"))) == "29 Nov"
