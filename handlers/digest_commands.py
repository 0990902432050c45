"""/iam-audit digest …: each is committed as an order, or opens the form, or is answered by a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slack_sdk import WebClient

from advisor import readings
from advisor.core.digest import Wanted
from advisor.core.estate import Schedule
from handlers.blocks import answers, digest_answers, digest_form, ticket_form
from handlers.blocks.digest_form import NewDigest
from handlers.blocks.kit import Json
from handlers.digest_work import DigestWork, words_of
from handlers.estate_words import DigestEvery, DigestWord
from handlers.opening import open_form

if TYPE_CHECKING:
    from handlers.actions import Listeners

Body = dict[str, Any]
NEW = "digest.new"


def on_command(on: Listeners, body: Body, client: WebClient, asked: DigestEvery | DigestWord) -> None:
    """digest daily|weekly|monthly …, now, list, off, edit, or nothing: the form."""
    user, channel = str(body["user_id"]), str(body["channel_id"])
    match asked:
        case DigestEvery(rhythm, accounts, tag):
            wanted = Wanted(channel, rhythm, accounts, tag)
            _order(on, body, "make", words_of(wanted))
        case DigestWord("now" | "off" as verb):
            _order(on, body, verb, {})
        case DigestWord("list"):
            on.privately("digest.list", channel, user)
        case DigestWord("edit"):
            open_form(on.desk, client, body, NEW, "", lambda: _one_of(on, user, channel))
        case _:
            open_form(on.desk, client, body, NEW, "", lambda: filled(on, user, None, channel))


def _order(on: Listeners, body: Body, verb: str, words: dict[str, object]) -> None:
    user, channel = str(body["user_id"]), str(body["channel_id"])

    def effect() -> Json:
        return {"order": on.desk.store.orders.add(verb, user, channel, 0, words, on.desk.clock())}

    on.once(f"trigger:{body['trigger_id']}", effect)


def filled(on: Listeners, user: str, schedule: Schedule | None, channel: str = "") -> Json:
    """The form of a new digest, or of one that this person may change; else why not. Raises NoAnswer."""
    row, work = str(schedule.id) if schedule else "", DigestWork(on.desk, on.people)
    on.people.forget(user)
    word = on.people.refusal(user)
    if schedule:
        word = work.may_change(user, word, schedule)
    if word:
        return ticket_form.turned_away(NEW, row, digest_answers.answer(word))
    accounts = readings.accounts(on.desk)
    zone = schedule.rhythm.zone if schedule and schedule.user != user else on.people.zone(user)
    return digest_form.new(NewDigest(accounts, zone, channel, schedule))


def _one_of(on: Listeners, user: str, channel: str) -> Json:
    """The form of the only digest of this channel that the person may change, or a choice."""
    on.people.forget(user)
    word = on.people.refusal(user)
    if word not in {"", "auditor"}:
        return ticket_form.turned_away(NEW, "", answers.refused(word))
    found = DigestWork(on.desk, on.people).mine(user, word, channel)
    if not found:
        return ticket_form.turned_away(NEW, "", digest_answers.answer("none"))
    if len(found) > 1:
        return digest_form.which(found, readings.accounts(on.desk))
    return filled(on, user, found[0])
