"""An AWS account of its own for one test, its administrator, and callers in it through the gate."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.sandbox.aws import Aws

Json = dict[str, Any]

KINDS = ("role", "user", "group")
AWS_POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
_numbers = itertools.count(500_000_000_000)
_boto = boto3.session.Session()  # one, since reading botocore's models is what a client costs


def statement(*actions: str, effect: str = "Allow", resource: Any = "*", **more: Any) -> Json:
    return {"Effect": effect, "Action": list(actions), "Resource": resource, **more}


def document(*statements: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(**principal: str) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


S3 = document(statement("s3:*"))
EC2 = trust(Service="ec2.amazonaws.com")


def whose(kind: str, name: str = "x") -> dict[str, str]:
    return {f"{kind.title()}Name": name}


def refused(call: Callable[..., Any], *positional: Any, **parameters: Any) -> tuple[int, str]:
    """Status and code of the error that this call must be."""
    with pytest.raises(ClientError) as error:
        call(*positional, **parameters)
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


class Place:
    """An account."""

    def __init__(self, aws: Aws) -> None:
        self.aws, self.number = aws, str(next(_numbers))
        self.stack = ExitStack()
        self.iam = self.client({"AccessKeyId": "AKIAADMIN", "SecretAccessKey": "admin"})
        self.iam.meta.events.register("before-sign.*.*", self._administers)
        self.sts: Any = None

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def _administers(self, request: Any, **_: object) -> None:
        request.headers["x-moto-account-id"] = self.number

    def client(self, keys: dict[str, str], service: str = "iam") -> Any:
        made = _boto.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.aws.url,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}, read_timeout=9),
        )
        self.stack.callback(made.close)
        return made

    def arn(self, rest: str) -> str:
        return f"arn:aws:iam::{self.number}:{rest}"

    def state(self) -> dict[str, Any]:
        return self.aws.state(self.number)

    # -- as the administrator --

    def make(self, kind: str, name: str = "x", path: str = "/") -> str:
        more = {"AssumeRolePolicyDocument": EC2} if kind == "role" else {}
        method = getattr(self.iam, f"create_{kind}")
        return str(method(**whose(kind, name), Path=path, **more)[kind.title()]["Arn"])

    def policy(self, name: str = "m", text: str = S3, **more: Any) -> str:
        return str(self.iam.create_policy(PolicyName=name, PolicyDocument=text, **more)["Policy"]["Arn"])

    def call(self, verb: str, kind: str, noun: str = "policy", name: str = "x", **parameters: Any) -> Json:
        answer: Json = getattr(self.iam, f"{verb}_{kind}_{noun}")(**whose(kind, name), **parameters)
        return answer

    # -- through the gate --

    def caller(self, *statements: Json, service: str = "iam", name: str = "caller") -> Any:
        """A user who may do what is said, or everything."""
        text = json.loads(document(*(statements or (statement("*"),))))
        told = self.aws.identity(self.number, name, text)
        keys = {"AccessKeyId": told["AWS_ACCESS_KEY_ID"], "SecretAccessKey": told["AWS_SECRET_ACCESS_KEY"]}
        return self.client(keys, service)

    def session(
        self, *statements: Json, policy: str | None = None, name: str = "try-1", service: str = "iam"
    ) -> Any:
        """A session of the role /w/worker, which may do what is said (or what it could before)."""
        if self.sts is None:
            self.sts = self.caller(service="sts")
            self.iam.create_role(
                RoleName="worker", Path="/w/", AssumeRolePolicyDocument=trust(AWS=self.arn("user/caller"))
            )
        if statements:
            self.call("put", "role", name="worker", PolicyName="p", PolicyDocument=document(*statements))
        more = {} if policy is None else {"Policy": policy}
        answer = self.sts.assume_role(RoleArn=self.arn("role/w/worker"), RoleSessionName=name, **more)
        return self.client(answer["Credentials"], service)
