"""CloudTrail's events to IAM's actions, by AWS's own names; and what leaves no event that anybody can look up. Pure.

The rule: the host of an eventSource is the IAM prefix, and the eventName the action, without the API version that some
services put behind it. The tables hold what the rule does not say. A test holds every entry against the catalogue, and
the hosts and HTTP methods against AWS's service models as botocore ships them (endpointPrefix, signingName).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from advisor.core.policy import PASSING, Catalogue, matches

_DOMAIN = ".amazonaws.com"

SOURCES: dict[str, tuple[str, ...]] = {
    # Signing names that are not the host's first word. Source: AWS's service models (botocore).
    "account-access-runtime": ("account-access",),
    "agent-registry-control": ("agent-registry",),
    "agreement-marketplace": ("aws-marketplace",),
    "appconfigdata": ("appconfig",),
    "appstream2": ("appstream",),
    "bedrock-agent": ("bedrock",),
    "bedrock-agent-runtime": ("bedrock",),
    "bedrock-agentcore-control": ("bedrock-agentcore",),
    "bedrock-data-automation": ("bedrock",),
    "bedrock-data-automation-runtime": ("bedrock",),
    "bedrock-runtime": ("bedrock",),
    "cassandra-streams": ("cassandra",),
    "cloudhsmv2": ("cloudhsm",),
    "cloudsearchdomain": ("cloudsearch",),
    "cloudwatch-omni": ("cloudwatch",),
    "contact-lens": ("connect",),
    "data-signer": ("signer",),
    "deployment-marketplace": ("aws-marketplace",),
    "discovery-marketplace": ("aws-marketplace",),
    "email": ("ses",),
    "eventsv2": ("events",),
    "forecastquery": ("forecast",),
    "iam-toolbox": ("iam",),
    "identity-chime": ("chime",),
    "ivsrealtime": ("ivs",),
    "mail-manager": ("ses",),
    "media-pipelines-chime": ("chime",),
    "meetings-chime": ("chime",),
    "memory-db": ("memorydb",),
    "messaging-chime": ("chime",),
    "migrationhub-config": ("mgh",),
    "models-v2-lex": ("lex",),
    "oidc": ("sso-oauth",),
    "partnercentral-prm": ("partnercentral",),
    "personalize-events": ("personalize",),
    "personalize-runtime": ("personalize",),
    "pinpoint": ("mobiletargeting",),
    "reporting-marketplace": ("aws-marketplace",),
    "runtime-v2-lex": ("lex",),
    "s3-control": ("s3",),
    "servicecatalog-appregistry": ("servicecatalog",),
    "voice-chime": ("chime",),
    # Prefixes that no model has. Source: Service Authorization Reference, beside each service's page "Logging … API
    # calls with AWS CloudTrail".
    "autoscaling": ("autoscaling", "application-autoscaling", "autoscaling-plans"),
    "cloudcontrolapi": ("cloudformation",),
    "lexv2": ("lex",),
    "monitoring": ("cloudwatch",),
    "mturk-requester": ("mechanicalturk",),
    "partnercentral-account": ("partnercentral",),
    "partnercentral-benefits": ("partnercentral",),
    "partnercentral-channel": ("partnercentral",),
    "partnercentral-selling": ("partnercentral",),
    "tagging": ("tag",),
}
"""The IAM prefixes that an eventSource may mean, without its domain; the first one that has the action is meant."""

_DATED = re.compile(r"(20\d\d_?[01]\d_?[0-3]\d)(v\d+)?$")
"""The API version behind a name: CreateFunction20150331, UpdateFunctionCode20150331v2, CreateDistribution2020_05_31.

