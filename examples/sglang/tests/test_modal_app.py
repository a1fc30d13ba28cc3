"""What Modal is asked for, read from the very object that is deployed. No account, no network."""

from myapi import modal_app


def test_cost_time_and_who_may_call() -> None:
    """A value that you change in modal_app.py on purpose is to be changed here too."""
    info = modal_app.Server().web.info()
    assert info.gpus == [
        ("L40S", 1),
    ], "this changes what a container costs"
    inputs = info.concurrency_info
    assert inputs, "without @modal.concurrent each request gets a container of its own"
    assert inputs.max_inputs == 128, "this changes how many requests share a container"
    assert inputs.target_inputs == 64, "this changes when another container starts"
    assert info.timeout == 600, "this changes how long a request may take"
    assert info.startup_timeout == 900, "this changes how long a start may take"
    web = (info.method_details or {}).get("web")
    assert web, "this is not a web function"
    assert not web.unauthenticated, "strangers get past Modal's proxy"
