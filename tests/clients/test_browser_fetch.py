"""A script of another origin, in a real browser."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor
from twisted.web.server import Site

from tests.clients.browser import PRESENT, Browser, browsing
from tests.clients.test_browser_form import Page
from tests.serving import Server, ServingTestCase, coroutine

SIZE = 3_000_000

#: Sends bytes that it makes, and tells what came of it.
SEND = """
const bytes = new Uint8Array(%d).map((_, index) => index %% 251);
const headers = {"Content-Type": "application/x-test", "x-amz-meta-note": "from a script"};
return fetch(%s, {method: "PUT", body: bytes, headers: headers})
    .then(answer => [answer.status, answer.headers.get("ETag"), answer.headers.get("x-amz-request-id")])
    .catch(error => error.name);
"""
#: Gets something as text.
GET = """
return fetch(%s, {cache: "no-store"})
    .then(answer => answer.text().then(text => [answer.status, answer.headers.get("ETag"), text]))
    .catch(error => error.name);
"""
#: Gets bytes, and tells whether they are those that were sent.
COMPARE = """
return fetch(%s).then(answer => answer.arrayBuffer()).then(buffer => {
    const bytes = new Uint8Array(buffer);
    return [bytes.length, bytes.every((byte, index) => byte == index %% 251)];
}).catch(error => error.name);
"""
#: Sends a form.
POST = """
const form = new FormData();
for (const [name, value] of Object.entries(%s)) form.append(name, value);
form.append("file", new Blob(["by form"]));
return fetch(%s, {method: "POST", body: form}).then(answer => answer.status).catch(error => error.name);
"""


class BrowserFetch(ServingTestCase):
    """Chromium lets a script of another origin do what the bucket's rules allow."""

    skip = None if PRESENT else "no chromium and chromedriver here"

    @coroutine
    async def test_fetch(self) -> None:
        """Upload, download, form and refusal, with rules and without."""
        server = await self.start_server()
        port = reactor.listenTCP(0, Site(Page()), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        await self.in_thread(self.work, server, f"http://127.0.0.1:{port.getHost().port}")

    def work(self, server: Server, origin: str) -> None:
        """What the page's script does."""
        client = server.client()
        client.create_bucket(Bucket="bucket")
        put, get = self.urls(client)
        form = client.generate_presigned_post("bucket", "form")
        with browsing() as browser:
            browser.open(f"{origin}/page")
            self.assertEqual(self.ask(browser, SEND % (SIZE, json.dumps(put))), "TypeError")
            self.assertEqual(client.list_objects_v2(Bucket="bucket")["KeyCount"], 0)
            rule = {
                "AllowedOrigins": [origin],
                "AllowedMethods": ["GET", "PUT", "POST"],
                "AllowedHeaders": ["*"],
                "ExposeHeaders": ["ETag"],
            }
            client.put_bucket_cors(Bucket="bucket", CORSConfiguration={"CORSRules": [rule]})
            status, etag, hidden = self.ask(browser, SEND % (SIZE, json.dumps(put)))
            self.assertEqual(status, 200)
            self.assertIsNone(hidden)
            self.assertEqual(self.ask(browser, COMPARE % json.dumps(get)), [SIZE, True])
            status, _, text = self.ask(browser, GET % json.dumps(get.replace("/key?", "/other?")))
            self.assertEqual(status, 403)
            self.assertIn("SignatureDoesNotMatch", text)
            self.assertEqual(self.ask(browser, POST % (json.dumps(form["fields"]), json.dumps(form["url"]))), 204)
            client.delete_bucket_cors(Bucket="bucket")
            self.assertEqual(self.ask(browser, GET % json.dumps(get)), "TypeError")
        found = client.head_object(Bucket="bucket", Key="key")
        self.assertEqual((found["ETag"], found["ContentLength"]), (etag, SIZE))
        self.assertEqual((found["ContentType"], found["Metadata"]), ("application/x-test", {"note": "from a script"}))
        self.assertEqual(client.get_object(Bucket="bucket", Key="form")["Body"].read(), b"by form")

    def urls(self, client: Any) -> tuple[str, str]:
        """Presigned URLs for the upload and the download."""
        given = {"ContentType": "application/x-test", "Metadata": {"note": "from a script"}}
        put = client.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "key", **given})
        return put, client.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "key"})

    def ask(self, browser: Browser, script: str) -> Any:
        """What a script comes to."""
        return browser.run(script)


class BrowserFetchOverTLS(BrowserFetch):
    """The same over HTTPS."""

    tls = True
