"""A form that a real browser sends."""

from __future__ import annotations

from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from tests.clients.browser import PRESENT, Browser, browsing
from tests.serving import Server, ServingTestCase, coroutine

CONTENT = b"\x00\xff\r\n--\r\n" * 50_000


class Page(Resource):
    """An HTML page at every path."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.html = ""

    def render_GET(self, request: Request) -> bytes:
        """The page."""
        request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
        return self.html.encode()


def form_page(form: dict[str, Any]) -> str:
    """A page with a form for what boto3 presigned, and a place to write to."""
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in form["fields"].items()
    )
    return (
        f'<!DOCTYPE html><form action="{escape(form["url"])}" method="post" enctype="multipart/form-data">{fields}'
        '<input type="file" name="file"><input type="submit" name="x-ignore-submit" value="Send"></form>'
    )


class BrowserForm(ServingTestCase):
    """Chromium uploads a file."""

    skip = None if PRESENT else "no chromium and chromedriver here"

    @coroutine
    async def test_upload(self) -> None:
        """The file arrives whole, and the browser goes where it is sent; a refusal is shown."""
        server = await self.start_server()
        page = Page()
        port = reactor.listenTCP(0, Site(page), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        home = f"http://127.0.0.1:{port.getHost().port}/"
        file = Path(self.enterContext(TemporaryDirectory())) / 'å "b".bin'
        file.write_bytes(CONTENT)
        await self.in_thread(self.upload, server, page, home, file)

    def upload(self, server: Server, page: Page, home: str, file: Path) -> None:
        """What the person at the browser does."""
        client = server.client()
        client.create_bucket(Bucket="bucket")
        done = f"{home}done"
        given = {"success_action_redirect": done, "x-amz-meta-note": "ü\u2028"}
        conditions = [{name: value} for name, value in given.items()]
        bounds = ["content-length-range", 1, len(CONTENT)]
        form = client.generate_presigned_post("bucket", "up/${filename}", given, [*conditions, bounds])
        refused = client.generate_presigned_post("bucket", "no", None, [["content-length-range", 0, 5]])
        with browsing() as browser:
            self.send(browser, page, home, form, file)
            landed = urlsplit(browser.url)
            browser.open(home)
            self.send(browser, page, home, refused, file)
            shown = browser.text
        found = client.get_object(Bucket="bucket", Key=f"up/{file.name}")
        self.assertEqual(found["Body"].read(), CONTENT)
        facts = {name: values[0] for name, values in parse_qs(landed.query).items()}
        self.assertEqual(landed._replace(query="").geturl(), done)
        self.assertEqual(facts, {"bucket": "bucket", "key": f"up/{file.name}", "etag": found["ETag"]})
        self.assertIn("EntityTooLarge", shown)
        self.assertEqual(client.list_objects_v2(Bucket="bucket")["KeyCount"], 1)

    def send(self, browser: Browser, page: Page, home: str, form: dict[str, Any], file: Path) -> None:
        """Fill the form in and send it."""
        page.html = form_page(form)
        browser.open(home)
        browser.type("input[type=file]", str(file))
        browser.click("input[type=submit]")


class BrowserFormOverTLS(BrowserForm):
    """The same over HTTPS."""

    tls = True
