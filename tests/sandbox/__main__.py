"""`python -m tests.sandbox`: the seeded world, the real bot against it, and a page to try it in. `--script` plays the story."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.sandbox import denials, organizations
from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.sandbox.knobs import knobs
from tests.sandbox.slack import Slack

ROOT = Path(__file__).resolve().parents[2]


class Demo:
    """World, workspace and the bot as a process of its own."""

    def __init__(self, port: int = 0, **settings: str) -> None:
        self.settings = settings
        self.folder = tempfile.TemporaryDirectory(prefix="iam-audit-demo-")
        self.database = Path(self.folder.name) / "demo.db"
        self.aws = Aws().start()
        self.world = story.seed(self.aws)
        units = organizations.found(self.aws, story.PROD, {story.DEV: "workloads", story.DATA: "workloads"})
        organizations.limit(self.aws, story.PROD, units["root"], "dms:*", "sagemaker:*")
        self.slack = Slack()
        self.slack.knobs += knobs(self.aws, self.slack, self.database, self.settings)
        self.slack.start(port)
        story.people(self.slack)
        self.bot: subprocess.Popen[bytes] | None = None

    def with_queue(self) -> str:
        """Denied calls go into a queue, and the bot that is started next reads it; the queue's URL."""
        url = denials.queue(self.aws, story.PROD)
        self.settings["IAM_AUDIT_DENIED_QUEUE"] = url
        return url

    def environment(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SLACK_", "IAM_AUDIT_"))}
        return {
            **clean,
            **self.world.bot,
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "SLACK_API_URL": self.slack.api_url,
            "IAM_AUDIT_DB": str(self.database),
            "IAM_AUDIT_ACCOUNTS": story.ACCOUNTS,
            "IAM_AUDIT_WRITE_ROLE": story.WRITE_ROLE,
            "IAM_AUDIT_APPROVERS": f"{story.APPROVERS},{story.BOB}",
            "IAM_AUDIT_ADMINS": story.ERIN,
            "IAM_AUDIT_REPLAY_SECONDS": "0",  # at two questions a second a script would wait for it
            "IAM_AUDIT_HOLD_DAYS": "0",  # nor for quiet days
            "IAM_AUDIT_WATCH_DAYS": "0",
            **self.settings,
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
    tried = {"IAM_AUDIT_REPLAY_SECONDS": "20", "IAM_AUDIT_HOLD_DAYS": "7", "IAM_AUDIT_WATCH_DAYS": "14"}
    with Demo(int(os.environ.get("DEMO_PORT", "0")), **tried) as demo:
        demo.aws.trail.rate = 2
        demo.with_queue()
        demo.start_bot()
        print(
            f"\n  IAM Audit sandbox: {demo.slack.url}/\n\n  Type /iam-audit role DBAdminRole account=prod, then press “Open a ticket…”.\n"
            "  alice asks, carol and bob approve, dave owns DBAdminRole, erin is the admin. Ctrl-C ends it.\n",
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
