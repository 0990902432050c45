"""A few of AWS's own managed policies: moto's whole set takes 140 MB."""

from __future__ import annotations

from typing import Any

from moto.iam.models import AWSManagedPolicy

_AWS_POLICIES = {
    "AdministratorAccess": ("/", ["*"]),
    "AWSDenyAll": ("/", None),
    "AmazonS3ReadOnlyAccess": ("/", ["s3:Get*", "s3:List*", "s3:Describe*"]),
    "AmazonRDSFullAccess": (
        "/",
        [
            "rds:*",
            "application-autoscaling:*",
            "cloudwatch:*",
            "ec2:Describe*",
            "sns:*",
            "logs:*",
            "outposts:*",
            "devops-guru:*",
            "pi:*",
        ],
    ),
}


def add(backend: Any, account: str) -> None:
    """Once an account."""
    if not any(isinstance(p, AWSManagedPolicy) for p in backend.managed_policies.values()):
        for name, (path, patterns) in _AWS_POLICIES.items():
            _add(backend, account, name, path, patterns)


def _add(backend: Any, account: str, name: str, path: str, patterns: list[str] | None) -> None:
    statement = {"Effect": "Allow", "Action": patterns, "Resource": "*"}
    if patterns is None:
        statement = {"Effect": "Deny", "Action": ["*"], "Resource": "*"}
    data = {
        "Arn": f"arn:aws:iam::aws:policy{path}{name}",
        "Path": path,
        "CreateDate": "2015-02-06T18:40:00+00:00",
        "DefaultVersionId": "v1",
        "UpdateDate": "2015-02-06T18:40:00+00:00",
        "Document": {"Version": "2012-10-17", "Statement": [statement]},
    }
    policy = AWSManagedPolicy.from_data(name, account, "us-east-1", data)
    backend.managed_policies[policy.arn] = policy
