"""The program in what a model wrote: what is run, and what is not."""

import pytest

from agents.programs import python_in


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("print(1)", "print(1)"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("Here it is:\n\n```Python\nprint(1)\n```\nIt prints 1.", "print(1)"),
        ("```\nprint(1)\n```", "print(1)"),
        ("```python\nprint(1)\n```\nOutput:\n```\n1\n```", "print(1)"),
        ("```python\nx = 1\n```\nand then\n```py\nprint(x)\n```", "x = 1\nprint(x)"),
        ("```python\nprint(1)\n```\nAgain, whole:\n```python\nprint(1)\n```", "print(1)"),
        ("```python\nif 1:\n    print(1)\n", "if 1:\n    print(1)"),
        ("~~~python\nprint(1)\n~~~", "print(1)"),
        ("```javascript\nconsole.log(1)\n```", ""),
        ("```json\n{}\n```\n```python\nprint(1)\n```", "print(1)"),
        ("", ""),
    ],
)
def test_the_program_is_what_stands_in_blocks_of_python(text, program):
    assert python_in(text) == program
