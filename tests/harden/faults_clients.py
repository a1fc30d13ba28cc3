"""Clients that leave before they are answered."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from harden.faults_kit import Fault, Trial, ask, lines, opened, wait_for
from harden.service import Service, served

ENGINE = """
from myapi import serve
from myapi.broken import BrokenEngine
from myapi.web import create_app
serve.load = lambda: create_app(BrokenEngine())
serve.main()
"""
SERVE_ENGINE = [sys.executable, "-c", ENGINE]
LONG = {"prompt": "go on", "max_new_tokens": 100}


def leaves_the_model(trial: Trial) -> str:
    """A client of the model leaves, while its text streams or before it came. The work stops, and its place is free."""
    for style in trial.styles("inference"):
        project = trial.project(style, {"broken.py": "engine.py"})
        with served(project, command=SERVE_ENGINE) as service:
            paths = {
                "/generate": LONG,
                "/v1/completions": {
                    "model": "Qwen/Qwen2.5-0.5B-Instruct",
                    "prompt": "go on",
                    "max_tokens": 100,
                },
            }
            for path, body in paths.items():
                for stream in (True, False):
                    with trial.case(f"{path} {'in a stream' if stream else 'while it waits'}"):
                        before = len(freed(service))
                        with opened(service, path, {**body, "stream": stream}) as connection:
                            if stream:
                                assert b"200" in connection.recv(100)
                            time.sleep(0.5)
                        wait_for("its place is free", partial(more, service, before), 3)
                        assert freed(service)[-1] == {"ended": False, "working": 0}, freed(service)
            with trial.case("both places are free again"), ThreadPoolExecutor(2) as pool:
                short = {"prompt": "go on", "max_new_tokens": 3}
                both = [pool.submit(ask, service, "/generate", short) for _ in range(2)]
                assert [each.result().status for each in both] == [200, 200]
    return "the work is cancelled within a step, and its slot is free; log: freed before the end"


def freed(service: Service) -> list[dict[str, object]]:
    return [
        {"ended": line["ended"], "working": line["working"]}
        for line in lines(service)
        if line["message"] == "freed"
    ]


def more(service: Service, before: int) -> bool:
    return len(freed(service)) > before


def leaves(trial: Trial) -> str:
    """A client leaves in the middle of a long answer. The answer stops, and others are served."""
    for style in trial.styles("api"):
        project = trial.project(style, {"handlers.py": f"{style}.py"})
        with served(project) as service:
            with trial.case(f"{style} in a stream"):
                with opened(service, "/stream?pieces=100") as connection:
                    assert b"200" in connection.recv(100)
                    time.sleep(0.3)
                wait_for("the stream ends", lambda: sent(service), 3)
                assert sent(service)[0] < 20, sent(service)
            with trial.case(f"{style} while it waits"):
                with opened(service, "/slow?seconds=1"):
                    time.sleep(0.2)
                wait_for("an access line", lambda: "/slow" in service.log.read_text(), 5)
                assert "Traceback" not in service.log.read_text(), "a traceback for nothing"
            with trial.case(f"{style} goes on"):
                assert ask(service, "/ok").status == 200
    for style in trial.styles("flask", "django", quick=0):
        project = trial.project(style, {"handlers.py": f"{style}.py"})
        with served(project) as service, trial.case(f"{style}, 30 clients"):
            for _ in range(30):
                with opened(service, "/stream?pieces=20") as connection:
                    assert connection.recv(10)
            wait_for("30 access lines", partial(came, service, 30), 20)
            assert "Traceback" not in service.log.read_text(), "a traceback for nothing"
            assert ask(service, "/ok").status == 200
    wsgi = ", one of WSGI goes on to its end" if trial.options.full else ""
    return f"a stream of ASGI stops at once{wsgi}; no traceback, others are served"


def came(service: Service, count: int) -> bool:
    return len(access(service)) >= count


def sent(service: Service) -> list[int]:
    return [line["sent"] for line in lines(service) if line["message"] == "stream"]


def access(service: Service) -> list[dict[str, object]]:
    return [line for line in lines(service) if line["message"] == "request"]


def engine_fails(trial: Trial) -> str:
    """The engine fails in the middle of a text. The stream ends with an error event, never with the error itself."""
    for style in trial.styles("inference"):
        project = trial.project(style, {"broken.py": "engine.py"})
        with served(project, command=SERVE_ENGINE) as service:
            for prompt, said in (("fail", "OutOfMemoryError"), ("raise", "Internal server error")):
                model = {"model": "Qwen/Qwen2.5-0.5B-Instruct", "prompt": prompt}
                for path, body in (("/generate", {"prompt": prompt}), ("/v1/completions", model)):
                    with trial.case(f"{path} {prompt} in a stream"):
                        answer = ask(service, path, {**body, "stream": True})
                        text = answer.body.decode()
                        last = text.strip().split("\n\n")[-1]
                        assert answer.status == 200, answer
                        assert said in last, f"ends without an error: {last}"
                        assert "error" in last, last
                        assert "hunter2" not in text, text
                    with trial.case(f"{path} {prompt}"):
                        answer = ask(service, path, body)
                        assert answer.status == 500, answer
                        assert said in answer.body.decode(), answer
                        assert b"hunter2" not in answer.body, answer
            with trial.case("places are free again"):
                assert freed(service)[-1]["working"] == 0, freed(service)
                assert len(freed(service)) == 8, freed(service)
                assert ask(service, "/generate", {"prompt": "go on"}).status == 200
            with trial.case("the log tells"):
                assert "hunter2" in service.log.read_text(), "no traceback in the log"
    return "an error event (500 where nothing was sent yet), without the error's text; log: the traceback"


FAULTS = (
    Fault("client of the model leaves", 5, 5, leaves_the_model),
    Fault("client leaves", 5, 3, leaves),
    Fault("engine fails in the middle", 10, 10, engine_fails),
)
