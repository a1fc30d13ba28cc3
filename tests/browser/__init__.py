"""The pages of rendered projects, as people meet them: in a real browser, by mouse and by keyboard.

`nox -s browser` runs it; `-- --write` takes the pictures in docs/images too. It needs Chromium, or Chrome, of this machine.
"""
