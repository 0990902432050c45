"""handlers.exports: files that a person reads, and files that a person may run."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.model import Kind
from advisor.core.removal import Operation, Plan, Standing, Step
from advisor.core.rewrite import size
from advisor.edges.aws.writer import _call_of
from handlers import hcl
from handlers.blocks.ticket_view import TicketView
from handlers.exports import files
from tests import plans
from tests.hcl_reader import Hcl
from tests.views import HOSTILE
from tests.worlds import ACCOUNT, allow, document, entity

EVIL = HOSTILE.replace("\x00", "") + plans.EVIL + "'; touch pwned; '\r\n\"; touch pwned #$(touch pwned)"
PLANS = {
    "dba": plans.dba(),
    "everything": plans.everything(),
    "hostile": plans.everything(EVIL),
    "option": plans.everything("-"),
    "denied": plans.denied(),
    "narrowed": plans.narrowed(),
    "excepted": plans.excepted(),
    "policy": plans.of_policy(),
    "large": plans.large(17, 100),
}


def written(view: TicketView) -> dict[str, str]:
    """The four files by the end of their names."""
    found = files(view)
    assert [f.name for f in found] == [f"ticket-12{e}" for e in ("-diff.txt", "-after.json", ".tf", ".sh")]
    assert not any("EVIL" in f.title + f.alt for f in found)
    return {f.name.removeprefix("ticket-12").lstrip("-."): f.content.decode() for f in found}


# -- before and after ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLANS)
def test_the_diff_holds_every_text_letter_by_letter(name: str) -> None:
    """Before, after, of what is detached and of a version that goes; with lengths, sizes and the whole fingerprint."""
    plan = PLANS[name]
    text = written(plans.view(plan))["diff.txt"]
    assert f"Plan:    {plan.fingerprint}\n" in text
    assert "Written: 2026-11-24 09:12:00 UTC\n" in text
    raw = [t for e in plan.edits for t in (e.before, e.after) if t is not None]
    raw += [s.before for s in plan.steps if s.operation is Operation.DELETE_VERSION and s.before]
    raw += [m.default.text for m in plan.basis.managed]
    for found in raw:
        assert f"\n{found}\n--- End of the text\n" in text
        assert f"{len(found):,} characters, SHA-256 " in text
    for edit in plan.edits:
        if edit.before:
            after = size(edit.after or "")
            assert f"Size without white space: {size(edit.before):,} before, {after:,} after\n" in text


def test_the_diff_marks_what_goes() -> None:
    text = written(plans.view(plans.dba()))["diff.txt"]
    assert '-        "athena:*",\n' in text
    assert '         "dynamodb:*",\n' in text
    assert "2 of 2  AmazonRDSFullAccess: managed policy, detached\nARN: arn:aws:iam::aws:policy/" in text
    assert "After: it is not attached" in text
    added = re.findall(r"^\+(?!\+\+ )(.*)$", text, re.MULTILINE)
    assert added == ['        "secretsmanager:GetSecretValue"']  # it is the last one now
    assert "by its comma alone" in text


def test_a_name_makes_no_line_of_the_diff() -> None:
    """Only a text itself may, and its length stands before it."""
    text = written(plans.view(PLANS["hostile"]))["diff.txt"]
    assert "EVIL\\nEOT" not in text.replace("\\n", "")
    assert not any(line.startswith(("EOT", "# \\", '"; touch')) for line in text.split("\n"))
    assert not set("\u202e\u200b\u2066\u2028\x07") & set(text)


# -- afterwards ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLANS)
def test_after_is_what_the_plan_leaves(name: str) -> None:
    plan = PLANS[name]
    found = json.loads(written(plans.view(plan))["after.json"])
    assert found["plan"] == plan.fingerprint
    documents = {**found["inline"], **found["managed"]}
    expected = {}
    for edit in plan.edits:
        made = next((s for s in edit.steps if s.operation is Operation.CREATE_POLICY), None)
        if made:
            assert found["created"][made.arn]["document"] == json.loads(edit.after or "")
            assert found["created"][made.arn]["tags"] == dict(made.tags)
        elif edit.before is not None:
            expected[edit.arn or edit.policy] = json.loads(edit.after) if edit.after else None
    assert documents == expected
    steps = plan.steps
    assert found["attached"] == [s.arn for s in steps if s.operation is Operation.ATTACH]
    assert found["detached"] == [s.arn for s in steps if s.operation is Operation.DETACH]
    assert found["deleted_versions"] == [
        {"arn": s.arn, "version": s.version} for s in steps if s.operation is Operation.DELETE_VERSION
    ]


# -- the script ------------------------------------------------------------------------------------------------------

FAKE = """\
#!/usr/bin/env python3
import json, os, sys
with open(os.environ["RECORD"], "a") as out:
    out.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "sts":
    print(os.environ["ACCOUNT"])
