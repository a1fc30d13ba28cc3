"""Projects with one line broken, each with the fault that must notice. A check that lets its mutant pass checks nothing."""

import re
from dataclasses import dataclass

from harden.faults_kit import Change, Fault, Trial
from harden.report import Options


@dataclass(frozen=True)
class Mutant:
    """A project that is broken, and how that is noticed.

    Attributes:
        fault: the name of the one that notices.
        style: on which it is tried.
        change: what is broken.
        says: an expression for the failure.
        quick: whether the slice takes it.
        also: what must be broken too, because it would do instead.
    """

    fault: str
    style: str
    change: Change
    says: str
    quick: bool = False
    also: Change | None = None


def survives(mutant: Mutant, fault: Fault, options: Options) -> str:
    """Why it is not caught; nothing where it is."""
    changes = [change for change in (mutant.change, mutant.also) if change]
    trial = Trial(options, changes, (mutant.style,))
    failures = fault.row(trial).failures
    if any(re.search(mutant.says, failure, re.DOTALL) for failure in failures):
        return ""
    return f"nobody noticed, or something else: {failures}"


RAISES = "handler raises"
LATE = "handler raises after the first bytes"
CLOCK = "clock goes back"
TOKENS = "bearer tokens are missing or malformed"
DEATHS = "server of one's own dies, hangs or closes its port"
ENDS = "server of one's own is asked to end"
ENGINE_FAILS = "engine fails in the middle"
DRAIN = "SIGTERM: requests and streams"
TURN = "            self.in_flight += 1\n"
WSGI_ENDING = (
    "            if status:  # too late for another answer; the server cuts the connection\n"
)

