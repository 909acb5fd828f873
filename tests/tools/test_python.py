"""The Python tool: what a program prints comes back, and no program can hurt, hang or outlive us."""

import ast
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench.errors import ToolError
from workbench.settings import CHECKOUT
from workbench.tools import sandbox
from workbench.tools.python import MAX_CODE, MAX_SHOWN, MODULES, Arguments, PythonTool, parsed
from workbench.tools.sandbox import Limits

FOREVER = "while True:\n    pass"


async def run(code: str, **limits: float) -> str:
    return await PythonTool(Limits(**limits)).run(Arguments(code=code))


async def refusal(code: str, **limits: float) -> str:
    with pytest.raises(ToolError) as refused:
        await run(code, **limits)
    return str(refused.value)


def processes() -> list[tuple[int, int, str, str]]:
    """Every process: its id, its parent's, its state, its program; from /proc, or from ps where there is none."""
    if Path("/proc/self/stat").exists():
        stats = []
        for file in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                stats.append(file.read_text())
        return [_parsed_stat(text) for text in stats]
    listed = subprocess.run(["ps", "-axo", "pid=,ppid=,stat=,comm="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 3) for line in listed.stdout.splitlines()]
    return [(int(pid), int(parent), state, name.rpartition("/")[2]) for pid, parent, state, name in rows]


def _parsed_stat(text: str) -> tuple[int, int, str, str]:
    pid, _, rest = text.partition(" (")
    name, _, fields = rest.rpartition(") ")
    state, parent = fields.split()[:2]
    return int(pid), int(parent), state, name


def workers(parent: int | None = None) -> list[int]:
    """The living sandbox processes of a process of ours."""
    wanted = parent or os.getpid()
    return [pid for pid, ppid, state, name in processes() if name == "monty" and ppid == wanted and state[0] != "Z"]


async def until(condition, seconds: float = 5.0) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "It never came to be."
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print(1 + 1)", "2"),
        ("print('a')\nprint('b')", "a\nb"),
        ("1 + 1", "2"),
        ("x = 3\nx; x + 1", "4"),
        ("print('sum:')\nsum([1, 2])", "sum:\n3"),
        ("[*range(3)]  # all\n\n# done", "[0, 1, 2]"),
        ("(\n    [1,\n     2]\n)", "[1, 2]"),
        ("*range(3), 5", "(0, 1, 2, 5)"),
        ("'é' + 'ü'  # ö", "'éü'"),
        ("import re\nre.findall('\\d+', 'a12b3')", "['12', '3']"),
        ("class P:\n    def __repr__(self):\n        return 'P!'\n[P()]", "[P!]"),
        ("a = []\na.append(a)\na", "[[...]]"),
        ("def f(n):\n    return 1 if n < 2 else n * f(n - 1)\nf(5)", "120"),
        ("import time\ntime.sleep(100)\nprint('awake')", "awake"),
        ("if __name__ == '__main__':\n    print('main')", "main"),
    ],
)
async def test_what_is_printed_and_the_last_value_come_back(code, said):
    assert await run(code) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```python\nprint(3)\n```", "3"),
        ("```\nprint(3)\n```\n", "3"),
        ("Here it is:\n```python\nx = 4\n```\nand then\n```python\nprint(x)\n```\nDone.", "4"),
        ("`1 + 1`", "2"),
        ("```python\nprint('cut off')", "cut off"),
        ("x = 2\rx + 1", "3"),
        ("    x = 1\n    print(x)", "1"),
        ("x = 1\r\nprint(x)\r\n", "1"),
        ("s = '''\n```\n1\n```\n'''\nprint(len(s))", "11"),
    ],
)
async def test_fences_and_indentation_around_a_program_do_not_matter(text, said):
    assert await run(text) == said


async def test_a_program_that_only_defines_a_function_is_told_so():
    told = await refusal("def f():\n    return 1")
    assert told == "It printed nothing: f is only defined. Call it and print, or give the code as your answer."


@pytest.mark.parametrize("code", ["print()", "None"])
async def test_a_program_that_prints_nothing_is_told_to_print(code):
    assert await refusal(code) == "The program ran but printed nothing. Print the result: print(result)."


@pytest.mark.parametrize("code", ["", "  \n", "```\n```"])
async def test_an_empty_program_is_refused(code):
    assert "There is no program" in await refusal(code)


async def test_a_program_that_is_too_long_is_refused():
    assert "longer than 20,000 characters" in await refusal("#" * (MAX_CODE + 1))


