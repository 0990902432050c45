"""The documents say what the code does: settings, commands, ids, scopes, permissions, states, faults, links."""

from __future__ import annotations

import fnmatch
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import handlers
from advisor.core import errors, lifecycle, report, risk
from advisor.core.escalation import WAYS
from advisor.core.estate import Cadence, PostingState
from advisor.core.model import Entity, Finding, Kind, RequestState, Usage, Verdict, Why
from advisor.core.privileged import PRIVILEGED
from advisor.core.removal import Kept, Operation, Step, TicketState, Verb
from advisor.edges.aws import writer
from advisor.edges.config import Config
from handlers import access, check, commands, estate_words
from handlers.blocks import answers, question_history, question_org, question_why, ticket_words, words
from handlers.files import COLUMNS
from tests.sandbox import world

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
    value = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
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


@pytest.mark.parametrize("word", [*commands.KINDS, *commands.LONE, *commands.OTHERS])
def test_help_knows_every_command(word: str) -> None:
    """What `help` shows is the grammar too."""
    assert re.search(rf"\b{word}\b", answers._HELP)


@pytest.mark.parametrize("option", [*(f"{key}=" for key in commands.KEYS), *commands.FLAGS])
def test_every_option_is_documented(option: str) -> None:
    """Each option of the grammar has a row."""
    shown = [word for cells in rows("docs/commands.md", "Commands") for word in code(cells[0])]
    assert any(word.startswith(option) for word in shown)


def test_what_is_documented_can_be_typed() -> None:
    """Every command of the document is understood, with every option."""
    questions = {"history role NAME", "history", "org", "why role NAME ACTION"}
    examples = {"NAME": "DBAdminRole", "ARN": "arn:aws:iam::111111111111:role/DBAdminRole", "N": "12"}
    examples["ACTION"] = "s3:GetObject"
    lines = [word for cells in rows("docs/commands.md", "Commands") for word in code(cells[0])]
    typed = [line.removeprefix(handlers.COMMAND) for line in lines if line.startswith(handlers.COMMAND)]
    extra = [line for line in lines if not line.startswith(handlers.COMMAND)]
    of_tickets = [f"tickets {which}" for which in commands.WHICH] + [
        f"{word} N" for word in commands.NUMBERED
    ]
    more = {"ARN", "", "tickets", "tickets role NAME", "log export", *of_tickets}
    more |= {"regroup"}
    assert {t.strip() for t in typed} == {f"{k} NAME" for k in commands.KINDS} | {
        *commands.LONE
    } | more | questions
    for line in typed:
        typed_words = [examples.get(w, w) for w in line.split()]
        assert not isinstance(commands.parse(" ".join(typed_words)), commands.UsageError), line
    for option in extra:
        words = option.replace("1..400", "400").replace("ALIAS", "prod").replace("=ID", "=111111111111")
        assert not isinstance(commands.parse(f"role DBAdminRole {words}"), commands.UsageError), option


def test_every_way_to_schedule_a_digest_is_documented() -> None:
    """Each word of the grammar, in a line that can be typed."""
    lines = [next(iter(code(cells[0])), "") for cells in rows("docs/commands.md", "Digests")]
    typed = [line.removeprefix(f"{handlers.COMMAND} ") for line in lines if line]
    assert not [t for t in typed if isinstance(commands.parse(t), commands.UsageError)]
    words_ = {t.split()[1] for t in typed if " " in t}
    assert words_ == {*estate_words.DIGEST_WORDS, *Cadence}


@pytest.mark.parametrize("name", sorted({*handlers.ACTIONS, *handlers.VIEWS, *handlers.OPTIONS}))
def test_every_id_is_documented(name: str) -> None:
    """Ids outlive a release: cards with them stay in channels for years."""
    assert name in code(read("docs/commands.md"))


def test_no_button_is_documented_that_is_not_there() -> None:
    """The table of buttons is the table of handlers."""
    parts = (
        "The card",
        "The card of a question",
        "The card of a ticket",
        "The card of a sweep",
        "The card of a digest",
        "App Home",
    )
    shown = [w for part in parts for cells in rows("docs/commands.md", part) for w in code(cells[1])]
    assert sorted(shown) == sorted({*handlers.ACTIONS})


