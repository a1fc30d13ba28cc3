"""Servers with one fault each that only load shows, and one without, so that the judgement is judged too."""

# Name: what the server does with each request, and a word of the sentence in which that must be said.
MUTANTS = {
    "healthy": ("pass", ""),
    "leaks": ("KEPT.append(bytearray(20_000))", "memory grew"),
    "stalls": ("time.sleep(0.2 * (COUNT % 300 == 0))", "p99 is"),
    "stands still, seldom": ("time.sleep(0.4 * (COUNT == 5_000))", "one took"),
    "fails": ("status = 500 if COUNT % 500 == 0 else 200", "500"),
    "mixes-up": ("body, LAST[:] = (LAST[0] if LAST else body), [body]", "a wrong answer"),
    "cuts-off": (
        "if COUNT % 500 == 0: return await send(CUT)",
        "cut off",
    ),
}
CODE = """
import socket, sys, time, uvicorn
COUNT, KEPT, LAST = 0, [], []
CUT = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]}

async def app(scope, receive, send):
    global COUNT
    COUNT += 1
    status, body = 200, (await receive())["body"]
    until = time.perf_counter() + 0.0002  # as long as a real one works
    while time.perf_counter() < until:
        pass
    MUTATION
    head = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})

def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print("myapi: broken at http://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False)
    uvicorn.Server(config).run([listener])
"""