MUTANTS = {
    "an error is nobody's": Mutant(
        RAISES,
        "api",
        Change(
            "middleware.py",
            "            await self.answer(scope, error)(scope, receive, send_with_id)",
            "            raise",
        ),
        "api answers: .*(JSONDecodeError|not 500)",
        quick=True,
    ),
    "the answer tells the traceback": Mutant(
        RAISES,
        "api",
        Change("middleware.py", '"Internal server error"', '__import__("traceback").format_exc()'),
        "api answers: .*tells the error",
    ),
    "the answer of WSGI tells the error": Mutant(
        RAISES,
        "flask",
        Change("middleware.py", '"Internal server error")', "repr(__import__('sys').exc_info()))"),
        "flask answers: .*tells the error",
    ),
    "the log tells no traceback": Mutant(
        RAISES,
        "django",
        Change("middleware.py", 'log.exception("unhandled', 'log.error("unhandled'),
        "django logs: .*traceback with the id",
    ),
    "a socket closes as if all were well": Mutant(
        RAISES,
        "websocket",
        Change("connection.py", 'Close(1011, "internal error")', 'Close(1000, "")'),
        "websocket closes: .*1000",
    ),
    "a job tells the error": Mutant(
        RAISES,
        "jobs",
        Change(
            "jobs.py",
            "raise Crashed(type(error).__name__) from None",
            'outcome = {"status": "failed", "error": f"The work failed: {error}"}',
        ),
        "jobs fail: .*tells the error",
    ),
    "the log of a job is anybody's": Mutant(
        RAISES,
        "jobs",
        Change("jobs.py", "    logs.request_id.set(job_id)", "    pass"),
        r"jobs fail: AssertionError: \[\]",
    ),
    "who follows a job takes no room": Mutant(
        "too many requests in flight",
        "jobs",
        Change(
            "middleware.py", TURN, '            self.in_flight += "events" not in scope["path"]\n'
        ),
        "jobs refuses: ",
    ),
    "half an answer is a whole one": Mutant(
        LATE,
        "flask",
        Change(
            "middleware.py",
            f"{WSGI_ENDING}                raise\n",
            f"{WSGI_ENDING}                return\n",
        ),
        "flask: .*taken for whole",
    ),
    "durations by the clock of the wall": Mutant(
        CLOCK,
        "api",
        Change("middleware.py", "time.perf_counter()", "time.time()"),
        "api logs durations",
        quick=True,
    ),
    "limits by the clock of the wall": Mutant(
        CLOCK,
        "websocket",
        Change("connection.py", "asyncio.get_running_loop().time", '__import__("time").time'),
        "websocket (is pinged|allows|keeps|logs)",
    ),
    "a disk that is full is an error": Mutant(
        "disk is full under the log",
        "api",
        Change(
            "logs.py",
            "        root.addHandler(handler)\n",
            "        root.addHandler(handler)\n        handler.handleError = lambda record: 1 / 0\n",
        ),
        "api (answers|fails)",
    ),
    "nobody sees that the client has left": Mutant(
        "client of the model leaves",
        "inference",
        Change("disconnect.py", "gone = True\n                work.cancel()", "gone = True"),
        "while it waits: .*its place is free",
    ),
    "a stream ends as if all were well": Mutant(
        ENGINE_FAILS,
        "inference",
        Change("streaming.py", "            yield fail(500, str(error))\n", "            return\n"),
        "fail in a stream: .*ends without an error",
    ),
    "a stream tells the error": Mutant(
        ENGINE_FAILS,
        "inference",
        Change(
            "streaming.py",
            '        except Exception:\n            log.exception("unhandled error in a stream")\n'
            '            yield fail(500, "Internal server error")',
            '        except Exception as error:\n            log.exception("unhandled error in a stream")\n'
            "            yield fail(500, repr(error))",
        ),
        "raise in a stream: .*",
    ),
    "a token in the log": Mutant(
        TOKENS,
        "api",
        Change("auth.py", "entry {number}: expected", "entry {item}: expected"),
        "the secret is printed",
        quick=True,
    ),
    "a token that stands there twice": Mutant(
        TOKENS,
        "flask",
        Change("auth.py", "if digest in digests:", "if False:"),
        "twice: .*it (started|never)|did not end|TimeoutExpired",
    ),
    "what has begun is cut off": Mutant(
        DRAIN,
        "api",
        Change("serve.py", "timeout_graceful_shutdown=5", "timeout_graceful_shutdown=0"),
        "api (answers|streams)",
    ),
    "a token counts though it is gone": Mutant(
        "token is replaced",
        "flask",
        Change("auth.py", "        return found\n", '        return found or "anybody"\n'),
        "are let in: \\(True, True\\), wanted \\(True, False\\)",
    ),
    "only the first token counts": Mutant(
        "token is replaced",
        "api",
        Change("auth.py", "in self.digests.items():", "in list(self.digests.items())[:1]:"),
        "wanted \\(True, True\\)",
    ),
    "nobody counts requests": Mutant(
        "caller asks too often",
        "api",
        Change("guard.py", "if seconds := self.rate.seconds_to_wait(name):", "if seconds := 0:"),
        "not 429",
    ),
    "one count for all callers": Mutant(
        "caller asks too often",
        "flask",
        Change("rate.py", ".hit(self._limit, name)", '.hit(self._limit, "all")'),
        "the other caller is held up",
    ),
    "one after another": Mutant(
        "dependency is slow",
        "api",
        Change("middleware.py", TURN, f"{TURN}            time.sleep(0.8)\n"),
        "held up",
    ),
    "who queues is turned away": Mutant(
        "event loop is blocked",
        "api",
        Change("serve.py", "graceful_shutdown=5", "graceful_shutdown=5, limit_concurrency=2"),
        "api: .*lost: ",
    ),
    "no end to what takes too long": Mutant(
        "dependency is slower than the deadline",
        "inference",
        Change("middleware.py", "asyncio.timeout(self.seconds)", "asyncio.timeout(None)"),
        "not 504",
    ),
    "room for any number": Mutant(
        "too many requests in flight",
        "flask",
        Change("middleware.py", "[True] * max_in_flight", "[True] * 1_000"),
        "flask refuses: .*not 503",
    ),
    "a stream goes on without its client": Mutant(
        "client leaves",
        "api",
        Change(
            "middleware.py",
            "            await send(message)\n",
            "            with __import__('contextlib').suppress(OSError):\n                await send(message)\n",
        ),
        "in a stream: .*the stream ends",
        also=Change(
            "middleware.py",
            "self.app(scope, receive, send_with_id)",
            "self.app(scope, asyncio.Event().wait, send_with_id)",
        ),
    ),
    "users are not looked at": Mutant(
        "users of a login are missing or malformed",
        "gradio",
        Change("login.py", "if not pair:", "if not pair and item:"),
        "missing: ",
    ),
    "a weak key starts": Mutant(
        "Django's key is missing or weak",
        "django",
        Change("web.py", "LEAST_SECRET = 32", "LEAST_SECRET = 0"),
        "it started",
    ),
    "sockets end as if all were well": Mutant(
        "SIGTERM: sockets",
        "websocket",
        Change("web.py", "websocket.close(1012,", "websocket.close(1000,"),
        "closes each with a code",
    ),
    "texts are cut at once": Mutant(
        "SIGTERM: texts",
        "inference",
        Change("serve.py", "timeout_graceful_shutdown=5", "timeout_graceful_shutdown=0"),
        "20 tokens, ends",
    ),
    "a command is not asked, but killed": Mutant(
        "SIGTERM: a command",
        "command",
        Change("process.py", "signal_all(signal.SIGTERM)", "signal_all(signal.SIGKILL)"),
        "command answers",
    ),
    "no fresh start after an error": Mutant(
        "model breaks in the middle",
        "inference",
        Change(
            "batching.py",
            "                        self._restart()\n",
            "                        return\n",
        ),
        "it works again",
    ),
    "an echo instead of a model": Mutant(
        "files of the model are broken",
        "inference",
        Change(
            "modal_app.py",
            "from .transformers_engine import TransformersEngine",
            "from unittest.mock import Mock as TransformersEngine",
        ),
        "does not say what",
    ),
    "an empty Volume is a model": Mutant(
        "no model in the Volume",
        "inference",
        Change(
            "weights.py",
            "        raise ModelMissingError(\n",
            "        return models_dir\n        raise ModelMissingError(\n",
        ),
        "Volume is",
    ),
    "half a model is a whole one": Mutant(
        "download of a model breaks off",
        "inference",
        Change(
            "weights.py",
            "        raise ModelMissingError(\n",
            "        return models_dir\n        raise ModelMissingError(\n",
        ),
        "half a model is taken for a whole one",
    ),
    "only the server itself is ended": Mutant(
        DEATHS,
        "command",
        Change("process.py", "os.killpg(self._child.pid", "os.kill(self._child.pid"),
        "leaves a (daemon|deaf one) .*left behind",
        also=Change("process.py", "{MARK: self._mark}", "{}"),
    ),
    "one that is deaf is waited for": Mutant(
        ENDS,
        "command",
        Change("process.py", "signal_all(signal.SIGKILL)", "signal_all(0)"),
        "is deaf ends: TimeoutExpired",
    ),
    "daemons are forgotten": Mutant(
        ENDS,
        "command",
        Change("process.py", "        _end(self._signal_strays)\n", ""),
        "has a daemon leaves nothing behind: .*left behind",
        quick=True,
    ),
    "nobody watches the port": Mutant(
        DEATHS,
        "command",
        Change("process.py", "refusals == REFUSALS", "refusals < 0"),
        "closes its port .*did not end",
    ),
    "a crash is no error": Mutant(
        DEATHS,
        "command",
        Change("process.py", "os._exit(1)", "os._exit(0)"),
        "in a container: .*exit code 0",
    ),
    "nobody reads what it prints": Mutant(
        "server of one's own prints without end",
        "command",
        Change(
            "process.py",
            "stdin=subprocess.DEVNULL,",
            "stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,",
        ),
        "it answers: .*[Tt]ime",
    ),
}
