"""What all tests share: clients, a route to the model, and a tiny model with random weights, made here.

Those of handlers.py, which are yours, need `client` and `make_client` and nothing else of it.
"""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import pytest
import uvicorn
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from myapi import handlers, weights
from myapi.echo import EchoEngine
from myapi.engine import Completion, Engine, Job
from myapi.web import create_app

MakeClient = Callable[[Engine], TestClient]
Serve = Callable[[Engine], tuple[str, str]]


@pytest.fixture
def make_client(monkeypatch: pytest.MonkeyPatch) -> MakeClient:
    """Make a client that may call the application, with this engine in it."""
    return lambda engine: TestClient(create_app(engine))


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client(EchoEngine())


@pytest.fixture
def serve(make_client: MakeClient) -> Iterator[Serve]:
    """Serve the application, with this engine in it, on a port of this machine; give its URL and a caller's token."""
    with contextlib.ExitStack() as stack:

        def start(engine: Engine) -> tuple[str, str]:
            client = make_client(engine)
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            config = uvicorn.Config(client.app, log_config=None, timeout_graceful_shutdown=5)
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            while not server.started:
                time.sleep(0.01)
            token = client.headers.get("Authorization", "").removeprefix("Bearer ")
            return "http://{}:{}".format(*listener.getsockname()), token or "unused"

        yield start


router = APIRouter()


# Only with a bound does pydantic see that a string holds half a character.
NonEmpty = Annotated[str, Field(min_length=1)]


class Ask(BaseModel):
    prompt: NonEmpty
    max_new_tokens: int = 1
    temperature: float = Field(default=0, ge=0, le=2)
    stop: tuple[NonEmpty, ...] = ()


@router.post("/probe")
async def ask(body: Ask, request: Request) -> Completion:
    engine: Engine = request.app.state.engine
    return await engine.generate(Job(**body.model_dump()))


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """`POST /probe` in place of your routes, which may be any."""
    monkeypatch.setattr(handlers, "router", router)


TEXT = "The sea is wide and blue. Ships cross the sea in the night, and the wind is cold there."


@pytest.fixture(scope="session")
def model_dir(models_dir: Path) -> Path:
    """The tiny model."""
    return weights.find(models_dir)


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it lies as if it were the model of this project, freshly downloaded."""
    why = "the model extra is not installed: uv sync --extra model"
    torch = pytest.importorskip("torch", reason=why)
    transformers = pytest.importorskip("transformers", reason=why)
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    # Single bytes and few merges, so that characters fall apart into several tokens.
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator([TEXT] * 4, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<end>")
    # In Jinja, with < and > for its braces, so that nobody takes this file for a template.
    conversation = (
        "<% for message in messages %><< message.role >>: << message.content >>\n<% endfor %>"
        "<% if messages[-1].role == 'assistant' %><< raise_exception('Who asks?') >><% endif %>"
        "answer:"
    )
    tokenizer.chat_template = conversation.replace("<", "{").replace(">", "}")

    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        # Untied and wide, or a random model says the same word again and again.
        initializer_range=0.3,
        tie_word_embeddings=False,
    )
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight[tokenizer.eos_token_id] = 0  # so that it never ends by itself

    models_dir = tmp_path_factory.mktemp("models")
    revision = weights.MODEL_REVISION
    commit = revision if re.fullmatch("[0-9a-f]{40}", revision) else "0" * 40
    home = models_dir / ("models--" + weights.MODEL_ID.replace("/", "--"))
    (home / "refs" / revision).parent.mkdir(parents=True)
    (home / "refs" / revision).write_text(commit)
    model.save_pretrained(home / "snapshots" / commit)
    tokenizer.save_pretrained(home / "snapshots" / commit)
    return models_dir
