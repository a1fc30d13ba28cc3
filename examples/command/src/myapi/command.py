"""The command that starts the server. Yours."""

import re
import shlex

# Runs without a shell and must stay in the foreground. $HOST and $PORT are replaced, here and nowhere
# else; both are in its environment too.
COMMAND = shlex.split(
    "python -m myapi.handlers",
)
PLACE = re.compile(r"\$(HOST|PORT)\b")


def command(host: str, port: int) -> list[str]:
    values = {"HOST": host, "PORT": str(port)}
    return [PLACE.sub(lambda place: values[place[1]], argument) for argument in COMMAND]
