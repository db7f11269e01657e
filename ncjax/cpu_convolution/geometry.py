"""The sizes of one convolution, without its numbers."""

from typing import NamedTuple

Pair = tuple[int, int]


class Geometry(NamedTuple):
    """Sizes of a convolution, rows first.

    Attributes:
        size: height and width of the input maps.
        window: of the kernel.
        strides: steps.
        pads: (before, after) of rows and of columns.
    """

    size: Pair
    window: Pair
    strides: Pair
    pads: tuple[Pair, Pair]

    @property
    def out_size(self) -> Pair:
        """Height and width of the output maps.

        Examples:
            >>> Geometry((5, 4), (3, 3), (2, 1), ((1, 1), (0, 0))).out_size
            (3, 2)
        """
        height, width = (
            (size + sum(pads) - window) // stride + 1 for size, window, stride, pads in zip(*self, strict=True)
        )
        return height, width
