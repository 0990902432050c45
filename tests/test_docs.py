"""The documents say what the code does: settings, commands, ids, scopes, permissions, states, faults, links."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import handlers
from advisor.core import errors
from advisor.core.model import Finding, RequestState, Usage, Verdict, Why
from advisor.edges.config import Config
from handlers import access, check, commands
from handlers.blocks import words
from handlers.files import COLUMNS

ROOT = Path(__file__).parent.parent
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
NOUNS = ("Role", "User", "Group")
"""What `{noun}` stands for in the names of IAM's calls; managed policies have calls of their own."""


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def source(pattern: str) -> str:
    """All code that a pattern names, as one text."""
    return "\n".join(path.read_text("utf-8") for path in sorted(ROOT.glob(pattern)))


def rows(name: str, heading: str = "") -> Iterator[list[str]]:
    """The rows of a document's tables below a heading, heads left out."""
    text = read(name)
    if heading:
        (text,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    for line in text.splitlines():
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and not set(cells[0]) <= set("-: "):
            yield cells


def code(text: str) -> set[str]:
    """What stands between back-ticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


# -- settings --------------------------------------------------------------------------------------------------------


def default(name: str) -> str:
    """A setting's default as the document writes it."""
    field = Config.model_fields[name]
    if field.is_required():
        return "(needed)"
    if field.default in (None, ()):
        return "(none)"
    value = str(field.default)
    return f"`{value.lower() if isinstance(field.default, bool) else value}`"


def documented() -> dict[str, str]:
    return {cells[0].strip("`"): cells[1] for cells in rows("docs/settings.md") if cells[0] != "variable"}


def test_every_setting_is_documented_with_its_default() -> None:
    """And no setting is documented that is none."""
    assert documented() == {name.upper(): default(name) for name in Config.model_fields}


def test_settings_of_later_releases_are_told_from_those_in_use() -> None:
    """A setting stands in the first table where anything but its own declaration reads it."""
    readers = read("bot.py") + source("handlers/**/*.py") + source("advisor/*.py")
    used = {name.upper() for name in Config.model_fields if re.search(rf"\.{name}\b", readers)}
    assert {cells[0].strip("`") for cells in rows("docs/settings.md", "In use")} - {"variable"} == used


# -- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [*commands.KINDS, *commands.LONE])
def test_every_command_is_documented(word: str) -> None:
    """Each word of the grammar has a row."""
    typed = [next(iter(code(cells[0])), "") for cells in rows("docs/commands.md", "Commands")]
    assert any(line.split()[:2] == [handlers.COMMAND, word] for line in typed)


@pytest.mark.parametrize("option", [*(f"{key}=" for key in commands.KEYS), *commands.FLAGS])
def test_every_option_is_documented(option: str) -> None:
    """Each option of the grammar has a row."""
    shown = [word for cells in rows("docs/commands.md", "Commands") for word in code(cells[0])]
    assert any(word.startswith(option) for word in shown)


def test_what_is_documented_can_be_typed() -> None:
    """Every command of the document is understood, with every option."""
    examples = {"NAME": "DBAdminRole", "ARN": "arn:aws:iam::111111111111:role/DBAdminRole"}
    lines = [word for cells in rows("docs/commands.md", "Commands") for word in code(cells[0])]
    typed = [line.removeprefix(handlers.COMMAND) for line in lines if line.startswith(handlers.COMMAND)]
    extra = [line for line in lines if not line.startswith(handlers.COMMAND)]
    assert len(typed) == len(commands.KINDS) + len(commands.LONE) + 2  # by ARN, and nothing
    for line in typed:
        words = [examples.get(w, w) for w in line.split()]
        assert not isinstance(commands.parse(" ".join(words)), commands.UsageError), line
    for option in extra:
        words = option.replace("1..400", "400").replace("ALIAS", "prod").replace("=ID", "=111111111111")
        assert not isinstance(commands.parse(f"role DBAdminRole {words}"), commands.UsageError), option


@pytest.mark.parametrize("name", sorted({*handlers.ACTIONS, *handlers.VIEWS, *handlers.OPTIONS}))
def test_every_id_is_documented(name: str) -> None:
    """Ids outlive a release: cards with them stay in channels for years."""
    assert name in code(read("docs/commands.md"))


def test_no_button_is_documented_that_is_not_there() -> None:
    """The table of buttons is the table of handlers."""
    shown = {w for cells in rows("docs/commands.md", "The card") for w in code(cells[1])}
    assert shown == set(handlers.ACTIONS)


@pytest.mark.parametrize("word", [*COLUMNS, *Usage, *Verdict])
def test_the_files_are_documented(word: str) -> None:
    """Columns, and the words that stand in them."""
    assert str(word) in code(read("docs/commands.md"))


DETAILS = {
    Why.SHARED: "3",
    Why.GROUP: "developers",
    Why.YOUNG: "2027-02-10",
    Why.AWS_MANAGED: "ReadOnlyAccess",
    Why.ADMIN: "AdministratorAccess",
}


@pytest.mark.parametrize(
    "finding", [(why, DETAILS.get(why, "")) for why in Why] + [(Why.PASS_ROLE, "iam:PassRole")]
)
def test_every_reason_is_explained(finding: tuple[Why, str]) -> None:
    """In the words that stand on the card and in the files."""
    said = words.why(Finding("s3", Usage.NEVER, Verdict.KEEP, finding[0], detail=finding[1]))
    assert said in [cells[0] for cells in rows("docs/why.md", "What could go, and what stays")]


# -- Slack -----------------------------------------------------------------------------------------------------------


def test_every_scope_is_explained() -> None:
    """Needed ones in the first table, optional ones in the second, and no other."""

    def scopes(heading: str) -> set[str]:
        return {w for cells in rows("docs/slack.md", heading) for w in code(cells[0])}

    assert scopes("Scopes that are needed") == set(check.NEEDED)
    assert scopes("Scopes that are optional") == set(check.OPTIONAL)


def test_how_long_rights_are_remembered_is_true() -> None:
    """The document says minutes."""
    assert access.KEPT.total_seconds() == 5 * 60
    assert "remembered for five minutes" in read("docs/slack.md")


# -- AWS -------------------------------------------------------------------------------------------------------------


def policy(name: str) -> list[dict[str, Any]]:
    document = json.loads(read(name))
    assert document["Version"] == "2012-10-17"
    statements: list[dict[str, Any]] = document["Statement"]
    return statements


def read_policy() -> set[str]:
    (statement,) = policy("docs/iam-read-policy.json")
    assert (statement["Effect"], statement["Resource"]) == ("Allow", "*")
    return set(statement["Action"])


def spread(names: set[str], slot: str) -> set[str]:
    """Names with a slot, once for each kind of entity that has inline policies."""
    return {name.replace(slot, noun) for name in names for noun in NOUNS}


def test_the_read_policy_is_what_the_code_names() -> None:
    """Least privilege: each permission that a call reports when it is refused, and no other."""
    named = set(re.findall(r'f?"(iam:[A-Za-z{}]+)"', source("advisor/edges/aws/*.py")))
    assert read_policy() == spread(named, "{noun}")
    assert sorted(read_policy()) == policy("docs/iam-read-policy.json")[0]["Action"], "each once, in order"


def test_the_read_policy_is_what_the_code_calls() -> None:
    """The same from the boto3 methods, because a name beside a call could be another call's."""
    text = source("advisor/edges/aws/*.py")
    called = set(re.findall(r"\biam\.([a-z_]+)", text))
    called |= set(re.findall(r'getattr\((?:session\.)?iam, f"([a-z_{}]+)"\)', text))
    methods = {n for n in spread(called, "{kind}") if n.startswith(("get_", "list_", "generate_"))}
    assert read_policy() == {"iam:" + "".join(w.title() for w in name.split("_")) for name in methods}


def test_check_tests_every_permission_of_the_read_policy() -> None:
    """`python bot.py check` promises that in docs/iam.md."""
    text = read("handlers/check.py")
    tested = set(re.findall(r'"(iam:[A-Za-z{}.()]+)', text))
    (listing,) = re.findall(r'"iam:ListRoles, ([A-Za-z, ]+)"', text)
    tested |= {f"iam:{name}" for name in listing.split(", ")}
    assert spread(tested, "{k.title()}") == read_policy()


def test_the_bots_own_permissions() -> None:
    """Entering the read role by its default name, and listing accounts; asking who one is needs none (STS API)."""
    named = set(re.findall(r'"((?:sts|organizations):[A-Za-z]+)"', source("advisor/edges/aws/*.py")))
    enter, listing = policy("docs/iam-bot-policy.json")
    assert named - {"sts:GetCallerIdentity"} == {enter["Action"], listing["Action"]}
    assert enter["Resource"] == f"arn:aws:iam::*:role/{Config.model_fields['iam_audit_read_role'].default}"
    (trust,) = policy("docs/iam-read-trust.json")
    assert trust["Action"] == enter["Action"]


def test_nothing_that_writes_is_allowed() -> None:
    """An audit changes nothing in AWS, and could not."""
    for action in read_policy():
        assert fnmatch.filter([action], "iam:[GL]*"), action
    assert [a for a in read_policy() if a.startswith("iam:Generate")] == [
        "iam:GenerateServiceLastAccessedDetails"
    ]


def test_every_permission_is_explained() -> None:
    """In docs/iam.md, each once and no other."""
    shown = {w for cells in rows("docs/iam.md", "What each call is for") for w in code(cells[0])}
    assert shown == read_policy()
    assert {"sts:AssumeRole", "organizations:ListAccounts"} <= code(read("docs/iam.md"))


# -- operations ------------------------------------------------------------------------------------------------------


def error_codes() -> set[str]:
    """Each code that a failure can have: the errors' own, and those that the stories write."""
    found, left = set(), [errors.AwsError]
    while left:
        kind = left.pop()
        found.add(kind.code)
        left += kind.__subclasses__()
    stories = source("advisor/*.py") + source("handlers/*.py")
    return found | set(re.findall(r'(?:Failure\(|\bcode=)"([a-z_]+)"', stories))


def test_every_fault_is_documented() -> None:
    """With what it means and what helps, and no code that is none."""
    assert len(error_codes()) > 12
    assert {
        w for cells in rows("docs/operations.md", "Why an audit fails") for w in code(cells[0])
    } == error_codes()


@pytest.mark.parametrize("state", RequestState)
def test_every_state_is_documented(state: RequestState) -> None:
    """In the words that stand in the database."""
    assert str(state) in code(read("docs/operations.md").replace(" → ", "` → `"))


def test_every_exit_code_is_documented() -> None:
    """As bot.py defines them."""
    (line,) = re.findall(r"^OK, FAILED, WRONG, HELD = ([\d, ]+)$", read("bot.py"), re.MULTILINE)
    assert [cells[0] for cells in rows("docs/operations.md", "Running")][1:] == line.split(", ")


# -- the documents themselves ----------------------------------------------------------------------------------------


def test_the_readme_is_short() -> None:
    """120 lines at most; the rest is in docs/."""
    assert len(read("README.md").splitlines()) <= 120


def targets(path: Path) -> Iterator[str]:
    """The relative links and pictures of a document."""
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if not re.match(r"[a-z]+:", link):
            yield link


@pytest.mark.parametrize("path", DOCS, ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link is a file of the project, and every anchor a heading of it."""
    for link in targets(path):
        name, _, anchor = link.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.exists(), link
        if anchor:
            heads = re.findall(r"^#+ (.+)$", found.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}, link


def test_every_document_is_linked_from_the_readme() -> None:
    """Nobody finds a document that nothing names."""
    linked = {(ROOT / link).resolve() for link in targets(ROOT / "README.md")}
    assert set(DOCS) - linked == {ROOT / "README.md"}


def test_the_files_that_contributors_are_sent_to_are_there() -> None:
    """Both columns of the table."""
    named = {w for cells in rows("CONTRIBUTING.md") for cell in cells[1:] for w in code(cell) if "/" in w}
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_commands_of_the_readme_are_there() -> None:
    """`make X` is a target of the Makefile."""
    makefile = read("Makefile")
    for path in DOCS:
        for target in re.findall(r"^make ([\w./]+)|`make ([\w./]+)", path.read_text("utf-8"), re.MULTILINE):
            assert re.search(rf"^{re.escape(''.join(target))}:", makefile, re.MULTILINE), target


def test_documents_are_plain() -> None:
    """No exclamation marks and no "please", as on the cards."""
    for path in DOCS:
        prose = re.sub(r"```.*?```|`[^`]*`|!\[", "", path.read_text("utf-8"), flags=re.DOTALL)
        assert "!" not in prose, path.name
        assert not re.search(r"\bplease\b", prose, re.IGNORECASE), path.name


def test_the_project_names_no_other_place() -> None:
    """A clone stands alone: no file points to where it was written."""
    place = re.compile("/" + r"work/|\.\./" + r"shared\b|\bshared/" + r"[A-Za-z]")
    texts = {".py", ".md", ".json", ".yaml", ".toml", ".txt", ".js", ".html", ".css"}
    ours = ("advisor", "handlers", "docs", "tests", "benchmarks")
    files = [ROOT / "Makefile", ROOT / ".ci/run", *(p for p in ROOT.glob("*.*") if p.suffix in texts)]
    files += [p for folder in ours for p in (ROOT / folder).rglob("*") if p.suffix in texts]
    assert len(files) > 80
    assert [p.relative_to(ROOT).as_posix() for p in files if place.search(p.read_text("utf-8"))] == []
