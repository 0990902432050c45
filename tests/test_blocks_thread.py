"""handlers.blocks.thread: what stands under a card, on every rung and with every size."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.core.model import EntityUse, Kind, Policy, PolicyKind, Snapshot, Usage
from advisor.core.report import Difference, difference
from handlers.blocks import thread
from tests.drawn import checked, nodes, strings, weight
from tests.views import ALIAS, CARDS, DONE, FAILURES, HOSTILE, LONG, NAME, OF_AWS
from tests.worlds import NOW, ago, report, service

RUNGS = (0, 1, 2)


def table(payload: dict[str, object]) -> list[list[str]]:
    """The cells of the one table of a message."""
    rows = next(n["rows"] for n in nodes(payload) if n.get("type") in {"table", "data_table"})
    return [["".join(n["text"] for n in nodes(cell) if "text" in n) for cell in row] for row in rows]


def reply(message: thread.Message) -> dict[str, object]:
    """A reply: like every message, and cut at a whole row below 9,000 characters."""
    payload = checked(message)
    assert weight(payload["blocks"]) <= 9_500
    return payload


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("name", DONE)
def test_the_full_list_of_every_result_on_every_rung(name: str, rung: int) -> None:
    """A data table, a table, fixed-width text: all hold."""
    reply(thread.services(DONE[name], rung))


def test_the_full_list_shows_what_a_card_has_no_room_for() -> None:
    """Use, what happens, when, how long before the report, by which policy."""
    rows = table(thread.services(DONE["role"], 0).payload())
    assert rows[0] == ["Service", "Use", "What happens", "Last attempt (UTC)", "Days before", "Granted by"]
    by_name = {r[0]: r for r in rows}
    assert by_name["s3"] == ["s3", "Used", "Stays: used", "2026-11-21", "3", "DBAccess"]
    assert by_name["ec2"] == ["ec2", "Stale", "A person decides: stale", "2026-05-08", "200", "DBAccess"]
    assert by_name["kms"] == ["kms", "No attempt", "Could go", "–", "–", "DBAccess"]
    assert by_name["sns"][:3] == ["sns", "Cannot tell", "Stays: not tracked"]


@pytest.mark.parametrize("rung", RUNGS)
def test_of_456_services_those_with_an_attempt_are_shown(rung: int) -> None:
    """52 rows, and in words where the others are. The denominator is the report’s rows."""
    payload = reply(thread.services(DONE["admin"], rung))
    assert "52 of 456 services had any attempt." in " ".join(strings(payload))
    if rung < 2:
        assert len(table(payload)) == 53


@pytest.mark.parametrize("rung", RUNGS)
def test_services_with_an_attempt_that_find_no_room_are_not_said_to_have_none(rung: int) -> None:
    """304 of 456 had an attempt and a table holds 99: the others of them are counted apart."""
    text = " ".join(strings(reply(thread.services(DONE["wide"], rung))))
    assert "304 of 456 services had any attempt." in text
    assert "The other 357" not in text


def test_untold_services_are_not_said_to_have_had_no_attempt() -> None:
    """Never “none seen in 400 days” of a service that AWS does not track: 404 had none, 2 cannot be told."""
    text = " ".join(strings(thread.services(DONE["admin"], 0).payload()))
    assert "The other 406 had none seen" not in text


@pytest.mark.parametrize("rung", (1, 2))
def test_rows_cut_for_their_length_are_counted_in_words(rung: int) -> None:
    """A table holds 10,000 characters: with long names fewer than 99 rows, and it says how many are left."""
    payload = reply(thread.services(DONE["wide_hostile"], rung))
    text = " ".join(strings(payload))
    if rung == 1:
        assert len(table(payload)) < 100
    assert "more rows are in the CSV" in text


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("name", [n for n in DONE if n.startswith("actions")])
def test_action_level_is_counted_by_service(name: str, rung: int) -> None:
    """3,000 actions are numbers."""
    payload = reply(thread.actions(DONE[name], rung))
    assert "Actions of" in " ".join(strings(payload))


def test_action_level_counts() -> None:
    """Used, stale, no attempt, not tracked; a service without an attempt has no date."""
    rows = {r[0]: r for r in table(thread.actions(DONE["actions"], 1).payload())}
    assert rows["svc001"] == ["svc001", "2", "3", "0", "0", "2026-11-24"]
    assert rows["svc000"] == ["svc000", "0", "0", "5", "0", "–"]


def users(count: int, text: str = "") -> list[EntityUse]:
    return [
        EntityUse(
            f"arn:{n}", f"u{n}{text[: NAME - 5]}", "USER" if n % 2 else "ROLE", ago(days=n) if n % 3 else None
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("text", ["", HOSTILE, LONG])
@pytest.mark.parametrize("count", [0, 1, 5, 99, 100, 1204])
@pytest.mark.parametrize("name", ["role", "group", "policy", "group_empty", "policy_hostile", "long"])
def test_who_used_a_service(name: str, count: int, text: str) -> None:
    """One or many, none or more than a table holds."""
    payload = reply(thread.breakdown(DONE[name], "s3", users(count, text), count))
    assert "s3" in payload["text"]


def test_a_breakdown_of_nobody_is_no_proof() -> None:
    """It names what it cannot see, and never says unused."""
    payload = thread.breakdown(DONE["group"], "s3", users(1), 1).payload()
    text = " ".join(strings(payload))
    assert "No attempt by any of the 1 members" in text
    assert "another policy shows nothing here" in text


def test_a_breakdown_of_a_group_counts_within_the_window() -> None:
    """Who, when, how long before the report; more than a table holds is counted."""
    payload = thread.breakdown(DONE["group"], "s3", users(150), 150).payload()
    rows = table(payload)
    assert rows[0] == ["Who", "Kind", "Last attempt (UTC)", "Days before"]
    assert rows[2] == ["u1", "User", "2026-11-23 09:12", "1"]
    assert rows[4] == ["u3", "User", "no attempt seen", "–"]
    assert "60 of 150 members in 90 days." in " ".join(strings(payload))
    assert f"{150 - (len(rows) - 1)} more are not shown." in " ".join(strings(payload))


def test_a_breakdown_of_a_role_says_what_the_report_cannot() -> None:
    """Which person held the role is in CloudTrail."""
    payload = thread.breakdown(
        DONE["role"], "s3", [EntityUse("arn", "DBAdminRole", "ROLE", ago(days=3))], 1
    ).payload()
    text = " ".join(strings(payload))
    assert "3 days before the report" in text
    assert "which person or workload held the role" in text
    assert "DBAccess" in text
    none = thread.breakdown(DONE["role"], "kms", [], 0).payload()
    assert "no attempt by DBAdminRole seen in up to 400 days" in none["text"]


def held(count: int, text: str = "") -> Snapshot:
    names = [f"P{n}{text}"[:128] for n in range(count)]
    kinds = list(PolicyKind)
    found = [
        Policy(n, kinds[i % 3], "{}", f"arn:{i}", group=text[:128] if i % 2 else "")
        for i, n in enumerate(names)
    ]
    return replace(DONE["role"].snapshot, policies=tuple(found))


@pytest.mark.parametrize("text", ["", HOSTILE, LONG])
@pytest.mark.parametrize("count", [0, 1, 20, 150])
@pytest.mark.parametrize("services", [("s3",), ("s3", "ec2", "kms", "dynamodb"), OF_AWS])
def test_what_grants_it(services: tuple[str, ...], count: int, text: str) -> None:
    """No policy, one, or more than a table holds; each grants one service or all."""
    shot = held(count, text)
    grants = {s: [(p.name, p.group) for p in shot.policies] for s in services}
    others = {p.arn: [f"role/R{n}{text}"[:69] for n in range(30)] for p in shot.policies}
    reply(thread.policies(DONE["role"], shot, grants, others))


def test_what_grants_it_in_words() -> None:
    """Each policy with what it grants, what of that is used, and who else has it."""
    shot = DONE["role"].snapshot
    grants = {"s3": [("DBAccess", "")], "kms": [("DBAccess", "")], "dynamodb": [("Shared", "")]}
    payload = thread.policies(DONE["role"], shot, grants, {shot.policies[1].arn: ["role/Other"]}).payload()
    rows = {r[0]: r for r in table(payload)}
    assert rows["DBAccess"] == ["DBAccess", "Inline, this one only", "2", "1"]
    assert rows["Shared"] == ["Shared", "Managed, also on 1 other", "1", "1"]
    assert rows["Power"] == ["Power", "AWS managed", "0", "0"]
    assert "used s3 · no attempt kms" in " ".join(strings(payload))
    assert "also on Other" in " ".join(strings(payload))


@pytest.mark.parametrize("names", [(), ("s3",), OF_AWS])
@pytest.mark.parametrize("count", [2, 20, 150])
@pytest.mark.parametrize("name", ["role", "hostile", "long", "group"])
def test_history(name: str, count: int, names: tuple[str, ...]) -> None:
    """Two reports or many; nothing changed or everything."""
    reports = [report(*(service(n, ago(days=3)) for n in OF_AWS[:20]), at=ago(days=n)) for n in range(count)]
    reply(thread.history(DONE[name], reports, count, Difference(names, names, names, names, names)))


def test_history_says_what_changed() -> None:
    """And each old row uses the window of its own day."""
    new, old = (
        report(service("s3", ago(days=1)), service("ec2")),
        report(service("s3"), service("kms"), at=ago(days=30)),
    )
    payload = thread.history(DONE["role"], [new, old], 2, difference(old, new, 90)).payload()
    assert "newly used: s3; newly granted: ec2; no longer granted: kms" in payload["text"]
    assert table(payload)[1:] == [
        ["2026-11-24 09:12", "2", "1", "0", "1"],
        ["2026-10-25 09:12", "2", "0", "0", "2"],
    ]


def test_history_without_a_past() -> None:
    """No report, or the first one."""
    assert "No report of DBAdminRole is stored." in checked(thread.history(DONE["role"], [], 0, None))["text"]
    assert (
        "one stored report, of 24 Nov 2026"
        in checked(thread.history(DONE["role"], [report()], 1, None))["text"]
    )


@pytest.mark.parametrize("rung", (0, 1))
@pytest.mark.parametrize("name", DONE)
def test_the_chart_in_numbers(name: str, rung: int) -> None:
    """Slack's own chart, or bars; its numbers stand in words beside it."""
    payload = reply(thread.chart(DONE[name], rung))
    assert sum(n for _, n in thread.bands(DONE[name].summary)) == len(DONE[name].summary.findings)
    for usage in (Usage.USED, Usage.STALE):
        assert f"{len(DONE[name].summary.of(usage)):,} " in payload["text"]


@pytest.mark.parametrize("name", DONE)
def test_the_words_beside_files(name: str) -> None:
    """What was exported, or why Slack took nothing."""
    view = DONE[name]
    assert "1,204 rows" in reply(thread.exported(view, 1204))["text"]
    for rows in (0, 1204):
        assert (
            "storage_limit_reached" in reply(thread.file_refused(view, rows, "storage_limit_reached"))["text"]
        )


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("name", ["role", "hostile", "long", "queued", "running_hostile"])
def test_a_press_without_an_answer(name: str, failure: str) -> None:
    """Which button, why, and that nothing was changed."""
    payload = reply(thread.failed(CARDS[name], FAILURES[failure], "What grants it"))
    assert "No answer to “What grants it”" in payload["text"]
    assert "Nothing was changed" in payload["text"]


def test_a_hostile_alias_is_in_the_views() -> None:
    """The views that these tests draw really hold it."""
    assert DONE["hostile"].account.alias == ALIAS
    assert DONE["group"].entity.kind is Kind.GROUP
    assert DONE["role"].now == NOW
