"""What a write, the journal, something that moved and a failed call are called on a ticket’s surfaces. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.core.hold import standing_hold
from advisor.core.model import Failure
from advisor.core.removal import Edit, Entry, Moved, Operation, Step, StepState, TicketState
from advisor.core.standing import remaining
from handlers.blocks import kit, words
from handlers.blocks.kit import Part
from handlers.blocks.ticket_view import TicketView
from handlers.blocks.ticket_words import SHORT


def step(entry: Entry) -> str:
    """One write as an order: edit db-admin-inline."""
    return _STEP[_key(entry.step, back=entry.back)][0].format(
        name=_name(entry.step), version=_version(entry.step)
    )


def stepped(entry: Entry) -> str:
    """One write that is done: db-admin-inline edited."""
    return _STEP[_key(entry.step, back=entry.back)][1].format(
        name=_name(entry.step), version=_version(entry.step)
    )


def _name(one: Step) -> str:
    return kit.clip(one.name, SHORT).replace("{", "(").replace("}", ")")


def _version(one: Step) -> str:
    return kit.clip(one.version, 10)


def _key(one: Step, *, back: bool) -> str:
    if one.operation is Operation.PUT and back:
        return "put_back"
    if one.operation is Operation.CREATE_VERSION and not one.default:
        return "old_version"
    if one.operation is Operation.DELETE_VERSION and back:
        return "drop_version"
    return one.operation.value


_STEP = {
    "put_inline": ("edit {name}", "{name} edited"),
    "put_back": ("put {name} back", "{name} put back"),
    "delete_inline": ("delete {name}", "{name} deleted"),
    "create_version": ("make a new default version of {name}", "new default version of {name} made"),
    "old_version": (
        "put the text of version {version} of {name} back",
        "the text of version {version} of {name} put back",
    ),
    "set_default_version": (
        "make {version} of {name} the default again",
        "{version} of {name} made the default again",
    ),
    "delete_version": ("prune version {version} of {name}", "version {version} of {name} pruned"),
    "drop_version": ("delete version {version} of {name}", "version {version} of {name} deleted"),
    "create_policy": ("make the policy {name}", "the policy {name} made"),
    "delete_policy": ("delete the policy {name}", "the policy {name} deleted"),
    "attach": ("attach {name}", "{name} attached"),
    "detach": ("detach {name}", "{name} detached"),
}


def sentence(value: str) -> str:
    """The same with a capital first letter."""
    return value[:1].upper() + value[1:]


def at_step(run: Sequence[Entry]) -> int:
    """The number of the step at which a run stands, from 1; the last where all are done."""
    for n, entry in enumerate(run, 1):
        if entry.state is not StepState.DONE:
            return n
    return len(run)


def in_effect(view: TicketView, change: Edit) -> bool:
    """Whether the journal says that an edit stands now: written whole, and its way back not written."""
    wanted = {(s.operation, s.name) for s in change.steps}
    ahead = [e for e in view.entries if not e.back and (e.step.operation, e.step.name) in wanted]
    stands = bool(ahead) and all(e.state is StepState.DONE for e in ahead)
    undone = [
        e
        for e in view.entries
        if e.back
        and e.state is StepState.DONE
        and e.step.name == change.policy
        and e.step.operation in _RESTORES
    ]
    return stands and not undone


_RESTORES = {
    Operation.PUT,
    Operation.CREATE_VERSION,
    Operation.SET_DEFAULT,
    Operation.ATTACH,
    Operation.DETACH,
}


def gone_now(view: TicketView) -> tuple[str, ...]:
    """The services that the journal says are gone at this moment, of those that the plan takes."""
    standing = {e.policy: in_effect(view, e) for e in view.plan.edits}
    return tuple(
        s for s in view.plan.services if all(standing[e.policy] for e in view.plan.edits if s in e.out)
    )


def held(view: TicketView) -> bool:
    """Whether the journal says that a hold stands in AWS, beside whatever is rewritten."""
    now = remaining(view.plan, view.entries)
    return not view.plan.quarantine and standing_hold(view.plan, now) is not None


def right_now(view: TicketView, *, back: bool) -> str:
    """What the entity has at this moment, by the journal."""
    if held(view):
        return (
            f"{view.name} is denied by {kit.clip(view.plan.hold.name, SHORT)} what the ticket takes."
            if view.plan.hold
            else ""
        )
    total, gone = len(view.plan.services), len(gone_now(view))
    if view.plan.quarantine:
        stands = in_effect(view, view.plan.edits[0])
        return f"{view.name} is {'denied everything' if stands else 'not known to be denied anything'}."
    if not total:
        stand = sum(in_effect(view, e) for e in view.plan.edits)
        return f"{stand} of {words.some(len(view.plan.edits), 'policy', 'policies')} of {view.name} stand changed."
    if back:
        return f"{total - gone:,} of the {words.some(total, 'service')} are back, {gone:,} are not."
    rest = (
        "They still work"
        if not gone
        else f"The other {total - gone:,} still work"
        if total > gone
        else "None is left"
    )
    return f"{view.name} has lost {gone:,} of the {words.some(total, 'service')}. {rest}."


# -- what moved, what failed ---------------------------------------------------------------------------------------


def moved(view: TicketView, one: Moved) -> list[Part]:
    """One thing that is not as it was when the plan was made."""
    name = kit.clip(one.name, kit.NAME)
    if one.what == "used" and one.at:
        return [kit.text(f"{name} was used "), kit.date(one.at, time=True), kit.text(", after the plan")]
    if one.what == "called" and one.at:
        session = f" by session {kit.clip(one.detail, kit.NAME)}" if one.detail else ""
        return [
            kit.text(f"{name} was called{session} "),
            kit.date(one.at, time=True),
            kit.text(", as CloudTrail has it"),
        ]
    if one.what == "kept" and one.at:
        return [kit.text(f"{name} is kept by a person until "), kit.date(one.at)]
    return [kit.text(_moved(view, one, name))]


def _moved(view: TicketView, one: Moved, name: str) -> str:
    detail = kit.clip(one.detail, 120)
    match one.what:
        case "recreated":
            return f"{name} was deleted and created again: this is another {name}"
        case "gone":
            return f"{name} does not exist any more"
        case "inline" | "version" if detail == "edited" and view.ticket.state is TicketState.NEEDS_HUMAN:
            return f"{name} is not what ticket {view.ticket.id} left: someone edited it since"
        case "inline" | "version" if detail in _DOCUMENT:
            return _DOCUMENT[detail].format(name=name.replace("{", "(").replace("}", ")"))
        case "attached":
            return f"the policy {name} was {'detached' if detail == 'detached' else 'attached'}"
        case "groups":
            return f"its groups are now {name or 'none'}; they were {detail or 'none'}"
        case "boundary":
            return _boundary(view, one, name)
        case "holders":
            return f"who has {name} changed: {detail}"
        case "unheard":
            return f"what was tried is not known: {name}"
        case "protected":
            return f"{name} is protected now ({detail})"
        case _:
            return f"{name}: {detail or one.what}"


_DOCUMENT = {
    "gone": "the policy {name} is gone",
    "new": "the inline policy {name} is new",
    "edited": "{name} is not the document that was approved: someone changed it",
    "its other versions": "{name} has other versions than before",
}


def _boundary(view: TicketView, one: Moved, name: str) -> str:
    if one.name in {m.name for m in view.plan.basis.managed}:
        return f"{name} is the permissions boundary of more or fewer than before"
    return f"its permissions boundary is now {name}" if name else "it has no permissions boundary any more"


def failed(failure: Failure) -> str:
    """What AWS said to a write or to the look before it, without AWS's own words."""
    call = kit.clip(failure.call, kit.NAME)
    match failure.code:
        case "refused":
            return f"AWS refused {call or 'the call'}: the bot may not"
        case "throttled":
            return f"AWS limited the rate, {words.some(max(1, failure.tries), 'try', 'tries')}"
        case "busy":
            return "AWS was still at work on it"
        case "unreachable" | "expired" | "transient":
            return f"AWS gave no answer to {call or 'the call'}"
        case "unseen":
            return "AWS took the call, but the change was not seen within a minute"
        case "invalid":
            return f"AWS did not take {call or 'the call'}"
        case "gone" | "missing":
            return "what was to change is not there"
        case "stuck" | "lost":
            return "AWS did not finish the report in time"
        case _:
            return "AWS did not make the report"


def helped(failure: Failure) -> str:
    """What helps, and whether a retry alone can."""
    match failure.code:
        case "refused":
            return "an AWS administrator allows this, then Retry. A retry alone will fail again."
        case "invalid":
            return "look at AWS’s own words. A retry alone will fail again."
        case "throttled" | "busy":
            return "Retry in a few minutes."
        case _:
            return "Retry. If it fails again, AWS’s own status page may know more."
