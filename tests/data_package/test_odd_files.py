"""Files as Windows and Excel write them: encodings, separators, workbooks and Parquet."""

import codecs
import contextlib
import csv
import gzip
import io
import os
import sys
import zipfile
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glovelite.data.labelled_text import TextSource
from glovelite.runtime.errors import DataError
from glovelite.runtime.files import binary_tables
from glovelite.runtime.files.columns import ColumnNames
from glovelite.runtime.files.records import open_records
from glovelite.runtime.files.tables import SEPARATORS, find_separator
from glovelite.runtime.logs import log_to
from glovelite.train.data.sources import read_inputs
from tests.labelled_files import ROWS, as_csv, as_jsonl, one_line, pairs, read, texts, write

GERMAN = [
    ("Der Film war schön, die Musik großartig.", "gut"),
    ("Überraschend öde Geschichte, für mich zu lang.", "schlecht"),
    ("Das Gerät läuft seit Wochen ohne Störung.", "gut"),
    ("Leider fehlt das Zubehör: ‚nie wieder‘ – 5 €!", "schlecht"),
]
LANGUAGES = {  # encoding -> texts in it
    "cp1250": "Świetny film, bardzo mi się podobał.\nŻałosne, szkoda czasu i pieniędzy.\n"
    "Dostawa była szybka, a produkt zgodny z opisem.\nŁadny wygląd, ale głośno działa.",
    "cp1251": "Отличный фильм, рекомендую всем.\nУжасная скука, зря потратил время.",
    "cp1252": "Très bon film, j'ai adoré la mise en scène.\nUn navet déjà vu, très décevant.\n"
    "La livraison était rapide, le produit conforme à la description.",
    "cp1253": "Πολύ καλή ταινία, τη συνιστώ.\nΒαρετό και πολύ μεγάλο, έχασα τον χρόνο μου.",
    "cp932": "とても良い映画でした。みんなにおすすめします。\nつまらない、時間の無駄だった。",
    "gb18030": "非常好的电影，推荐给大家。\n太无聊了，浪费时间。\n商品到货时已经坏了。",
    "mac_roman": "Der Film war schön und die Musik großartig.\n"
    "Überraschend öde, für mich zu lang.\nDas Gerät läuft seit Wochen ohne Störung.",
}


def read_logged(path, **options):
    logged = []
    with log_to(logged.append):
        rows = pairs(read(path, **options).train)
    expected = ("rows read", ": text: ", "no header found")
    return rows, [line for line in logged if not any(part in line for part in expected)]


