"""Faults: a model that does not load, a full disk, a slow dependency, a client that leaves, a signal, a dead server.

Each is a function in one of the modules below; its docstring says what is broken, and what is seen of that. In the end
projects with one line broken go through the same functions: a fault that none of them notices is not looked for.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from harden import (
    faults_clients,
    faults_drain,
    faults_http,
    faults_machine,
    faults_model,
    faults_server,
    faults_start,
    faults_tokens,
    faults_weights,
)
from harden.faults_kit import Fault, Trial
from harden.faults_mutants import MUTANTS, survives
from harden.report import Options, Row

MODULES = (
    faults_start,
    faults_tokens,
    faults_http,
    faults_machine,
    faults_clients,
    faults_drain,
    faults_server,
    faults_model,
    faults_weights,
)
FAULTS: dict[str, Fault] = {fault.name: fault for module in MODULES for fault in module.FAULTS}


# Most of the time a fault waits for something.
AT_ONCE = 3


def run(options: Options) -> Iterator[Row]:
    faults = [fault for fault in FAULTS.values() if options.full or fault.quick]
    mutants = {name: mutant for name, mutant in MUTANTS.items() if options.full or mutant.quick}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        saw = {
            name: pool.submit(survives, mutant, FAULTS[mutant.fault], options)
            for name, mutant in mutants.items()
        }
        rows = []
        for row in pool.map(lambda fault: fault.row(Trial(options)), faults):
            rows.append(row)
            yield row
        missed = [f"{name}: {why}" for name, each in saw.items() if (why := each.result())]
    cases = sum(row.cases for row in rows)
    kept = cases - sum(len(row.failures) for row in rows)
    least = 180 if options.full else 60
    yield Row("faults", "faults survived", cases, least, (), f"{kept} of {cases}")
    least = 16 if options.full else 4
    said = f"{len(mutants) - len(missed)} of {len(mutants)}"
    yield Row("faults", "mutants caught", len(mutants), least, tuple(missed), said)
