"""What Modal is asked for, read from the very object that is deployed. No account, no network."""

from myapi import modal_app


def test_only_those_who_should_may_call() -> None:
    web = modal_app.web.info().web_info
    assert web, "this is not a web function"
    # True where Modal's proxy lets everybody through to the application.
    assert web.unauthenticated is False


def test_cost_and_time_are_bounded() -> None:
    info = modal_app.web.info()
    assert 1 <= info.timeout <= 86_400
    assert 1 <= (info.startup_timeout or 0) <= 86_400
    assert info.concurrency_info, "without it each request gets a container of its own"
    assert 1 <= (info.concurrency_info.max_inputs or 0) <= 1_000