@pytest.mark.parametrize(
    "word",
    [*COLUMNS, *question_org.COLUMNS, *question_history.COLUMNS, *question_why.COLUMNS, *Usage, *Verdict],
)
def test_the_files_are_documented(word: str) -> None:
    """Columns, and the words that stand in them."""
    assert str(word) in code(read("docs/commands.md"))


DETAILS = {
    Why.SHARED: "3",
    Why.GROUP: "developers",
    Why.YOUNG: "2027-02-10",
    Why.AWS_MANAGED: "ReadOnlyAccess",
    Why.ADMIN: "AdministratorAccess",
    Why.KEPT: "2027-01-31",
    Why.CALLED: "rds:DescribeDBInstances on 2026-11-20",
}


@pytest.mark.parametrize(
    "finding", [(why, DETAILS.get(why, "")) for why in Why] + [(Why.PASS_ROLE, "iam:PassRole")]
)
def test_every_reason_is_explained(finding: tuple[Why, str]) -> None:
    """In the words that stand on the card and in the files."""
    said = words.why(Finding("s3", Usage.NEVER, Verdict.KEEP, finding[0], detail=finding[1]))
    assert said in [cells[0] for cells in rows("docs/why.md", "What could go, and what stays")]


# -- risk ------------------------------------------------------------------------------------------------------------


def test_the_scale_is_the_code_s() -> None:
    """Every class and access level with its number, heaviest first."""
    told = [
        cells[:2] for cells in rows("docs/risk.md", "The scale") if cells[1].isdigit() and len(cells) == 3
    ]
    assert told == [[reach.value, str(weight)] for reach, weight in risk.BASE.items()]
    for reach, examples in ((c[0], c[2]) for c in rows("docs/risk.md", "The scale") if len(c) == 3):
        for name in code(examples):
            service, _, action = name.partition(":")
            assert PRIVILEGED[service][action] == reach


def test_every_known_escalation_is_documented() -> None:
    """What it takes, and what it could do, in the card's words."""
    told = [(code(cells[0]), cells[2]) for cells in rows("docs/risk.md", "Known escalations")][1:]
    assert told == [(set(w.names), w.escalation.could.removeprefix("could ")) for w in WAYS]


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


def readers() -> str:
    """The code that calls AWS to read with the read role: not what writes, nor what the own identity alone asks."""
    others = {"writer.py", "organizations.py", "analyzer.py"}
    paths = [p for p in sorted(ROOT.glob("advisor/edges/aws/*.py")) if p.name not in others]
    return "\n".join(path.read_text("utf-8") for path in paths)


def test_the_read_policy_is_what_the_code_names() -> None:
    """Least privilege: each permission that a call reports when it is refused, and no other."""
    named = set(re.findall(r'f?"((?:iam|cloudtrail|ec2):[A-Za-z{}]+)"', readers()))
    assert read_policy() == spread(named, "{noun}")
    assert sorted(read_policy()) == policy("docs/iam-read-policy.json")[0]["Action"], "each once, in order"


def test_the_read_policy_is_what_the_code_calls() -> None:
    """The same from the boto3 methods, because a name beside a call could be another call's."""
    text = readers()
    called = set(re.findall(r"\biam\.([a-z_]+)", text))
    called |= set(re.findall(r'getattr\((?:session\.)?iam, f"([a-z_{}]+)"\)', text))
    methods = {n for n in spread(called, "{kind}") if n.startswith(("get_", "list_", "generate_"))}
    asked = {f"iam:{camel(name)}" for name in methods}
    client = re.findall(r"\bclient\.(lookup|describe)_([a-z_]+)", read("advisor/edges/aws/trail.py"))
    of = {"lookup": "cloudtrail", "describe": "ec2"}
    assert read_policy() == asked | {f"{of[verb]}:{camel(f'{verb}_{rest}')}" for verb, rest in client}


