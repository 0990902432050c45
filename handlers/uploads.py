"""Files that may be larger than what memory should hold: Slack's three steps, the body streamed from disk.

Source: docs.slack.dev, "Working with files": files.getUploadURLExternal, a POST of the bytes, files.completeUploadExternal.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from slack_sdk import WebClient

PATIENCE = 120.0
"""Seconds that one step of an upload may take without a byte."""


class NotTaken(Exception):
    """Slack's file store did not take the bytes: `status` is its HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"http {status}")
        self.status = status


def send(client: WebClient, channel: str, thread_ts: str, files: Sequence[tuple[Path, str]]) -> None:
    """Upload files with their titles to a thread, as one message. Raises whatever the SDK raises, or NotTaken."""
    done: list[dict[str, str | None]] = []
    for path, title in files:
        step = client.files_getUploadURLExternal(filename=path.name, length=path.stat().st_size)
        _post(str(step["upload_url"]), path)
        done.append({"id": str(step["file_id"]), "title": title})
    client.files_completeUploadExternal(files=done, channel_id=channel, thread_ts=thread_ts)


def _post(url: str, path: Path) -> None:
    if not url.startswith(("https://", "http://")):
        raise NotTaken(0)
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)}
    with path.open("rb") as body:
        request = Request(url, data=body, headers=headers, method="POST")  # noqa: S310  # looked at two lines above
        try:
            with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310  # same
                answer.read()
        except HTTPError as error:
            raise NotTaken(error.code) from error
