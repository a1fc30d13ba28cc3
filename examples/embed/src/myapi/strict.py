"""Types that take what JSON calls so. Pydantic also takes "1" and true for 1, which the OpenAPI document does not allow."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field


def number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("Input should be a number")  # noqa: TRY004 (pydantic wants it so)
    return value


def false(value: Any) -> Any:
    if value is not False:
        raise ValueError("Input should be false")
    return value


Integer = Annotated[int, BeforeValidator(number)]
# Bounds stand before the function: after it pydantic writes them into the document as `ge`, which is not JSON Schema.
Positive = Annotated[int, Field(ge=1), BeforeValidator(number)]
Float = Annotated[float, Field(strict=True)]
Never = Annotated[Literal[False], BeforeValidator(false)]
