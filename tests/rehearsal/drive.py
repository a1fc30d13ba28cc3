"""What is asked of a running endpoint, by kind: the same of a container and of the local server."""

import asyncio
import concurrent.futures
import contextlib
import itertools
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import family
import projects

from . import streamlit_page
from .ask import Answer, Ask, ask, post
from .worker import Worker

AT_ONCE = 50
HELD = 20  # requests that are kept open together; every style but inference takes more
SECONDS = 30
JSON = {"Content-Type": "application/json"}
MCP = JSON | {"Accept": "application/json, text/event-stream"}
LARGE = b"x" * 5_000_000
JOB = "/jobs/ffffffff" + "0" * 32  # nobody started it
HOST = "api.example.com"
PAGE = {"Origin": "https://page.example.com"}
PREFLIGHT = PAGE | {"Access-Control-Request-Method": "POST"}


def bodies(path: str, wrong: Sequence[object], no_json: int) -> list[tuple[Ask, int]]:
    """Bad bodies for a route that takes JSON of at most a megabyte, and what each is answered."""
    return [
        *((post(path, value), 422) for value in wrong),
        (Ask("POST", path, JSON, b'{"text": '), 422),
        (Ask("POST", path, JSON, b"\xff\xfe"), 422),
        (Ask("POST", path, JSON), 422),
        (Ask("POST", path, {"Content-Type": "text/plain"}, b"text"), no_json),
        (Ask("POST", path, JSON, LARGE), 413),
        (Ask("POST", path, JSON, LARGE, chunks=50), 413),
        (Ask("GET", path), 405),
        (Ask("GET", "/nowhere"), 404),
    ]


def rpc(method: str, **params: object) -> Ask:
    """A request of the newest Model Context Protocol."""
    version = "2026-07-28"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"Accept": MCP["Accept"], "MCP-Protocol-Version": version, "Mcp-Method": method}
    if "name" in params:
        headers["Mcp-Name"] = str(params["name"])
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    return post("/mcp", message, **headers)


ENGINES = family.kinds_with("engine")
# Whose local server has an echo where the container has a model.
MODELS = ("inference", *family.kinds_with("encoder"))
CHAT = "/v1/chat/completions"
CHATTED = {"messages": [{"role": "user", "content": "one two three"}]}
TEXTS = [{"text": 7}, {"text": ""}, {"text": "a", "max_length": 0}, ["text"], None]
WORDS = [{"texts": 7}, {"texts": [""]}, {"texts": []}, ["texts"], None]
RANKS = [{"query": "a"}, {"query": "", "documents": ["a"]}, {"query": "a", "documents": []}, []]
PROMPTS = [{"prompt": 7}, {"prompt": ""}, {"prompt": "a", "temperature": -1}, ["prompt"]]


def bad_chats() -> list[tuple[Ask, int]]:
    """Bad input of an engine, and routes of it that nobody may reach."""
    wrong: list[object] = [{"messages": []}, {"messages": "one"}, {}, []]
    return [
        *((post(CHAT, value), 400) for value in wrong),
        (Ask("POST", CHAT, JSON, b'{"messages": '), 400),
        (Ask("POST", CHAT, JSON, b"\xff\xfe"), 400),
        (post(CHAT, {**CHATTED, "model": "another"}), 404),
        # Not in chunks: Modal's proxy for servers does not pass such a body on at all.
        (Ask("POST", CHAT, JSON, LARGE * 3), 413),
        *(
            (post(path, {}), 404)
            for path in ("/sleep", "/wake_up", "/metrics", "/ping", "/invocations", "/")
        ),
        (Ask("GET", "/v1"), 404),
    ]


