"""Known ways from few permissions to many, and which of them a change of documents closes. Pure.

Sources: the same as of `advisor.core.privileged`, above all Rhino Security Labs' "AWS IAM Privilege Escalation: Methods
and Mitigation" and pathfinding.cloud; what each action does is by the Service Authorization Reference. The words are ours.

Careful on both sides, as a card names what it finds: a way is open only where the documents allow its actions for
certain, and closed only where nothing at all allows one of them any more. What that leaves out is in docs/risk.md.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from advisor.core.lists import Lists, View
from advisor.core.policy import Statement, statements


@dataclass(frozen=True, slots=True)
class Escalation:
    """A known way: the actions that it takes, and what somebody who may do them could do."""

    actions: tuple[str, ...]
    could: str

    @property
    def name(self) -> str:
        """iam:PassRole + lambda:CreateFunction"""
        return " + ".join(self.actions)


class On(StrEnum):
    """What the Resource has to leave open for a way to be one."""

    SOME = "some"  # whatever it names: the words say so
    OWN = "own"  # the entity itself, its policies or groups; or everything
    EVERY = "every"  # everything: on named resources it may be harmless


@dataclass(frozen=True, slots=True)
class Way:
    """A row of the table. Beside all its actions, it takes one of `then`, where there are any."""

    escalation: Escalation
    on: On = On.SOME
    then: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every action that the row speaks of."""
        return (*self.escalation.actions, *self.then)

    def takes_from(self, services: Collection[str]) -> bool:
        """Whether a role that may be passed to these services only may be passed to the one of this way."""
        service = self.escalation.actions[-1].partition(":")[0]
        return f"{_PRINCIPALS.get(service, service)}.amazonaws.com" in services


_ROLE = "iam:PassRole"

_PRINCIPALS = {"ecs": "ecs-tasks", "batch": "ecs-tasks", "apprunner": "tasks.apprunner"}
"""Services whose principal, to which a role is passed, is not named like their actions.

Source: IAM User Guide, "AWS services that work with IAM", and the developer guides of these three.
"""

_PASSED = "could run code as any role it may pass"
_ACTED = "could act as any role it may pass"
_TO_ROLE, _TO_USER, _TO_GROUP = (f"could give a {kind} any permission" for kind in ("role", "user", "group"))


def _way(actions: str, could: str, on: On = On.SOME, then: str = "") -> Way:
    return Way(Escalation(tuple(actions.split()), could), on, tuple(then.split()))


WAYS = (
    _way("iam:CreatePolicyVersion", "could write any permission into a policy", On.OWN),
    _way("iam:SetDefaultPolicyVersion", "could bring back an older, broader version of a policy", On.OWN),
    _way("iam:AttachRolePolicy", _TO_ROLE, On.OWN),
    _way("iam:AttachUserPolicy", _TO_USER, On.OWN),
    _way("iam:AttachGroupPolicy", _TO_GROUP, On.OWN),
    _way("iam:PutRolePolicy", _TO_ROLE, On.OWN),
    _way("iam:PutUserPolicy", _TO_USER, On.OWN),
    _way("iam:PutGroupPolicy", _TO_GROUP, On.OWN),
    _way("iam:AddUserToGroup", "could put a user into any group", On.EVERY),
    _way("iam:CreateAccessKey", "could make itself keys of any user", On.EVERY),
    _way("iam:CreateLoginProfile", "could set a console password for any user without one", On.EVERY),
    _way("iam:UpdateLoginProfile", "could change the console password of any user", On.EVERY),
    _way("iam:UpdateAssumeRolePolicy", "could let itself into any role", On.EVERY),
    _way("sts:AssumeRole", "could become any role that lets it in", On.EVERY),
    _way("sso:PutInlinePolicyToPermissionSet", "could widen any permission set", On.EVERY),
    _way("sso:AttachManagedPolicyToPermissionSet", "could widen any permission set", On.EVERY),
    _way("sso:CreateAccountAssignment", "could assign any permission set to anybody", On.EVERY),
    _way(
        "iam:PassRole lambda:CreateFunction",
        _PASSED,
        then="lambda:InvokeFunction lambda:CreateEventSourceMapping lambda:AddPermission lambda:CreateFunctionUrlConfig",
    ),
    _way("iam:PassRole ec2:RunInstances", _PASSED),
    _way("iam:PassRole ec2:RequestSpotInstances", _PASSED),
    _way(
        "iam:PassRole ecs:RegisterTaskDefinition",
        _PASSED,
        then="ecs:RunTask ecs:StartTask ecs:CreateService ecs:UpdateService",
    ),
    _way("iam:PassRole glue:CreateDevEndpoint", _PASSED),
    _way("iam:PassRole glue:CreateJob", _PASSED, then="glue:StartJobRun glue:CreateTrigger"),
    _way("iam:PassRole glue:UpdateJob", _PASSED, then="glue:StartJobRun glue:CreateTrigger"),
    _way("iam:PassRole glue:CreateSession glue:RunStatement", _PASSED),
    _way("iam:PassRole cloudformation:CreateStack", _ACTED),
    _way("iam:PassRole cloudformation:CreateStackSet cloudformation:CreateStackInstances", _ACTED),
    _way(
        "iam:PassRole codebuild:CreateProject", _PASSED, then="codebuild:StartBuild codebuild:StartBuildBatch"
    ),
    _way(
        "iam:PassRole sagemaker:CreateNotebookInstance",
        _PASSED,
        then="sagemaker:CreatePresignedNotebookInstanceUrl sagemaker:CreateNotebookInstanceLifecycleConfig",
    ),
    _way("iam:PassRole sagemaker:CreateTrainingJob", _PASSED),
    _way("iam:PassRole sagemaker:CreateProcessingJob", _PASSED),
    _way(
        "iam:PassRole datapipeline:CreatePipeline datapipeline:PutPipelineDefinition datapipeline:ActivatePipeline",
        _PASSED,
    ),
    _way("iam:PassRole states:CreateStateMachine", _ACTED, then="states:StartExecution"),
    _way("iam:PassRole scheduler:CreateSchedule", _ACTED),
    _way("iam:PassRole ssm:StartAutomationExecution", _ACTED),
    _way("iam:PassRole apprunner:CreateService", _PASSED),
    _way("iam:PassRole batch:RegisterJobDefinition batch:SubmitJob", _PASSED),
    _way("iam:PassRole elasticmapreduce:RunJobFlow", _PASSED),
    _way("iam:PassRole emr-serverless:StartJobRun", _PASSED),
    _way(
        "iam:PassRole bedrock-agentcore:CreateCodeInterpreter bedrock-agentcore:StartCodeInterpreterSession "
        "bedrock-agentcore:InvokeCodeInterpreter",
        _PASSED,
    ),
    _way("lambda:UpdateFunctionCode", "could run code as the role of any function it may change"),
    _way("glue:UpdateDevEndpoint", "could run code as the role of an endpoint it may change"),
    _way("ssm:SendCommand", "could run commands on instances, as their roles"),
    _way("ssm:StartSession", "could open a shell on instances, as their roles"),
    _way("ec2-instance-connect:SendSSHPublicKey", "could log in to instances and act as their roles"),
    _way("ecs:ExecuteCommand", "could run commands in tasks, as their roles"),
    _way(
        "ec2:ModifyInstanceAttribute ec2:StopInstances ec2:StartInstances",
        "could run code on instances, as their roles",
    ),
)
"""Known ways, worst first. A test holds every action against the catalogue."""


