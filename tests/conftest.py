"""No test sees the developer's settings, credentials or folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import settings

from tests.sandbox import trail
from tests.sandbox import world as story
from tests.sandbox.aws import Aws, Knobs
from tests.sandbox.browser import Browser, available
from tests.sandbox.slack import Slack
from tests.scenarios.stage import Stage

# Shared machines are slow at times, and a failure must come back by its own words, not from a file.
settings.register_profile("project", deadline=None, database=None)
settings.load_profile("project")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """On CI the browser is installed: there a missing one is a failure, never a skip."""
    if item.get_closest_marker("browser") and not available() and not os.environ.get("CI"):
        pytest.skip("chromium and chromedriver are not installed")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "SLACK_", "IAM_AUDIT_")) or name in {"PORT", "HOST"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _models_read_once() -> Iterator[None]:
    """botocore reads megabytes of JSON for every session; a sweep starts the product hundreds of times."""
    original = JSONFileLoader.load_file
    kept: dict[str, Any] = {}

    def load(self: JSONFileLoader, file_path: str) -> Any:
        if file_path not in kept:
            kept[file_path] = original(self, file_path)
        return kept[file_path]

    JSONFileLoader.load_file = load  # type: ignore[method-assign]
    yield
    JSONFileLoader.load_file = original  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def running() -> Iterator[Aws]:
    """One AWS for a whole run."""
    with Aws() as aws:
        yield aws


@pytest.fixture
def seeded(running: Aws, worlds: list[story.World]) -> tuple[Aws, story.World]:
    """The story in it, told again where another sandbox was here meanwhile; tests put back what they change."""
    if not worlds or not running.is_newest():
        running.begin_anew()
        worlds[:] = [story.seed(running)]
    return running, worlds[0]


@pytest.fixture(scope="session")
def worlds() -> list[story.World]:
    return []


@pytest.fixture
def aws(seeded: tuple[Aws, story.World]) -> Iterator[Aws]:
    aws = seeded[0]
    aws.knobs = Knobs()
    aws.calls.clear()
    aws.faults.clear()
    aws.jobs.clear()
    aws.analyzer_faults.clear()
    aws.hook = None
    aws.trail = trail.Trail()
    yield aws
    aws.knobs = Knobs()
    aws.hook = None
    aws.faults.clear()


@pytest.fixture
def writing(aws: Aws, stage: Stage) -> Iterator[Stage]:
    """The product with a write role and approvers; afterwards every account is as it was."""
    put_back, uses = aws.remember(story.PROD, story.DEV), list(aws.uses)
    stage.restart(
        iam_audit_write_role=story.WRITE_ROLE,
        iam_audit_approvers=f"{story.APPROVERS},{story.BOB}",
        iam_audit_admins=story.ERIN,
    )
    yield stage
    put_back()
    aws.uses[:] = uses


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack() as slack:
        story.people(slack)
        yield slack


@pytest.fixture
def stage(
    aws: Aws, seeded: tuple[Aws, story.World], slack: Slack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    """The product, put together and driven a beat at a time."""
    for name, value in seeded[1].bot.items():
        monkeypatch.setenv(name, value)
    stage = Stage(aws, seeded[1], slack, tmp_path / "bot.db")
    stage.begin()
    yield stage
    stage.end()
    assert not slack.state.problems, slack.state.problems


@pytest.fixture(scope="module")
def chromium(ws: Slack) -> Iterator[Browser]:
    """One for all tests of a module; it needs the module's workspace so as to be gone before it."""
    with closing(Browser()) as chromium:
        yield chromium
