"""A model that does not load, and one that breaks while it writes."""

import os
import re
import shutil
import sys
from functools import partial
from pathlib import Path

import family
from harden.faults_kit import Fault, Trial, ask, finished, lines, wait_for
from harden.faults_start import CONTAINER
from harden.service import PROGRAM, Service, served
from projects import SECRETS

START = [sys.executable, "-c", CONTAINER["Inference"]]
# The tiny model of the project's own tests, kept.
KEEP = """
import os, shutil
from pathlib import Path

def test_keep(models_dir: Path) -> None:
    shutil.copytree(models_dir, os.environ["KEPT"], symlinks=True)
"""
# While the file is there, each step of the model fails.
FAILING = f"""
import os
import re
from pathlib import Path
from myapi import transformers_engine
forward = transformers_engine.TransformersEngine._forward
steps = 0
def fail(self, *arguments):
    global steps
    steps += 1
    if Path(os.environ["FAIL"]).exists() and steps % 5 == 0:
        raise RuntimeError("CUDA error: hunter2")
    return forward(self, *arguments)
transformers_engine.TransformersEngine._forward = fail
{PROGRAM}
"""


def no_model(trial: Trial) -> str:
    """The Volume is empty, or not there. No container starts; the last line says how to fill it."""
    for style in trial.styles("inference"):
        project = trial.project(style)
        (empty := project / "empty").mkdir()
        for what, folder in (("empty", empty), ("not there", project / "nowhere")):
            with trial.case(f"Volume is {what}"):
                environment = {**os.environ, "MODELS_DIR": str(folder), "MODEL_DEVICE": "cpu"}
                code, printed = finished(START, project, environment)
                assert code == 1, f"exit code {code}: {printed[-500:]}"
                last = printed.splitlines()[-1]
                assert "ModelMissingError" in last, f"the last line: {last}"
                assert "modal run -m myapi.modal_app::download_model" in last, f"no way out: {last}"
    return "exit code 1; the last line names the model, the folder and the command that fills it"


def broken_models(trial: Trial) -> str:
    """Files of the model are broken. No container starts; an error says which file or what is wrong with it."""
    breaks = {
        "config is not JSON": ("config.json", "cut", r"config.json|JSON"),
        "config of an unknown model": ("config.json", "unknown", r"no-such-model"),
        "weights are cut": ("model.safetensors", "cut", r"[Ss]afetensor"),
        "weights are empty": ("model.safetensors", "empty", r"[Ss]afetensor"),
        "tokenizer is not JSON": ("tokenizer.json", "cut", r"tokenizer|EOF|JSON|line \d"),
    }
    for style in trial.styles("inference"):
        project = trial.project(style)
        whole = tiny(project)
        for what, (name, how, _) in breaks.items():
            with trial.case(what):
                models = project / what
                shutil.copytree(whole, models, symlinks=True)
                (file,) = models.rglob(name)
                content = file.resolve().read_bytes()
                file.unlink()
                if how == "unknown":
                    file.write_bytes(
                        content.replace(b'"model_type": "', b'"model_type": "no-such-model-')
                    )
                else:
                    file.write_bytes(content[: len(content) // 2] if how == "cut" else b"")
                environment = {**os.environ, "MODELS_DIR": str(models), "MODEL_DEVICE": "cpu"}
                code, printed = finished(START, project, environment, 120)
                assert code == 1, f"exit code {code}: {printed[-500:]}"
                end = "\n".join(printed.splitlines()[-12:])

                assert re.search(breaks[what][2], end), f"does not say what: {end}"
    return "exit code 1, the error of the library that cannot read it"


def breaks(trial: Trial) -> str:
    """The model breaks in the middle of a text. Those who wait get an error, and the next are answered again."""
    for style in trial.styles("inference"):
        project = trial.project(style)
        fail = project / "fail"
        environment = {
            "MODELS_DIR": str(tiny(project)),
            "MODEL_DEVICE": "cpu",
            "FAIL": str(fail),
            "MAX_NEW_TOKENS": "64",
            "MAX_PROMPT_TOKENS": "64",
        }
        command = [sys.executable, "-c", FAILING]
        body = {"prompt": "one two", "max_new_tokens": 40}
        with served(project, command=command, **environment) as service:
            with trial.case("it works"):
                assert ask(service, "/generate", body).status == 200
            fail.touch()
            with trial.case("a stream ends with an error"):
                text = ask(service, "/generate", {**body, "stream": True}).body.decode()
                last = text.strip().split("\n\n")[-1]
                assert "event: error" in last, f"ends with {last}"
                assert "RuntimeError" in last, f"ends with {last}"
                assert "hunter2" not in text, text
            with trial.case("a whole answer is 500 or a 503 that says to come again"):
                answer = ask(service, "/generate", body)
                assert answer.status in (500, 503), answer
                assert b"hunter2" not in answer.body, answer
            fail.unlink()
            with trial.case("it works again"):
                wait_for("an answer", partial(answers, service, body), 20)
                assert ask(service, "/ready").status == 200
            with trial.case("the log tells"):
                told = [str(line["exception"]) for line in lines(service) if "exception" in line]
                assert any("hunter2" in each for each in told), "no traceback in the log"
    return "an error event, 500 or 503 meanwhile, then ready again; log: the traceback"


def answers(service: Service, body: object) -> bool:
    return ask(service, "/generate", body).status == 200


def tiny(project: Path) -> Path:
    """A folder of models with the one that the project's own tests make."""
    test = project / "tests" / "test_keep.py"
    test.write_text(KEEP)
    kept = project / "kept"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    environment = {**os.environ, **family.OWN_PLUGINS, **SECRETS, "KEPT": str(kept)}
    code, printed = finished(command, project, environment, 120)
    assert code == 0, f"no tiny model: {printed[-1500:]}"
    return kept


FAULTS = (
    Fault("no model in the Volume", 2, 2, no_model),
    Fault("files of the model are broken", 5, 0, broken_models),
    Fault("model breaks in the middle", 5, 0, breaks),
)