class TestEncodings:
    """Text that is not UTF-8 keeps all its rows; what it was read as is reported."""

    @pytest.mark.parametrize("name", ["d.csv", "d.jsonl", "d.csv.gz"])
    def test_windows_text_keeps_its_umlauts(self, tmp_path, name):
        content = as_jsonl(GERMAN) if "jsonl" in name else as_csv(GERMAN)
        content = content.encode().decode("unicode_escape") if "jsonl" in name else content
        encoded = content.encode("cp1252")
        path = write(tmp_path, gzip.compress(encoded) if name.endswith(".gz") else encoded, name)
        rows, logged = read_logged(path)
        assert rows == GERMAN
        (line,) = logged
        assert line.startswith(f"{path} is not UTF-8: read as cp1252; --encoding chooses another")
        assert "Der Film war schön, die Musik großartig." in line
        assert line.endswith("(ö ß Ü ü ä ‚ ‘ – …)")

    def test_training_reads_every_row(self, tmp_path, logged):
        rows = [(f"{text} {n}", label) for n in range(12) for text, label in GERMAN]
        path = write(tmp_path, as_csv(rows).encode("cp1252"))
        texts = read_inputs([TextSource(str(path))]).train.texts
        assert any("is not UTF-8: read as cp1252" in line for line in logged)
        assert len(texts) == 48
        assert any("schön" in text for text in texts)

    @pytest.mark.parametrize("encoding", LANGUAGES)
    def test_languages(self, tmp_path, encoding):
        rows = [(text, "ab"[n % 2]) for n, text in enumerate(LANGUAGES[encoding].splitlines())]
        path = write(tmp_path, as_csv(rows).encode(encoding))
        rows_read, (line,) = read_logged(path)
        assert rows_read == rows
        assert f"read as {encoding};" in line

    def test_the_notice_shows_the_text_around_an_unusual_letter(self, tmp_path):
        text = "a word " * 30 + "in the café " + "more words " * 30
        rows = [("plain", "a"), (text, "b")]
        _, (line,) = read_logged(write(tmp_path, as_csv(rows).encode("cp1252")))
        shown = line.partition("looks wrong: ")[2]
        assert shown.startswith("'")
        assert "in the café more words" in shown
        assert shown.endswith("' (é)")
        assert len(shown) < 80

    @pytest.mark.parametrize(
        ("encoding", "text"),
        [("iso2022_jp", "とても良い映画でした。"), ("iso2022_kr", "아주 좋은 영화")],
    )
    def test_escape_sequences_of_iso_2022(self, tmp_path, encoding, text):
        rows = [("plain", "a"), (text, "b"), (f"{text} 2", "a")]
        path = write(tmp_path, as_csv(rows).encode(encoding))
        rows_read, (line,) = read_logged(path)
        assert rows_read == rows
        assert f"read as {encoding};" in line

    def test_colours_of_a_terminal_are_no_escape_sequences_of_an_encoding(self, tmp_path):
        rows = [("\x1b[31mred\x1b(B", "a"), ("plain", "b")]
        assert read_logged(write(tmp_path, as_csv(rows))) == (rows, [])

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_utf16_without_a_mark_is_an_error_that_names_it(self, tmp_path, encoding):
        with pytest.raises(DataError, match=f"is not text: it holds NUL .* --encoding {encoding}"):
            read(write(tmp_path, as_csv(ROWS).encode(encoding)))

    @pytest.mark.parametrize("word", ["café", "It’s", "naïve", "5 €"])
    def test_a_single_word_is_taken_as_the_most_common_encoding(self, tmp_path, word):
        path = write(tmp_path, as_csv([*ROWS, (word, "a")]).encode("cp1252"))
        assert read_logged(path)[0][-1] == (word, "a")

    def test_text_that_is_not_utf8_late_is_found(self, tmp_path):
        rows = [(f"plain text {n} " * 20, "ab"[n % 2]) for n in range(5000)]
        path = write(tmp_path, as_csv([*rows, *GERMAN]).encode("cp1252"))
        assert read_logged(path)[0][-4:] == GERMAN

    def test_a_few_damaged_rows_are_bad_rows(self, tmp_path):
        content = as_csv(GERMAN).encode() + b"caf\xe9,gut\n"
        with pytest.raises(DataError, match="line 6: byte 0xe9 cannot be decoded"):
            read(write(tmp_path, content))
        assert read_logged(write(tmp_path, content), skip_bad_rows=True)[0] == GERMAN

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
    def test_byte_order_marks_name_the_encoding(self, tmp_path, encoding):
        for rows in (GERMAN, ROWS):
            assert read_logged(write(tmp_path, as_csv(rows).encode(encoding))) == (rows, [])
        big = codecs.BOM_UTF16_BE + as_csv(GERMAN).encode("utf-16-be")
        assert read_logged(write(tmp_path, big)) == (GERMAN, [])

    @pytest.mark.parametrize("encoding", ["cp850", "utf-16-le", "UTF8", "latin1"])
    def test_a_given_encoding_is_used_without_a_message(self, tmp_path, encoding):
        rows = GERMAN[:3]
        path = write(tmp_path, as_csv(rows).encode(encoding))
        assert read_logged(path, encoding=encoding) == (rows, [])

    @pytest.mark.parametrize("encoding", ["klingon", "base64", "", "\0"])
    def test_an_unknown_encoding_is_an_error(self, tmp_path, encoding):
        with pytest.raises(DataError, match=r"--encoding: expected an encoding such as cp1252"):
            read(write(tmp_path, as_csv(ROWS)), encoding=encoding)

    def test_rows_that_a_given_encoding_lacks_are_bad_rows(self, tmp_path):
        path = write(tmp_path, as_csv(GERMAN).encode("cp1252"))
        with pytest.raises(DataError, match="line 2: byte 0xf6 cannot be decoded"):
            read(path, encoding="ascii")

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-7", "idna"])
    def test_text_that_a_given_encoding_cannot_hold_is_an_error(self, tmp_path, encoding):
        with pytest.raises(DataError):
            read(write(tmp_path, b"text,label\nx\xff,a+\xd8"), encoding=encoding)

    def test_nothing_plausible_is_an_error(self, tmp_path):
        noise = bytes(range(0x80, 0x100)) * 8
        with pytest.raises(DataError, match=r"byte 0x80 in line 2\), and no other .*--encoding"):
            read(write(tmp_path, b"text,label\n" + noise + b",a\n"))

    @pytest.mark.parametrize("compress", [bytes, gzip.compress])
    def test_standard_input(self, monkeypatch, compress):
        content = io.BytesIO(compress(as_csv(GERMAN).encode("cp1252")))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(content)))
        rows, logged = read_logged("-")
        assert logged[0].startswith("standard input is not UTF-8: read as cp1252")
        assert sorted(rows) == sorted(GERMAN)

    def test_standard_input_that_is_closed_is_an_error(self, monkeypatch):
        monkeypatch.setattr(sys, "stdin", None)
        with pytest.raises(DataError, match="standard input is closed: give a file"):
            read("-")

    @pytest.mark.parametrize("encoding", [None, "cp1252"])
    def test_a_folder_of_classes(self, tmp_path, encoding):
        for n, (text, label) in enumerate(GERMAN):
            (tmp_path / label).mkdir(exist_ok=True)
            (tmp_path / label / f"{n}.txt").write_text(text, "cp1252")
        rows, logged = read_logged(tmp_path, encoding=encoding)
        assert sorted(rows) == sorted(GERMAN)
        assert len(logged) == (encoding is None)

    def test_each_file_of_a_folder_has_its_encoding(self, tmp_path):
        contents = [
            "ein Café in Köln".encode(),
            "ein Café in Köln".encode("cp1252"),
            "ein Café in Köln".encode("utf-16"),
            LANGUAGES["cp1251"].encode("cp1251"),
            "とても良い映画でした".encode("iso2022_jp"),
        ]
        for label in ("a", "b"):
            (tmp_path / label).mkdir()
            for n, content in enumerate(contents):
                (tmp_path / label / f"{n}.txt").write_bytes(content)
        rows, logged = read_logged(tmp_path)
        cafe, film = "ein Café in Köln", LANGUAGES["cp1251"]
        assert [text for text, _ in rows] == [cafe, cafe, cafe, film, "とても良い映画でした"] * 2
        *_, western, cyrillic = logged
        assert "(2 files, the first " in western
        assert "a/1.txt) is not UTF-8: read as cp1252" in western
        assert "read as cp1251" in cyrillic


