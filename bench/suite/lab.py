"""The contenders, started when a benchmark first needs them."""
import contextlib
import functools
import glob
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

from . import big, procs

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("CAAS_BUILD", ROOT / "build"))
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
PIN, SO_PIN, TOKEN = "123456", "12345678", "bench"
WEB = "web"  # of its own: libp11 lists no key of a token on which there is an Ed25519 one
NAMES = {
    "raw": "raw OpenSSL",
    "handoff": "OpenSSL, sleeping threads",
    "softhsm": "SoftHSM2 in-process",
    "p11kit": "p11-kit server + client",
    "caas": "CaaS",
    "socket": "CaaS, no shared memory",
    "echo": "bare unix socket",
    "shared": "bare shared memory",
    "disk": "key on disk",
}
# As `caas sandbox up' writes it, for more applications than its limits have.
CONF = """[vsmd]
sandbox = yes
listen = unix:{dir}/vsmd.sock
state = {dir}/state
runtime = {dir}/run
max-applications = 1100
max-per-principal = 1100

[principal all]
uid = *
role = admin

[grant all *]
allow = all
extract = allow
"""


def tool(name):
    return str(BUILD / "bench" / name)


def say(text):
    print(text, file=sys.stderr, flush=True)


class Lab:
    def __init__(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="caas-bench."))
        self.work.chmod(0o755)
        # SoftHSM2's big tokens lie in memory, as they do in vsmd.
        self.memory = pathlib.Path(tempfile.mkdtemp(prefix="caas-bench.", dir="/dev/shm"))
        self.caas_module = str(BUILD / "libcaas-p11" / "libcaas-p11.so")
        self.caas_bin = str(BUILD / "caas" / "caas")
        self.started = []
        self.big = big.Big(self)

    def softhsm_conf(self, where, tokens):
        where.mkdir(exist_ok=True)
        tokens.mkdir(exist_ok=True)
        conf = where / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\n"
                        "log.level = ERROR\nslots.removable = false\n")
        return {"SOFTHSM2_CONF": str(conf)}

    def softhsm_token(self, env, label):
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN,
                        "--so-pin", SO_PIN], env={**os.environ, **env}, check=True,
                       stdout=subprocess.DEVNULL)

    @functools.cached_property
    def softhsm(self):
        env = self.softhsm_conf(self.work / "softhsm", self.work / "softhsm" / "tokens")
        self.softhsm_token(env, TOKEN)
        self.softhsm_token(env, WEB)
        return SOFTHSM, env

    @functools.cached_property
    def p11kit(self):
        server = next((p for d in ("libexec/p11-kit", "lib/p11-kit", "lib/*/p11-kit")
                       for p in glob.glob(f"/usr/{d}/p11-kit-server")), None)
        client = next(iter(glob.glob("/usr/lib/*/pkcs11/p11-kit-client.so")), None)
        if server is None or client is None:
            return None
        sock = self.work / "p11-kit.sock"
        self.start([server, "-f", "-n", str(sock), "--provider", SOFTHSM, "pkcs11:"],
                   env=self.softhsm[1])
        self.wait(sock)
        return client, {"P11_KIT_SERVER_ADDRESS": f"unix:path={sock}"}

    @functools.cached_property
    def caas(self):
        vsm = self.work / "vsm"
        vsm.mkdir()
        (vsm / "vsmd.conf").write_text(CONF.format(dir=vsm))
        out = subprocess.run(
            [self.caas_bin, "sandbox", "up", "--dir", vsm, "--token", TOKEN, "--pin", PIN,
             "--so-pin", SO_PIN], check=True, stdout=subprocess.PIPE, text=True).stdout
        env = {}
        for line in out.splitlines():
            name, value = line.removeprefix("export ").split("=", 1)
            env[name] = "".join(shlex.split(value))
        subprocess.run([self.caas_bin, "token", "create", "--label", WEB, "--pin", PIN, "--so-pin",
                        SO_PIN], env={**os.environ, **env}, check=True, stdout=subprocess.DEVNULL)
        return self.caas_module, env

    @property
    def socket(self):
        module, env = self.caas
        return module, {**env, "CAAS_VSM_SHARED_MEMORY": "off"}

    @property
    def vsmd(self):
        """The supervisor's pid."""
        _ = self.caas
        return int((self.work / "vsm" / "vsmd.pid").read_text().split()[0])

    def side(self, name):
        """(module, environment), or None when it is not installed."""
        return getattr(self, name)

    def start(self, cmd, env=None, **kw):
        kw = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **kw}
        p = subprocess.Popen(cmd, env={**os.environ, **(env or {})}, **kw)
        self.started.append(p)
        return p

    def stop(self, p):
        p.terminate()
        p.wait()
        self.started.remove(p)

    @staticmethod
    def wait(path, seconds=10):
        for _ in range(seconds * 50):
            if path.exists():
                return
            time.sleep(0.02)
        raise RuntimeError(f"{path} does not appear")

    @contextlib.contextmanager
    def one_processor(self):
        """What is started in here, and the workers that vsmd forks, share one processor."""
        def all_on(cpus):
            for pid in [0, *procs.descendants(self.vsmd)]:
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(pid, cpus)

        before = os.sched_getaffinity(0)
        try:
            all_on({max(before)})
            yield
        finally:
            all_on(before)

    def run(self, cmd, env=None, quiet=False):
        """Its JSON, or None when it fails; what it has to say goes to standard error."""
        r = subprocess.run([str(c) for c in cmd], env={**os.environ, **(env or {})},
                           stdout=subprocess.PIPE, text=True, check=False,
                           stderr=subprocess.DEVNULL if quiet else None)
        return json.loads(r.stdout) if r.returncode == 0 else None

    def bench(self, side, key, threads=1, seconds=1.0, processes=1, token=TOKEN, label=None,
              env=None, signers=0):
        """One measurement of a contender."""
        cmd = [tool("caas-bench"), "--key", key, "--threads", threads, "--seconds", seconds,
               "--processes", processes]
        if side == "raw":
            return self.run(cmd + ["--raw"] + (["--signers", signers] if signers else []))
        where = self.side(side)
        if where is None:
            return None
        cmd += ["--module", where[0], "--token", token] + (["--label", label] if label else [])
        # p11-kit cannot do all that is asked.
        return self.run(cmd, {**where[1], **(env or {})}, quiet=side == "p11kit")

    def echo(self, ask, answer, seconds=1.0, shared=False):
        return self.run([tool("caas-bench"), "--echo", f"{ask:.0f},{answer:.0f}", "--seconds",
                         seconds] + (["--shared-memory"] if shared else []))

    def caas_memory(self, comm=None):
        return procs.memory(self.vsmd, comm)

    def close(self):
        for p in list(self.started):
            self.stop(p)
        if (self.work / "vsm").exists():
            subprocess.run([self.caas_bin, "sandbox", "down", "--dir", self.work / "vsm"],
                           check=False)
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.rmtree(self.memory, ignore_errors=True)
