"""What Modal is asked for, read from the very object that is deployed. No account, no network."""

from myapi import modal_app


def test_cost_time_and_who_may_call() -> None:
    """A value that you change in modal_app.py on purpose is to be changed here too."""
    info = modal_app.web.info()
    assert info.gpus == [], "a GPU changes what a container costs"
    inputs = info.concurrency_info
    assert inputs, "without @modal.concurrent each request gets a container of its own"
    assert inputs.max_inputs == 100, "this changes how many requests share a container"
    assert inputs.target_inputs == 80, "this changes when another container starts"
    assert info.timeout == 300, "this changes how long a request may take"
    assert info.startup_timeout == 60, "this changes how long a start may take"
    web = info.web_info
    assert web, "this is not a web function"
    assert not web.unauthenticated, "strangers get past Modal's proxy"
