"""Training text in several files: folders, patterns, and files named after the parts of a split."""

import csv
import json

import pytest

from glovelite.data.labelled_text import FileList, TextSource, find_tables, good_rows, open_rows
from glovelite.runtime.errors import DataError
from glovelite.train.data.sources import read_inputs


def write_rows(path, numbers):
    """Write rows to a CSV or JSONL file; return its path."""
    rows = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in numbers]
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return path
    if path.suffix == ".parquet":
        import polars

        polars.DataFrame(rows).write_parquet(path)
        return path
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_texts(path):
    return [row.text for row in good_rows(open_rows(TextSource(str(path))))]


def expect(*ranges):
    return [f"text {n}" for numbers in ranges for n in numbers]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_folder_is_read_in_the_order_of_its_paths(tmp_path, suffix):
    write_rows(tmp_path / f"b.{suffix}", range(4, 6))
    write_rows(tmp_path / f"a/x.{suffix}", range(4))
    write_rows(tmp_path / f"c.{suffix}", range(6, 9))
    assert read_texts(tmp_path) == expect(range(9))


def test_hidden_files_and_other_files_are_left_out(tmp_path):
    write_rows(tmp_path / "a.csv", range(3))
    (tmp_path / "__MACOSX").mkdir()
    for name in (".a.csv", "_a.csv", "readme.md", "__MACOSX/a.csv"):
        (tmp_path / name).write_text("no rows", "utf-8")
    assert read_texts(tmp_path) == expect(range(3))


def test_a_pattern_names_files(tmp_path):
    write_rows(tmp_path / "one/a.csv", range(3))
    write_rows(tmp_path / "two/a.csv", range(3, 6))
    write_rows(tmp_path / "two/b.csv", range(6, 9))
    assert read_texts(tmp_path / "*/a.csv") == expect(range(6))
    assert read_texts(tmp_path / "**/*.csv") == expect(range(9))
    with pytest.raises(DataError, match="neither a file, a folder, a pattern of files"):
        read_texts(tmp_path / "*.csv")


@pytest.mark.parametrize("pattern", ["**/*.csv", "**", "x**/**"])
def test_a_pattern_of_any_depth_follows_no_links(tmp_path, pattern):
    write_rows(tmp_path / "x/y/a.csv", range(3))
    for folder in (tmp_path, tmp_path / "x"):
        for name in ("one", "two"):
            (folder / name).symlink_to(".")
    assert read_texts(tmp_path / pattern) == read_texts(tmp_path) == expect(range(3))


def test_hidden_folders_are_left_out(tmp_path):
    write_rows(tmp_path / ".mine/a.csv", range(3))
    write_rows(tmp_path / ".mine/.ipynb_checkpoints/a-checkpoint.csv", range(3))
    assert read_texts(tmp_path / ".mine") == expect(range(3))
    assert read_texts(tmp_path / ".mine/**/*.csv") == expect(range(3))


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path):
    write_rows(tmp_path / "a[1].csv", range(3))
    assert read_texts(tmp_path / "a[1].csv") == expect(range(3))


def test_a_folder_a_class_stays_one(tmp_path):
    for name in ("animal", "plant"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.txt").write_text(f"the {name}", "utf-8")
    write_rows(tmp_path / "list.csv", range(3))
    assert find_tables(str(tmp_path)) is None
    assert read_texts(tmp_path) == ["the animal", "the plant"]


def test_a_bad_row_is_named_with_its_file_and_line(tmp_path):
    write_rows(tmp_path / "a.csv", range(3))
    path = write_rows(tmp_path / "b.csv", range(3))
    with path.open("a", encoding="utf-8") as file:
        file.write("only one field\n")
    with pytest.raises(DataError, match=r"b\.csv, line 5: expected 2 fields"):
        read_texts(tmp_path)


def test_files_with_other_columns_are_refused(tmp_path):
    write_rows(tmp_path / "a.csv", range(3))
    (tmp_path / "b.csv").write_text("label,text\na,b\n", "utf-8")
    with pytest.raises(DataError, match=r"b\.csv: expected the same columns as in .*a\.csv"):
        read_texts(tmp_path)


def test_a_place_is_a_file_below_the_folder_and_its_line(tmp_path):
    write_rows(tmp_path / "data/x/a.csv", range(3))
    write_rows(tmp_path / "data/x/b.csv", range(3, 6))
    for path, file in ((tmp_path / "data", "data/x/b.csv"), (tmp_path / "data/*/*.csv", "x/b.csv")):
        corpus = read_inputs([TextSource(str(path))]).train
        assert corpus.place(4) == (file, 3)
        assert corpus.where(4) == f"{tmp_path / 'data/x/b.csv'}, line 3"


def test_a_number_holds_file_and_line():
    files = FileList(["a", "b"], None, tables=True)
    assert files.find(files.number(1, 2**40 - 1)) == ("b", 2**40 - 1)
