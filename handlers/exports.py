"""The files of a ticket: the whole texts before and after, and the same change for Terraform and for the AWS CLI. Pure.

Names and documents are strangers' words. In a file that somebody may run they stand only as values, quoted for its
language; in its comments they are shown on one line, with what cannot be seen written out.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator

from advisor.core.removal import Edit, Operation, Step, Treatment
from advisor.core.rewrite import size
from handlers.blocks.ticket_view import TicketView
from handlers.by_hand import shell, shown, terraform
from handlers.files import File


def files(view: TicketView) -> list[File]:
    """All four. Their names are ours: nothing untrusted stands in them."""
    stem, title = f"ticket-{view.ticket.id}", f"Ticket {view.ticket.id}"
    return [
        File(f"{stem}-diff.txt", f"{title}, before and after", _bytes(diff_text(view))),
        File(f"{stem}-after.json", f"{title}, the documents after it", _bytes(after_json(view))),
        File(f"{stem}.tf", f"{title} for Terraform", _bytes(terraform(view))),
        File(f"{stem}.sh", f"{title} for the AWS CLI", _bytes(shell(view))),
    ]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


# -- before and after ------------------------------------------------------------------------------------------------


def diff_text(view: TicketView) -> str:
    """Every document as a diff of its pretty-printed text, and letter by letter."""
    edits = view.plan.edits
    lines = [
        f"IAM Audit, ticket {view.ticket.id}",
        f"Entity:  {shown(view.entity.arn)}",
        f"Account: {view.account.id}",
        f"Plan:    {view.plan.fingerprint}",
        f"Written: {view.now:%Y-%m-%d %H:%M:%S} UTC",
        f"Changes: {len(edits)}, in this order",
        "Lines with - and + are the text before and after; a pair that differs by its comma alone is one that stays.",
    ]
    lines += _held(view)
    for place, edit in enumerate(edits, 1):
        lines += ["", "=" * 80, f"{place} of {len(edits)}  {shown(edit.policy)}: {_TOLD[edit.treatment]}"]
        lines += [f"ARN: {shown(edit.arn)}"] if edit.arn else []
        lines += [f"  {n}. {_step(step)}" for n, step in enumerate(edit.steps, 1)]
        lines += _texts(view, edit)
    return "\n".join([*lines, ""])


def _held(view: TicketView) -> Iterator[str]:
    """What is laid first and lifted last."""
    hold = view.plan.hold
    if hold is None:
        return
    yield from (
        "",
        "=" * 80,
        f"First     {shown(hold.name)}: held for {hold.days} days before anything else is written",
    )
    yield from (f"  {n}. {_step(step)}" for n, step in enumerate(hold.lay, 1))
    if hold.lay[0].after:
        yield from _raw("of the hold, which is lifted at the end", hold.lay[0].after)


_TOLD = {
    Treatment.EDIT: "inline policy, written again",
    Treatment.DELETE: "inline policy, deleted",
    Treatment.VERSION: "managed policy, a new default version",
    Treatment.DETACH: "managed policy, detached",
    Treatment.COPY: "managed policy, replaced for this entity by a copy of what stays",
    Treatment.REPLACE: "AWS managed policy, replaced for this entity by a policy of what stays",
    Treatment.SWAP: "AWS managed policy, replaced by a narrower one",
    Treatment.QUARANTINE: "attached, so that everything is denied",
}


def _step(step: Step) -> str:
    """put_inline db-admin; delete_version v1 of arn:…"""
    version = f" {shown(step.version)} of" if step.operation is Operation.DELETE_VERSION else ""
    return f"{step.operation.value}{version} {shown(step.arn or step.name)}"


def _texts(view: TicketView, edit: Edit) -> Iterator[str]:
    if edit.before is not None:
        after = edit.after or ""
        yield f"Size without white space: {size(edit.before):,} before, {size(after):,} after"
        yield ""
        yield from difflib.unified_diff(
            _pretty(edit.before), _pretty(edit.after), "before", "after", lineterm="", n=1_000_000
        )
        yield from _raw("before", edit.before)
        yield from (
            _raw("after", edit.after) if edit.after is not None else ("", "After: there is no document")
        )
    elif (policy := view.plan.basis.policy(edit.arn)) and edit.treatment is not Treatment.QUARANTINE:
        yield from _raw("before, as it was read; the policy itself does not change", policy.default.text)
        yield from ("", "After: it is not attached")
    for step in edit.steps:
        if step.operation is Operation.DELETE_VERSION and step.before is not None:
            yield from _raw(f"of version {shown(step.version)}, which goes", step.before)


def _pretty(text: str | None) -> list[str]:
    """A document with one value a line and every letter visible; as it is where it is no JSON."""
    if text is None:
        return []
    try:
        return json.dumps(json.loads(text.removeprefix("\ufeff")), indent=2).split("\n")
    except (ValueError, RecursionError):
        return [shown(line) for line in text.split("\n")]


def _raw(which: str, text: str) -> Iterable[str]:
    """A text letter by letter, with its length and hash, so that nobody takes a part of it for the end of it."""
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
    return ("", f"--- Text {which}: {len(text):,} characters, SHA-256 {digest}", text, "--- End of the text")


# -- afterwards ------------------------------------------------------------------------------------------------------


def after_json(view: TicketView) -> str:
    """What the plan leaves, for a program: documents by name or ARN, and what is attached, detached and deleted."""
    edits, steps = view.plan.edits, view.plan.steps
    inline = {Treatment.EDIT, Treatment.DELETE}
    found = {
        "ticket": view.ticket.id,
        "account": view.account.id,
        "entity": view.entity.arn,
        "plan": view.plan.fingerprint,
        "inline": {e.policy: _json(e.after) for e in edits if e.treatment in inline},
        "managed": {e.arn: _json(e.after) for e in edits if e.treatment is Treatment.VERSION},
        "created": {s.arn: _made(s) for s in steps if s.operation is Operation.CREATE_POLICY},
        "attached": [s.arn for s in steps if s.operation is Operation.ATTACH],
        "detached": [s.arn for s in steps if s.operation is Operation.DETACH],
        "deleted_versions": [
            {"arn": s.arn, "version": s.version} for s in steps if s.operation is Operation.DELETE_VERSION
        ],
    }
    return json.dumps(found, indent=1) + "\n"


def _made(step: Step) -> dict[str, object]:
    return {
        "name": step.name,
        "path": step.path,
        "description": step.description,
        "tags": dict(step.tags),
        "document": _json(step.after),
    }


def _json(text: str | None) -> object:
    """The document itself, null where it goes; its text where it is no JSON."""
    if text is None:
        return None
    try:
        found: object = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return text
    return found
