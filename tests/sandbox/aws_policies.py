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
            add_one(backend, account, name, patterns, path)


def add_one(
    backend: Any, account: str, name: str, patterns: list[str] | None, path: str = "/", version: str = "v1"
) -> str:
    """Add a policy of AWS's, or change its text; its ARN."""
    statement = {"Effect": "Allow", "Action": patterns, "Resource": "*"}
    if patterns is None:
        statement = {"Effect": "Deny", "Action": ["*"], "Resource": "*"}
    data = {
        "Arn": f"arn:aws:iam::aws:policy{path}{name}",
        "Path": path,
        "CreateDate": "2015-02-06T18:40:00+00:00",
        "DefaultVersionId": version,
        "UpdateDate": "2015-02-06T18:40:00+00:00",
        "Document": {"Version": "2012-10-17", "Statement": [statement]},
    }
    policy = AWSManagedPolicy.from_data(name, account, "us-east-1", data)
    backend.managed_policies[policy.arn] = policy
    return str(policy.arn)
