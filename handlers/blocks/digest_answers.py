"""Answers to one person about digests: what was scheduled, what stands, what did not happen and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from advisor.core.estate import Schedule
from advisor.core.model import Account
from handlers.blocks import answers, kit, words
from handlers.blocks import digest_said as said
from handlers.blocks.digest import off_button
from handlers.blocks.kit import Message, Part

_LISTED = 20

_SAID = {
    "shared": (
        "This channel is shared with another company",
        "Nothing about IAM is posted there, so a digest cannot be scheduled. Choose another channel.",
    ),
    "not_joined": (
        "IAM Audit is not in this channel",
        "Type /invite @iam-audit there first, then schedule the digest again.",
    ),
    "not_member": (
        "You are not a member of this channel",
        "Only its members may schedule a digest for it. Nothing was scheduled.",
    ),
    "not_maker": (
        "This digest was set up by somebody else",
        "Its maker or an admin may change it or turn it off. Nothing was changed. Your try is in the log.",
    ),
    "none": (
        "There is no digest of yours in this channel",
        "/iam-audit digest list shows them. Nothing was changed.",
    ),
    "ended": (
        "This digest was turned off before",
        "Nothing was changed. /iam-audit digest schedules a new one.",
    ),
    "moved": (
        "This ticket is not as it was when the digest was posted",
        "Nothing was approved. Look at its card, and approve it there.",
    ),
    "old": (
        "This list is from an earlier digest",
        "Nothing was started. Use the newest digest of the channel.",
    ),
    "not_owner": (
        "You may not keep anything of this entity",
        "Its owner and approvers may. Nothing was kept. Your try is in the log.",
    ),
}


def answer(word: str) -> Message:
    """What did not happen, by the word of the outcome."""
    return answers.undone(word, _SAID)


def made(schedule: Schedule, accounts: Sequence[Account], *, changed: bool = False) -> Message:
    """It is scheduled: when, in which zone, about what, where."""
    title = "The digest is changed" if changed else "The digest is scheduled"
    when, what = said.rhythm(schedule.rhythm), said.scope(accounts, schedule)
    parts: list[Part] = [
        kit.emoji("white_check_mark"),
        kit.text(f" {title}", bold=True),
        kit.text(f": {when}, {what}, in "),
        _where(schedule),
        kit.text(". Next "),
        kit.date(schedule.due_at, time=True),
        kit.text("."),
    ]
    note = "The time zone is yours, as Slack has it. /iam-audit digest edit changes it, digest off ends it."
    return Message(
        f"{title}: {when}, {what}. Next {kit.minute(schedule.due_at)}.",
        [kit.rich(kit.section(*parts)), kit.small(f"{note} {answers.ONLY_YOU}")],
    )


def ended(schedule: Schedule) -> Message:
    """It is off."""
    line = f"The digest of {said.rhythm(schedule.rhythm)} is off. Nothing else changed; it can be scheduled again."
    lead = kit.section(kit.emoji("heavy_minus_sign"), kit.text(f" {line}"))
    return Message(line, [kit.rich(lead), kit.small(answers.ONLY_YOU)])


def kept(services: int) -> Message:
    """A keep stands."""
    what = words.some(services, "service") if services else "everything that it has"
    line = f"Kept: {what}. Until that day no plan takes it away. /iam-audit keeps lists all."
    return Message(
        line, [kit.rich(kit.section(kit.emoji("lock"), kit.text(f" {line}"))), kit.small(answers.ONLY_YOU)]
    )


def _where(schedule: Schedule) -> Part:
    if words.is_channel(schedule.channel):
        return kit.channel(schedule.channel)
    return kit.text("direct messages to ") if not schedule.user else kit.person(schedule.user)


def listed(found: Sequence[tuple[Schedule, Sequence[Account]]]) -> Message:
    """The digests of a channel and of a person."""
    if not found:
        line = "No digest is scheduled here, and none is yours."
        note = f"/iam-audit digest weekly mon 09:00 schedules one. {answers.ONLY_YOU}"
        return Message(line, [kit.rich(kit.section(kit.text(line, bold=True))), kit.small(note)])
    lines = [kit.section(*_line(s, a)) for s, a in found[:_LISTED]]
    head = f"{words.some(len(found), 'digest')} {'is' if len(found) == 1 else 'are'} scheduled"
    more = f" {len(found) - _LISTED} more are not shown." if len(found) > _LISTED else ""
    first, accounts = found[0]
    text = f"{head}: {said.scope(accounts, first)}, {said.rhythm(first.rhythm)}."
    note = f"End one in its channel with /iam-audit digest off.{more} {answers.ONLY_YOU}"
    return Message(
        text, [kit.rich(kit.section(kit.text(head, bold=True)), kit.bullets(lines)), kit.small(note)]
    )


def _line(schedule: Schedule, accounts: Sequence[Account]) -> list[Part]:
    return [
        _where(schedule),
        kit.text(f": {said.scope(accounts, schedule)}, {said.rhythm(schedule.rhythm)}, next "),
        kit.date(schedule.due_at, time=True),
        kit.text(", set up by "),
        kit.person(schedule.user),
    ]


def which(found: Sequence[tuple[Schedule, Sequence[Account]]]) -> Message:
    """Several digests in a channel: which one is to be turned off."""
    title = "Which digest?"
    blocks: list[Any] = [kit.rich(kit.section(kit.text(title, bold=True)))]
    for schedule, accounts in found[:_LISTED]:
        text = f"{said.rhythm(schedule.rhythm)}: {said.scope(accounts, schedule)}"
        button = off_button(schedule.id).to_dict()
        blocks.append({"type": "section", "text": kit.plain(text, 300).to_dict(), "accessory": button})
    return Message(f"{title} There are {len(found)} here.", [*blocks, kit.small(answers.ONLY_YOU)])
