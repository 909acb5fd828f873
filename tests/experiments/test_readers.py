"""Published data sets in their authors' own form: recognised by their fields, and asked as they are meant."""

import gzip
import json
import time

import pytest

from workbench.experiments import datasets
from workbench.experiments.reading import Reading
from workbench.tools.sandbox import Limits, Sandbox

GSM8K = {
    "question": "A crate holds 1,200 pears. Mia adds half as many. How many pears are there?",
    "answer": "Half of 1200 is 1200/2 = <<1200/2=600>>600.\nTogether 1200+600 = <<1200+600=1800>>1800.\n#### 1,800",
}
HUMANEVAL = {
    "task_id": "HumanEval/900",
    "prompt": (
        "from typing import List\n\n\ndef half(n: int) -> int:\n    return n // 2\n\n\n"
        'def halves(numbers: List[int]) -> List[int]:\n    """ Halve every number.\n'
        '    >>> halves([4, 6])\n    [2, 3]\n    """\n'
    ),
    "entry_point": "halves",
    "canonical_solution": "    return [half(n) for n in numbers]\n",
    "test": (
        "\n\nMETADATA = {\n    'author': 'x'\n}\n\n\ndef check(candidate):\n"
        "    assert candidate([4, 6]) == [2, 3]\n    assert candidate([]) == []\n    assert half(8) == 4\n"
    ),
}
HOTPOTQA = {
    "_id": "5a8b57f25542995d1e6f1371",
    "answer": "Oslo",
    "question": "In which city was the builder of the Brown Bridge born?",
    "supporting_facts": [["Brown Bridge", 0], ["Ada Brown", 1]],
    "context": [
        ["Brown Bridge", ["The Brown Bridge was built by Ada Brown.", " It is of stone."]],
        ["Ada Brown", ["Ada Brown built bridges.", " She was born in Oslo."]],
    ],
    "type": "bridge",
    "level": "medium",
}
FEVER = {
    "id": 75397,
    "verifiable": "VERIFIABLE",
    "label": "REFUTES",
    "claim": "The Brown Bridge is made of wood.",
    "evidence": [[[92206, 104971, "Brown_Bridge", 1]]],
}


def of_lines(*rows: dict[str, object]) -> Reading:
    return datasets.read_bytes("set.jsonl", "\n".join(map(json.dumps, rows)).encode())


def why(reading: Reading) -> list[str]:
    return [f"{reading.unit} {problem.line}: {problem.message}" for problem in reading.problems]


def test_gsm8k_answers_are_the_number_after_the_hashes():
    reading = of_lines(GSM8K, {"question": "How much is left?", "answer": "Nothing.\n#### -5"})
    assert reading.form == "GSM8K"
    assert [item.answer for item in reading.items] == ["1800", "-5"]
    assert reading.items[0].question == GSM8K["question"]
    assert [column.taken_as for column in reading.columns] == ["question", "answer (the number after ####)"]


def test_gsm8k_rows_without_that_number_are_left_out():
    reading = of_lines(GSM8K, GSM8K, GSM8K, GSM8K | {"answer": "It is 5."}, GSM8K | {"answer": "#### five"})
    assert len(reading.items) == 3
    assert why(reading) == [
        "line 4: its answer does not end in #### and a number",
        "line 5: what follows #### in its answer is no number: five",
    ]


def test_humaneval_asks_for_the_function_and_its_check_runs_in_the_sandbox():
    data = gzip.compress(json.dumps(HUMANEVAL).encode())
    reading = datasets.read_bytes("HumanEval.jsonl.gz", data)
    (item,) = reading.items
    assert (reading.form, reading.name, item.id, item.entry_point) == (
        "HumanEval",
        "HumanEval",
        "HumanEval/900",
        "halves",
    )
    assert item.question.startswith("Complete this Python function.") and HUMANEVAL["prompt"].strip() in item.question
    assert "canonical" not in item.question and "half(n) for n" not in item.question
    assert not Sandbox(f"{item.answer}\n{item.tests}", Limits()).run().failure
    wrong = item.answer.replace("half(n) for", "n for")
    assert "AssertionError" in Sandbox(f"{wrong}\n{item.tests}", Limits()).run().failure