class TestSeparators:
    """Commas, semicolons, tabs or pipes in CSV."""

    @pytest.mark.parametrize("separator", SEPARATORS)
    @pytest.mark.parametrize("header", [("text", "label"), None])
    def test_are_detected_and_reported_unless_commas(self, tmp_path, separator, header):
        rows = [
            (f"a text{',' * n} with{';' * n} {'|' * n} more", label)
            for n, label in enumerate("abab")
        ]
        rows_read, logged = read_logged(
            write(tmp_path, as_csv(rows, header, separator)),
        )
        assert rows_read == rows
        expected = f"fields are separated by {SEPARATORS[separator]}"
        assert [expected in line for line in logged] == ([] if separator == "," else [True])

    @pytest.mark.parametrize(
        "content",
        [
            "text,label\n" + "a; b | c,x\n" * 20,
            "text,label\n" + "one, two, three,x\n" * 20,  # all of them bad rows
            "text\n" + "one, two; three\n" * 20,
            "text;label,a\n" + "x;y,b\n" * 20,
            "",
        ],
    )
    def test_a_file_of_commas_stays_one(self, content):
        assert find_separator(content.splitlines(keepends=True)) == ","

    def test_a_few_rows_may_be_bad(self):
        rows = ["text;label\n", *["a, b;x\n"] * 20, "a; b, c;x\n"]
        assert find_separator(rows) == ";"

    @settings(deadline=None)
    @given(st.sampled_from(list(SEPARATORS)), st.lists(texts, min_size=2, max_size=8, unique=True))
    def test_any_text_round_trips(self, tmp_path_factory, separator, values):
        rows = [(text, label) for text in values for label in ("one", "two")]
        path = write(tmp_path_factory.mktemp("any"), as_csv(rows, delimiter=separator))
        assert pairs(read(path).train) == rows

    @settings(deadline=None)
    @given(st.sampled_from([";", "\t", "|", ",", "#"]), st.lists(one_line, min_size=2, max_size=4))
    def test_a_first_line_of_excel_names_any(self, tmp_path_factory, separator, values):
        content = io.StringIO(f"sep={separator}\r\n")
        content.seek(0, io.SEEK_END)
        writer = csv.writer(content, delimiter=separator)
        writer.writerows([("text", "label"), *((text, "a") for text in values), ("", "b")])
        path = write(tmp_path_factory.mktemp("sep"), content.getvalue())
        rows, logged = read_logged(path, skip_bad_rows=True)
        assert rows == [(text, "a") for text in values]
        assert f"line {len(values) + 3}: the text is empty" in logged[0]

    def test_a_first_line_of_excel_on_standard_input(self, tmp_path):
        path = write(tmp_path, "sep=\t\r\n" + as_csv(ROWS, delimiter="\t"), "no-ending")
        assert pairs(read(path).train) == ROWS


