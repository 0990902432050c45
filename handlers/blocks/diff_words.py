"""The sentences around the documents of a diff: how far the ticket is, what the signs mean, what was left out. Pure."""

from __future__ import annotations

from typing import Any

from advisor.core.model import Kind
from advisor.core.removal import Edit, Step, StepState, TicketState, Treatment
from handlers.blocks import kit, words
from handlers.blocks.statements import Tally
from handlers.blocks.ticket_view import TicketView


def plan_words(fingerprint: str) -> str:
    """The first eight digits of a fingerprint, in two groups: 7f3c 91aa."""
    return f"{fingerprint[:4]} {fingerprint[4:8]}"


def done(view: TicketView) -> set[Step]:
    """The writes of the change that were read back; those of a hold are none of it."""
    hold = view.plan.hold
    beside = hold.name if hold and not view.plan.quarantine else ""
    done = [e.step for e in view.entries if not e.back and e.state is StepState.DONE]
    return {s for s in done if s.name != beside}


def stage(view: TicketView) -> str:
    """How far the ticket is: ahead, part, wrote, back, hand (somebody did what was advised), never."""
    state = view.ticket.state
    if state is TicketState.APPLIED:
        return "hand" if view.ticket.advice else "wrote"
    if state is TicketState.ROLLED_BACK:
        return "back"
    if done(view) or state is TicketState.NEEDS_HUMAN:
        return "part"
    waits = {
        TicketState.DRAFT,
        TicketState.OPEN,
        TicketState.APPROVED,
        TicketState.APPLYING,
        TicketState.HELD,
    }
    return "ahead" if state in waits else "never"


def wrote(view: TicketView) -> bool:
    """Whether the diff is told in the past tense."""
    return stage(view) in {"wrote", "back", "hand"}


_VERB = {"ahead": "writes", "never": "would have written", "part": "wrote in part", "hand": "proposed"}


def lead(view: TicketView, *, cut: bool) -> list[Any]:
    """The first line: what the ticket does, in how many changes, and what is true of AWS now."""
    now, changes = stage(view), words.some(len(view.plan.edits), "change")
    verb = "proposes" if view.ticket.advice and now == "ahead" else _VERB.get(now, "wrote")
    title = kit.text(f"What ticket {view.ticket.id} {verb}", bold=True)
    match now:
        case "wrote":
            return [title, *_live(view, changes)]
        case "hand":
            return [title, *_live(view, f"{changes}, made by hand")]
        case "back":
            back = "All that was written was rolled back: the saved texts are there again"
            return [title, kit.text(f" · {changes}. {back}")]
        case "part":
            steps = view.plan.steps
            count = sum(s in done(view) for s in steps)
            found = f"{count:,} of {words.some(len(steps), 'write')} {'is' if count == 1 else 'are'} known to be done"
            return [title, kit.text(f" · {changes}, {found}")]
    never = [kit.text(". Nothing was written")] if now == "never" else []
    if view.plan.quarantine:
        return [title, kit.text(f" · {changes}: everything is denied, no document is touched"), *never]
    order = f": {_sums(view)}. " if cut else ", in this order. "
    return [title, kit.text(f" · {changes}{order}"), *_signs(view, cut=cut), *never]


