"""What a file is, by its content: the table of kinds that every reader asks.

A reader of text refuses a file of one of these kinds with `refuse`, whatever its name says.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

HEAD_BYTES = 1 << 10
MAX_SHOWN_MEMBERS = 3


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: with its article, as in "an Excel workbook".
        advice: what to do where a file of texts is expected.
        format: the format of records that it is read as; None if it is not read.
        is_text: whether one text may look like it, such as a web page.
    """

    name: str
    advice: str
    format: str | None = None
    is_text: bool = False

    def refuse(self, name: str) -> str:
        """Return the message of a reader of text about a file of this kind."""
        return f"{name} is {self.name}{'' if self.is_text else ', not text'}: {self.advice}"


_UNPACK = "unpack it, and give the file of texts in it"
_EXPORT = "export its table as CSV or JSONL"
_COPY = "copy the texts into a table, such as .csv or .xlsx"
_PANDAS = "load it with pandas, and save the texts with to_csv or to_parquet"
_NUMPY = "load it with numpy, and save the texts as CSV"
_MODEL = "give the file of texts, not the model"
_NO_TEXT = "give a file of texts"

PARQUET = Kind("a Parquet file", "name it .parquet", "parquet")
WORKBOOK = Kind("an Excel workbook", "name it .xlsx", "xlsx")
#: Vectors that training reads.
WORD2VEC_BINARY = Kind(
    "a file of word vectors in word2vec's binary form", "give the file of texts, not the vectors"
)
_TAR = Kind("a tar archive", _UNPACK)

