"""Modal without Modal: the real client deploys to a control plane on loopback, and what it deployed runs in the
real container runtime, which is fed with real requests.

    service.py       the protocol: every call goes to the method of its name, or fails by name
    plane.py         what `modal deploy` talks to: keeps all that the client sends
    worker.py        what one container talks to: hands out requests, takes answers
    edge.py          the URL in front of a container
    image.py         the packages of a container, by the image's own `uv sync`
    inside.py        the first lines that run in a container
    container.py     its files, its environment, its process, its end
    deploy.py        the real client, deploying
    stage.py         all of these together

    probe.py         whether the stage carries what a container can do; probe_app.py is what it deploys
    promise.py       what the answers promised, against what was deployed
    combinations.py  every combination of answers, deployed
    ask.py           one HTTP request
    drive.py         what is asked of each style
    perform.py       one project: deployed, promised, served, asked, ended
    mutants.py       broken projects, which must fail

Sources: the installed client itself (`modal/runner.py` for a deploy, `modal/_container_entrypoint.py` and
`modal/_runtime/` for a container) and its protocol (`modal_proto`).
"""
