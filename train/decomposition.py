"""Truncated singular value decomposition of matrices that are large, sparse or computed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import LinearOperator

Doubles = npt.NDArray[np.float64]
OVERSAMPLING, POWER_ITERATIONS = 20, 5


def decompose(
    matrix: Doubles | csr_matrix | LinearOperator, rank: int
) -> tuple[Doubles, Doubles, Doubles]:
    """Return the left singular vectors, the singular values and the right singular vectors.

    By random projection (Halko, Martinsson and Tropp, "Finding Structure with Randomness", 2011,
    algorithm 4.4), which is deterministic, as SciPy's solver is not.

    Returns:
        float64 [rows, rank], [rank], the largest first, and [rank, columns].
    """
    wider = min(*matrix.shape, rank + OVERSAMPLING)
    sketch = np.random.default_rng(0).standard_normal((matrix.shape[1], wider))
    basis, _ = np.linalg.qr(matrix @ sketch)
    for _ in range(POWER_ITERATIONS):
        basis, _ = np.linalg.qr(matrix.T @ basis)
        basis, _ = np.linalg.qr(matrix @ basis)
    left, strengths, right = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    return basis @ left[:, :rank], strengths[:rank], right[:rank]
