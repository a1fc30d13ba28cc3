"""Socket servers with one fault each, and one without."""

# Name: what to set in the server, the number of the check that must find it, and words of its sentence.
MUTANTS = {
    "healthy echo": ("", 0, ""),
    "healthy limit": ("", 1, ""),
    "healthy end": ("", 2, ""),
    "loses": ("LOSES = 300", 0, "got 'Echo: "),
    "doubles": ("DOUBLES = 300", 0, "got 'Echo: "),
    "swaps": ("SWAPS = 300", 0, "got 'Echo: "),
    "cuts off": ("CUTS = 300", 0, "lost what it sent"),
    "lets all in": ("LIMIT = 10_000", 1, "were let in where there is room"),
    "refuses with 500": ("STATUS = 500", 1, "one too many got 500"),
    "keeps the room": ("KEEPS = True", 1, "5 have left and 0 came in"),
    "goes away": ("CODE = 1001", 2, "was closed with 1001"),
    "falls over": ("CODE = 0", 2, "was closed with None"),
    "doubles at the end": ("DOUBLES = 2000", 2, "of it"),
}
CODE = """
import asyncio, http, os, signal
from websockets.asyncio.server import serve

LOSES = DOUBLES = SWAPS = CUTS = 0
LIMIT, STATUS, KEEPS, CODE = int(os.environ["MAX_CONNECTIONS"]), 503, False, 1012
MUTATION
taken = count = 0

def turn(every):
    return every and count % every == 0

async def talk(socket):
    global taken, count
    held = []
    try:
        async for message in socket:
            count += 1
            if turn(CUTS):
                socket.transport.abort()
            if turn(LOSES):
                continue
            if turn(SWAPS):
                held.append(message)
                continue
            for each in [message, *held, *([message] if turn(DOUBLES) else [])]:
                await socket.send("Echo: " + each)
            held.clear()
    finally:
        taken -= not KEEPS

def admit(socket, request):
    global taken
    if taken >= LIMIT:
        return socket.respond(http.HTTPStatus(STATUS), "full")
    taken += 1

async def main():
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set if CODE else lambda: os._exit(1))
    server = await serve(talk, "127.0.0.1", 0, process_request=admit, ping_interval=None)
    print("myapi: broken at http://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()
    server.close(code=CODE)
    await server.wait_closed()

asyncio.run(main())
"""
