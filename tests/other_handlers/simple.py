"""Another function: it counts the letters of a word."""

from pydantic import BaseModel


class Greeting(BaseModel):  # modal_app.py wants this name
    letters: int


async def hello(word: str) -> Greeting:
    return Greeting(letters=len(word))
