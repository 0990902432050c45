"""Actions that can do far more than their access level says, by what they can do. A table and its reading; no behaviour.

AWS's access levels alone do not say it: `iam:PassRole` and `ec2:CreateTags` are both Write, `secretsmanager:GetSecretValue`
and `cloudwatch:GetMetricData` both Read. Sources, judged action by action and put in our words:

- Service Authorization Reference: what each action does, its access level and its dependent actions.
- IAM User Guide, "Granting a user permissions to pass a role to an AWS service" and "Permissions boundaries for IAM
  entities"; AWS KMS Developer Guide, "Grants in AWS KMS" and "Key policies"; AWS Organizations User Guide, "Service
  control policies"; Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage".
- Rhino Security Labs, "AWS IAM Privilege Escalation: Methods and Mitigation"
  (https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/).
- Bishop Fox, "Privilege Escalation in AWS" (https://labs.bishopfox.com/tech-blog/privilege-escalation-in-aws).
- pathfinding.cloud, the collected escalation paths (https://pathfinding.cloud).

Plain data reads and writes (`s3:GetObject`, `dynamodb:Query`) are left out on purpose: almost everything has one, and a
list of everything ranks nothing. A test holds every name here against the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Reach(StrEnum):
    """What a permission could do: the classes of this table, then AWS's access levels, from the worst down."""

    ESCALATION = "privilege escalation"
    SECRETS = "secrets"
    ADMINISTRATION = "IAM and Organizations"
    KEYS = "KMS keys"
    CODE = "code execution"
    EXPOSURE = "exposure of data"
    PERMISSIONS = "Permissions management"
    WRITE = "Write"
    TAGGING = "Tagging"
    READ = "Read"
    LIST = "List"


_ESCALATION = {
    "iam": (
        "AddUserToGroup AttachGroupPolicy AttachRolePolicy AttachUserPolicy CreateAccessKey CreateLoginProfile "
        "CreatePolicyVersion CreateServiceSpecificCredential DeleteRolePermissionsBoundary "
        "DeleteUserPermissionsBoundary PassRole PutGroupPolicy PutRolePermissionsBoundary PutRolePolicy "
        "PutUserPermissionsBoundary PutUserPolicy ResetServiceSpecificCredential SetDefaultPolicyVersion "
        "UpdateAssumeRolePolicy UpdateLoginProfile UploadSigningCertificate"
    ),
    "sts": "AssumeRole AssumeRoot",
    "sso": (
        "AttachCustomerManagedPolicyReferenceToPermissionSet AttachManagedPolicyToPermissionSet "
        "CreateAccountAssignment DeletePermissionsBoundaryFromPermissionSet PutInlinePolicyToPermissionSet"
    ),
    "identitystore": "CreateGroupMembership",
    "sso-directory": "AddMemberToGroup UpdatePassword",
    "rolesanywhere": "CreateProfile CreateTrustAnchor UpdateProfile",
}

_SECRETS = {
    "secretsmanager": "BatchGetSecretValue GetSecretValue PutResourcePolicy",
    "ssm": "GetParameter GetParameterHistory GetParameters GetParametersByPath",
    "redshift": "GetClusterCredentials GetClusterCredentialsWithIAM",
    "redshift-serverless": "GetCredentials",
    "rds-db": "connect",
    "dsql": "DbConnectAdmin",
    "ec2": "GetPasswordData",
    "lightsail": "DownloadDefaultKeyPair GetInstanceAccessDetails GetRelationalDatabaseMasterUserPassword",
    "codeartifact": "GetAuthorizationToken",
    "cognito-identity": "GetOpenIdTokenForDeveloperIdentity",
    "cognito-idp": "AdminSetUserPassword",
    "glue": "GetConnection GetConnections",
}

_ADMINISTRATION = {
    "iam": (
        "AddClientIDToOpenIDConnectProvider AddRoleToInstanceProfile CreateOpenIDConnectProvider CreatePolicy CreateRole "
        "CreateSAMLProvider CreateUser DeactivateMFADevice DeleteRole DeleteRolePolicy DeleteUser DetachRolePolicy "
        "UpdateOpenIDConnectProviderThumbprint UpdateSAMLProvider UploadSSHPublicKey"
    ),
    "organizations": (
        "AttachPolicy CloseAccount CreateAccount CreatePolicy DeleteOrganization DeletePolicy DetachPolicy "
        "DisablePolicyType EnableAWSServiceAccess InviteAccountToOrganization LeaveOrganization MoveAccount "
        "PutResourcePolicy RegisterDelegatedAdministrator RemoveAccountFromOrganization UpdatePolicy"
    ),
    "account": "EnableRegion PutAlternateContact StartPrimaryEmailUpdate",
    "sso": "CreatePermissionSet ProvisionPermissionSet UpdatePermissionSet",
    "identitystore": "CreateUser",
    "cognito-identity": "SetIdentityPoolRoles",
    "lakeformation": "GrantPermissions PutDataLakeSettings",
}

_KEYS = {
    "kms": "CreateGrant Decrypt DeleteImportedKeyMaterial DisableKey PutKeyPolicy ReEncryptFrom ScheduleKeyDeletion",
    "acm-pca": "IssueCertificate PutPolicy",
}