def camel(name: str) -> str:
    """list_roles to ListRoles."""
    return "".join(w.title() for w in name.split("_"))


def test_check_tests_every_permission_of_the_read_policy() -> None:
    """`python bot.py check` promises that in docs/iam.md."""
    text = read("handlers/check.py")
    tested = set(re.findall(r'"((?:iam|cloudtrail|ec2):[A-Za-z{}.()]+)', text))
    (listing,) = re.findall(r'"iam:ListRoles, ([A-Za-z, ]+)"', text)
    tested |= {f"iam:{name}" for name in listing.split(", ")}
    (optional,) = policy("docs/iam-analyzer-policy.json")
    assert spread(tested, "{k.title()}") - set(optional["Action"]) == read_policy()


def test_the_analyzer_policy_is_what_the_code_names() -> None:
    """Optional, so in a file of its own; each has a row that says what it is for."""
    text = read("advisor/edges/aws/analyzer.py")
    (statement,) = policy("docs/iam-analyzer-policy.json")
    named = set(re.findall(r'"((?:access-analyzer|iam):[A-Za-z]+)"', text))
    assert statement["Action"] == sorted(named)
    assert named <= {w for cells in rows("docs/iam.md", "Asking Access Analyzer") for w in code(cells[0])}
    called = set(re.findall(r"\b(?:client|iam)\.([a-z_]+),", text))
    assert {w.partition(":")[2] for w in named} == {"".join(p.title() for p in c.split("_")) for c in called}


def test_the_bots_own_permissions() -> None:
    """Entering the roles by their default names, listing accounts, reports on the organisation; who one is needs none."""
    named = set(re.findall(r'"((?:sts|organizations|sqs):[A-Za-z]+)"', source("advisor/edges/aws/*.py")))
    named |= set(re.findall(r'"(iam:[A-Za-z]+)"', read("advisor/edges/aws/organizations.py")))
    enter, listing, hearing, asking = policy("docs/iam-bot-policy.json")
    assert named - {"sts:GetCallerIdentity"} == {
        enter["Action"],
        listing["Action"],
        *hearing["Action"],
        *asking["Action"],
    }
    assert asking["Action"] == sorted(set(asking["Action"])), "each once, in order"
    assert {*asking["Action"], listing["Action"], *hearing["Action"]} == set(world.OWN_ACTIONS)
    assert not [a for a in asking["Action"] if not re.match(r"[a-z]+:(Generate|Get|List|Describe)", a)]
    read_role = Config.model_fields["iam_audit_read_role"].default
    assert enter["Resource"] == [f"arn:aws:iam::*:role/{r}" for r in (read_role, world.WRITE_ROLE)]
    (trust,) = policy("docs/iam-read-trust.json")
    assert trust["Action"] == enter["Action"]


# -- AWS, the write role ---------------------------------------------------------------------------------------------

ACCOUNT = "arn:aws:iam::111111111111"
OWN = f"{ACCOUNT}:policy/team/IAMAudit-etl-t7"
THEIRS = f"{ACCOUNT}:policy/team/DBTools"
OF_A_POLICY = {
    Operation.CREATE_VERSION,
    Operation.SET_DEFAULT,
    Operation.DELETE_VERSION,
}


@dataclass(frozen=True)
class Called:
    """A call that a step makes: its permissions and the ARN that they are for."""

    permissions: tuple[str, ...]
    arn: str


def calls_of(entity: Entity) -> list[Called]:
    """Every call that the writer can make for an entity: each operation, as a plan words it."""
    found = []
    for operation in Operation:
        if entity.kind is Kind.POLICY and operation not in OF_A_POLICY:
            continue
        made = operation in {Operation.CREATE_POLICY, Operation.DELETE_POLICY}
        arn = OWN if made else entity.arn if entity.kind is Kind.POLICY else THEIRS
        tags = (("iam-audit:ticket", "7"),) if operation is Operation.CREATE_POLICY else ()
        step = Step(operation, arn.rpartition("/")[2], arn, "{}", "{}", "v1", tags=tags)
        permission, resource, parameters, _ = writer._call_of(entity, step)
        extra = ("iam:TagPolicy",) if parameters.get("Tags") else ()
        found.append(Called((permission, *extra), resource))
    return found


