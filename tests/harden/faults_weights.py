"""Downloads of a model that break off: a full disk, a hub that fails, a machine that goes. No start takes half a model."""

import os
import random
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from harden.faults_kit import Fault, Trial, finished
from harden.hub import Hub, hub
from harden.service import end

DOWNLOAD = [sys.executable, "-m", "myapi.weights"]
LOOK = """
import os
from pathlib import Path
from myapi import weights
print("whole:", weights.find(Path(os.environ["MODELS_DIR"])))
"""
FIND = [sys.executable, "-c", LOOK]
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "model.safetensors": random.Random(0).randbytes(400_000),  # noqa: S311
}


def broken_downloads(trial: Trial) -> str:
    """The download of a model breaks off. It ends with an error, the next start says that the model is not whole."""
    for style in trial.styles("inference"):
        project = trial.project(style)
        for what in ("full disk", "cut", "503", "killed"):
            with trial.case(what), hub(FILES) as server:
                models = project / f"models of {what}"
                environment = {**os.environ, **settings(server, models)}
                breaks_off(what, server, project, environment)
                code, printed = finished(FIND, project, environment)
                assert code != 0, f"half a model is taken for a whole one: {printed}"
                assert "ModelMissingError" in printed.splitlines()[-1], printed[-800:]
                assert "is not complete in" in printed, printed[-800:]
                server.fault = ""
                code, printed = finished(DOWNLOAD, project, environment)
                assert code == 0, f"a second try does not mend it: {printed[-800:]}"
                code, printed = finished(FIND, project, environment)
                assert code == 0, f"not whole after a second try: {printed[-800:]}"
                found = Path(printed.partition("whole: ")[2].strip())
                for name, content in FILES.items():
                    assert (found / name).read_bytes() == content, f"{name} differs"
    return "an error that says what, then `not complete … Download it:` at each start until it is whole"


def breaks_off(what: str, server: Hub, project: Path, environment: Mapping[str, str]) -> None:
    """Download in that way, and see that it says so."""
    if what == "killed":
        server.fault = "stall"
        run = subprocess.Popen(
            DOWNLOAD,
            cwd=project,
            env={**environment, "PYTHONPATH": str(project / "src")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert server.stalled.wait(30), "nothing was asked for"
            run.kill()
        finally:
            end(run)
        return
    command, said = DOWNLOAD, r"Error|Exception"
    if what == "full disk":
        command = ["bash", "-c", 'ulimit -f 200; exec "$@"', "bash", *DOWNLOAD]
        said = r"OSError: .*File too large|No space left"
    else:
        server.fault = "cut" if "cut" in what else what
    code, printed = finished(command, project, environment, 120)
    assert code not in (0, None), f"a broken download succeeds: {printed[-500:]}"
    assert re.search(said, "\n".join(printed.splitlines()[-5:])), (
        f"the end does not say why: {printed[-800:]}"
    )


def settings(server: Hub, models: Path) -> dict[str, str]:
    return {
        "HF_ENDPOINT": server.url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "5",
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": f"{models}.home",
        "MODELS_DIR": str(models),
        "NO_PROXY": "127.0.0.1",
    }


FAULTS = (Fault("download of a model breaks off", 4, 0, broken_downloads),)
