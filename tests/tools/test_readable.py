"""What a reader would read of a web page, also of one that is broken, or made to be hard to read."""

import random
import time

import pytest

from workbench.tools.readable import MOST_SECONDS, readable


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One <b>two</b>\n  three</p><p>four", "One two three\nfour"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<h1>Head</h1><h3>Part</h3>text", "# Head\n### Part\ntext"),
        ("<ul><li>x<li>y</ul>end", "- x\n- y\nend"),
        ("<table><tr><th>a<th>b</tr><tr><td>1</td><td></td></tr></table>", "a | b\n1"),
        ("10<sup>6</sup> H<sub>2</sub>O", "10^6 H2O"),
        ("&lt;b&gt; &eacute; &#233; &nosuch;", "<b> é é &nosuch;"),
        ("<style>p {}</style><script>if (a < b) {}</script>text<!-- no -->", "text"),
        ("<nav>menu</nav><header>top</header><p>text</p><footer>bottom</footer>", "text"),
        ("<div><nav>a<nav>b</nav>c</nav>text</div>", "text"),
        ("<p hidden>no</p><p aria-hidden=true>no</p>text", "text"),
        ("<img src='" + "A" * 99_999 + "'>text after", "text after"),
        ("<p>text without an end", "text without an end"),
        ("<pre>a\n  b</pre>c\nd", "a\nb\nc d"),
        ("just text", "just text"),
        ("<p>a</p><p></p><ul><li></li></ul><p>b</p>", "a\nb"),
        ("", ""),
    ],
)
def test_the_text_of_a_page(html, text):
    assert readable(html).text == text


def test_the_title_is_apart():
    page = readable("<title>\n Ferries &amp; more </title><p>text</p><svg><title>icon</title></svg>")
    assert page == ("Ferries & more", "text")


def test_the_main_part_is_all_that_counts_where_there_is_one():
    long = "All about ferries. " * 20
    assert readable(f"<div>Before</div><main><p>{long}</p></main><div>After</div>").text == long.strip()
    assert readable(f"<div>Before</div><article><p>{long}</p></article><div>After</div>").text == long.strip()
    assert readable("<div>Before</div><main>short</main>").text == "Before\nshort"


def test_named_parts_are_left_out():
    page = readable("<p>a<sup class='x reference'>1</sup></p><table><tr><td>t</table><p>b", ("table", ".reference"))
    assert page.text == "a\nb"


def test_a_page_that_is_all_menu_is_read_all_the_same():
    assert readable("<nav>Home Products Contact").text == "Home Products Contact"


HARD = {
    "comments": "<!--" * 100_000,
    "tags": "<a " * 300_000,
    "quotes": "<a b='" * 150_000,
    "equals": "<a" + " =" * 400_000,
    "depth": "<div>" * 100_000,
    "declarations": "<![x" * 100_000,
    "references": "&#x" * 100_000,
}


@pytest.mark.parametrize("name", HARD)
def test_a_page_that_is_made_to_be_hard_ends_in_time(name, monkeypatch):
    monkeypatch.setattr("workbench.tools.readable.MOST_SECONDS", 0.5)
    began = time.perf_counter()
    readable(HARD[name])
    assert time.perf_counter() - began < MOST_SECONDS


def test_no_text_breaks_it():
    chance = random.Random(5)
    pieces = [
        "<",
        ">",
        "</",
        "<!",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?",
        "&",
        "&#",
        ";",
        "=",
        '"',
        "'",
        " ",
        "p",
        "a",
    ]
    pieces += ["<p>", "</p>", "<script>", "</script", "<title>", "<main>", "\x00", "\ud800", "é", "<li ", "hidden"]
    for _ in range(2_000):
        page = readable("".join(chance.choice(pieces) for _ in range(chance.randrange(40))))
        assert isinstance(page.text, str)
