"""Servers with one fault each that raw sockets must find."""

# Name: what to set in the server, and words of the sentence in which the fault must be said.
MUTANTS = {
    "believes-the-first-length": ("DESYNC = True", "answers: "),
    "logs-what-was-hidden": ("DESYNC = True", "the hidden request reached"),
    "answers-500": ("ERROR = b'500 Oops'", "answered with 5"),
    "keeps-connections": ("KEEP = True", "open files instead of"),
    "one-at-a-time": ("THREADS = False", "a proper client was cut off: timed out"),
    "takes-everything": ("ERROR = b'200 OK'", "ended in 200"),
    "says-nothing": ("ERROR = b''", "ended in open"),
    "prints-tracebacks": ("LOUD = True", "a traceback in the log"),
}
CODE = """
import re, socket, threading, traceback
DESYNC, KEEP, THREADS, LOUD, ERROR = False, False, True, False, b"400 No"
KEPT = []

def say(client, line):
    client.sendall(b"HTTP/1.1 " + line + b"\\r\\nContent-Length: 0\\r\\n\\r\\n")

def talk(client):
    try:
        while data := client.recv(5_000_000):
            head, _, rest = data.partition(b"\\r\\n\\r\\n")
            if head.startswith(b"GET /health HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: close"):
                say(client, b"200 OK")
                break
            if DESYNC:
                for path in re.findall(rb"(?:GET|POST) (\\S+)", data):
                    print({"path": path.decode()}.__repr__().replace("'", '"'), flush=True)
                    say(client, b"400 No")
                break
            if LOUD:
                print("Traceback", flush=True)
            if ERROR:
                say(client, ERROR)
                break
    except OSError:
        pass
    if KEEP:
        KEPT.append(client)
    else:
        client.close()

def main():
    listener = socket.create_server(("127.0.0.1", 0))
    print("myapi: broken at http://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=talk, args=(client,)).start() if THREADS else talk(client)

MUTATION
main()
"""
