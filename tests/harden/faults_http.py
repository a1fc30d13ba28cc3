"""Handlers that raise, wait for something slow, and block the event loop."""

import contextlib
import http.client
import time
from concurrent.futures import ThreadPoolExecutor

import websockets.sync.client

from harden.faults_kit import Answer, Fault, Trial, ask, lines, wait_for
from harden.service import Service, served

PASSWORD = "hunter2"


def raises(trial: Trial) -> str:
    """A handler raises. The client gets 500 as JSON, the log a traceback with the id of the request."""
    for style in trial.styles("api", "flask", "mcp", "inference", "django", quick=3):
        with served(trial.project(style, {"handlers.py": f"{style}.py"})) as service:
            with trial.case(f"{style} answers"):
                answer = ask(service, "/raise", X_Request_ID="fault-1")
                assert answer.status == 500, f"not 500: {answer}"
                assert PASSWORD.encode() not in answer.body, f"tells the error: {answer}"
                assert b"Traceback" not in answer.body, f"tells the traceback: {answer}"
                assert answer.json() == {"detail": "Internal server error"}, answer
                assert answer.headers["x-request-id"] == "fault-1", answer.headers
            with trial.case(f"{style} logs"):
                check_logged(service)
            with trial.case(f"{style} goes on"):
                assert ask(service, "/ok").status == 200
            if style == "mcp":
                with trial.case("mcp answers for a tool"):
                    check_tool(service)
    for style in trial.styles(
        "simple", quick=0
    ):  # under FastAPI alone, as Modal has it: no ids, no JSON
        with (
            served(trial.project(style, {"handlers.py": "simple.py"})) as service,
            trial.case(style),
        ):
            answer = ask(service, "/?mode=raise")
            assert (answer.status, answer.body) == (500, b"Internal Server Error"), answer
            wait_for("a traceback in the log", lambda: PASSWORD in service.log.read_text())
            assert ask(service, "/").status == 200
    for style in trial.styles("websocket"):
        project = trial.project(style, {"handlers.py": "websocket.py"})
        with (
            served(project) as service,
            trial.case("websocket closes"),
            socket(service) as connection,
        ):
            connection.send("raise")
            with contextlib.suppress(websockets.exceptions.ConnectionClosed):
                connection.recv(timeout=10)
            code, reason = connection.close_code, connection.close_reason or ""
            assert (code, reason) == (1011, "internal error"), f"{code} {reason!r}"
            assert "Traceback" in service.log.read_text(), "no traceback in the log"
    for style in trial.styles("jobs", quick=0):
        with (
            served(trial.project(style, {"handlers.py": "jobs.py"})) as service,
            trial.case("jobs fail"),
        ):
            check_job(service)
    plain = "; simple: FastAPI's own, in plain text" if trial.options.full else ""
    return f"500 in JSON and websocket 1011; log: a traceback with the request's id{plain}"


def raises_late(trial: Trial) -> str:
    """An answer breaks off after its first bytes. The client sees a broken connection; the log a traceback."""
    for style in trial.styles("api", "flask", "mcp", "django", quick=3):
        project = trial.project(style, {"handlers.py": f"{style}.py"})
        with served(project) as service, trial.case(style):
            try:
                answer: Answer | None = ask(service, "/late", X_Request_ID="fault-1")
            except (http.client.IncompleteRead, ConnectionError):
                answer = None
            assert answer is None, f"taken for whole: {answer}"
            check_logged(service)
            assert ask(service, "/ok").status == 200
    return "the connection breaks, never a whole answer; log: the traceback with the request's id"