def _signs(view: TicketView, *, cut: bool) -> list[Any]:
    """What the lines with - and + mean; that nothing new is granted is said only where it is so."""
    tally = Tally.of(c for e in view.plan.edits for c in e.changes)
    minus, plus = kit.code("-"), kit.code("+")
    parts: list[Any] = []
    if cut and tally.out:
        parts.append(kit.text(f"{words.some(tally.out, 'action')} {'goes' if tally.out == 1 else 'go'}"))
    else:
        parts += [kit.text("Lines with "), minus, kit.text(" go")]
    new = any(e.instead for e in view.plan.edits)
    if tally.loose:
        text = f" lie{'s' if tally.loose == 1 else ''} inside nothing that goes: read them one by one"
        return [*parts, kit.text(f". {tally.loose:,} marked "), plus, kit.text(text)]
    if tally.excepted:
        one = tally.excepted == 1
        text = (
            f" {'is an exception' if one else 'are exceptions'} that {'takes' if one else 'take'} away more"
        )
        parts += [kit.text(f". {tally.excepted:,} marked "), plus, kit.text(text)]
    if tally.narrower:
        text = (
            " stands in for a wildcard and lies"
            if tally.narrower == 1
            else " stand in for a wildcard and lie"
        )
        return [
            *parts,
            kit.text(f". {tally.narrower:,} marked "),
            plus,
            kit.text(f"{text} inside it: nothing new is granted"),
        ]
    if new:
        return [*parts, kit.text(". What is attached instead holds only what stays: nothing new is granted")]
    return [*parts, kit.text(", nothing is added" if not tally.excepted else ": nothing new is granted")]


def _live(view: TicketView, changes: str) -> list[Any]:
    """That live documents equal the plan, and when that was read; not where something was given back."""
    if view.ticket.given:
        given = words.listed(sorted(view.ticket.given))
        return [
            kit.text(
                f" · {changes}. Given back since: {given}. Live documents do not equal the plan any more"
            )
        ]
    read = [e.settled_at for e in view.run if not e.back and e.settled_at]
    at = max(read, default=view.ticket.changed_at)
    return [kit.text(f" · {changes}. Live documents equal the plan, read "), kit.date(at, time=True)]


def _sums(view: TicketView) -> str:
    """3 documents edited, 2 policies detached."""
    by = [e.treatment for e in view.plan.edits]
    edited = by.count(Treatment.EDIT) + by.count(Treatment.VERSION)
    replaced = sum(t in {Treatment.COPY, Treatment.REPLACE, Treatment.SWAP} for t in by)
    counts = (
        (edited, "document", "documents", "edited"),
        (by.count(Treatment.DELETE), "inline policy", "inline policies", "deleted"),
        (replaced, "policy", "policies", "replaced"),
        (by.count(Treatment.DETACH), "policy", "policies", "detached"),
        (by.count(Treatment.QUARANTINE), "policy", "policies", "attached"),
    )
    return ", ".join(f"{words.some(n, one, many)} {verb}" for n, one, many, verb in counts if n)


def warning(view: TicketView, told: int, changed: int, hidden: int) -> list[Any]:
    """How much is not shown, and that an approval is for it too."""
    said = f" {told:,} of {words.some(changed, 'changed statement')} {'is' if 1 in {told, changed} else 'are'} shown. "
    if hidden:
        said += f"{words.some(hidden, 'more change')} {'is' if hidden == 1 else 'are'} in the file. "
    name = f"ticket-{view.ticket.id}-diff.txt"
    ahead = f"Read {name} below before you approve: the approval is for all of it."
    return [
        kit.emoji("warning"),
        kit.text(said, bold=True),
        kit.text(ahead if stage(view) == "ahead" else f"All of it is in {name} below."),
    ]


def foot(view: TicketView, *, cut: bool) -> str:
    """The plan's fingerprint, and where the whole texts are."""
    name = f"ticket-{view.ticket.id}-diff.txt"
    plan = f"Plan {plan_words(view.plan.fingerprint)}."
    count = len(view.plan.edits)
    if view.plan.quarantine:
        return f"{plan} No document changes. The same is in {name} below."
    if stage(view) in {"wrote", "back"}:
        return f"{plan} The saved texts, letter by letter, are in {name} below."
    if cut:
        return f"{plan} The file has every document, before and after, letter by letter."
    which = {1: "The document", 2: "Both documents"}.get(count, f"All {count:,} documents")
    return f"{plan} {which}, before and after, letter by letter, {'is' if count == 1 else 'are'} in {name} below."


