"""nginx: full TLS 1.3 handshakes per second, by where its key is."""
import os
import pwd
import re
import resource
import socket
import subprocess
import time

from . import charts as svg
from . import lab as lab_
from . import procs
from .bars import Bar, number, rows
from .lab import say
from .stats import columns, interleaved, ratio

TITLE = "nginx, full TLS 1.3 handshakes"
KEYS = {"rsa2048": "rsa:2048", "p256": "EC:prime256v1"}
SIDES = {"disk": "key on disk", "softhsm": "SoftHSM2, by the engine", "caas": "key in the VSM"}
CLIENTS, AT_ONCE = 2, 8  # processes of ab, connections of each


def fill(name, values):
    text = (lab_.ROOT / "examples" / "nginx" / name).read_text()
    for k, v in values.items():
        text = text.replace(f"@{k}@", str(v))
    return text


def engine_conf(lab, side):
    path = lab.work / f"openssl-{side}.cnf"
    path.write_text(fill("openssl.cnf.in", {"MODULE": lab.side(side)[0]}))
    return str(path)


def make_key(lab, side, key, env, crt):
    """A key where that side keeps it, and its certificate; what nginx is to be told."""
    request = ["openssl", "req", "-x509", "-new", "-subj", "/CN=localhost", "-days", "30", "-out",
               str(crt)]
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if side == "disk":
        pem = crt.with_suffix(".key")
        kind = ["rsa:2048"] if key == "rsa2048" else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        subprocess.run([*request, "-nodes", "-newkey", *kind, "-keyout", str(pem)], **quiet)
        return str(pem)
    env = {**os.environ, **env}
    uri = f"pkcs11:token={lab_.WEB};object=tls-{key};type=private;pin-value={lab_.PIN}"
    if not crt.exists():
        subprocess.run(["pkcs11-tool", "--module", lab.side(side)[0], "--login", "--pin", lab_.PIN,
                        "--token-label", lab_.WEB, "--keypairgen", "--key-type", KEYS[key],
                        "--label", f"tls-{key}", "--id", key.encode().hex()], env=env, **quiet)
        subprocess.run([*request, "-engine", "pkcs11", "-keyform", "engine", "-key", uri],
                       env=env, **quiet)
    return f"engine:pkcs11:{uri}"