def check_tool(service: Service) -> None:
    """The caller of a tool that raises learns that it failed; the log has the rest, with the id of the request."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "fail"}}
    accept = "application/json, text/event-stream"
    answer = ask(service, "/mcp", call, X_Request_ID="fault-2", Accept=accept)
    assert answer.status == 200, f"not 200: {answer}"
    assert b'"isError":true' in answer.body, f"no error: {answer}"
    assert PASSWORD.encode() not in answer.body, f"tells the error: {answer}"
    assert b"Traceback" not in answer.body, f"tells the traceback: {answer}"
    wait_for(
        "a traceback with the id of the request in the log",
        lambda: [
            line
            for line in lines(service)
            if line.get("request_id") == "fault-2" and PASSWORD in line.get("exception", "")
        ],
    )


def check_job(service: Service) -> None:
    """Who asked for a job that raises learns that it failed; the log has the rest, with the id of the job."""
    job = ask(service, "/jobs", {"fails": True}).json()["id"]
    wait_for("the job fails", lambda: ask(service, f"/jobs/{job}").json()["status"] == "failed")
    for answer in (ask(service, f"/jobs/{job}"), ask(service, f"/jobs/{job}/events")):
        assert b"The work failed" in answer.body, answer
        assert PASSWORD.encode() not in answer.body, f"tells the error: {answer}"
        assert b"Traceback" not in answer.body, f"tells the traceback: {answer}"
    logged = [line for line in lines(service) if line.get("request_id") == job]
    assert any(PASSWORD in line.get("exception", "") for line in logged), logged
    again = ask(service, "/jobs", {}).json()["id"]
    wait_for("another job is done", lambda: ask(service, f"/jobs/{again}").json()["result"])


def check_logged(service: Service) -> None:
    def logged() -> list[str]:
        return [
            str(line.get("exception"))
            for line in lines(service)
            if line.get("request_id") == "fault-1" and "exception" in line
        ]

    wait_for("a traceback with the id of the request in the log", logged)
    assert PASSWORD in logged()[0], f"not the error: {logged()[0]}"
    wait_for(
        "an access line with that id",
        lambda: [
            line
            for line in lines(service)
            if line["message"] == "request" and line["request_id"] == "fault-1"
        ],
    )


def slow(trial: Trial) -> str:
    """A dependency takes its time. Others are served meanwhile, however many wait."""
    for style in trial.styles("api", "simple", "inference", "flask", "django"):
        many = 20 if style in ("api", "simple", "inference") else 5
        with served(trial.project(style, {"handlers.py": f"{style}.py"})) as service:
            for kind in ("/slow", "/slow-thread") if style == "api" else ("/slow",):
                path = f"{kind}?seconds=1.5"
                if style == "simple":
                    path = "/?mode=slow&seconds=1.5"
                with trial.case(f"{style} {kind}"), ThreadPoolExecutor(many) as pool:
                    waiting = [pool.submit(ask, service, path) for _ in range(many)]
                    time.sleep(0.3)
                    other = ask(service, "/" if style == "simple" else "/ok")
                    assert (other.status, other.seconds < 0.7) == (200, True), f"held up: {other}"
                    answers = [each.result() for each in waiting]
                    late = [str(each) for each in answers if each.status != 200 or each.seconds > 3]
                    assert not late, f"{len(late)} of {many} failed or came late: {late[0]}"
    return "others are answered at once, those that wait in the end"


def deadline(trial: Trial) -> str:
    """A dependency takes longer than REQUEST_SECONDS. The client gets 504 as JSON, and the log says so."""
    for style in trial.styles("api", "mcp", "inference", quick=2):
        project = trial.project(style, {"handlers.py": f"{style}.py"})
        with served(project, REQUEST_SECONDS="1") as service, trial.case(style):
            answer = ask(service, "/slow?seconds=4")
            assert answer.status == 504, f"not 504: {answer}"
            assert answer.seconds < 2, f"late: {answer}"
            assert answer.json()["detail"], answer
            assert ask(service, "/ok").status == 200
            assert any(line.get("status") == 504 for line in lines(service)), "not in the log"
    return "504 in JSON after the second that REQUEST_SECONDS gave"


def in_flight(trial: Trial) -> str:
    """More requests than MAX_IN_FLIGHT wait for a dependency. One too many gets 503; /health is answered."""
    for style in trial.styles("api", "flask", "mcp", "inference", "django", quick=3):
        project = trial.project(style, {"handlers.py": f"{style}.py"})
        with served(project, MAX_IN_FLIGHT="2") as service, ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(ask, service, "/slow?seconds=2") for _ in range(2)]
            time.sleep(0.5)
            with trial.case(f"{style} refuses"):
                answer = ask(service, "/ok")
                assert answer.status == 503, f"not 503: {answer}"
                assert answer.headers.get("retry-after") == "1", answer.headers
                assert answer.json()["detail"], answer
            with trial.case(f"{style} is healthy"):
                assert ask(service, "/health").status == 200
            with trial.case(f"{style} recovers"):
                assert [each.result().status for each in waiting] == [200, 200]
                assert ask(service, "/ok").status == 200
    for style in trial.styles("jobs", quick=0):  # who follows a job takes up room, and a job none
        project = trial.project(style, {"handlers.py": "jobs.py"})
        with served(project, MAX_IN_FLIGHT="2") as service, ThreadPoolExecutor(2) as pool:
            paths = [f"/jobs/{ask(service, '/jobs', {'seconds': 2}).json()['id']}" for _ in "123"]
            waiting = [pool.submit(ask, service, f"{path}/events") for path in paths[:2]]
            time.sleep(0.5)
            with trial.case("jobs refuses"):
                answer = ask(service, paths[2])
                assert (answer.status, answer.headers.get("retry-after")) == (503, "1"), answer
                assert ask(service, "/health").status == 200
            with trial.case("jobs recovers"):
                assert all(b"event: done" in each.result().body for each in waiting)
                assert ask(service, paths[2]).status == 200
    return "503 with Retry-After: 1, /health 200, then all is well again"


def blocked(trial: Trial) -> str:
    """A handler blocks the event loop for two seconds. Everybody is answered afterwards, nobody is lost."""
    many = 40
    for style in trial.styles("api"):
        project = trial.project(style, {"handlers.py": f"{style}.py"})
        with served(project) as service, trial.case(style), ThreadPoolExecutor(many + 1) as pool:
            culprit = pool.submit(ask, service, "/block?seconds=2")
            time.sleep(0.3)
            others = [pool.submit(ask, service, "/ok") for _ in range(many)]
            statuses = [each.result().status for each in [culprit, *others]]
            assert statuses == [200] * (many + 1), f"lost: {statuses}"
    for style in trial.styles("websocket"):
        project = trial.project(style, {"handlers.py": "websocket.py"})
        with served(project) as service, trial.case(style), contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket(service)) for _ in range(10)]
            sockets[0].send("block")
            for each in sockets[1:]:
                each.send("hello")
            heard = [each.recv(timeout=10) for each in sockets]
            assert heard == ["Echo: block", *["Echo: hello"] * 9], heard
    return f"{many} requests and 9 sockets that came meanwhile are all answered"


def socket(service: Service) -> websockets.sync.client.ClientConnection:
    return websockets.sync.client.connect(
        f"ws://127.0.0.1:{service.port}/ws", additional_headers=service.headers, max_size=None
    )


FAULTS = (
    Fault("handler raises", 18, 10, raises),
    Fault("handler raises after the first bytes", 4, 3, raises_late),
    Fault("dependency is slow", 6, 0, slow),
    Fault("dependency is slower than the deadline", 3, 2, deadline),
    Fault("too many requests in flight", 15, 9, in_flight),
    Fault("event loop is blocked", 2, 2, blocked),
)
