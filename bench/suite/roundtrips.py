"""Round trips between guest and vsmd for one thing an application does."""
import os
import socket
import ssl
import subprocess

from . import ods, tls
from .bars import Bar, rows
from .big import LABEL
from .lab import PIN, TOKEN, say
from .relay import Relay

TITLE = "Round trips"
# What any application does once before it can do anything.
OPENING = {"C_GetSlotInfo", "C_GetTokenInfo", "C_GetMechanismList", "C_GetMechanismInfo", "info",
           "C_OpenSession", "C_CloseSession", "C_CloseAllSessions", "C_GetSessionInfo", "C_Login",
           "C_Logout"}


def each(seen, n):
    return {"trips": round(seen["trips"] / n, 2), "frames": round(seen["frames"] / n, 2),
            "calls": {k: round(v / n, 3) for k, v in seen["calls"].items()}}


def connect(port, n):
    """That many handshakes, and no more: a load generator starts some that it does not end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for _ in range(n):
        with socket.create_connection(("127.0.0.1", port)) as s, context.wrap_socket(s) as t:
            t.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while t.recv(4096):
                pass


def handshake(lab, key, n):
    """Of one TLS handshake of nginx, when its workers are warm."""
    with Relay(lab) as r, tls.Nginx(lab, "caas", key, r.env) as nginx:
        nginx.load(200)
        return each(r.between(lambda: connect(nginx.port, n)), n)


def signature(lab, n):
    """Of one signature of ods-hsmspeed: the difference of two runs."""
    with Relay(lab) as r:
        few = r.between(lambda: ods.speed(lab, "caas", 1, 10, r.env))
        more = r.between(lambda: ods.speed(lab, "caas", 1, 10 + n, r.env))
    calls = {k: v - few["calls"].get(k, 0) for k, v in more["calls"].items()}
    return each({"trips": more["trips"] - few["trips"], "frames": more["frames"] - few["frames"],
                 "calls": {k: v for k, v in calls.items() if v}}, n)


def load(lab, pairs):
    """libp11 loads one of many keys, by its label.  What comes before, and would come without
    a key, is counted apart: it is asked once and does not depend on the keys."""
    lab.big.caas(pairs * 2)
    conf = tls.engine_conf(lab, "caas")
    key = f"pkcs11:token={LABEL};object={lab.big.label(pairs * 2)};type=private;pin-value={PIN}"
    with Relay(lab) as r:
        seen = r.between(lambda: subprocess.run(
            ["openssl", "pkey", "-engine", "pkcs11", "-inform", "engine", "-in", key, "-pubout",
             "-out", str(lab.work / "key.pub")], env={**os.environ, **r.env, "OPENSSL_CONF": conf},
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    opening = sum(n for c, n in seen["calls"].items() if c in OPENING)
    return {**each(seen, 1), "keys": pairs, "hellos": seen["hellos"], "opening": opening,
            "loading": seen["trips"] - opening}


def mechanisms(lab):
    """Of pkcs11-tool, to list them: it asks for each."""
    module, _ = lab.caas
    with Relay(lab) as r:
        return each(r.between(lambda: subprocess.run(
            ["pkcs11-tool", "--module", module, "--token-label", TOKEN, "-M"],
            env={**os.environ, **r.env}, check=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)), 1)


def run(lab, opt):
    say("  round trips")
    n = 100 if opt.quick else 400
    return {"handshake": handshake(lab, "rsa2048", n), "signature": signature(lab, n),
            "load": load(lab, min(1000, opt.objects // 2)), "mechanisms": mechanisms(lab)}


def bars(result):
    keys = f"{result['load']['keys']:,}"
    return [Bar("round trips of an nginx handshake", result["handshake"]["trips"], 1, False, ""),
            Bar("round trips of an ods-hsmspeed signature", result["signature"]["trips"], 1, False,
                ""),
            Bar(f"round trips of libp11's key load, {keys} keys on the token",
                result["load"]["loading"], 4, False, ""),
            Bar("round trips of pkcs11-tool -M", result["mechanisms"]["trips"], 2, False, "")]


def table(result):
    def calls(r):
        most = sorted(r["calls"].items(), key=lambda x: -x[1])
        return ", ".join(f"{c} {n:g}" for c, n in most if n >= 0.01)

    load_ = result["load"]
    return rows(["", "round trips", "frames", "calls"], [
        ["nginx, one TLS 1.3 handshake", result["handshake"]["trips"],
         result["handshake"]["frames"], calls(result["handshake"])],
        ["ods-hsmspeed, one signature", result["signature"]["trips"],
         result["signature"]["frames"], calls(result["signature"])],
        [f"libp11, to load one of {load_['keys']:,} keys", load_["loading"],
         load_["frames"] - load_["opening"], calls(load_)],
        ["pkcs11-tool -M, which lists mechanisms", result["mechanisms"]["trips"],
         result["mechanisms"]["frames"], calls(result["mechanisms"])],
    ]) + ["", f"Loading the key also took {load_['hellos']} hellos and {load_['opening']} calls "
          "that open and close what any application opens (slots, session, login); they are in "
          "the list of calls, not in its number."]
