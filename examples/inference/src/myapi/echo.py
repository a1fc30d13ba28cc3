"""A stand-in for a model: for tests, and for a machine that has none. Never used on Modal."""

from .engine import Completion, Job, PromptRefusedError, cut


class EchoEngine:
    """Repeats the words of the prompt, one word a token, and keeps to the limits of the job."""

    ready = True

    async def generate(self, job: Job) -> Completion:
        words = job.prompt.split()
        if not words:
            raise PromptRefusedError("The prompt has no words")
        text, stopped, count = "", False, 0
        while not stopped and count < job.max_new_tokens:
            text, stopped = cut(f"{text} {words[count % len(words)]}", job.stop)
            count += 1
        return Completion(
            text=text,
            finish_reason="stop" if stopped else "length",
            prompt_tokens=len(words),
            completion_tokens=count,
        )
