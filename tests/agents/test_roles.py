"""How two who play roles speak: whose words an utterance is, flips, repetitions, and the word that the task is done."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from agents import roles

DIALOGUE = [
    HumanMessage("Our task: bake."),
    HumanMessage(
        "Instruction: Mix 200 grams of flour with all of the other things that stand ready on the table in the kitchen."
    ),
    AIMessage("Solution: Mixed."),
]


@pytest.mark.parametrize(
    ("speaker", "text", "words"),
    [
        ("user", "Instruction: Mix the flour.", "Mix the flour."),
        ("user", "Mix the flour.", "Mix the flour."),
        ("user", "**Instruction:** Mix the flour.", "Mix the flour."),
        ("user", "Well done!\nInstruction 2: Mix the flour.", "Mix the flour."),
        ("user", "Instruction: Mix the flour.\n\nSolution: I mixed it.", "Mix the flour."),
        ("user", "Instruction: Mix the flour.\nInstruction: Bake it.", "Mix the flour."),
        ("user", "Instruction: Bake it.\nTASK_DONE", "Bake it."),
        ("user", "Thank you, all is there. <TASK_DONE>.", "Thank you, all is there."),
        ("user", "Instruction: Let TASK_DONE be 1.", "Let TASK_DONE be 1."),
        ("assistant", "Solution: state = TASK_DONE", "state = TASK_DONE"),
        ("assistant", "Solution: Mixed.\nInstruction: Now bake it.", "Mixed."),
        ("assistant", "Instruction: Mix the flour.\nSolution: Mixed.", "Mixed."),
        ("assistant", "Solution 1: one\nSolution 2: two", "one\nSolution 2: two"),
        ("assistant", "### Solution:\ndef f():\n    return 1", "def f():\n    return 1"),
        ("assistant", "The instructions: are many.", "The instructions: are many."),
    ],
)
def test_an_utterance_is_what_its_speaker_says_and_not_what_it_says_for_the_other(speaker, text, words):
    assert roles.words_of(speaker, text) == words


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("Solution: I mixed it.", 'writes "Solution:"'),
        ("Here is the cake.", 'begins with "Here is"'),
        ("Sure! The cake has flour.", 'begins with "Sure"'),
        ("I have mixed it.", 'begins with "I have"'),
        ("A program:\n```python\nbake()\n```", "writes code"),
        ("Instruction: Write a function.\n```python\nbake()\n```", ""),
        ("Instruction: Here is what to do: mix.", ""),
        ("Mix the flour.", ""),
        ("Hereby mix the flour.", ""),
    ],
)
def test_an_ai_user_flips_when_it_solves(text, sign):
    assert roles.flipped("user", text) == sign


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("Instruction: Mix the flour.", 'writes "Instruction:"'),
        ("Please mix the flour.", 'begins with "Please"'),
        ("**Could you** tell me how much?", 'begins with "Could you"'),
        ("Your next task is to bake it.", 'begins with "Your next task is"'),
        ("Solution: Please mix the flour, says the recipe.", ""),
        ("```python\nbake()\n```", ""),
        ("Here is the cake. Please enjoy.", ""),
        ("Pleased guests ate it.", ""),
    ],
)
def test_an_ai_assistant_flips_when_it_instructs(text, sign):
    assert roles.flipped("assistant", text) == sign


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("TASK_DONE", True),
        ("<TASK_DONE>", True),
        ("Task done.", True),
        ("It is all there.\n**TASK_DONE**", True),
        ("Thank you, all parts are there. TASK_DONE", True),
        ("All is there, so TASK DONE, thank you.", True),
        ("The task done so far is small.", False),
        ("Instruction: Say TASK_DONE when you are through.", False),
        ("Instruction: Bake it.\nTASK_DONE", False),
        ("", False),
    ],
)
def test_the_task_is_done_when_the_word_is_said_and_nothing_is_instructed(text, done):
    assert roles.says_done(text) is done


LONG = (
    "Write the second paragraph of the report on the old mill, with three facts, one of them on its wheel, in 80 words."
)


@pytest.mark.parametrize(
    ("speaker", "one", "other", "same"),
    [
        ("user", "Mix the flour!", "mix  the flour", True),
        ("user", "Mix the flour.", "Mix the sugar.", False),
        ("user", LONG, LONG.replace("mill", "barn"), True),
        ("user", LONG, LONG.replace("80", "90"), False),
        ("user", LONG, LONG.replace("mill", "barn").replace("wheel", "door"), False),
        ("user", "", "Mix the flour.", False),
        ("assistant", "It is *mixed*.", "it is mixed", True),
        ("assistant", LONG, LONG.replace("mill", "barn"), False),
    ],
)
def test_an_instruction_may_not_come_again_nearly_and_a_solution_not_exactly(speaker, one, other, same):
    assert roles.is_repeated(speaker, one, ["Something else.", other]) is same


@pytest.mark.parametrize(
    ("speaker", "text", "fault"),
    [
        ("user", "Instruction: Bake it.", ""),
        ("user", "Solution: Baked.", 'solves: it writes "Solution:"'),
        ("user", DIALOGUE[1].text.replace("kitchen", "room"), "repeats itself"),
        ("user", "Instruction: ...", "says nothing to the point"),
        ("user", "TASK_DONE", "calls the task done after 1 of at least 2 solutions"),
        ("assistant", "Solution: Baked.", ""),
        ("assistant", "Mixed", "repeats itself"),
        ("assistant", "Bake", ""),
        ("assistant", "TASK_DONE", "says nothing to the point"),
        ("assistant", "Please bake it.", 'instructs: it begins with "Please"'),
    ],
)
def test_what_is_wrong_with_an_utterance_is_said_as_what_its_speaker_did(speaker, text, fault):
    assert roles.fault(speaker, text, DIALOGUE, 2) == fault


def test_after_enough_solutions_the_task_may_be_called_done():
    assert roles.fault("user", "TASK_DONE", DIALOGUE, 1) == ""


def test_each_side_has_its_own_words_as_its_own_turns_and_they_alternate():
    def turns(speaker, told=""):
        return [(turn.type, turn.text) for turn in roles.seen_by(speaker, DIALOGUE, told)]

    task, instruction, solution = (message.text for message in DIALOGUE)
    assert turns("assistant") == [("human", f"{task}\n\n{instruction}"), ("ai", solution)]
    assert turns("user") == [("human", task), ("ai", instruction), ("human", solution)]
    assert turns("user", "Go on.")[-1] == ("human", f"{solution}\n\nGo on.")
    assert turns("assistant", "The end.")[-1] == ("human", "The end.")


def test_a_conclusion_has_no_label():
    assert roles.unlabelled(" Solution: The cake. Solution: none") == "The cake. Solution: none"
    assert roles.unlabelled("The cake.") == "The cake."
