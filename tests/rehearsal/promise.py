"""What the answers promised, against what the client sent.

Both sides are told as a flat table of `what: value`, and the two tables must be equal. `_promised` knows the answers,
the facts in styles/*.yml and what stands here by hand; `_deployed` knows the messages of the protocol. Neither
reads the rendered modal_app.py.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from modal_proto import api_pb2

import family

from .plane import Deployment

Table = dict[str, Any]

# For each kind, the class around its method `web`, empty for a function; and Modal's word for what `web` is.
WEB = {
    "api": ("", "ASGI_APP"),
    "simple": ("", "FUNCTION"),
    "inference": ("Inference", "ASGI_APP"),
    **dict.fromkeys(["embed", "classify", "rerank"], ("Inference", "ASGI_APP")),
    "mcp": ("", "ASGI_APP"),
    "jobs": ("", "ASGI_APP"),
    "websocket": ("", "ASGI_APP"),
    "flask": ("", "WSGI_APP"),
    "django": ("", "WSGI_APP"),
    "gradio": ("Server", "WEB_SERVER"),
    "streamlit": ("Server", "WEB_SERVER"),
    "command": ("Server", "WEB_SERVER"),
    "vllm": ("Server", "WEB_SERVER"),
    "sglang": ("Server", "WEB_SERVER"),
}
SERVER = {  # of the kinds that can be one, the name of the Modal Server
    **dict.fromkeys(["websocket", "gradio", "streamlit", "command", "vllm", "sglang"], "Server"),
    **dict.fromkeys(["inference", "embed", "classify", "rerank"], "Inference"),
}
KEYS = {"proxy": [], "none": [], "bearer": ["API_TOKENS"], "login": ["LOGIN_USERS"]}  # by auth

# Numbers that bear the same name in the answers, and where the protocol has them.
NUMBERS = {
    "memory": "resources.memory_mb",
    "min_containers": "autoscaler_settings.min_containers",
    "buffer_containers": "autoscaler_settings.buffer_containers",
    "max_containers": "autoscaler_settings.max_containers",
    "scaledown_window": "autoscaler_settings.scaledown_window",
    "max_inputs": "max_concurrent_inputs",
    "timeout": "timeout_secs",
    "startup_timeout": "startup_timeout_secs",
}
# Variables of an engine: always, and where it sleeps in snapshots.
ENGINES: Mapping[str, tuple[Table, Table]] = {
    "vllm": (
        {
            "VLLM_CACHE_ROOT": "/cache/vllm",
            "TRITON_CACHE_DIR": "/cache/triton",
            "FLASHINFER_WORKSPACE_BASE": "/cache/flashinfer",
            "VLLM_NO_USAGE_STATS": "1",
        },
        {"VLLM_SERVER_DEV_MODE": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"},
    ),
    "sglang": (
        {
            "SGLANG_CACHE_DIR": "/cache/sglang",
            "SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION": "false",
        },
        {"TORCHINDUCTOR_COMPILE_THREADS": "1"},
    ),
}
# What an engine is asked around a snapshot.
SLEEPS = {
    "vllm": ("/sleep?level=1", "/wake_up"),
    "sglang": (
        *("/flush_cache?timeout=30", "/release_memory_occupation"),
        "/resume_memory_occupation",
    ),
}
# A function of which nothing is said.
PLAIN: Table = dict.fromkeys([*NUMBERS, "target_inputs"], 0) | {
    "GPUs": [],
    "cpu": "0.000",
    "snapshot": False,
    "experiments": {},
    "regions": [],
    "secrets": {},
    "variables": {},
    "volumes": {},
    "retries": 0,
    "unasked": [],
}
# Fields that must say nothing.
UNASKED = """
    batch_max_size block_network cloud_bucket_mounts cloud_provider_str enable_gpu_snapshot
    function_serialized is_sessioned network_access proxy_id
    resources.ephemeral_disk_mb resources.memory_mb_max resources.milli_cpu_max schedule
    shared_volume_mounts single_use_containers
"""
UNASKED_OF_SERVER = "h2_enabled lift_and_shift_config"
UNASKED_OF_IMAGE = """
    build_args build_function context_mount_id gpu_config secret_ids volume_mounts