# Bad input: (request, the status of its answer).
BAD = {
    "api": [*bodies("/predict", TEXTS, 422), (Ask("GET", "/items/x"), 422)],
    "flask": bodies("/predict", TEXTS, 415),
    "django": bodies("/predict", TEXTS, 415),
    "inference": bodies("/generate", PROMPTS, 422),
    "classify": bodies("/classify", WORDS, 422),
    "rerank": [
        *bodies("/rerank", RANKS, 422),
        (post("/rerank", {"query": "a", "documents": ["a"], "model": "another"}), 404),
    ],
    "embed": [
        *bodies("/embed", WORDS, 422),
        (post("/embed", {"texts": ["a"], "dimensions": 0}), 422),
        (post("/v1/embeddings", {"model": "another", "input": "a"}), 404),
        (post("/v1/embeddings", {"model": "another", "input": [1]}), 400),
    ],
    "simple": [
        (Ask("GET", "/?name="), 422),
        (Ask("GET", f"/?name={'x' * 101}"), 422),
        (Ask("POST", "/", JSON, LARGE), 405),
        (Ask("POST", "/", JSON, LARGE, chunks=50), 405),
        (Ask("GET", "/nowhere"), 404),
    ],
    "mcp": [
        (Ask("POST", "/mcp", MCP), 400),
        (Ask("POST", "/mcp", MCP, b'{"jsonrpc": '), 400),
        (Ask("POST", "/mcp", MCP, b"\xff\xfe"), 400),
        (Ask("POST", "/mcp", MCP, b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]'), 400),
        (Ask("POST", "/mcp", {"Content-Type": "text/plain"}, b"text"), 400),
        (Ask("POST", "/mcp", MCP | {"Accept": "text/html"}, b"{}"), 406),
        (Ask("POST", "/mcp", MCP | {"MCP-Protocol-Version": "1999-01-01"}, b"{}"), 400),
        (rpc("no/method"), 404),
        (rpc("subscriptions/listen", notifications={}), 404),
        (Ask("POST", "/mcp", MCP, LARGE), 413),
        (Ask("POST", "/mcp", MCP, LARGE, chunks=50), 413),
        (Ask("POST", "/mcp", MCP | PAGE, b"{}"), 403),
        (Ask("GET", "/mcp", {"Accept": "text/event-stream"}), 405),
        (Ask("DELETE", "/mcp", {"Mcp-Session-Id": "1"}), 405),
        (Ask("GET", "/nowhere"), 404),
    ],
    "jobs": [
        *bodies("/jobs", [{"texts": 7}, {"texts": []}, {"texts": ["a"], "pause": -1}, ["a"]], 422),
        (post("/jobs", {"texts": ["a"]}, **{"Idempotency-Key": "x" * 256}), 422),
        (Ask("GET", JOB), 404),
        (Ask("GET", f"{JOB}/events", {"Last-Event-ID": "last"}), 404),
        (Ask("DELETE", JOB), 404),
        (Ask("PUT", JOB, JSON, b"{}"), 405),
        (Ask("GET", "/jobs/00000001" + "0" * 32), 410),
        (Ask("GET", "/jobs/%00"), 404),
    ],
    "websocket": [(Ask("POST", "/ws"), 405), (Ask("GET", "/nowhere"), 404)],
    "command": [(Ask("GET", "/nowhere"), 404), (Ask("DELETE", "/"), 501)],
    **dict.fromkeys(ENGINES, bad_chats()),
    "gradio": [(Ask("DELETE", "/health"), 404)],
    "streamlit": [(Ask("DELETE", "/_stcore/health"), 405)],
}
# What is asked besides, only to see that two servers answer the same.
MORE = [
    Ask("HEAD", "/"),
    Ask("GET", "/", PAGE),
    Ask("OPTIONS", "/", PREFLIGHT),
    Ask("GET", "/?a=1&b=%20&c=%C3%A9&a=2"),
    Ask("GET", "/%2e%2e/etc/passwd"),
    Ask("GET", "/caf%C3%A9"),
    Ask("GET", "//"),
    Ask("GET", "/docs"),
    Ask("GET", "/openapi.json"),
    Ask("PUT", "/", JSON, b"{}"),
]
OK = {  # a request that is answered with 200, by kind
    **dict.fromkeys(ENGINES, post(CHAT, CHATTED)),
    "api": Ask("GET", "/items/2"),
    "inference": post("/generate", {"prompt": "The sea", "max_new_tokens": 1}),
    "embed": post("/embed", {"texts": ["The sea", "is wide"]}),
    "classify": post("/classify", {"texts": ["The sea", "is wide"]}),
    "rerank": post("/rerank", {"query": "The sea", "documents": ["is wide", "The sea"]}),
    "jobs": Ask("GET", "/health"),
    "mcp": rpc("tools/call", name="shorten", arguments={"text": "one two", "max_words": 1}),
    "gradio": Ask("GET", "/health"),
    "streamlit": Ask("GET", "/_stcore/health"),
}
# Modal's proxy for `web_server` tidies these paths up before the server sees them.
REWRITTEN = {"/%2e%2e/etc/passwd", "//"}
# Headers of one moment, one hop or one length of URL.
VOLATILE = {
    "connection",
    "content-length",
    "date",
    "etag",
    "keep-alive",
    "last-modified",
    "server",
    "x-request-id",
}
# In Gradio's page: one is drawn anew in each process, the other is made from the folder that it is installed in.
GRADIO = re.compile(rb'"app_id":\d+|"component_class_id":"\w+"')
HEALTH = {
    **dict.fromkeys(
        ["api", *MODELS, "websocket", "mcp", "jobs", "flask", "django", *ENGINES],
        ("/health", "/ready"),
    ),
    **dict.fromkeys(["gradio", "command"], ("/health",)),
}
UPLOAD = {"api": "/predict", "flask": "/predict", "django": "/predict"}


class DriveError(AssertionError):
    """An answer that is not the promised one."""


def with_token(request: Ask, token: str) -> Ask:
    if not token:
        return request
    headers = {**request.headers, "Authorization": f"Bearer {token}"}
    return Ask(request.method, request.path, headers, request.body, request.chunks)


def documented(project: Path, caller: Mapping[str, str], exact: bool) -> int:
    """Every request and program of README; returns how many."""
    return projects.check_documented(project, caller, [sys.executable], exact)


def bad_input(url: str, kind: str, token: str) -> int:
    """Every bad input gets its documented status, and where it is JSON, a reason. Returns how many there were."""
    for request, status in BAD[kind]:
        answer = ask(url, with_token(request, token))
        if answer.status != status:
            raise DriveError(f"{request}: {answer.status}, not {status}\n{answer.body[:500]!r}")
        is_json = answer.headers.get("content-type") == "application/json"
        if is_json and not answer.json().keys() & {"detail", "error"}:
            raise DriveError(f"{request}: no reason in {answer.body[:500]!r}")
    return len(BAD[kind])


def healthy(url: str, kind: str) -> int:
    """Anybody may ask whether it is up and whether it can work, and it is and can. Returns how many questions."""
    for path in HEALTH.get(kind, ()):
        answer = ask(url, Ask("GET", path))
        if answer.status != 200:
            raise DriveError(f"GET {path}: {answer.status}, not 200\n{answer.body[:500]!r}")
    return len(HEALTH.get(kind, ()))


def at_once(url: str, kind: str, token: str) -> int:
    """Fifty requests at the same time are all answered with 200."""
    request = with_token(OK.get(kind, Ask("GET", "/")), token)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda _: ask(url, request), range(AT_ONCE)))
    if failed := [answer for answer in answers if answer.status != 200]:
        raise DriveError(f"{len(failed)} of {AT_ONCE} at once failed: {failed[0]}")
    return AT_ONCE


