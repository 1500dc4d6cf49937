"""Numbers as people read them: percentages, differences in points, p values."""

UNBROKEN = "\u00a0"  # a space at which no line breaks


def plain(text: str) -> str:
    """With the keyboard's minus and space, for files that programs read too."""
    return text.replace("−", "-").replace(UNBROKEN, " ")


def percent(rate: float, digits: int = 1) -> str:
    """0.885 → '88.5 %'."""
    return f"{100 * rate:.{digits}f}{UNBROKEN}%"


def points(difference: float, digits: int = 1) -> str:
    """A difference of proportions in percentage points with its sign: 0.117 → '+11.7'."""
    return signed(100 * difference, digits)


def signed(value: float, digits: int) -> str:
    """A number with its sign and a real minus; what rounds to 0 has none."""
    text = f"{value:+.{digits}f}"
    return f"{0:.{digits}f}" if float(text) == 0 else text.replace("-", "−")


def points_interval(interval: tuple[float, float], digits: int = 1) -> str:
    """Both ends in points: '+8.1 to +15.3'."""
    return " to ".join(points(end, digits) for end in interval)


def percent_of_level(level: float) -> str:
    """The coverage of an interval: 0.95 → '95 %', 0.9917 → '99.17 %'."""
    return f"{100 * level:.4g} %"


def p_value(p: float) -> str:
    """Three decimals, four below 0.01, and never 0."""
    if p < 0.0001:
        return "< 0.0001"
    return f"{p:.4f}" if p < 0.01 else f"{p:.3f}"


def p_is(p: float) -> str:
    """'p = 0.143' or 'p < 0.0001'."""
    return (f"p {p_value(p)}" if p < 0.0001 else f"p = {p_value(p)}").replace(" ", UNBROKEN)