def test_humaneval_tests_bring_the_helpers_that_an_answer_may_leave_out():
    (item,) = of_lines(HUMANEVAL).items
    alone = "def halves(numbers):\n    return [n // 2 for n in numbers]"
    assert not Sandbox(f"{alone}\n{item.tests}", Limits()).run().failure


def test_hotpotqa_passages_become_the_context_and_its_kind_the_tags():
    reading = datasets.read_bytes("hotpot_dev_distractor_v1.json", json.dumps([HOTPOTQA]).encode())
    (item,) = reading.items
    assert (reading.form, item.id, item.answer, item.tags) == (
        "HotpotQA",
        HOTPOTQA["_id"],
        "Oslo",
        ("bridge", "medium"),
    )
    assert item.context == (
        "Brown Bridge: The Brown Bridge was built by Ada Brown. It is of stone.\n\n"
        "Ada Brown: Ada Brown built bridges. She was born in Oslo."
    )
    assert item.asked.endswith(str(HOTPOTQA["question"]))
    assert {column.name for column in reading.columns if not column.taken_as} == {"supporting_facts"}


def test_hotpotqa_as_a_table_of_titles_and_sentences_reads_the_same():
    titles, sentences = zip(*HOTPOTQA["context"], strict=True)
    other = {key: value for key, value in HOTPOTQA.items() if key != "_id"} | {"id": HOTPOTQA["_id"]}
    other["context"] = {"title": list(titles), "sentences": list(sentences)}
    assert of_lines(other).digest == of_lines(HOTPOTQA).digest


def test_the_test_set_of_hotpotqa_has_no_answers():
    rows = [{key: value for key, value in HOTPOTQA.items() if key not in ("answer", "supporting_facts")}]
    reading = datasets.read_bytes("hotpot_test.json", json.dumps(rows).encode())
    assert (reading.form, reading.items[0].answer, reading.problems) == ("HotpotQA", "", ())


def test_fever_asks_for_one_of_three_labels():
    reading = of_lines(FEVER, FEVER | {"id": 2, "label": "NOT ENOUGH INFO"})
    first, second = reading.items
    assert reading.form == "FEVER"
    assert first.question.endswith("Claim: The Brown Bridge is made of wood.")
    assert first.asked.endswith("A. SUPPORTS\nB. REFUTES\nC. NOT ENOUGH INFO")
    assert (first.id, first.answer, first.aliases) == ("75397", "B", ("REFUTES",))
    assert (second.answer, second.aliases) == ("C", ("NOT ENOUGH INFO",))


def test_fever_rows_with_another_label_are_left_out_and_its_blind_set_has_none():
    assert why(of_lines(FEVER, FEVER | {"id": 2, "label": "MAYBE"})) == [
        "line 2: its label is MAYBE, which is none of SUPPORTS, REFUTES, NOT ENOUGH INFO"
    ]
    assert of_lines({"id": 1, "claim": "Bread is older than Rome."}).items[0].answer == ""


@pytest.mark.parametrize("row", [GSM8K, HUMANEVAL, HOTPOTQA, FEVER])
def test_a_row_that_lacks_a_field_of_the_form_is_left_out(row: dict[str, object]):
    needed = {"HumanEval": "test", "FEVER": "claim"}.get(of_lines(row).form, "question")
    lacking = {key: value for key, value in row.items() if key != needed}
    assert why(of_lines(row, row, lacking))[-1].startswith("line 3: it has no " + needed)


def test_a_chosen_column_turns_the_recognition_off():
    reading = datasets.read_text(json.dumps(GSM8K), {"answer": "answer"})
    assert reading.form == "JSONL" and reading.items[0].answer == GSM8K["answer"]


def test_a_quarter_of_hotpotqa_is_read_in_a_second_or_two():
    passage = ["Title", ["A sentence of about eighty characters, which is how long they are on average."] * 5]
    rows = [HOTPOTQA | {"_id": f"{n:024x}", "context": [passage] * 10} for n in range(1850)]
    data = json.dumps(rows).encode()
    began = time.process_time()
    assert len(datasets.read_bytes("hotpot.json", data).items) == 1850
    assert time.process_time() - began < 3
