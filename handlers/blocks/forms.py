"""The form of a new audit, its loading and refused states, and the options of its type-ahead. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from advisor.core.model import Account, Entity, Finding, Usage
from handlers.blocks import kit, modal, words
from handlers.blocks.kit import Json
from handlers.blocks.modal import field, option, plain, without_notes

HINT = "none"
"""The value of an option that only says something."""

_SHOWN = 75


def _view(blocks: list[Json], *, submit: str = "") -> Json:
    return modal.view("audit.new", "New audit", blocks, submit=submit, close="Cancel" if submit else "Close")


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
    return _view(without_notes(message))


def new_audit(window_days: int, cache_hours: float) -> Json:
    """The form: which entity, how deep, which window, where the result goes."""
    levels = [
        option("Services", "service", "Seconds. Which services were used, and when"),
        option("Actions", "action", "Slower. Which actions, where AWS tracks them (about half)"),
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
        "placeholder": plain("arn:aws:iam::111111111111:role/DBAdminRole"),
    }
    days = {
        "type": "number_input",
        "action_id": "audit.new.days",
        "is_decimal_allowed": False,
        "initial_value": str(window_days),
        "min_value": "1",
        "max_value": "400",
    }
    again = option(
        "Ask AWS again", "fresh", f"Otherwise a report younger than {cache_hours:g} hours is shown"
    )
    channel = {
        "type": "conversations_select",
        "action_id": "audit.new.channel",
        "placeholder": plain("Choose a channel or yourself"),
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
            field(
                "entity",
                "Role, user, group or policy",
                entity,
                hint="From the accounts’ own lists. Not there? Use the next field.",
                optional=True,
            ),
            field("arn", "Or its name or ARN", name, optional=True),
            field("level", "How deep", level),
            field(
                "days",
                "Use counts within (days)",
                days,
                hint="Older use is shown as stale. AWS tracks 400 days at most.",
            ),
            field(
                "fresh",
                "Report",
                {"type": "checkboxes", "action_id": "audit.new.fresh", "options": [again]},
                optional=True,
            ),
            field(
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
        groups.setdefault(label, []).append(option(entity.name, str(entity.id), note))
    if not groups:
        shown = kit.clip(typed, 30)
        return {
            "options": [
                option(
                    f"No name has “{shown}” in it" if shown else "No names are listed yet",
                    HINT,
                    "Use the next field instead",
                )
            ]
        }
    return {
        "option_groups": [{"label": plain(label), "options": options} for label, options in groups.items()]
    }


def hint_option(text: str, more: str) -> Json:
    """One option that only says something."""
    return {"options": [option(text, HINT, more)]}


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
        note = "" if finding.days is None else f"{words.some(finding.days, 'day')} before the report"
        options.append(option(finding.service, str(row), note))
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
            out.append({"label": plain(label), "options": groups[usage]})
    return {"option_groups": out}