async def test_an_error_comes_with_its_lines_and_what_was_printed_before():
    said = await refusal("def g(x):\n    return 1 / x\nprint('before')\nprint(g(0))")
    assert said == "before\n  line 4: print(g(0))\n  line 2, in g: return 1 / x\nZeroDivisionError: division by zero"


async def test_an_error_in_the_last_expression_shows_the_program_as_written():
    assert await refusal("1 / 0") == "  line 1: 1 / 0\nZeroDivisionError: division by zero"


async def test_a_deep_traceback_is_short():
    code = "\n".join(f"def f{n}():\n    return f{n + 1}()" for n in range(50)) + "\nf0()"
    said = await refusal(code)
    assert "NameError: name 'f50' is not defined" in said
    assert "more ..." in said
    assert len(said.split("\n")) == 7


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("timedelta(days=1)", "Define it in a line before, or import it: from MODULE import NAME."),
        ("input()", "Nobody can type here. Put the values into the program."),
    ],
)
async def test_a_missing_name_comes_with_one_advice(code, advice):
    said = (await refusal(code)).split("\n")
    assert "NameError" in said[-2] and said[-1] == advice


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = (", "SyntaxError"),
        ("\x00", "SyntaxError"),
        ("'\ud800'", "lone surrogates"),
        ("-" * 9_000 + "1", "nested"),
        ("(" * 9_000, "nested"),
        ("def f(n):\n    return f(n + 1)\nf(0)", "RecursionError"),
        ("[0] * 10**9", "wanted more than 64 MiB"),
        ("x = 'a'\nwhile True:\n    x += x", "wanted more than 64 MiB"),
        ("9**9**9", "wanted more than 64 MiB"),
        ("10**6000", "ValueError"),
        ("input('?')", "Put the values into the program"),
        ("yield 1", "write plain functions"),
        ("raise ValueError('x' * 10**6)", "ValueError: xxx"),
        ("().__class__.__bases__[0].__subclasses__()", "AttributeError"),
        ("__import__('os').system('true')", "NameError"),
    ],
)
async def test_what_a_sandbox_cannot_do_is_said_in_short(code, said):
    refused = await refusal(code)
    assert said in refused
    assert len(refused) < 800


@pytest.mark.parametrize(
    "code",
    [
        "open('{path}').read()",
        "open('{path}', 'a').write('x')",
        "from pathlib import Path\nPath('{path}').read_text()",
        "import os\nos.listdir('/')",
        "import os\nos.environ['HOME']",
        "import os\nos.system('true')",
    ],
)
async def test_a_program_reaches_no_file_and_no_environment(code, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret words")
    assert "secret words" not in await refusal(code.format(path=secret))
    assert secret.read_text() == "secret words"


@pytest.mark.parametrize("module", ["socket", "urllib.request", "subprocess", "ctypes", "requests", "numpy"])
async def test_a_program_has_no_network_and_no_foreign_module(module):
    assert "Only these modules are there: math" in await refusal(f"import {module}")


async def test_every_module_that_the_advice_names_is_there():
    assert await run(f"import {MODULES}\nprint('all there')") == "all there"


async def test_an_endless_loop_ends_at_the_time_limit():
    began = time.perf_counter()
    assert "TimeoutError: it ran longer than 0.3 seconds" in await refusal(FOREVER, seconds=0.3)
    assert time.perf_counter() - began < 3


async def test_catching_everything_does_not_escape_the_time_limit():
    code = "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass"
    assert "it ran longer than" in await refusal(code, seconds=0.3)


async def test_long_output_is_cut_in_the_middle_and_says_so():
    said = await run("for i in range(5_000):\n    print(i)")
    assert said.startswith("0\n1\n2\n")
    assert said.endswith("4998\n4999")
    assert "[cut here, too long: print less]" in said
    assert len(said) < MAX_SHOWN + 50


async def test_a_long_value_is_cut():
    said = await run("list(range(100_000))")
    assert said.startswith("[0, 1, 2, ")
    assert "[cut here, too long: print less]" in said
    assert len(said) < MAX_SHOWN + 50


async def test_endless_printing_is_stopped_before_the_time_limit():
    began = time.perf_counter()
    said = await refusal("while True:\n    print('spam')", seconds=20)
    assert said.startswith("spam\nspam\n")
    assert "Stopped: it printed more than 65,536 characters" in said
    assert len(said) < 1_500
    assert time.perf_counter() - began < 5


async def test_cancelling_ends_the_process_at_once():
    task = asyncio.create_task(run(FOREVER, seconds=60))
    await until(workers)
    began = time.perf_counter()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not workers(), 2)
    assert time.perf_counter() - began < 2


