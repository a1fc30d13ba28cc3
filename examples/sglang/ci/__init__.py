"""What the pipelines run: deployments, their smoke test, previews. Every command works on a laptop too.

`uv run python -m ci.deploy staging`
"""
