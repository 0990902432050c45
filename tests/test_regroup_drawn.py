"""The card, the files and the picture of regroup: values in, what Slack takes and nobody can abuse out."""

from __future__ import annotations

import csv
import io
import json
import struct
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.model import Account, Kind, Policy
from advisor.core.regrouped import Regrouped, Side
from advisor.edges.chart import draw
from handlers.blocks.regroup import RegroupView, card, headline, minimal
from handlers.regroup_files import COLUMNS, NOT_READ, files
from handlers.regroup_picture import NAMED, PEOPLE, SERVICES, alt, picture
from tests.drawn import checked, strings, weight
from tests.groupings import Used, chance, planted, regrouped, side
from tests.worlds import ACCOUNT, allow, document, policy

PROD = Account(ACCOUNT, "prod")
PLANTED = planted(60, 40, 6, 8, own=3, common=2)[0]
ROLES = planted(40, 50, 5, 6, own=2, seed=4)[0]
EVIL = "<!channel>*EVIL*`:tada:`\n=cmd|\u202e\x00"
HOSTILE: Used = {f"={EVIL}{n}{'x' * 200}": frozenset({EVIL, f"{EVIL}2", "@EVIL"}) for n in range(30)}


def view(users: Side, roles: Side | None = None, account: Account = PROD) -> RegroupView:
    found = regrouped(users, roles)
    partial = found.users.grouping.partial or found.roles.grouping.partial
    return RegroupView(replace(found, partial=partial), account, "U0ALICE0001")


def stopped(of: Side) -> Side:
    """The same where the time had ended."""
    return replace(of, grouping=replace(of.grouping, partial=True))


USERS, BOTH = side(Kind.USER, PLANTED), side(Kind.ROLE, ROLES, unread=("new",), left_out=7)
NONE, NOBODY = side(Kind.USER, chance(60, 40, 0.3)), side(Kind.USER, {}, unread=("anna", "bela"))
IDLE = side(Kind.USER, {"anna": frozenset()})

VIEWS = {
    "users and roles": (view(USERS, BOTH), "60 of 60 users fall into 6 groups of equal use"),
    "users": (view(USERS), "60 of 60 users fall into 6 groups of equal use"),
    "roles alone": (view(NOBODY, BOTH), "40 of 40 roles fall into 5 groups of equal use"),
    "no structure": (view(NONE), "No groups of equal use among 60 users"),
    "no structure among roles": (view(NOBODY, replace(NONE, kind=Kind.ROLE)), "No groups of equal use among 60 roles"),
    "partial": (view(stopped(USERS)), "60 of 60 users fall into 6 groups of equal use"),
    "partial, nothing found": (view(stopped(NONE)), "No groups found among 60 users before the time ended"),
    "nothing read": (view(NOBODY), "Nothing to group yet: no user and no role has a report"),
    "nothing used": (view(IDLE), "No groups of equal use among 1 user"),
    "hostile": (view(side(Kind.USER, HOSTILE, unread=(EVIL,)), account=Account(ACCOUNT, EVIL)), "30 of 30 users fall into 1 group of equal use"),
}  # fmt: skip


@pytest.mark.parametrize("case", VIEWS)
def test_the_card_says_the_answer_and_fits_one_screen(case: str) -> None:
    """In its header and in what a notification says; with the limits of the answer."""
    seen, wanted = VIEWS[case]
    assert headline(seen) == wanted
    for message in (card(seen), minimal(seen)):
        payload = checked(message)
        assert payload["text"].startswith(wanted)
        assert payload["blocks"][0]["text"]["text"] == wanted
        assert weight(payload["blocks"]) < 1600
        assert len(payload["blocks"]) <= 10
        assert any("nothing is written" in text for text in strings(payload["blocks"]))


def words(of: RegroupView) -> str:
    return " ".join(strings(card(of).payload()["blocks"]))


def test_a_group_is_told_with_members_services_and_what_stays() -> None:
    """Names, how many keep something, and the policy."""
    group = USERS.grouping.groups[0]
    said = words(view(USERS))
    assert all(name in said for name in (*group.members[:5], *group.services[:3]))
    keep = sum(bool(o.services) for o in USERS.grouping.own if o.name in group.members)
    assert f"{keep} keep some use of their own" in said
    assert f"Policy: {2 * len(group.services)} actions all have today" in said
    assert "Most alike: groups" in said
    assert "Not proposed" in said


@pytest.mark.parametrize(
    ("policies", "wanted"),
    [
        (None, "No policy: those of 3 are not kept"),
        ((Policy("p", policy("p").kind, document(allow("sqs:*"))),), "No policy: they share no action"),
    ],
)
def test_where_there_is_no_policy_it_is_said_why(policies: tuple[Policy, ...] | None, wanted: str) -> None:
    """Not known is not the same as nothing in common."""
    used = {n: frozenset({"s3", "ec2", "kms"}) for n in ("anna", "bela", "cem")}
    assert wanted in words(view(side(Kind.USER, used, dict.fromkeys(used, policies))))


def test_what_is_not_known_is_said_with_what_to_type() -> None:
    """An unread user is no user without use."""
    said = words(view(side(Kind.USER, PLANTED | {"idle": frozenset()}, unread=("x", "y")), BOTH))
    assert "2 users and 1 role not read: nothing is known of them" in said
    assert f"/iam-audit sweep account={ACCOUNT}" in said
    assert "1 user used nothing in the window" in said
    assert "Left out: 7 roles that AWS owns" in said


