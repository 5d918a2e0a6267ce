"""Which machine, which versions."""
import datetime
import os
import pathlib
import platform
import subprocess

PACKAGES = {"SoftHSM2": "softhsm2", "p11-kit": "p11-kit", "nginx": "nginx-light",
            "libp11": "libengine-pkcs11-openssl", "ods-hsmspeed": "libhsm-bin",
            "ab": "apache2-utils"}


def output(*cmd, cwd=None):
    try:
        r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                           check=False, cwd=cwd)
    except OSError:
        return ""
    return r.stdout.strip() if r.returncode == 0 else ""


def cpu():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def describe(root):
    versions = {"OpenSSL": " ".join(output("openssl", "version").split()[1:2])}
    for name, package in PACKAGES.items():
        versions[name] = output("dpkg-query", "-W", "-f=${Version}", package) or "-"
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu(),
        "processors": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "versions": versions,
        "commit": output("git", "rev-parse", "--short", "HEAD", cwd=root) or "-",
    }


def line(host):
    versions = ", ".join(f"{k} {v}" for k, v in host["versions"].items() if v != "-")
    return (f"{host['date']}, {host['processors']} processors ({host['cpu']}), Linux "
            f"{host['kernel']}, {versions}; commit {host['commit']}")
