"""A stand-in for a model: for tests, and for a machine that has none. Never used on Modal."""

from collections.abc import AsyncGenerator, Sequence

from .engine import Completion, Job, Message, PromptRefusedError, cut

LIMIT = 1_024  # tokens, whatever a job says
MOST = 128  # tokens, where a job does not say how many


class EchoEngine:
    """Repeats the words of the prompt, one word a token, and keeps to the limits of the job."""

    ready = True

    @property
    def status(self) -> str:
        return "ready" if self.ready else "loading"

    def chat(self, messages: Sequence[Message]) -> str:
        return messages[-1].content

    async def generate(self, job: Job) -> Completion:
        words = job.prompt.split()
        if not words:
            raise PromptRefusedError("The prompt has no words")
        text, stopped, count = "", False, 0
        while not stopped and count < min(job.max_new_tokens or MOST, LIMIT):
            text, stopped = cut(f"{text} {words[count % len(words)]}", job.stop)
            count += 1
        return Completion(
            text=text,
            finish_reason="stop" if stopped else "length",
            prompt_tokens=len(words),
            completion_tokens=count,
        )

    async def stream(self, job: Job) -> AsyncGenerator[str | Completion]:
        completion = await self.generate(job)
        for word in completion.text.removeprefix(" ").split(" "):
            yield f" {word}"
        yield completion

    async def close(self) -> None:
        self.ready = False
