"""What is public stays: questions, choice values, paths and starter code of each release; and the least Copier and Modal.

What a release may break, and how it says so, stands in CHANGELOG.md.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

import family
import releases
from updates import switches

LEAST_RELEASES = 3
STARTERS = (
    "/handlers.py",
    "/settings.py",
    "/test_handlers.py",
    "/examples/client.py",
    "/test_client.py",
)
# Starter code that was released, then changed all the same: its path, the SHA-256 of what it is now, and why.
CHANGED_STARTERS: Mapping[str, tuple[str, str]] = {
    "template/{{ api }}/src/{{ package_name }}/settings.py": (
        "f42d767324eec6f926dc9de91be42bf88ec9406face00de112e674758978b328",
        "1.3.0: limits of requests at once and of their time, hosts; unset, nothing changes",
    ),
    "template/{{ django }}/src/{{ package_name }}/settings.py": (
        "b0476d91b110b4023cde2dc9981bc41cb5728b8b7f9a1c5b3b079dc9ed97c234",
        "1.3.0: limits of requests at once and of their time, hosts; unset, nothing changes",
    ),
    "template/{{ flask }}/src/{{ package_name }}/settings.py": (
        "bbe676be8c94e8d971ce5eb6d508ac1e2780284a2526b750fc929b3769b73b42",
        "1.3.0: limits of requests at once and of their time, hosts; unset, nothing changes",
    ),
    "template/{{ inference }}/src/{{ package_name }}/handlers.py": (
        "3386c462ceaff7e9db8998c37e1a17fdb4b5eac7a6903c55c38a0492526bee82",
        "1.3.0: streams, and takes a seed; the old one works as before",
    ),
    "template/{{ inference }}/src/{{ package_name }}/settings.py": (
        "8bb13999613f620c8f904f4960f8c450433a748b5fd3834bc6b07463202cb0e0",
        "1.4.0: what a Modal Server does, in comments; 1.3.0: limits, hosts; unset, nothing changes",
    ),
    "template/{{ inference }}/tests/test_handlers.py": (
        "8cf39138c6d55c489dfad641138eaaabb963509e5c48778f8f7754289afef0f7",
        "1.3.0: the tests of that",
    ),
    "template/{{ starter }}/src/{{ package_name }}/handlers.py": (
        "83a9a0de8d4373c93a4896838ccbffda26ad8b69726b19a2e1e233abbc4ef7e7",
        "1.3.0: no busy loop without descriptors, no query in the log",
    ),
    "template/{{ streamlit }}/src/{{ package_name }}/handlers.py": (
        "ab0768f22e8e773bd2f69242f24fdf9375a33ae10e85fafd9fdef338c910287a",
        "1.4.0: reads a file that is uploaded; an old one stays with its old page",
    ),
    "template/{{ streamlit }}/tests/test_handlers.py": (
        "34ea8d65f7cf0c9941f5344ddc4fc62d10b23fbb4458341f807c539385ced21e",
        "1.4.0: the tests of that",
    ),
    "template/{{ websocket }}/src/{{ package_name }}/settings.py": (
        "1d610cf4f1f7dc8808ad937fd055a09303c6a10dcd56e1cf04a69ec9aed1cb15",
        "1.4.0: what a Modal Server does, in comments; 1.3.0: limits, hosts; unset, nothing changes",
    ),
}


@dataclass(frozen=True)
class Interface:
    """What a version of the template promises.

    Attributes:
        choices: each question that is asked, with the values it offers, if it does.
        paths: files of the template; whether one is rendered or copied is nobody's business.
        starters: SHA-256 of each file that is the owner's once it is rendered.
        minimum: the lowest Copier and Modal.
    """

    choices: Mapping[str, set[str]]
    paths: set[str]
    starters: Mapping[str, str]
    minimum: Mapping[str, tuple[int, ...]]


def interface(files: Mapping[str, bytes]) -> Interface:
    """Read it from the files of a version."""
    settings = yaml.safe_load(files["copier.yml"])
    asked = {
        name: {str(value) for value in values(question)}
        for name, question in settings.items()
        if not name.startswith("_") and question.get("when") is not False
    }
    template = {
        name.removesuffix(".jinja"): content
        for name, content in files.items()
        if name.startswith("template/")
    }
    (modal,) = re.findall(rb"modal>=([0-9.]+),<", files["template/pyproject.toml.jinja"])
    return Interface(
        choices=asked,
        paths=set(template),
        starters={
            name: hashlib.sha256(content).hexdigest()
            for name, content in template.items()
            if name.endswith(STARTERS)
        },
        minimum={
            "Copier": releases.ordered(settings["_min_copier_version"]),
            "Modal": releases.ordered(modal.decode()),
        },
    )


def values(question: Mapping[str, Any]) -> list[Any]:
    choices = question.get("choices", [])
    listed = choices.values() if isinstance(choices, dict) else choices
    return [choice["value"] if isinstance(choice, dict) else choice for choice in listed]


def committed(commit: str) -> Mapping[str, bytes]:
    names = releases.git(
        family.ROOT, "ls-tree", "-r", "--name-only", "-z", commit, "template", "copier.yml"
    )
    return {
        name: f"{releases.git(family.ROOT, 'show', f'{commit}:{name}')}\n".encode()
        for name in filter(None, names.split("\0"))
    }


def working() -> Mapping[str, bytes]:
    listed = releases.git(
        family.ROOT,
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
        "template",
        "copier.yml",
    )
    return {
        name: f"{(family.ROOT / name).read_text().rstrip(chr(10))}\n".encode()
        for name in filter(None, listed.split("\0"))
        if (family.ROOT / name).is_file()
    }


def broken(old: Interface, new: Interface) -> list[str]:
    """The promises of `old` that `new` does not keep, a sentence each."""
    found = [f"the question {name} is gone" for name in old.choices.keys() - new.choices.keys()]
    for name in old.choices.keys() & new.choices.keys():
        gone = old.choices[name] - new.choices[name]
        found += [f"{name} no longer offers {value}" for value in sorted(gone)]
    found += [f"{path} has moved or is gone" for path in sorted(old.paths - new.paths)]
    for path, digest in old.starters.items():
        now = new.starters.get(path, "")
        if digest != now and CHANGED_STARTERS.get(path, ("", ""))[0] != now:
            found.append(
                f"{path} is starter code, and changed: say why in CHANGED_STARTERS, with {now}"
            )
    return found


@pytest.fixture(scope="module")
def past() -> Mapping[str, Interface]:
    found = releases.released()
    assert len(found) >= LEAST_RELEASES, "too few releases: this proves nothing"
    return {version: interface(committed(commit)) for version, commit in found.items()}


def test_what_was_released_is_still_there(past: Mapping[str, Interface]) -> None:
    now = interface(working())
    assert len(now.choices) >= 30
    assert len(now.paths) >= 90
    assert len(now.starters) >= 32
    for version, old in past.items():
        assert not broken(old, now), f"since {version}"


def test_a_higher_minimum_is_called_breaking(past: Mapping[str, Interface]) -> None:
    now = interface(working()).minimum
    latest = max(past, key=releases.ordered)
    raised = [f"{name} {now[name]}" for name in now if now[name] > past[latest].minimum[name]]
    assert not raised or releases.BREAKING in releases.notes("Unreleased"), raised


QUESTIONS = b"""
_min_copier_version: "9.18.0"
style: {type: str, choices: {"an api": api, "a job": {value: job}}}
port: {type: int}
hidden: {type: str, when: false}
"""
OLD = {
    "copier.yml": QUESTIONS,
    "template/pyproject.toml.jinja": b'"modal>=1.6.4,<1.7"\n',
    "template/{{ api }}/handlers.py": b"A = 1\n",
    "template/{{ api }}/examples/client.py": b"C = 1\n",
    "template/{{ pipelines }}/ci/client.py": b"D = 1\n",
    "template/{{ api }}/web.py": b"B = 1\n",
}
BROKEN = {
    "a question": ("copier.yml", b"port:", b"server_port:", "the question port is gone"),
    "a hidden question": (
        "copier.yml",
        b"{type: int}",
        b"{type: int, when: false}",
        "the question port is gone",
    ),
    "a value": ("copier.yml", b'"an api": api', b'"an api": API', "style no longer offers api"),
    "a nested value": ("copier.yml", b"value: job", b"value: jobs", "style no longer offers job"),
    "starter code": (
        "template/{{ api }}/handlers.py",
        b"A = 1",
        b"A = 2",
        "is starter code, and changed",
    ),
    "the code that calls it": (
        "template/{{ api }}/examples/client.py",
        b"C = 1",
        b"C = 2",
        "is starter code, and changed",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_each_broken_promise_is_seen(what: str) -> None:
    name, text, instead, words = BROKEN[what]
    new = {**OLD, name: OLD[name].replace(text, instead)}
    assert new != OLD
    (problem,) = broken(interface(OLD), interface(new))
    assert words in problem


def test_a_moved_file_is_seen_and_a_new_suffix_is_none() -> None:
    moved = {
        ("template/{{ asgi }}/web.py" if "web" in name else name): text
        for name, text in OLD.items()
    }
    assert broken(interface(OLD), interface(moved)) == [
        "template/{{ api }}/web.py has moved or is gone"
    ]
    suffixed = {(f"{name}.jinja" if "web" in name else name): text for name, text in OLD.items()}
    assert not broken(interface(OLD), interface(suffixed))


def test_what_may_change_may_change() -> None:
    new = {
        **OLD,
        "copier.yml": QUESTIONS.replace(b"an api", b"an API").replace(b"hidden", b"computed")
        + b"more: {type: str}\n",
        "template/{{ api }}/web.py": b"B = 2\n",
        "template/{{ pipelines }}/ci/client.py": b"D = 2\n",
        "template/new.txt": b"new\n",
    }
    assert not broken(interface(OLD), interface(new))


def test_every_question_is_remembered_and_changed_by_the_update_tests() -> None:
    asked = {
        name for name, question in family.questions().items() if question.get("when") is not False
    }
    recalled = re.findall(
        r"^  '(\w+)': \1,$", (family.ROOT / "includes/given.jinja").read_text(), re.MULTILINE
    )
    assert set(recalled) == asked, "includes/given.jinja: what is not in it changes in silence"
    assert switches.OTHERS.keys() | {*family.KIND} == asked
