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
from advisor.core.model import RequestState, Usage, Verdict
from advisor.edges.config import Config
from handlers import access, check, commands
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
    return set(re.findall(r"`([^`]+)`", text))


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
