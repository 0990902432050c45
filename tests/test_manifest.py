"""The app manifest: what Slack's own schema takes, and nothing that this release does not use."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from handlers import COMMAND, VIEWS
from handlers.check import NEEDED, OPTIONAL
from handlers.commands import KINDS, LONE, OTHERS

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "tests/schemas/manifest.schema.1.0.0.json").read_text("utf-8"))
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yaml").read_text("utf-8"))

CHECKER = jsonschema.Draft7Validator(SCHEMA)


def faults(manifest: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in CHECKER.iter_errors(manifest)]


def test_slacks_schema_takes_it() -> None:
    """The file can be pasted at api.slack.com/apps as it is."""
    CHECKER.check_schema(SCHEMA)
    assert faults(MANIFEST) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda m: m["settings"].update(socket_mode_enable=True),
        lambda m: m["display_information"].update(name="x" * 36),
        lambda m: m["features"]["slash_commands"][0].update(command="iam-audit"),
        lambda m: m["features"]["slash_commands"][0].pop("description"),
        lambda m: m["features"]["shortcuts"][0].update(type="everywhere"),
    ],
    ids=["a misspelt setting", "a name too long", "a command without /", "no description", "a wrong kind"],
)
def test_the_schema_sees_a_fault(spoil: Callable[[dict[str, Any]], object]) -> None:
    """The test above would pass with a schema that takes everything."""
    spoilt = copy.deepcopy(MANIFEST)
    spoil(spoilt)
    assert faults(spoilt)


def test_the_scopes_are_those_that_check_asks_for() -> None:
    """As few as can be: needed ones must be granted, the others may be refused one by one."""
    scopes = MANIFEST["oauth_config"]["scopes"]
    assert sorted(scopes["bot"]) == sorted(NEEDED)
    assert sorted(scopes["bot_optional"]) == sorted(OPTIONAL)
    assert set(scopes) == {"bot", "bot_optional"}, "the app acts for nobody else"


def test_one_command_and_one_shortcut() -> None:
    """As the table of handlers has them; Slack leaves the text as it was typed."""
    (command,) = MANIFEST["features"]["slash_commands"]
    (shortcut,) = MANIFEST["features"]["shortcuts"]
    assert command["command"] == COMMAND
    assert command["should_escape"] is False
    assert (shortcut["type"], shortcut["callback_id"]) == ("global", VIEWS[0])


def test_the_hint_is_the_grammar() -> None:
    """What Slack shows beside the command are words that the command knows."""
    hint = MANIFEST["features"]["slash_commands"][0]["usage_hint"]
    words = [part.split()[0] for part in hint.split(" | ")]
    assert [w for w in words if w not in {*KINDS, *LONE, *OTHERS, "ARN"}] == []
    assert {w for w in words if w.islower()} >= set(KINDS)


def test_it_listens_to_nothing_else() -> None:
    """Socket Mode with buttons and forms; that a home is looked at is the only event; no addresses to call."""
    settings, home = MANIFEST["settings"], MANIFEST["features"]["app_home"]
    assert settings["socket_mode_enabled"]
    assert settings["interactivity"] == {"is_enabled": True}
    assert settings["event_subscriptions"] == {"bot_events": ["app_home_opened"]}
    assert home["home_tab_enabled"], "without it views.publish answers not_enabled"
    assert home["messages_tab_enabled"], "results come by direct message where a channel cannot take them"
    assert not home["messages_tab_read_only_enabled"], "commands can be typed there"
    assert "redirect_urls" not in MANIFEST["oauth_config"]


def test_texts_fit() -> None:
    """Limits that the schema leaves out, and no text is cut by Slack (the manifest reference says which)."""
    (shortcut,) = MANIFEST["features"]["shortcuts"]
    assert len(shortcut["name"]) <= 24
    assert len(MANIFEST["display_information"]["description"]) <= 140
    assert len(MANIFEST["features"]["bot_user"]["display_name"]) <= 80