def entity_of(kind: Kind, name: str = "etl", path: str = "/team/") -> Entity:
    return Entity("111111111111", kind, name, f"{ACCOUNT}:{kind}{path}{name}", "AIDA1", path)


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def decided(action: str, arn: str) -> str:
    """What the write policy says to a call: Deny, Allow, or nothing. In ARNs * spans slashes, as IAM has it."""
    said = {
        s["Effect"]
        for s in policy("docs/iam-write-policy.json")
        if any(fnmatch.fnmatchcase(action, a) for a in listed(s["Action"]))
        and any(fnmatch.fnmatchcase(arn, r) for r in listed(s["Resource"]))
    }
    return "Deny" if "Deny" in said else "Allow" if said else ""


def write_policy() -> set[str]:
    allowed = [s for s in policy("docs/iam-write-policy.json") if s["Effect"] == "Allow"]
    actions = [a for s in allowed for a in s["Action"]]
    assert len(actions) == len(set(actions)), "each once"
    assert all(s["Action"] == sorted(s["Action"]) for s in allowed), "in order"
    return set(actions)


def test_the_write_policy_is_what_the_writer_calls() -> None:
    """Least privilege: every operation for every kind of entity, and nothing else; the sandbox's role has the same."""
    called = {p for kind in Kind for call in calls_of(entity_of(kind)) for p in call.permissions}
    assert write_policy() == called
    assert set(world.WRITE_ACTIONS) == called
    named = set(re.findall(r'f?"(iam:[A-Za-z{}]+)"', read("advisor/edges/aws/writer.py"))) - {"iam:PolicyARN"}
    assert spread(named, "{noun}") == called


@pytest.mark.parametrize("kind", Kind)
def test_the_write_policy_allows_every_step(kind: Kind) -> None:
    """On the ARN that the step names, the own policies of the bot by their name."""
    for call in calls_of(entity_of(kind)):
        assert {decided(p, call.arn) for p in call.permissions} == {"Allow"}, call


def test_the_write_policy_stays_in_its_account() -> None:
    """No resource but users, roles, groups and policies of the account; AWS's own policies are not writable anyway."""
    resources = [r for s in policy("docs/iam-write-policy.json") for r in listed(s["Resource"])]
    assert all(re.match(rf"{ACCOUNT}:(role|user|group|policy)/", r) for r in resources)


@pytest.mark.parametrize("action", ["iam:CreatePolicy", "iam:DeletePolicy", "iam:TagPolicy"])
def test_only_the_bots_own_policies_are_made_and_deleted(action: str) -> None:
    """A policy of somebody else cannot be deleted, whatever its path."""
    assert decided(action, OWN) == decided(action, f"{ACCOUNT}:policy/IAMAudit-etl-t7") == "Allow"
    assert decided(action, THEIRS) == decided(action, f"{ACCOUNT}:policy/DBTools") == ""


NEVER = [
    entity_of(Kind.ROLE, "iam-audit-read", "/"),
    entity_of(Kind.ROLE, "iam-audit-write", "/"),
    entity_of(Kind.ROLE, "iam-audit", "/"),
    entity_of(Kind.ROLE, "iam-audit-write", "/team/"),
    entity_of(Kind.USER, "iam-audit", "/"),
    entity_of(Kind.POLICY, "iam-audit-write", "/"),
    entity_of(Kind.ROLE, "AWSServiceRoleForRDS", "/aws-service-role/rds.amazonaws.com/"),
    entity_of(
        Kind.ROLE, "AWSReservedSSO_Admin_0123456789abcdef", "/aws-reserved/sso.amazonaws.com/eu-west-1/"
    ),
    entity_of(Kind.ROLE, "OrganizationAccountAccessRole", "/"),
    entity_of(Kind.ROLE, "AWSControlTowerExecution", "/"),
]


