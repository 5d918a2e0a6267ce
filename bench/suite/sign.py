"""Signatures per second and their latency."""
from . import charts as svg
from .bars import Bar, number, rows
from .lab import NAMES, say
from .stats import columns, interleaved, ratio

TITLE = "Signatures"
SIDES = ("raw", "handoff", "softhsm", "p11kit", "socket", "caas")


def one(lab, side, key, threads, seconds):
    # OpenSSL without a token uses both processors best by two processes.
    if side == "raw":
        return lab.bench("raw", key, 1, seconds, processes=min(threads, 2))
    if side == "handoff":
        return lab.bench("raw", key, threads, seconds, signers=2)
    return lab.bench(side, key, threads, seconds)


def run(lab, opt):
    out = {}
    for key in opt.keys:
        for threads in opt.threads:
            say(f"  sign {key}, {threads} threads")
            runs = interleaved({s: lambda s=s: one(lab, s, key, threads, opt.seconds)
                                for s in SIDES if s != "handoff" or threads > 1}, opt.rounds)
            rate = {s: [r["per_second"] for r in v] for s, v in runs.items()}
            out[f"{key}/{threads}"] = {
                "sides": {s: columns(v, "per_second", "p50_us", "p99_us")
                          for s, v in runs.items()},
                "ratios": {s: ratio(rate["caas"], rate[s]) for s in rate if s != "caas"},
            }
    return out


def ratios(result, row, side):
    return result.get(row, {}).get("ratios", {}).get(side)


def bars(result):
    def bar(row, what, side, name, want):
        return Bar(f"{what}, to {name}", ratios(result, row, side), want)

    return [
        bar("rsa2048/8", "RSA-2048 signatures, 8 threads", "softhsm", "SoftHSM2 in-process", 2.0),
        bar("rsa2048/8", "RSA-2048 signatures, 8 threads", "raw", "OpenSSL, 2 processes", 0.9),
        bar("rsa2048/8", "RSA-2048 signatures, 8 threads", "p11kit", "p11-kit", 2.8),
        bar("p256/8", "P-256 signatures, 8 threads", "softhsm", "SoftHSM2 in-process", 2.0),
        bar("p256/8", "P-256 signatures, 8 threads", "raw", "OpenSSL, 2 processes", 0.6),
        bar("p256/8", "P-256 signatures, 8 threads", "p11kit", "p11-kit", 2.8),
        bar("rsa2048/1", "RSA-2048 signatures, 1 thread", "softhsm", "SoftHSM2 in-process", 1.8),
    ]


def table(result):
    head = ["key / threads"] + [NAMES[s] for s in SIDES] + ["to raw", "to sleeping threads", "to SoftHSM2", "to p11-kit", "to no shared memory"]
    body, late = [], []
    for row, r in result.items():
        cell = {s: r["sides"].get(s, {}) for s in SIDES}
        body.append([row] + [number(cell[s].get("per_second")) for s in SIDES] +
                    [number(r["ratios"].get(s), 2) for s in ("raw", "handoff", "softhsm", "p11kit", "socket")])
        late.append([row] + [f"{number(cell[s].get('p50_us'))} / {number(cell[s].get('p99_us'))}"
                             if cell[s] else "-" for s in SIDES])
    return (["Signatures per second. Raw OpenSSL has two processes of one thread, or one where "
             "there is one thread. Sleeping threads: its threads hand each signature to one of two "
             "others in their process, and sleep until it is made; no token, no protocol.", ""] + rows(head, body) +
            ["", "Latency, p50 / p99 in microseconds.", ""] + rows(head[:1 + len(SIDES)], late))


def charts(result):
    out = {}
    for threads in sorted({int(row.split("/")[1]) for row in result}):
        keys = {row.split("/")[0]: r["sides"] for row, r in result.items()
                if row.endswith(f"/{threads}")}
        for field, title, unit, name in (
                ("per_second", "Signatures per second", "more is better", "signatures"),
                ("p99_us", "p99 latency in microseconds", "less is better", "latency-p99")):
            data = [(k, [(s, c[s][field]) for s in SIDES if s in c]) for k, c in keys.items()]
            out[f"{name}-{threads}.svg"] = svg.bars(
                f"{title}, {threads} thread{'s' if threads > 1 else ''} ({unit})", data)
    return out