class Nginx:
    """Four workers on a loopback port: with Nginx(lab, side, key) as n: n.load(count)."""

    def __init__(self, lab, side, key, env=None):
        self.lab = lab
        self.dir = lab.work / f"nginx-{side}-{key}"
        (self.dir / "tmp").mkdir(parents=True, exist_ok=True)
        env = {**(lab.side(side)[1] if side != "disk" else {}), **(env or {})}
        if side != "disk":
            env["OPENSSL_CONF"] = engine_conf(lab, side)
        name = make_key(lab, side, key, env, lab.work / f"tls-{side}-{key}.crt")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        text = fill("nginx.conf.in", {"DIR": self.dir, "PORT": self.port})
        text = text.replace(f"{self.dir}/tls.crt", str(lab.work / f"tls-{side}-{key}.crt"))
        text = re.sub(r'ssl_certificate_key ".*"', f'ssl_certificate_key "{name}"', text)
        # The same user for all: SoftHSM2's files are readable by their owner only.
        text = text.replace("user www-data;", f"user {pwd.getpwuid(os.getuid()).pw_name};")
        text = text.replace("env CAAS_VSM_ADDRESS;", "env CAAS_VSM_ADDRESS;\nenv "
                            "CAAS_VSM_SHARED_MEMORY;\nenv SOFTHSM2_CONF;")
        text = text.replace("TLSv1.2 TLSv1.3;", "TLSv1.3;\n\t\tssl_session_cache off;\n"
                            "\t\tssl_session_tickets off;")
        if side == "disk":
            text = text.replace("ssl_engine pkcs11;", "")
        (self.dir / "nginx.conf").write_text(text)
        self.env = env

    def __enter__(self):
        self.process = self.lab.start(["nginx", "-p", str(self.dir), "-c",
                                       str(self.dir / "nginx.conf"), "-g", "daemon off;"],
                                      env=self.env)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError((self.dir / "nginx.err").read_text())

    def __exit__(self, *_):
        self.lab.stop(self.process)

    def ab(self, *args):
        return subprocess.Popen(["ab", "-q", "-f", "TLS1.3", *args,
                                 f"https://127.0.0.1:{self.port}/"], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def load(self, count):
        """About that many connections, one request each."""
        return self.read([self.ab("-n", str(count // CLIENTS), "-c", str(AT_ONCE))
                          for _ in range(CLIENTS)])

    def run(self, seconds):
        return self.read([self.ab("-t", str(seconds), "-n", "10000000", "-c", str(AT_ONCE))
                          for _ in range(CLIENTS)])

    @staticmethod
    def read(clients):
        """(handshakes, handshakes per second)"""
        total, rate = 0, 0.0
        for p in clients:
            out, _ = p.communicate()
            done = re.search(r"Complete requests:\s+(\d+)", out)
            failed = re.search(r"Failed requests:\s+(\d+)", out)
            if p.returncode != 0 or not done or int(failed[1]):
                raise RuntimeError(out)
            total += int(done[1])
            rate += float(re.search(r"Requests per second:\s+([0-9.]+)", out)[1])
        return total, rate


def measure(lab, nginx, seconds):
    def cpu():
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return [children.ru_utime + children.ru_stime, procs.seconds(nginx.process.pid),
                procs.seconds(lab.vsmd)]

    before = cpu()
    total, rate = nginx.run(seconds)
    used = [b - a for a, b in zip(before, cpu())]
    return {"per_second": rate, **{f"{who}_us": s / total * 1e6
                                   for who, s in zip(("client", "nginx", "vsmd"), used)}}


def run(lab, opt):
    out = {}
    for key in KEYS:
        say(f"  tls {key}")
        servers = {s: Nginx(lab, s, key) for s in SIDES}
        try:
            for n in servers.values():
                n.__enter__()
                n.load(200)  # each worker has signed
            runs = interleaved({s: lambda n=n: measure(lab, n, max(1, round(2 * opt.seconds)))
                                for s, n in servers.items()}, opt.rounds)
        finally:
            for n in servers.values():
                if hasattr(n, "process"):
                    n.__exit__()
        rate = {s: [r["per_second"] for r in v] for s, v in runs.items()}
        out[key] = {"sides": {s: columns(v, "per_second", "client_us", "nginx_us", "vsmd_us")
                              for s, v in runs.items()},
                    "ratios": {s: ratio(rate["caas"], rate[s]) for s in rate if s != "caas"}}
    return out


def bars(result):
    return [Bar("nginx handshakes, RSA-2048, key in the VSM to key on disk",
                result["rsa2048"]["ratios"].get("disk"), 0.93)]


def table(result):
    body = [[f"{key}: {SIDES[s]}", number(c["per_second"]),
             number(r["ratios"].get(s), 2)] +
            [f"{c[f'{who}_us']['median']:,.0f}" for who in ("client", "nginx", "vsmd")]
            for key, r in result.items() for s, c in r["sides"].items()]
    return [f"Four workers, one request on each connection, no resumption; {CLIENTS} ab with "
            f"{AT_ONCE} connections each on the same processors. Processor time per handshake in "
            "microseconds.", ""] + rows(
        ["", "handshakes/s", "VSM to it", "client", "nginx", "vsmd"], body)


def charts(result):
    data = [(f"{key}, {SIDES[s]}", [(who, c[f"{who}_us"]["median"])
                                    for who in ("client", "nginx", "vsmd")])
            for key, r in result.items() for s, c in r["sides"].items()]
    return {"tls.svg": svg.stacked("Processor time of a full handshake, us", data,
                                   {"client": "client", "nginx": "nginx", "vsmd": "vsmd"}, "us")}
