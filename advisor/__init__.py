"""The advisor: IAM Access Advisor audits. Knows nothing of Slack."""
