"""A token with many EC key pairs, the same in SoftHSM2 and in vsmd.

SoftHSM2 makes them; vsmd gets the same files as a backup that is restored.
"""
import os
import pathlib
import shutil
import subprocess

from . import lab as lab_

LABEL = "big"
PASSPHRASE = "bench"


class Big:
    def __init__(self, lab):
        self.lab = lab
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

    def once(self, objects):
        """A token of SoftHSM2's, in memory, to be read only: the environment that finds it."""
        where = self.lab.memory / f"whole{objects}"
        if where.exists():
            return {"SOFTHSM2_CONF": str(where / "softhsm2.conf")}
        base, _ = self.base()
        env = self.lab.softhsm_conf(where, where / "tokens")
        shutil.copytree(base, where / "tokens" / base.name)
        if objects == 0:
            return env
        lab_.say(f"  making {objects:,} objects")
        if self.lab.run([lab_.tool("caas-bench-fill"), "--module", lab_.SOFTHSM, "--token", LABEL,
                         "--first", 0, "--count", objects // 2], env) is None:
            raise RuntimeError("SoftHSM2 could not be filled")
        return env

    def softhsm(self, objects, where):
        """A copy of it below `where`, which may be changed."""
        whole = pathlib.Path(self.once(objects)["SOFTHSM2_CONF"]).parent
        env = self.lab.softhsm_conf(where, where / "tokens")
        shutil.copytree(whole / "tokens", where / "tokens", dirs_exist_ok=True)
        return env

    def label(self, objects):
        """Of a key in the middle."""
        return f"key-{objects // 4:05d}"

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
