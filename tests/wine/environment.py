"""Set up for the Wine arm of the twins: the programs it needs, caller.exe, a Wine prefix of its own.

    python tests/wine/environment.py        does all of it and says what is missing

WINSOCK_WINE names the wine program, WINSOCK_WINEPREFIX the prefix (~/.cache/winsock/wine; 700 MB).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CALLER = HERE / "build" / "caller.exe"
COMPILER = "x86_64-w64-mingw32-gcc"


def wine() -> str | None:
    """The wine program, None if there is none."""
    candidates = [
        os.environ.get("WINSOCK_WINE"),
        "/usr/lib/wine/wine64",
        shutil.which("wine64"),
        shutil.which("wine"),
    ]
    return next((c for c in candidates if c and os.access(c, os.X_OK)), None)


def missing() -> list[str]:
    """Debian packages that are not there."""
    return [p for p, there in (("wine64", wine()), ("gcc-mingw-w64-x86-64", shutil.which(COMPILER))) if not there]


def prefix() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("WINSOCK_WINEPREFIX") or cache / "winsock" / "wine")


def environment() -> dict[str, str]:
    """What Wine is started with: no display, its own prefix, silent."""
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "LANG")}
    return {
        **kept,
        "WINEPREFIX": str(prefix()),
        "WINEDEBUG": "-all",
        "LC_ALL": "C.UTF-8",
        "WINEDLLOVERRIDES": "mscoree,mshtml=;winemenubuilder.exe=d",
    }


def prepare() -> None:
    """Build caller.exe and make the prefix, each when needed; one process at a time."""
    prefix().mkdir(parents=True, exist_ok=True)
    with (prefix() / ".winsock-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build()
        ready = prefix() / ".winsock-ready"
        if not ready.exists():
            print(f"making a Wine prefix in {prefix()}", flush=True)
            subprocess.run(
                [str(wine()), "wineboot.exe", "--init"],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=180,
                check=True,
            )
            ready.touch()


def build() -> None:
    source = HERE / "caller.c"
    if CALLER.exists() and CALLER.stat().st_mtime >= source.stat().st_mtime:
        return
    print("compiling caller.exe", flush=True)
    CALLER.parent.mkdir(exist_ok=True)
    aside = CALLER.with_name(f"caller.{os.getpid()}")  # renamed when whole
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wno-cast-function-type", "-static"]
    subprocess.run([COMPILER, *flags, "-o", aside, source, "-lntdll", "-luser32"], check=True)
    aside.replace(CALLER)


def main() -> int:
    if lacking := missing():
        print(f"The Wine arm needs packages that are not there: apt-get install {' '.join(lacking)}", file=sys.stderr)
        return 1
    prepare()
    return 0


if __name__ == "__main__":
    sys.exit(main())
