"""page.py - a strict reader of the text format of Prometheus.

	page.py METRICS.DEF < page      fails at the first line that is not as it has to be
	page.py METRICS.DEF EXPRESSION < page     and unless the expression holds, in which
	                v(name, label=value, ...) is the sum of the series of that name
"""
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"'
VALUE = r"(?:[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|\+Inf|NaN)"


def read_table(path):
    rows = re.findall(r'^METRIC\(\w+, \w+, (\w+), "([^"]*)", "([^"]*)", "([^"]*)"\)$',
                      open(path).read(), re.M)
    return {n: (t.lower(), l.split(",") if l else [], h) for t, n, l, h in rows}


def labels_of(text):
    if not text:
        return {}
    assert re.fullmatch(LABEL + "(?:," + LABEL + ")*", text), text
    pairs = [(a, b) for a, b in re.findall(LABEL, text)]
    assert len(dict(pairs)) == len(pairs), text
    return dict(pairs)


def read_page(text, table):
    assert text.endswith("\n") and "\r" not in text
    seen, series, family, kind = set(), {}, None, None
    for line in text[:-1].split("\n"):
        if m := re.fullmatch(r"# HELP (" + NAME + r") (.*)", line):
            family, kind = m[1], None
            assert family not in seen, "twice: " + family
            seen.add(family)
            assert table[family][2] == m[2], line
            continue
        if m := re.fullmatch(r"# TYPE (" + NAME + r") (counter|gauge|histogram)", line):
            assert m[1] == family and kind is None, line
            kind = m[2]
            assert table[family][0] == kind, line
            continue
        m = re.fullmatch("(" + NAME + r")(?:\{(.*)\})? (" + VALUE + ")", line)
        assert m and kind, line
        labels, value = labels_of(m[2]), float(m[3])
        want = list(table[family][1])
        if kind == "histogram":
            assert m[1] in (family + "_bucket", family + "_sum", family + "_count"), line
            want += ["le"] if m[1].endswith("_bucket") else []
        else:
            assert m[1] == family, line
        assert list(labels) == want, line
        key = (m[1], tuple(labels.items()))
        assert key not in series, "twice: " + line
        series[key] = value
    histograms(series, table)
    return series


def histograms(series, table):
    for family in (n for n in table if table[n][0] == "histogram"):
        buckets = {}
        for (name, labels), value in series.items():
            if name == family + "_bucket":
                le = dict(labels)["le"]
                rest = tuple(x for x in labels if x[0] != "le")
                buckets.setdefault(rest, []).append((float(le), value))
        for rest, b in buckets.items():
            assert b == sorted(b) and [x[1] for x in b] == sorted(x[1] for x in b), rest
            assert b[-1][0] == float("inf"), rest
            assert series[(family + "_count", rest)] == b[-1][1], rest
            assert (family + "_sum", rest) in series, rest


def main():
    series = read_page(sys.stdin.read(), read_table(sys.argv[1]))

    def v(name, **labels):
        found = [x for (n, l), x in series.items()
                 if n == name and labels.items() <= dict(l).items()]
        assert found, "no " + name
        return sum(found)

    for expression in sys.argv[2:]:
        assert eval(expression, {"v": v}), expression


main()
