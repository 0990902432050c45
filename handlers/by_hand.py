"""A ticket's change for those who make it themselves: a script of AWS CLI commands, and resources for Terraform. Pure.

Every value is quoted for its language. Comments hold names on one line, with what cannot be seen written out.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from advisor.core.model import Entity, Kind
from advisor.core.removal import Edit, Operation, Step, Treatment
from handlers import hcl
from handlers.blocks import kit
from handlers.blocks.ticket_view import TicketView

# -- AWS CLI ---------------------------------------------------------------------------------------------------------


def shell(view: TicketView) -> str:
    """The same writes, in the plan's order, as a script for bash."""
    account, steps = view.account.id, view.plan.steps
    lines = [
        "#!/usr/bin/env bash",
        f"# IAM Audit, ticket {view.ticket.id}: the same {len(steps)} writes by hand, in the plan's order.",
        f"# Entity: {kit.clean(view.entity.arn)}",
        f"# Plan: {view.plan.fingerprint}",
        "# Nothing here looks whether the documents are still as the plan found them. The bot does, before each write.",
        "set -euo pipefail",
        "export AWS_PAGER='' AWS_MAX_ATTEMPTS=1",
        "",
        "account=\"$(aws sts get-caller-identity --query Account --output text)\"",
        f'if [ "$account" != {shlex.quote(account)} ]; then',
        f'  echo "These are credentials of account $account, the ticket is for "{shlex.quote(account)} >&2',
        "  exit 1",
        "fi",
    ]
    for place, step in enumerate(steps, 1):
        about = f"# {place} of {len(steps)}: {step.operation.value} {kit.clean(step.name)}"
        lines += ["", about, _line(command(view.entity, step), place)]
    return "\n".join([*lines, ""])


def command(entity: Entity, step: Step) -> list[str]:
    """The arguments of one write, as the AWS CLI takes them."""
    noun = entity.kind.value
    whose = _option(f"{noun}-name", entity.name)
    policy, document = _option("policy-name", step.name), _option("policy-document", step.after or "")
    arn, version = _option("policy-arn", step.arn), _option("version-id", step.version)
    match step.operation:
        case Operation.PUT:
            found = [f"put-{noun}-policy", *whose, *policy, *document]
        case Operation.DELETE:
            found = [f"delete-{noun}-policy", *whose, *policy]
        case Operation.ATTACH:
            found = [f"attach-{noun}-policy", *whose, *arn]
        case Operation.DETACH:
            found = [f"detach-{noun}-policy", *whose, *arn]
        case Operation.CREATE_POLICY:
            tags = [{"Key": k, "Value": v} for k, v in step.tags]
            found = ["create-policy", *policy, *_option("path", step.path), *document]
            found += _option("description", step.description) if step.description else []
            found += _option("tags", json.dumps(tags)) if tags else []
        case Operation.DELETE_POLICY:
            found = ["delete-policy", *arn]
        case Operation.CREATE_VERSION:
            default = "--set-as-default" if step.default else "--no-set-as-default"
            found = ["create-policy-version", *arn, *document, default]
        case Operation.SET_DEFAULT:
            found = ["set-default-policy-version", *arn, *version]
        case Operation.DELETE_VERSION:
            found = ["delete-policy-version", *arn, *version]
    return ["aws", "iam", *found]


def _option(name: str, value: str) -> list[str]:
    """An option with its value; in one word where the value begins like an option."""
    return [f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value]


def _line(arguments: list[str], place: int) -> str:
    """One command; or, where the AWS CLI or bash would not hand a value on as it is, a stop that says so.

    Source: AWS CLI User Guide, "Load a parameter from a file": values that begin so are read from elsewhere.
    """
    values = [a.partition("=")[2] if a.startswith("--") else a for a in arguments]
    elsewhere = ("file://", "fileb://", "http://", "https://")
    if any(v.startswith(elsewhere) for v in values) or "\x00" in "".join(arguments):
        said = f"Write {place} has a value that cannot be handed to the AWS CLI as it is. Make it another way."
        return f"echo {shlex.quote(said)} >&2\nexit 1"
    return " ".join(map(shlex.quote, arguments))


# -- Terraform -------------------------------------------------------------------------------------------------------


def terraform(view: TicketView) -> str:
    """What stands afterwards, as resources; what goes, as comments."""
    blocks = [
        f"# IAM Audit, ticket {view.ticket.id}: what stands after it. Entity: {kit.clean(view.entity.arn)}\n"
        f"# Plan: {view.plan.fingerprint}\n"
        "# Take over what your code lacks, and import what stands already before you apply.\n"
        "# Terraform orders the keys of a document itself: the same grants, not the same letters.\n"
    ]
    taken: set[str] = set()
    for place, edit in enumerate(view.plan.edits, 1):
        head = f"# {place} of {len(view.plan.edits)}: {kit.clean(edit.policy)}\n"
        blocks.append(head + "\n".join(_resources(view.entity, edit, view, taken)))
    return "\n".join(blocks)


def _resources(entity: Entity, edit: Edit, view: TicketView, taken: set[str]) -> Iterator[str]:
    noun, who = entity.kind.value, kit.clean(entity.name)
    for step in edit.steps:
        about = kit.clean(step.name)
        if step.after is not None and not hcl.same(step.after):
            yield "# Terraform would change letters of this document (Unicode form NFC): compare it afterwards.\n"
        match step.operation:
            case Operation.PUT:
                label = hcl.label(step.name, taken)
                yield f"# Stands already: terraform import, id {kit.clean(f'{entity.name}:{step.name}')}\n" + _resource(
                    f"aws_iam_{noun}_policy",
                    label,
                    {"name": hcl.string(step.name), noun: hcl.string(entity.name), "policy": _document(step)},
                )
            case Operation.DELETE:
                yield f"# Remove: the aws_iam_{noun}_policy of {noun} {who} named {about}\n"
            case Operation.CREATE_VERSION:
                managed = view.plan.basis.policy(step.arn)
                path, description, tags = (
                    (managed.path, managed.description, managed.tags) if managed else ("/", "", ())
                )
                yield f"# Stands already: terraform import, id {kit.clean(step.arn)}\n" + _policy(
                    step, path, description, tags, hcl.label(step.name, taken)
                )
            case Operation.CREATE_POLICY:
                yield _policy(step, step.path, step.description, step.tags, hcl.label(step.name, taken))
            case Operation.ATTACH:
                yield _attachment(entity, edit, step, taken)
            case Operation.DETACH:
                yield f"# Remove: the attachment of {kit.clean(step.arn)} to {noun} {who}\n"
            case Operation.DELETE_VERSION:
                yield f"# Version {kit.clean(step.version)} goes to make room: Terraform does that itself.\n"
            case _:
                yield f"# Not for Terraform: {step.operation.value} {kit.clean(step.arn)}\n"


def _attachment(entity: Entity, edit: Edit, step: Step, taken: set[str]) -> str:
    """An attachment, of the policy that the same edit makes or of one that stands."""
    noun = entity.kind.value
    made = next((s for s in edit.steps if s.operation is Operation.CREATE_POLICY and s.arn == step.arn), None)
    label = hcl.label(f"{step.name}_attached", taken)
    arn = hcl.string(step.arn)
    rest = {noun: hcl.string(entity.name), "policy_arn": arn}
    found = _resource(f"aws_iam_{noun}_policy_attachment", label, rest)
    return found