elif len(open(os.environ["RECORD"]).readlines()) == int(os.environ.get("FAILS", 0)):
    sys.exit(254)
"""


def run(
    script: str, folder: Path, account: str = ACCOUNT, fails: int = 0
) -> tuple[int, list[list[str]], str]:
    """A script by bash, with an `aws` that writes down what it is called with. Nothing else may come of it."""
    tools, record, place = folder / "bin", folder / "record", folder / "place"
    tools.mkdir()
    place.mkdir()
    record.touch()
    (tools / "aws").write_text(FAKE)
    (tools / "aws").chmod(0o755)
    file = folder / "ticket.sh"
    file.write_bytes(script.encode())
    env = {
        "PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin",
        "RECORD": str(record),
        "ACCOUNT": account,
        "FAILS": str(fails),
        "LC_ALL": "C.UTF-8",
    }
    assert subprocess.run(["bash", "-n", file], env=env, check=False).returncode == 0
    done = subprocess.run(["bash", file], env=env, cwd=place, check=False, capture_output=True, text=True)
    assert list(place.iterdir()) == []
    return done.returncode, [json.loads(line) for line in record.read_text().splitlines()], done.stderr


def parameters(argv: list[str]) -> tuple[str, dict[str, Any]]:
    """A recorded call as boto3 would name it."""
    found: dict[str, Any] = {}
    rest = argv[2:]
    while rest:
        option, given, value = rest.pop(0).removeprefix("--").partition("=")
        name = "".join(w.title() for w in option.split("-"))
        if name in {"SetAsDefault", "NoSetAsDefault"}:
            found["SetAsDefault"] = name == "SetAsDefault"
            continue
        found[name] = value if given else rest.pop(0)
        assert given or not found[name].startswith("-")  # the AWS CLI would take it for an option
    if "Tags" in found:
        found["Tags"] = json.loads(found["Tags"])
    return "".join(w.title() for w in argv[1].split("-")), found


@pytest.mark.parametrize("name", PLANS)
def test_the_script_calls_what_the_plan_says(name: str, tmp_path: Path) -> None:
    """Each call with each value exactly as the bot itself would make it, in the plan's order; strangers’ words run nothing."""
    plan = PLANS[name]
    code, calls, _ = run(written(plans.view(plan))["sh"], tmp_path)
    assert code == 0
    assert calls[0] == "sts get-caller-identity --query Account --output text".split()
    expected = [_call_of(plan.basis.entity, s) for s in plan.steps]
    assert [parameters(c) for c in calls[1:]] == [
        (p.removeprefix("iam:"), found) for p, _, found, _ in expected
    ]
    assert {c[0] for c in calls[1:]} == {"iam"}


@pytest.mark.parametrize("kind", [Kind.ROLE, Kind.USER, Kind.GROUP])
@pytest.mark.parametrize("operation", list(Operation))
def test_every_write_of_every_kind(operation: Operation, kind: Kind, tmp_path: Path) -> None:
    """Also those that only a way back needs."""
    who = entity(kind, f"N{EVIL}")
    step = Step(
        operation, f"P{EVIL}", f"arn:{EVIL}", "{}", document(allow("s3:*", Sid=EVIL)), "v2", default=False
    )
    step = replace(step, path=f"/{EVIL}/", description=EVIL, tags=((EVIL, EVIL),))
    plan = replace(plans.dba(), edits=(replace(plans.dba().edits[0], steps=(step,)),))
    code, calls, _ = run(written(plans.view(plan, of=who))["sh"], tmp_path)
    permission, _, expected, _ = _call_of(who, step)
    assert (code, [parameters(c) for c in calls[1:]]) == (0, [(permission.removeprefix("iam:"), expected)])


def test_the_script_stops_in_another_account(tmp_path: Path) -> None:
    code, calls, said = run(written(plans.view(plans.dba()))["sh"], tmp_path, account="222222222222")
    assert code == 1
    assert len(calls) == 1
    assert "These are credentials of account 222222222222, the ticket is for 111111111111" in said


def test_the_script_stops_at_the_first_refusal(tmp_path: Path) -> None:
    code, calls, _ = run(written(plans.view(plans.everything()))["sh"], tmp_path, fails=4)
    assert code == 254
    assert len(calls) == 4


