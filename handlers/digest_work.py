"""What follows an acknowledgement about digests: who may, asked of Slack; then the story. Runs on lanes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from advisor import decisions, digests, jobs
from advisor.core.digest import Order, Wanted
from advisor.core.errors import AwsError
from advisor.core.estate import Cadence, Posting, PostingState, Rhythm, Schedule
from advisor.core.lifecycle import Person
from advisor.core.model import Entity, Failure
from advisor.core.removal import TicketState, Verb
from advisor.desk import Desk
from handlers import digest_tickets, keep_orders, log_orders, sweep_orders
from handlers.access import NoAnswer, People
from handlers.blocks.words import place_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DigestWork:
    """Takes every due digest a step further, and decides what people ask of digests."""

    desk: Desk
    people: People

    def beat(self) -> list[datetime]:
        """Hand out what is due; says when there is more."""
        store, now = self.desk.store, self.desk.clock()
        digests.begin_due(self.desk)
        for posting in store.postings.due(now):
            self._submit(
                digests.LANE,
                ("posting", posting.id),
                partial(self._carefully, self.post, posting.id, self._post_failed),
            )
        for order in store.orders.due(now):
            self._submit(
                "front",
                ("order", order.id),
                partial(self._carefully, self.decide, order.id, self._order_failed),
            )
        return [t for t in (store.schedules.next_at(), store.postings.next_at(now)) if t]

    def _submit(self, lane: str, task: tuple[str, int], work: Callable[[], None]) -> None:
        self.desk.lanes.submit(lane, task, work, self.desk.store.work)

    @staticmethod
    def _carefully(work: Callable[[int], None], row: int, failed: Callable[[int], None]) -> None:
        """A fault of ours is tried again later, then given up: it must not spin. The stack goes to the log."""
        try:
            work(row)
        except Exception:
            failed(row)
            raise

    def _post_failed(self, posting_id: int) -> None:
        posting = self.desk.store.postings.get(posting_id)
        schedule = self.desk.store.schedules.get(posting.schedule_id) if posting else None
        if posting and schedule and posting.state in {PostingState.DUE, PostingState.COLLECTING}:
            digests.later(self.desk, posting, schedule, Failure("unexpected"))

    def _order_failed(self, order_id: int) -> None:
        order = self.desk.store.orders.get(order_id)
        if order is None or order.state != "queued":
            return
        if order.tries + 1 < jobs.TRIES:
            pause = jobs.patience(f"order {order.id}", order.tries)
            self.desk.store.orders.again(order.id, self.desk.clock() + pause)
        else:
            self.answer(order, "broken")

    # -- digests that are due ------------------------------------------------------------------------------------

    def post(self, posting_id: int) -> None:
        """A digest needs neither its maker nor their rights of now; without both them and its channel it ends."""
        store = self.desk.store
        posting = store.postings.get(posting_id)
        schedule = store.schedules.get(posting.schedule_id) if posting else None
        if posting is None or schedule is None:
            return
        try:
            maker = self.people.refusal(schedule.user)
            place = self.people.place(schedule.channel) if maker else "open"
        except NoAnswer:
            if posting.tries + 1 < jobs.TRIES:
                pause = jobs.patience(f"posting {posting.id}", posting.tries)
                store.postings.later(posting.id, self.desk.clock() + pause, failed=True)
                return
            maker, place = "", "open"
        if maker and (place != "open" or schedule.channel == schedule.user):
            self._nobody(posting, schedule)
            return
        digests.step(self.desk, posting.id, maker)

    def _nobody(self, posting: Posting, schedule: Schedule) -> None:
        """Neither the channel nor whoever set it up can be told anything: the digest ends."""
        store, now = self.desk.store, self.desk.clock()
        with store.transaction():
            digests.end(self.desk, schedule.id, "bot")
            if posting.state in {PostingState.DUE, PostingState.COLLECTING}:
                failure = Failure("nobody")
                store.postings.move(posting.id, posting.state, PostingState.FAILED, now, failure=failure)
        log.warning("digest.nobody schedule=%d", schedule.id)

    # -- what people ask -----------------------------------------------------------------------------------------

    def decide(self, order_id: int) -> None:
        """Who this person is now, asked afresh; then what they asked for."""
        store = self.desk.store
        order = store.orders.get(order_id)
        if order is None or order.state != "queued":
            return
        try:
            self.people.forget(order.user)
            word = self.people.refusal(order.user)
            outcome = _VERBS[order.verb](self, order, word)
        except NoAnswer:
            if order.tries + 1 < jobs.TRIES:
                pause = jobs.patience(f"order {order.id}", order.tries)
                store.orders.again(order.id, self.desk.clock() + pause)
                return
            outcome = "unknown"
        if outcome is not None:
            self.answer(order, outcome)

    def answer(self, order: Order, outcome: str) -> None:
        """Say what came of it, once, in the transaction that settles it."""
        store, now = self.desk.store, self.desk.clock()
        with store.transaction():
            if not store.orders.settle(order.id, outcome):
                return
            if order.verb in _ANSWERS:
                _ANSWERS[order.verb](self, order, outcome)
                return
            if ":" not in outcome:  # nothing was done: the try is in the log
                verb = order.verb if order.verb.startswith("sweep.") else f"digest.{order.verb}"
                store.log.add(order.user, f"{verb}.refused", f"order {order.id}", now, why=outcome)
            surface = "sweep.answer" if order.verb.startswith("sweep.") else "digest.answer"
            store.outbox.add("ephemeral", surface, order.id, channel=order.channel, user=order.user, now=now)

    def make(self, order: Order, word: str) -> str | None:
        """A digest for a channel, by one of its members."""
        wanted = self.wanted(order)
        problem = word or self.why_not_there(wanted.channel, order.user) or self._unknown(wanted)
        if problem:
            return problem
        wanted = replace(wanted, accounts=self._ids(wanted))
        with self.desk.store.transaction():
            made = digests.make(self.desk, order.user, wanted)
            self.answer(order, f"made:{made}")
        return None

    def edit(self, order: Order, word: str) -> str | None:
        """Another rhythm, scope or channel."""
        schedule = self.desk.store.schedules.get(order.row_id)
        problem = self.may_change(order.user, word, schedule)
        if problem or schedule is None:
            return problem or "none"
        wanted = self.wanted(order)
        if order.user != schedule.user:  # an admin's zone is not its maker's
            wanted = replace(wanted, rhythm=replace(wanted.rhythm, zone=schedule.rhythm.zone))
        moved = wanted.channel != schedule.channel
        problem = (self.why_not_there(wanted.channel, order.user) if moved else "") or self._unknown(wanted)
        if problem:
            return problem
        wanted = replace(wanted, accounts=self._ids(wanted))
        with self.desk.store.transaction():
            changed = digests.edit(self.desk, schedule.id, order.user, wanted)
            self.answer(order, f"edited:{schedule.id}" if changed else "ended")
        return None

    def off(self, order: Order, word: str) -> str | None:
        """End one: the one that a button names, or the only one of this person's in the channel."""
        found = self.mine(order.user, word, order.channel) if not order.row_id else []
        if len(found) > 1:
            return "which:"
        if not order.row_id and not found:
            return word if word not in {"", "auditor"} else "none"
        schedule = found[0] if found else self.desk.store.schedules.get(order.row_id)
        problem = self.may_change(order.user, word, schedule)
        if problem or schedule is None:
            return problem or "none"
        with self.desk.store.transaction():
            ended = digests.end(self.desk, schedule.id, order.user)
            self.answer(order, f"off:{schedule.id}" if ended else "ended")
        return None

    def now(self, order: Order, word: str) -> str | None:
        """One out of turn for each digest of the channel; without one, of everything, once."""
        problem = word or self.why_not_there(order.channel, order.user)
        if problem:
            return problem
        store = self.desk.store
        channel = place_of(order.channel, order.user)
        with store.transaction():
            if not store.orders.settle(order.id, "now:"):
                return None
            found = store.schedules.of_channel("digest", channel)
            if not found:
                rhythm = Rhythm(Cadence.WEEKLY, "mon", "09:00", self.people.zone(order.user))
                once = digests.make(self.desk, order.user, Wanted(channel, rhythm), once=True)
                found = [s for s in (store.schedules.get(once),) if s]
            for schedule in found:
                digests.begin_now(self.desk, schedule, order.user)
            store.log.add(order.user, "digest.now", f"channel {channel}", self.desk.clock())
        return None

    def keep(self, order: Order, word: str) -> str | None:
        """A keep on an entity; where a ticket on it is open, by that ticket, which may have to close."""
        entity = self.desk.store.entities.get(order.row_id)
        problem = self.may_keep(order.user, word, entity)
        if problem or entity is None:
            return problem or "old"
        store, now = self.desk.store, self.desk.clock()
        services = [str(s) for s in listed(order.words.get("services"))]
        until, reason = _day(str(order.words.get("until"))), str(order.words.get("reason"))
        if until is None or until <= now:
            return "old"
        opened = store.tickets.of_entity(entity.id, TicketState.OPEN)
        with store.transaction():
            if not store.orders.settle(order.id, f"kept:{len(services)}"):
                return None
            if opened:
                store.presses.add(
                    opened[-1].id, Verb.KEEP, order.user, order.channel, now, words=reason, services=services, until=until
                )  # fmt: skip
            else:
                decisions.keep_entity(self.desk, entity.id, services, order.user, until, reason)
            store.outbox.add(
                "ephemeral", "digest.answer", order.id, channel=order.channel, user=order.user, now=now
            )
        return None

    # -- who may -------------------------------------------------------------------------------------------------

    def may_change(self, user: str, word: str, schedule: Schedule | None) -> str:
        """Why this person may not change or end a digest, as a word: its maker and admins may."""
        if word not in {"", "auditor"}:
            return word
        if schedule is None:
            return "none"
        admin = self.people.admin(user)
        if not admin and (word or user != schedule.user):
            return "not_maker"
        return "ended" if schedule.ended_at else ""

    def mine(self, user: str, word: str, channel: str, what: str = "digest") -> list[Schedule]:
        """The digests (or sweeps) of a channel that this person may change."""
        found = self.desk.store.schedules.of_channel(what, place_of(channel, user))
        return [s for s in found if not self.may_change(user, word, s)]

    def may_keep(self, user: str, word: str, entity: Entity | None) -> str:
        """Why this person may not keep anything of an entity: its owner and approvers may."""
        if word not in {"", "auditor"}:
            return word
        if entity is None:
            return "old"
        snapshot = self.desk.store.entities.newest_snapshot(entity.id)
        tag = snapshot.tag(self.desk.config.iam_audit_owner_tag) if snapshot else ""
        person = Person(
            approver=self.people.approver(user), owner=bool(tag) and self.people.owner(tag) == user
        )
        return "" if person.approver or person.owner else "not_owner"

    def why_not_there(self, channel: str, user: str) -> str:
        """Why no digest can be made for a channel by this person, as a word."""
        if place_of(channel, user) == user:
            return ""
        self.people.forget_place(channel)
        state = self.people.place(channel)
        if state != "open":
            return state
        return "" if self.people.member(channel, user) else "not_member"

    def _unknown(self, wanted: Wanted) -> str:
        """An account that nobody knows."""
        if not wanted.accounts:
            return ""
        try:
            known = self.desk.aws.accounts()
        except AwsError:
            return "silent"
        missing = [w for w in wanted.accounts if not any(a.matches(w) for a in known)]
        return f"no_account:{missing[0]}" if missing else ""

    def _ids(self, wanted: Wanted) -> tuple[str, ...]:
        """Accounts by number: an alias can be given to another one."""
        known = self.desk.aws.accounts() if wanted.accounts else ()
        return tuple(a.id for a in known if any(a.matches(w) for w in wanted.accounts))

    def wanted(self, order: Order) -> Wanted:
        """What an order asks of a schedule, in the zone of whoever asks."""
        words = order.words
        rhythm = Rhythm(
            Cadence(str(words["cadence"])),
            str(words["day"]),
            str(words["at"]),
            self.people.zone(order.user),
        )
        accounts = tuple(str(a) for a in listed(words.get("accounts")) if str(a) != "all")
        return Wanted(
            channel=place_of(str(words["channel"]), order.user),
            rhythm=rhythm,
            accounts=accounts,
            tag=str(words.get("tag") or ""),
            severity=str(words.get("severity") or ""),
            mention=tuple(str(m) for m in listed(words.get("mention"))),
            quiet=bool(words.get("quiet")),
        )


