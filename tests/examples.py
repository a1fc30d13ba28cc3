"""examples/ is what the template renders for each style, committed: a gallery, and a diff for reviewers.

python tests/examples.py          compare, and fail on a difference
python tests/examples.py write    rewrite
"""

import difflib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

import family
import fast_copier

EXAMPLES = family.ROOT / "examples"
README = family.ROOT / "README.md"
BEGIN, END = "<!-- gallery: written by nox -s examples -->\n", "<!-- end of gallery -->"


def main(write: bool) -> None:
    as_server: family.Answers = {"style": "websocket", "server_kind": "server"}
    seen = {**family.choices(), "websocket-server": as_server}
    family.use_memory()
    fast_copier.install()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(family.isolate(Path(folder, "home")))
        template = family.export(Path(folder, "template"))
        fresh = Path(folder, "examples")
        for style, answers in seen.items():
            project = family.render(template, fresh, answers)
            _forget_source(project / ".copier-answers.yml")
            project.rename(fresh / style)
        page = README.read_text()
        before, _, rest = page.partition(BEGIN)
        listed = before + BEGIN + gallery(fresh, seen) + END + rest.partition(END)[2]
        if write:
            README.write_text(listed)
            shutil.rmtree(EXAMPLES, ignore_errors=True)
            shutil.copytree(fresh, EXAMPLES)
        differences = differ(fresh)
        if README.read_text() != listed:
            differences.append("README.md: the gallery differs")
        files = sum(path.is_file() for path in fresh.rglob("*"))
    print(f"{len(seen)} examples, {files} files, {len(differences)} differ")
    assert len(seen) >= 9, "styles are missing"
    if differences:
        sys.exit("\n".join(differences) + "\nexamples/ is stale: nox -s examples -- write")


def gallery(fresh: Path, seen: Mapping[str, family.Answers]) -> str:
    """One line, a picture where there is a page, and the tree of source files for each style, as Markdown."""
    parts = []
    for style, answers in seen.items():
        facts = yaml.safe_load((family.ROOT / f"styles/{family.kind(answers)}.yml").read_text())
        project = fresh / style
        files = sorted(path.relative_to(project).as_posix() for path in project.rglob("*.*"))
        tree = [f"    {file}" for file in files if file.startswith(("examples/", "src/", "tests/"))]
        line = facts["about"].partition(". ")[0].rstrip(".\n")
        line += ", as a Modal Server" if "server_kind" in answers else ""
        picture = f"docs/images/{style}.png"  # taken by nox -s browser -- --write
        shown = (
            f"![{style} in a browser]({picture})\n\n" if (family.ROOT / picture).exists() else ""
        )
        parts.append(f"**[{style}](examples/{style})**: {line}.\n\n{shown}" + "\n".join(tree))
    return "\n" + "\n\n".join(parts) + "\n\n"


def differ(fresh: Path) -> list[str]:
    """The differences between what is rendered and what is committed as unified diffs, one for each file."""
    names = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
    committed = (family.ROOT / name for name in family.files())
    names |= {path.relative_to(EXAMPLES) for path in committed if EXAMPLES in path.parents}
    return [
        "".join(difflib.unified_diff(*sides, f"examples/{name}", f"rendered/{name}"))
        for name in sorted(names)
        if (sides := (_lines(EXAMPLES / name), _lines(fresh / name)))[0] != sides[1]
    ]


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True) if path.is_file() else []


def _forget_source(answers: Path) -> None:
    """Drop the line that names the folder it was rendered from."""
    lines = answers.read_text().splitlines(keepends=True)
    answers.write_text("".join(line for line in lines if not line.startswith("_src_path")))


if __name__ == "__main__":
    main(write=sys.argv[1:] == ["write"])
