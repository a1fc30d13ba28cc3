"""Another page in the place of the starter's."""

import gradio as gr


def square(number: float) -> float:
    return number * number


def page() -> None:
    number = gr.Number(label="Number")
    number.submit(square, number, gr.Number(label="Square"), api_name="square")
