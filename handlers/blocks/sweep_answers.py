"""Answers to one person about scheduled sweeps: what was scheduled, what ended, what did not happen and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from advisor.core.estate import ALL, Schedule
from handlers.blocks import answers, kit
from handlers.blocks import digest_said as said
from handlers.blocks.kit import Message, Part

_SAID = {
    "shared": (
        "This channel is shared with another company",
        "Nothing about IAM is posted there, so a sweep cannot be scheduled. Choose another channel.",
    ),
    "not_joined": (
        "IAM Audit is not in this channel",
        "Type /invite @iam-audit there first, then schedule the sweep again.",
    ),
    "not_member": (
        "You are not a member of this channel",
        "Only its members may schedule a sweep for it. Nothing was scheduled.",
    ),
    "not_maker": (
        "This sweep was scheduled by somebody else",
        "Its maker or an admin may end it. Nothing was changed. Your try is in the log.",
    ),
    "none": (
        "There is no scheduled sweep of yours in this channel",
        "/iam-audit sweep weekly sun 02:00 schedules one. Nothing was changed.",
    ),
    "ended": (
        "This sweep was ended before",
        "Nothing was changed. /iam-audit sweep weekly sun 02:00 schedules a new one.",
    ),
}


def what(schedule: Schedule) -> str:
    """The bot's own account; all accounts; account prod"""
    asked = schedule.accounts[0] if schedule.accounts else ""
    return {"": "the bot’s own account", ALL: "all accounts"}.get(asked, f"account {kit.clip(asked, 40)}")


def made(schedule: Schedule) -> Message:
    """It is scheduled: when, in which zone, about what."""
    when = said.rhythm(schedule.rhythm)
    parts: list[Part] = [
        kit.emoji("white_check_mark"),
        kit.text(" The sweep is scheduled", bold=True),
        kit.text(f": {when}, {what(schedule)}, with a card here. Next "),
        kit.date(schedule.due_at, time=True),
        kit.text("."),
    ]
    note = "The time zone is yours, as Slack has it. /iam-audit sweep off ends it."
    return Message(
        f"The sweep is scheduled: {when}, {what(schedule)}. Next {kit.minute(schedule.due_at)}.",
        [kit.rich(kit.section(*parts)), kit.small(f"{note} {answers.ONLY_YOU}")],
    )


def ended(schedule: Schedule) -> Message:
    """It comes no more."""
    line = f"The scheduled sweep of {what(schedule)} has ended: {said.rhythm(schedule.rhythm)}."
    return Message(
        line,
        [
            kit.rich(kit.section(kit.emoji("white_check_mark"), kit.text(f" {line}"))),
            kit.small(f"What was read stays. {answers.ONLY_YOU}"),
        ],
    )


def which(found: Sequence[Schedule]) -> Message:
    """Several of yours come to this channel: a button for each."""
    title = "Which sweep is to end?"
    blocks: list[Any] = [kit.rich(kit.section(kit.emoji("grey_question"), kit.text(f" {title}", bold=True)))]
    for schedule in found[:20]:
        blocks.append(kit.rich(kit.section(kit.text(f"{what(schedule)}, {said.rhythm(schedule.rhythm)}"))))
        blocks.append(kit.actions(kit.button("Turn off", "sweep.off", schedule.id)))
    return Message(
        f"{title} {len(found)} of yours come to this channel.", [*blocks, kit.small(answers.ONLY_YOU)]
    )


def answer(word: str) -> Message:
    """What did not happen, by the word of the outcome."""
    return answers.undone(word, _SAID)
