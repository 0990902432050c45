"""The evidence of a ticket at the wire: what is in the bundle, who gets it, and that every changed byte of it is found."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

import bot
from advisor.core import evidence
from advisor.core.evidence import digest
from handlers import bundle
from tests.sandbox import world as story
from tests.scenarios.pressing import button, last_told, said_in_log
from tests.scenarios.stage import Stage, words

HOSTILE = "<!channel> \u202e \x07 *bold* 💥"


def handed_out(stage: Stage) -> bytes:
    """The newest bundle in Slack."""
    found = [f for f in stage.slack.state.files.values() if f["name"].endswith("-evidence.zip")]
    return bytes(found[-1]["content"])


def opened(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {n: archive.read(n) for n in archive.namelist()}


def told(content: bytes) -> dict[str, Any]:
    return dict(json.loads(opened(content)[evidence.EVIDENCE]))


def exported(stage: Stage, path: Path) -> Path:
    path.write_text(stage.store.log.lines(), "utf-8")
    return path


@pytest.fixture
def applied(writing: Stage) -> Stage:
    """A ticket from its reason to its last step."""
    writing.ticket(reason=HOSTILE)
    writing.press("ticket.approve", user=story.CAROL)
    return writing


def test_what_is_in_it(applied: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sources, people, documents, steps with AWS’s request ids, the log; verified offline, with the log too."""
    applied.press("ticket.evidence")
    content = handed_out(applied)
    assert sorted(opened(content)) == sorted([*evidence.NEEDED, "diff.txt", "after.json", "README.txt"])
    found = told(content)
    assert found["ticket"]["reason"] == HOSTILE and found["ticket"]["state"] == "applied"
    assert found["ticket"]["requesters"] == [story.ALICE]
    assert [a["user"] for a in found["approvals"]["given"]] == [story.CAROL]
    assert found["entity"]["owner_tag"] == {"key": "owner", "value": story.DAVE}
    assert found["data"]["window_days"] == 90
    assert found["data"]["report"]["granularity"] == "SERVICE_LEVEL"
    assert found["data"]["report_before_the_first_write"]["id"] > found["data"]["report"]["id"]
    assert {w["name"]: w["agrees"] for w in found["witnesses"]} == {
        "second evaluator": True, "IAM Access Analyzer": None, "IAM policy simulator": None,
    }  # fmt: skip
    assert found["steps"] and all(s["aws_request_id"] and s["state"] == "done" for s in found["steps"])
    iam = applied.aws.backend(story.PROD).get_role("DBAdminRole")
    (inline,) = [d for d in found["documents"] if d["policy"] == "db-admin-inline"]
    assert json.loads(inline["after"]) == json.loads(iam.policies["db-admin-inline"])
    assert json.loads(inline["before"])["Statement"][0]["Action"][0] == "dynamodb:*"
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    log = exported(applied, tmp_path / "log.jsonl")
    assert bot.main(["verify", str(path), str(log)]) == 0
    said = capsys.readouterr().out
    assert said.count("ok  ") == 9 and "FAIL" not in said
    assert "1 of 1 approvals, each of this very plan and in the log" in said
    assert f"whole: SHA-256 {digest(content)}" in said


def test_the_log_says_which_bytes_were_handed_out(applied: Stage) -> None:
    """Who asked, and the SHA-256, in the log and in the thread."""
    applied.press("ticket.evidence", user=story.BOB)
    sha = digest(handed_out(applied))
    assert said_in_log(applied)[-2:] == ["ticket.evidence", "ticket.evidence_made"]
    row = applied.rows("SELECT * FROM log ORDER BY id DESC LIMIT 1")[0]
    assert json.loads(row["detail"]) == {"file": "ticket-1-evidence.zip", "sha256": sha}
    assert any(sha in words(m) for m in applied.thread())
    assert any("asked for the evidence of ticket 1" in words(m) for m in applied.thread())
    assert applied.store.log.verify()[2] is None
    before = len(applied.slack.state.files)
    applied.press("ticket.evidence", user=story.BOB)
    assert len(applied.slack.state.files) == before + 1


STATES = {
    "open": [],
    "cancelled": ["ticket.cancel"],
    "rolled_back": ["ticket.approve", "ticket.rollback"],
}


