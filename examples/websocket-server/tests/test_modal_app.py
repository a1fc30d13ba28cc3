"""What Modal is asked for, read from the very object that is deployed. No account, no network."""

from myapi import modal_app


def test_cost_time_and_who_may_call() -> None:
    """A value that you change in modal_app.py on purpose is to be changed here too."""
    info = modal_app.Server.info()
    assert info.gpus == [], "a GPU changes what a container costs"
    assert info.port == modal_app.PORT, "nobody listens where Modal knocks"
    assert info.startup_timeout == 60, "this changes how long a start may take"
    assert info.exit_grace_period == 30, "this changes what is cut off when a container goes"
    assert info.routing_region == "us-east", "this changes the URL, and how far away it is"
    assert info.unauthenticated, "callers need a token of Modal's proxy"
    secret = "modal.Secret.from_name('myapi')"
    assert secret in info.secrets, "without it no container starts"
