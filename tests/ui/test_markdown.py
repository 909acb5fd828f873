import re
from html.parser import HTMLParser

import pytest

from workbench.ui.markdown import BLOCK_CAP, CAP, _render_block, clean, escape, plain, reading_text, render, with_caret

ALLOWED = {
    *("div", "p", "span", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "blockquote", "hr", "br"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"),
}
NASTY = (
    "# Title\n\nSome `code` and **bold** [link](https://example.com/a?b=1&c=2) <b onclick=x>raw</b>\n\n"
    "- one\n\n- two\n  1. nested\n\n      indented\n\n```html\n<script>alert(1)</script>\n\n```\n\nafter\n\n"
    "| a | b |\n|---|---|\n| <i>1</i> | 2 |\n\n> quote\n\n![image](https://example.com/i.png)\n\n"
    "[x]: https://example.com 'title'\n\n<https://example.com> &amp; &lt;script&gt; \ud800 \x00 end"
)


class Tags(HTMLParser):
    """Collects what a browser would see of a piece of HTML."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_no_prefix_of_a_growing_text_makes_a_tag_that_the_model_chose():
    for end in range(len(NASTY) + 1):
        seen = Tags(render(NASTY[:end]))
        assert seen.tags <= ALLOWED
        assert seen.attributes <= {"class", "start", "style"}


def test_raw_html_is_shown_as_the_text_that_it_is():
    seen = Tags(render("<script>alert(1)</script> <img src=x onerror=alert(1)>"))
    assert seen.text.strip() == "<script>alert(1)</script> <img src=x onerror=alert(1)>"


def test_a_link_is_its_text_and_its_address_and_leads_nowhere():
    html = render("see [the paper](https://example.com/p)")
    assert "<a" not in html and "href" not in html
    assert Tags(html).text.strip() == "see the paper (https://example.com/p)"


def test_an_address_that_is_its_own_text_is_shown_once():
    assert Tags(render("<https://example.com/p>")).text.strip() == "https://example.com/p"


def test_an_image_is_named_and_never_fetched():
    html = render("![a pixel](https://example.com/p.png)")
    assert "<img" not in html and "src=" not in html
    assert Tags(html).text.strip() == "a pixel (https://example.com/p.png)"


def test_a_script_address_stays_text():
    assert "<a" not in render("[x](javascript:alert(1))")
    assert "javascript:alert(1)" in Tags(render("[x](javascript:alert(1))")).text


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\x00", "\x1b[31m", "ok \ud83d\ude00"])
def test_half_characters_and_controls_can_be_sent_to_a_browser(text: str):
    for shown in (render(text), plain(text), escape(text)):
        shown.encode("utf-8")
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", shown)


def test_a_surrogate_pair_becomes_its_character():
    assert clean("\ud83d\ude00") == "\U0001f600"


def test_pieces_rendered_alone_mean_what_they_mean_together():
    text = "1. a\n\n   still a\n\n2. b\n\npara\n\n```\nfenced\n\nnot a paragraph\n```\n\n~~~\n```\n\n~~~\n\n> q\n\nend"
    html = render(text)
    assert html.count("<ol>") == 1 and html.count("<pre>") == 2
    assert "not a paragraph" in html[html.index("<pre>") : html.index("</pre>")]
    assert re.search(r"<p>end</p>\s*</div>$", html)


def test_code_that_is_still_being_written_is_code_already():
    html = render("```python\nprint('hel")
    assert html.count("<pre>") == html.count("</pre>") == 1


def test_tables_and_lists_are_tables_and_lists():
    html = render("| a | b |\n|---|---|\n| 1 | 2 |\n\n- x\n- y")
    assert html.count("<td>") == 2 and html.count("<li>") == 2


def test_a_model_s_heading_stands_below_the_card_s_own():
    assert "<h4>Big</h4>" in render("# Big") and "<h6>" in render("###### small")


def test_texts_beyond_the_caps_are_shown_whole_but_plain():
    for text in ("[" * BLOCK_CAP + "x", "word " * (CAP // 5 + 1)):
        assert Tags(render(text)).text == text


def test_the_caret_stands_after_the_last_written_character():
    assert re.search(r'now<span class="wb-caret"[^>]*></span></p>', with_caret(render("writing now")))
    assert re.search(r'two<span class="wb-caret"[^>]*></span></li>', with_caret(render("- one\n- two")))
    assert with_caret("").startswith("<span")


def test_reading_text_has_the_words_and_no_marks():
    text = "# T\n\nA **bold** `x<y` word\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    assert reading_text(text) == "T\n\nA bold x<y word\n\n• one\n• two\n\na  b\n1  2"


def test_a_growing_text_costs_only_its_last_block():
    text = "".join(f"Paragraph {n} of a long answer.\n\n" for n in range(200)) + "The last one"
    render(text)
    before = _render_block.cache_info().misses
    render(text + " grows")
    assert _render_block.cache_info().misses == before + 1
