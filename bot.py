"""IAM Audit: settings -> store, AWS, Slack, scheduler. `python bot.py` runs, `check` looks, `--version` says.

Builds and starts, nothing else: reading it is reading the architecture.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler, ServerErrorRetryHandler

from advisor.core.errors import ConfigError, Held, StoreError
from advisor.desk import Desk, Pool
from advisor.edges import config as settings
from advisor.edges import pool
from advisor.edges.aws import PACE, PATIENCE, WAIT, Aws
from advisor.edges.aws.pacer import Board
from advisor.edges.catalogue import IamCatalogue
from advisor.edges.config import Config
from advisor.edges.schedule import Beat, Clock, Lanes, now
from advisor.edges.store import Store, verify_lines
from handlers import register
from handlers.access import People
from handlers.actions import Listeners
from handlers.deliver import Deliver
from handlers.draw import Draw
from handlers.draw_home import DrawHome
from handlers.draw_sweeps import DrawSweeps
from handlers.draw_tickets import DrawTickets
from handlers.intake import Intake, housekeeping
from handlers.transport import Health, Http, Socket, Transport
from handlers.watch_work import Listening

VERSION = "1.0.0"
OK, FAILED, WRONG, HELD = 0, 1, 2, 3

log = logging.getLogger("bot")


class Ending:
    """Set by a signal. Not an Event: the handler runs in the thread that waits, which may hold the Event's own lock."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        """End."""
        self._set = True

    def is_set(self) -> bool:
        """Whether to end."""
        return self._set

    def wait(self, seconds: float = float("inf")) -> None:
        """Wait for the signal, at most so many seconds."""
        until = time.monotonic() + seconds
        while not self._set and time.monotonic() < until:
            time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class Bot:
    """The parts, put together and not yet started."""

    app: App
    desk: Desk
    intake: Intake
    deliver: Deliver
    listening: Listening

    def housekeeping(self) -> None:
        """What is done once an hour."""
        housekeeping(self.desk)


def build(
    config: Config,
    store: Store,
    *,
    team_id: str,
    bot_user_id: str,
    clock: Callable[[], datetime] = now,
    executors: Callable[[str], Executor] | None = None,
    boot: str = "",
    patience: float = PATIENCE,
    pace: float = PACE,
    elsewhere: Pool | None = None,
    wait: int = WAIT,
) -> Bot:
    """Put the parts together. Tests give a clock, executors, a name for this start and less patience with AWS."""
    token = config.slack_bot_token.get_secret_value()
    posting = WebClient(token=token, base_url=config.slack_api_url, timeout=10, retry_handlers=[])
    reading = WebClient(
        token=token,
        base_url=config.slack_api_url,
        timeout=5,
        retry_handlers=[
            RateLimitErrorRetryHandler(max_retry_count=1),
            ServerErrorRetryHandler(max_retry_count=2),
        ],
    )
    board = Board.shared(get_context("spawn"))
    aws = Aws(
        boot=boot or uuid.uuid4().hex[:12],
        named=config.named_accounts,
        organization=config.iam_audit_accounts == "organization",
        read_role=config.iam_audit_read_role or "",
        write_role=config.iam_audit_write_role or "",
        clock=clock,
        patience=patience,
        board=board,
        pace=pace,
    )
    elsewhere = elsewhere or pool.pool(config.iam_audit_dask, board)
    desk = Desk(store, aws, config, IamCatalogue(), Lanes(executors), elsewhere, clock)
    people = People(reading, config, team_id, clock)
    drawing = Draw(desk, people, DrawTickets(desk, people), DrawSweeps(desk), DrawHome(desk, people))
    deliver = Deliver(desk, people, drawing, posting)
    intake = Intake(desk, people)
    secret = config.slack_signing_secret.get_secret_value() if config.slack_signing_secret else "socket mode"
    # Listeners only write a row and answer: they run where the payload was received, and their return is the ack.
    app = App(
        client=WebClient(
            base_url=config.slack_api_url, timeout=3, retry_handlers=[]
        ),  # for forms, inside an ack
        signing_secret=secret,
        process_before_response=True,
        raise_error_for_unhandled_request=False,
        authorize=lambda: AuthorizeResult(
            enterprise_id=None, team_id=team_id, bot_user_id=bot_user_id, bot_token=token
        ),
    )
    register(app, Listeners(desk, people, drawing, deliver, intake))
    return Bot(app, desk, intake, deliver, Listening(desk, wait))


def run() -> int:
    """Run until SIGTERM or SIGINT."""
    try:
        config = settings.load()
    except ConfigError as error:
        return _complain("the settings are wrong", error.faults, WRONG)
    try:
        store = Store(config.iam_audit_db)
    except Held as error:
        return _complain(
            "not started", [f"{error}. Stop that one first, or set IAM_AUDIT_DB to another file."], HELD
        )
    except StoreError as error:
        return _complain("the database cannot be used", [str(error)], WRONG)
    ending = Ending()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    try:
        return _serve(config, store, ending)
    finally:
        store.close()