Source: AWS Lambda Developer Guide and Amazon CloudFront Developer Guide, "Logging … with AWS CloudTrail".
"""

DATED = frozenset({"lambda", "cloudfront"})
"""Services whose event names bear a version: they are looked up by their source, never by a name."""

ACTIONS: dict[str, tuple[str, ...]] = {
    # Source: Amazon S3 User Guide, "Required permissions for Amazon S3 API operations".
    "s3:CreateBucketMetadataConfiguration": ("s3:CreateBucketMetadataTableConfiguration",),
    "s3:DeleteBucketAnalyticsConfiguration": ("s3:PutAnalyticsConfiguration",),
    "s3:DeleteBucketCors": ("s3:PutBucketCORS",),
    "s3:DeleteBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "s3:DeleteBucketIntelligentTieringConfiguration": ("s3:PutIntelligentTieringConfiguration",),
    "s3:DeleteBucketInventoryConfiguration": ("s3:PutInventoryConfiguration",),
    "s3:DeleteBucketLifecycle": ("s3:PutLifecycleConfiguration",),
    "s3:DeleteBucketLifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
    "s3:DeleteBucketMetadataConfiguration": ("s3:DeleteBucketMetadataTableConfiguration",),
    "s3:DeleteBucketMetricsConfiguration": ("s3:PutMetricsConfiguration",),
    "s3:DeleteBucketOwnershipControls": ("s3:PutBucketOwnershipControls",),
    "s3:DeleteBucketPublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
    "s3:DeleteBucketReplication": ("s3:PutReplicationConfiguration",),
    "s3:DeleteBucketTagging": ("s3:PutBucketTagging",),
    "s3:DeleteAccountPublicAccessBlock": ("s3:PutAccountPublicAccessBlock",),
    "s3:DeletePublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
    "s3:GetBucketAccelerateConfiguration": ("s3:GetAccelerateConfiguration",),
    "s3:GetBucketAnalyticsConfiguration": ("s3:GetAnalyticsConfiguration",),
    "s3:GetBucketEncryption": ("s3:GetEncryptionConfiguration",),
    "s3:GetBucketIntelligentTieringConfiguration": ("s3:GetIntelligentTieringConfiguration",),
    "s3:GetBucketInventoryConfiguration": ("s3:GetInventoryConfiguration",),
    "s3:GetBucketLifecycle": ("s3:GetLifecycleConfiguration",),
    "s3:GetBucketLifecycleConfiguration": ("s3:GetLifecycleConfiguration",),
    "s3:GetBucketMetadataConfiguration": ("s3:GetBucketMetadataTableConfiguration",),
    "s3:GetBucketMetricsConfiguration": ("s3:GetMetricsConfiguration",),
    "s3:GetBucketNotificationConfiguration": ("s3:GetBucketNotification",),
    "s3:GetBucketReplication": ("s3:GetReplicationConfiguration",),
    "s3:GetObjectLockConfiguration": ("s3:GetBucketObjectLockConfiguration",),
    "s3:GetPublicAccessBlock": ("s3:GetBucketPublicAccessBlock",),
    "s3:HeadBucket": ("s3:ListBucket",),
    "s3:ListBucketAnalyticsConfigurations": ("s3:GetAnalyticsConfiguration",),
    "s3:ListBucketIntelligentTieringConfigurations": ("s3:GetIntelligentTieringConfiguration",),
    "s3:ListBucketInventoryConfigurations": ("s3:GetInventoryConfiguration",),
    "s3:ListBucketMetricsConfigurations": ("s3:GetMetricsConfiguration",),
    "s3:ListBuckets": ("s3:ListAllMyBuckets",),
    "s3:ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
    "s3:PutBucketAccelerateConfiguration": ("s3:PutAccelerateConfiguration",),
    "s3:PutBucketAnalyticsConfiguration": ("s3:PutAnalyticsConfiguration",),
    "s3:PutBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "s3:PutBucketIntelligentTieringConfiguration": ("s3:PutIntelligentTieringConfiguration",),
    "s3:PutBucketInventoryConfiguration": ("s3:PutInventoryConfiguration",),
    "s3:PutBucketLifecycle": ("s3:PutLifecycleConfiguration",),
    "s3:PutBucketLifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
    "s3:PutBucketMetricsConfiguration": ("s3:PutMetricsConfiguration",),
    "s3:PutBucketNotificationConfiguration": ("s3:PutBucketNotification",),
    "s3:PutBucketReplication": ("s3:PutReplicationConfiguration",),
    "s3:PutObjectLockConfiguration": ("s3:PutBucketObjectLockConfiguration",),
    "s3:PutPublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
    # Source: AWS KMS Developer Guide, "KMS permissions".
    "kms:ReEncrypt": ("kms:ReEncryptFrom", "kms:ReEncryptTo"),
    # Source: AWS Lambda API Reference, GetLayerVersionByArn.
    "lambda:GetLayerVersionByArn": ("lambda:GetLayerVersion",),
    # Source: Amazon CloudFront API Reference, CreateDistributionWithTags.
    "cloudfront:CreateDistributionWithTags": ("cloudfront:CreateDistribution", "cloudfront:TagResource"),
    # Source: Amazon Keyspaces Developer Guide, "How Amazon Keyspaces works with IAM" and its page on CloudTrail.
    "cassandra:AlterKeyspace": ("cassandra:Alter",),
    "cassandra:AlterTable": ("cassandra:Alter",),
    "cassandra:CreateKeyspace": ("cassandra:Create",),
    "cassandra:CreateTable": ("cassandra:Create",),
    "cassandra:CreateType": ("cassandra:Create",),
    "cassandra:DeleteKeyspace": ("cassandra:Drop",),
    "cassandra:DeleteTable": ("cassandra:Drop",),
    "cassandra:DeleteType": ("cassandra:Drop",),
    "cassandra:DropKeyspace": ("cassandra:Drop",),
    "cassandra:DropTable": ("cassandra:Drop",),
    "cassandra:GetKeyspace": ("cassandra:Select",),
    "cassandra:GetTable": ("cassandra:Select",),
    "cassandra:GetTableAutoScalingSettings": ("cassandra:Select",),
    "cassandra:GetType": ("cassandra:Select",),
    "cassandra:ListKeyspaces": ("cassandra:Select",),
    "cassandra:ListTables": ("cassandra:Select",),
    "cassandra:ListTypes": ("cassandra:Select",),
    "cassandra:ListTagsForResource": ("cassandra:Select",),
    "cassandra:RestoreTable": ("cassandra:Restore",),
    "cassandra:UpdateKeyspace": ("cassandra:Alter",),
    "cassandra:UpdateTable": ("cassandra:Alter",),
    # Source: AWS Cost Management User Guide, "Using identity-based policies" (budgets).
    "budgets:CreateBudget": ("budgets:ModifyBudget",),
    "budgets:CreateNotification": ("budgets:ModifyBudget",),
    "budgets:CreateSubscriber": ("budgets:ModifyBudget",),
    "budgets:DeleteBudget": ("budgets:ModifyBudget",),
    "budgets:DeleteNotification": ("budgets:ModifyBudget",),
    "budgets:DeleteSubscriber": ("budgets:ModifyBudget",),
    "budgets:DescribeBudget": ("budgets:ViewBudget",),
    "budgets:DescribeBudgetNotificationsForAccount": ("budgets:ViewBudget",),
    "budgets:DescribeBudgetPerformanceHistory": ("budgets:ViewBudget",),
    "budgets:DescribeBudgets": ("budgets:ViewBudget",),
    "budgets:DescribeNotificationsForBudget": ("budgets:ViewBudget",),
    "budgets:DescribeSubscribersForNotification": ("budgets:ViewBudget",),
    "budgets:UpdateBudget": ("budgets:ModifyBudget",),
    "budgets:UpdateNotification": ("budgets:ModifyBudget",),
    "budgets:UpdateSubscriber": ("budgets:ModifyBudget",),
}
"""Events whose action has another name, or that need several; by prefix and eventName."""

VERBS: dict[str, tuple[str, ...]] = {
    "Create": ("POST",),
    "Delete": ("DELETE",),
    "Disable": ("DELETE",),
    "Export": ("GET",),
    "Flush": ("DELETE",),
    "Generate": ("POST",),
    "Get": ("GET",),
    "Import": ("POST", "PUT"),
    "List": ("GET",),
    "Preview": ("POST",),
    "Publish": ("POST",),
    "Put": ("PUT",),
    "Reimport": ("PUT",),
    "Reject": ("POST",),
    "Reset": ("DELETE",),
    "Tag": ("PUT", "POST"),
    "Test": ("POST",),
    "Untag": ("DELETE",),
    "Update": ("PATCH",),
}
"""The actions of apigateway are HTTP methods: the one of an event by its first word, all where it may be several.

