"""What a run knows of the window and of its prompts' sizes where no tokenizer can be asked."""

from typing import Any

from tests.runs import at_rest, request, step
from workbench.backends.base import AnswerPart, ChatRequest
from workbench.backends.scripted import ScriptedBackend
from workbench.engine import Engine
from workbench.settings import Settings

LONG = " ".join(["internationalisation"] * 20)


class NoTokenizer(ScriptedBackend):
    """A server that says afterwards how long a prompt was, 1.5 times what the text looks like, and its window."""

    async def count_tokens(self, request: ChatRequest) -> int | None:
        return None

    async def chat(self, request: ChatRequest) -> Any:
        async for part in super().chat(request):
            if isinstance(part, AnswerPart):
                size = sum(len(message.content) / 4 + 4 for message in request.messages)
                part = part.model_copy(update={"prompt_tokens": round(1.5 * size), "context_window": 2_048})
            yield part


def test_guesses_learn_from_what_earlier_prompts_had_and_the_window_from_the_server(settings: Settings) -> None:
    answers = [step(f"Step {number}", f"{number} {LONG}") for number in range(5)]
    engine = Engine(settings, {"scripted": NoTokenizer([*answers, "Done."])})
    try:
        view = at_rest(engine, engine.submit(request("stepwise", max_steps=5)))
    finally:
        engine.close()
    first, *others = view.calls
    assert view.status == "answered" and not any(call.called.prompt_counted for call in view.calls)
    assert first.called.context_window is None and {call.called.context_window for call in others} == {2_048}
    sizes = [(call.called.prompt_estimate, call.answer.prompt_tokens) for call in others if call.answer]
    assert len(sizes) == 5 and all(guess and abs(guess - size) < 0.05 * size for guess, size in sizes if size)