def words_of(wanted: Wanted) -> dict[str, object]:
    """What somebody asks of a schedule, as an order keeps it."""
    rhythm = wanted.rhythm
    return {
        "channel": wanted.channel,
        "cadence": rhythm.cadence.value,
        "day": rhythm.day,
        "at": rhythm.at,
        "accounts": list(wanted.accounts),
        "tag": wanted.tag,
        "severity": wanted.severity,
        "mention": list(wanted.mention),
        "quiet": wanted.quiet,
    }


def listed(value: object) -> list[object]:
    """A list of an order's words."""
    return value if isinstance(value, list) else []


def _day(text: str) -> datetime | None:
    """The end of a day, in UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(hour=23, minute=59, tzinfo=UTC)
    except ValueError:
        return None


_VERBS: dict[str, Callable[[DigestWork, Order, str], str | None]] = {
    "make": DigestWork.make,
    "edit": DigestWork.edit,
    "off": DigestWork.off,
    "now": DigestWork.now,
    "keep": DigestWork.keep,
    "tickets": digest_tickets.several,
    keep_orders.VERB: keep_orders.end,
    log_orders.VERB: log_orders.export,
    "sweep.schedule": sweep_orders.make,
    "sweep.off": sweep_orders.off,
}

_ANSWERS: dict[str, Callable[[DigestWork, Order, str], None]] = {
    keep_orders.VERB: keep_orders.answer,
    log_orders.VERB: log_orders.answer,
}
"""What is answered in words of its own."""