"""
# Modal's own Python, put into somebody else's image.
PUT_IN = re.compile(r"-python-build-standalone\.\d+\.(\d+\.\d+)")
# What the client adds to `uv sync` by itself.
CLIENTS_OWN = ("--project=", "--no-install-workspace", "--compile-bytecode")


class PromiseError(AssertionError):
    """One line for each promise that was broken."""


def check(app: Deployment, answers: family.Answers, project: Path) -> int:
    """Compare all that was deployed with all that was promised.

    Args:
        answers: what somebody gave to Copier; the rest takes its default.
        project: the rendered project, with its lock file, from which it was deployed.

    Returns:
        How many promises were compared.

    Raises:
        PromiseError: when one is broken.
    """
    promised, deployed = _promised(answers, project), _deployed(app)
    pairs = {
        what: (promised.get(what, "nothing"), deployed.get(what, "nothing"))
        for what in promised | deployed
    }
    broken = {what: pair for what, pair in pairs.items() if pair[0] != pair[1]}
    if broken:
        lines = [f"{what}: promised {a}, deployed {b}" for what, (a, b) in broken.items()]
        raise PromiseError("\n".join(lines))
    return len(pairs)


def keys(known: family.Answers) -> list[str]:
    """Of the project's Secret; none means that it has no Secret."""
    return sorted(KEYS[known["auth"]] + [secret["name"] for secret in known["facts"]["secrets"]])


def _promised(answers: family.Answers, project: Path) -> Table:
    known = family.known(answers)
    facts, slug = known["facts"], known["project_slug"]
    kind = family.kind(known)
    if known["modal_server"]:
        name, web_name, web = "", SERVER[kind], _server(known)
    else:
        name, _ = WEB[kind]
        web_name, web = f"{name}.web" if name else "web", _web_function(known)
    functions = {f"{name}.*" if name else web_name: _main_function(known)}
    if "model" in facts:
        functions["download_model"] = PLAIN | {
            "max_containers": 1,
            "timeout": 3600,
            "startup_timeout": 3600,  # by the client, which takes the timeout
            "variables": {
                "HF_XET_HIGH_PERFORMANCE": "1",
                "TQDM_MININTERVAL": "5",
                "TQDM_POSITION": "-1",
            },
            "volumes": {"/models": (f"{slug}-models", "read and write")},
        }
    if known["style"] == "jobs":
        functions["run_job"] = PLAIN | {
            "cpu": "1.000",
            "memory": 1024,
            "max_containers": 10,
            "timeout": 3600,
            "startup_timeout": 60,
            "regions": _listed(known["region"]),
            "retries": 1,
        }
        functions["watch_job"] = PLAIN | {
            "cpu": "0.125",
            "memory": 256,
            "max_containers": 10,
            "max_inputs": 100,
            "timeout": 86400,
            "startup_timeout": 60,
            "regions": _listed(known["region"]),
            "retries": 10,
        }
    extra = f" --extra={facts['extra']}" if "extra" in facts else ""
    image = {
        "base": facts.get("image", "Modal's own"),
        "Python": known["python_version"],
        "version of uv": "pinned",
        "commands": [
            *(["ENTRYPOINT '[]'"] if "image" in facts else []),
            f"RUN uv sync{extra} --frozen --no-dev",
        ],
        # Beside a Python of Modal's that is put into somebody else's image, where it finds descriptions of terminals.
        "variables of the image": [*(["TERMINFO_DIRS"] if "image" in facts else []), "PATH"],
        **{f"/.{n}, to build": _hash(project / n) for n in ("pyproject.toml", "uv.lock")},
        "unasked of the image": [],
    }
    files = _files(project / "src" / known["package_name"], facts.get("data", []))
    table = {"app": slug, "published": 1, "classes": [name] if name else []}
    table |= {"functions": sorted(functions)} | _under(web_name, web)
    for function, own in functions.items():
        table |= _under(function, own | image | files)
    return table


def _server(known: family.Answers) -> Table:
    return {
        "kind": "SERVER",
        "proxy auth": known["auth"] == "proxy",
        "port": known["server_port"],
        "routing regions": [known["routing_region"]],
        "seconds for the start": known["startup_timeout"],
        "seconds of grace": known["facts"]["server"]["grace"],
        "unasked of the server": [],
    }


def _web_function(known: family.Answers) -> Table:
    _, kind = WEB[family.kind(known)]
    return {
        "kind": kind,
        "method": "GET" if kind == "FUNCTION" else "none",
        "docs": kind == "FUNCTION",
        "label": "none",
        "proxy auth": known["auth"] == "proxy",
        "custom domains": _listed(known["custom_domain"]),
        "port": known["server_port"] if kind == "WEB_SERVER" else 0,
        "seconds for the port": f"below {known['startup_timeout']}" if kind == "WEB_SERVER" else 0,
    }


