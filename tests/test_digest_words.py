"""handlers.blocks.digest…: every card, thread, form and answer of digests, quiet, crowded and hostile."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.digest import (
    Change,
    Digest,
    Ended,
    Ending,
    Next,
    Read,
    Thing,
    Totals,
    Unread,
    Waiting,
    Wanted,
    compare,
    shown_whole,
)
from advisor.core.estate import Cadence, Posting, PostingState, Rhythm, Schedule
from advisor.core.model import Account, Entity, Failure, Kind
from advisor.core.removal import Keep, TicketState
from advisor.edges.store.rows import digest_of, dump_digest
from handlers.blocks import answers, digest, digest_answers, digest_form, digest_thread
from handlers.blocks.digest_form import NewDigest
from handlers.blocks.digest_view import DigestView
from handlers.blocks.kit import Json, Message
from tests.drawn import nodes, safe
from tests.sandbox.slack import limits
from tests.scenarios.digesting import flat, visible
from tests.ticket_views import opened
from tests.views import ALIAS, HOSTILE
from tests.worlds import ACCOUNT, NOW, ago

IDS = re.compile(r"digest\.[a-z_.]+")


def thing(number: int = 1, name: str = "etl-nightly", alias: str = "prod") -> Thing:
    return Thing(number, name, Kind.ROLE, ACCOUNT, alias, f"arn:aws:iam::{ACCOUNT}:role/{name}")


def schedule(cadence: Cadence = Cadence.WEEKLY, day: str = "mon", **more: Any) -> Schedule:
    rhythm = Rhythm(cadence, day, "09:00", "Europe/Stockholm")
    return Schedule(31, "digest", "U0BOB000001", "C0SECURITY1", rhythm, NOW + timedelta(days=7), NOW, **more)


def crowded(name: str = "etl-nightly", alias: str = "prod", many: int = 30) -> Digest:
    """Everything that can happen, many times."""
    of = [thing(n, f"{name}{n}" if name == "etl-nightly" else name, alias) for n in range(1, many + 1)]
    services = tuple(f"service{n}" for n in range(40)) if name == "etl-nightly" else (name,) * 9
    ended = tuple(Ended(n, t, 19) for n, t in enumerate(of, 1))
    changes = tuple(Change(t, services, 10, 140) for t in of)
    return Digest(
        since=ago(days=7),
        until=NOW,
        accounts=tuple((f"{n:012}", alias) for n in range(1, 4)),
        totals=Totals(9000, 123_456, 400_000, 90_000, 1200, 3700, 8000),
        before=130_000,
        removed=ended,
        back=ended,
        expired=ended,
        grew=changes,
        unused=changes,
        again=changes,
        born=12,
        waiting=tuple(
            Waiting(n, t, 6, 1, NOW + timedelta(days=3), stuck=n == 2, advice=n == 3)
            for n, t in enumerate(of, 1)
        ),
        ending=tuple(Ending(n, t, name, NOW + timedelta(days=5)) for n, t in enumerate(of, 1)),
        next=tuple(Next(t, n, 31, 44, 0, 90, services[:5]) for n, t in enumerate(of[:5], 1)),
        more=many,
        unread=tuple(Unread(f"{n:012}", alias, ago(days=9), "refused") for n in range(many)),
        failed=4,
        maker="deactivated",
        log_rows=1204,
        log_hash="3f" * 32,
    )


def view(told: Digest | None, state: PostingState = PostingState.POSTED, of: Schedule | None = None, **more: Any) -> DigestView:  # fmt: skip
    failure = Failure("refused") if state is PostingState.FAILED else None
    posting = Posting(311, 31, NOW, ago(days=7), state, NOW, failure=failure)
    accounts = (Account(ACCOUNT, "prod"),)
    return DigestView(posting, of or schedule(), NOW, told, accounts, **more)


QUIET = Digest(ago(days=7), NOW, ((ACCOUNT, "prod"),), Totals(9, 318, 900, 80), 318)
VIEWS = {
    "crowded": view(crowded()),
    "crowded, linked": view(crowded(), links={1: "https://example.slack.com/archives/C1/p1"}),
    "hostile": view(
        crowded(HOSTILE, ALIAS), of=schedule(tag=f"team={HOSTILE}", mention=("U1", "S0APPROVERS"))
    ),
    "quiet": view(QUIET),
    "first": view(replace(QUIET, before=None)),
    "nothing at all": view(replace(QUIET, totals=Totals(), before=None)),
    "collecting": view(None, PostingState.COLLECTING, done=214, total=451),
    "due": view(None, PostingState.DUE),
    "failed": view(None, PostingState.FAILED, read_at=ago(days=7)),
    "once": view(crowded(many=1), of=schedule(ended_at=NOW)),
    "daily": view(QUIET, of=schedule(Cadence.DAILY, "")),
    "monthly": view(
        crowded(many=2), of=schedule(Cadence.MONTHLY, "last", accounts=(ACCOUNT,), severity="high")
    ),
}


def checked(message: Message) -> Json:
    """Slack takes it, and nobody can abuse it."""
    payload = message.payload()
    assert limits.check_message(payload) == []
    for node in nodes(payload["blocks"]):  # ours, and from checked ids and addresses
        if node.get("type") == "link":
            assert node["url"].startswith("https://example.slack.com/")
            node["type"] = "text"
        if node.get("type") == "channel":
            assert re.fullmatch(r"C\w+", node["channel_id"])
            node["type"] = "text"
        if node.get("type") == "usergroup":
            assert re.fullmatch(r"S\w+", node["usergroup_id"])
            node["type"] = "text"
        if "action_id" in node:
            assert IDS.fullmatch(node["action_id"])
            assert str(node.get("value", "1")).isdigit()
    safe(payload)
    assert not set("<>") & set(payload["text"])
    assert 0 < len(payload["text"]) <= 700
    return payload


@pytest.mark.parametrize("name", VIEWS)
def test_every_card_fits_one_screen(name: str) -> None:
    """Under 2,000 characters and 14 blocks, whatever happened; the plainer one too."""
    payload = checked(digest.card(VIEWS[name]))
    assert visible(payload["blocks"]) < 2000
    assert len(payload["blocks"]) <= 14
    checked(digest.minimal(VIEWS[name]))


@pytest.mark.parametrize("name", [n for n, v in VIEWS.items() if v.digest])
def test_every_thread_can_be_posted(name: str) -> None:
    """Every kind of change is there or counted; who is mentioned comes first."""
    made = digest_thread.details(VIEWS[name])
    if made:
        checked(made)


def test_the_quiet_one_is_one_line() -> None:
    """A line, the buttons, and when the next one comes."""
    payload = checked(digest.card(VIEWS["quiet"]))
    assert [b["type"] for b in payload["blocks"]] == ["rich_text", "actions", "context"]
    assert "318 services could go, as before" in str(payload)


def test_how_much_of_the_risk_the_next_ones_are() -> None:
    """Where there are more than are shown."""
    told = crowded()
    told = replace(told, next=tuple(replace(n, risk=10) for n in told.next))
    shown = sum(n.risk for n in told.next)
    of = replace(told, totals=replace(told.totals, risk=4 * shown))
    assert "they are 25 % of the risk that could go" in flat(checked(digest.card(view(of))))
    alone = replace(of, more=0)
    assert "% of the risk" not in flat(checked(digest.card(view(alone))))


def test_a_plan_is_shown_whole_or_not_at_all() -> None:
    """Every service of it stands in the sentence, or there is no button for it."""
    ticket = opened()
    assert shown_whole(ticket.plan, ticket.entity) in {True, False}
    waiting = Waiting(12, thing(), 2, 0, NOW, fingerprint="f")
    told = replace(QUIET, waiting=(waiting,))
    for services in (
        ("sns", "ses"),
        tuple(f"service-{n}" for n in range(10)),
        tuple("x" * 60 for _ in range(10)),
    ):
        edit = replace(ticket.plan.edits[0], out=services)
        plan = replace(ticket.plan, services=services, actions=(), edits=(edit,))
        sentence = digest.whole(replace(ticket, plan=plan))
        assert not sentence or all(s in sentence for s in services)
        if sentence:
            made = view(told, tickets={12: replace(ticket, plan=plan)})
            text = str(digest.card(made).payload()["blocks"])
            assert "digest.approve" in text and sentence in text
    assert "digest.approve" not in str(digest.card(view(told)).payload())


def test_what_is_frozen_comes_back() -> None:
    """Through JSON, to the last value."""
    for told in (crowded(), crowded(HOSTILE, ALIAS), QUIET):
        assert digest_of(dump_digest(told)) == told
    assert digest_of("") is None


@pytest.mark.parametrize(
    "word", [*digest_answers._SAID, *answers._UNDONE, "guest", "auditor", f"no_account:{HOSTILE}"]
)
def test_every_answer(word: str) -> None:
    """A title, and what to do."""
    checked(digest_answers.answer(word))


def test_lists_and_what_was_scheduled() -> None:
    """With hostile tags and many digests."""
    for count in (0, 1, 30):
        found = [(schedule(tag=f"team={HOSTILE}"), [Account(ACCOUNT, ALIAS)])] * count
        checked(digest_answers.listed(found))
        if count:
            checked(digest_answers.which(found))
            checked(digest_answers.made(*found[0]))
            checked(digest_answers.ended(found[0][0]))
    mine = replace(schedule(), channel="U0BOB000001")
    checked(digest_answers.listed([(mine, [])]))
    for many in (0, 3):
        checked(digest_answers.kept(many))


def test_what_stands_elsewhere() -> None:
    """Why it came by direct message, a refused file, a keep that ends, tickets opened together."""
    for why in ("shared", "archived", "not_joined", "anything"):
        checked(digest_thread.elsewhere(why))
    checked(digest_thread.no_file(HOSTILE))
    entity = Entity(ACCOUNT, Kind.ROLE, HOSTILE, "arn", "AROA", id=7)
    keep = Keep(5, 7, "kms", "U1", NOW + timedelta(days=7), HOSTILE, ago(days=90))
    text = checked(digest_thread.keep_ends(keep, entity, Account(ACCOUNT, ALIAS), NOW))["text"]
    assert "in 7 days" in text
    ticket = opened().ticket
    void = replace(ticket, state=TicketState.VOID, plan=None, failure=Failure("nothing"))
    rows = [(ticket, entity, Account(ACCOUNT, ALIAS)), (void, entity, Account(ACCOUNT))]
    assert "1 ticket opened together" in checked(digest_thread.opened("U1", rows))["text"]


def test_the_file_runs_no_formula() -> None:
    """A name that a spreadsheet would run gets an apostrophe."""
    one = Next(replace(thing(), arn="=cmd()"), 1, 3, 4, 0, 9, ("+s3",))
    lines = digest_thread.export(1, [one]).content.decode("utf-8-sig").splitlines()
    assert lines == [",".join(digest_thread.COLUMNS), f"{ACCOUNT},'=cmd(),3,4,0,9,'+s3"]


# -- forms ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accounts", [0, 1, 100, 101])
@pytest.mark.parametrize(
    "known",
    [None, schedule(), schedule(Cadence.MONTHLY, "15", tag="a=b", severity="high", mention=("U0BOB000001",), quiet=True, accounts=(ACCOUNT,))],
)  # fmt: skip
def test_the_form_and_back(accounts: int, known: Schedule | None) -> None:
    """Slack takes it; what it proposes, sent as it is, is the schedule as it was."""
    found = tuple(Account(f"{n:012}", ALIAS) for n in range(accounts - 1)) + (Account(ACCOUNT, "prod"),) * (
        accounts > 0
    )
    made = digest_form.new(NewDigest(found, "Europe/Stockholm", "C0SECURITY1", known))
    assert limits.check_view(made) == []
    safe(made)
    from tests.sandbox.slack.states import state_of

    values: Json = {
        b["block_id"]: {b["element"]["action_id"]: state_of(b["element"])}
        for b in made["blocks"]
        if b["type"] == "input"
    }
    wanted, errors = digest_form.wanted(values, "U1", "Europe/Stockholm")
    assert not errors
    if known:
        expected = Wanted(
            "C0SECURITY1", known.rhythm, known.accounts, known.tag, known.severity,
            known.mention, known.quiet,
        )  # fmt: skip
        assert wanted == expected
    else:
        assert wanted == Wanted("C0SECURITY1", Rhythm(Cadence.WEEKLY, "mon", "09:00", "Europe/Stockholm"))


def test_other_forms() -> None:
    """Keep, several, which one: within Slack's limits, with strangers' words inert."""
    entity = Entity(ACCOUNT, Kind.ROLE, HOSTILE, "arn", "AROA", id=7)
    for services in ((), ("s3",), tuple(f"s{n}" for n in range(300))):
        made = digest_form.keep(entity, Account(ACCOUNT, ALIAS), services, NOW.date())
        assert limits.check_view(made) == []
        safe(made)
    told = crowded(HOSTILE, ALIAS)
    for made in (
        digest_form.several("C1", told.next),
        digest_form.which([schedule(tag=f"x={HOSTILE}")] * 30, [Account(ACCOUNT, ALIAS)]),
    ):
        assert limits.check_view(made) == []
        safe(made)


# -- comparing -----------------------------------------------------------------------------------------------------


def report(at: Any, **days: float | None) -> Read:
    return Read(
        at, tuple(sorted((s, None if d is None else at - timedelta(days=d)) for s, d in days.items()))
    )


SERVICES = st.dictionaries(
    st.sampled_from("s3 kms sqs sns ec2".split()), st.one_of(st.none(), st.floats(0, 380)), max_size=5
)


@given(SERVICES, SERVICES, st.integers(1, 60))
def test_comparing_says_each_service_once(old: dict[str, Any], new: dict[str, Any], days: int) -> None:
    """What came is in the new one only; a service is not both used again and not used any more."""
    before, after = report(ago(days=days), **old), report(NOW, **new)
    grew, again, unused = compare(thing(), before, after, 90)
    named = [set(c.services) if c else set() for c in (grew, again, unused)]
    assert named[0] == new.keys() - old.keys()
    assert (named[1] | named[2]) <= old.keys() & new.keys()
    for one, other in itertools.combinations(named, 2):
        assert not one & other


@given(SERVICES)
def test_comparing_with_itself_says_nothing(same: dict[str, Any]) -> None:
    """The same report twice."""
    read = report(NOW, **same)
    assert compare(thing(), read, read, 90) == (None, None, None)


def test_a_use_that_left_the_window_is_told_though_no_row_changed() -> None:
    """The same date, seen a week later."""
    used = NOW - timedelta(days=95)
    before, after = Read(ago(days=7), (("s3", used),)), Read(NOW, (("s3", used),))
    assert [c and c.services for c in compare(thing(), before, after, 90)] == [None, None, ("s3",)]
