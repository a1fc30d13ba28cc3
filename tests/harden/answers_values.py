"""What a rendered project says, read by the parser of each file, against the answers it was rendered from."""

import ast
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt

import family
from rehearsal.promise import NUMBERS, keys

Table = dict[str, Any]
LICENSES = {"mit": "MIT", "apache-2.0": "Apache-2.0", "proprietary": "LicenseRef-Proprietary"}
MARKDOWN = MarkdownIt("commonmark").enable("table")


def problems(project: Path, answers: family.Answers) -> list[str]:
    """A sentence for each value that is not what was answered."""
    known = family.known(answers)
    promised, said = expected(known, answers), dict(found(project, known))
    return [
        f"{what}: {said.get(what, 'nothing')!r}, not {value!r}"
        for what, value in promised.items()
        if said.get(what, "nothing") != value
    ]


def expected(known: family.Answers, answers: family.Answers) -> Table:
    """By the answers alone, and by the defaults of what was not answered."""
    author = {"name": known["user_name"], "email": known["user_email"]}
    recorded = {name: value for name, value in answers.items() if value != default(name, known)}
    table: Table = {
        "pyproject name": known["project_slug"],
        "pyproject description": known["description"],
        "pyproject authors": [{k: v for k, v in author.items() if v}]
        if any(author.values())
        else [],
        "pyproject requires-python": ">=3.11",
        "pyproject license": LICENSES[known["license"]],
        "pyproject scripts": {known["project_slug"]: f"{known['package_name']}.serve:main"},
        "pyproject module": known["package_name"],
        "README heading": known["project_name"],
        "README first paragraph": known["description"],
        **{f"recorded {name}": value for name, value in recorded.items()},
        **{f"modal {name}": value for name, value in deployed(known).items()},
    }
    if known["license"] != "apache-2.0":
        table["LICENSE holder"] = (
            known["user_name"] or f"the authors of {known['project_name']}"
        ) + (". All rights reserved." if known["license"] == "proprietary" else "")
    kind = family.kind(known)
    if kind in ("api", "inference", "gradio", "streamlit") or "encoder" in known["facts"]:
        table["title"] = known["project_name"]
    if kind in ("websocket", "inference"):
        table |= {"page title": known["project_name"], "page h1": known["project_name"]}
    if "model" in known["facts"]:
        table |= {name: known[name] for name in ("model_id", "model_revision")}
    if kind == "command":
        table["server_command"] = known["server_command"]
    if known["ci"] != "none":
        table |= {f"ci {name}": value for name, value in pipelines(known).items()}
    return table


def pipelines(known: family.Answers) -> Table:
    """What stands in ci/project.py."""
    return {
        "APP": known["project_slug"],
        "MODULE": f"{known['package_name']}.modal_app",
        "PYTHONS": {"container": known["python_version"], "lowest": "3.11"},
        "AUTH": known["auth"],
        "SECRET_KEYS": keys(known),
        "DOMAIN": known["custom_domain"],
        "STRATEGIES": {
            "staging": "recreate",
            "production": "recreate" if known["max_containers"] == 1 else "rolling",
        },
    }


def default(name: str, known: family.Answers) -> object:
    """Of the two answers that are not recorded where they are what they would be anyway."""
    if name == "description":
        return known["facts"]["description"]
    return f"python -m {known['package_name']}.handlers" if name == "server_command" else None


def deployed(known: family.Answers) -> Table:
    """What stands in modal_app.py."""
    gpus = [part.strip() for part in known["gpu"].split(",")]
    gpus = gpus if "model" in known["facts"] and known["gpu"] != "none" else []
    regions = [part.strip() for part in known["region"].split(",") if part]
    snapshot = known["memory_snapshot"] and known["facts"]["snapshot"]
    if "engine" in known["facts"]:
        snapshot = known["gpu_snapshot"]
    table: Table = {
        **{name: known[name] for name in NUMBERS},
        "cpu": float(known["cpu"]),
        "gpu": gpus[0] if len(gpus) == 1 else gpus or None,
        "region": regions or None,
        "enable_memory_snapshot": bool(snapshot),
        "experimental_options": {"enable_gpu_snapshot": True}
        if known["snapshots"] == "gpu"
        else {},
        "custom_domains": [known["custom_domain"]] if known["custom_domain"] else [],
        "requires_proxy_auth": known["auth"] == "proxy",
        "App": known["project_slug"],
        "Python": known["python_version"],
        "add_local_python_source": known["package_name"],
        "secret": (known["project_slug"], keys(known)) if keys(known) else None,
    }
    if known["style"] == "server":
        table["PORT"] = known["server_port"]
    return table