Source: API Gateway Developer Guide, "How Amazon API Gateway works with IAM"; methods by AWS's service models.
"""

UNSEEN: dict[str, tuple[str, tuple[str, ...]]] = {
    # Source: AWS CloudTrail User Guide, "Logging data events" (event history has management events only).
    "appsync": ("GraphQL calls of AppSync", ("GraphQL",)),
    "cassandra": ("reads and writes of Keyspaces tables", ("Select*", "Modify*", "Get*")),
    "cloudwatch": ("CloudWatch metric data", ("PutMetricData", "GetMetricData", "GetMetricStatistics", "GetMetricWidgetImage", "ListMetrics")),
    "dax": ("reads and writes through DAX", ("*Item", "Query", "Scan", "ConditionCheckItem")),
    "dynamodb": ("reads and writes of DynamoDB items", ("*Item", "Query", "Scan", "PartiQL*", "GetRecords", "GetShardIterator")),
    "ec2messages": ("messages of the SSM agent", ("*",)),
    "execute-api": ("calls of APIs behind API Gateway", ("*",)),
    "kinesis": ("reads and writes of Kinesis records", ("PutRecord*", "GetRecords", "GetShardIterator", "SubscribeToShard")),
    "lambda": ("Lambda invocations", ("Invoke*",)),
    "logs": ("reads and writes of log events", ("PutLogEvents", "GetLogEvents", "FilterLogEvents", "GetLogRecord", "StartLiveTail", "Unmask")),
    "neptune-db": ("queries of Neptune databases", ("*",)),
    "rds-data": ("statements through the RDS Data API", ("*",)),
    "rds-db": ("connections to RDS databases", ("*",)),
    "s3": ("S3 object reads and writes", ("GetObject*", "PutObject*", "DeleteObject*", "RestoreObject", "AbortMultipartUpload", "ListBucket", "ListBucketVersions", "ListMultipartUploadParts", "Replicate*")),
    "s3-object-lambda": ("S3 object reads and writes", ("*",)),
    "s3express": ("S3 object reads and writes", ("CreateSession",)),
    "sagemaker": ("calls of SageMaker endpoints", ("InvokeEndpoint*", "GetRecord", "PutRecord", "DeleteRecord", "BatchGetRecord")),
    "sns": ("SNS messages", ("Publish",)),
    "sqs": ("SQS messages", ("SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility")),
    "ssmmessages": ("messages of the SSM agent", ("*",)),
    "timestream": ("reads and writes of Timestream", ("Select", "WriteRecords", "PrepareQuery", "CancelQuery")),
    "xray": ("traces sent to X-Ray", ("PutTraceSegments", "PutTelemetryRecords")),
}  # fmt: skip
"""Data events and calls that are not logged: what they are called on a card, and the patterns of their actions.

