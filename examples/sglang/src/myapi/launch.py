"""SGLang with gate.py in front of it, for which it has no option. command.py starts this module.

Its arguments are those of `sglang serve`.
"""

import logging
import os
import secrets
import sys

from .gate import KEY, Gate


class Hidden(str):
    """A text that is not said where all arguments are logged."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'...'"


def main() -> None:
    # Not above: the processes that it starts load this module too.
    from sglang.launch_server import run_server
    from sglang.srt.entrypoints import http_server
    from sglang.srt.plugins import load_plugins
    from sglang.srt.server_args import prepare_server_args
    from sglang.srt.utils import kill_process_tree

    app = http_server.app
    build = app.build_middleware_stack

    def build_behind_gate() -> Gate:
        logging.getLogger().handlers.clear()  # the gate has its own, or each line would come twice
        return Gate(build())

    app.build_middleware_stack = build_behind_gate  # called when all is added that it shall have
    load_plugins()
    arguments = prepare_server_args(sys.argv[1:])
    # Its own key for routes that change it, which it shows itself when it asks for one of them.
    arguments.admin_api_key = Hidden(os.environ.setdefault(KEY, secrets.token_hex(32)))
    try:
        run_server(arguments)
    finally:
        kill_process_tree(os.getpid(), include_parent=False)


if __name__ == "__main__":
    main()
