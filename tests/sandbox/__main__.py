"""`python -m tests.sandbox`: the seeded world, the real bot against it, and a page to try it in. `--script` plays the story."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.sandbox.slack import Slack

ROOT = Path(__file__).resolve().parents[2]


def knobs(aws: Aws, slack: Slack) -> list[dict[str, Any]]:
    """What the page's World drawer can change."""

    def attribute(holder: Any, name: str) -> dict[str, Any]:
        return {"get": lambda: getattr(holder, name), "set": lambda value: setattr(holder, name, value)}

    def once(method: str, **fault: Any) -> dict[str, Any]:
        return {"get": lambda: False, "set": lambda _value: slack.fail(method, **fault)}

    return [
        {"id": "throttle", "label": "AWS limits the rate", "help": "Every call is refused", "kind": "toggle", **attribute(aws.knobs, "throttle")},
        {"id": "polls", "label": "Polls a report takes", "help": "1 is quick", "kind": "number", **attribute(aws.knobs, "job_polls")},
        {"id": "page", "label": "Rows a page", "help": "Small pages", "kind": "number", **attribute(aws.knobs, "page_size")},
        {"id": "files", "label": "Files are allowed", "help": "Uploads", "kind": "toggle", **attribute(slack.state, "files_allowed")},
        {"id": "post429", "label": "Next post: 429", "help": "Slack limits the rate once", "kind": "toggle", **once("chat.postMessage", retry_after=5)},
        {"id": "postlost", "label": "Next post: answer lost", "help": "It is there, but the answer never comes", "kind": "toggle", **once("chat.postMessage", drop="after")},
        {"id": "socket", "label": "Drop the socket", "help": "The connection is reset", "kind": "toggle", "get": lambda: False, "set": lambda _value: slack.drop_socket("rst")},
    ]  # fmt: skip


class Demo:
    """World, workspace and the bot as a process of its own."""

    def __init__(self, port: int = 0) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="iam-audit-demo-")
        self.aws = Aws().start()
        self.world = story.seed(self.aws)
        self.slack = Slack()
        self.slack.knobs += knobs(self.aws, self.slack)
        self.slack.start(port)
        story.people(self.slack)
        self.bot: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SLACK_", "IAM_AUDIT_"))}
        return {
            **clean,
            **self.world.bot,
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "SLACK_API_URL": self.slack.api_url,
            "IAM_AUDIT_DB": str(Path(self.folder.name) / "demo.db"),
            "IAM_AUDIT_ACCOUNTS": story.ACCOUNTS,
            "IAM_AUDIT_APPROVERS": story.APPROVERS,
        }

    def start_bot(self) -> None:
        log = (Path(self.folder.name) / "bot.log").open("ab")
        with log:
            self.bot = subprocess.Popen(
                [sys.executable, str(ROOT / "bot.py")],
                env=self.environment(),
                stderr=log,
                cwd=self.folder.name,
            )
        self.slack.wait(lambda: self.slack.sockets, 20)

    def stop_bot(self, *, kill: bool = False) -> int:
        if self.bot is None:
            return 0
        self.bot.kill() if kill else self.bot.terminate()
        code = self.bot.wait(15)
        self.bot = None
        return code

    def log(self) -> str:
        return (Path(self.folder.name) / "bot.log").read_text()

    def close(self) -> None:
        self.stop_bot()
        self.slack.stop()
        self.aws.stop()
        self.folder.cleanup()

    def __enter__(self) -> Demo:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def main() -> int:
    if "--script" in sys.argv:
        from tests.sandbox.script import play

        return play()
    with Demo(int(os.environ.get("DEMO_PORT", "0"))) as demo:
        demo.start_bot()
        print(
            f"\n  IAM Audit sandbox: {demo.slack.url}/\n\n  Type /iam-audit role DBAdminRole account=prod. Ctrl-C ends it.\n",
            flush=True,
        )
        try:
            while demo.bot and demo.bot.poll() is None:
                time.sleep(0.3)
            print(demo.log()[-2000:], file=sys.stderr)
        except KeyboardInterrupt:
            print()
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
