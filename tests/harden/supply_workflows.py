"""Every distinct workflow under zizmor at its strictest and under actionlint, and a few rules of this template.

actionlint looks into shell scripts too, with shellcheck, and into expressions, which it types.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import family
from harden.report import Options, Row
from harden.supply_files import File, Files, lay, one

FOLDER = ".github/workflows/"
CONFIG = Path(__file__).with_name("zizmor.yml")
PIN = re.compile(r"^ *- uses: (?P<action>[\w/-]+)@(?P<hash>[0-9a-f]{40}) # v\d+\.\d+\.\d+$")
# ci, audit, update, deploy and preview, the same for all.
LEAST = 5
# Those that may have secrets; of these, update.yml has one of the repository, the others have those of an environment.
SECRETIVE = ("update.yml", "deploy.yml", "preview.yml")

# What is broken: (workflow, text in it, text instead, who must say what)
MUTANTS: Mapping[str, tuple[str, str, str, str]] = {
    "may write everything": ("ci.yml", "contents: read", "contents: write", "excessive-perm"),
    "no permissions said": ("audit.yml", "permissions:\n  contents: read\n", "", "excessive-perm"),
    "a title in a script": (
        "ci.yml",
        "- run: uv run mypy",
        '- run: echo "${{ github.event.pull_request.title }}"',
        "template-injection",
    ),
    "a branch in a script": (
        "update.yml",
        "bash .github/update.sh",
        "bash .github/update.sh ${{ github.head_ref }}",
        "template-injection",
    ),
    "runs with secrets for forks": (
        "ci.yml",
        "  pull_request:",
        "  pull_request_target:",
        "dangerous-triggers",
    ),
    "an action by its tag": (
        "audit.yml",
        "@37802adc94f370d6bfd71619e3f0bf239e1f3b78 # v7.6.0",
        "@v7",
        "unpinned-uses",
    ),
    "a token left in the checkout": (
        "ci.yml",
        "        with:\n          persist-credentials: false\n",
        "",
        "artipacked",
    ),
    "two at once": ("update.yml", "concurrency:\n  group: update\n", "env:\n  A: b\n", "concurr"),
    "a step that is not there": (
        "ci.yml",
        "- run: uv run mypy",
        "- run: uv run mypy ${{ steps.none.outputs.path }}",
        "expression: ",
    ),
    "a job that is not there": ("ci.yml", "    timeout-", "    needs: none\n    timeout-", "needs"),
    "an input that is not there": (
        "ci.yml",
        "persist-credentials: false",
        "persist-credential: false",
        "action: ",
    ),
    "a script that splits words": (
        "update.yml",
        "bash .github/update.sh",
        "bash $GITHUB_WORKSPACE/.github/update.sh",
        "shellcheck: ",
    ),
    "a secret in CI": (
        "ci.yml",
        "- run: uv run mypy",
        "- run: uv run mypy\n        env:\n          A: ${{ secrets.A }}",
        "needs no secret",
    ),
    "a secret that anybody's workflow has": (
        "deploy.yml",
        "    environment:\n      name: staging\n      url: ${{ steps.deploy.outputs.url }}\n",
        "",
        "secrets-outside-env",
    ),
    "a preview with secrets for forks": (
        "preview.yml",
        "  pull_request:",
        "  pull_request_target:",
        "dangerous-triggers",
    ),
    "a number in a script": (
        "preview.yml",
        '"$ACTION" "$NUMBER" --comment',
        '"$ACTION" ${{ github.event.pull_request.number }} --comment',
        "template-injection",
    ),
    "another uv": ("audit.yml", 'version: "0.13.9"', 'version: "0.12.0"', "the image has uv"),
    "a lock that is resolved anew": ("audit.yml", "--frozen", "--upgrade", "audits the lock as it"),
    "a hash without its release": ("ci.yml", " # v5.1.0", "", "without its release"),
}


def run(options: Options, files: Files) -> Iterator[Row]:
    rendered = {file for file in files if file[0].startswith(FOLDER)}
    own = {(FOLDER + p.name, p.read_text()) for p in (family.ROOT / FOLDER).glob("*.yml")}
    for what, workflows, least in (("rendered", rendered, LEAST), ("this repository's", own, 3)):
        folder = options.folder / f"workflows of {what}"
        said = findings(folder, workflows, template=what == "rendered")
        failures = tuple(f"{path}: {line}" for (path, _), lines in said.items() for line in lines)
        yield Row(
            "supply", f"workflows, {what}", len(workflows), least, failures, "zizmor and actionlint"
        )
    pins = pinned(rendered | own)
    several = tuple(
        f"{action}: {sorted(hashes)}" for action, hashes in pins.items() if len(hashes) > 1
    )
    yield Row("supply", "actions", len(pins), 3, several, "by one hash each")
    yield mutants(options.folder / "mutants of workflows", rendered)


def mutants(folder: Path, rendered: set[File]) -> Row:
    broken = {}
    for what, (name, text, instead, _) in MUTANTS.items():
        content = one(rendered, FOLDER + name)
        assert text in content, f"{name} does not hold: {text}"
        broken[what] = (FOLDER + name, content.replace(text, instead, 1))
    said = findings(folder, set(broken.values()), template=True)
    failures = tuple(
        f"{what}: nobody says {MUTANTS[what][3]!r}, only {said[file]}"
        for what, file in broken.items()
        if not any(MUTANTS[what][3] in line for line in said[file])
    )
    outcome = f"{len(broken) - len(failures)} mutants caught"
    return Row("supply", "workflows, broken", len(broken), len(MUTANTS), failures, outcome)


def findings(folder: Path, workflows: set[File], *, template: bool) -> dict[File, list[str]]:
    """What is wrong with each, in sentences."""
    laid = lay(folder, workflows)
    said: dict[File, list[str]] = {file: [] for file in workflows}
    for path, line in (*zizmor(folder), *actionlint(folder, laid)):
        said[laid[path]].append(line)
    for file in workflows:
        said[file] += [*unpinned(file), *(broken_promises(file) if template else ())]
    return said


def zizmor(folder: Path) -> Iterator[tuple[Path, str]]:
    options = ["--offline", "--persona=auditor", "--strict-collection", "--no-progress"]
    command = ["zizmor", *options, "--format=json", f"--config={CONFIG}", str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode in {0, 10, 11, 12, 13, 14}, run.stderr
    for finding in json.loads(run.stdout):
        for location in finding["locations"]:
            place = location["symbolic"]
            if place["kind"] == "Primary":
                line = location["concrete"]["location"]["start_point"]["row"] + 1
                path = Path(place["key"]["Local"]["verbatim_path"])
                yield path, f"line {line}: {finding['ident']}: {finding['desc']}"


def actionlint(folder: Path, laid: Mapping[Path, File]) -> Iterator[tuple[Path, str]]:
    """It knows the inputs of actions by their tags, so it reads copies with those."""
    copies = {}
    for path, (_, content) in laid.items():
        copy = path.with_name(f"tagged-{path.name}")
        copy.write_text(re.sub(r"@\w{40} # (v\d+)\..*", r"@\1", content))
        copies[str(copy.relative_to(folder))] = path
    command = ["actionlint", "-format", "{{json .}}", "-pyflakes=", *copies]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode in {0, 1}, run.stdout + run.stderr
    for finding in json.loads(run.stdout) or ():
        yield (
            copies[finding["filepath"]],
            (f"line {finding['line']}: {finding['kind']}: {finding['message']}"),
        )


def pinned(workflows: set[File]) -> dict[str, set[str]]:
    """Action -> the hashes that it is named by."""
    pins: dict[str, set[str]] = {}
    for _, content in workflows:
        for line in content.splitlines():
            if pin := PIN.match(line):
                pins.setdefault(pin["action"], set()).add(pin["hash"])
    return pins


def unpinned(file: File) -> Iterator[str]:
    for line in file[1].splitlines():
        if "uses:" in line and not PIN.match(line):
            yield f"an action without its release beside the hash: {line.strip()}"


def broken_promises(file: File) -> Iterator[str]:
    path, content = file
    if "secrets." in content and not path.endswith(SECRETIVE):
        yield "CI needs no secret, says README"
    if path.endswith("audit.yml"):
        (image,) = re.findall(
            'uv_version="(.+?)"', (family.ROOT / "includes/image.py.jinja").read_text()
        )
        if f'version: "{image}"' not in content:
            yield f"the image has uv {image}, this another"
        if "uv audit --frozen " not in content:
            yield "it audits the lock as it is, which is `--frozen`"
