"""Files that go to a thread: CSV and JSON of every service and action. Pure: values to bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from advisor.core.model import Finding, Granularity
from handlers.blocks import words
from handlers.blocks.view import AuditView

COLUMNS = (
    "account",
    "entity_arn",
    "service_namespace",
    "action",
    "last_attempt_utc",
    "usage",
    "verdict",
    "reason",
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class File:
    """A file to upload. The name is ours: nothing untrusted stands in it."""

    name: str
    title: str
    content: bytes
    alt: str = ""


def rows(view: AuditView) -> list[dict[str, str]]:
    """One row a service, or a service and its actions where the report has them."""
    found: Iterable[Finding] = view.summary.findings
    if view.request.asked.granularity is Granularity.ACTION:
        found = [*view.summary.findings, *view.summary.actions]
        found = sorted(found, key=lambda f: (f.service, f.action))
    account, arn = view.account.id, view.entity.arn if view.entity else ""
    return [
        dict(
            zip(
                COLUMNS,
                (
                    account,
                    arn,
                    f.service,
                    f.action,
                    f.last_at.isoformat() if f.last_at else "",
                    f.usage.value,
                    f.verdict.value,
                    words.why(f),
                ),
                strict=True,
            )
        )
        for f in found
    ]


def neutral(cell: str) -> str:
    """A cell that a spreadsheet would run as a formula gets a leading apostrophe."""
    return "'" + cell if cell.startswith(_FORMULA) else cell


def as_csv(table: list[dict[str, str]], columns: Sequence[str] = COLUMNS) -> bytes:
    """Comma-separated, UTF-8 with a mark so that spreadsheets read it right."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([neutral(row[c]) for c in columns] for row in table)
    return out.getvalue().encode("utf-8-sig")


def as_json(table: list[dict[str, str]]) -> bytes:
    """A list of objects with the same names."""
    return (json.dumps(table, ensure_ascii=False, indent=1) + "\n").encode()


def exports(view: AuditView) -> list[File]:
    """Both files of one request."""
    return of_rows(f"iam-audit-{view.request.id}", f"IAM Audit {view.request.id}", rows(view), COLUMNS)


def of_rows(stem: str, title: str, table: list[dict[str, str]], columns: Sequence[str]) -> list[File]:
    """The same rows as CSV and as JSON. `stem` and `title` are our own words."""
    return [
        File(f"{stem}.csv", f"{title} (CSV)", as_csv(table, columns)),
        File(f"{stem}.json", f"{title} (JSON)", as_json(table)),
    ]