def streams(url: str, kind: str, token: str) -> int:
    """What is generated comes as it is generated: the beginning is here before the end."""
    if kind != "inference" and kind not in ENGINES:
        return 0
    body = {"prompt": "The sea", "max_new_tokens": 150, "temperature": 0, "stream": True}
    path, begin, end, error = "/generate", b"event: text\n", b"event: done\n", b"event: error\n"
    if kind in ENGINES:
        body = {"messages": [{"role": "user", "content": "one " * 5_000}], "stream": True}
        body |= {"max_tokens": 5_000}
        path, begin, end, error = CHAT, b"data: {", b"data: [DONE]\n", b'"error"'
    request = with_token(post(path, body), token)
    connection = HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
    with contextlib.closing(connection):
        connection.request(request.method, request.path, request.body, dict(request.headers))
        response = connection.getresponse()
        first = response.read1()
        rest = response.read()
    if not first.startswith(begin) or end in first:
        raise DriveError(f"a stream begins with {first[:200]!r}")
    if end not in rest or error in rest:
        raise DriveError(f"a stream ends with {rest[-200:]!r}")
    return 1


def held_open(url: str, kind: str, token: str, worker: Worker) -> int:
    """Requests whose body stops half-way are in the container together, not one after another."""
    if kind not in UPLOAD:
        return 0
    body = b'{"text": "one two three", "max_length": 2}'
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"POST {UPLOAD[kind]} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\nConnection: close\r\n{bearer}\r\n"
    address = (urlsplit(url).hostname, urlsplit(url).port)
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection(address)) for _ in range(HELD)]
        for connection in sockets:
            connection.settimeout(SECONDS)
            connection.sendall(head.encode() + body[:9])
        deadline = time.monotonic() + SECONDS
        while worker.at_once < HELD and time.monotonic() < deadline:
            time.sleep(0.01)
        if worker.at_once < HELD:
            raise DriveError(f"only {worker.at_once} of {HELD} requests are let in at once")
        for connection in sockets:
            connection.sendall(body[9:])
        for connection in sockets:
            if not (first := connection.recv(100)).startswith(b"HTTP/1.1 200"):
                raise DriveError(f"a request in two parts: {first!r}")
    return HELD


