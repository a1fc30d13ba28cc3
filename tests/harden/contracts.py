"""Every OpenAPI document against its service: schemathesis sends what the document allows, and what it forbids."""

import copy
import json
import random
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import family
from harden import contracts_mutants
from harden.contracts_report import Report, read
from harden.faults_kit import ask
from harden.report import Options, Row
from harden.service import Service, render, served

PART = "contracts"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
# What still holds of an answer that refuses everything.
REFUSAL_CHECKS = CHECKS[1:5]
# One seed, so that CI repeats itself.
SEED = 1


@dataclass(frozen=True)
class Subject:
    """A style with its own document.

    Attributes:
        examples: for each operation, in the slice and in full.
        untold: what its document cannot say: parts of violations.
        lax: what it may take beyond its document, which random requests find or do not.
        model: the one that it serves. A request with another name gets no further than 404, so that half of them have
            this one.
    """

    style: str
    auth: str
    examples: tuple[int, int]
    model: str = ""
    untold: tuple[str, ...] = ()
    lax: tuple[str, ...] = ()


# Pydantic takes true for 1 where a starter says `int`, as every model does that people write.
LAX = ("(was integer, became boolean)", "pause: Incorrect type")
# Where several routes have one path, Starlette names the methods of the first in `Allow`.
FIRST_ROUTE = "Missing documented methods: DELETE"
SUBJECTS = (
    Subject("api", "bearer", (170, 2_600), lax=LAX),
    Subject("api", "proxy", (170, 2_600), lax=LAX),
    Subject("jobs", "bearer", (60, 900), untold=(FIRST_ROUTE,), lax=LAX),
    Subject("inference", "bearer", (20, 260), "Qwen/Qwen2.5-0.5B-Instruct"),
    Subject("embed", "bearer", (40, 550), "Qwen/Qwen3-Embedding-0.6B"),
    Subject("simple", "proxy", (350, 5_200)),
    # Modal makes that application, and its decorator has no place for another answer.
    Subject("simple", "bearer", (350, 5_200), untold=("Undocumented status code: Received: 401 ",)),
)
LEAST = (200, 2_000)
# Limits that requests break, and the status that must be a documented one then.
REFUSALS = (
    ("max_body_bytes", "1", 413),
    ("request_seconds", "0.000001", 504),
    ("enforced_hosts", '["elsewhere.example"]', 400),
)


def run(options: Options) -> Iterator[Row]:
    seed = random.randrange(2**32) if options.full else SEED  # noqa: S311
    print(f"{PART}: seed {seed}", flush=True)
    for subject in options.some(SUBJECTS):
        name = f"{subject.style} {subject.auth}"
        chosen = family.choices()[subject.style]
        project = render(options, f"{PART} {name}", **chosen, auth=subject.auth)
        report = Report()
        # Of a job that runs schemathesis would read events for as long as they come.
        with served(project, EVENTS_SECONDS="0.1") as service:
            document = fetch(service)
            documents = [document]
            if subject.model:
                documents.append(narrow(document, subject.model))
            if subject.style == "embed":
                documents = [readable(each) for each in documents]
            if subject.style == "jobs":
                documents = [without_keys(document), of_one_job(document, cancelled(service))]
            for each in documents:
                fuzz(options, service, each, report, subject.examples[options.full], seed)
        report.forget(subject.untold)
        report.forget(subject.lax, surely=False)
        yield judge(name, report, document, LEAST[options.full])
    for style in options.some(("api", "inference")):
        yield refuse(options, style, seed)
    yield contracts_mutants.run(options, fuzz_once)


def judge(what: str, report: Report, document: Mapping[str, Any], least: int) -> Row:
    """Its violations, and whether every operation was really called."""
    failures = [*report.errors, *map(str, report.violations.values())]
    for operation in operations(document):
        if not any(200 <= status < 300 for status in report.statuses.get(operation, ())):
            failures.append(f"{operation}: no request ever succeeded")
    failures += [f"{check} was never checked" for check in set(CHECKS) - report.checks]
    seen = sorted(set().union(*report.statuses.values()))
    outcome = f"{len(operations(document))} operations, {', '.join(map(str, seen))}"
    return Row(PART, what, len(report.cases), least, tuple(failures), outcome)


def refuse(options: Options, style: str, seed: int) -> Row:
    """What a service answers beyond its limits is documented too."""
    cases, failures, statuses = 0, [], []
    project = render(options, f"{PART} {style} bearer", style=style, auth="bearer")
    with served(project) as service:
        document = fetch(service)
    for setting, value, status in REFUSALS:
        report = Report()
        with served(project, **{setting.upper(): value}) as service:
            fuzz(options, service, document, report, 8, seed, REFUSAL_CHECKS, "examples,fuzzing")
        cases += len(report.cases)
        statuses.append(str(status))
        failures += [*report.errors, *map(str, report.violations.values())]
        for operation in operations(document):
            if operation.startswith("POST") and status not in report.statuses.get(operation, ()):
                failures.append(f"{operation}: never {status} with {setting}={value}")
    outcome = ", ".join(statuses)
    return Row(PART, f"{style} beyond its limits", cases, 15, tuple(failures), outcome)


