"""Logs as one JSON object a line, which Modal's log search and every log store can read."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import islice

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
caller: ContextVar[str | None] = ContextVar("caller", default=None)

# What every record begins with, and what formatters add; anything else came through `extra=`.
_STANDARD = len(vars(logging.makeLogRecord({})))
_ADDED = {"message", "asctime"}
# One for all lines: json.dumps would make it anew each time.
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for key, variable in (("request_id", request_id), ("caller", caller)):
            if (value := variable.get()) is not None:
                line[key] = value
        for key, value in islice(vars(record).items(), _STANDARD, None):
            if key not in _ADDED and value is not None:
                line[key] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


def configure(level: str = "INFO") -> None:
    """Send every logger's records to standard output as JSON. A second call only sets the level."""
    # No line has them: https://docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.setLevel(level.upper())
    if not any(isinstance(handler.formatter, JsonFormatter) for handler in root.handlers):
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonFormatter())
        root.addHandler(handler)
