"""Every test starts with a clean environment in a folder of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No time limit a case: two shared cores can be slow. A failure prints the text that made it.
settings.register_profile("project", deadline=None, max_examples=100, database=None)
settings.load_profile("project")

_OURS = ("AWS_", "SLACK_", "IAM_AUDIT_")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine, and no .env file, reaches a test."""
    for name in [*os.environ]:
        if name.upper().startswith(_OURS) or name.upper() in {"HOST", "PORT"}:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
