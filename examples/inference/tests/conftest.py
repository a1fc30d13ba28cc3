"""What all tests share: clients, a route to the model, and a tiny model with random weights, made here.

Those of handlers.py, which are yours, need `client` and `make_client` and nothing else of it.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from myapi import handlers, weights
from myapi.echo import EchoEngine
from myapi.engine import Completion, Engine, Job
from myapi.web import create_app

MakeClient = Callable[[Engine], TestClient]


@pytest.fixture
def make_client(monkeypatch: pytest.MonkeyPatch) -> MakeClient:
    """Make a client that may call the application, with this engine in it."""
    return lambda engine: TestClient(create_app(engine))


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client(EchoEngine())


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
