"""What is known of models' licences where their answers become training data; what is not known is said to be so."""

import re
from dataclasses import dataclass

from workbench.backends.fetch import MODELS
from workbench.backends.servers import kind_of

CHECK = "This goes by the model's name alone: read the licence that came with its file."
HOSTED = re.compile(r"(?:^|/)(?:gpt-(?!oss|j|neo|2)|chatgpt|o[134](?:-|$)|claude|gemini|grok|sonar|nova-)")


@dataclass(frozen=True)
class Licence:
    """A model's licence as far as it is known (empty: not known), and a sentence on training with what it wrote."""

    name: str
    note: str


FREE = "It says nothing against training with what the model wrote."
RESEARCH = "Not for commercial use; read it before you train with what the model wrote."
_LLAMA = (
    "A model that is trained with what it wrote and passed on must have a name that begins with Llama, and"
    ' "Built with Llama" must be shown.'
)
_OLD_LLAMA = "What it wrote may not be used to improve other language models than Llama."
_GEMMA = "A model that is trained with what it wrote to perform like Gemma falls under the Gemma terms itself."

# The first pattern that is found in the name, in lower case, counts.
FAMILIES: tuple[tuple[str, str, str], ...] = (
    (r"deepseek-r1.*llama|r1-distill-llama", "MIT, and the Llama licence of the model under it", _LLAMA),
    (r"deepseek-?r1", "MIT", FREE),
    (r"deepseek-?v3|deepseek-?v2|deepseek-?coder", "", "Versions of it have different licences."),
    (r"qwen2\.?5.*\b3b|qwen2\.?5-?(?:coder)?[:-]3b", "Qwen Research", RESEARCH),
    (
        r"qwen2\.?5.*72b|qwen2[:-].*72b",
        "Qwen",
        'A product that is trained with what it wrote must say "Improved using Qwen".',
    ),
    (r"qwen2\.?5|qwen2\b|qwen3|qwq", "Apache-2.0", FREE),
    (r"gpt-oss", "Apache-2.0", FREE),
    (r"llama-?4|llama-?3\.[1-9]", "Llama Community", _LLAMA),
    (r"code-?llama|llama-?[23]", "Llama Community (2 or 3)", _OLD_LLAMA),
    (r"gemma-?4", "Apache-2.0", FREE),
    (r"gemma", "Gemma Terms of Use", _GEMMA),
    (r"phi-?[34]", "MIT", FREE),
    (
        r"codestral|ministral|mistral-?large|pixtral-?large",
        "",
        "Mistral's research or non-production licence is likely.",
    ),
    (r"mixtral|mistral-?(?:7b|nemo|small)|devstral|magistral-?small", "Apache-2.0", FREE),
    (r"smollm|olmo|granite|tinyllama|stablelm-zephyr|yi-1\.5", "Apache-2.0", FREE),
    (r"starcoder2", "BigCode OpenRAIL-M", "Its restrictions of use go over to what is made with it."),
    (r"command-?r|aya-", "CC-BY-NC-4.0", RESEARCH),
)


def licence(backend: str, model: str, digest: str = "", said: str = "") -> Licence:
    """What is known of a model's licence. `said` is the licence text that the backend itself gives, where it does.

    A pinned model is known by its digest; every other one by nothing but its name.
    """
    if any(digest.removeprefix("sha256:") == pinned.sha256 for pinned in MODELS):
        return Licence("Apache-2.0", FREE)
    if backend == "scripted":
        return Licence("no model", "It comes from a script.")
    if said.strip():
        return Licence(
            " ".join(said.strip().splitlines()[0].split())[:100], "As its backend says; read it whole there."
        )
    name = model.casefold()
    if HOSTED.search(name):
        return Licence("", "Terms of hosted services often forbid to train other models with their answers: read them.")
    for pattern, known, note in FAMILIES:
        if re.search(pattern, name):
            return Licence(known, f"{note} {CHECK}")
    if kind_of(backend) == "openai":
        return Licence("", "Its licence is not known here, nor what its service's terms say on training: read both.")
    return Licence("", "Its licence is not known here: read the one that came with its file.")
