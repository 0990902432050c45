"""advisor.edges.aws.trail and the store's part of it: every page, every limit, nothing counted twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from advisor.core.errors import Refused, Unreachable
from advisor.core.model import Account
from advisor.core.replay import NAME, SOURCE, Call, Look
from advisor.edges.aws import Aws as Reader
from advisor.edges.aws.trail import PACE, Event, Read, Stretch, _event
from advisor.edges.store import Store
from advisor.edges.store.trail import LATE, Covered, Happened
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.worlds import NOW, ago

DAY = timedelta(days=1)
HISTORY = timedelta(days=90)
ROLE = f"arn:aws:iam::{story.PROD}:role/DBAdminRole"
ATHENA = "athena.amazonaws.com"
HERE = Look("us-east-1", SOURCE, ATHENA)


@pytest.fixture
def reader(aws: Aws, seeded: tuple[Aws, story.World], monkeypatch: pytest.MonkeyPatch) -> Reader:
    for name, value in seeded[1].bot.items():
        monkeypatch.setenv(name, value)
    aws.clock = lambda: datetime.now(UTC)
    accounts = (Account(story.PROD, "prod"), Account(story.DEV, "dev"))
    return Reader(
        boot="t",
        named=accounts,
        organization=False,
        read_role=story.READ_ROLE,
        clock=lambda: datetime.now(UTC),
        patience=2.0,
        pace=0.0,
    )


def whole(aws: Aws, *looks: Look) -> list[Stretch]:
    now = aws.clock() + timedelta(seconds=1)
    return [Stretch(look, now - HISTORY, now) for look in looks]


def events(read: list[Read]) -> list[Event]:
    return [e for r in read for e in r.events]


# -- asking ----------------------------------------------------------------------------------------------------------


def test_every_page_is_read(reader: Reader, aws: Aws) -> None:
    """130 events in three pages, newest first; those of other attributes, Regions and accounts are not among them."""
    now = aws.clock()
    for n in range(130):
        aws.trail.add(story.PROD, ROLE, ATHENA, f"Call{n}", now - timedelta(hours=n))
    aws.trail.add(story.PROD, ROLE, ATHENA, "Elsewhere", now, region="eu-north-1")
    aws.trail.add(story.PROD, ROLE, "dax.amazonaws.com", "Other", now)
    aws.trail.add(story.DEV, ROLE, ATHENA, "OtherAccount", now)
    aws.trail.add(story.PROD, ROLE, ATHENA, "TooOld", now - 91 * DAY)
    read: list[Read] = []
    assert reader.trail.read(story.PROD, whole(aws, HERE), 20, read.append) == ()
    assert [e.name for e in events(read)] == [f"Call{n}" for n in range(130)]
    assert len(aws.trail.asked) == 3
    assert {(e.principal, e.source, e.denied, e.session) for e in events(read)} == {
        (ROLE, ATHENA, False, "nightly")
    }


def test_a_name_is_asked_for_alone(reader: Reader, aws: Aws) -> None:
    now = aws.clock()
    aws.trail.add(story.PROD, ROLE, ATHENA, "ListWorkGroups", now)
    aws.trail.add(story.PROD, ROLE, ATHENA, "GetWorkGroup", now)
    read: list[Read] = []
    reader.trail.read(story.PROD, whole(aws, Look("us-east-1", NAME, "GetWorkGroup")), 20, read.append)
    assert [e.name for e in events(read)] == ["GetWorkGroup"]


def test_in_another_account_the_read_role_asks(reader: Reader, aws: Aws) -> None:
    aws.trail.add(story.DEV, ROLE, ATHENA, "GetWorkGroup", aws.clock())
    read: list[Read] = []
    reader.trail.read(story.DEV, whole(aws, HERE), 20, read.append)
    assert [e.name for e in events(read)] == ["GetWorkGroup"]
    assert reader.trail.regions(story.DEV) == ("eu-north-1", "us-east-1")


def test_a_limit_of_the_rate_is_waited_for(reader: Reader, aws: Aws) -> None:
    """Somebody else asks, too: refused calls are made again, and every page comes."""
    aws.trail.rate = 2
    now = aws.clock()
    for n in range(120):
        aws.trail.add(story.PROD, ROLE, ATHENA, f"Call{n}", now - timedelta(hours=n))
    read: list[Read] = []
    assert reader.trail.read(story.PROD, whole(aws, HERE), 20, read.append) == ()
    assert len(events(read)) == 120
    assert aws.trail.refused > 0


def test_two_calls_a_second_in_each_region_and_account(reader: Reader) -> None:
    """When the next call may go: whoever asks, and for however many tickets."""
    trail = reader.trail
    trail._pace = PACE
    turns = [trail.take_turn(story.PROD, "us-east-1") for _ in range(5)]
    assert [b - a for a, b in pairwise(turns)] == pytest.approx([0.5] * 4)
    others = [trail.take_turn(story.PROD, "eu-north-1"), trail.take_turn(story.DEV, "us-east-1")]
    assert max(others) < turns[1], "they do not wait for one another"


def test_a_region_that_hangs_stops_no_other(reader: Reader, aws: Aws) -> None:
    """And what has no answer when the time is over is said."""
    aws.trail.hangs, aws.trail.hang = {"eu-north-1"}, 5.0
    aws.trail.add(story.PROD, ROLE, ATHENA, "GetWorkGroup", aws.clock())
    read: list[Read] = []
    looks = [Look(region, SOURCE, ATHENA) for region in ("eu-north-1", "us-east-1")]
    (gap,) = reader.trail.read(story.PROD, whole(aws, *looks), 2.5, read.append)
    assert (gap.region, gap.looks) == ("eu-north-1", 1)
    assert gap.why in {"time", "unreachable"}
    assert [e.name for e in events(read)] == ["GetWorkGroup"]


def test_no_time_is_no_question(reader: Reader, aws: Aws) -> None:
    read: list[Read] = []
    (gap,) = reader.trail.read(story.PROD, whole(aws, HERE), 0, read.append)
    assert (gap.why, read, aws.trail.asked) == ("time", [], [])


def test_who_may_not_ask_is_told_what_is_missing(reader: Reader, aws: Aws) -> None:
    aws.fail("LookupEvents", error="AccessDenied", times=None)
    with pytest.raises(Refused) as caught:
        reader.trail.read(story.PROD, whole(aws, HERE), 20, [].append)
    assert caught.value.call == "cloudtrail:LookupEvents"
    aws.fail("DescribeRegions", error="AccessDenied")
    with pytest.raises(Refused) as caught:
        reader.trail.regions(story.PROD)
    assert caught.value.call == "ec2:DescribeRegions"


def test_a_region_that_refuses_is_a_gap(reader: Reader, aws: Aws) -> None:
    """A service control policy that forbids Regions is common; the others answer."""
    aws.fail("LookupEvents", error="AccessDenied", times=1)
    looks = [Look(region, SOURCE, ATHENA) for region in ("eu-north-1", "us-east-1")]
    (gap,) = reader.trail.read(story.PROD, whole(aws, *looks), 20, [].append)
    assert gap.why == "refused"


def test_half_answers_are_made_good_or_said(reader: Reader, aws: Aws) -> None:
    aws.fail("LookupEvents", drop="after")
    read: list[Read] = []
    assert reader.trail.read(story.PROD, whole(aws, HERE), 20, read.append) == ()
    assert len(read) == 1
    aws.fail("LookupEvents", drop="after", times=None)
    (gap,) = reader.trail.read(story.PROD, whole(aws, HERE), 20, read.append)
    assert gap.why == Unreachable.code


# -- what an event says ----------------------------------------------------------------------------------------------


def record(identity: object, **more: object) -> dict[str, object]:
    told = {"userIdentity": identity, "eventSource": ATHENA, "eventName": "GetWorkGroup", **more}
    return {"EventId": "e1", "EventTime": NOW, "CloudTrailEvent": json.dumps(told)}


USER = f"arn:aws:iam::{story.PROD}:user/anna"
SESSION = f"arn:aws:sts::{story.PROD}:assumed-role/DBAdminRole/<!channel> *x*"


@pytest.mark.parametrize(
    ("identity", "principal", "session"),
    [
        ({"type": "IAMUser", "arn": USER}, USER, ""),
        (
            {
                "arn": SESSION,
                "sessionContext": {"sessionIssuer": {"arn": ROLE.replace("role/", "role/a/b/")}},
            },
            ROLE,
            "<!channel> *x*",
        ),
        ({"arn": SESSION}, ROLE, "<!channel> *x*"),
        (
            {"arn": f"{SESSION[:-4]}{'y' * 500}", "sessionContext": "odd"},
            ROLE,
            ("<!channel>" + "y" * 500)[:64],
        ),
        (
            {
                "arn": f"arn:aws:sts::{story.PROD}:federated-user/x",
                "sessionContext": {"sessionIssuer": {"arn": USER}},
            },
            USER,
            "",
        ),
        ({"type": "Root", "arn": f"arn:aws:iam::{story.PROD}:root"}, None, ""),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, None, ""),
        ("odd", None, ""),
        (None, None, ""),
    ],
)
def test_whose_event_it_is(identity: object, principal: str | None, session: str) -> None:
    found = _event(record(identity))
    assert (found and (found.principal, found.session)) == (principal and (principal, session))


@pytest.mark.parametrize(
    ("code", "denied"),
    [
        ("", False),
        ("AccessDenied", True),
        ("AccessDeniedException", True),
        ("Client.UnauthorizedOperation", True),
        ("AuthorizationError", True),
        ("Client.DryRunOperation", False),
        ("ThrottlingException", False),
        ("ResourceNotFoundException", False),
    ],
)
def test_denied(code: str, denied: bool) -> None:
    found = _event(record({"arn": USER}, errorCode=code))
    assert found
    assert found.denied is denied


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"userIdentity": []}', "null"])
def test_what_cannot_be_read_is_left_out(text: str) -> None:
    assert _event({"EventId": "e", "EventTime": NOW, "CloudTrailEvent": text}) is None
    assert _event({}) is None


# -- what is kept ----------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "a.db")
    yield store
    store.close()


def happened(
    name: str, at: datetime, *, event: str = "", denied: bool = False, session: str = "s"
) -> Happened:
    return Happened(event or f"{name} {at}", Call(ROLE, ATHENA, name, denied, at, 1, session))


def kept(store: Store, *looks: Look, since: datetime = NOW - HISTORY) -> dict[tuple[str, bool], tuple[int, datetime, str]]:  # fmt: skip
    found = store.trail.calls(story.PROD, looks or (HERE,), {ROLE}, since)
    return {(c.name, c.denied): (c.count, c.newest, c.session) for c in found}


def test_what_is_read_again_counts_once(store: Store) -> None:
    """The newest half hour is read again, as events come late; a late one is added."""
    first = [happened("Get", ago(minutes=1), session="new"), happened("Get", ago(days=3), session="old"), happened("Get", ago(days=4), denied=True)]  # fmt: skip
    store.trail.keep(story.PROD, HERE, first, NOW - HISTORY, NOW, NOW)
    assert kept(store) == {
        ("Get", False): (2, ago(minutes=1), "new"),
        ("Get", True): (1, ago(days=4), "s"),
    }
    known = store.trail.covered(story.PROD, [HERE])[HERE]
    assert known == Covered(NOW - HISTORY, NOW - LATE, NOW)
    later = NOW + timedelta(minutes=10)
    second = [happened("Get", ago(minutes=1), session="new"), happened("Get", ago(minutes=2), session="late")]
    store.trail.keep(story.PROD, HERE, [*second, second[0]], known.until, later, later)
    assert kept(store)["Get", False] == (3, ago(minutes=1), "new")
    assert store.trail.covered(story.PROD, [HERE])[HERE].until == later - LATE


def test_pieces_join_and_the_rest_is_read_next_time(store: Store) -> None:
    """The time ended within the older pages: what is known reaches from now to where it ended."""
    store.trail.keep(story.PROD, HERE, [happened("A", ago(days=1))], ago(days=10), NOW, NOW)
    store.trail.keep(story.PROD, HERE, [happened("B", ago(days=12))], ago(days=20), ago(days=10), NOW)
    assert store.trail.covered(story.PROD, [HERE])[HERE] == Covered(ago(days=20), NOW - LATE, NOW)
    edge = happened("C", ago(days=20), event="edge")
    store.trail.keep(story.PROD, HERE, [edge], ago(days=20), ago(days=12), NOW)
    store.trail.keep(story.PROD, HERE, [edge], NOW - HISTORY, ago(days=20), NOW)
    assert kept(store)["C", False][0] == 1, "the same second stands on both pages"
    assert store.trail.covered(story.PROD, [HERE])[HERE].since == NOW - HISTORY


def test_newest_pages_that_do_not_reach_back_make_nothing_known(store: Store) -> None:
    """Their calls are kept all the same."""
    store.trail.keep(story.PROD, HERE, [], NOW - HISTORY, NOW, NOW)
    much_later = NOW + 20 * DAY
    store.trail.keep(
        story.PROD, HERE, [happened("A", NOW + 19 * DAY)], NOW + 18 * DAY, much_later, much_later
    )
    assert store.trail.covered(story.PROD, [HERE])[HERE] == Covered(NOW - HISTORY, NOW - LATE, NOW)
    assert ("A", False) in kept(store)
    fresh = Look("us-east-1", NAME, "Other")
    store.trail.keep(story.PROD, fresh, [], NOW - timedelta(minutes=1), NOW, NOW)
    known = store.trail.covered(story.PROD, [fresh])[fresh]
    assert known.since == known.until, "it ended within the minutes that are read again anyway"


def test_looks_accounts_principals_and_times_are_told_apart(store: Store) -> None:
    other = Look("eu-north-1", SOURCE, ATHENA)
    store.trail.keep(story.PROD, HERE, [happened("A", ago(days=1))], NOW - HISTORY, NOW, NOW)
    store.trail.keep(story.PROD, other, [happened("B", ago(days=2))], NOW - HISTORY, NOW, NOW)
    store.trail.keep(story.DEV, HERE, [happened("C", ago(days=1))], NOW - HISTORY, NOW, NOW)
    assert set(kept(store)) == {("A", False)}
    assert set(kept(store, HERE, other)) == {("A", False), ("B", False)}
    assert set(kept(store, HERE, other, since=ago(days=1.5))) == {("A", False)}
    assert store.trail.calls(story.PROD, [HERE], {USER}, NOW - HISTORY) == []
    store.trail.forget(ago(days=1.5))
    assert set(kept(store, HERE, other)) == {("A", False)}
    store.trail.forget(NOW + DAY)
    assert (kept(store), store.trail.covered(story.PROD, [HERE])) == ({}, {})


def test_nothing_of_an_address_or_an_agent_is_kept(reader: Reader, aws: Aws, store: Store) -> None:
    aws.trail.add(story.PROD, ROLE, ATHENA, "GetWorkGroup", aws.clock(), userAgent="Secret/1.0")

    def keep(read: Read) -> None:
        found = [Happened(e.id, Call(e.principal, e.source, e.name, e.denied, e.at)) for e in read.events]
        store.trail.keep(story.PROD, read.look, found, read.since, read.until, aws.clock())

    reader.trail.read(story.PROD, whole(aws, HERE), 20, keep)
    tables = ("trail_look", "trail_call", "trail_seen")
    text = json.dumps([list(r) for t in tables for r in store._db.rows(f"SELECT * FROM {t}")])
    assert "GetWorkGroup" in text
    assert "203.0.113.7" not in text and "Secret" not in text


@pytest.mark.long
def test_two_hundred_thousand_events(reader: Reader, aws: Aws) -> None:
    """Every page of a hundred looks, handed over in pieces, so that no more than a piece is held at a time."""
    now, many = aws.clock(), 200_000
    for n in range(many):
        aws.trail.add(story.PROD, ROLE, ATHENA, f"Call{n % 100}", now - timedelta(seconds=n))
    sizes: list[int] = []
    ids: set[str] = set()

    def keep(read: Read) -> None:
        sizes.append(len(read.events))
        ids.update(e.id for e in read.events)

    looks = [Look("us-east-1", NAME, f"Call{n}") for n in range(100)]
    assert reader.trail.read(story.PROD, whole(aws, *looks), 600, keep) == ()
    assert len(ids) == many
    assert max(sizes) <= 2_050, "a piece, and the page that fills it"
