"""A headless Chromium, steered through its driver with the WebDriver protocol (https://www.w3.org/TR/webdriver2/)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

CHROMIUM = Path("/usr/bin/chromium")
DRIVER = Path("/usr/bin/chromedriver")

#: Whether there is one here.
PRESENT = CHROMIUM.exists() and DRIVER.exists()

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
#: How long a page may take, seconds.
_PATIENCE = 60
_STARTED = re.compile(r"started successfully on port (\d+)")


class Browser:
    """A window of the browser. Everything here blocks."""

    def __init__(self, session: str) -> None:
        self._session = session

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is there."""
        _call("POST", f"{self._session}/url", {"url": url})

    @property
    def url(self) -> str:
        """Where the browser is."""
        return str(_call("GET", f"{self._session}/url"))

    @property
    def text(self) -> str:
        """What the page says."""
        return str(self.run("return document.documentElement.textContent"))

    def run(self, script: str) -> Any:
        """Run a function body in the page; a promise that it returns is waited for."""
        return _call("POST", f"{self._session}/execute/sync", {"script": script, "args": []})

    def type(self, selector: str, text: str) -> None:
        """Type into a field; the path of a file where it asks for one."""
        _call("POST", f"{self._session}/element/{self._find(selector)}/value", {"text": text})

    def click(self, selector: str) -> None:
        """Click, and wait for the page that comes of it."""
        self.run("window.isLeft = true")
        _call("POST", f"{self._session}/element/{self._find(selector)}/click", {})
        # The driver waits for a page that is on its way, and now and then asks before the browser has set out.
        deadline = time.monotonic() + _PATIENCE
        while not self.run("return !window.isLeft && document.readyState === 'complete'"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no page came of a click on {selector}")

    def _find(self, selector: str) -> str:
        found = _call("POST", f"{self._session}/element", {"using": "css selector", "value": selector})
        return str(found[_ELEMENT])


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser of its own, with an empty profile, gone at the end."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        environment = {**os.environ, "no_proxy": "*", "HOME": profile}
        driver = subprocess.Popen(
            [str(DRIVER), "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        try:
            with driver:
                base = f"http://127.0.0.1:{_port(driver)}"
                options = {"binary": str(CHROMIUM), "args": [*_ARGUMENTS, f"--user-data-dir={profile}"]}
                wanted = {"browserName": "chrome", "acceptInsecureCerts": True, "goog:chromeOptions": options}
                made = _call("POST", f"{base}/session", {"capabilities": {"alwaysMatch": wanted}})
                session = f"{base}/session/{made['sessionId']}"
                try:
                    yield Browser(session)
                finally:
                    _call("DELETE", session)
                    driver.terminate()
        finally:
            driver.kill()


def _port(driver: subprocess.Popen[str]) -> int:
    assert driver.stdout is not None
    for line in driver.stdout:
        match = _STARTED.search(line)
        if match is not None:
            return int(match[1])
    raise RuntimeError("the driver did not start")


def _call(method: str, url: str, parameters: Any = None) -> Any:
    data = None if parameters is None else json.dumps(parameters).encode()
    opener = build_opener(ProxyHandler({}))
    with opener.open(Request(url, data, {"Content-Type": "application/json"}, method=method), timeout=60) as answer:
        return json.load(answer)["value"]
