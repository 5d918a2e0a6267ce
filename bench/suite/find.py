"""C_FindObjects by label on a token with many objects."""
from .bars import Bar, number, rows
from .big import LABEL
from .lab import NAMES, say
from .stats import columns, interleaved, ratio

TITLE = "C_FindObjects by label"


def run(lab, opt):
    say("  find")
    env = lab.big.once(opt.objects)
    lab.big.caas(opt.objects)
    key = lab.big.label(opt.objects)
    runs = interleaved({
        "softhsm": lambda: lab.bench("softhsm", "find", 1, opt.seconds, token=LABEL, label=key,
                                     env=env),
        "caas": lambda: lab.bench("caas", "find", 1, opt.seconds, token=LABEL, label=key),
    }, opt.rounds)
    p50 = {s: [r["p50_us"] for r in v] for s, v in runs.items()}
    return {"objects": opt.objects,
            "sides": {s: columns(v, "p50_us", "p99_us") for s, v in runs.items()},
            "ratio": ratio(p50["softhsm"], p50["caas"])}


def bars(result):
    return [Bar(f"C_FindObjects by label, {result['objects']:,} objects, SoftHSM2's time to ours",
                result["ratio"], 100)]


def table(result):
    return [f"{result['objects']:,} objects (EC key pairs); C_FindObjectsInit, C_FindObjects and "
            "C_FindObjectsFinal, microseconds.", ""] + rows(
        ["", "p50", "p99"],
        [[NAMES[s], number(c["p50_us"]), number(c["p99_us"])]
         for s, c in result["sides"].items()])
