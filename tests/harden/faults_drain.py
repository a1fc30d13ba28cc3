"""SIGTERM while requests, streams and sockets are open. Five seconds are left to what has begun."""

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPException, IncompleteRead

from websockets.exceptions import InvalidStatus

from harden.faults_clients import LONG, SERVE_ENGINE
from harden.faults_http import socket as open_socket
from harden.faults_kit import Answer, Fault, Trial, ask, lines
from harden.faults_machine import ended
from harden.service import Service, served

ENDED = (0, -signal.SIGTERM)  # uvicorn gives the signal that it was sent back to the system


def finishes(trial: Trial) -> str:
    """SIGTERM comes in the middle of requests. They are answered, a stream to its end; nobody new is let in."""
    for style in trial.styles("api", "flask", "django", "inference", "simple", quick=2):
        project = trial.project(style, {"handlers.py": f"{style}.py"})
        with served(project) as service, ThreadPoolExecutor(6) as pool:
            path = "/?mode=slow&seconds=1.5" if style == "simple" else "/slow?seconds=1.5"
            waiting = [pool.submit(ask, service, path) for _ in range(4)]
            has_streams = style in ("api", "flask", "django")
            streams = [pool.submit(ask, service, "/stream?pieces=20")] if has_streams else []
            time.sleep(0.5)
            check_end(trial, style, service, 4)
            with trial.case(f"{style} answers"):
                answers = [each.result() for each in waiting]
                assert [each.status for each in answers] == [200] * 4, list(map(str, answers))
            for each in streams:
                with trial.case(f"{style} streams to the end"):
                    whole = each.result()
                    assert (whole.status, whole.body.split()[-1]) == (200, b"19"), str(whole)
    return "what has begun is finished, new connections are refused, ends within 4 s"


def refused(service: Service) -> None:
    """That a request on a new connection is not answered."""
    got = b""
    with (
        contextlib.suppress(ConnectionRefusedError, ConnectionResetError),
        socket.create_connection(("127.0.0.1", service.port), timeout=2) as late,
    ):
        late.sendall(b"GET /ok HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = late.recv(100)
    assert not got, f"answered: {got!r}"


def no_socket(service: Service) -> None:
    """That a new socket is not let in: 503, or no connection at all."""
    try:
        open_socket(service).close()
    except InvalidStatus as error:
        status = error.response.status_code
    except OSError:
        status = 0
    else:
        status = 101
    assert status in (0, 503), f"a new socket is answered with {status}"


def check_end(
    trial: Trial,
    style: str,
    service: Service,
    seconds: float,
    knock: Callable[[Service], None] = refused,
) -> None:
    """It ends after SIGTERM within that time, with a proper code, and takes nothing new meanwhile."""
    service.process.send_signal(signal.SIGTERM)
    time.sleep(0.4)
    with trial.case(f"{style} lets nobody in"):
        knock(service)
    with trial.case(f"{style} ends"):
        try:
            code = service.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {seconds:g} seconds") from None
        assert code in ENDED, f"exit code {code}"
        text = service.log.read_text()
        assert "Traceback" not in text, f"a traceback: {text[-1500:]}"


def takes_too_long(trial: Trial) -> str:
    """SIGTERM comes in the middle of a request that takes longer than the five seconds."""
    seen = {}
    for style in trial.styles("api", "flask", "django"):
        project = trial.project(style, {"handlers.py": f"{style}.py"})
        with served(project) as service, ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(ask, service, "/slow?seconds=12")
            time.sleep(0.5)
            started = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            with trial.case(f"{style} ends"):
                try:
                    code = service.process.wait(20)
                except subprocess.TimeoutExpired:
                    raise AssertionError("it did not end within 20 seconds") from None
                assert code in ENDED, f"exit code {code}"
            took = time.monotonic() - started
            with trial.case(f"{style} says how the request ended"):
                seen[style] = f"{how(waiting)} after {took:.0f} s"
                text = (
                    service.log.read_text()
                )  # of a thread that is cut off there is no line of its own
                assert "graceful shutdown exceeded" in text, f"not a word; client: {seen[style]}"
                assert "500" in seen[style], seen[style]
    return "; ".join(f"{style}: {what}" for style, what in seen.items())


def how(waiting: "Future[Answer]") -> str:
    try:
        return str(waiting.result().status)
    except (OSError, HTTPException) as error:
        return type(error).__name__


def sockets(trial: Trial) -> str:
    """SIGTERM comes while sockets are open. Each is closed with 1012, by which a client connects again."""
    for style in trial.styles("websocket"):
        project = trial.project(style, {"handlers.py": "websocket.py"})
        with served(project) as service, contextlib.ExitStack() as stack:
            opened = [stack.enter_context(open_socket(service)) for _ in range(5)]
            opened[0].send("slow")
            time.sleep(0.3)
            check_end(trial, style, service, 8, no_socket)
            with trial.case("websocket closes each with a code"):
                codes = [ended(each) for each in opened]
                assert codes == [1012] * 5, codes
            with trial.case("websocket logs each"):
                logged = [line["code"] for line in lines(service) if line["message"] == "socket"]
                assert logged == [1012] * 5, logged
    return "1012 for each, in the log too; a new one gets 503 or no connection"


def texts(trial: Trial) -> str:
    """SIGTERM comes while texts are made. Streams end with their last event; a long one breaks off, never quietly."""
    for style in trial.styles("inference"):
        project = trial.project(style, {"broken.py": "engine.py"})
        for pieces in (20, 200):
            with served(project, command=SERVE_ENGINE) as service, ThreadPoolExecutor(1) as pool:
                body = {**LONG, "max_new_tokens": pieces, "stream": True}
                stream = pool.submit(ask, service, "/generate", body)
                time.sleep(0.5)
                check_end(trial, f"{style}, {pieces} tokens,", service, 9)
                with trial.case(f"{style}, {pieces} tokens, ends or is seen to be cut"):
                    try:
                        text = stream.result().body.decode()
                        last = text.strip().split("\n\n")[-1]
                        assert last.startswith("event: done" if pieces == 20 else "event: error"), (
                            last
                        )
                    except IncompleteRead:
                        assert pieces == 200, "a short text is cut"
    return "short texts are finished, long ones are cut off after 5 s, and seen to be"


def half(service: Service) -> bytes:
    """Send a request whose second half comes a second after the first, and return the first line of the answer."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        time.sleep(1.5)
        with contextlib.suppress(ConnectionError):
            client.sendall(b"Host: localhost\r\n\r\n")
            return client.recv(1_000).partition(b"\r\n")[0]
    return b"cut"


def command(trial: Trial) -> str:
    """SIGTERM comes while a server of one's own is at work. It is passed on, and what has begun is finished."""
    for style in trial.styles("command"):
        with served(trial.project(style)) as service, ThreadPoolExecutor(5) as pool:
            waiting = [pool.submit(half, service) for _ in range(5)]
            time.sleep(0.5)
            check_end(trial, style, service, 5)
            with trial.case(f"{style} answers"):
                answers = [each.result() for each in waiting]
                assert answers == [b"HTTP/1.0 200 OK"] * 5, answers
    return "exit code 0, requests that got in are answered"


FAULTS = (
    Fault("SIGTERM: requests and streams", 18, 8, finishes),
    Fault("SIGTERM: a request longer than the grace", 6, 0, takes_too_long),
    Fault("SIGTERM: sockets", 4, 4, sockets),
    Fault("SIGTERM: texts", 6, 0, texts),
    Fault("SIGTERM: a command", 3, 3, command),
)