#: The bytes that a file starts with -> its kind.
SIGNATURES: Sequence[tuple[bytes, Kind]] = (
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", _UNPACK)),
    (b"Rar!\x1a\x07", Kind("a RAR archive", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", Kind("a file compressed with zstd", "unpack it with unzstd")),
    (b"\x04\x22\x4d\x18", Kind("a file compressed with lz4", "unpack it with unlz4")),
    (b"\x1f\x9d", Kind("a file compressed with compress", "unpack it with uncompress")),
    (b"ARROW1\0\0", Kind("a Feather file (Arrow)", _PANDAS)),
    (b"\xff\xff\xff\xff", Kind("a stream of Arrow", _PANDAS)),
    (b"Obj\x01", Kind("an Avro file", "convert it to Parquet or JSONL")),
    (b"\x93NUMPY", Kind("a NumPy array (.npy)", _NUMPY)),
    (b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file, as of Keras or pandas", _PANDAS)),
    (b"SQLite format 3\0", Kind("an SQLite database", _EXPORT)),
    (b"<stata_dta>", Kind("a Stata file", _PANDAS)),
    (b"$FL2@(#)", Kind("an SPSS file", _PANDAS)),
    (b"%PDF-", Kind("a PDF document", _COPY)),
    (b"{\\rtf", Kind("an RTF document", _COPY)),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        Kind("an old Office file (.xls or .doc)", "save it as .xlsx or .csv"),
    ),
    (b"\x00\x05\x16\x07", Kind("a companion file of macOS (._NAME)", "give the file NAME")),
    (
        b"\xba\x16\x4f\x2f",
        Kind(
            "a fastText model in binary form (.bin)",
            f"{_MODEL}; for vectors, take the .vec file beside it, or print those of your words "
            "with fasttext print-word-vectors",
        ),
    ),
    (b"\x89PNG\r\n\x1a\n", Kind("a PNG image", _NO_TEXT)),
    (b"\xff\xd8\xff", Kind("a JPEG image", _NO_TEXT)),
    (b"GIF87a", Kind("a GIF image", _NO_TEXT)),
    (b"GIF89a", Kind("a GIF image", _NO_TEXT)),
    (b"\x7fELF", Kind("a program", _NO_TEXT)),
    (
        b"version https://git-lfs",
        Kind("a pointer of Git LFS", "fetch the file itself with git lfs pull"),
    ),
)


def _pattern(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL | re.IGNORECASE)


#: A pattern of the start of a file -> its kind.
PATTERNS: Sequence[tuple[re.Pattern[bytes], Kind]] = (
    (_pattern(rb"PAR1[\x00-\x1f]"), PARQUET),
    (_pattern(rb".{257}ustar[\0 ]"), _TAR),
    (_pattern(rb"ORC[\x00-\x08\x0e-\x1f]"), Kind("an ORC file", _PANDAS)),
    (_pattern(rb".{8}DUCK.\0\0\0"), Kind("a DuckDB database", _EXPORT)),
    (
        _pattern(rb"RD[XAB][23]\n[XAB]\n|[XB]\n\0\0\0[\2\3]"),
        Kind("an R data file", "save the texts in R with write.csv"),
    ),
    (_pattern(rb"\x80[\x02-\x05]"), Kind("a Python pickle", _PANDAS)),
    (_pattern(rb"..\0\0TFL3"), Kind("a TensorFlow Lite model", _MODEL)),
    (_pattern(rb"GGUF.\0\0\0"), Kind("a language model (GGUF)", _MODEL)),
    (_pattern(rb".{3}\0{5}\{"), Kind("a model (safetensors)", _MODEL)),
    (
        _pattern(rb"\d+ \d+\r?\n[^ \n]{1,200} .{0,200}?[\x00-\x08\x0e-\x1f]"),
        WORD2VEC_BINARY,
    ),
    (_pattern(rb"RIFF.{4}(?:WAVE|WEBP|AVI )"), Kind("sound or an image", _NO_TEXT)),
    (
        _pattern(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)[\s>]"),
        Kind(
            "a web page (HTML)",
            "download the file itself, such as the raw one on GitHub",
            is_text=True,
        ),
    ),
    (
        _pattern(rb"(?:\xef\xbb\xbf)?\s*<\?xml\s"),
        Kind("an XML file", "convert it to CSV or JSONL", is_text=True),
    ),
    (
        _pattern(rb'(?:\xef\xbb\xbf)?\s*\{\s*"cells"\s*:'),
        Kind("a Jupyter notebook", _EXPORT, is_text=True),
    ),
    (
        _pattern(rb"(?:\xef\xbb\xbf)?\s*\{[ \t]*\r?\n"),
        Kind("JSON over several lines", "write one object per line (JSONL)", is_text=True),
    ),
)
#: A pattern of the name of a member of a zip file -> its kind.
ZIPPED: Sequence[tuple[re.Pattern[str], Kind]] = (
    (re.compile(r"xl/workbook\.\w+"), WORKBOOK),
    (re.compile(r"word/.*"), Kind("a Word document", _COPY)),
    (re.compile(r"ppt/.*"), Kind("a PowerPoint file", _COPY)),
    (re.compile(r"content\.xml"), Kind("an OpenDocument file", "save it as .xlsx or .csv")),
    (re.compile(r"model\.weights\.h5"), Kind("a Keras model", _MODEL)),
    (re.compile(r".*/data\.pkl"), Kind("a PyTorch model", _MODEL)),
    (re.compile(r".*\.npy"), Kind("a file of NumPy arrays (.npz)", _NUMPY)),
)


def find_kind(file: IO[bytes]) -> Kind | None:
    """Return the kind of a file that can be read again; None for text and what is not known."""
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        kind = _find_zipped(file)
        file.seek(0)
        return kind
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return kind
    return next((kind for pattern, kind in PATTERNS if pattern.match(head)), None)


def _find_zipped(file: IO[bytes]) -> Kind:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return Kind("a damaged zip archive", "copy or download it again")
    for member, kind in ZIPPED:
        if any(map(member.fullmatch, names)):
            return kind
    files = [name for name in names if not name.endswith("/") and not is_companion(name)]
    shown = ", ".join(f"{name!r:.60}" for name in files[:MAX_SHOWN_MEMBERS])
    more = ", …" if len(files) > MAX_SHOWN_MEMBERS else ""
    return Kind("a zip archive", f"{_UNPACK}{shown and f' ({shown}{more})'}")


def is_companion(path: str) -> bool:
    """Return whether a file is one that macOS or Windows adds to folders and archives."""
    *folders, name = path.replace("\\", "/").split("/")
    return (
        "__MACOSX" in folders
        or name == "__MACOSX"
        or name.startswith(("._", ".DS_Store"))
        or name.casefold() in ("thumbs.db", "desktop.ini")
    )
