"""The form of a new audit, its loading and refused states, and the options of its type-ahead. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from advisor.core.model import Account, Entity, Finding, Usage
from handlers.blocks import kit, words
from handlers.blocks.kit import Json

HINT = "none"
"""The value of an option that only says something."""

_SHOWN = 75


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}


def _view(blocks: list[Json], *, submit: str = "") -> Json:
    view: Json = {
        "type": "modal",
        "callback_id": "audit.new",
        "title": _plain("New audit"),
        "close": _plain("Cancel" if submit else "Close"),
        "blocks": blocks,
    }
    return {**view, "submit": _plain(submit)} if submit else view


def loading() -> Json:
    """What opens at once."""
    lead = kit.rich(
        kit.section(
            kit.emoji("hourglass_flowing_sand"),
            kit.text(" Checking who you are… This form fills itself in a moment."),
        )
    )
    return _view([lead.to_dict()])


def turned_away(message: kit.Message) -> Json:
    """A form that its opener may not have: the refusal, without Submit."""
    return _view([b for b in message.payload()["blocks"] if b["type"] != "context"])


def _option(text: str, value: str, description: str) -> Json:
    return {"text": _plain(text), "value": value, "description": _plain(description)}


def _input(block_id: str, label: str, element: Json, *, hint: str = "", optional: bool = False) -> Json:
    block: Json = {"type": "input", "block_id": block_id, "label": _plain(label), "element": element}
    if hint:
        block["hint"] = _plain(hint)
    return {**block, "optional": True} if optional else block


def new_audit(window_days: int, cache_hours: float) -> Json:
    """The form: which entity, how deep, which window, where the result goes."""
    levels = [
        _option("Services", "service", "Seconds. Which services were used, and when"),
        _option("Actions", "action", "Slower. Which actions, where AWS tracks them (about half)"),
    ]
    lead = kit.rich(kit.section(kit.text("An audit reads. It changes nothing in AWS."))).to_dict()
    entity = {
        **kit.type_ahead("audit.new.entity", "Type a letter of its name", 1).to_dict(),
        "focus_on_load": True,
    }
    name = {
        "type": "plain_text_input",
        "action_id": "audit.new.arn",
        "max_length": 2048,
        "placeholder": _plain("arn:aws:iam::111111111111:role/DBAdminRole"),
    }
    days = {
        "type": "number_input",
        "action_id": "audit.new.days",
        "is_decimal_allowed": False,
        "initial_value": str(window_days),
        "min_value": "1",
        "max_value": "400",
    }
    again = _option(
        "Ask AWS again", "fresh", f"Otherwise a report younger than {cache_hours:g} hours is shown"
    )
    channel = {
        "type": "conversations_select",
        "action_id": "audit.new.channel",
        "placeholder": _plain("Choose a channel or yourself"),
        "default_to_current_conversation": True,
        "filter": {
            "include": ["public", "private", "im"],
            "exclude_external_shared_channels": True,
            "exclude_bot_users": True,
        },
    }
    level = {
        "type": "radio_buttons",
        "action_id": "audit.new.level",
        "options": levels,
        "initial_option": levels[0],
    }
    return _view(
        [
            lead,
            _input(
                "entity",
                "Role, user, group or policy",
                entity,
                hint="From the accounts’ own lists. Not there? Use the next field.",
                optional=True,
            ),
            _input("arn", "Or its name or ARN", name, optional=True),
            _input("level", "How deep", level),
            _input(
                "days",
                "Use counts within (days)",
                days,
                hint="Older use is shown as stale. AWS tracks 400 days at most.",
            ),
            _input(
                "fresh",
                "Report",
                {"type": "checkboxes", "action_id": "audit.new.fresh", "options": [again]},
                optional=True,
            ),
            _input(
                "channel",
                "Post the result in",
                channel,
                hint="Channels shared with another company are left out.",
            ),
        ],
        submit="Start the audit",
    )


def entity_options(found: Sequence[tuple[Entity, Account, datetime | None, int]], typed: str) -> Json:
    """Entities by account and kind; never an empty list."""
    groups: dict[str, list[Json]] = {}
    for entity, account, at, granted in found[:100]:
        label = kit.clip(
            f"{words.account_name(account)}: {entity.kind.value if entity.kind.value != 'policy' else 'policie'}s",
            _SHOWN,
        )
        note = f"{words.some(granted, 'service')}, report of {kit.day(at)}" if at else "not audited yet"
        option = _option(kit.clip(entity.name, _SHOWN), str(entity.id), kit.clip(note, _SHOWN))
        groups.setdefault(label, []).append(option)
    if not groups:
        shown = kit.clip(typed, 30)
        return {
            "options": [
                _option(
                    f"No name has “{shown}” in it" if shown else "No names are listed yet",
                    HINT,
                    "Use the next field instead",
                )
            ]
        }
    return {
        "option_groups": [{"label": _plain(label), "options": options} for label, options in groups.items()]
    }


def hint_option(text: str, more: str) -> Json:
    """One option that only says something."""
    return {"options": [_option(kit.clip(text, _SHOWN), HINT, kit.clip(more, _SHOWN))]}


_HEADS = {
    Usage.USED: "Used",
    Usage.STALE: "Stale",
    Usage.NEVER: "No attempt seen",
    Usage.UNTRACKED: "Cannot tell",
}


def service_options(found: Sequence[tuple[Finding, int]], typed: str) -> Json:
    """Services of a result by use, those that match what was typed; never an empty list."""
    wanted = typed.casefold().strip()
    groups: dict[Usage, list[Json]] = {}
    counts: dict[Usage, int] = {}
    for finding, row in found:
        if wanted not in finding.service.casefold():
            continue
        counts[finding.usage] = counts.get(finding.usage, 0) + 1
        options = groups.setdefault(finding.usage, [])
        if len(options) >= 24:  # four groups stay within 100 options
            continue
        option: Json = {"text": _plain(kit.clip(finding.service, _SHOWN)), "value": str(row)}
        if finding.days is not None:
            option["description"] = _plain(f"{words.some(finding.days, 'day')} before the report")
        options.append(option)
    if not groups:
        return hint_option(
            f"No service has “{kit.clip(typed, 30)}” in it", "Only services of this report can be picked"
        )
    out = []
    for usage in Usage:
        if usage in groups:
            label = _HEADS[usage]
            if counts[usage] > len(groups[usage]):
                label += f" (first {len(groups[usage])} of {counts[usage]}, type for more)"
            out.append({"label": _plain(label), "options": groups[usage]})
    return {"option_groups": out}