def closes(before: Iterable[str], after: Iterable[str], own: Collection[str] = ()) -> tuple[Escalation, ...]:
    """The ways that the documents `before` leave open and those `after` do not, in the table's order.

    The texts are all that an entity has, through groups too; `own` are the ARNs of the entity, of the policies that
    it has and of its groups. Raises ValueError where a text is no JSON object.
    """
    had, has = _Documents(before), _Documents(after)
    return tuple(w.escalation for w in WAYS if _open(w, had, own) and _closed(w, has))


class _Documents:
    """The statements of several documents by the action that they speak of."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._read = [(s, Lists(s)) for text in texts for s in statements(text)]
        self._of: dict[str, list[tuple[Statement, View]]] = {}

    def of(self, action: str) -> list[Statement]:
        """Every statement that speaks of `service:Action`, whatever its effect."""
        service = action.partition(":")[0]
        if service not in self._of:
            self._of[service] = [(s, v) for s, lists in self._read if (v := lists.view(service))]
        return [s for s, view in self._of[service] if view.covers(action.lower())]


def _open(way: Way, had: _Documents, own: Collection[str]) -> bool:
    """Whether nothing these documents say could be in the way."""

    def certain(action: str) -> bool:
        """Allowed without a condition where it matters, and no Deny speaks of it, however narrow."""
        said = had.of(action)
        free = [s for s in said if not s.conditional or (action == _ROLE and way.takes_from(s.passed_to))]
        return all(s.allow for s in said) and any(_on(s, way.on, own) for s in free)

    return all(map(certain, way.escalation.actions)) and (not way.then or any(map(certain, way.then)))


def _on(statement: Statement, on: On, own: Collection[str]) -> bool:
    if not statement.resources:  # NotResource: what is left is not known here
        return False
    if on is On.SOME or "*" in statement.resources:
        return True
    return on is On.OWN and any(_covers(r, arn) for r in statement.resources for arn in own)


def _covers(pattern: str, arn: str) -> bool:
    """Whether a Resource covers an ARN: `*` and `?` are wildcards, everything else counts with its case."""
    body = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(body, arn, re.DOTALL) is not None


def _closed(way: Way, has: _Documents) -> bool:
    """Whether one action that it takes is not allowed at all any more, under whatever condition on whatever resource."""
    left = {a for a in way.names if any(s.allow for s in has.of(a))}
    nothing_runs_it = bool(way.then) and left.isdisjoint(way.then)
    return nothing_runs_it or not left.issuperset(way.escalation.actions)
