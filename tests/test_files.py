"""handlers.files: what lands in a thread as a file, and in somebody's spreadsheet."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.model import (
    Account,
    ActionRow,
    Asked,
    Granularity,
    Kind,
    Policy,
    PolicyKind,
    Request,
    RequestState,
)
from advisor.core.report import Rules, summarise
from handlers.blocks.view import AuditView
from handlers.files import COLUMNS, as_csv, as_json, exports, neutral, rows
from tests.worlds import (
    ACCOUNT,
    NOW,
    SmallCatalogue,
    ago,
    document,
    entity,
    policy,
    report,
    service,
    snapshot,
)


def view(granularity: Granularity = Granularity.SERVICE, name: str = "P") -> AuditView:
    """A finished audit: one service used, one never, one that cannot be told."""
    p = policy(name, "s3:*", "ec2:*", "sqs:*")
    tracked = [ActionRow("CreateBucket", ago(days=2)), ActionRow("DeleteBucket")]
    made = report(
        service("s3", ago(days=2), by=[p], actions=tracked), service("ec2", by=[p]), granularity=granularity
    )
    shot = snapshot(p)
    asked = Asked(Kind.ROLE, "DBAdminRole", granularity=granularity)
    request = Request(7, "U1", "C1", asked, RequestState.DONE, NOW)
    summary = summarise(made, shot, Rules(), SmallCatalogue())
    return AuditView(request, Account(ACCOUNT, "prod"), NOW, shot.entity, made, shot, summary)


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_the_columns_are_the_public_ones() -> None:
    """They outlive a release."""
    assert COLUMNS == (
        "account",
        "entity_arn",
        "service_namespace",
        "action",
        "last_attempt_utc",
        "usage",
        "verdict",
        "reason",
    )


def test_a_service_level_export_has_one_row_a_service() -> None:
    """Untracked ones included, with the words of the card."""
    found = {r["service_namespace"]: r for r in rows(view())}
    assert list(found) == ["s3", "ec2", "sqs"]
    assert found["s3"] == {
        "account": ACCOUNT,
        "entity_arn": f"arn:aws:iam::{ACCOUNT}:role/DBAdminRole",
        "service_namespace": "s3",
        "action": "",
        "last_attempt_utc": "2026-11-22T09:12:00+00:00",
        "usage": "used",
        "verdict": "keep",
        "reason": "used",
    }
    assert (found["ec2"]["usage"], found["ec2"]["verdict"], found["ec2"]["last_attempt_utc"]) == (
        "no_attempt",
        "remove",
        "",
    )
    assert (found["sqs"]["usage"], found["sqs"]["verdict"]) == ("not_tracked", "keep")


def test_an_action_level_export_has_the_service_and_then_its_actions() -> None:
    """Sorted, every granted action once."""
    found = [(r["service_namespace"], r["action"], r["usage"]) for r in rows(view(Granularity.ACTION))]
    assert found == sorted(found, key=lambda r: r[:2])
    assert ("s3", "CreateBucket", "used") in found
    assert ("s3", "DeleteBucket", "no_attempt") in found
    assert ("s3", "GetObject", "not_tracked") in found
    assert ("ec2", "", "no_attempt") in found
    assert len({r[:2] for r in found}) == len(found)


def test_both_files_hold_the_same_rows_under_names_of_ours() -> None:
    """The name of an upload holds nothing untrusted."""
    table, text = exports(view())
    assert [table.name, text.name] == ["iam-audit-7.csv", "iam-audit-7.json"]
    assert table.content.startswith(b"\xef\xbb\xbf")
    head, *body = read(table.content)
    assert head == list(COLUMNS)
    assert [dict(zip(head, r, strict=True)) for r in body] == json.loads(text.content)


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("", ""),
        ("s3", "s3"),
        ("a=1", "a=1"),
        ("'=1", "'=1"),
        (" =1", " =1"),
    ],
)
def test_a_cell_is_never_a_formula(cell: str, safe: str) -> None:
    """A leading apostrophe, and nothing else changed."""
    assert neutral(cell) == safe


def test_hostile_names_stay_one_cell() -> None:
    """Quotes, commas and new lines in a reason do not make columns or rows."""
    hostile = '=HYPERLINK("https://evil"),\n<!channel>'
    shared = Policy(
        hostile, PolicyKind.AWS, document({"Effect": "Allow", "Action": ["s3:*", "ec2:*"], "Resource": "*"})
    )
    shot = snapshot(shared, of=entity(name="-R", arn="=cmd"))
    made = report(service("s3", by=[shared]))
    summary = summarise(made, shot, Rules(), SmallCatalogue())
    request = Request(1, "U1", "C1", Asked(Kind.ROLE, "-R"), RequestState.DONE, NOW)
    table = read(
        exports(AuditView(request, Account(ACCOUNT), NOW, shot.entity, made, shot, summary))[0].content
    )
    assert {len(r) for r in table} == {len(COLUMNS)}
    assert len(table) == 3
    assert table[1][1] == "'=cmd"
    assert hostile.replace("\n", " ") in table[1][-1]


@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=len(COLUMNS), max_size=len(COLUMNS))
)
def test_any_text_comes_back_out_of_both_files(cells: list[str]) -> None:
    """JSON exactly; CSV but for the apostrophe."""
    row = dict(zip(COLUMNS, cells, strict=True))
    assert json.loads(as_json([row])) == [row]
    written = read(as_csv([row]))[1]
    assert [
        w.removeprefix("'") if c.startswith(("=", "+", "-", "@", "\t", "\r")) else w
        for c, w in zip(cells, written, strict=True)
    ] == cells
    assert not any(w.startswith(("=", "+", "-", "@", "\t", "\r")) for w in written)


def test_an_empty_report_is_a_head_alone() -> None:
    """No rows is a file too."""
    assert read(as_csv([])) == [list(COLUMNS)]
    assert json.loads(as_json([])) == []
