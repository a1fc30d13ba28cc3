"""What schemathesis did, from its report: https://schemathesis.readthedocs.io/en/stable/reference/reports/"""

import base64
import hashlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Violation:
    """What the service does and its document does not say, or the other way round."""

    check: str
    operation: str
    message: str
    example: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.check}: {self.message}, for example {self.example}"


@dataclass
class Report:
    """One run, or several of one service.

    Attributes:
        cases: a digest for each request that was sent and answered, sent twice or not.
        statuses: which ones each operation answered with.
        checks: names of those that were made.
        violations: one for each operation, check and message.
        errors: of schemathesis itself, which then did not test all that it should.
    """

    cases: set[str] = field(default_factory=set)
    statuses: dict[str, set[int]] = field(default_factory=dict)
    checks: set[str] = field(default_factory=set)
    violations: dict[tuple[str, str, str], Violation] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def forget(self, untold: Collection[str], *, surely: bool = True) -> None:
        """Drop violations whose message has one of these parts; one that surely comes and does not is an error."""
        for part in untold:
            found = [key for key, each in self.violations.items() if part in each.message]
            if surely and not found:
                self.errors.append(f"no violation says {part!r} any more")
            for key in found:
                del self.violations[key]


def read(path: Path, report: Report) -> None:
    """Add one run."""
    for line in path.read_text().splitlines():
        ((name, event),) = json.loads(line).items()
        if "Error" in name:
            report.errors.append(f"schemathesis: {json.dumps(event)[:300]}")
        elif name == "ScenarioFinished" and "recorder" in event:
            add(report, event["recorder"])


def add(report: Report, recorder: dict[str, Any]) -> None:
    """Add what one scenario recorded: its requests, and the checks of their answers."""
    interactions = recorder.get("interactions", {})
    for interaction in interactions.values():
        if answer := interaction.get("response"):
            report.cases.add(digest(interaction["request"]))
            statuses = report.statuses.setdefault(recorder["label"], set())
            statuses.add(answer["status_code"])
    for case, checks in recorder.get("checks", {}).items():
        report.checks |= {check["name"] for check in checks}
        for check, operation, message in failures(checks):
            key = (operation, check, message)
            example = describe(interactions.get(case, {}))
            report.violations.setdefault(key, Violation(check, key[0], message, example))


def failures(checks: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """The name of each check that failed, the operation, and why in one line."""
    for check in checks:
        if check["status"] == "failure":
            failure = check["failure_info"]["failure"]
            message = re.sub(r"\s+", " ", f"{failure['title']}: {failure['message']}")
            message = re.sub(r" Invalid data should .* 5xx", "", message)[:300]  # always the same
            yield check["name"], failure["operation"], message


def digest(request: dict[str, Any]) -> str:
    # The port differs from run to run.
    target = re.sub(r"^https?://[^/]+", "", request["uri"])
    content = [request["method"], target, request.get("headers"), request.get("body")]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def describe(interaction: dict[str, Any]) -> str:
    """A request and its answer, short."""
    if not interaction:
        return "none is recorded"
    request, answer = interaction["request"], interaction.get("response") or {}
    body = base64.b64decode((request.get("body") or {}).get("$base64", ""))
    sent = f" with {body[:400]!r}" if body else ""
    said = base64.b64decode((answer.get("content") or {}).get("$base64", ""))[:150]
    target = f"{request['method']} {request['uri'][:150]}"
    return f"{target}{sent}, answered {answer.get('status_code')}: {said!r}"
