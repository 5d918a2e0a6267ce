"""OpenDNSSEC's own benchmark, ods-hsmspeed."""
import os
import re
import subprocess

from . import lab as lab_
from .bars import Bar, number, rows
from .lab import NAMES, say
from .stats import interleaved, ratio, spread

TITLE = "ods-hsmspeed, RSA-1024, 8 threads"
SIDES = ("softhsm", "p11kit", "caas")


def speed(lab, side, threads, each, env=None):
    """Signatures per second; None when it cannot."""
    where = lab.side(side)
    if where is None:
        return None
    conf = lab.work / f"ods-{side}.xml"
    text = (lab_.ROOT / "examples" / "dnssec" / "conf.xml.in").read_text()
    for name, value in (("MODULE", where[0]), ("TOKEN", lab_.TOKEN), ("PIN", lab_.PIN),
                        ("DIR", str(lab.work))):
        text = text.replace(f"@{name}@", value)
    conf.write_text(text)
    r = subprocess.run(["ods-hsmspeed", "-c", str(conf), "-r", "caas", "-i", str(each), "-s",
                        "1024", "-t", str(threads)], env={**os.environ, **where[1], **(env or {})},
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    got = re.findall(r"([0-9.]+) sig/s", r.stdout)
    if not got:
        say(r.stdout)
        return None
    return float(got[-1])


def run(lab, opt):
    say("  ods-hsmspeed")
    each = max(50, int(400 * opt.seconds))
    runs = interleaved({s: lambda s=s: speed(lab, s, 8, each) for s in SIDES}, opt.rounds)
    return {"sides": {s: spread(v) for s, v in runs.items()},
            "ratios": {s: ratio(runs["caas"], runs[s]) for s in runs if s != "caas"}}


def bars(result):
    what = "RSA-1024 by ods-hsmspeed, 8 threads"
    return [Bar(f"{what}, to SoftHSM2 in-process", result["ratios"].get("softhsm"), 2.3),
            Bar(f"{what}, to p11-kit", result["ratios"].get("p11kit"), 2.8)]


def table(result):
    return ["Signatures per second."] + [""] + rows(
        ["", *(NAMES[s] for s in SIDES), "to SoftHSM2", "to p11-kit"],
        [["ods-hsmspeed"] + [number(result["sides"].get(s)) for s in SIDES] +
         [number(result["ratios"].get(s), 2) for s in ("softhsm", "p11kit")]])