@pytest.mark.parametrize("state", STATES)
def test_in_each_state(writing: Stage, state: str, tmp_path: Path) -> None:
    """The button stands on every card, and the file holds."""
    writing.ticket()
    for action in STATES[state]:
        user = story.ALICE if action == "ticket.cancel" else story.CAROL
        writing.press(action, user=user)
        if action in {"ticket.reject", "ticket.rollback"}:
            writing.slack.submit(user, {"reason": {"value": "no"}} if action == "ticket.reject" else {})
            writing.settle()
    writing.press("ticket.evidence")
    content = handed_out(writing)
    assert told(content)["ticket"]["state"] == state
    assert all(c.holds for c in bundle.checked(content)), bundle.checked(content)
    assert not any(s["way_back"] for s in told(content)["steps"]) or state == "rolled_back"


@pytest.mark.parametrize("command", ["role TestRole-DeleteLater", "group data-engineers"])
def test_of_other_plans(writing: Stage, command: str) -> None:
    """Versions, quarantines and copies too: whatever the form offers first."""
    writing.say(command)
    view = writing.open_form()
    picks = {
        b["block_id"]: {"selected_options": b["element"]["options"]}
        for b in view["blocks"] if b.get("type") == "input" and b["element"]["type"] == "checkboxes"
    }  # fmt: skip
    if not picks:
        pytest.skip("nothing is offered by boxes")
    writing.send_form(reason={"value": "x"}, **picks)
    if "ticket" not in writing.card()["metadata"]["event_type"]:
        pytest.skip("nothing came of it")
    writing.press("ticket.evidence")
    assert all(c.holds for c in bundle.checked(handed_out(writing))), bundle.checked(handed_out(writing))


def test_a_changed_byte_is_found(applied: Stage) -> None:
    """Anywhere: also in what an unpacker ignores."""
    applied.press("ticket.evidence")
    content = handed_out(applied)
    places = [*range(64), *range(len(content) - 600, len(content))]
    places += range(0, len(content), 151)
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 1 << (place % 8)
        assert not all(c.holds for c in bundle.checked(bytes(changed))), place
    for broken in (content[:-1], content[1:], content + b"x", b"x" + content, b"", b"PK"):
        assert not all(c.holds for c in bundle.checked(broken))


def forged(content: bytes, name: str, change: Any) -> bytes:
    """A bundle that somebody changed with care: the manifest and the zip fit again."""
    found = opened(content)
    tree = json.loads(found[name])
    change(tree)
    found[name] = (json.dumps(tree, indent=1, sort_keys=True) + "\n").encode()
    found[evidence.MANIFEST] = evidence.manifest({n: c for n, c in found.items() if n != evidence.MANIFEST})
    return bundle.packed(found)


def _other(tree: dict[str, Any]) -> None:
    tree["approvals"]["given"][0]["user"] = story.BOB


def _later(tree: dict[str, Any]) -> None:
    tree["approvals"]["given"][0]["fingerprint"] = "0" * 64


def _after(tree: dict[str, Any]) -> None:
    tree["documents"][0] |= {"after": "{}", "after_sha256": digest(b"{}")}


def _before(tree: dict[str, Any]) -> None:
    tree["documents"][0]["before"] = "{}"


def _step(tree: dict[str, Any]) -> None:
    tree["steps"][0]["step"]["name"] = "another"


def _fingerprint(tree: dict[str, Any]) -> None:
    tree["plan"]["fingerprint"] = "0" * 64


def _row(tree: dict[str, Any]) -> None:
    tree["rows"][0]["actor"] = story.BOB


def _rows(tree: dict[str, Any]) -> None:
    tree["rows"][0], tree["rows"][1] = tree["rows"][1], tree["rows"][0]


def _subject(tree: dict[str, Any]) -> None:
    tree["rows"][0]["subject"] = "ticket 2"


def _format(tree: dict[str, Any]) -> None:
    tree["format"] = "iam-audit.evidence/9"


