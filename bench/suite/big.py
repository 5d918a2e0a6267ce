"""A token with many EC key pairs, the same in SoftHSM2 and in vsmd.

SoftHSM2 takes minutes for 5,000 pairs, for each new one reads all before it.  So copies of
one empty token, which have its key, are filled with 100 each by SoftHSM2, and the files
laid together; vsmd gets the same files as a backup that is restored.
"""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess

from . import lab as lab_

PART = 100  # pairs
LABEL = "big"
PASSPHRASE = "bench"


class Big:
    def __init__(self, lab):
        self.lab = lab
        self.parts = []
        self.serial = None
        self.restored = None

    def base(self):
        """An empty token: (its directory, the environment that finds it)."""
        where = self.lab.memory / "base"
        tokens = where / "tokens"
        fresh = not where.exists()
        env = self.lab.softhsm_conf(where, tokens)
        if fresh:
            self.lab.softhsm_token(env, LABEL)
            out = subprocess.run(["softhsm2-util", "--show-slots"], env={**os.environ, **env},
                                 stdout=subprocess.PIPE, text=True, check=True).stdout
            self.serial = next(x.split()[2] for x in out.splitlines()
                               if "Serial" in x and len(x.split()) > 2)
        return next(tokens.iterdir()), env

    def fill_part(self, n):
        where = self.lab.memory / f"part{n}"
        base, _ = self.base()
        env = self.lab.softhsm_conf(where, where / "tokens")
        token = where / "tokens" / base.name
        shutil.copytree(base, token)
        if self.lab.run([lab_.tool("caas-bench-fill"), "--module", lab_.SOFTHSM, "--token", LABEL,
                         "--first", n * PART, "--count", PART], env) is None:
            raise RuntimeError("SoftHSM2 could not be filled")
        return token

    def grow(self, objects):
        """Parts for that many objects."""
        want = max(1, -(-objects // (2 * PART)))
        self.base()
        if want > len(self.parts):
            lab_.say(f"  making {objects:,} objects")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            self.parts += pool.map(self.fill_part, range(len(self.parts), want))
        return self.parts[:want] if objects else []

    def label(self, objects):
        """Of a key in the middle."""
        return f"key-{objects // 4:05d}"

    def softhsm(self, objects, where):
        """A token directory of SoftHSM2's below `where`: the environment that finds it."""
        base, _ = self.base()
        env = self.lab.softhsm_conf(where, where / "tokens")
        token = where / "tokens" / base.name
        shutil.copytree(base, token)
        for part in self.grow(objects):
            for f in part.iterdir():
                if not (token / f.name).exists():
                    shutil.copy(f, token)
        return env

    def once(self, objects):
        """The same, to be read only, in memory."""
        where = self.lab.memory / f"whole{objects}"
        if where.exists():
            return {"SOFTHSM2_CONF": str(where / "softhsm2.conf")}
        return self.softhsm(objects, where)

    def caas(self, objects, fresh=False):
        """The token in vsmd has that many objects."""
        if self.restored == objects and not fresh:
            return
        _, env = self.lab.caas
        env = {**os.environ, **env}
        caas, work = self.lab.caas_bin, self.lab.work
        (work / "passphrase").write_text(PASSPHRASE + "\n")
        (work / "so-pin").write_text(lab_.SO_PIN + "\n")
        if self.restored is not None:
            subprocess.run([caas, "token", "delete", "--label", LABEL, "--yes"], env=env,
                           check=True, stdout=subprocess.DEVNULL)
        tokens = pathlib.Path(self.once(objects)["SOFTHSM2_CONF"]).parent / "tokens"
        subprocess.run([lab_.tool("caas-bench-export"), next(tokens.iterdir()), LABEL,
                        self.serial, lab_.PIN, lab_.SO_PIN, PASSPHRASE, work / "big.backup"],
                       check=True)
        subprocess.run([caas, "token", "restore", "--in", work / "big.backup",
                        "--passphrase-file", work / "passphrase", "--so-pin-file",
                        work / "so-pin"], env=env, check=True, stdout=subprocess.DEVNULL)
        self.restored = objects
