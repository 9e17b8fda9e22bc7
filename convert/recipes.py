"""The named recipes: how a model's numbers are stored on the device, and what each may lose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GraphBytes:
    """Upper bounds of what a flatbuffer holds besides weights; tests compare them with models.

    Attributes:
        conv: bytes of operators and tensors in the `conv` layout, without its convolutions.
        convolution: bytes of each convolution there.
        folded: bytes in the `folded` layout.
    """

    conv: int
    convolution: int
    folded: int


@dataclass(frozen=True)
class Recipe:
    """One way to store a model's numbers.

    Attributes:
        name: value of `--quantize`.
        purpose: for `--help`.
        agreement: minimum share of dev texts that keep the float model's label; a lower share
            passes if chance explains it.
        largest_difference: maximum difference of any probability from the float model's.
        tolerance: maximum difference of a probability between two interpreters.
        weight_bytes: of a weight that is not part of a table's rounded rows.
        graph_bytes: of the rest of the flatbuffer.
        marker: of matplotlib, in plots.
        calibrated: whether it needs the calibration texts.
        row_bits: 8 or 4 stores the table's rows in that many bits and the rest in 16; None leaves
            all numbers to TensorFlow's converter.
        dimensions: dimensions of the word vectors in the `conv` layout; None keeps all.
    """

    name: str
    purpose: str
    agreement: float
    largest_difference: float
    tolerance: float
    weight_bytes: int
    graph_bytes: GraphBytes
    marker: str
    calibrated: bool = False
    row_bits: int | None = None
    dimensions: int | None = None

    @property
    def next_finer(self) -> str:
        """The recipe that loses less, for a message."""
        return "float32" if self.dimensions is None else "float16"


#: Of the recipes below float16. Chosen on the dev text of six sets: with 32, a probability changes
#: by 16 % more and SST-2 loses half a point more; with 64, by 6 % less.
REDUCED_DIMENSIONS = 48

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="float32",
            purpose="the reference",
            agreement=0.999,
            largest_difference=1e-4,
            tolerance=1e-4,
            weight_bytes=4,
            graph_bytes=GraphBytes(conv=3_500, convolution=940, folded=3_900),
            marker="s",
        ),
        Recipe(
            name="float16",
            purpose="half the file, arithmetic of float32",
            agreement=0.998,
            largest_difference=0.01,
            tolerance=1e-4,
            weight_bytes=2,
            graph_bytes=GraphBytes(conv=4_100, convolution=1_490, folded=4_850),
            marker="D",
        ),
        Recipe(
            name="dynamic",
            purpose="table rows of 8 bits, for a Pi, a phone, a browser",
            agreement=0.98,
            largest_difference=0.15,
            tolerance=0.02,
            weight_bytes=2,
            graph_bytes=GraphBytes(conv=4_600, convolution=1_490, folded=5_850),
            marker="o",
            row_bits=8,
            dimensions=REDUCED_DIMENSIONS,
        ),
        Recipe(
            name="int4",
            purpose="table rows of 4 bits, the smallest",
            agreement=0.95,
            largest_difference=0.4,
            tolerance=1e-4,
            weight_bytes=2,
            graph_bytes=GraphBytes(conv=7_200, convolution=1_490, folded=7_600),
            marker="^",
            row_bits=4,
            dimensions=REDUCED_DIMENSIONS,
        ),
        Recipe(
            name="int8",
            purpose="integers only, for microcontrollers",
            agreement=0.95,
            largest_difference=0.35,
            tolerance=0.02,
            weight_bytes=1,
            graph_bytes=GraphBytes(conv=4_900, convolution=2_800, folded=6_800),
            marker="v",
            calibrated=True,
            dimensions=REDUCED_DIMENSIONS,
        ),
    )
}
DEFAULT_RECIPE = "dynamic"
