"""docs/licences.md: what each style's container installs, all that this needs too, and under which licence.

    python -m harden.supply_licences     in tests/: write it

It is read from what is installed for the proofs. A strong copyleft or an unknown licence fails.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import family
from harden.report import Options, Row
from harden.supply_files import Files

PAGE = family.ROOT / "docs" / "licences.md"
STYLES = family.ROOT / "styles"
LEAST = 60
# Permissive, or copyleft of a file only (MPL), which asks nothing of who just uses it.
ACCEPTED = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python"),
    *("ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib"),
}
# Named packages that may have another: (package, why).
NAMED: Mapping[str, str] = {}
# What packages without an SPDX expression write instead.
SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
# The CUDA build of PyTorch brings these, the CPU build none: the page is the same for both. Engines come with CUDA alone.
CUDA = re.compile(r"^(nvidia|cuda|triton|vllm|sglang)\b")
HEAD = """\
# Licences

What a container installs for each style: its dependencies and all that these need, on Linux with Python 3.11. The licences are those that the packages
state, in SPDX's words. None is strong copyleft. Where `torch` comes with CUDA, as on Modal, it brings NVIDIA's libraries, which are under
NVIDIA's own licence, and Triton (MIT). vLLM and SGLang (both Apache-2.0) and what they
bring are not here, since they install with CUDA only; `uv tree --extra model` in a project lists them. The tools of development are not on this page, which the proofs hold against what is installed.

| package | licence | styles |
| --- | --- | --- |
"""


def run(options: Options, files: Files) -> Iterator[Row]:
    wanted = dependencies()
    rendered = {
        requirement
        for path, content in files
        if path == "pyproject.toml"
        for requirement in declared(tomllib.loads(content)["project"])
    }
    known = {requirement for each in wanted.values() for requirement in each}
    found = packages(wanted)
    failures = [f"not in styles/: {requirement}" for requirement in rendered ^ known]
    failures += refused((name, licence) for name, (licence, _) in found.items())
    # Other Pythons and systems need other packages.
    comparable = sys.version_info[:2] == (3, 11) and sys.platform == "linux"
    if comparable and PAGE.read_text() != page(found):
        failures.append("docs/licences.md is stale: cd tests && python -m harden.supply_licences")
    licences = {licence for licence, _ in found.values()}
    outcome = f"{len(licences)} licences"
    yield Row("supply", "licences", len(found), LEAST, tuple(failures), outcome)
    bad = ("", "GPL-3.0-or-later", "MIT AND AGPL-3.0-only", "Our own", "MIT OR", "SSPL-1.0")
    missed = tuple(f"accepted: {text!r}" for text in bad if not refused([("planted", text)]))
    outcome = f"{len(bad) - len(missed)} mutants caught"
    yield Row("supply", "licences, planted", len(bad), len(bad), missed, outcome)


def refused(found: Iterable[tuple[str, str]]) -> list[str]:
    return [
        f"{name}: {licence or 'no licence known'}"
        for name, licence in found
        if name not in NAMED and not acceptable(licence)
    ]


def acceptable(expression: str) -> bool:
    """Whether one of the alternatives is accepted in all its parts; no package has brackets around more."""
    bare = re.sub(r"\((\S+ OR \S+)\)", lambda m: m[1].split(" OR ")[0], expression)
    bare = bare.replace(" WITH LLVM-exception", "")
    return any(
        all(part in ACCEPTED for part in re.split(r" AND ", alternative))
        for alternative in bare.split(" OR ")
    )


def dependencies() -> dict[str, set[str]]:
    """Style -> what its pyproject.toml asks for at run time."""
    found = {}
    for path in sorted(STYLES.glob("*.yml")):
        facts = yaml.safe_load(path.read_text())
        server = facts.get("server", {}).get("dependencies", ())
        extra = facts.get("extra_dependencies", ())
        found[path.stem] = {*facts["dependencies"], *extra, *server}
    return found


def declared(project: Mapping[str, object]) -> set[str]:
    extras = project.get("optional-dependencies", {})
    assert isinstance(extras, dict)
    direct = project["dependencies"]
    assert isinstance(direct, list)
    return {*direct, *(each for extra in extras.values() for each in extra)}


def packages(wanted: Mapping[str, set[str]]) -> dict[str, tuple[str, list[str]]]:
    """Package -> its licence, and the styles that have it."""
    found: dict[str, tuple[str, list[str]]] = {}
    for style, requirements in wanted.items():
        for name, licence in closure(requirements).items():
            found.setdefault(name, (licence, []))[1].append(style)
    return dict(sorted(found.items()))


def closure(requirements: Iterable[str]) -> dict[str, str]:
    seen: dict[tuple[str, str], str] = {}
    left = [Requirement(each) for each in requirements]
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras}:
            if (name, extra) in seen or CUDA.match(name):
                continue
            try:
                package = distribution(name)
            except PackageNotFoundError:
                seen[name, extra] = ""  # fails as unknown
                continue
            seen[name, extra] = licence_of(package)
            needs = (Requirement(each) for each in package.requires or ())
            left += [n for n in needs if n.marker is None or n.marker.evaluate({"extra": extra})]
    return {name: licence for (name, _), licence in seen.items()}


def licence_of(package: Distribution) -> str:
    """The SPDX expression; else what the old field or the classifiers say, put into SPDX's words; else nothing."""
    # The old field may hold the text of a licence, or a word that is worth less than a classifier.
    stated = package.metadata.get_all("License-Expression", [])
    if not stated:
        old = [text for text in package.metadata.get_all("License", []) if len(text) < 40]
        classified = [
            text.rpartition(" :: ")[2]
            for text in package.metadata.get_all("Classifier", [])
            if text.startswith("License :: OSI Approved :: ")
        ]
        stated = [SPELLINGS.get(text, text) for text in (old or classified)]
    return " AND ".join(sorted(set(stated)))


def page(found: Mapping[str, tuple[str, list[str]]]) -> str:
    every = sum(1 for path in STYLES.glob("*.yml"))
    lines = [
        f"| {name} | {licence} | {'all' if len(styles) == every else ', '.join(styles)} |\n"
        for name, (licence, styles) in found.items()
    ]
    return HEAD + "".join(lines)


def main() -> None:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(packages(dependencies())))
    sys.stdout.write(f"{PAGE.relative_to(family.ROOT)} is written\n")


if __name__ == "__main__":
    main()