UNSAID: Table = {
    "buffer_containers": 0,
    "gpu": None,
    "region": None,
    "enable_memory_snapshot": False,
    "experimental_options": {},
    "custom_domains": [],
    "requires_proxy_auth": False,
    "secret": None,
}


def found(project: Path, known: family.Answers) -> Iterator[tuple[str, Any]]:
    pyproject = tomllib.loads((project / "pyproject.toml").read_text())
    metadata = pyproject["project"]
    for name in ("name", "description", "requires-python", "license", "scripts"):
        yield f"pyproject {name}", metadata[name]
    yield "pyproject authors", metadata.get("authors", [])
    yield "pyproject module", pyproject["tool"]["uv"]["build-backend"]["module-name"]
    for name, value in yaml.safe_load((project / ".copier-answers.yml").read_text()).items():
        yield f"recorded {name}", value
    heading, paragraph = readme(project)
    yield "README heading", heading
    yield "README first paragraph", paragraph
    for line in (project / "LICENSE").read_text().split("\n"):
        if line.startswith("Copyright (c) "):
            yield "LICENSE holder", line.removeprefix("Copyright (c) ")
    package = project / "src" / known["package_name"]
    for name, value in (UNSAID | dict(modal_app(package / "modal_app.py"))).items():
        yield f"modal {name}", value
    for file, names in {
        "web.py": ("TITLE", "title"),
        "weights.py": ("MODEL_ID", "MODEL_REVISION"),
        "command.py": ("COMMAND",),
    }.items():
        if (package / file).exists():
            said = dict(named(ast.parse((package / file).read_text())))
            for name in names:
                if name in said:
                    key = "server_command" if name == "COMMAND" else name.lower()
                    yield key, said[name]
    if (package / "page.html").exists():
        page = Page()
        page.feed((package / "page.html").read_text())
        yield from ((f"page {tag}", text) for tag, text in page.texts.items())
    if (ci := project / "ci/project.py").exists():
        for node in ast.parse(ci.read_text()).body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    yield f"ci {name}", ast.literal_eval(value)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    yield f"ci {name}", sorted(ast.literal_eval(value))


def readme(project: Path) -> tuple[str, str]:
    """The text of the heading, and of what stands below it, as a reader sees them."""
    tokens = MARKDOWN.parse((project / "README.md").read_text())
    kinds = [token.type for token in tokens[:6]]
    shown = [
        "".join(part.content for part in token.children or [] if part.type == "text")
        for token in tokens[:6]
        if token.type == "inline"
    ]
    block = [
        "heading_open",
        "inline",
        "heading_close",
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]
    return (shown[0], shown[1]) if kinds == block else (f"blocks {kinds}", "")


def named(tree: ast.AST) -> Iterator[tuple[str, Any]]:
    """Strings that are given to a keyword, or assigned to a name, by itself or as the argument of a call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg and isinstance(node.value, ast.Constant):
            yield node.arg, node.value.value
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Call) and len(value.args) == 1:
                value = value.args[0]
            if isinstance(value, ast.Constant):
                yield node.targets[0].id, value.value


def modal_app(path: Path) -> Iterator[tuple[str, Any]]:
    """What the image says, and what is said of the function or class that answers requests."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="App" | "add_local_python_source" as name)):
                yield name, ast.literal_eval(node.args[0])
            case ast.Call(func=ast.Attribute(attr="debian_slim" | "from_registry")):
                yield "Python", ast.literal_eval(node.keywords[0].value)
            case ast.Assign(targets=[ast.Name(id="PORT")], value=ast.Constant(value=port)):
                yield "PORT", port
    (web,) = (
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and node.name != "watch_job"  # which takes many at once too, and no requests
        and any("modal.concurrent" in ast.unparse(each) for each in node.decorator_list)
    )
    for node in ast.walk(web):
        for decorator in getattr(node, "decorator_list", []):
            for keyword in getattr(decorator, "keywords", []):
                yield from said(keyword)


def said(keyword: ast.keyword) -> Iterator[tuple[str, Any]]:
    match keyword.arg:
        case "secrets":
            (secret,) = keyword.value.elts  # type: ignore[attr-defined]
            required = {k.arg: ast.literal_eval(k.value) for k in secret.keywords}["required_keys"]
            yield "secret", (ast.literal_eval(secret.args[0]), sorted(required))
        case "volumes" | "env" | "startup_timeout" if not isinstance(keyword.value, ast.Constant):
            pass
        case str(name):
            yield name, ast.literal_eval(keyword.value)


class Page(HTMLParser):
    """The text of the title and of the heading."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {"title": "", "h1": ""}
        self.tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag

    def handle_endtag(self, tag: str) -> None:
        self.tag = ""

    def handle_data(self, data: str) -> None:
        if self.tag in self.texts:
            self.texts[self.tag] += data