class TestBinaryTables:
    """Excel workbooks and Parquet, read with polars."""

    ROWS = (
        {"text": "schön, ja", "label": 1, "day": date(2024, 5, 31), "author": "x"},
        {"text": "one\ntwo", "label": 0, "day": date(2024, 6, 1), "author": "y"},
        {"text": None, "label": 0, "day": date(2024, 6, 2), "author": "y"},
    )

    @pytest.fixture(params=["xlsx", "parquet"])
    def path(self, request, tmp_path):
        path = tmp_path / f"data.{request.param}"
        frame = polars.DataFrame(self.ROWS)
        frame.write_excel(path) if request.param == "xlsx" else frame.write_parquet(path)
        return path

    def test_columns_are_found_and_bad_rows_named(self, path):
        line = 4 if path.suffix == ".xlsx" else 3
        with pytest.raises(DataError, match=f"1 row cannot be used: line {line}: "):
            read(path)
        corpus = read(path, time_column="day", skip_bad_rows=True).train
        assert pairs(corpus) == [("schön, ja", "1"), ("one\ntwo", "0")]
        assert corpus.times[0].item() == datetime(2024, 5, 31)

    def test_records_have_all_fields(self, path):
        file = open_records(str(path), ColumnNames(), labelled=False)
        assert file.format == path.suffix[1:]
        if file.format == "xlsx":
            assert file.header == tuple(self.ROWS[0])
            assert next(file.records).fields == ["schön, ja", "1", "2024-05-31 00:00:00", "x"]
        else:
            assert [record.fields for record in file] == list(self.ROWS)

    def test_lines_are_rows_of_the_first_sheet(self, tmp_path):
        import xlsxwriter

        with xlsxwriter.Workbook(tmp_path / "two.xlsx") as book:
            sheet = book.add_worksheet("Reviews")
            for number, row in ((2, ["text", "label"]), (3, ["x", "a"]), (6, ["", "b"])):
                sheet.write_row(number, 1, row)
            book.add_worksheet("Notes")
        with pytest.raises(DataError, match="line 7: the text is empty"):
            read(tmp_path / "two.xlsx")
        rows, logged = read_logged(tmp_path / "two.xlsx", skip_bad_rows=True)
        assert rows == [("x", "a")]
        assert "reading the sheet 'Reviews', the first of 2" in logged[0]

    @pytest.mark.parametrize("name", ["d.xlsx", "d.parquet"])
    def test_damaged_files_are_an_error_of_one_line(self, tmp_path, name):
        with pytest.raises(DataError, match=f"{name} cannot be read as [^\n]*$"):
            read(write(tmp_path, "no such table", name))

    @pytest.mark.parametrize("name", ["d.xlsx", "d.parquet"])
    def test_a_missing_library_names_the_extra(self, tmp_path, monkeypatch, name):
        monkeypatch.setitem(sys.modules, "polars", None)
        with pytest.raises(DataError, match=r"is not installed: pip install '.*\[train\]'"):
            read(write(tmp_path, "", name))

    @pytest.mark.parametrize("cell", ["XFD1048576", "IV1048576", "ZZZZ99999999"])
    def test_a_cell_far_from_the_others_is_an_error(self, tmp_path, cell):
        polars.DataFrame(self.ROWS).write_excel(tmp_path / "intact.xlsx")
        with (
            zipfile.ZipFile(tmp_path / "intact.xlsx") as intact,
            zipfile.ZipFile(tmp_path / "far.xlsx", "w") as far,
        ):
            for name in intact.namelist():
                far.writestr(name, intact.read(name).replace(b'r="D4"', f'r="{cell}"'.encode()))
        with pytest.raises(DataError, match=r"far\.xlsx cannot be read as [^\n]*$"):
            read(tmp_path / "far.xlsx")
        with pytest.raises(DataError, match="1 row cannot be used: line 4"):  # a new reader
            read(tmp_path / "intact.xlsx")

    def test_a_small_file_of_large_texts_is_an_error(self, tmp_path, monkeypatch):
        monkeypatch.setattr(binary_tables, "BASE_BYTES", 1 << 27)
        frame = polars.DataFrame({"text": ["x" * 1_000_000] * 500, "label": ["a", "b"] * 250})
        frame.write_parquet(tmp_path / "d.parquet")
        assert (tmp_path / "d.parquet").stat().st_size < 10_000
        with pytest.raises(DataError, match=r"as Parquet: its rows (have|take) more"):
            read(tmp_path / "d.parquet")

    def test_a_changed_byte_is_an_error_of_one_line(self, tmp_path):
        path = tmp_path / "d.parquet"
        polars.DataFrame({"text": ["x y", "z"] * 50, "label": ["a", "b"] * 50}).write_parquet(path)
        content = path.read_bytes()
        for position in range(8, len(content), len(content) // 20):
            path.write_bytes(content[:position] + b"\xff" + content[position + 1 :])
            with contextlib.suppress(DataError):
                read(path)

    def test_values_of_any_type_arrive(self, tmp_path):
        values = {
            "text": "x",
            "when": datetime(2024, 5, 31, 1, 2, 3, 4),
            "zone": datetime(2024, 5, 31, tzinfo=ZoneInfo("Europe/Berlin")),
            "lasts": timedelta(seconds=1.5),
            "at": time(1, 2),
            "price": Decimal("1.50"),
            "bytes": b"\xff",
            "list": [{"a": 1}, {"a": None}],
            "nan": None,
        }
        polars.DataFrame([values]).write_parquet(tmp_path / "d.parquet")
        (record,) = open_records(str(tmp_path / "d.parquet"), ColumnNames(), labelled=False)
        assert record.fields == values

    def test_a_pipe_is_an_error(self, tmp_path):
        os.mkfifo(tmp_path / "d.parquet")
        with pytest.raises(DataError, match="is not a regular file"):
            open_records(str(tmp_path / "d.parquet"), ColumnNames())

    def test_a_reader_that_hangs_is_ended(self, tmp_path, monkeypatch):
        monkeypatch.setattr(binary_tables, "BASE_SECONDS", 1)
        os.mkfifo(tmp_path / "d.parquet")
        with pytest.raises(DataError, match="its reader exited with status 1"):
            next(binary_tables.read_parquet(str(tmp_path / "d.parquet")))

    def test_standard_input_is_an_error(self):
        with pytest.raises(DataError, match="standard input: parquet is read from a file"):
            read("-", format="parquet")


def test_without_charset_normalizer_the_encoding_must_be_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    path = write(tmp_path, as_csv(GERMAN).encode("cp1252"))
    with pytest.raises(DataError, match="is not UTF-8: name its encoding with --encoding"):
        read(path)
    assert pairs(read(path, encoding="cp1252").train) == GERMAN
