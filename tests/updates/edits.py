"""What owners do to their projects. Each edit works on every kind of project, and its tests still pass."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import family
from updates.project import Project, uv

HANDLERS = "src/myapi/handlers.py"
SETTINGS = "src/myapi/settings.py"  # all that is an owner's where there are no handlers
MODAL_APP = "src/myapi/modal_app.py"
CLIENT = "examples/client.py"
OWN_CLIENT = '''"""What the owner calls it with."""

print("mine")
'''
ENCODERS = family.kinds_with("encoder")  # which serve the same engine
# One more thing that the endpoint does, as its framework wants it.
ROUTES = {
    **dict.fromkeys(
        ["api", "inference", *ENCODERS],
        """

@router.get("/mine")
def mine() -> dict[str, str]:
    return {"whose": "mine"}
""",
    ),
    "mcp": """

@server.tool()
def mine() -> dict[str, str]:
    return {"whose": "mine"}
""",
    "flask": """

@routes.get("/mine")
def mine() -> dict[str, str]:
    return {"whose": "mine"}
""",
}
FUNCTION = '''

def mine(name: str) -> str:
    """What the owner added."""
    return f"mine: {name}"
'''
TEST = '''"""The owner's."""

from myapi import handlers


def test_mine() -> None:
    assert callable(handlers.mine)
'''


def add_a_route(project: Project, kind: str) -> None:
    own = HANDLERS if (project.folder / HANDLERS).exists() else SETTINGS
    with (project.folder / own).open("a") as handlers:
        handlers.write(ROUTES.get(kind, FUNCTION))
    test = TEST.replace("handlers", Path(own).stem)
    (project.folder / "tests/test_mine.py").write_text(test)


def change_a_default(project: Project, _kind: str) -> None:
    replace(project, MODAL_APP, r"max_containers=\d+", "max_containers=7")


def add_a_dependency(project: Project, _kind: str) -> None:
    uv(project, "add", "--no-sync", "--quiet", "tzdata>=2025.1")


def rewrite_the_readme(project: Project, _kind: str) -> None:
    replace(
        project,
        "README.md",
        r"(?s)\A# myapi\n.*?(?=## Run it here)",
        "# Ours\n\nWe wrote this.\n\n",
    )
    replace(
        project, "README.md", r"(?s)## Watch it\n.*?(?=## Change it)", "## Watch it\n\nAsk Ann.\n\n"
    )


def delete_files(project: Project, _kind: str) -> None:
    for name in ("LICENSE", "AGENTS.md"):
        (project.folder / name).unlink()
    (project.folder / "tests/test_handlers.py").unlink(missing_ok=True)
    (project.folder / ".devcontainer/devcontainer.json").unlink(missing_ok=True)
    replace(project, "pyproject.toml", r"license-files = .*\n", "")


def set_up_the_editor(project: Project, _kind: str) -> None:
    """Where an earlier release brings no such file, the owner has one before the template does."""
    (project.folder / ".vscode").mkdir(exist_ok=True)
    (project.folder / ".vscode/settings.json").write_text('{\n  "editor.tabSize": 8\n}\n')
    (project.folder / ".editorconfig").write_text("[*]\nindent_style = tab\n")


def rename_a_function(project: Project, kind: str) -> None:
    old, new = (
        ("free_port", "unused_port")
        if kind in {"streamlit", "command"}
        else ("create_app", "make_app")
    )
    for code in [*project.folder.glob("src/**/*.py"), *project.folder.glob("tests/*.py")]:
        code.write_text(re.sub(rf"\b{old}\b", new, code.read_text()))
    sort_imports(project)


def run_another_formatter(project: Project, _kind: str) -> None:
    replace(project, "pyproject.toml", "line-length = 100", "line-length = 79")
    ruff(project, "format")


def write_other_handlers(project: Project, kind: str) -> None:
    """The starter goes, with its tests; what calls it is another program."""
    handlers = "encoder" if kind in ENCODERS else kind
    for name, other in {HANDLERS: handlers, "src/myapi/web.py": f"{kind}_web"}.items():
        source = family.ROOT / "tests/other_handlers" / f"{other}.py"
        if source.exists():
            shutil.copy(source, project.folder / name)
    (project.folder / "tests/test_handlers.py").unlink(missing_ok=True)
    if (project.folder / CLIENT).exists():
        (project.folder / "tests/test_client.py").unlink()
        write_a_client(project, kind)


def write_a_client(project: Project, _kind: str) -> None:
    (project.folder / CLIENT).parent.mkdir(exist_ok=True)
    (project.folder / CLIENT).write_text(OWN_CLIENT)


Edit = Callable[[Project, str], None]
LIVED_IN: list[Edit] = [
    add_a_route,
    change_a_default,
    add_a_dependency,
    rewrite_the_readme,
    delete_files,
    set_up_the_editor,
    rename_a_function,
]
EDITS: list[list[Edit]] = [LIVED_IN, [run_another_formatter], [write_other_handlers]]
EACH: list[list[Edit]] = [[edit] for edit in LIVED_IN]


def replace(project: Project, name: str, pattern: str, instead: str) -> None:
    file = project.folder / name
    before = file.read_text()
    after = re.sub(pattern, instead, before)
    assert after != before, f"{name} does not hold {pattern}"
    file.write_text(after)


def sort_imports(project: Project) -> None:
    ruff(project, "check", "--select=I", "--fix")
    ruff(project, "format")


def ruff(project: Project, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--quiet", "--no-cache"],
        cwd=project.folder,
        check=True,
    )
