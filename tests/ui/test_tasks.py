"""The checklist of a plan and the board of a queue."""

from tests.ui.test_markdown import Tags
from workbench.events import Task
from workbench.ui.tasks import plan_html, queue_html


def words(html: str) -> str:
    return " ".join(Tags(html).text.split())


def columns(html: str) -> list[str]:
    board = html.partition('<div class="wb-board">')[2].partition("<details>")[0]
    return [words("<div" + part) for part in board.split('<div class="wb-column"')[1:]]


PLAN = [
    Task("Multiply.", "done", "full: 64.80"),
    Task("Ask.", "failed", "No answer."),
    Task("Take 15% off.", "doing"),
    Task("Round.", "todo"),
    Task("Guess.", "dropped", "replaced"),
]


def test_a_plan_is_a_checklist_in_its_order():
    html = plan_html(PLAN)
    rows = [words("<li" + row) for row in html.split("<li")[1:]]
    assert [row[0] for row in rows] == ["✓", "✕", "●", "○", "–"]
    assert "full: 64.80" in rows[0] and "failed" in rows[1] and "doing" in rows[2] and "replaced" in rows[4]
    assert "1 of 4 done" in words(html)


def test_every_state_is_said_in_a_word_too_and_the_present_task_is_marked():
    html = plan_html(PLAN)
    for word in ("done", "failed", "doing", "to do", "dropped"):
        assert f'role="img" aria-label="{word}"' in html
    assert html.count('aria-current="step"') == 1


def test_a_queue_is_a_board_of_three_columns():
    todo, doing, done = columns(queue_html(PLAN))
    assert todo.startswith("To do 1") and "Round." in todo
    assert doing.startswith("Doing 1") and "Take 15% off." in doing
    assert done.startswith("Done 2") and "Multiply." in done and "Ask." in done


def test_what_was_dropped_stands_under_the_board_with_its_reason():
    html = queue_html(PLAN)
    assert "1 dropped" in html and "replaced" in html.partition("<details>")[2]
    assert "<details>" not in queue_html(PLAN[:4])


def test_an_empty_column_says_so_and_keeps_its_place():
    todo, doing, done = columns(queue_html([Task("Bake.", "todo")]))
    assert "Bake." in todo and "nothing" in doing and "nothing" in done


def test_where_there_are_no_tasks_there_is_nothing():
    assert plan_html([]) == queue_html([]) == ""


def test_what_a_model_wrote_stays_text_and_short():
    evil = Task('<img src=x onerror="alert(1)">', "todo", "<script>" + "long " * 500)
    for html in (plan_html([evil]), queue_html([evil])):
        assert "<img" not in html and "<script" not in html and len(html) < 3_000


def test_a_state_of_a_newer_version_is_still_to_do():
    assert "○" in plan_html([Task("Bake.", "paused")])
