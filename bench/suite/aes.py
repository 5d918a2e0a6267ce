"""AES-256-GCM of 16 KiB messages by one thread."""
from .bars import Bar, number, rows
from .lab import NAMES, say
from .latency import PINNED, pinned
from .stats import columns, interleaved, ratio

TITLE = "AES-256-GCM, 16 KiB, one thread"
MESSAGE = 16384


def run(lab, opt):
    say("  aes")
    sides = {s: lambda s=s: lab.bench(s, "aes", 1, opt.seconds)
             for s in ("raw", "softhsm", "p11kit", "caas")}
    sides["echo"] = lambda: lab.echo(MESSAGE, MESSAGE, opt.seconds)
    for s in ("caas", "echo"):
        sides[s + PINNED] = lambda run=sides[s]: pinned(lab, run)
    runs = interleaved(sides, opt.rounds)
    rate = {s: [r["per_second"] for r in v] for s, v in runs.items()}
    return {"sides": {s: columns(v, "per_second", "p50_us", "p99_us") for s, v in runs.items()},
            "ratios": {s: ratio(rate["caas" + (PINNED if PINNED in s else "")], rate[s])
                       for s in rate if not s.startswith("caas")}}


def bars(result):
    return [Bar("AES-256-GCM of 16 KiB, to SoftHSM2 in-process",
                result["ratios"].get("softhsm"), 0.5),
            *(Bar(f"AES-256-GCM of 16 KiB, to a bare socket's echo of 16 KiB{where}",
                  result["ratios"].get(f"echo{where}"), 0.6) for where in ("", PINNED))]


def table(result):
    names = NAMES | {s + PINNED: NAMES[s] + PINNED for s in ("caas", "echo")}
    missing = [] if "p11kit" in result["sides"] else ["p11-kit does not carry the mechanism.", ""]
    return missing + rows(["", "messages/s", "p50 us", "p99 us", "CaaS to it"],
                [[names[s], number(c["per_second"]), number(c["p50_us"], 1),
                  number(c["p99_us"], 1), number(result["ratios"].get(s), 2)]
                 for s, c in result["sides"].items()])
