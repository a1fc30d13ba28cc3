"""Deploy to a stage, ask whether it answers, and go back to the version before if it does not.

`uv run python -m ci.deploy staging`
"""

import argparse
import re
import sys

from . import client, smoke
from .project import APP, ENVIRONMENTS, MODULE, STRATEGIES
from .report import Problem, output, say

# What a refused rollback means, by words in what Modal says, whose exact text is documented nowhere.
REFUSALS = {
    r"max_containers|(container|concurrency) limit|no capacity": (
        "All containers that max_containers allows are in use, so no other can start beside them:"
        " `uv run modal app rollback {app} {version} --env {environment} --strategy recreate`"
        " ends them first."
    ),
    r"\bplans?\b|upgrade|not available|not permitted": (
        "The plan of your Modal workspace may have no rollbacks, which are part of the Team plan."
    ),
}
REDEPLOY = "To have the version before back: `git checkout {commit} && uv run python -m ci.deploy {stage}`."


def deploy(stage: str) -> None:
    """Deploy what is checked out.

    Raises:
        Problem: when it was not deployed, or does not answer.
    """
    if not client.are_credentials_there(*client.CALLER):
        output("deployed", "false")
        return
    if stage != "production":
        client.leave_the_domain_alone()
    environment = ENVIRONMENTS[stage]
    commit = client.commit()
    what = f"{commit[:12]} to {stage} (Modal Environment {environment})"
    try:
        where = ("--env", environment, "--tag", commit, "--strategy", STRATEGIES[stage])
        client.run("deploy", "-m", MODULE, *where)
    except client.CommandError as error:
        raise Problem(
            f"Could not deploy {what}: `modal deploy` failed, and what ran there before still runs."
            f" It said: {error.last_line()}"
        ) from None
    url = client.url(environment)
    output("url", url)
    try:
        seen = smoke.check(url)
    except smoke.SmokeError as error:
        raise Problem(
            f"Deployed {what} at {url}, and the smoke test failed: {error}.{hint(stage, error)} {go_back(stage, url)}"
        ) from None
    output("deployed", "true")
    say(f"Deployed {what} at {url}: {seen}.")


def hint(stage: str, error: smoke.SmokeError) -> str:
    if isinstance(error, smoke.ColdError) and STRATEGIES[stage] == "rolling":
        return (
            " If as many containers were busy as max_containers allows, no new one could start beside them:"
            ' then set "recreate" in STRATEGIES in ci/project.py.'
        )
    return ""


def go_back(stage: str, url: str) -> str:
    """Roll back to the version before; sentences on what came of it."""
    environment = ENVIRONMENTS[stage]
    try:
        versions = client.ask("app", "history", APP, "--env", environment)
    except client.CommandError as error:
        return f"It still runs, as Modal does not say what ran before: {error.last_line()}"
    if len(versions) < 2:
        return "It still runs, as it is the first there: there is none to go back to."
    version, commit = versions[1]["version"], versions[1].get("tag") or "the commit before"
    try:
        strategy = ("--strategy", STRATEGIES[stage])
        client.run("app", "rollback", APP, version, "--env", environment, *strategy)
    except client.CommandError as error:
        said = str(error)
        meaning = [
            text for pattern, text in REFUSALS.items() if re.search(pattern, said, re.IGNORECASE)
        ]
        advice = " ".join([*meaning[:1], REDEPLOY]).format(
            app=APP, version=version, environment=environment, commit=commit, stage=stage
        )
        return (
            f"It still runs, as the rollback to {version} was refused: {error.last_line()} {advice}"
        )
    try:
        return f"Rolled back to {version} ({commit[:12]}): {smoke.check(url)}."
    except smoke.SmokeError as error:
        return f"Rolled back to {version} ({commit[:12]}), which fails the smoke test too: {error}."


def main() -> None:
    parser = argparse.ArgumentParser(prog="ci.deploy", description=__doc__)
    parser.add_argument("stage", choices=ENVIRONMENTS)
    try:
        deploy(parser.parse_args().stage)
    except Problem as problem:
        say(str(problem))
        sys.exit(1)


if __name__ == "__main__":
    main()
