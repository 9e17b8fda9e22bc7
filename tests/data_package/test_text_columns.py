"""The text of several columns, text without HTML, and labels of several types."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite.data.labelled_text import TextSource, good_rows, open_rows
from glovelite.runtime.errors import DataError
from glovelite.runtime.text.html_text import strip_html
from glovelite.runtime.trained_text import UNRECORDED, TrainedText
from glovelite.train.data.inputs import read_sequences
from glovelite.train.data.sources import read_inputs
from tests.labelled_files import ROWS, as_csv, as_jsonl, pairs, read, write
from tests.train.command import train

MAILS = [("Hello", "how are you", "ham"), ("", "buy now", "spam"), ("Win", " ", "spam")]
HEADER = ("subject", "body", "kind")
JOINED = [("Hello\nhow are you", "ham"), ("buy now", "spam"), ("Win", "spam")]


class TestSeveralTextColumns:
    """They are joined by newlines in the order in which they are named."""

    @pytest.mark.parametrize("columns", [("subject", "body"), ("1", "Body"), ("1", "2")])
    def test_of_a_table(self, tmp_path, columns):
        path = write(tmp_path, as_csv(MAILS, HEADER))
        assert pairs(read(path, text_column=columns).train) == JOINED
        swapped = read(path, text_column=columns[::-1], label_column="kind").train
        assert swapped.texts[0] == "how are you\nHello"

    def test_of_objects(self, tmp_path):
        lines = [json.dumps(dict(zip(HEADER, mail))) for mail in MAILS]
        path = write(tmp_path, "\n".join(lines), "d.jsonl")
        options = {"text_column": ("subject", "body"), "label_column": "kind"}
        assert pairs(read(path, **options).train) == JOINED

    def test_that_are_all_empty_are_a_bad_row(self, tmp_path):
        path = write(tmp_path, as_csv([*MAILS, ("", "", "ham")], HEADER))
        with pytest.raises(DataError, match="line 5: the text is empty"):
            read(path, text_column=("subject", "body"))

    @pytest.mark.parametrize("columns", [("body", "body"), ("body", "2")])
    def test_named_twice_are_an_error(self, tmp_path, columns):
        path = write(tmp_path, as_csv(MAILS, HEADER))
        with pytest.raises(DataError, match="column 'body' is asked for twice"):
            read(path, text_column=columns)

    def test_on_the_command_line(self, tmp_path):
        path = write(tmp_path, as_csv([*MAILS, ("", "&nbsp;<br>", "ham")] * 3, HEADER))
        options = ("--text-column", "body", "--text-column", "subject", "--strip-html")
        done = train(path, *options, "--out", tmp_path / "run", check=False)
        assert "3 rows cannot be used: line 5: there is no text but HTML" in done.stderr


class TestStripHtml:
    """Tags are removed, entities decoded, blocks separated."""

    @pytest.mark.parametrize(
        ("html", "expected"),
        [
            ("plain  text\n\nstays ", "plain  text\n\nstays "),
            ("<p>One</p><p>two &amp; <b>th</b>ree</p>", "One\ntwo & three"),
            ("a<br/>b<BR>c<br />d", "a\nb\nc\nd"),
            ("<table><tr><td>1</td><td>2</td></tr></table>", "1\n2"),
            ("&lt;b&gt; &#8222;x&#x201c; &nbsp; caf&eacute;", "<b> „x“ café"),
            ("if 1 < 2 & 3 > 2, I <3 you", "if 1 < 2 & 3 > 2, I <3 you"),
            ("<script>x = '<p>'</script>a<style>b {}</style>c<!-- d -->e", "a\nce"),
            ("<![if !x]>Word<![endif]>", "Word"),
            ("<a href='x>y'>link</a>", "link"),
            ("<div>  </div>", ""),
            ("<p title=don't>a</p><a href='x' title=\"<b>\">b</a>", "a\nb"),
            ("by <bob@example.org>", "by <bob@example.org>"),
            ("x <y and &am; AT&T", "x <y and &am; AT&T"),
            ("a <!-- <b>never closed", "a"),
            ("<!DOCTYPE html><?xml version='1.0'?>a&#" + "9" * 5000 + ";", "a\ufffd"),
        ],
    )
    def test_text(self, html, expected):
        assert strip_html(html) == expected

    @given(
        st.text() | st.lists(st.sampled_from(["<", "!", "[", "]", "a", "/", ">", "&", "-", " "]))
    )
    def test_never_raises(self, content):
        assert strip_html("".join(content)) is not None

    @given(st.lists(st.text("ab c\n", min_size=1), min_size=1))
    def test_paragraphs_keep_their_words(self, paragraphs):
        html = "".join(f"<p>{text}</p>" for text in paragraphs)
        assert strip_html(html).split() == " ".join(paragraphs).split()

    def test_of_every_kind_of_source(self, tmp_path):
        for n, name in enumerate(("one", "two")):
            (tmp_path / "folder" / name).mkdir(parents=True)
            (tmp_path / "folder" / name / "0.txt").write_text(f"<p>text {n}</p>")
        rows = [("<p>text 0</p>", "one"), ("<p>text 1</p>", "two")]
        for path in (tmp_path / "folder", write(tmp_path, as_csv(rows))):
            assert list(read(path, strip_html=True).train.texts) == ["text 0", "text 1"]
            assert read(path).train.texts[0] == "<p>text 0</p>"

    @pytest.mark.parametrize(
        ("texts", "hint"),
        [
            (["<p>one</p>", *"abcd"], True),
            (["one<br />two", *"abcd"], True),
            (['see <a href="x">this</a>', *"abcd"], True),
            (["<p>one</p>", *"abcde"], False),
            (["<user> and <s> and a <b and c>", "if a<b and c>d", "<url>"], False),
        ],
    )
    def test_a_fifth_of_texts_with_tags_is_a_warning(self, tmp_path, texts, hint, logged):
        path = write(tmp_path, as_csv([(text, "a") for text in texts]))
        warning = f"data.csv: 1 of {len(texts)} texts have HTML tags: --strip-html removes them"
        read(path)
        assert any(warning in line for line in logged) is hint
        logged.clear()
        if hint:
            read(path, strip_html=True)
            assert not any("HTML tags" in line for line in logged)

    def test_tags_in_sequences_are_a_warning(self, logged):
        read_sequences(["<p>one</p>", "two", "three"], ["a", "b", "b"])
        (line,) = (line for line in logged if "HTML tags" in line)
        assert "texts: 1 of 3 texts have HTML tags: glovelite.runtime.text.html_text" in line

    def test_text_that_is_only_html_is_a_bad_row(self, tmp_path):
        path = write(tmp_path, as_csv([("<img src='x'>", "a")]))
        with pytest.raises(DataError, match="line 2: there is no text but HTML"):
            read(path, strip_html=True)


class TestJsonLabels:
    """Labels become what JSON writes; labels of several types are reported once."""

    @pytest.mark.parametrize(
        ("labels", "expected", "found"),
        [
            ([1, 0], ["1", "0"], None),
            ([True, False], ["true", "false"], None),
            ([1.0, 0.5], ["1.0", "0.5"], None),
            ([1, "1", 1.0, True], ["1", "1", "1.0", "true"], 'integers .* the string "1"'),
            (["b", "a", True], ["b", "a", "true"], "strings .* the boolean true"),
            ([1, 1.0], ["1", "1.0"], "integers .* the decimal number 1.0"),
        ],
    )
    def test_types(self, tmp_path, labels, expected, found, logged):
        rows = [(f"text {n}", label) for n, label in enumerate(labels)]
        corpus = read(write(tmp_path, as_jsonl(rows), "d.jsonl")).train
        assert corpus.labels == expected
        reports = [line for line in logged if "labels are compared as text" in line]
        assert [bool(re.search(found or "", line)) for line in reports] == [True] * bool(found)

    @pytest.mark.parametrize(
        ("label", "problem"),
        [
            *((label, "is missing") for label in ("NaN", "null", "[null]")),
            *((label, "is neither a string nor a number") for label in ("Infinity", "[[1]]", "{}")),
        ],
    )
    def test_other_values_are_bad_rows(self, tmp_path, label, problem):
        path = write(tmp_path, f'{{"text": "x", "label": {label}}}', "d.jsonl")
        with pytest.raises(DataError, match=f"'label' {problem}"):
            read(path)


class TestRecord:
    """What a training records about how its text was read."""

    MAIL = (("Subject", "body", "label"), [(f"s {n}", f"b {n}", "ab"[n % 2]) for n in range(6)])

    def write(self, tmp_path, name="mails.csv", header=None):
        return write(tmp_path, as_csv(self.MAIL[1], header or self.MAIL[0]), name)

    def test_it_has_the_names_in_their_order_and_html(self, tmp_path):
        path = self.write(tmp_path)
        found = read(path, text_column=("body", "subject"), strip_html=True).text
        assert found == TrainedText(("body", "Subject"), strip_html=True)
        lines = [json.dumps({"y": "ab"[n % 2], "text": f"t {n}"}) for n in range(6)]
        path = write(tmp_path, "\n".join(lines), "mails.jsonl")
        assert read(path).text == TrainedText(("text",))

    def test_text_without_names_has_none(self, tmp_path):
        for name, content in (
            ("plain.csv", as_csv(ROWS, None)),
            ("lines.ft", "".join(f"__label__{label} {text}\n" for text, label in ROWS)),
        ):
            assert read(write(tmp_path, content, name)).text == UNRECORDED

    def test_sources_of_different_columns_have_none(self, tmp_path):
        one = self.write(tmp_path)
        other = self.write(tmp_path, "other.csv", ("a", "text", "label"))
        sources = [TextSource(str(one)), TextSource(str(other))]
        assert read_inputs(sources).text == UNRECORDED
        assert read_inputs(sources[:1]).text == TrainedText(("body",))

    def test_it_decides_how_other_text_is_read(self, tmp_path):
        trained = TrainedText(("Subject", "body"), strip_html=True)
        content = as_csv([("<b>s</b>", "b", label) for label in "ab"], self.MAIL[0])
        source = TextSource(str(write(tmp_path, content)))
        kept = replace(source, text_column=("subject",), strip_html=False)
        for asked, expected in ((source, "s\nb"), (kept, "<b>s</b>")):
            rows = good_rows(open_rows(asked.as_trained(trained)))
            assert [row.text for row in rows] == [expected] * 2