def fuzz_once(options: Options, service: Service) -> Report:
    report = Report()
    fuzz(options, service, fetch(service), report, 40)
    return report


def fuzz(
    options: Options,
    service: Service,
    document: Mapping[str, Any],
    report: Report,
    examples: int,
    seed: int = SEED,
    checks: Collection[str] = CHECKS,
    phases: str = "examples,coverage,fuzzing",
) -> None:
    """Let schemathesis loose on a service, as a user would from a shell, and add what it saw to a report."""
    folder = Path(tempfile.mkdtemp(prefix=PART, dir=options.folder))
    (folder / "openapi.json").write_text(json.dumps(document))
    token = service.headers["Authorization"]
    run = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "--no-color", "run"),
            *("openapi.json", "--url", service.url, "--header", f"Authorization: {token}"),
            *("--checks", ",".join(checks), "--phases", phases),
            *("--continue-on-failure", "--no-shrink"),
            *("--mode", "all", "--max-examples", str(examples), "--seed", str(seed)),
            *("--generation-database", "none", "--request-timeout", "5"),
            *("--report-ndjson-path", "report.ndjson", "--output-sanitize", "false"),
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode not in (0, 1):  # 1 is a violation
        raise AssertionError(f"schemathesis ended with {run.returncode}:\n{run.stdout[-3000:]}")
    read(folder / "report.ndjson", report)
    if run.returncode and not (report.violations or report.errors):
        report.errors.append(f"schemathesis failed:\n{run.stdout[-3000:]}")


def fetch(service: Service) -> dict[str, Any]:
    """The document of a service."""
    with urllib.request.urlopen(f"{service.url}/openapi.json", timeout=20) as answer:  # noqa: S310
        document: dict[str, Any] = json.load(answer)
    return document


def narrow(document: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The document with that one model wherever a request names one."""
    narrowed = copy.deepcopy(dict(document))
    schemas = narrowed["components"]["schemas"].values()
    fields = [each for schema in schemas if "model" in (each := schema.get("properties", {}))]
    assert fields, "no field is named model"
    for each in fields:
        each["model"] = {"const": model}
    for parameter in narrowed["paths"]["/v1/models/{name}"]["get"]["parameters"]:
        parameter["schema"] = {"const": model}
    return narrowed


def readable(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with what only the model knows: a text has words, and a vector of the echo 8 dimensions."""
    narrowed = copy.deepcopy(dict(document))
    # White space is what Python's `split` takes for it, which is more than `\s` of expressions.
    text = {"type": "string", "minLength": 1, "pattern": "[^\\s\x1c-\x1f\x85]"}
    texts = {"type": "array", "minItems": 1, "maxItems": 256, "items": text}
    dimensions = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 8}, {"type": "null"}]}
    schemas = narrowed["components"]["schemas"]
    schemas["EmbedRequest"]["properties"] |= {"texts": texts, "dimensions": dimensions}
    schemas["EmbeddingRequest"]["properties"] |= {
        "input": {"anyOf": [text, texts]},
        "dimensions": dimensions,
    }
    return narrowed


def cancelled(service: Service) -> str:
    """The id of a job that was started and cancelled: what may be asked of it is answered at once."""
    job = {"texts": ["one"] * 100, "pause": 60}
    answer = ask(service, "/jobs", job)
    path = answer.headers["location"]
    assert ask(service, path, method="DELETE").status == 204, "a job is not cancelled"
    return path.rpartition("/")[2]


def without_keys(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without Idempotency-Key: of two jobs with one key the second is refused, as no document can say."""
    narrowed = copy.deepcopy(dict(document))
    del narrowed["paths"]["/jobs"]["post"]["parameters"]
    return narrowed


def of_one_job(document: Mapping[str, Any], job_id: str) -> dict[str, Any]:
    """The document with that one job wherever a path names one, since random ones exist nowhere."""
    narrowed = copy.deepcopy(dict(document))
    narrowed["paths"].pop("/jobs")
    for path, item in narrowed["paths"].items():
        for operation in item.values() if "{job_id}" in path else ():
            for parameter in operation["parameters"]:
                if parameter["name"] == "job_id":
                    parameter["schema"] = {"const": job_id}
    return narrowed


def operations(document: Mapping[str, Any]) -> list[str]:
    """Each method and path, as schemathesis names them."""
    return [
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item
    ]
