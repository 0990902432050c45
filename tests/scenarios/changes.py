"""A role with everything that a plan can touch, and tickets on it that a test carries out again and again."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.sandbox import world as story
from tests.sandbox.aws import Aws
from tests.scenarios.stage import Died, Json, Points, Stage, words, worlds

NAME = "many-ways"
ROLE = f"role/{NAME}"
RDS = "arn:aws:iam::aws:policy/AmazonRDSFullAccess"


def allow(*actions: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
        }
    )


def build(aws: Aws, now: Any) -> None:
    """One inline document to edit, one to delete, an own policy of five versions, one of AWS's."""
    iam = aws.client("iam", story.PROD)
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}  # fmt: skip
    arn = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    role = next(r for r in aws.backend(story.PROD).roles.values() if r.name == NAME)
    role.create_date = now - timedelta(days=900)
    iam.put_role_policy(RoleName=NAME, PolicyName="base", PolicyDocument=allow("s3:*", "athena:*"))
    iam.put_role_policy(RoleName=NAME, PolicyName="old", PolicyDocument=allow("dax:*"))
    own = iam.create_policy(PolicyName="ManyOwn", PolicyDocument=allow("s3:*", "redshift:*"))["Policy"]["Arn"]
    for n in range(4):
        iam.create_policy_version(
            PolicyArn=own, PolicyDocument=allow("s3:*", "redshift:*", f"s3:Get{n}"), SetAsDefault=n == 3
        )
    shared = iam.create_policy(PolicyName="ManyShared", PolicyDocument=allow("s3:*", "sqs:*"))["Policy"][
        "Arn"
    ]
    for who in (NAME, "etl-nightly"):
        iam.attach_role_policy(RoleName=who, PolicyArn=shared)
    iam.attach_role_policy(RoleName=NAME, PolicyArn=own)
    iam.attach_role_policy(RoleName=NAME, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    iam.attach_role_policy(RoleName=NAME, PolicyArn=RDS)
    aws.use(story.PROD, arn, "s3", now - timedelta(days=3))
    aws.use(story.PROD, arn, "rds", now - timedelta(days=4))


def made_anew(aws: Aws, name: str, *, again: bool = True) -> None:
    """Delete a role of production with all it has, and make another of its name."""
    iam = aws.client("iam", story.PROD)
    for arn in [p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]]:
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    iam.delete_role(RoleName=name)
    if again:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))


class Rehearsal:
    """A ticket prepared once, then carried out as often as a test likes, each time in the same world."""

    def __init__(self, stage: Stage, aws: Aws, tmp_path: Path, prepare: Callable[[Stage], None]) -> None:
        self.stage, self.aws, self.tmp_path = stage, aws, tmp_path
        prepare(stage)
        self.ts = stage.card()["ts"]
        self.now = stage.now
        self.before = aws.state(story.PROD)
        self._put_back = aws.remember(story.PROD)
        self._messages = copy.deepcopy(stage.slack.state.messages)
        stage.end()
        self._template = tmp_path / "template.db"
        for suffix in ("", "-wal"):
            if Path(f"{stage.path}{suffix}").exists():
                shutil.copy(f"{stage.path}{suffix}", f"{self._template}{suffix}")
        self._runs = 0

    def again(self) -> None:
        """The world as it was when the ticket was ready."""
        self._put_back()
        self.stage.end()
        self._runs += 1
        path = self.tmp_path / f"run{self._runs}.db"
        for suffix in ("", "-wal"):
            if Path(f"{self._template}{suffix}").exists():
                shutil.copy(f"{self._template}{suffix}", f"{path}{suffix}")
        self.stage.path = path
        self.stage.now = self.now
        self.aws.jobs.clear()
        self.aws.calls.clear()
        self.aws.faults.clear()
        self.aws.hook = None
        slack = self.stage.slack
        slack.faults.clear()
        slack.state.messages.clear()
        slack.state.messages.update(copy.deepcopy(self._messages))
        slack.state.open_views.clear()

    def run(self, act: Callable[[Stage], None], points: Points | None = None) -> None:
        """Start, act, settle; where the process dies, start again and settle."""
        try:
            if points is None:
                self.stage.begin()
                act(self.stage)
            else:
                with worlds(points):
                    self.stage.begin()
                    act(self.stage)
        except Died:
            self.stage.restart()
            self.stage.settle()

    @property
    def card(self) -> Json:
        return next(c for c in self.stage.cards() if c["ts"] == self.ts)

    @property
    def state(self) -> str:
        return str(self.stage.rows("SELECT state FROM ticket ORDER BY id DESC LIMIT 1")[0]["state"])

    @property
    def after(self) -> dict[str, Any]:
        return self.aws.state(story.PROD)

    def writes(self) -> list[str]:
        """The writes that AWS took, in order."""
        verbs = ("Put", "Delete", "Attach", "Detach", "Create", "Set")
        return [c.operation for c in self.aws.calls if c.operation.startswith(verbs) and c.status == 200]

    def said(self) -> str:
        return words(self.card)


def only(*policies: str, hold: bool = False) -> Callable[[Stage], None]:
    """A ticket on the role of many ways that touches these policies: of all that is offered, what names them."""

    def prepare(stage: Stage) -> None:
        build(stage.aws, stage.now)
        assert stage.say(f"role {NAME}").ok
        view = stage.open_form()
        chosen: dict[str, Json] = {"reason": {"value": "clean-up"}}
        for block in view["blocks"]:
            for option in block.get("element", {}).get("options", []):
                if block["block_id"] == "hold":
                    if option["value"] == ("hold" if hold else "now"):
                        chosen["hold"] = {"selected_option": option}
                    continue
                words_of = f"{block['label']['text']} {option['text']['text']}"
                picked = chosen.setdefault(block["block_id"], {"selected_options": []})
                if any(p in words_of for p in policies):
                    picked["selected_options"].append(option)
        reply = stage.slack.submit(story.ALICE, chosen)
        assert reply.ok and not reply.body, reply.body
        stage.settle()

    prepare.__name__ = "+".join(policies)
    return prepare


inline = only("base", "old")
version = only("ManyOwn")
replacement = only("AmazonRDSFullAccess")
everything = only("base", "old", "ManyOwn", "AmazonRDSFullAccess")


held_inline = only("base", "old", hold=True)
held = only("base", "old", "ManyOwn", "AmazonRDSFullAccess", hold=True)


def quarantine(stage: Stage) -> None:
    """A ticket that denies everything."""
    assert stage.say("role TestRole-DeleteLater").ok
    view = stage.open_form()
    scope = next(b for b in view["blocks"] if b.get("block_id") == "scope")["element"]["options"][1]
    reply = stage.send_form(reason={"value": "left over"}, scope={"selected_option": scope})
    assert reply.ok and not reply.body, reply.body


def approve(stage: Stage) -> None:
    """Carol says yes."""
    stage.press("ticket.approve", user=story.CAROL)


def roll_back(stage: Stage) -> None:
    """Bob wants it back."""
    stage.open_form("ticket.rollback", user=story.BOB)
    stage.send_form(user=story.BOB)
