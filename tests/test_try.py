"""README's first command, as a newcomer gives it."""

import os
import re
import signal
import subprocess
import sys

import psutil

import family
from projects import family_tree, free_port


def test_the_first_command_serves_a_project() -> None:
    command = [sys.executable, "-m", "nox", "-s", "try", "--", "simple", f"--port={free_port()}"]
    with subprocess.Popen(
        command,
        cwd=family.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout
        printed = ""
        try:
            for line in process.stdout:
                printed += line
                if line.startswith("try it: "):
                    answer = subprocess.run(
                        ["bash", "-c", line.removeprefix("try it: ")],
                        capture_output=True,
                        text=True,
                        check=True,
                    )
                    break
            else:
                raise AssertionError(f"it served nothing:\n{printed[-4000:]}")
            assert answer.stdout == '{"message":"Hello, World!"}'
            assert re.search(r"\d+ passed", printed), "its tests did not run"
            processes = family_tree(process.pid)
            os.killpg(process.pid, signal.SIGINT)
            _, left = psutil.wait_procs(processes, timeout=20)
            assert not left
        finally:
            for process_left in family_tree(process.pid):
                process_left.kill()
