"""A ratio within one run, and what it should be."""
from dataclasses import dataclass


@dataclass
class Bar:
    what: str
    value: dict | float | None  # a spread, a number, or None: not measured
    want: float
    least: bool = True  # else at most
    unit: str = "x"

    @property
    def median(self):
        return self.value["median"] if isinstance(self.value, dict) else self.value

    @property
    def reached(self):
        if self.median is None:
            return None
        return self.median >= self.want if self.least else self.median <= self.want

    def cells(self):
        def fmt(v):
            return f"{v:,.2f}" if abs(v) < 100 else f"{v:,.0f}"

        unit = "x" if self.unit == "x" else f" {self.unit}".rstrip()
        spread = (f"{fmt(self.value['min'])} .. {fmt(self.value['max'])}"
                  if isinstance(self.value, dict) else "")
        verdict = {True: "yes", False: "**no**", None: "not measured"}[self.reached]
        got = "-" if self.median is None else fmt(self.median) + unit
        return [self.what, f"{'>=' if self.least else '<='} {self.want:g}{unit}", got,
                spread, verdict]


def table(bars):
    return rows(["", "bar", "measured", "spread", "reached"], [b.cells() for b in bars])


def rows(head, body):
    """Markdown; all but the first column to the right."""
    lines = ["| " + " | ".join(head) + " |",
             "|---|" + "---:|" * (len(head) - 1)]
    return lines + ["| " + " | ".join(str(c) for c in r) + " |" for r in body]


def number(s, digits=0):
    """A spread as `median (min .. max)`."""
    if s is None:
        return "-"
    if isinstance(s, (int, float)):
        return f"{s:,.{digits}f}"
    return f"{s['median']:,.{digits}f} <sub>{s['min']:,.{digits}f}..{s['max']:,.{digits}f}</sub>"
