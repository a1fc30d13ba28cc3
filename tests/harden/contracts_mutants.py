"""Services that break their contract, one way each: schemathesis must say so, or its silence means nothing."""

from collections.abc import Callable
from dataclasses import dataclass

import family
from harden.contracts_report import Report
from harden.report import Options, Row
from harden.service import Service, edit, render, served


@dataclass(frozen=True)
class Mutant:
    """A broken line, and what must be said of it.

    Attributes:
        file: of the package of the style `api`.
        old: stands there once.
        new: stands there instead.
        check: the one that must fail,
        operation: for this operation,
        message: with this in its message.
    """

    file: str
    old: str
    new: str
    check: str
    operation: str
    message: str


MUTANTS = (
    Mutant(
        "handlers.py",
        "    words = request.text.split()",
        "    assert request.max_length != 1\n    words = request.text.split()",
        "not_a_server_error",
        "POST /predict",
        "Server error",
    ),
    Mutant(
        "handlers.py",
        "    return Item(item_id=item_id, name=ITEMS[item_id])",
        "    return JSONResponse({'item_id': item_id, 'name': None})",
        "response_schema_conformance",
        "GET /items/{item_id}",
        "null is not of type",
    ),
    Mutant(
        "handlers.py",
        "    if item_id not in ITEMS:",
        "    if item_id > 99:\n        raise HTTPException(409)\n    if item_id not in ITEMS:",
        "status_code_conformance",
        "GET /items/{item_id}",
        "Received: 409",
    ),
    Mutant(
        "handlers.py",
        "class PredictRequest(BaseModel):",
        "class PredictRequest(BaseModel):\n    model_config = "
        "ConfigDict(json_schema_extra={'additionalProperties': False})",
        "negative_data_rejection",
        "POST /predict",
        "dditional",
    ),
    Mutant(
        "handlers.py",
        "max_length: int = Field(default=100, ge=1, le=1_000,",
        "max_length: Annotated[int, AfterValidator(small)] = Field(default=100, ge=1, le=1_000,",
        "positive_data_acceptance",
        "POST /predict",
        "",
    ),
    Mutant(
        "web.py",
        '        return {"status": "healthy"}',
        '        return PlainTextResponse("healthy")',
        "content_type_conformance",
        "GET /health",
        "text/plain",
    ),
    Mutant(
        "web.py",
        '    @app.get("/ready", tags',
        '    @app.put("/ready", include_in_schema=False)\n    @app.get("/ready", tags',
        "unsupported_method",
        "GET /ready",
        "",
    ),
    Mutant(
        "auth.py",
        "        return found\n",
        "        return found or 'anybody'\n",
        "ignored_auth",
        "POST /predict",
        "",
    ),
)
IMPORTS = {
    "handlers.py": (
        "from fastapi.responses import JSONResponse\n"
        "from pydantic import AfterValidator, ConfigDict\n\n"
        "def small(number: int) -> int:\n    if number > 900:\n        raise ValueError\n"
        "    return number\n"
    ),
    "web.py": "from fastapi.responses import PlainTextResponse\n",
}


def run(options: Options, fuzz: Callable[[Options, Service], Report]) -> Row:
    """All of them in one service: each breaks another operation, or another check of one."""
    project = render(options, "contracts mutants", style="api", auth="bearer")
    package = project / "src" / family.NAME
    for mutant in MUTANTS:
        edit(package / mutant.file, mutant.old, mutant.new)
    for name, imports in IMPORTS.items():
        file = package / name
        file.write_text(imports + file.read_text())
    with served(project) as service:
        violations = fuzz(options, service).violations.values()
    missed = [
        f"nobody sees {mutant.new.strip()!r} in {mutant.file}"
        for mutant in MUTANTS
        if not any(
            (each.check, each.operation) == (mutant.check, mutant.operation)
            and mutant.message in each.message
            for each in violations
        )
    ]
    caught = len(MUTANTS) - len(missed)
    return Row("contracts", "mutants", len(MUTANTS), 8, tuple(missed), f"{caught} caught")
