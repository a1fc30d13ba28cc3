"""The JSON body of a request as a pydantic model."""

from typing import TypeVar

from flask import abort, request
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


def read_json(model: type[Model]) -> Model:
    """Read the body, or answer 415 (it is not JSON) or 422 (with a list of what is wrong)."""
    if not request.is_json:
        abort(415)
    try:
        # Pydantic parses too: Python's own parser ends deep nesting with a RecursionError.
        return model.model_validate_json(request.get_data())
    except ValidationError as error:
        abort(422, error.errors(include_url=False, include_context=False, include_input=False))