_CODE = {
    "lambda": "CreateEventSourceMapping CreateFunction UpdateFunctionCode UpdateFunctionConfiguration",
    "ec2": (
        "AssociateIamInstanceProfile CreateFleet CreateLaunchTemplate CreateLaunchTemplateVersion "
        "ModifyInstanceAttribute ReplaceIamInstanceProfileAssociation RequestSpotFleet RequestSpotInstances RunInstances"
    ),
    "ec2-instance-connect": "SendSSHPublicKey SendSerialConsoleSSHPublicKey",
    "ssm": "CreateAssociation ResumeSession SendCommand StartAutomationExecution StartSession UpdateDocument",
    "ecs": "CreateService ExecuteCommand RegisterTaskDefinition RunTask StartTask UpdateService",
    "eks": "AccessKubernetesApi AssociateAccessPolicy CreateAccessEntry",
    "glue": "CreateDevEndpoint CreateJob CreateSession CreateTrigger RunStatement StartJobRun UpdateDevEndpoint UpdateJob",
    "cloudformation": (
        "CreateChangeSet CreateStack CreateStackInstances CreateStackSet ExecuteChangeSet UpdateStack UpdateStackSet"
    ),
    "codebuild": "CreateProject StartBuild StartBuildBatch UpdateProject",
    "codedeploy": "CreateDeployment",
    "sagemaker": (
        "CreateNotebookInstance CreateNotebookInstanceLifecycleConfig CreatePresignedDomainUrl "
        "CreatePresignedNotebookInstanceUrl CreateProcessingJob CreateTrainingJob UpdateNotebookInstance"
    ),
    "datapipeline": "ActivatePipeline CreatePipeline PutPipelineDefinition",
    "states": "CreateStateMachine StartExecution UpdateStateMachine",
    "apprunner": "CreateService UpdateService",
    "batch": "RegisterJobDefinition SubmitJob",
    "elasticmapreduce": "AddJobFlowSteps RunJobFlow",
    "emr-serverless": "StartJobRun",
    "bedrock-agentcore": "CreateCodeInterpreter InvokeCodeInterpreter StartCodeInterpreterSession",
    "imagebuilder": "CreateComponent CreateImage CreateInfrastructureConfiguration",
    "scheduler": "CreateSchedule UpdateSchedule",
    "events": "PutRule PutTargets",
    "autoscaling": "CreateAutoScalingGroup CreateLaunchConfiguration UpdateAutoScalingGroup",
    "cloud9": "CreateEnvironmentEC2 CreateEnvironmentMembership",
    "gamelift": "CreateFleet",
    "amplify": "CreateApp UpdateApp",
    "braket": "CreateJob",
    "kinesisanalytics": "CreateApplication",
}

_EXPOSURE = {
    "s3": (
        "DeleteBucketPolicy PutAccessPointPolicy PutAccountPublicAccessBlock PutBucketAcl PutBucketPolicy "
        "PutBucketPublicAccessBlock PutObjectAcl PutObjectVersionAcl PutReplicationConfiguration"
    ),
    "s3express": "PutBucketPolicy",
    "s3tables": "PutTableBucketPolicy",
    "ec2": "AuthorizeSecurityGroupIngress ModifyImageAttribute ModifySnapshotAttribute",
    "rds": "ModifyDBClusterSnapshotAttribute ModifyDBSnapshotAttribute",
    "redshift": "AuthorizeSnapshotAccess PutResourcePolicy",
    "lambda": "AddLayerVersionPermission AddPermission CreateFunctionUrlConfig UpdateFunctionUrlConfig",
    "ssm": "ModifyDocumentPermission",
    "ecr": "PutRegistryPolicy SetRepositoryPolicy",
    "ecr-public": "SetRepositoryPolicy",
    "sns": "AddPermission SetTopicAttributes",
    "sqs": "AddPermission SetQueueAttributes",
    "glacier": "SetVaultAccessPolicy",
    "elasticfilesystem": "PutFileSystemPolicy",
    "backup": "PutBackupVaultAccessPolicy",
    "es": "UpdateDomainConfig UpdateElasticsearchDomainConfig",
    "ram": "AssociateResourceShare CreateResourceShare",
    "logs": "PutDestinationPolicy PutResourcePolicy",
    "events": "PutPermission",
    "glue": "PutResourcePolicy",
    "codebuild": "PutResourcePolicy",
    "codeartifact": "PutDomainPermissionsPolicy PutRepositoryPermissionsPolicy",
    "dynamodb": "PutResourcePolicy",
    "kinesis": "PutResourcePolicy",
    "kafka": "PutClusterPolicy",
    "apigateway": "UpdateRestApiPolicy",
    "lightsail": "PutInstancePublicPorts",
    "mediastore": "PutContainerPolicy",
}


def _by_service() -> Mapping[str, Mapping[str, Reach]]:
    classes = (
        (Reach.ESCALATION, _ESCALATION),
        (Reach.SECRETS, _SECRETS),
        (Reach.ADMINISTRATION, _ADMINISTRATION),
        (Reach.KEYS, _KEYS),
        (Reach.CODE, _CODE),
        (Reach.EXPOSURE, _EXPOSURE),
    )
    found: dict[str, dict[str, Reach]] = {}
    for reach, services in classes:
        for service, names in services.items():
            found.setdefault(service, {}).update(dict.fromkeys(names.split(), reach))
    return MappingProxyType({s: MappingProxyType(names) for s, names in found.items()})


PRIVILEGED: Mapping[str, Mapping[str, Reach]] = _by_service()
"""Privileged actions by service prefix and name, each with its class. An action is in one class only."""
