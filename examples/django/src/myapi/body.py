"""The JSON body of a request as a pydantic model."""

from typing import TypeVar

from django.http import HttpRequest
from pydantic import BaseModel, ValidationError

from .errors import Problem

Model = TypeVar("Model", bound=BaseModel)


def read_json(request: HttpRequest, model: type[Model]) -> Model:
    """Read the body, or answer 415 (it is not JSON) or 422 (with a list of what is wrong)."""
    if request.content_type != "application/json":
        raise Problem(415, "Unsupported Media Type")
    try:
        # Pydantic parses too: Python's own parser ends deep nesting with a RecursionError.
        return model.model_validate_json(request.body)
    except ValidationError as error:
        reasons = error.errors(include_url=False, include_context=False, include_input=False)
        raise Problem(422, reasons) from error