def strangers(folder: Path, url: str, kind: str, auth: str, is_server: bool) -> int:
    """Who shows no login, no token, or a wrong one is turned away. HTTP calls with tokens are README's own."""
    if auth == "login":
        for user in ("", "me:" + "x" * 32):
            refused = run_program(folder, {"URL": url, "LOGIN_USERS": user or "me:"})
            if refused.returncode == 0:
                raise DriveError("Gradio's client gets in with a wrong login")
        for path in ("/gradio_api/info", "/gradio_api/queue/status"):
            if (status := ask(url, Ask("GET", path)).status) != 401:
                raise DriveError(f"GET {path} without a login: {status}, not 401")
        return 4
    if kind == "websocket" and auth == "bearer":
        offers = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}]
        for headers in offers:
            try:
                with connect(url.replace("http", "ws", 1) + "/ws", additional_headers=headers):
                    raise DriveError(f"the socket opens for {headers}")
            except InvalidStatus as refusal:
                # To a web function Modal carries no other answer than 403.
                if refusal.response.status_code != (401 if is_server else 403):
                    raise DriveError(f"{headers}: {refusal.response.status_code}") from refusal
            if (status := ask(url, Ask("GET", "/ws", headers)).status) != 401:
                raise DriveError(f"GET /ws with {headers} says {status}, not 401")
        return 2 * len(offers)
    return 0


def run_program(folder: Path, caller: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """README's program, with other credentials."""
    (program,) = projects.PROGRAM.findall((folder / "README.md").read_text())
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=dict(caller),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def closed_pages(url: str, kind: str, auth: str) -> int:
    """Gradio's pages hold a stream open for as long as they are; one that is closed disturbs nobody."""
    if kind != "gradio" or auth == "login":
        return 0
    connection = HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", "/gradio_api/heartbeat/page")
        if (status := connection.getresponse().status) != 200:
            raise DriveError(f"a page's stream: {status}, not 200")
    return 1 + healthy(url, kind)


def socket_messages(url: str, kind: str, token: str, worker: Worker, is_server: bool) -> int:
    """Sockets of the styles that have them: many open at once, large messages, text and binary, a clean close."""
    if kind == "streamlit":
        return streamlit_page.visit(url)
    if kind != "websocket":
        return 0
    ws = url.replace("http", "ws", 1) + "/ws"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(connect(ws, additional_headers=headers)) for _ in range(HELD)]
        for number, connection in enumerate(opened):
            connection.send(f"{number} é")
        for number, connection in enumerate(opened):
            if (said := connection.recv(SECONDS)) != f"Echo: {number} é":
                raise DriveError(f"a socket answers {said!r}")
        if not is_server and worker.at_once < HELD:
            raise DriveError(f"only {worker.at_once} of {HELD} sockets are in the container")
    with connect(ws, subprotocols=["app.v1", f"bearer.{token}"] if token else None) as connection:  # type: ignore[list-item]
        connection.send(b"\x00\xff")
        with contextlib.suppress(Exception):
            connection.recv(SECONDS)
        if connection.close_code != 1003:
            raise DriveError(f"a binary message ends the socket with {connection.close_code}")
    return HELD + 1


