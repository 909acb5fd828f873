"""Finds a Chrome or Chromium for the browser tests and installs one where there is none."""

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


class NoBrowser(Exception):
    """There is no browser; the sentence says what to do."""


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
    if shutil.which("apt-get") and os.geteuid() == 0:
        packages = "apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core"
        commands.append(["sh", "-c", packages])
    return commands


def main() -> int:
    """Print the browser that the tests will use; 1 and a sentence when there is none."""
    try:
        print(f"Browser for the tests: {find_browser() or install_browser()}")
    except NoBrowser as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
