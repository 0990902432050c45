"""A ticket's change for those who make it themselves: a script of AWS CLI commands, and resources for Terraform. Pure.

Every value is quoted for its language. Comments hold names on one line, with what cannot be seen written out.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from advisor.core.model import Entity
from advisor.core.removal import Operation, Step
from handlers import hcl
from handlers.blocks import kit
from handlers.blocks.ticket_view import TicketView


def shown(value: str) -> str:
    """A stranger's words on one line of a comment: whatever cannot be seen is written out."""
    for letter, written in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        value = value.replace(letter, written)
    return kit.clean(value)


# -- AWS CLI ---------------------------------------------------------------------------------------------------------


def shell(view: TicketView) -> str:
    """The same writes, in the plan's order, as a script for bash."""
    account, steps = view.account.id, view.plan.steps
    lines = [
        "#!/usr/bin/env bash",
        f"# IAM Audit, ticket {view.ticket.id}: the same {len(steps)} writes by hand, in the plan's order.",
        f"# Entity: {shown(view.entity.arn)}",
        f"# Plan: {view.plan.fingerprint}",
        "# Nothing here looks whether the documents are still as the plan found them. The bot does, before each write.",
        "set -euo pipefail",
        "export AWS_PAGER='' AWS_MAX_ATTEMPTS=1",
        "",
        'account="$(aws sts get-caller-identity --query Account --output text)"',
        f'if [ "$account" != {shlex.quote(account)} ]; then',
        f'  echo "These are credentials of account $account, the ticket is for "{shlex.quote(account)} >&2',
        "  exit 1",
        "fi",
    ]
    for place, step in enumerate(steps, 1):
        about = f"# {place} of {len(steps)}: {step.operation.value} {shown(step.name)}"
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
        said = (
            f"Write {place} has a value that cannot be handed to the AWS CLI as it is. Make it another way."
        )
        return f"echo {shlex.quote(said)} >&2\nexit 1"
    return " ".join(map(shlex.quote, arguments))


# -- Terraform -------------------------------------------------------------------------------------------------------


def terraform(view: TicketView) -> str:
    """What stands afterwards, as resources; what goes, as comments."""
    edits = view.plan.edits
    about = (
        f"# IAM Audit, ticket {view.ticket.id}: what stands after it. Entity: {shown(view.entity.arn)}\n"
        f"# Plan: {view.plan.fingerprint}\n"
        "# Take over what your code lacks, and import what stands already before you apply.\n"
        "# Terraform orders the keys of a document itself: the same grants, not the same letters.\n"
    )
    blocks = [about]
    writer = _Terraform(view)
    for place, edit in enumerate(edits, 1):
        head = f"# {place} of {len(edits)}: {shown(edit.policy)}\n"
        blocks.append(head + "".join(map(writer.step, edit.steps)))
    return "\n".join(blocks)


class _Terraform:
    """Writes one step after the other, each resource under a label of its own."""

    def __init__(self, view: TicketView) -> None:
        self._entity = view.entity
        self._noun = view.entity.kind.value
        self._basis = view.plan.basis
        self._labels: set[str] = set()
        self._made: dict[str, str] = {}  # ARN to the resource that makes it

    def step(self, step: Step) -> str:
        """A resource, or a comment on what to remove."""
        name, arn, who = shown(step.name), shown(step.arn), shown(self._entity.name)
        match step.operation:
            case Operation.PUT:
                return f"# Stands already. To import it: {who}:{name}\n{self._inline(step)}"
            case Operation.DELETE:
                return f"# Remove the aws_iam_{self._noun}_policy of {self._noun} {who} named {name}.\n"
            case Operation.CREATE_VERSION:
                return f"# Stands already. To import it: {arn}\n{self._version(step)}"
            case Operation.CREATE_POLICY:
                return self._policy(step, step.path, step.description, step.tags)
            case Operation.ATTACH:
                return self._attachment(step)
            case Operation.DETACH:
                return f"# Remove the attachment of {arn} to {self._noun} {who}.\n"
            case Operation.DELETE_VERSION:
                return f"# Version {shown(step.version)} goes to make room: Terraform sees to that itself.\n"
            case _:
                return f"# Nothing for Terraform: {step.operation.value} {arn}\n"

    def _inline(self, step: Step) -> str:
        values = {"name": hcl.string(step.name), self._noun: hcl.string(self._entity.name)}
        label = hcl.label(step.name, self._labels)
        return _resource(f"{self._noun}_policy", label, {**values, "policy": _document(step)})

    def _version(self, step: Step) -> str:
        """The policy with its path, description and tags: to leave one out would change it."""
        policy = self._basis.policy(step.arn)
        if policy is None:
            return self._policy(step, "/", "", ())
        return self._policy(step, policy.path, policy.description, policy.tags)

    def _policy(self, step: Step, path: str, description: str, tags: tuple[tuple[str, str], ...]) -> str:
        values = {"name": hcl.string(step.name), "path": hcl.string(path)}
        values |= {"description": hcl.string(description)} if description else {}
        own = {k: v for k, v in tags if not k.startswith("aws:")}
        values |= {"tags": hcl.value(own, 1)} if own else {}
        self._made[step.arn] = label = hcl.label(step.name, self._labels)
        return _resource("policy", label, {**values, "policy": _document(step)})

    def _attachment(self, step: Step) -> str:
        made = self._made.get(step.arn)
        arn = f"aws_iam_policy.{made}.arn" if made else hcl.string(step.arn)
        values = {self._noun: hcl.string(self._entity.name), "policy_arn": arn}
        return _resource(f"{self._noun}_policy_attachment", hcl.label(step.name, self._labels), values)


def _resource(kind: str, label: str, values: Mapping[str, str]) -> str:
    wide = max(map(len, values))
    rows = "".join(f"  {key:<{wide}} = {value}\n" for key, value in values.items())
    return f'resource "aws_iam_{kind}" "{label}" {{\n{rows}}}\n'


def _document(step: Step) -> str:
    """A document as an object of HCL; as a string where it is no JSON object."""
    text = step.after or ""
    try:
        found: object = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return hcl.string(text)
    return f"jsonencode({hcl.value(found, 1)})"
