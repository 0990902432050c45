"""The files of what a sweep found beyond single services: one CSV, and service control policies as JSON. Pure.

A policy's file is the document and nothing else, without white space: white space counts where it comes by the CLI.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from advisor.core import scp
from advisor.core.credentials import Weakness
from advisor.core.findings import AccountFindings, IdleEntity
from advisor.core.model import Kind
from handlers.blocks.findings import COPY, FLAW, IDLE, NOBODY, SPARED, holder
from handlers.blocks.words import some
from handlers.files import File, as_csv

COLUMNS = ("finding", "account", "entity_arn", "detail", "last_use_utc", "reason")

IDLE_KIND = {
    Kind.ROLE: "role_without_attempt",
    Kind.USER: "user_without_attempt",
    Kind.GROUP: "group_without_members",
    Kind.POLICY: "policy_attached_to_nobody",
}
COPY_KIND = "same_inline_policy"
SERVICE_KIND = "service_without_attempt"

LOOSE = 10
"""Service control policies that come as files of their own; more come as one file, by account."""

Row = dict[str, str]


def files(findings_by_account: Sequence[AccountFindings], sweep: int) -> list[File]:
    """The CSV of every finding and the proposed policies; no file where nothing was found."""
    table = [row for found in findings_by_account for row in rows(found)]
    stem, title = f"iam-audit-sweep-{sweep}", f"Sweep {sweep}"
    made = [File(f"{stem}-findings.csv", f"{title}, what else it found (CSV)", as_csv(table, COLUMNS))]
    return [*(made if table else []), *_policies(findings_by_account, stem, title)]


def rows(found: AccountFindings) -> Iterator[Row]:
    """One row for each entity, credential, role with a repeated policy, and service."""
    yield from (_idle(found, entity) for entity in found.idle)
    yield from (_weakness(found, weakness) for weakness in found.weaknesses)
    for copy in found.copies:
        roles = some(len({arn for arn, _ in copy.holders}), "role")
        for arn, name in copy.holders:
            detail = f"{name}; document {copy.digest}, in {roles}"
            yield _row(COPY_KIND, found, arn, detail, "", COPY)
    for service in found.unneeded.services:
        yield _row(SERVICE_KIND, found, "", service, "", NOBODY)
    for service, why in found.unneeded.spared:
        yield _row(SERVICE_KIND, found, "", service, "", f"{NOBODY}; not proposed: {SPARED[why]}")


def _idle(found: AccountFindings, entity: IdleEntity) -> Row:
    parts = [] if entity.age_days is None else [f"{some(entity.age_days, 'day')} old"]
    if entity.untold:
        parts.append(f"not tracked: {' '.join(entity.untold)}")
    last = entity.last_at.isoformat() if entity.last_at else ""
    return _row(IDLE_KIND[entity.kind], found, entity.arn, "; ".join(parts), last, IDLE[entity.why])


def _weakness(found: AccountFindings, weakness: Weakness) -> Row:
    parts = [holder(weakness)]
    if weakness.age_days is not None:
        parts.append(f"{some(weakness.age_days, 'day')} old")
    if weakness.service:
        parts.append(f"last used with {weakness.service}")
    last = weakness.last_at.isoformat() if weakness.last_at else ""
    return _row(weakness.held.value, found, weakness.arn, "; ".join(parts), last, FLAW[weakness.flaw])


def _row(finding: str, found: AccountFindings, arn: str, detail: str, last: str, reason: str) -> Row:
    return dict(zip(COLUMNS, (finding, found.account, arn, detail, last, reason), strict=True))


def _policies(findings_by_account: Sequence[AccountFindings], stem: str, title: str) -> list[File]:
    made = {f.account: texts for f in findings_by_account if (texts := scp.documents(f.unneeded.services))}
    if sum(map(len, made.values())) > LOOSE:
        whole = {account: [json.loads(text) for text in texts] for account, texts in made.items()}
        text = json.dumps(whole, indent=1) + "\n"
        return [File(f"{stem}-scp.json", f"{title}, proposed service control policies", text.encode())]
    return [
        File(
            f"{stem}-scp-{account}-{n}.json",
            f"{title}, proposed service control policy {n} of {len(texts)} for {account}",
            text.encode(),
        )
        for account, texts in made.items()
        for n, text in enumerate(texts, 1)
    ]
