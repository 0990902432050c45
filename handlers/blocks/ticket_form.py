"""Forms of tickets: reject, keep, roll back, and what all of them share (loading, refused, broken). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from advisor.core.back import restorable
from advisor.core.hold import still_denied
from advisor.core.removal import TOGETHER, Ticket, TicketState
from handlers.blocks import kit, modal, words
from handlers.blocks.kit import Json
from handlers.blocks.modal import field, option, plain, without_notes
from handlers.blocks.ticket_view import TicketView, takes

PICKS = 100
"""Options that one select holds (Block Kit reference, multi-select)."""

_TITLES = {
    "ticket.new": "New removal ticket",
    "ticket.reject": "Reject ticket",
    "ticket.keep": "Keep, because…",
    "ticket.rollback": "Roll back ticket",
    "ticket.notneeded": "Not needed",
    "digest.new": "Digest for a channel",
    "digest.keep": "Keep, because…",
    "digest.tickets": "Tickets for several",
}


def alert(level: str, text: str) -> Json:
    """A line that must not be missed. Where Slack does not know the block, see `without_alerts`."""
    return {"type": "alert", "level": level, "text": plain(text)}


def without_alerts(view: Json) -> Json:
    """The same form for a Slack that knows no alert block: the same words as a section."""
    blocks = [
        {"type": "section", "text": {"type": "plain_text", "text": f"⚠ {b['text']['text']}", "emoji": False}}
        if b["type"] == "alert"
        else b
        for b in view["blocks"]
    ]
    return {**view, "blocks": blocks}


def form(callback: str, row: str, blocks: list[Json], *, submit: str = "", close: str = "Close") -> Json:
    """A view of one of these callback ids; `row` is its private_metadata."""
    title = _TITLES[callback]
    if callback in {"ticket.reject", "ticket.rollback"}:
        title = f"{title} {row}"
    return modal.view(callback, title, blocks, submit=submit, close=close, metadata=row)


def loading(callback: str, row: str) -> Json:
    """What opens at once."""
    line = " Reading what the last report says… This form fills itself in a moment."
    lead = kit.rich(kit.section(kit.emoji("hourglass_flowing_sand"), kit.text(line)))
    return form(callback, row, [lead.to_dict()])


def broken(callback: str, row: str, reference: str) -> Json:
    """The form could not be filled."""
    rest = kit.words(
        f"Close this and try again. If it fails again, give your operator this number: *{reference}*."
    )
    return form(
        callback,
        row,
        [alert("error", "The form could not be filled. Nothing was changed."), rest.to_dict()],
    )


def turned_away(callback: str, row: str, message: kit.Message) -> Json:
    """A form that its opener may not have: the refusal, without Submit."""
    return form(callback, row, without_notes(message))


def words_field(callback: str, label: str, placeholder: str, hint: str, *, optional: bool = False) -> Json:
    """Where a person writes why."""
    element = {
        "type": "plain_text_input",
        "action_id": f"{callback}.reason",
        "multiline": True,
        "max_length": kit.REASON,
        "placeholder": plain(placeholder),
    }
    return field("reason", label, element, hint=hint, optional=optional)


# -- the forms of an open or carried out ticket --------------------------------------------------------------------


def reject(ticket: Ticket) -> Json:
    """Why not."""
    lead = kit.section(
        kit.text("The ticket closes, nothing is changed, and "),
        kit.person(ticket.requesters[0]),
        kit.text(" is told. It cannot be reopened; a new one can be planned."),
    )
    field = words_field(
        "ticket.reject", "Why not", "What would have to be different", "Shown on the card as your words."
    )
    return form(
        "ticket.reject", str(ticket.id), [kit.rich(lead).to_dict(), field], submit="Reject", close="Back"
    )


def keep(view: TicketView, until: date) -> Json:
    """What is kept, until when, and why."""
    kind = words.kind_of(view.entity)
    lead = kit.section(
        kit.text(view.name, bold=True),
        kit.text(f", {kind[:1].lower() + kind[1:]} in {words.account_name(view.account)}"),
    )
    until_ = {"type": "datepicker", "action_id": "ticket.keep.until", "initial_date": until.isoformat()}
    services = {
        "type": "multi_external_select",
        "action_id": "ticket.keep.services",
        "placeholder": plain("Type a service, or choose"),
        "min_query_length": 0,
    }
    what = "Until that day no plan takes these services away. It ends by itself, or by /iam-audit keep end."
    blocks = [
        kit.rich(lead).to_dict(),
        kit.rich(kit.section(kit.text(what))).to_dict(),
        field(
            "services",
            "Services to keep",
            services,
            hint="None chosen: everything that it has.",
            optional=True,
        ),
        field("until", "Until", until_, hint="One year at most."),
        words_field(
            "ticket.keep",
            "Because",
            "What needs it, and how often",
            "Shown wherever these services stay, as your words.",
        ),
    ]
    if view.ticket.state.value == "open":
        blocks.append(
            kit.small(
                f"If ticket {view.ticket.id} takes one of them, it closes as superseded and a new one without them opens. "
                "That one starts with no approvals."
            ).to_dict()
        )
    return form("ticket.keep", str(view.ticket.id), blocks, submit="Keep", close="Back")


def roll_back(view: TicketView) -> Json:
    """What goes back."""
    ticket = view.ticket
    held = ticket.state is TicketState.HELD
    options = _held_parts(view) if held else _parts(view)
    warning = (
        f"This writes to AWS as soon as you press Roll back. {view.name} {view.where} gets permissions back."
    )
    blocks: list[Json] = [alert("warning", warning)]
    chosen = _hurt(view, options)
    if view.plan.quarantine or len(options) < 2 or ticket.state is TicketState.NEEDS_HUMAN:
        # there is nothing to choose
        blocks.append(kit.rich(kit.section(kit.text(f"Everything goes back: {takes(view)}."))).to_dict())
    else:
        how = "One call lifts the hold" if held else "The very text that was there"
        rest = "held on" if held else "removed, and the ticket stays “applied”"
        everything = option(f"Everything: {takes(view)}", "all", how)
        some = option("Only the ones chosen below", "some", f"The rest {'is' if held else 'stays'} {rest}")
        scope = {
            "type": "radio_buttons",
            "action_id": "ticket.rollback.scope",
            "options": [everything, some],
            "initial_option": some if chosen else everything,
        }
        picks = {
            "type": "multi_static_select",
            "action_id": "ticket.rollback.services",
            "options": options[:PICKS],
            "placeholder": plain("Choose services"),
            **({"initial_options": chosen} if chosen else {}),
        }
        blocks += [
            *(_denied(view) if chosen else ()),
            field("scope", "What goes back", scope),
            field(
                "services", "Services", picks, hint="Used only with “Only the ones chosen”.", optional=True
            ),
        ]
    blocks += [
        words_field(
            "ticket.rollback",
            "Reason",
            "What broke",
            "Shown on the card as your words. May follow later in the thread.",
            optional=True,
        ),
        kit.small(
            "Only what still equals the change is undone: work that somebody else did since is not overwritten."
        ).to_dict(),
    ]
    return form("ticket.rollback", str(ticket.id), blocks, submit="Roll back", close="Not now")


def _hurt(view: TicketView, options: Sequence[Json]) -> list[Json]:
    """The options of what was denied since."""
    hurt = {t for h in view.hits if h.closed_at is None for t in h.things}
    hurt |= {t.partition(":")[0] for t in hurt}
    whole = [
        e.policy for e in view.plan.edits if e.treatment in TOGETHER and e.policy not in view.ticket.given
    ]
    found = []
    for one in options:
        kind, _, rest = str(one["value"]).partition(":")
        name = whole[int(rest)] if kind == "p" else rest
        found += [one] if name in hurt else []
    return found[:PICKS]


def _denied(view: TicketView) -> list[Json]:
    """What was denied since the change, and that it is chosen below."""
    told: dict[str, int] = {}
    for hit in view.hits:
        for name in hit.things if hit.closed_at is None else ():
            told[name] = told.get(name, 0) + hit.count
    named = "; ".join(f"{kit.clip(n, kit.NAME)}, {words.some(c, 'time')}" for n, c in list(told.items())[:5])
    line = f" Denied since the change: {named}. {'It is' if len(told) == 1 else 'They are'} chosen below."
    return [kit.rich(kit.section(kit.emoji("eyes"), kit.text(line))).to_dict()]


def _parts(view: TicketView) -> list[Json]:
    """What can go back by itself once it is written: a policy that went whole, single services of documents."""
    edits, given = view.plan.edits, view.ticket.given
    whole = [e for e in edits if e.treatment in TOGETHER]
    single = sorted({s for e in edits if e not in whole for s in restorable(e)} - set(given))
    names = [e.policy for e in whole if e.policy not in given]
    options = [option(f"{p}: its services together", f"p:{n}") for n, p in enumerate(names)]
    return options + [option(s, f"s:{s}") for s in single]


def _held_parts(view: TicketView) -> list[Json]:
    """What a hold need not deny: each service by itself."""
    denied = {d.partition(":")[0] for d in still_denied(view.plan, view.ticket.given)}
    return [option(s, f"s:{s}") for s in sorted(denied)]


def blocked(ticket: Ticket, newer: Ticket) -> Json:
    """A later change of the same documents goes back first."""
    line = f"Ticket {ticket.id} cannot go back first: ticket {newer.id} changed the same policy later. Nothing was changed."
    rest = f"The newest goes first: roll back ticket {newer.id}, then come back here."
    return form(
        "ticket.rollback",
        str(ticket.id),
        [alert("warning", line), kit.rich(kit.section(kit.text(rest))).to_dict()],
    )


def given_back(view: TicketView, values: Json) -> tuple[tuple[str, ...], str, dict[str, str]]:
    """What a sent roll back asks for: names to give back (none: everything), the reason, and what is wrong by block."""
    reason = str((values.get("reason") or {}).get("ticket.rollback.reason", {}).get("value") or "").strip()
    scope = (values.get("scope") or {}).get("ticket.rollback.scope", {}).get("selected_option") or {}
    if scope.get("value") != "some":
        return (), reason, {}
    picked = (values.get("services") or {}).get("ticket.rollback.services", {}).get("selected_options") or []
    whole = [
        e.policy for e in view.plan.edits if e.treatment in TOGETHER and e.policy not in view.ticket.given
    ]
    names = []
    for one in picked:
        kind, _, rest = str(one["value"]).partition(":")
        names.append(whole[int(rest)] if kind == "p" and int(rest) < len(whole) else rest)
    return (
        tuple(names),
        reason,
        {} if names else {"services": "Choose at least one, or give everything back."},
    )


def service_options(services: Sequence[str], typed: str) -> Json:
    """Options of the keep form's type-ahead; never an empty list."""
    found = [s for s in services if typed.casefold() in s.casefold()][:PICKS]
    if not found:
        return {
            "options": [option("No such service here", "none", "Type less, or leave it empty for everything")]
        }
    return {"options": [option(s, f"s:{s}") for s in found]}
