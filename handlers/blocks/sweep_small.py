"""What stands around a sweep's card: options of its selects, private answers, the lines beside its files. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.core.estate import Score
from advisor.core.model import Account, Entity
from handlers.blocks import kit, words
from handlers.blocks.forms import HINT
from handlers.blocks.kit import Json, Message
from handlers.blocks.modal import option


def options(found: Sequence[tuple[Entity, Account, Score]], typed: str) -> Json:
    """Entities with what could go; never an empty list."""
    shown = [
        option(
            e.name,
            str(e.id),
            kit.clip(f"{e.kind.value} in {words.account_name(a)}, {s.could_go} of {s.granted} could go", 75),
        )
        for e, a, s in found[:100]
    ]
    nothing = f"No name has “{kit.clip(typed, 30)}” in it" if typed else "Nothing was read"
    return {"options": shown or [option(nothing, HINT, "Type another part of the name")]}


def joined(other: int) -> Message:
    """The same sweep is under way here already."""
    text = f"Sweep {other} of the same accounts is under way in this channel already. Its card becomes the result."
    return Message(text, [kit.rich(kit.section(kit.text(text))), kit.small("Only you see this.")])


def exported(rows: int, entities: int) -> Message:
    """The line beside the files."""
    text = (
        f"{words.some(rows, 'row')} of {words.some(entities, 'entity', 'entities')} as CSV and JSON. "
        "Whoever can read this channel can read the files."
    )
    return Message(text, [kit.small(text)])


def file_refused(why: str) -> Message:
    """Slack took no file."""
    text = f"There is no file: {kit.clip(why, 120)}. Export CSV on the card tries again."
    return Message(text, [kit.rich(kit.section(kit.emoji("warning"), kit.text(f" {text}")))])
