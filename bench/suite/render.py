"""results.json -> what is printed, the marked parts of the Markdown files, the charts.

A part is marked by <!-- bench NAME --> and <!-- end -->: NAME is that of a benchmark, or
`bars', or `host'.
"""
import json
import re

from . import bars as bars_
from . import host
from .lab import ROOT

DIR = ROOT / "docs" / "bench"
RESULTS = DIR / "results.json"
PAGES = ("README.md", "docs/performance.md", "docs/bench/README.md")
MARK = re.compile(r"(<!-- bench (\w+) -->\n).*?(<!-- end -->)", re.S)


def load():
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {"benchmarks": {}}


def all_bars(results, benchmarks):
    return [b for name, m in benchmarks.items() if hasattr(m, "bars") and
            name in results["benchmarks"] for b in m.bars(results["benchmarks"][name]["result"])]


def part(name, results, benchmarks):
    if name == "bars":
        return bars_.table(all_bars(results, benchmarks))
    got = results["benchmarks"].get(name)
    if name == "host":
        seen = dict.fromkeys(host.line(b["host"]) for b in results["benchmarks"].values())
        return [f"Measured: {x}." for x in seen]
    if got is None:
        return ["Not measured yet."]
    return benchmarks[name].table(got["result"])


def charts(results, benchmarks):
    """{file name: SVG}"""
    out = {}
    for name, b in results["benchmarks"].items():
        if hasattr(benchmarks.get(name), "charts"):
            out |= benchmarks[name].charts(b["result"])
    return out


def files(results, benchmarks):
    """{path: what it holds}: all that comes from results.json."""
    out = {RESULTS: json.dumps(results, indent=1) + "\n"}
    out |= {DIR / name: svg for name, svg in charts(results, benchmarks).items()}
    for path in (ROOT / page for page in PAGES):
        out[path] = MARK.sub(
            lambda m: m[1] + "\n".join(part(m[2], results, benchmarks)) + "\n" + m[3],
            path.read_text())
    return out


def write(results, benchmarks):
    for path, text in files(results, benchmarks).items():
        path.write_text(text)


def stale(results, benchmarks):
    """Files that are not as they come from results.json."""
    return [str(path.relative_to(ROOT)) for path, text in files(results, benchmarks).items()
            if not path.exists() or path.read_text() != text]
