"""Forms of digests: a new one or a change, a keep, and tickets for several entities at once. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from advisor.core.digest import Next, Wanted
from advisor.core.estate import Cadence, Rhythm, Schedule
from advisor.core.model import Account, Entity
from handlers.blocks import digest_said as said
from handlers.blocks import kit, ticket_form, words
from handlers.blocks.kit import Json
from handlers.blocks.modal import field, option, plain
from handlers.blocks.ticket_form import PICKS, form, words_field

_SEVERITY = {"": "Everything", "medium": "Medium risk and up", "high": "High risk only"}
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_ID = re.compile(r"[USW][A-Z0-9]{2,20}")


@dataclass(frozen=True, slots=True)
class NewDigest:
    """What the form is drawn from; `schedule` where one is changed, `channel` where it was asked for."""

    accounts: tuple[Account, ...]
    zone: str
    channel: str = ""
    schedule: Schedule | None = None

    @property
    def rhythm(self) -> Rhythm:
        """As it stands, or as it is proposed."""
        return self.schedule.rhythm if self.schedule else Rhythm(Cadence.WEEKLY, "mon", "09:00", self.zone)


def new(made: NewDigest) -> Json:
    """Channel, how often, day, time, accounts, tag, least risk, whom to mention, and whether nothing is said."""
    lead = (
        "A digest says what changed since the last one and what to clean up next. It changes nothing in AWS."
    )
    blocks = [
        kit.rich(kit.section(kit.text(lead))).to_dict(),
        _channel(made),
        *_when(made),
        _accounts(made),
        *_which(made),
    ]
    row = str(made.schedule.id) if made.schedule else ""
    return form(
        "digest.new", row, blocks, submit="Change it" if made.schedule else "Schedule it", close="Cancel"
    )


def _channel(made: NewDigest) -> Json:
    element: Json = {
        "type": "conversations_select",
        "action_id": "digest.new.channel",
        "placeholder": plain("Choose a channel or yourself"),
        "filter": {
            "include": ["public", "private", "im"],
            "exclude_external_shared_channels": True,
            "exclude_bot_users": False,
        },
    }
    known = made.schedule.channel if made.schedule else made.channel
    element |= (
        {"initial_conversation": known}
        if words.is_channel(known)
        else {"default_to_current_conversation": True}
    )
    hint = "You must be a member of it. Channels shared with another company are left out; a direct message means you."
    return field("channel", "Channel", element, hint=hint)


def _choice(kind: str, action: str, options: list[Json], value: str) -> Json:
    chosen = next((o for o in options if o["value"] == value), options[0])
    return {"type": kind, "action_id": action, "options": options, "initial_option": chosen}


def _when(made: NewDigest) -> list[Json]:
    rhythm = made.rhythm
    day = rhythm.day if rhythm.cadence is Cadence.MONTHLY else "1"
    months = {"1": "on the 1st", "last": "on its last day"}
    months.setdefault(day, f"on day {day}")
    every = [option("Every day", "daily"), option("Every week", "weekly")]
    every += [option(f"Every month, {text}", f"monthly:{d}") for d, text in months.items()]
    value = f"monthly:{day}" if rhythm.cadence is Cadence.MONTHLY else rhythm.cadence.value
    days = [option(text, d) for d, text in words.DAYS.items()]
    return [
        field("every", "How often", _choice("radio_buttons", "digest.new.every", every, value)),
        field(
            "day",
            "Day",
            _choice(
                "static_select", "digest.new.day", days, rhythm.day if rhythm.day in words.DAYS else "mon"
            ),
            hint="For a weekly digest.",
            optional=True,
        ),
        field(
            "time",
            "Time",
            {"type": "timepicker", "action_id": "digest.new.time", "initial_time": rhythm.at},
            hint=f"In your time zone, {made.zone}.",
        ),
    ]


def _accounts(made: NewDigest) -> Json:
    wanted = made.schedule.accounts if made.schedule else ()
    if not 0 < len(made.accounts) <= PICKS:
        element: Json = {
            "type": "plain_text_input",
            "action_id": "digest.new.account_words",
            "placeholder": plain("prod, 222222222222"),
            "max_length": 3000,
        }
        if wanted:
            element["initial_value"] = ", ".join(wanted)
        return field("accounts", "Accounts", element, hint="Empty: all accounts.", optional=True)
    options = [option(words.account_name(a), a.id) for a in made.accounts]
    picked = [o for o, a in zip(options, made.accounts, strict=True) if any(a.matches(w) for w in wanted)]
    element = {
        "type": "multi_static_select",
        "action_id": "digest.new.accounts",
        "options": options,
        "placeholder": plain("All accounts"),
    }
    if picked:
        element["initial_options"] = picked
    return field("accounts", "Accounts", element, optional=True)


def _which(made: NewDigest) -> list[Json]:
    known = made.schedule
    tag: Json = {
        "type": "plain_text_input",
        "action_id": "digest.new.tag",
        "placeholder": plain("team=payments"),
        "max_length": 384,
    }
    if known and known.tag:
        tag["initial_value"] = known.tag
    levels = [option(text, value or "any") for value, text in _SEVERITY.items()]
    people: Json = {
        "type": "multi_users_select",
        "action_id": "digest.new.mention",
        "placeholder": plain("Nobody"),
        "max_selected_items": 10,
    }
    if known and (users := [u for u in known.mention if u[:1] in {"U", "W"}]):
        people["initial_users"] = users
    silent = option("Nothing to say: post nothing", "quiet", "Otherwise it posts one line")
    quiet: Json = {"type": "checkboxes", "action_id": "digest.new.quiet", "options": [silent]}
    if known and known.quiet:
        quiet["initial_options"] = [silent]
    return [
        field("tag", "Only entities with this tag", tag, optional=True),
        field(
            "severity",
            "Show",
            _choice(
                "static_select", "digest.new.severity", levels, (known.severity if known else "") or "any"
            ),
            hint="By what the unused permissions could do.",
        ),
        field("mention", "Mention", people, optional=True),
        field("quiet", "When nothing happened", quiet, optional=True),
    ]


def wanted(values: Json, user: str, zone: str) -> tuple[Wanted, dict[str, str]]:
    """What a sent form asks for, and what is wrong with it by block. Accounts are words that nobody has checked yet."""

    def one(block: str, action: str) -> Json:
        return (values.get(block) or {}).get(f"digest.new.{action}") or {}

    def chosen(block: str, action: str) -> str:
        return str((one(block, action).get("selected_option") or {}).get("value") or "")

    channel = str(one("channel", "channel").get("selected_conversation") or user)
    every, _, month_day = chosen("every", "every").partition(":")
    at = str(one("time", "time").get("selected_time") or "09:00")
    tag = str(one("tag", "tag").get("value") or "").strip().removeprefix("tag:")
    errors = {}
    cadence = Cadence(every) if every in set(Cadence) else Cadence.WEEKLY
    day = {Cadence.WEEKLY: chosen("day", "day"), Cadence.MONTHLY: month_day}.get(cadence, "")
    if cadence is Cadence.WEEKLY and day not in words.DAYS:
        day = "mon"
    if cadence is Cadence.MONTHLY and day != "last" and not (day.isdecimal() and 1 <= int(day) <= 28):
        day = "1"
    if not _TIME.fullmatch(at):
        errors["time"] = "A time such as 09:00."
    if tag and not all(tag.partition("=")):
        errors["tag"] = "A key and a value, such as team=payments."
    picked = [str(o["value"]) for o in one("accounts", "accounts").get("selected_options") or []]
    typed = str(one("accounts", "account_words").get("value") or "")
    severity = chosen("severity", "severity")
    made = Wanted(
        channel=words.place_of(channel, user),
        rhythm=Rhythm(cadence, day, at, zone),
        accounts=tuple(picked or [w.strip() for w in typed.split(",") if w.strip()]),
        tag=tag,
        severity=severity if severity in _SEVERITY else "",
        mention=tuple(u for u in one("mention", "mention").get("selected_users") or [] if _ID.fullmatch(u)),
        quiet=bool(one("quiet", "quiet").get("selected_options")),
    )
    return made, errors


# -- a keep --------------------------------------------------------------------------------------------------------


def keep(entity: Entity, account: Account, services: Sequence[str], until: date) -> Json:
    """What is kept of an entity, until when, and why."""
    kind = words.kind_of(entity)
    lead = kit.section(
        kit.text(kit.clip(entity.name, kit.NAME), bold=True),
        kit.text(f", {kind[:1].lower() + kind[1:]} in {words.account_name(account)}"),
        kit.text(
            "\nUntil that day no plan takes these services away. It ends by itself; you are reminded before."
        ),
    )
    blocks = [kit.rich(lead).to_dict()]
    if services:
        picks = {
            "type": "multi_static_select",
            "action_id": "digest.keep.services",
            "options": [option(s, f"s:{s}") for s in services[:PICKS]],
            "placeholder": plain("Choose services"),
        }
        hint = "None chosen: everything that it has."
        blocks.append(field("services", "Services to keep", picks, hint=hint, optional=True))
    day = {"type": "datepicker", "action_id": "digest.keep.until", "initial_date": until.isoformat()}
    blocks += [
        field("until", "Until", day, hint="One year at most."),
        words_field(
            "digest.keep",
            "Because",
            "What needs it, and how often",
            "Shown wherever these services stay, as your words.",
        ),
        kit.small(
            "Its owner and approvers may. A ticket that takes one of them closes, and a new one without them opens."
        ).to_dict(),
    ]
    return form("digest.keep", str(entity.id), blocks, submit="Keep", close="Back")


# -- tickets for several -------------------------------------------------------------------------------------------


def several(row: str, found: Sequence[Next]) -> Json:
    """One box an entity; each becomes a ticket of its own, of what its report alone says can go."""
    boxes = [
        option(said.named(n.thing), str(n.thing.id), f"{n.could_go:,} of {n.granted:,} services could go")
        for n in found[:10]
    ]
    element = {
        "type": "checkboxes",
        "action_id": "digest.tickets.entities",
        "options": boxes,
        "initial_options": boxes,
    }
    lead = "Each becomes a ticket of its own, with its own plan and its own approval. Opening them changes nothing."
    note = "A ticket takes what the last report proves unused. Where a person has to choose, use “Open a ticket…”."
    blocks = [
        kit.rich(kit.section(kit.text(lead))).to_dict(),
        field("entities", "Entities", element),
        words_field(
            "digest.tickets", "Reason", "Why now, and who knows about it", "Shown on each card as your words."
        ),
        kit.small(note).to_dict(),
    ]
    return form("digest.tickets", row, blocks, submit="Open the tickets", close="Cancel")


def which(found: Sequence[Schedule], accounts: Sequence[Account]) -> Json:
    """Several digests: which one is to be changed."""
    blocks: list[Json] = [kit.rich(kit.section(kit.text("Which digest?", bold=True))).to_dict()]
    for one in found[:20]:
        of = [a for a in accounts if any(a.matches(w) for w in one.accounts)]
        text = f"{said.rhythm(one.rhythm)}: {said.scope(of, one)}"
        button = kit.button("Change…", "digest.edit", one.id).to_dict()
        blocks.append({"type": "section", "text": plain(kit.clip(text, 300)), "accessory": button})
    return ticket_form.form("digest.new", "", blocks)
