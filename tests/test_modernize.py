"""hooks/modernize.py: old code becomes what the installed Modal client takes, and nothing else is touched.

Cases lie in modernize/*.txt: `### what it is | how the old code fails | what a person is told`, the old code, and
after `---` the new code where it differs. Code that imports nothing starts with PRELUDE.
"""

import ast
import codecs
import importlib.util
import os
import re
import stat
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import family
import slices

sys.path.insert(0, str(family.ROOT / "hooks"))
import modernize

FOLDER = Path(__file__).parent / "modernize"
SCRIPT = family.ROOT / "hooks" / "modernize.py"
PRELUDE = 'import modal\n\nN = 5\napp = modal.App("a")\n\n'
FINE, ALONE = "fine", "alone"  # the old code imports without a warning; it cannot be tried alone
TABLES = ("NAMES", "KEYWORDS", "LOOKUP_KEYWORDS", "LISTS", "METHODS", "GPUS", "DROPPED", "LOOK")
RULES = [(table, rule) for table in TABLES for rule in getattr(modernize, table)]


class Case(NamedTuple):
    name: str
    fails: str
    looks: tuple[str, ...]
    old: str
    new: str


def read_cases() -> Iterator[Case]:
    for file in sorted(FOLDER.glob("*.txt")):
        for text in re.split(r"^### ", file.read_text(), flags=re.MULTILINE)[1:]:
            head, _, code = text.partition("\n")
            name, fails, *looks = re.split(r" \| ", head)
            old, _, new = f"{code.strip()}\n".partition("\n---\n")
            prelude = "" if re.search(r"^(from|import) ", old, re.MULTILINE) else PRELUDE
            old = f"{prelude}{old.rstrip()}\n"
            yield Case(name, fails, tuple(looks), old, f"{prelude}{new}" if new else old)


CASES = list(read_cases())
by_name = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the cases speak of, and nothing of Modal's account."""
    (tmp_path / "common.py").write_text('import modal\n\napp = stub = modal.App("common")\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "a.txt").touch()
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in os.environ if name.startswith("MODAL_")]:
        monkeypatch.delenv(name)
    sys.modules.pop("common", None)
    return tmp_path


