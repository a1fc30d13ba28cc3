"""What people see, and what it does. Yours: the template never changes this file after it wrote it."""

import re
from collections import Counter

import gradio as gr

LONGEST_TEXT = 50_000  # characters


def summarize(text: str, sentences: int) -> str:
    """Pick the sentences whose words are the most frequent in the text, in their own order."""
    if len(text) > LONGEST_TEXT:  # an API call passes by the limit of the text box
        raise gr.Error(f"At most {LONGEST_TEXT:,} characters, please.", print_exception=False)
    found = [part.strip() for part in re.split(r"(?<=[.!?])\s+", text) if part.strip()]
    frequency = Counter(words(text))

    def weight(sentence: str) -> float:
        own = words(sentence)
        return sum(frequency[word] for word in own) / len(own) if own else 0.0

    best = sorted(range(len(found)), key=lambda place: weight(found[place]), reverse=True)
    return " ".join(found[place] for place in sorted(best[:sentences]))


def words(text: str) -> list[str]:
    """The words that carry meaning: short ones hold a sentence together and say little."""
    return [word for word in re.findall(r"\w+", text.lower()) if len(word) > 3]


def page() -> None:
    """Lay out the page. What is made here becomes part of it: https://www.gradio.app/docs"""
    gr.Markdown("# Summary\nThe sentences of a text that say most of it.")
    with gr.Row():
        text = gr.Textbox(label="Text", lines=12, max_length=LONGEST_TEXT)
        summary = gr.Textbox(label="Summary", lines=12, buttons=["copy"])
    sentences = gr.Slider(1, 10, value=3, step=1, label="Sentences")
    gr.Button("Summarize", variant="primary").click(
        summarize, [text, sentences], summary, api_name="summarize"
    )