def _main_function(known: family.Answers) -> Table:
    kind = family.kind(known)
    gpus = _listed(known["gpu"]) if "model" in known["facts"] and known["gpu"] != "none" else []
    slug = known["project_slug"]
    table = PLAIN | {
        **{name: known[name] for name in NUMBERS},
        "target_inputs": known["target_inputs"],
        **(
            {"timeout": 300} if known["modal_server"] else {}
        ),  # the client's own, which holds nobody
        "GPUs": [(gpu.partition(":")[0], int(gpu.partition(":")[2] or 1)) for gpu in gpus],
        "cpu": f"{known['cpu']:.3f}",
        "snapshot": known["gpu_snapshot"]
        if kind in ENGINES
        else known["memory_snapshot"] and known["facts"]["snapshot"],
        "experiments": {"enable_gpu_snapshot": "True"} if known["snapshots"] == "gpu" else {},
        "regions": _listed(known["region"]),
        "secrets": {slug: keys(known)} if keys(known) else {},
        "variables": _hosts(known),
    }
    if kind in ENGINES:
        always, asleep = ENGINES[kind]
        table["volumes"] = {
            "/models": (f"{slug}-models", "read only"),
            "/cache": (f"{slug}-cache", "read and write"),
        }
        table["variables"] = {
            "MODELS_DIR": "/models",
            "HF_HUB_OFFLINE": "1",
            **always,
            **(asleep if known["gpu_snapshot"] else {}),
            **_hosts(known),
        }
    if known["style"] == "inference":
        table["volumes"] = {"/models": (f"{slug}-models", "read only")}
        table["variables"] = {
            "MODELS_DIR": "/models",
            "MODEL_DEVICE": "cuda" if gpus else "cpu",
            **_batches(known, bool(gpus)),
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **_hosts(known),
        }
    return table