def spoken(view: TicketView, told: int, changed: int, *, cut: bool) -> str:
    """What a screen reader says. Only names of entities and policies, numbers and words of ours."""
    plan = view.plan
    if plan.quarantine:
        what = f"{kit.clip(plan.edits[0].policy, kit.NAME)} attached, so that everything is denied"
    elif wrote(view):
        what = ", ".join(_short(e) for e in plan.edits[:4])
        what += f" and {len(plan.edits) - 4:,} more" if len(plan.edits) > 4 else ""
    else:
        what = _sentence(view, cut=cut)
    now = stage(view)
    if now in {"wrote", "hand", "back"}:
        verb = "changed" if now != "hand" else "proposed, made by hand,"
        end = "Live documents equal the plan."
        end = "Some of it was given back since." if view.ticket.given else end
        end = "All that was written was rolled back." if now == "back" else end
        return f"What ticket {view.ticket.id} {verb} in {view.name}: {what}. {end}"
    verb = {"never": "would have changed", "part": "changed in part"}.get(now, "changes")
    end = "The full texts are in the attached file."
    if cut and told < changed:
        are = "is" if 1 in {told, changed} else "are"
        end = f"{told:,} of {words.some(changed, 'changed statement')} {are} shown here; all are in the attached file."
    return f"What ticket {view.ticket.id} {verb} in {view.name}: {what}. {end}"


def _short(edit: Edit) -> str:
    """db-admin-inline 10 actions out; AmazonRDSFullAccess detached."""
    name = kit.clip(edit.policy, kit.NAME)
    tally = Tally.of(edit.changes)
    if edit.treatment is Treatment.DETACH:
        return f"{name} detached"
    if edit.treatment is Treatment.DELETE:
        return f"{name} deleted"
    if edit.instead:
        return f"{name} replaced by {kit.clip(edit.instead, kit.NAME)}"
    return f"{name} {words.some(tally.out + tally.narrowed, 'action')} out"


def _sentence(view: TicketView, *, cut: bool) -> str:
    """1 of 2 documents edited (db-admin-inline: 10 actions out, none in), 1 policy detached (AmazonRDSFullAccess)."""
    edits, tally = view.plan.edits, Tally.of(c for e in view.plan.edits for c in e.changes)
    if cut or len(edits) > 3:
        found = f"{_sums(view)}; {words.some(tally.out + tally.narrowed, 'action')} out"
        return found + (
            f", {words.some(tally.narrower, 'narrower one')} in place of a wildcard" if tally.narrower else ""
        )
    parts = []
    edited = [e for e in edits if e.treatment in {Treatment.EDIT, Treatment.VERSION}]
    if edited:
        basis = view.plan.basis
        total = 1 if view.entity.kind is Kind.POLICY else len(basis.inline) + len(basis.attached)
        some = words.some(max(total, len(edited)), "document")
        which = "; ".join(_edited(e) for e in edited)
        parts.append(f"{len(edited)} of {some} edited ({which})")
    for treatment, one, many, verb in (
        (Treatment.DELETE, "inline policy", "inline policies", "deleted"),
        (Treatment.COPY, "policy", "policies", "replaced"),
        (Treatment.REPLACE, "AWS policy", "AWS policies", "replaced"),
        (Treatment.SWAP, "AWS policy", "AWS policies", "swapped"),
        (Treatment.DETACH, "policy", "policies", "detached"),
    ):
        names = [kit.clip(e.policy, kit.NAME) for e in edits if e.treatment is treatment]
        if names:
            parts.append(f"{words.some(len(names), one, many)} {verb} ({', '.join(names)})")
    return ", ".join(parts)


def _edited(edit: Edit) -> str:
    tally = Tally.of(edit.changes)
    came = (
        f"{words.some(tally.narrower, 'narrower one')} in place of a wildcard"
        if tally.narrower
        else "none in"
    )
    return (
        f"{kit.clip(edit.policy, kit.NAME)}: {words.some(tally.out + tally.narrowed, 'action')} out, {came}"
    )
