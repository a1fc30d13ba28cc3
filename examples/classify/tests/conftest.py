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
from myapi.engine import Engine, Reading
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
    texts: list[NonEmpty | tuple[NonEmpty, NonEmpty]]
    weight: float = Field(default=0, ge=0, le=2)


@router.post("/probe")
async def ask(body: Ask, request: Request) -> list[Reading]:
    engine: Engine = request.app.state.engine
    return await engine.read(body.texts)


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
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.train_from_iterator([TEXT], trainers.WordLevelTrainer(special_tokens=special))
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=250,
    )
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        initializer_range=0.3,  # or all texts are alike to a random model
        id2label={0: "bad", 1: "so-so", 2: "good"},
        label2id={"bad": 0, "so-so": 1, "good": 2},
    )
    model = transformers.BertForSequenceClassification(config)

    models_dir = tmp_path_factory.mktemp("models")
    revision = weights.MODEL_REVISION
    commit = revision if re.fullmatch("[0-9a-f]{40}", revision) else "0" * 40
    home = models_dir / ("models--" + weights.MODEL_ID.replace("/", "--"))
    (home / "refs" / revision).parent.mkdir(parents=True)
    (home / "refs" / revision).write_text(commit)
    model.save_pretrained(home / "snapshots" / commit)
    tokenizer.save_pretrained(home / "snapshots" / commit)
    return models_dir