@pytest.mark.parametrize("entity", NEVER, ids=lambda e: e.arn.rpartition(":")[2])
def test_the_write_policy_denies_the_bot_itself_and_what_aws_owns(entity: Entity) -> None:
    """Also where the bot were wrong."""
    own = [c for c in calls_of(entity) if c.arn == entity.arn]
    assert own
    assert {decided(p, c.arn) for c in own for p in c.permissions} == {"Deny"}


def test_the_deny_covers_what_the_bot_never_plans() -> None:
    """Every glob of names that somebody else owns has an example above."""
    for word, glob in report._NEVER_CHANGED:
        assert fnmatch.filter([e.arn for e in NEVER], glob), word


def test_the_write_policy_fits_into_a_role() -> None:
    """An inline policy of a role has 10,240 characters without white space; a boundary has 6,144."""
    assert len(re.sub(r"\s", "", read("docs/iam-write-policy.json"))) < 6144


def test_the_write_trust_is_for_the_bot_alone() -> None:
    """One principal, no root of an account, and only by the names that the bot gives its sessions."""
    (trust,) = policy("docs/iam-write-trust.json")
    (reading,) = policy("docs/iam-read-trust.json")
    assert trust["Principal"] == reading["Principal"] == {"AWS": f"{ACCOUNT}:role/iam-audit"}
    assert (trust["Effect"], trust["Action"]) == ("Allow", "sts:AssumeRole")
    (glob,) = trust["Condition"]["StringLike"].values()
    given = re.findall(
        r'f?"(iam-audit-[^"]+)"', source("advisor/changes.py") + read("advisor/edges/aws/writer.py")
    )
    assert sorted(given) == ["iam-audit-check", "iam-audit-t{ticket.id}-r{entry.run}-s{entry.place}"]
    assert all(fnmatch.fnmatchcase(name, glob) for name in given)
    assert "iam-audit-t<ticket>-r<run>-s<step>" in code(read("docs/iam.md"))


def test_every_write_is_explained() -> None:
    """In docs/iam.md, each once and no other."""
    shown = [w for cells in rows("docs/iam.md", "What each write is for") for w in code(cells[0])]
    assert sorted(shown) == sorted(write_policy())


def test_nothing_that_writes_is_allowed() -> None:
    """An audit changes nothing in AWS, and could not."""
    for action in read_policy():
        assert re.match(r"iam:[GL]|cloudtrail:Lookup|ec2:Describe", action), action
    assert {a for a in read_policy() if a.startswith("iam:Generate")} == {
        "iam:GenerateCredentialReport",
        "iam:GenerateServiceLastAccessedDetails",
    }


def test_every_permission_is_explained() -> None:
    """In docs/iam.md, each once and no other."""
    shown = {w for cells in rows("docs/iam.md", "What each call is for") for w in code(cells[0])}
    *_, hearing, asking = policy("docs/iam-bot-policy.json")
    assert shown == read_policy() | {*hearing["Action"], *asking["Action"]}
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
    parts = (
        "Why an audit fails",
        "Why a question has no answer",
        "Why a ticket stops",
        "Why a sweep reads less",
        "Why a digest fails",
    )
    shown = [w for part in parts for cells in rows("docs/operations.md", part) for w in code(cells[0])]
    assert sorted(set(shown)) == sorted(error_codes())


@pytest.mark.parametrize("state", [*RequestState, *TicketState, *PostingState])
def test_every_state_is_documented(state: RequestState | TicketState | PostingState) -> None:
    """In the words that stand in the database."""
    assert str(state) in code(read("docs/operations.md").replace(" → ", "` → `"))


def test_every_exit_code_is_documented() -> None:
    """As bot.py defines them."""
    (line,) = re.findall(r"^OK, FAILED, WRONG, HELD = ([\d, ]+)$", read("bot.py"), re.MULTILINE)
    assert [cells[0] for cells in rows("docs/operations.md", "Running")][1:] == line.split(", ")


# -- tickets ---------------------------------------------------------------------------------------------------------