@pytest.mark.parametrize("value", ["file:///etc/passwd", "fileb://x", "https://evil.example", "a\x00b"])
def test_a_value_that_the_cli_would_read_from_elsewhere_stops_the_script(value: str, tmp_path: Path) -> None:
    """Names like these cannot be; nothing of such a script is handed on."""
    standing = Standing(entity(), ((value, document(allow("s3:*", "sqs:*"))),))
    code, calls, said = run(written(plans.view(plans.planned(["sqs"], standing)))["sh"], tmp_path)
    assert (code, len(calls)) == (1, 1)
    assert "Write 1 has a value that cannot be handed to the AWS CLI as it is." in said


# -- Terraform -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLANS)
def test_terraform_reads_what_the_plan_leaves(name: str) -> None:
    """Every document by name, every attachment; nothing of what goes."""
    plan = PLANS[name]
    who = plan.basis.entity
    made = Hcl(written(plans.view(plan))["tf"]).resources()
    by_kind: dict[str, list[Any]] = {}
    for (kind, _), found in made.items():
        by_kind.setdefault(kind, []).append(found)
    inline = [s for s in plan.steps if s.operation is Operation.PUT]
    assert by_kind.get("aws_iam_role_policy", []) == [
        {"name": s.name, "role": who.name, "policy": json.loads(s.after or "")} for s in inline
    ]
    policies = [s for s in plan.steps if s.operation in {Operation.CREATE_POLICY, Operation.CREATE_VERSION}]
    assert [(p["name"], p["policy"]) for p in by_kind.get("aws_iam_policy", [])] == [
        (s.name, json.loads(s.after or "")) for s in policies
    ]
    attached = [s for s in plan.steps if s.operation is Operation.ATTACH]
    found = by_kind.get("aws_iam_role_policy_attachment", [])
    assert [a["role"] for a in found] == [who.name] * len(attached)
    for step, one in zip(attached, found, strict=True):
        if step.arn not in {p.arn for p in policies}:
            assert one["policy_arn"] == step.arn
            continue
        label = one["policy_arn"].removeprefix("reference aws_iam_policy.").removesuffix(".arn")
        assert made["aws_iam_policy", label]["name"] == step.name


def test_terraform_keeps_a_policys_path_description_and_tags() -> None:
    """To leave one out would make Terraform change or replace the policy."""
    own = plans.managed(
        f"{plans.OURS}/team/Own",
        allow("s3:*", "sqs:*"),
        path="/team/",
        description="Ours",
        tags=(("a", "b"), ("aws:x", "y")),
        holders=("role/DBAdminRole",),
    )
    plan = plans.planned(["sqs"], Standing(entity(), (), (own.arn,), managed=(own,)))
    text = written(plans.view(plan))["tf"]
    found = Hcl(text).resources()["aws_iam_policy", "Own"]
    assert (found["path"], found["description"], found["tags"]) == ("/team/", "Ours", {"a": "b"})
    assert f"# Stands already. To import it: {own.arn}\n" in text


@pytest.mark.parametrize("name", ["everything", "hostile"])
def test_what_goes_is_a_comment(name: str) -> None:
    text = written(plans.view(PLANS[name]))["tf"]
    lines = [line for line in text.split("\n") if line.startswith("# Remove")]
    assert len(lines) == 4
    assert all(line.endswith(".") for line in lines)
    assert "aws_iam_policy_document" not in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", '"a"'),
        ("", '""'),
        ('"', r'"\""'),
        ("\\", r'"\\"'),
        ("\n\r\t", r'"\n\r\t"'),
        ("${aws:username}", '"$${aws:username}"'),
        ("%{if}", '"%%{if}"'),
        ("$", '"$"'),
        ("$x{", '"$x{"'),
        ("$${x}", r'"\u0024\u0024{x}"'),
        ("%${", r'"\u0025\u0024{"'),
        ("\u202e", r'"\u202e"'),
        ("\x00", r'"\u0000"'),
        ("\U000e0001", r'"\U000e0001"'),
        ("é", '"é"'),
    ],
)
def test_strings_of_hcl(value: str, expected: str) -> None:
    assert hcl.string(value) == expected


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")) | st.text('${%}"\\\n'),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('a${%"\\', max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(_JSON)
def test_any_json_comes_back_out_of_hcl(found: object) -> None:
    assert Hcl(f"{hcl.value(found)}\n").value() == found


@given(st.lists(st.text(max_size=80), max_size=12))
def test_labels_are_safe_and_never_shared(names: list[str]) -> None:
    taken: set[str] = set()
    made = [hcl.label(n, taken) for n in names]
    assert len(set(made)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", m) for m in made)


def test_plans_here_are_real() -> None:
    """The hostile one uses every write that a plan can have."""
    assert isinstance(PLANS["hostile"], Plan)
    assert {s.operation for s in PLANS["hostile"].steps} == set(Operation) - {
        Operation.SET_DEFAULT,
        Operation.DELETE_POLICY,
    }