async def test_cancelling_while_waiting_for_a_free_process_starts_none():
    held = [asyncio.create_task(run(FOREVER, seconds=60)) for _ in range(40)]
    await until(workers)
    began = time.perf_counter()
    for task in held:
        task.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*held, return_exceptions=True))
    await until(lambda: not workers(), 2)
    assert time.perf_counter() - began < 2
    assert await run("print('free again')") == "free again"


async def test_twenty_programs_at_once_keep_their_own_output():
    codes = [f"total = sum(range(200_000))\nprint('program', {n}, total)" for n in range(20)]
    said = await asyncio.gather(*(run(code) for code in codes))
    assert said == [f"program {n} 19999900000" for n in range(20)]


async def test_programs_share_nothing():
    await run("secret = 42\nprint(secret)")
    assert "NameError" in await refusal("print(secret)")


async def test_the_loop_goes_on_while_programs_run():
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.01)

    beating = asyncio.create_task(beat())
    await asyncio.gather(*(refusal(FOREVER, seconds=0.5) for _ in range(3)), run("list(range(500_000))"))
    beating.cancel()
    assert beats > 10


async def test_a_killed_process_is_reported_and_the_next_program_runs():
    task = asyncio.create_task(refusal(FOREVER, seconds=60))
    await until(workers)
    os.kill(workers()[0], signal.SIGKILL)
    assert "The sandbox's process died" in await task
    assert await run("print('next')") == "next"


async def test_without_the_sandbox_program_the_tool_says_so(monkeypatch):
    monkeypatch.setenv("MONTY_BIN", "/nowhere/monty")
    assert "The sandbox cannot run this" in await refusal("print(1)")


async def test_nothing_is_left_running():
    await run("print(1)")
    await refusal(FOREVER, seconds=0.2)
    assert workers() == []


def test_a_program_stopped_before_it_begins_never_runs():
    stopped = sandbox.Sandbox("print('ran')", Limits())
    stopped.stop()
    outcome = stopped.run()
    assert (outcome.printed, outcome.failure) == ("", "Stopped")


LEAVING = """
import asyncio
from workbench.tools.python import Arguments, PythonTool
from workbench.tools.sandbox import Limits

async def main():
    tool = PythonTool(Limits(seconds={seconds}))
    task = asyncio.create_task(tool.run(Arguments(code={code!r})))
    print("began", flush=True)
    await asyncio.wait([task], timeout={wait})
    print("left", task.done(), flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("code", "done"), [("print(1)", True), (FOREVER, False), ("[0] * 10**9", True), ("while True: print(1)", True)]
)
def test_our_own_process_leaves_in_peace(code, done):
    program = LEAVING.format(code=f"{code}", seconds=30, wait=10 if done else 1)
    began = time.perf_counter()
    left = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert (left.returncode, left.stdout) == (0, f"began\nleft {done}\n")
    assert time.perf_counter() - began < 15


def test_a_process_outlives_a_killed_parent_by_no_more_than_its_time_limit():
    program = LEAVING.format(code=FOREVER, seconds=2, wait=30)
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=CHECKOUT, stdout=subprocess.PIPE)
    asyncio.run(until(lambda: workers(parent.pid), 20))
    (worker,) = workers(parent.pid)
    parent.kill()
    parent.communicate()
    asyncio.run(until(lambda: worker not in [pid for pid, _, state, _ in processes() if state[0] != "Z"], 10))


@pytest.mark.parametrize(("code", "shown"), [("n = 'strawberry'.count('r')", "3"), ("n = 1\nn += 4", "5")])
async def test_a_program_that_ends_by_setting_a_variable_shows_it(code, shown):
    assert await PythonTool().run(Arguments(code=code)) == shown


def test_a_parser_that_stumbles_over_another_thread_is_asked_again(monkeypatch):
    results = iter([SystemError("AST constructor recursion depth mismatch"), ast.Module([], [])])

    def stumble(code: str) -> ast.Module:
        result = next(results)
        if isinstance(result, SystemError):
            raise result
        return result

    monkeypatch.setattr(ast, "parse", stumble)
    assert parsed("x") is not None