def _serve(config: Config, store: Store, ending: Ending) -> int:
    me = _who_am_i(config, ending)
    if me is None:
        return OK if ending.is_set() else WRONG
    bot = build(config, store, team_id=str(me["team_id"]), bot_user_id=str(me["user_id"]))
    beats = (Beat("tick", store.work, bot.intake.beat), Beat("deliver", store.mail, bot.deliver.beat))
    clock = Clock()
    for beat in beats:
        clock.every(config.iam_audit_poll_seconds, beat.name, beat.event.set)
    clock.every(3600, "expire", bot.housekeeping)
    ear = Beat(
        "denied", threading.Event(), bot.listening.beat
    )  # it waits for messages: not one that must keep pace
    transports = _transports(config, bot, beats)
    gc.freeze()  # what is here now stays: no collection need walk it while people wait for an acknowledgement
    for beat in beats:
        beat.start()
    if config.iam_audit_denied_queue:
        clock.every(60, ear.name, ear.event.set)
        ear.start()
    clock.start()
    threading.Thread(target=bot.housekeeping, name="listing", daemon=True).start()
    for transport in transports:
        transport.start()
    for name in [n for n in logging.root.manager.loggerDict if n.startswith("slack_bolt")]:
        logging.getLogger(name).setLevel(logging.WARNING)  # Bolt gives its loggers the root's level
    log.info("bot.ready version=%s team=%s transport=%s", VERSION, me["team_id"], transports[0].name)
    ending.wait()
    log.info("bot.stopping")
    for transport in transports:
        transport.stop()
    clock.stop()
    bot.desk.lanes.stop()
    ear.stop(timeout=0)  # it may wait for a message still; what it has not kept comes again
    for beat in beats:
        beat.stop(timeout=2)
    until = time.monotonic() + 5
    while bot.desk.lanes.busy() and time.monotonic() < until:
        time.sleep(0.05)
    log.info("bot.stopped")
    return OK


def _transports(config: Config, bot: Bot, beats: tuple[Beat, ...]) -> list[Transport]:
    """Socket Mode with an app token, else HTTP; /healthz beside it where there is a port."""
    if not config.slack_app_token:
        return [Http(bot.app, config.host, config.port or 3000, Health(beats, None))]
    socket = Socket(bot.app, config.slack_app_token.get_secret_value(), config.slack_api_url)
    if config.port is None:
        return [socket]
    return [socket, Http(None, config.host, config.port, Health(beats, socket))]


def _who_am_i(config: Config, ending: Ending) -> dict[str, Any] | None:
    """auth.test, tried until Slack answers; None where the token is refused or the bot is stopped meanwhile."""
    client = WebClient(
        token=config.slack_bot_token.get_secret_value(), base_url=config.slack_api_url, timeout=10
    )
    wait = 1.0
    while not ending.is_set():
        try:
            return dict(client.auth_test().data)  # type: ignore[arg-type]  # a dict for JSON answers
        except SlackApiError as error:
            word = str(error.response.get("error")) if hasattr(error.response, "get") else "no answer"
            if word in {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"}:
                _complain("Slack refuses the bot token", [f"SLACK_BOT_TOKEN: {word}"], WRONG)
                return None
            log.warning("slack.silent why=%s", word)
        except Exception as error:  # whatever keeps Slack from answering passes, or the operator sees it
            log.warning("slack.silent why=%s", type(error).__name__)
        ending.wait(wait)
        wait = min(wait * 2, 30.0)
    return None


def _complain(title: str, faults: list[str], code: int) -> int:
    print(f"IAM Audit: {title}:", *faults, sep="\n  ", file=sys.stderr)
    return code


class _JsonLines(logging.Formatter):
    """One JSON object a line, for machines."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _logging() -> None:
    handler = logging.StreamHandler(sys.stderr)
    if sys.stderr.isatty():
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s %(name)s %(message)s", "%H:%M:%S")
        )
    else:
        handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # Libraries speak up only where something is wrong; at DEBUG slack_sdk would log whole requests.
    for name in ("slack_bolt", "slack_sdk", "botocore", "boto3", "urllib3", "waitress"):
        logging.getLogger(name).setLevel(logging.WARNING)


def main(arguments: list[str]) -> int:
    """`bot.py`, `bot.py check`, `bot.py verify FILE [LOG]`, `bot.py --version`."""
    if arguments == ["--version"]:
        print(f"iam-audit {VERSION}")
        return OK
    _logging()
    if arguments == ["check"]:
        from handlers.check import check  # only this command needs it

        return check(print)
    match arguments:
        case []:
            return run()
        case ["verify", path, *rest] if len(rest) < 2:
            return _verify(Path(path), Path(rest[0]) if rest else None)
    usage = ("", " check", " verify FILE", " verify BUNDLE LOG", " --version")
    return _complain("usage", [f"python bot.py{u}" for u in usage], WRONG)


def _verify(path: Path, exported: Path | None) -> int:
    """Whether the evidence of a ticket is the bot's, or an exported log is whole: each row's hash covers the one before."""
    from handlers import bundle  # only this command needs it

    try:
        content = path.read_bytes()
        if bundle.is_bundle(content):
            return OK if bundle.verify(content, exported, print) else FAILED
        if exported is not None:
            return _complain("usage", ["python bot.py verify BUNDLE LOG: the first file is no bundle"], WRONG)
        count, last, broken = verify_lines(content.decode("utf-8"))
    except (OSError, ValueError) as error:
        return _complain("the file cannot be checked", [str(error)], WRONG)
    if broken is not None:
        print(f"broken at row {broken} of {count}: it does not fit the row before it")
        return FAILED
    print(f"whole: {count} rows, last hash {last or 'none'}")
    return OK


if __name__ == "__main__":
    code = main(sys.argv[1:])
    logging.shutdown()
    sys.stdout.flush()
    # A lane may still wait for an AWS call that hangs; everything it needs is committed, so it need not end.
    os._exit(code)
