"""Type aliases that several modules share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Union

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
#: The classes of texts: int [texts], or bool [texts, classes] where a text may have several labels.
Classes = Union[Ids, Longs, Bools]
PathLike = Union[str, Path]
