"""Rectangles of the panorama, and what they are in a camera's own box.

Knows nothing about what lies in them.
"""

Area = tuple[slice, slice]
"""Rows and columns."""
Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels; x1 and y1 are just outside."""


def within(area: Area, box: Box) -> Area:
    """Give an area of the panorama in the box that a camera's tables cover.

    >>> within((slice(0, 64), slice(110, 120)), (100, 0, 400, 64))
    (slice(0, 64, None), slice(10, 20, None))
    """
    rows, columns = area
    return (
        slice(rows.start - box[1], rows.stop - box[1]),
        slice(columns.start - box[0], columns.stop - box[0]),
    )


def halved(box: Box) -> Box:
    """Give the chroma samples that a box of luma touches.

    >>> halved((10, 0, 21, 64))
    (5, 0, 11, 32)
    """
    x0, y0, x1, y1 = box
    return x0 // 2, y0 // 2, -(-x1 // 2), -(-y1 // 2)


def size(area: Area) -> int:
    """Give how many pixels an area has.

    >>> size((slice(0, 64), slice(10, 20)))
    640
    """
    rows, columns = area
    return int((rows.stop - rows.start) * (columns.stop - columns.start))


def touches(area: Area, box: Box) -> bool:
    """Tell whether an area and a box have a pixel in common.

    >>> touches((slice(0, 64), slice(10, 20)), (19, 60, 30, 70))
    True
    >>> touches((slice(0, 64), slice(10, 20)), (20, 60, 30, 70))
    False
    """
    rows, columns = area
    x0, y0, x1, y1 = box
    beside = columns.stop <= x0 or x1 <= columns.start
    return not beside and rows.start < y1 and y0 < rows.stop


def stacked(areas: list[Area]) -> list[Area]:
    """Make one tall area of those that lie on each other and have the same columns.

    >>> stacked([(slice(y, y + 64), slice(5, 9)) for y in (0, 64, 192)])
    [(slice(0, 128, None), slice(5, 9, None)), (slice(192, 256, None), slice(5, 9, None))]
    """
    tall: list[Area] = []
    ends: dict[tuple[int, int, int], int] = {}
    for rows, columns in areas:
        at = ends.pop((rows.start, columns.start, columns.stop), len(tall))
        if at < len(tall):
            tall[at] = slice(tall[at][0].start, rows.stop), columns
        else:
            tall.append((rows, columns))
        ends[rows.stop, columns.start, columns.stop] = at
    return tall
