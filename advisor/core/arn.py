"""IAM names and ARNs as people paste them. Pure; source: IAM User Guide, IAM identifiers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from advisor.core.model import Kind

PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc")

_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{12}|aws")


@dataclass(frozen=True, slots=True)
class Arn:
    """An IAM ARN taken apart. `account` is `aws` for AWS managed policies."""

    partition: str
    account: str
    kind: Kind
    path: str
    name: str

    def __str__(self) -> str:
        """The ARN as IAM writes it."""
        return f"arn:{self.partition}:iam::{self.account}:{self.kind}{self.path}{self.name}"


def partition_of(arn: str) -> str:
    """The partition of an entity's ARN; the usual one where it cannot be read."""
    found = parse(arn)
    return "aws" if isinstance(found, str) else found.partition


def valid_name(text: str) -> bool:
    """Whether IAM could have an entity of this name."""
    return _NAME.fullmatch(text) is not None


def parse(text: str) -> Arn | str:
    """Take an ARN apart, or say in a few words why it is none that can be audited.

    A pasted `assumed-role` ARN (arn:aws:sts::…:assumed-role/ROLE/SESSION) means its role.
    """
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        return "it is not a whole ARN"
    _, partition, service, region, account, resource = parts
    if partition not in PARTITIONS:
        return "its partition is none of AWS’s"
    if region or not _ACCOUNT.fullmatch(account):
        return "an IAM ARN has an account of 12 digits and no Region"
    word, _, rest = resource.partition("/")
    if service == "sts" and word == "assumed-role":
        return _built(partition, account, Kind.ROLE, "/", rest.partition("/")[0])
    if service != "iam":
        return "it names no role, user, group or policy of IAM"
    if resource == "root":
        return "the root user has no Access Advisor report"
    if word not in set(Kind):
        return "it names no role, user, group or policy"
    path, _, name = rest.rpartition("/")
    return _built(partition, account, Kind(word), f"/{path}/" if path else "/", name)


def _built(partition: str, account: str, kind: Kind, path: str, name: str) -> Arn | str:
    if not valid_name(name):
        return "its name is none that IAM allows"
    if account == "aws" and kind is not Kind.POLICY:
        return "only policies belong to AWS itself"
    return Arn(partition, account, kind, path, name)
