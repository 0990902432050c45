"""advisor.edges.store: what stands in the tables, and how states move."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.estate import SweepState
from advisor.core.lifecycle import Event
from advisor.core.model import (
    Account,
    ActionRow,
    Asked,
    Failure,
    FollowupKind,
    Granularity,
    JobState,
    Kind,
    RequestState,
    Snapshot,
)
from advisor.core.removal import TicketState
from advisor.edges.store import Store
from advisor.edges.store.rows import moment, stamp
from tests.views import HOSTILE
from tests.worlds import ACCOUNT, NOW, ago, entity, policy, report, service

S, A = Granularity.SERVICE, Granularity.ACTION
LATER = NOW + timedelta(minutes=15)
REFUSED = Failure("refused", "iam:GetRole", "arn:x", ACCOUNT, HOSTILE, "req-1", 3)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "audit.db")
    yield made
    made.close()


def ask(store: Store, name: str = "R", **more: object) -> int:
    return store.requests.add("U1", "C1", f"role {name}", Asked(Kind.ROLE, name, **more), NOW)  # type: ignore[arg-type]


def known(store: Store, name: str = "R", **more: object) -> int:
    return store.entities.see(entity(name=name, **more), NOW).id


def saved(store: Store, entity_id: int, *names: str, at: datetime = NOW, granularity: Granularity = S) -> int:
    made = store.reports.save(
        report(*(service(n) for n in names), at=at, entity_id=entity_id, granularity=granularity), None
    )
    store.reports.show(made)
    return made


# -- times


def _times(hours: st.SearchStrategy[int]) -> st.SearchStrategy[datetime]:
    """Times of zones so many hours from UTC; the ends of the range are local, as hypothesis wants them."""
    zones = hours.map(lambda h: timezone(timedelta(hours=h)))
    return st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=zones)  # noqa: DTZ001


@given(_times(st.integers(-14, 14)))
def test_a_time_comes_back_whatever_its_zone(at: datetime) -> None:
    """To the microsecond, in UTC, and in text of one width."""
    assert moment(stamp(at)) == at
    assert len(stamp(at)) == len("2026-11-24T09:12:00.000000Z")


@given(_times(st.just(-8)), _times(st.just(9)))
def test_the_order_of_texts_is_the_order_of_times(a: datetime, b: datetime) -> None:
    """Queries compare texts."""
    assert (stamp(a) < stamp(b)) == (a < b)


# -- requests


def test_an_asking_is_kept_as_it_was(store: Store) -> None:
    """Every word of it; a hostile one included."""
    asked = Asked(None, HOSTILE, "prod", A, 30, fresh=True)
    made = store.requests.get(store.requests.add("U1", "C1", HOSTILE * 100, asked, NOW))
    assert made is not None
    assert (made.asked, made.user, made.channel, made.created_at) == (asked, "U1", "C1", NOW)
    assert (made.state, made.tries, made.revision, made.failure) == (RequestState.QUEUED, 0, 0, None)
    assert store.requests.get(999) is None


def test_one_of_two_moves_wins(store: Store) -> None:
    """Compare-and-set: the loser is told, and has changed nothing."""
    made, who = ask(store), known(store)
    job, _ = store.jobs.join(who, ACCOUNT, S, NOW, LATER)
    done = saved(store, who, "s3")
    assert store.requests.attach(made, who, job.id, RequestState.QUEUED, ["dev: refused"])
    assert store.requests.run(made)
    assert not store.requests.run(made)
    assert not store.requests.attach(made, who, job.id, RequestState.QUEUED)
    assert not store.requests.serve(made, who, done)
    assert not store.requests.close(made, REFUSED)
    assert store.requests.finish(made, done)
    assert not store.requests.finish(made, done)
    assert not store.requests.fail(made, REFUSED)
    found = store.requests.get(made)
    assert found is not None
    assert (found.state, found.report_id, found.failure, found.revision) == (RequestState.DONE, done, None, 3)
    assert found.not_asked == ("dev: refused",)


def test_two_threads_one_winner(store: Store) -> None:
    """Two clicks at once."""
    made, won = ask(store), []
    threads = [
        threading.Thread(target=lambda: won.append(store.requests.close(made, REFUSED))) for _ in range(8)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join(10)
    assert sorted(won) == [False] * 7 + [True]


def test_a_failure_is_kept_whole_and_a_reopened_request_forgets_it(store: Store) -> None:
    """Retry and Refresh: the same row and card, asked afresh."""
    made = ask(store)
    assert not store.requests.reopen(made, LATER)  # still waiting
    assert store.requests.fail(made, REFUSED)
    assert store.requests.get(made).failure == REFUSED
    assert store.requests.reopen(made, LATER)
    found = store.requests.get(made)
    assert (found.state, found.failure, found.job_id, found.asked.fresh, found.created_at) == (
        RequestState.QUEUED,
        None,
        None,
        True,
        LATER,
    )
    assert [r.id for r in store.requests.due(LATER)] == [made]
    assert store.requests.due(NOW) == []


def test_a_closed_request_is_never_reopened(store: Store) -> None:
    """It was answered privately and has no card."""
    made = ask(store)
    assert store.requests.close(made, REFUSED)
    assert not store.requests.reopen(made, LATER)


def test_a_request_waits_until_its_time(store: Store) -> None:
    """And counts its tries; one with a job is no longer looked at."""
    made, who = ask(store), known(store)
    store.requests.wait(made, LATER)
    assert store.requests.due(NOW) == []
    assert store.requests.due(LATER)[0].tries == 1
    job, _ = store.jobs.join(who, ACCOUNT, S, NOW, LATER)
    store.requests.attach(made, who, job.id, RequestState.QUEUED)
    assert store.requests.due(LATER) == []
    assert [r.id for r in store.requests.of_job(job.id)] == [made]


def test_how_many_are_ahead_is_counted_in_one_account(store: Store) -> None:
    """Those asked before, whose report has not begun."""
    ids = []
    for n, account in enumerate([ACCOUNT, "222222222222", ACCOUNT, ACCOUNT]):
        who = known(store, f"R{n}", account=account)
        ids.append(ask(store, f"R{n}"))
        job, _ = store.jobs.join(who, account, S, NOW, LATER)
        store.requests.attach(ids[-1], who, job.id, RequestState.QUEUED)
    assert [store.requests.ahead(i, ACCOUNT) for i in (ids[0], ids[2], ids[3])] == [0, 1, 2]
    store.requests.run(ids[0])
    assert store.requests.ahead(ids[3], ACCOUNT) == 1


# -- jobs


def test_every_asking_joins_one_unfinished_job(store: Store) -> None:
    """One per entity and granularity; a finished one is not joined."""
    who, other = known(store), known(store, "Other")
    job, new = store.jobs.join(who, ACCOUNT, S, NOW, LATER)
    assert new
    assert store.jobs.join(who, ACCOUNT, S, LATER, LATER) == (job, False)
    assert store.jobs.join(who, ACCOUNT, A, NOW, LATER)[1]
    assert store.jobs.join(other, ACCOUNT, S, NOW, LATER)[1]
    assert store.jobs.fail(job.id, REFUSED)
    assert store.jobs.get(job.id).failure == REFUSED
    again, new = store.jobs.join(who, ACCOUNT, S, NOW, LATER)
    assert new
    assert again.id != job.id


def test_eight_threads_join_one_job(store: Store) -> None:
    """Never two."""
    who, made = known(store), []
    threads = [
        threading.Thread(target=lambda: made.append(store.jobs.join(who, ACCOUNT, S, NOW, LATER)))
        for _ in range(8)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join(10)
    assert len({j.id for j, _ in made}) == 1
    assert sum(new for _, new in made) == 1


def test_a_job_from_its_start_to_its_end(store: Store) -> None:
    """Begun, polled, its session lost, begun again, read, stored."""
    who = known(store)
    job, _ = store.jobs.join(who, ACCOUNT, S, NOW, LATER)
    assert not store.jobs.finish(job.id, 1)  # not begun
    store.jobs.again(job.id, NOW)
    assert store.jobs.get(job.id).tries == 1
    assert store.jobs.started(job.id, "s1", "j1", LATER)
    assert not store.jobs.started(job.id, "s2", "j2", LATER)
    assert store.jobs.due(NOW) == []
    store.jobs.polled(job.id, NOW)
    found = store.jobs.due(NOW)[0]
    assert (found.state, found.session, found.aws_job_id, found.starts, found.polls, found.tries) == (
        JobState.RUNNING,
        "s1",
        "j1",
        1,
        1,
        0,
    )
    store.jobs.restart(job.id, NOW)
    assert (store.jobs.get(job.id).state, store.jobs.get(job.id).aws_job_id) == (JobState.QUEUED, "")
    assert store.jobs.started(job.id, "s2", "j2", NOW)
    assert store.jobs.get(job.id).starts == 2
    shot = store.entities.save_snapshot(Snapshot(store.entities.get(who), NOW))
    store.jobs.photographed(job.id, shot)
    done = saved(store, who, "s3")
    assert store.jobs.finish(job.id, done)
    assert not store.jobs.fail(job.id, REFUSED)
    assert store.jobs.due(LATER) == []
    last = store.jobs.last_readable(who, "s2")
    assert (last.id, last.snapshot_id, last.report_id) == (job.id, shot, done)
    assert store.jobs.last_readable(who, "s1") is None


# -- reports


def test_a_report_comes_back_as_it_was(store: Store) -> None:
    """No list of actions and an empty one are two things; so are unasked and absent grants."""
    who = known(store)
    p = policy(HOSTILE, "s3:*", group="devs")
    rows = [
        service(
            "s3",
            ago(days=3, seconds=0.5),
            by=[p],
            actions=[ActionRow("A", ago(days=1), "arn:x", "eu-west-1"), ActionRow("B")],
            entities=5,
        ),
        service("ec2", by=[], actions=[]),
        service("kms", by=None),
    ]
    made = report(*rows, granularity=A, entity_id=who)
    number = store.reports.save(made, None)
    store.reports.show(number)
    found = store.reports.get(number)
    assert replace(found, id=0, services=tuple(replace(s, id=0) for s in found.services)) == made
    assert store.reports.service(found.services[1].id)[1].namespace == "ec2"
    assert store.reports.service(1) is None


def test_a_report_is_seen_whole_or_not_at_all(store: Store) -> None:
    """Its rows are written in several commits; nobody reads half."""
    who = known(store)
    number = store.reports.save(report(*(service(f"s{n}") for n in range(1200)), entity_id=who), None)
    assert store.reports.get(number) is None
    assert store.reports.newest(who) is None
    assert store.reports.count(who, S) == 0
    assert store.reports.newest_times([who]) == {}
    store.reports.show(number)
    assert len(store.reports.newest(who).services) == 1200
    assert store.reports.newest_times([who]) == {who: (NOW, 1200)}


def test_the_newest_is_by_the_report_s_own_time(store: Store) -> None:
    """Not by when it was stored; each granularity apart."""
    who = known(store)
    new = saved(store, who, "s3", at=NOW)
    saved(store, who, "s3", at=ago(days=2))
    deep = saved(store, who, "s3", at=ago(hours=1), granularity=A)
    assert store.reports.newest(who, S).id == new
    assert store.reports.newest(who, A).id == deep
    assert store.reports.newest(who).id == new


def test_history_is_newest_first_and_never_from_after_its_card(store: Store) -> None:
    """An old card shows the past as it was then."""
    who = known(store)
    ids = [saved(store, who, "s3", at=ago(days=n)) for n in (30, 20, 10, 0)]
    assert [r.id for r in store.reports.history(who, S, ids[2], 2)] == [ids[2], ids[1]]
    assert store.reports.count(who, S) == 4


def test_thinning_keeps_the_newest_of_each_and_the_row_of_the_rest(store: Store) -> None:
    """Old rows go, their report stays known; twice does nothing more."""
    who, other = known(store), known(store, "Other")
    old, older, only = (
        saved(store, who, "s3", at=ago(days=800)),
        saved(store, who, "s3", at=ago(days=900)),
        saved(store, other, "s3", at=ago(days=900)),
    )
    new = saved(store, who, "s3")
    assert store.reports.thin(ago(days=730)) == 2
    assert store.reports.thin(ago(days=730)) == 0
    assert [len(store.reports.services(n)) for n in (old, older, only, new)] == [0, 0, 1, 1]
    assert store.reports.count(who, S) == 1


def test_a_thinned_report_is_not_an_empty_one(store: Store) -> None:
    """A card whose rows are gone must not say that nothing is granted."""
    who = known(store)
    old = saved(store, who, "s3", at=ago(days=800))
    saved(store, who, "s3")
    store.reports.thin(ago(days=730))
    found = store.reports.get(old)
    assert found is None or found.services


# -- follow-ups, deliveries, the log


def test_a_press_from_its_row_to_its_answer(store: Store) -> None:
    """Waits for a report, goes on, is done once."""
    made, who = ask(store), known(store)
    press = store.followups.add(made, FollowupKind.ACTIONS, "U2", NOW, LATER, report_id=None, service="s3")
    job, _ = store.jobs.join(who, ACCOUNT, A, NOW, LATER)
    assert [f.id for f in store.followups.due(NOW)] == [press]
    store.followups.again(press, LATER)
    assert store.followups.due(NOW) == []
    store.followups.await_job(press, job.id)
    assert store.followups.due(LATER) == []
    assert [f.id for f in store.followups.of_job(job.id)] == [press]
    done = saved(store, who, "s3", granularity=A)
    store.followups.resume(press, done, NOW)
    found = store.followups.due(NOW)[0]
    assert (found.report_id, found.service, found.tries, found.user) == (done, "s3", 1, "U2")
    assert store.followups.finish(press, '{"report": 1}')
    assert not store.followups.finish(press)
    assert not store.followups.fail(press, REFUSED)
    assert store.followups.get(press).result == '{"report": 1}'


def test_a_redelivery_has_one_effect_and_one_answer(store: Store) -> None:
    """The answer is kept in the transaction of its effect."""
    assert store.deliveries.answer("trigger:1") is None

    def fails_at_the_end() -> None:
        with store.transaction():
            ask(store)
            store.deliveries.record("trigger:1", {"request": 1}, NOW)
            raise ValueError

    with pytest.raises(ValueError):
        fails_at_the_end()
    assert store.deliveries.answer("trigger:1") is None
    store.deliveries.record("trigger:1", {"request": 1, "text": HOSTILE}, NOW)
    assert store.deliveries.answer("trigger:1") == {"request": 1, "text": HOSTILE}
    with pytest.raises(sqlite3.IntegrityError):
        store.deliveries.record("trigger:1", {}, NOW)
    store.deliveries.forget(NOW)
    assert store.deliveries.answer("trigger:1")
    store.deliveries.forget(LATER)
    assert store.deliveries.answer("trigger:1") is None


def test_the_log_cannot_be_changed(store: Store) -> None:
    """Not a row of it, by no statement."""
    store.log.add("U1", "audit", "R", NOW, account="prod")
    for sql in (
        "UPDATE log SET actor = 'U2'",
        "DELETE FROM log",
        "INSERT OR REPLACE INTO log SELECT * FROM log",
        "REPLACE INTO log VALUES (1, '', '', '', '', '', '')",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"), store.transaction():
            store._db.run(sql)
    assert store.log.verify()[0] == 1


def test_the_log_is_a_chain(store: Store) -> None:
    """A row changed, moved or cut out shows at that row; a cut end shows in the last hash."""
    assert store.log.verify() == (0, "", None)
    for n in range(5):
        store.log.add("U1", "audit", f"R{n}", NOW, why=HOSTILE, n=str(n))
    rows, last, broken = store.log.verify()
    assert (rows, broken) == (5, None)
    store.log.add("U1", "audit", "R5", NOW)
    assert store.log.verify()[1] != last
    with store.transaction():
        store._db.run("DROP TRIGGER log_no_update")
        store._db.run("UPDATE log SET subject = 'other' WHERE id = 3")
    assert store.log.verify()[2] == 3


def test_fields_of_the_log_cannot_be_shifted(store: Store) -> None:
    """“ab” + “c” is not “a” + “bc”."""
    store.log.add("ab", "c", "x", NOW)
    with store.transaction():
        store._db.run("DROP TRIGGER log_no_update")
        store._db.run("UPDATE log SET actor = 'a', verb = 'bc'")
    assert store.log.verify()[2] == 1
    assert json.loads(store._db.rows("SELECT detail FROM log")[0]["detail"]) == {}


# -- keeps


def test_every_keep_guards_however_many_there_are(store: Store) -> None:
    """One that went unread would let its service go; those that ended guard nothing, in a list or of an entity."""
    who, other = (store.entities.see(entity(name=n), NOW).id for n in ("R", "S"))
    until = NOW + timedelta(days=9)
    for n in range(150):
        store.keeps.add(who, f"service-{n}", "U1", until, "needed", NOW)
    store.keeps.add(other, "", "U1", until, "needed", NOW)
    ended = store.keeps.add(who, "service-150", "U1", until, "needed", NOW)
    assert store.keeps.end(ended, "U1", NOW)
    assert {k.service for k in store.keeps.standing(NOW, who)} == {f"service-{n}" for n in range(150)}
    assert len(store.keeps.standing(NOW)) == 151
    assert store.keeps.standing(until) == ()


# -- tickets


def drafted(store: Store, who: int) -> int:
    return store.tickets.draft(
        entity_id=who,
        request_id=ask(store),
        report_id=saved(store, who, "s3"),
        requesters=["U1"],
        channel="C1",
        reason="unused",
        keys=[],
        days=90,
        owner="",
        now=NOW,
        expires_at=LATER,
    )


def test_a_list_of_tickets_has_every_one(store: Store) -> None:
    """Who asks what waits for them must hear of the oldest, too; a finished one is in its person's and its entity's."""
    entities = [known(store, f"R{n}") for n in range(120)]
    made = [drafted(store, who) for who in entities]
    assert store.tickets.listed() == []  # a draft is no ticket yet
    for ticket in made:
        assert store.tickets.move(ticket, TicketState.DRAFT, Event.PLANNED, NOW) is not None
    assert [t.id for t in store.tickets.listed()] == made[::-1]
    assert store.tickets.move(made[0], TicketState.OPEN, Event.REJECTED, NOW) is not None
    assert [t.id for t in store.tickets.listed()] == made[:0:-1]
    assert [t.id for t in store.tickets.listed(user="U1")] == made[::-1]
    assert [t.id for t in store.tickets.listed(entity_id=entities[0])] == [made[0]]
    assert store.tickets.listed(user="U2") == []


def test_when_a_sweep_goes_on(store: Store) -> None:
    """The first account that did not answer counts; one that was not asked yet, is due already or has ended does not."""
    sweep_id = store.sweeps.add("U1", "C1", "all", NOW)
    store.sweeps.admit(sweep_id, [Account(ACCOUNT), Account("222222222222"), Account("333333333333")], NOW)
    assert store.sweeps.next_at(NOW) is None
    store.sweeps.part_later(sweep_id, ACCOUNT, LATER)
    store.sweeps.part_later(sweep_id, "222222222222", LATER - timedelta(minutes=5))
    assert store.sweeps.next_at(NOW) == LATER - timedelta(minutes=5)
    assert store.sweeps.next_at(LATER - timedelta(minutes=5)) == LATER
    store.sweeps.end_part(sweep_id, "222222222222", NOW)
    assert store.sweeps.next_at(NOW) == LATER
    store.sweeps.end(sweep_id, SweepState.CANCELLED, NOW)
    assert store.sweeps.next_at(NOW) is None
