"""Deployments, previews and checks in CI: the jobs as they stand, with all that is outside on this machine."""