def _batches(known: family.Answers, has_gpu: bool) -> dict[str, str]:
    """The variables by which a model is told how much it takes at once."""
    if known["task"] != "generate":
        return {"BATCH_TOKENS": "16384" if has_gpu else "1024"}
    cache = {} if has_gpu else {"CACHE_MEGABYTES": str(known["memory"] // 4)}
    return {"MAX_BATCH": str(known["max_inputs"]), **cache}


def _hosts(known: family.Answers) -> dict[str, str]:
    """The variable by which an application answers under its domain only."""
    domain, style = known["custom_domain"], known["style"]
    if not (domain and known["enforce_domain"] and {"asgi", "wsgi"} & {*known["facts"]["shares"]}):
        return {}
    return {"ENFORCED_HOSTS": domain if style == "django" else json.dumps([domain])}


def _files(package: Path, data: Sequence[str]) -> Table:
    """The package whole, which the client mounts by itself, and again what the image names: sources and data."""
    named = {path for pattern in ("**/*.py", *data) for path in package.glob(pattern)}
    return {
        f"/root/{path.relative_to(package.parent)}": [_hash(path)] * (2 if path in named else 1)
        for path in package.rglob("*")
        if path.is_file() and not re.search(r"/(\.|__pycache__/)", f"/{path.relative_to(package)}")
    }


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part]


def _hash(path: Path) -> str:
    return _short(hashlib.sha256(path.read_bytes()).hexdigest()) if path.exists() else "a file"


def _short(digest: str) -> str:
    return digest[:12]


def _under(name: str, table: Table) -> Table:
    return {f"{name}: {what}": value for what, value in table.items()}


def _deployed(app: Deployment) -> Table:
    table: Table = {
        "app": app.name,
        "published": app.published,
        "classes": sorted(app.class_ids),
        "functions": sorted(app.function_ids),
    }
    for key, function in app.functions.items():
        own = _deployed_function(app, function, app.fallbacks[key])
        table |= _under(function.function_name, own | _deployed_image(app.chain(function.image_id)))
        if function.is_server:
            table |= _under(function.function_name, _deployed_server(function.http_config))
        methods = function.method_definitions.values()
        webs = {method.function_name: method.webhook_config for method in methods}
        for name, web in ({function.function_name: function.webhook_config} | webs).items():
            if web.type:
                table |= _under(name, _deployed_web(web, function.startup_timeout_secs))
    return table


def _deployed_function(
    app: Deployment, function: api_pb2.Function, choices: Sequence[api_pb2.Function]
) -> Table:
    secrets = [app.secrets[secret] for secret in function.secret_ids]
    gpus = [choice.resources.gpu_config for choice in choices]
    mounts = [app.mounts[mount] for mount in function.mount_ids if mount in app.mounts]
    return {
        **{name: attrgetter(where)(function) for name, where in NUMBERS.items()},
        # A Server may be given half a request, in another place.
        "target_inputs": function.target_concurrent_inputs
        or function.autoscaler_settings.target_concurrency_float,
        "GPUs": [(gpu.gpu_type, gpu.count) for gpu in gpus if gpu.gpu_type or gpu.count],
        "cpu": f"{function.resources.milli_cpu / 1000:.3f}",
        "snapshot": function.checkpointing_enabled,
        "experiments": dict(function.experimental_options),
        "regions": list(function.scheduler_placement.regions),
        "secrets": {secret.name: sorted(secret.required_keys) for secret in secrets if secret.name},
        "variables": {n: value for s in secrets if not s.name for n, value in s.values.items()},
        "volumes": {
            volume.mount_path: (
                app.volumes[volume.volume_id],
                "read only" if volume.read_only else "read and write",
            )
            for volume in function.volume_mounts
        },
        "retries": function.retry_policy.retries,
        "unasked": _filled(function, UNASKED),
        **{
            path: [_short(mount[path]) for mount in mounts if path in mount]
            for path in set().union(*mounts)
        },
    }


def _filled(message: Message, names: str) -> list[str]:
    """Which of these fields say something."""
    values = {name: attrgetter(name)(message) for name in names.split()}
    sizes = {n: v.ByteSize() if isinstance(v, Message) else v for n, v in values.items()}
    return [name for name, size in sizes.items() if size]


def _deployed_web(config: api_pb2.WebhookConfig, startup_timeout: int) -> Table:
    seconds = config.web_server_startup_timeout
    return {
        "kind": api_pb2.WebhookType.Name(config.type).removeprefix("WEBHOOK_TYPE_"),
        "method": config.method or "none",
        "docs": config.web_endpoint_docs,
        "label": config.requested_suffix or "none",
        "proxy auth": config.requires_proxy_auth,
        "custom domains": [domain.name for domain in config.custom_domains],
        "port": config.web_server_port,
        "seconds for the port": (
            f"below {startup_timeout}" if 0 < seconds < startup_timeout else seconds
        ),
    }


def _deployed_server(config: api_pb2.HTTPConfig) -> Table:
    return {
        "kind": "SERVER",
        "proxy auth": not config.unauthenticated,
        "port": config.port,
        "routing regions": list(config.proxy_regions),
        "seconds for the start": config.startup_timeout,
        "seconds of grace": config.exit_grace_period,
        "unasked of the server": _filled(config, UNASKED_OF_SERVER),
    }


def _deployed_image(layers: Sequence[api_pb2.Image]) -> Table:
    """The lowest layer, which is Modal's own or somebody else's with Modal's Python, and what stands above it."""
    base, *above = [list(layer.dockerfile_commands) for layer in layers]
    lines = [line for commands in above for line in commands]
    python = re.fullmatch(r"FROM python:(\d+\.\d+)-slim-\w+", base[0])
    put_in = [found[1] for layer in layers if (found := PUT_IN.search(layer.context_mount_id))]
    tags = [line.split()[1].rpartition(":")[2] for line in lines if "/astral-sh/uv:" in line]
    pinned = len(tags) == 1 and re.fullmatch(r"\d+\.\d+\.\d+", tags[0])
    sent = [file for layer in layers for file in layer.context_files]
    return {
        "base": "Modal's own" if python else base[0].removeprefix("FROM "),
        "Python": python[1] if python else ", ".join(put_in),
        "version of uv": "pinned" if pinned else tags,
        "commands": [
            _command(line) for line in lines if not line.startswith(("FROM ", "COPY ", "ENV "))
        ],
        "variables of the image": [
            re.split("[ =]", line)[1] for line in lines if line[:4] == "ENV "
        ],
        **{f"{f.filename}, to build": _short(hashlib.sha256(f.data).hexdigest()) for f in sent},
        "unasked of the image": [
            name
            for layer in layers
            for name in _filled(layer, UNASKED_OF_IMAGE)
            if not (name == "context_mount_id" and PUT_IN.search(layer.context_mount_id))
        ],
    }


def _command(line: str) -> str:
    """A command with its options sorted, without those that the client adds by itself."""
    words = [Path(word).name if word.startswith("/") else word for word in shlex.split(line)]
    words = [word for word in words if not word.startswith(CLIENTS_OWN)]
    return shlex.join(sorted(words, key=lambda word: word if word.startswith("--") else ""))