def imports(folder: Path, code: str) -> str:
    """Import code against the installed client, warnings as errors; say what kind of error came of it."""
    path = folder / "imported.py"
    path.write_text(code)
    specification = importlib.util.spec_from_file_location("imported", path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("error")
        patch.setitem(sys.modules, "imported", module)
        try:
            specification.loader.exec_module(module)
        except Exception as error:  # noqa: BLE001
            return type(error).__name__
    return ""


def is_right(case: Case) -> bool:
    code, notes = modernize.modernize(case.old.encode())
    told = [note.text for note in notes if note.kind == "look"]
    return (
        code.decode() == case.new
        and len(told) == len(case.looks)
        and all(any(text.startswith(look) for text in told) for look in case.looks)
        and any(note.kind == "changed" for note in notes) == (case.old != case.new)
    )


def test_there_are_enough_cases() -> None:
    assert len(CASES) == len({case.name for case in CASES})
    needed = [case for case in CASES if case.fails not in (FINE, ALONE)]
    changed = [case for case in CASES if case.old != case.new]
    assert len(CASES) >= 100
    assert len(needed) >= 60
    assert len(changed) >= 50


@by_name
def test_old_code_fails_and_new_code_does_not(place: Path, case: Case) -> None:
    if case.fails != ALONE:
        assert re.fullmatch("" if case.fails == FINE else case.fails, imports(place, case.old))
    if not case.looks and modernize.SEEN not in case.old:
        assert imports(place, case.new) == ""


@by_name
def test_code_becomes_what_it_should_and_then_stays(case: Case) -> None:
    code, notes = modernize.modernize(case.old.encode())
    assert code.decode() == case.new
    assert is_right(case), notes
    ast.parse(code)
    again, left = modernize.modernize(code)
    assert again == code
    assert all(note.kind == "look" for note in left)


@pytest.mark.parametrize(("table", "rule"), slices.taken(RULES))
def test_each_rule_is_needed(monkeypatch: pytest.MonkeyPatch, table: str, rule: str) -> None:
    likely = sorted(CASES, key=lambda case: re.sub(r"\W|modal|app", "", rule) not in case.old)
    monkeypatch.delitem(getattr(modernize, table), rule)
    assert not all(is_right(case) for case in likely), "no case needs this rule"


# What the code itself claims: text of the script, and what to put there to break it.
MUTANTS = {
    "what names mean": (
        "source = metadata.QualifiedNameSource.IMPORT",
        "source = metadata.QualifiedNameSource.LOCAL",
    ),
    "apps of this file": ("bool(self.local(node) & self.apps)", "False"),
    "apps of other files": ('in ("app", "stub") for name', "in () for name"),
    "apps from nowhere": ("origins = {node.value}", "pass"),
    "no method of another library": ("(ours or not origins)", "True"),
    "names taken by others": ("self._source(b) != {full}", "False"),
    "no name twice": ("(new in there and not alias.asname) or", ""),
    "lines of their own": ("if rest and not indent.strip():  #", "if False:  #"),
    "comments that stay": ("if rest[2] and item not in self.moved", "if False"),
    "comments that move": ('(b"  " + comment if comment else b"")', 'b""'),
    "comments before the last": ('b"#" in self.text[begin:start]', "False"),
    "arguments at the end": ("elif item is gone[-1]:", "elif False:"),
    "arguments before a line break": ('if b"\\n" in self.text[end:following]:', "if False:"),
    "the form of added arguments": ("if rest and rest[1] and not indent.strip():", "if False:"),
    "imports that nothing uses": ("fails and uses <= self.settled", "False"),
    "imports that something uses": ("fails and uses <= self.settled", "fails"),
    "an import's comment": ("rest and not rest[2] and not", "rest and not"),
    "concurrency that is there already": ('"" if "modal.concurrent" in names else', ""),
    "modal under another meaning": ('if self._is_taken("modal", "modal"):', "if False:"),
    "a dictionary's other uses": ("and uses <= self.spread", ""),
    "a dictionary's other keys": ("if len(keys) == len(node.elements)", "if True"),
    "single use": ('keyword == "max_inputs" and value == "1"', "False"),
    "one secret where it is one": ('keyword != "secret" or', "True or"),
    "retries of web functions only": ('"retries" and names & WEB', '"retries"'),
    "the limits of a window": ("not 2 <= number <= 3600", "False"),
    "absolute paths": ('.startswith("/"):', '.startswith(""):'),
    "the size of a GPU": ("removesuffix('GB')", "removesuffix('B')"),
    "places that a person has seen": ("if key in LOOK and not seen:", "if key in LOOK:"),
}


def load(source: str) -> None:
    exec(compile(source, str(SCRIPT), "exec"), vars(modernize))  # noqa: S102


@pytest.mark.parametrize("name", slices.taken(MUTANTS))
def test_each_mutant_is_caught(name: str) -> None:
    source = SCRIPT.read_text()
    old, new = MUTANTS[name]
    # Formatting breaks lines where it likes.
    pattern = r"\s*".join(map(re.escape, re.findall(r"\w+|\S", old)))
    mutant, found = re.subn(pattern, lambda _: new, source)
    assert found == 1, f"found {found} times: {old}"
    try:
        load(mutant)
        with pytest.raises(Exception, match="wrong: "):
            judge()
    finally:
        load(source)
    assert is_right(CASES[0])


def judge() -> None:
    for case in CASES:
        try:
            right = is_right(case)
        except Exception as error:
            raise ValueError(f"wrong: {case.name}") from error
        if not right:
            raise ValueError(f"wrong: {case.name}")


# The code that people first wrote, and what it takes from its surroundings.
APP = "import modal\nfrom fastapi import FastAPI\napp = modal.App('a')\nweb_app = FastAPI()\n"
SEED = {
    "configuration_options": APP,
    "custom_authentication": "import os\n",
    "custom_domains": APP,
    "custom_web_server": "",
    "fastapi_with_gpu_ml_inference": "",
    "flask_application_wsgi": "def process(text): return text\n",
    "full_fastapi_application": "def process(text): return text\n",
    "proxy_auth_token": APP,
    "simple_fastapi_endpoint": "",
    "websocket_support": "",
}


@pytest.mark.parametrize("name", SEED)
def test_the_first_code_imports_afterwards(tmp_path: Path, name: str) -> None:
    snippet = tmp_path / f"{name}.py"
    snippet.write_bytes((FOLDER / "seed" / f"{name}.py").read_bytes())
    modernize.main([str(snippet)])
    snippet.write_text(SEED[name] + snippet.read_text())
    python = [sys.executable, "-W", "error", name + ".py"]
    done = subprocess.run(python, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_all_of_the_first_code_is_there_and_some_of_it_was_old(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert {path.stem for path in (FOLDER / "seed").glob("*.py")} == set(SEED)
    assert modernize.main(["--check", str(FOLDER / "seed")]) == 1
    printed = capsys.readouterr().out
    assert "Changes: 3. To look at: 1. Files: 10." in printed
    assert "custom_web_server.py:9: look: subprocess.run never returns" in printed


# --- the command ---

OLD = b"import modal\napp = modal.App()\n\n\n@app.function(keep_warm=1)\ndef f(): ...\n"
NEW = OLD.replace(b"keep_warm", b"min_containers")
BROKEN = b"import modal\n<<<<<<< before\n"


def test_a_run_writes_and_says_what_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "src" / "app.py"
    file.parent.mkdir()
    file.write_bytes(OLD)
    file.chmod(0o750)
    assert modernize.main([str(tmp_path)]) == 0
    assert file.read_bytes() == NEW
    assert stat.S_IMODE(file.stat().st_mode) == 0o750
    assert list(tmp_path.rglob("*")) == [file.parent, file]
    assert capsys.readouterr().out.splitlines() == [
        f"{file}:5: changed: keep_warm= -> min_containers=",
        "Changes: 1. To look at: 0. Files: 1.",
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [(OLD, 1), (NEW, 0), (b"import modal\nmodal.Mount\n", 1), (b"x = 1\n", 0), (b"", 0)],
)
def test_check_writes_nothing_and_tells_by_its_exit_code(
    tmp_path: Path, content: bytes, code: int
) -> None:
    file = tmp_path / "app.py"
    file.write_bytes(content)
    assert modernize.main(["--check", str(file)]) == code
    assert file.read_bytes() == content


def test_a_place_to_look_at_does_not_fail_a_run(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_bytes(b"import modal\nmodal.Mount\n")
    assert modernize.main([str(tmp_path)]) == 0


def test_diff_writes_nothing_and_git_applies_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("app.py")
    file.write_bytes(OLD.rstrip(b"\n"))
    assert modernize.main(["--diff", "app.py"]) == 0
    assert file.read_bytes() == OLD.rstrip(b"\n")
    patch = capsys.readouterr().out
    subprocess.run(["git", "apply"], input=patch, text=True, check=True)
    assert file.read_bytes() == NEW.rstrip(b"\n")


def test_diff_and_check_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "app.py"
    file.write_bytes(OLD)
    assert modernize.main(["--diff", "--check", str(file)]) == 1
    printed = capsys.readouterr().out
    assert "+@app.function(min_containers=1)\n" in printed
    assert "Changes: 1." in printed


def test_what_is_not_python_is_named_and_the_rest_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"a.py": BROKEN, "b.py": b"import modal\n\xff\n", "c.py": OLD}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert modernize.main([str(tmp_path)]) == 2
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [
        BROKEN,
        files["b.py"],
        NEW,
    ]
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"{tmp_path / 'a.py'} is left as it is, because it is not Python: ")
    assert second.startswith(f"{tmp_path / 'b.py'} is left as it is, because it is not Python: ")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "does not exist."),
        ("notes.txt", "is not a .py file."),
        ("empty", "holds no .py file."),
    ],
)
def test_paths_that_hold_no_python(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    (tmp_path / "notes.txt").touch()
    for folder in ("empty/.venv", "empty/node_modules"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "app.py").write_bytes(OLD)
    assert modernize.main([str(tmp_path / name)]) == 2
    assert capsys.readouterr().err == f"{tmp_path / name} {message}\n"


def test_a_failure_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_bytes(OLD)
    replace = os.replace

    def full_at_first(source: Path, target: Path) -> None:
        if target.name == "a.py":
            raise OSError("No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full_at_first)
    assert modernize.main([str(tmp_path)]) == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a.py": OLD,
        "b.py": NEW,
    }
    printed = capsys.readouterr()
    assert printed.err.endswith("cannot be written: No space left on device\n")
    assert "a.py" not in printed.out


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_bytes(OLD)
    (tmp_path / "link.py").symlink_to("app.py")
    assert modernize.main([str(tmp_path / "link.py")]) == 0
    assert (tmp_path / "link.py").is_symlink()
    assert (tmp_path / "app.py").read_bytes() == NEW


@pytest.mark.parametrize(
    "change",
    [
        lambda code: code.replace(b"\n", b"\r\n"),
        lambda code: codecs.BOM_UTF8 + code,
        lambda code: b"# -*- coding: latin-1 -*-\n# \xe9t\xe9\n" + code,
        lambda code: b'# \xc3\xa9t\xc3\xa9\nS = "\xf0\x9f\x8e\x89"; ' + code,
        lambda code: code.rstrip(b"\n"),
        lambda code: b"if True:\n\tpass\n\x0c\n" + code,
    ],
    ids=["CRLF", "BOM", "Latin-1", "UTF-8", "no last line break", "tabs and form feeds"],
)
def test_bytes_stay_as_they_are(change: Callable[[bytes], bytes]) -> None:
    assert modernize.modernize(change(OLD))[0] == change(NEW)


def test_added_lines_end_as_the_others(tmp_path: Path) -> None:
    old = OLD.replace(b"keep_warm=1", b"allow_concurrent_inputs=2").replace(b"\n", b"\r\n")
    new, _ = modernize.modernize(old)
    assert b"@app.function()\r\n@modal.concurrent(max_inputs=2)\r\ndef" in new
    assert new.count(b"\n") == new.count(b"\r\n")


def test_it_runs_as_a_script_with_what_it_says_it_needs(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_bytes(OLD)
    command = ["uv", "run", "--quiet", "--script", str(SCRIPT), "--check", "app.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "keep_warm= -> min_containers=" in done.stdout