FORGED = [
    ("evidence.json", _other, "approvals that the log does not have"),
    ("evidence.json", _later, "approvals of another plan"),
    ("evidence.json", _after, "a document is not the one of the plan"),
    ("evidence.json", _before, "a document is not the one of the plan"),
    ("evidence.json", _step, "is none of the plan's"),
    ("evidence.json", _fingerprint, "the plan is not the one of the fingerprint"),
    ("evidence.json", lambda t: t.pop("ticket"), "cannot be read: KeyError"),
    ("evidence.json", _format, "a bundle of another release"),
    ("plan.json", lambda t: t["steps"].pop(), "the plan is not the one of the fingerprint"),
    ("log.json", _row, "of the log is not the one that was hashed"),
    ("log.json", _rows, "does not fit the row before it"),
    ("log.json", _subject, "of the log is not the one that was hashed"),
]


def test_a_careful_forgery_is_found(applied: Stage, tmp_path: Path) -> None:
    """Each check by itself, where the sums fit; what is forged with its hashes fails against the log."""
    applied.press("ticket.evidence")
    content = handed_out(applied)
    log = exported(applied, tmp_path / "log.jsonl")
    for name, change, said in FORGED:
        found = bundle.checked(forged(content, name, change))
        assert any(said in c.said for c in found if not c.holds), (name, said, found)

    def rewritten(tree: dict[str, Any]) -> None:
        from advisor.core.chain import chained

        row = tree["rows"][-1]
        row["actor"] = story.ERIN
        row["hash"] = chained(
            row["previous"], *(row[k] for k in ("at", "actor", "verb", "subject", "detail"))
        )

    lines: list[str] = []
    assert not bundle.verify(forged(content, "log.json", rewritten), log, lines.append) or "FAIL" in "".join(
        lines
    )
    assert any("the log has no row" in x or "the end of the log is another" in x for x in lines), lines


def test_against_another_log(applied: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken export, one that was cut, one of somebody else, and what is no log."""
    applied.press("ticket.evidence")
    path = tmp_path / "x.zip"
    path.write_bytes(handed_out(applied))
    text = applied.store.log.lines()
    cases = {
        "cut": ("".join(text.splitlines(keepends=True)[:3]), 1, "the log has no row"),
        "broken": (text.replace(story.CAROL, story.BOB), 1, "the log is broken at row"),
        "none": ("hello", 2, "cannot be checked"),
    }
    for name, (content, code, said) in cases.items():
        (tmp_path / name).write_text(content, "utf-8")
        assert bot.main(["verify", str(path), str(tmp_path / name)]) == code
        told_ = capsys.readouterr()
        assert said in told_.out + told_.err
    assert bot.main(["verify", str(tmp_path / "cut"), str(path)]) == 2
    assert bot.main(["verify", str(tmp_path / "absent")]) == 2


@pytest.mark.parametrize("user", [story.GUEST, story.BOB])
def test_who_may_not(writing: Stage, user: str) -> None:
    """Auditors may, asked at the click; a refused press is in the log and makes no file."""
    writing.restart(iam_audit_auditors=story.ALICE)
    writing.ticket()
    button(writing, "ticket.evidence", 1, user)
    assert "may not" in last_told(writing, user) or "Only" in last_told(writing, user)
    assert not [f for f in writing.slack.state.files.values() if f["name"].endswith(".zip")]
    assert said_in_log(writing)[-1] == "ticket.evidence.refused"


def test_slack_refuses_the_file(writing: Stage) -> None:
    """Said in the thread, with the way on; the ticket is as it was."""
    writing.ticket()
    writing.slack.state.files_allowed = False
    writing.press("ticket.evidence")
    assert any("The files of ticket 1 are not here" in m["text"] for m in writing.thread())
    assert "ticket.evidence_made" not in said_in_log(writing)


def test_the_same_rows_make_the_same_bytes(applied: Stage) -> None:
    """Deterministic to the letter."""
    drawing = applied.bot.deliver.drawing  # type: ignore[union-attr]
    ticket = applied.store.tickets.get(1)
    notice = applied.store.outbox.get(ticket.card_id or 0)  # type: ignore[union-attr]
    assert notice
    first, second = drawing.tickets.evidence(notice), drawing.tickets.evidence(notice)
    assert first == second and first[0].content.startswith(b"PK")
