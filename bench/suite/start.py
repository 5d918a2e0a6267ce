"""A new application's first signature: load, log in, find the key, sign."""
from .bars import Bar, number, rows
from .big import LABEL
from .lab import NAMES, say
from .stats import columns, interleaved, ratio

TITLE = "A new application's first signature"


def run(lab, opt):
    say("  start")
    env = lab.big.once(opt.objects)
    lab.big.caas(opt.objects)
    key = lab.big.label(opt.objects)
    # One round is soon over, except for SoftHSM2 with many objects.
    few = interleaved({s: lambda s=s: lab.bench(s, "p256", 1, 0.001)
                       for s in ("softhsm", "p11kit", "caas")}, opt.rounds * 3)
    many = interleaved({
        "softhsm": lambda: lab.bench("softhsm", "p256", 1, 0.001, token=LABEL, label=key, env=env),
        "caas": lambda: lab.bench("caas", "p256", 1, 0.001, token=LABEL, label=key),
    }, opt.rounds)
    first = {s: [r["first_us"] for r in v] for s, v in many.items()}
    return {"objects": opt.objects,
            "few": {s: columns(v, "first_us") for s, v in few.items()},
            "many": {s: columns(v, "first_us") for s, v in many.items()},
            "ratio": ratio(first["softhsm"], first["caas"])}


def bars(result):
    return [Bar(f"first signature, {result['objects']:,} objects, SoftHSM2's time to ours",
                result["ratio"], 20)]


def table(result):
    def ms(c):
        return number(c and {k: v / 1000 for k, v in c["first_us"].items()}, 1)

    sides = ("softhsm", "p11kit", "caas")
    return ["Milliseconds from loading the module to a P-256 signature.", ""] + rows(
        ["objects on the token", *(NAMES[s] for s in sides)],
        [["a few"] + [ms(result["few"].get(s)) for s in sides],
         [f"{result['objects']:,}"] + [ms(result["many"].get(s)) for s in sides]])
