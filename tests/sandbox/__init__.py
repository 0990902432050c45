"""A small world at the wire: an AWS, a Slack and their stories. The product only sees other URLs."""
