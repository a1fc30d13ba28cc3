"""Faults: a model that does not load, a full disk, a slow dependency, a client that leaves, a signal, a dead server.

Each is a function in one of the modules below; its docstring says what is broken, and what is seen of that. In the end
projects with one line broken go through the same functions: a fault that none of them notices is not looked for.
"""

from collections.abc import Iterator

from harden import (
    faults_clients,
    faults_drain,
    faults_http,
    faults_machine,
    faults_model,
    faults_server,
    faults_start,
    faults_weights,
)
from harden.faults_kit import Fault, Trial
from harden.faults_mutants import MUTANTS, survived
from harden.report import Options, Row

MODULES = (
    faults_start,
    faults_http,
    faults_machine,
    faults_clients,
    faults_drain,
    faults_server,
    faults_model,
    faults_weights,
)
FAULTS: dict[str, Fault] = {fault.name: fault for module in MODULES for fault in module.FAULTS}


def run(options: Options) -> Iterator[Row]:
    rows = []
    for fault in FAULTS.values():
        if options.full or fault.quick:
            rows.append(fault.row(Trial(options)))
            yield rows[-1]
    cases = sum(row.cases for row in rows)
    lost = sum(len(row.failures) for row in rows)
    yield Row(
        "faults",
        "faults survived",
        cases,
        100 if options.full else 60,
        (),
        f"{cases - lost} of {cases}",
    )
    mutants = {
        name: mutant
        for name, mutant in MUTANTS.items()
        if options.full or (mutant.quick and FAULTS[mutant.fault].quick)
    }
    missed = [
        f"{name}: nobody noticed ({saw})"
        for name, mutant in mutants.items()
        if (saw := survived(mutant, FAULTS[mutant.fault], options)) is not None
    ]
    yield Row(
        "faults",
        "mutants caught",
        len(mutants),
        12 if options.full else 2,
        tuple(missed),
        f"{len(mutants) - len(missed)} of {len(mutants)}",
    )