def sessions(kind: str, container: str, local: str, token: str) -> int:
    """An MCP client whose requests go to one server and the other in turn notices nothing. Returns how many there were."""
    if kind != "mcp":
        return 0
    turns = itertools.cycle((container, local))
    asked: Counter[str] = Counter()

    async def go_elsewhere(request: httpx2.Request) -> None:
        url = next(turns)
        asked[url] += 1
        request.url = httpx2.URL(f"{url}{request.url.path}")

    async def talk(mode: str) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        hooks = {"request": [go_elsewhere]}
        async with (
            httpx2.AsyncClient(headers=headers, event_hooks=hooks, timeout=SECONDS) as http,
            Client(streamable_http_client(f"{container}/mcp", http_client=http), mode=mode) as mcp,
        ):
            for number in range(1, 5):
                texts = {"texts": ["one two"] * number}
                heard: list[float] = []

                async def note(progress: float, total: float | None, message: str | None) -> None:
                    heard.append(progress)  # noqa: B023 (called before the next)

                result = await mcp.call_tool("count_words", texts, progress_callback=note)
                if result.structured_content != {"result": [2] * number}:
                    raise DriveError(f"an MCP client is answered {result}")
                if heard != list(range(1, number + 1)):
                    raise DriveError(f"an MCP client is told of progress {heard}")
            listed = {tool.name for tool in (await mcp.list_tools()).tools}
            if not listed >= {"count_words", "shorten"}:
                raise DriveError(f"an MCP client finds the tools {sorted(listed)}")
            await mcp.read_resource("catalog://items")

    for mode in ("auto", "legacy"):
        try:
            asyncio.run(asyncio.wait_for(talk(mode), SECONDS))
        except ExceptionGroup as group:  # of the SDK's tasks, whatever it was
            error: Exception = group
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
            raise DriveError(f"an MCP client ({mode}) fails: {error}") from group
    if min(asked[container], asked[local]) < 4:
        raise DriveError(f"an MCP client asked {dict(asked)}")
    return asked.total()


def differences(
    kind: str, container: str, local: str, token: str, is_server: bool
) -> tuple[int, list[str]]:
    """The requests that the two servers at these URLs answer with another status, header or body.

    Returns:
        How many requests were compared, and what differs.
    """
    proxied = kind in ("command", "gradio", "streamlit", *ENGINES) and not is_server
    rewritten = REWRITTEN if proxied else set()
    requests = [*MORE, *(request for request, _ in BAD[kind])]
    if kind not in MODELS:
        requests.append(OK.get(kind, Ask("GET", "/")))
    compared = [with_token(asked, token) for asked in requests if asked.path not in rewritten]
    if is_server:  # which has an address of its own, and Gradio trusts pages more at 127.0.0.1
        compared = [replace(asked, headers={**asked.headers, "Host": HOST}) for asked in compared]
    found = []
    for request in compared:
        there = comparable(ask(container, request), container)
        here = comparable(ask(local, request), local)
        if there != here:
            found.append(f"{request}: {difference(str(there), str(here))}")
    return len(compared), found


def difference(one: str, other: str) -> str:
    """Both texts around the place where they part."""
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    around = slice(max(0, at - 60), at + 100)
    return f"…{one[around]}…\n  and …{other[around]}…"


def comparable(answer: Answer, url: str) -> tuple[int, dict[str, object], bytes]:
    """An answer without what is of one moment, one hop or one address."""
    headers: dict[str, object] = {}
    for name, value in answer.headers.items():
        if name == "set-cookie":  # the value is drawn anew each time
            headers[name] = re.sub("=[^;]*", "=", value, count=1)
        elif name in ("allow", "vary"):  # sets, whose order Python draws anew in each process
            headers[name] = {item.strip() for item in value.split(",")}
        elif name not in VOLATILE:
            headers[name] = value
    host = urlsplit(url).netloc.encode()
    body = re.sub(rb"https?://" + re.escape(host), b"URL", answer.body)
    return answer.status, headers, GRADIO.sub(b"", body)


@contextmanager
def local_server(project: Path, package: str, caller: Mapping[str, str]) -> Iterator[str]:
    """The project's own local server, on a free port; yield its URL."""
    command = [sys.executable, "-c", f"from {package}.serve import main; main()", "--port", "0"]
    environment = {**caller, "PYTHONPATH": str(project / "src")}
    with projects.local_server(command, project, environment) as (url, _):
        yield url
