"""Finds what the browser tests need, a Chrome or Chromium and a driver that runs, and installs what is lacking."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
)
NOTHING = (
    "The browser tests need Chrome or Chromium and none could be found or installed."
    " Install one, or set CHROME_PATH to its program, and run `make test` again."
)
NO_DRIVER = (
    "The browser tests' driver, Playwright, does not run on this machine: {why}."
    " On Debian or Ubuntu: apt install libatomic1. Then run `make test` again."
)


class NoBrowser(Exception):
    """The browser tests cannot run; the sentence says what to do."""


def find_browser() -> Path | None:
    """A browser that runs: CHROME_PATH, one on the PATH, one in its usual place, or Playwright's own."""
    if chosen := os.environ.get("CHROME_PATH"):
        if not _runs(Path(chosen)):
            raise NoBrowser(f"CHROME_PATH is {chosen}, which does not run. Correct it or unset it.")
        return Path(chosen)
    return next((place for place in _candidates() if _runs(place)), None)


def _candidates() -> Iterator[Path]:
    yield from (Path(found) for name in NAMES if (found := shutil.which(name)))
    yield from map(Path, PLACES)
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    yield own


def _runs(program: Path) -> bool:
    if sys.platform == "win32":  # there --version opens a window
        return program.is_file()
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def install_browser() -> Path:
    """Install a browser by Playwright, or as root on Debian by apt-get. Raises NoBrowser when neither works."""
    for command in _installers():
        print(f"No Chrome or Chromium found. Trying: {' '.join(command)}", flush=True)
        if subprocess.run(command, stdin=subprocess.DEVNULL).returncode == 0 and (found := find_browser()):
            return found
    raise NoBrowser(NOTHING)


def _installers() -> list[list[str]]:
    commands = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    return [*commands, _apt("chromium", "fonts-dejavu-core")] if _may_apt() else commands


def _may_apt() -> bool:
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def _apt(*packages: str) -> list[str]:
    return ["sh", "-c", f"apt-get update && apt-get install -y --no-install-recommends {' '.join(packages)}"]


def ensure_driver() -> None:
    """Make sure that Playwright's driver runs; a bare Debian lacks a library of it. Raises NoBrowser."""
    if (why := _driver_fault()) and _may_apt():
        print("Playwright's driver lacks a library. Installing libatomic1.", flush=True)
        subprocess.run(_apt("libatomic1"), stdin=subprocess.DEVNULL)
        why = _driver_fault()
    if why:
        raise NoBrowser(NO_DRIVER.format(why=why))


def _driver_fault() -> str:
    """What the driver says when it does not run; empty when it does."""
    done = subprocess.run([sys.executable, "-m", "playwright", "--version"], capture_output=True, text=True)
    return (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1] if done.returncode else ""


def main() -> int:
    """Print the browser that the tests will use; 1 and a sentence when they cannot run."""
    try:
        ensure_driver()
        print(f"Browser for the tests: {find_browser() or install_browser()}")
    except NoBrowser as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
