"""The command that starts the server."""

import sys
from pathlib import Path

# https://docs.streamlit.io/develop/api-reference/configuration/config.toml
OPTIONS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",  # the code in a container does not change
    # Modal cuts a websocket at messages over 2 MiB. This says so in the page instead.
    "server.maxMessageSize": "2",
    "server.maxUploadSize": "20",  # MB; the default of 200 stays in memory for each session
    "client.showErrorDetails": "none",  # a traceback goes to the log, not to a stranger
    "browser.gatherUsageStats": "false",
    "logger.hideWelcomeMessage": "true",  # for its banner it asks a host of Amazon for its own address
}


def command(host: str, port: int) -> list[str]:
    options = {"server.address": host, "server.port": str(port), **OPTIONS}
    page = Path(__file__).with_name("web.py")
    return [
        *(sys.executable, "-m", "streamlit", "run", str(page)),
        *(f"--{name}={value}" for name, value in options.items()),
    ]