def test_a_partial_answer_says_so() -> None:
    """And that what is shown is true."""
    said = words(view(stopped(USERS)))
    assert "Partial" in said
    assert "there may be more groups" in said
    assert "Done" not in said


def test_no_structure_is_an_answer() -> None:
    """With its numbers."""
    said = words(view(NONE))
    assert "no group structure. 60 used 60 different sets of services" in said


# -- files -------------------------------------------------------------------------------------------------------------


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_the_files_are_ours_by_name() -> None:
    """Nothing untrusted stands in a file's name or title."""
    found = files(view(side(Kind.USER, HOSTILE)).found, 7)
    assert [f.name for f in found] == [
        "iam-audit-regroup-7.csv",
        "iam-audit-regroup-7.json",
        "iam-audit-regroup-7-policies.json",
    ]
    assert not any("EVIL" in f.title for f in found)


def test_the_csv_is_the_whole_answer() -> None:
    """A row a member and group; together with what stays outside it is what was used."""
    answer = view(replace(USERS, unread=("zoe",)), BOTH).found
    table = read(files(answer, 1)[0].content)
    assert tuple(table[0]) == COLUMNS
    used: dict[str, set[str]] = {}
    for row in table:
        if row["kind"] == "user" and row["group"] != NOT_READ:
            used.setdefault(row["member"], set()).update(row["services"].split(), row["outside"].split())
    assert used == PLANTED
    assert [r["group"] for r in table if r["member"] in {"zoe", "new"}] == [NOT_READ, NOT_READ]
    assert {r["kind"] for r in table} == {"user", "role"}


def test_the_json_files_are_json() -> None:
    """Groups with their members, and for each its documents as documents."""
    answer = view(USERS, BOTH).found
    whole, policies = (json.loads(f.content) for f in files(answer, 1)[1:])
    assert whole["users"]["groups"] == json.loads(json.dumps([asdict(g) for g in USERS.grouping.groups]))
    assert whole["roles"]["not_read"] == ["new"]
    assert len(policies["users"]) == len(USERS.grouping.groups)
    assert policies["users"][0]["documents"][0]["Statement"][0]["Effect"] == "Allow"
    assert policies["roles"][0]["attach_to"] == "each of these roles"


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@given(st.dictionaries(NAMES, st.frozensets(NAMES, max_size=3), max_size=6))
def test_any_name_is_drawn_and_written(used: Used) -> None:
    """Slack takes the card; no cell is a formula; the picture has a row for everyone who used something."""
    seen = view(side(Kind.USER, used, unread=("=1+1",)))
    checked(card(seen))
    checked(minimal(seen))
    table = read(files(seen.found, 1)[0].content)
    assert len(table) >= len(used) + 1
    assert not any(
        cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in table for cell in row.values()
    )
    assert len(picture(seen.found, seen.found.users, "here").rows) == sum(map(bool, used.values()))


# -- the picture -------------------------------------------------------------------------------------------------------


def drawn_of(used: Used) -> tuple[Regrouped, Side]:
    of = side(Kind.USER, used)
    return regrouped(of), of


def test_the_picture_shows_what_was_used_and_by_which_group() -> None:
    """Every cell; and every block lies on cells that were used."""
    answer, of = drawn_of(PLANTED)
    found = picture(answer, of, "in prod")
    for name, row in zip(found.rows, found.cells, strict=True):
        assert {c for c, cell in zip(found.columns, row, strict=True) if cell} == PLANTED[name]
    outlined = set()
    for block in found.blocks:
        for y in range(block.top, block.bottom + 1):
            for x in range(block.left, block.right + 1):
                assert found.cells[y][x] != 0
                outlined.add((y, x))
    assert outlined == {(y, x) for y, row in enumerate(found.cells) for x, cell in enumerate(row) if cell > 0}
    assert sum(cell > 0 for row in found.cells for cell in row) == of.grouping.covered
    assert "Grey: used, in no group" in found.note


def test_a_large_picture_says_what_it_leaves_out() -> None:
    """Runs of rows are named by their group where there are too many rows to name."""
    answer, of = drawn_of(planted(PEOPLE + 20, SERVICES + 30, 8, 6, own=6)[0])
    found = picture(answer, of, "in prod")
    assert len(found.rows) == PEOPLE > NAMED
    assert len(found.columns) == SERVICES
    assert "20 more users and " in found.note
    assert found.spans[0][0] == 0
    assert found.spans[-1][1] == PEOPLE - 1
    assert sum(last - first + 1 for first, last, _ in found.spans) == PEOPLE


@pytest.mark.parametrize("case", ["hostile", "no structure"])
def test_the_picture_is_a_picture(case: str) -> None:
    """matplotlib draws it, whatever the names are."""
    used = {"hostile": HOSTILE | {"a": frozenset({"$x^2$"})}, "no structure": chance(90, 20, 0.3)}[case]
    answer, of = drawn_of(used)
    image = draw(picture(answer, of, f"in {EVIL}" if case == "hostile" else "in prod"))
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", image[16:24])
    assert 600 < width < 6000
    assert 300 < height < 6000


def test_the_picture_in_words() -> None:
    """The same numbers as on the card."""
    assert alt(USERS, "in prod") == (
        "60 users in prod by service used: 60 of them in 6 groups of equal use, which are outlined and numbered blocks; "
        f"groups account for {USERS.grouping.covered:,} of {USERS.grouping.uses:,} uses."
    )
