"""Do two counts agree? Asked by tests that run a measurement of a committed table again."""

from course_utils.intervals import wilson_interval


def agree(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Can two counts, each ``(right, asked)``, come from one share? Their 99.9 % intervals meet."""
    first, second = wilson_interval(*one, 0.999), wilson_interval(*other, 0.999)
    return first[0] <= second[1] and second[0] <= first[1]