`iam:PassRole` and its kind (`policy.PASSING`) leave no event of their own either.
"""


def host(source: str) -> str:
    """ec2.amazonaws.com to ec2."""
    return source.lower().removesuffix(".cn").removesuffix(_DOMAIN)


def prefixes(source: str) -> tuple[str, ...]:
    """The IAM prefixes that an eventSource may mean."""
    name = host(source)
    return SOURCES.get(name, (name,))


def sources(prefix: str) -> tuple[str, ...]:
    """Every eventSource that may tell of a service, the usual one first."""
    found = [h for h, named in SOURCES.items() if prefix in named]
    own = () if prefix in SOURCES and prefix not in SOURCES[prefix] else (prefix,)
    return tuple(f"{h}{_DOMAIN}" for h in dict.fromkeys((*own, *sorted(found))))


def undated(name: str) -> str:
    """An eventName without the API version behind it."""
    return _DATED.sub("", name) or name


def actions(source: str, name: str, catalogue: Catalogue) -> tuple[str, ...]:
    """The IAM actions that a call needed, `service:Action`.

    One that nobody knows stands under its own name: a policy that allows the whole service allows it too.
    """
    plain = undated(name)
    for prefix in prefixes(source):
        told = ACTIONS.get(f"{prefix}:{plain}")
        if told:
            return told
        known = _known(prefix, plain, catalogue)
        if known:
            return (f"{prefix}:{known}",)
    prefix = prefixes(source)[0]
    first = re.match(r"[A-Z][a-z]+", plain)
    if prefix == "apigateway" and first and first[0] in VERBS:
        return tuple(f"apigateway:{verb}" for verb in VERBS[first[0]])
    return (f"{prefix}:{plain}",)


def _known(prefix: str, name: str, catalogue: Catalogue) -> str:
    """The catalogue's spelling of an action, or nothing."""
    known = catalogue.actions(prefix)
    if name in known:
        return name
    low = name.lower()
    return next((k for k in known if k.lower() == low), "")


def names(action: str) -> tuple[str, ...]:
    """The eventNames that a look for one action asks for; none where the service is looked up by its source.

    `action` is `service:Action`.
    """
    prefix, _, name = action.partition(":")
    if prefix in DATED or prefix == "apigateway":
        return ()
    low = action.lower()
    others = [e.partition(":")[2] for e, told in ACTIONS.items() if low in {t.lower() for t in told}]
    return tuple(dict.fromkeys((name, *sorted(others))))


def unseen(services: Iterable[str], single: Iterable[str]) -> tuple[str, ...]:
    """What of a plan no event can tell, in words: of services that go whole, and of single actions."""
    told = [UNSEEN[s][0] for s in sorted(services) if s in UNSEEN]
    told += [f"{s}:{name}" for s in sorted(services) for name in PASSING.get(s, ())]
    for action in sorted(single):
        prefix, _, name = action.partition(":")
        if hidden(action):
            told.append(action if name in PASSING.get(prefix, ()) else UNSEEN[prefix][0])
    return tuple(dict.fromkeys(told))


def hidden(action: str) -> bool:
    """Whether an action leaves no event that can be looked up."""
    prefix, _, name = action.partition(":")
    patterns = UNSEEN.get(prefix, ("", ()))[1]
    return name in PASSING.get(prefix, ()) or any(matches(p, name) for p in patterns)


def silent(service: str) -> bool:
    """Whether no call of a service can be looked up at all."""
    return UNSEEN.get(service, ("", ()))[1] == ("*",)
