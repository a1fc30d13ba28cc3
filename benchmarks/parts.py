"""Where a server's time goes."""

# In the model's thread, then in the event loop's.
PARTS = {
    "forward": "model: forward pass",
    "sampling": "model: choose a token",
    "text": "model: tokens to text",
    "moves": "model: move slots",
    "hand-over": "model: hand over to the event loop",
    "step": "model: rest of a step",
    "tokenizing": "loop: text to tokens",
    "web": "loop: HTTP, JSON, events, waking",
    "other": "other threads",
    "idle": "nobody",
}