def test_the_diagram_is_the_table_of_transitions() -> None:
    """Every arrow, and no other; what nothing leaves leads to the end."""
    (drawn,) = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", read("docs/tickets.md"), re.DOTALL)
    lines = [line.strip() for line in drawn.strip().splitlines()]
    arrows = [m.groups() for line in lines if (m := re.fullmatch(r"(\w+) --> (\w+): (\w+)", line))]
    table = {(a.value, to.value, event.value) for (a, event), (to, _) in lifecycle.TABLE.items()}
    assert sorted(arrows) == sorted(table)
    ends = {f"{state} --> [*]" for state in lifecycle.ENDED}
    assert {line for line in lines if "[*]" in line} == {"[*] --> draft"} | ends
    assert len(lines) == len(table) + len(ends) + 1, "nothing else is drawn"


def test_every_state_of_a_ticket_is_explained() -> None:
    """Each once."""
    shown = [w for cells in rows("docs/tickets.md", "The states") for w in code(cells[0])]
    assert sorted(set(shown)) == sorted(TicketState)
    assert len(shown) == len(set(shown))


def codes_of(heading: str) -> list[str]:
    """The codes of a table of docs/tickets.md; each row says what to do."""
    found = [cells for cells in rows("docs/tickets.md", heading) if code(cells[0])]
    assert all(len(cells) == 3 and all(cells) for cells in found)
    return sorted(w for cells in found for w in code(cells[0]))


def test_everything_that_can_move_is_explained() -> None:
    """As the code names it, and as the card can say it."""
    text = source("advisor/**/*.py")
    calls = re.findall(r"\bMoved\(([^,]+),", text)
    whats = set(itertools.chain.from_iterable(re.findall(r'"([a-z]+)"', c) for c in calls))
    assert codes_of("When something moved") == sorted(whats)
    (comment,) = re.findall(r"what: str  # ([a-z |]+)$", read("advisor/core/removal.py"), re.MULTILINE)
    assert set(comment.split(" | ")) == whats


def test_everything_that_stays_is_explained() -> None:
    """Each reason, in the words of the card."""
    shown = {cells[0].strip("`"): cells[1] for cells in rows("docs/tickets.md", "When something stays")}
    assert {k: shown[k] for k in Kept} == {k: ticket_words._KEPT[k] for k in Kept}
    assert codes_of("When something stays") == sorted(Kept)


def test_every_failure_of_a_ticket_is_explained() -> None:
    """What AWS's errors, the planning, the last look (a report) and the door can write on a ticket."""
    stories = "".join(read(f"advisor/{name}.py") for name in ("tickets", "changes", "jobs"))
    written = set(re.findall(r'(?:Failure\(\s*|\bcode=)"([a-z_]+)"', stories)) | {"forbidden"}
    aws = {code_ for code_ in error_codes() if any(k.code == code_ for k in aws_errors())}
    assert codes_of("When no ticket comes of it, or one stops") == sorted(written | aws)


def aws_errors() -> list[type[errors.AwsError]]:
    found: list[type[errors.AwsError]] = [errors.AwsError]
    for kind in found:
        found += kind.__subclasses__()
    return found


def test_who_may_is_the_code_s() -> None:
    """The table's rows against `refusal`: for each verb, each thing that a person can be."""
    told = {cells[0]: cells[1] for cells in rows("docs/tickets.md", "Who may do what")}
    expected = {
        "approve, reject": (Verb.APPROVE, Verb.REJECT),
        "cancel": (Verb.CANCEL,),
        "keep": (Verb.KEEP,),
        "retry, roll back, finish a hold": (Verb.RETRY, Verb.ROLLBACK, Verb.FINISH),
        "give back what was denied": (Verb.GIVE_BACK,),
        "close a denial as not needed": (Verb.NOT_NEEDED,),
    }
    for row, verbs in expected.items():
        for verb, (word, person) in itertools.product(
            verbs,
            {
                "requester": lifecycle.Person(requester=True),
                "approver": lifecycle.Person(approver=True),
                "owner": lifecycle.Person(owner=True),
                "admin": lifecycle.Person(admin=True),
            }.items(),
        ):
            text = told[row].replace("who are not a requester of it", "")
            assert (word in text) == (not lifecycle.refusal(verb, person)), (row, word)


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
