"""No file of a project holds what looks like a secret: detect-secrets, and the tokens of those that projects talk to."""

import re
import secrets
import string
from collections.abc import Iterator

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings

from harden.report import Options, Row
from harden.supply_files import File, Files, lay

ALPHANUMERIC = string.ascii_letters + string.digits
TOKENS = {
    "Modal": r"\b(?:ak|as|wk|ws)-[A-Za-z0-9]{16,}\b",
    "Hugging Face": r"\bhf_[A-Za-z0-9]{20,}\b",
    "OpenAI": r"\bsk-[A-Za-z0-9_-]{20,}",
    "AWS": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "GitHub": r"\b(?:gh[opsur]_[A-Za-z0-9]{36}|github_pat_\w{22,})\b",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
}
# Lines that only look so: (what is in the line, why it is none).
ALLOWED = (
    (
        'api_key="none is needed"',
        "what README gives to OpenAI's client where nobody asks for a key",
    ),
    (
        '"Modal-Secret": "MODAL_SECRET"}',
        "the name of a variable, from which clients read what Modal's proxy asks for",
    ),
    ('"Modal-Secret": "ws-1"', "what the clients' tests take for it"),
    ('"test-" + "0123456789" * 5', "the key of Django's tests, which the deployment never sees"),
)


def run(options: Options, files: Files) -> Iterator[Row]:
    found = [f"{path}: {line}" for (path, _), line in findings(options, "secrets", files)]
    unused = [text for text, _ in ALLOWED if not any(text in content for _, content in files)]
    failures = (*found, *(f"an exception that nothing needs: {text}" for text in unused))
    outcome = f"{len(ALLOWED)} exceptions, each with its reason"
    yield Row("supply", "secrets", len(files), 200, failures, outcome)
    planted = dict(plants())
    seen = {file for file, _ in findings(options, "planted", frozenset(planted.values()))}
    missed = tuple(f"not seen: {what}" for what, file in planted.items() if file not in seen)
    outcome = f"{len(planted) - len(missed)} mutants caught"
    yield Row("supply", "secrets, planted", len(set(planted.values())), 20, missed, outcome)


def findings(options: Options, name: str, files: Files) -> Iterator[tuple[File, str]]:
    """Each line that looks like a secret and is not allowed, without the secret."""
    laid = lay(options.folder / name, files)
    collection = SecretsCollection()
    with default_settings():  # offline: nothing is tried out
        for path in laid:
            collection.scan_file(str(path))
    suspects = {(path, (p.line_number, p.type)) for path, p in collection}
    for path, file in laid.items():
        lines = file[1].splitlines()
        said = {each for where, each in suspects if where == str(path)}
        for number, line in enumerate(lines, start=1):
            said |= {(number, who) for who, token in TOKENS.items() if re.search(token, line)}
        for number, who in sorted(said):
            if not any(text in lines[number - 1] for text, _ in ALLOWED):
                yield file, f"line {number} looks like a secret: {who}"


def plants() -> Iterator[tuple[str, File]]:
    """A made-up secret of each kind, where people leave them."""

    def some(length: int, letters: str = ALPHANUMERIC) -> str:
        return "".join(secrets.choice(letters) for _ in range(length))

    made = {
        "Modal's token id": "ak-" + some(22),
        "Modal's token secret": "as-" + some(22),
        "Modal's proxy key": "wk-" + some(22),
        "Modal's proxy secret": "ws-" + some(22),
        "Hugging Face's": "hf_" + some(34),
        "OpenAI's": "sk-proj-" + some(48),
        "AWS's": "AKIA" + some(16, string.ascii_uppercase + string.digits),
        "GitHub's": "ghp_" + some(36),
        "GitHub's fine-grained": "github_pat_" + some(22) + "_" + some(59),
        "a private key": "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
        "random": secrets.token_hex(32),
    }
    for what, secret in made.items():
        for path, line in {
            "src/myapi/settings.py": f'TOKEN = "{secret}"\n',
            ".github/workflows/ci.yml": f'env:\n  TOKEN: "{secret}"\n',
            "README.md": f"```bash\nexport TOKEN={secret}\n```\n",
        }.items():
            if what != "random" or path.endswith((".py", ".yml")):
                yield f"{what} in {path}", (path, line)
