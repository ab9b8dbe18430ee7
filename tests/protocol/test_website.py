"""The document of a website, and where its rules send readers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.protocol.documentcache import DocumentCache
from twisted_s3.protocol.website import (
    MAX_RULES,
    Asked,
    Redirect,
    RoutingRule,
    Website,
    folder_location,
    location,
    parse_website,
    website_document,
)
from twisted_s3.protocol.websitepages import error_headers, error_page

TEXT = st.text("ab/<&\u00e5 #?", max_size=6)
MAYBE = st.none() | TEXT
REDIRECTS = st.builds(
    Redirect,
    MAYBE,
    st.sampled_from([None, "http", "https"]),
    st.sampled_from([None, "301", "302", "303", "304", "305", "307", "308"]),
    MAYBE,
    st.none(),
).filter(lambda redirect: redirect != Redirect()) | st.builds(Redirect, prefix=TEXT)
RULES = st.builds(RoutingRule, REDIRECTS, MAYBE, st.sampled_from([None, "400", "404", "500", "599"]))
WEBSITES = st.builds(
    Website,
    TEXT.filter(lambda text: text and "/" not in text),
    st.none() | TEXT.filter(bool),
    st.none(),
    st.lists(RULES, max_size=3).map(tuple),
) | st.builds(
    Website,
    elsewhere=st.builds(Redirect, TEXT.filter(bool), st.sampled_from([None, "http", "https"])),
)
PIECES = st.sampled_from(
    [
        "<WebsiteConfiguration>",
        "</WebsiteConfiguration>",
        "<IndexDocument><Suffix>i</Suffix></IndexDocument>",
        "<ErrorDocument><Key>e</Key></ErrorDocument>",
        "<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>",
        "<RoutingRules>",
        "</RoutingRules>",
        "<RoutingRule>",
        "</RoutingRule>",
        "<Redirect><HostName>h</HostName></Redirect>",
        "<Condition><KeyPrefixEquals>p</KeyPrefixEquals></Condition>",
        "<Condition/>",
        "x",
    ]
)
INDEX = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>"


def written(content: str) -> bytes:
    """A document."""
    return f"<WebsiteConfiguration>{content}</WebsiteConfiguration>".encode()


def ruled(rule: str) -> bytes:
    """A document with one rule."""
    return written(f"{INDEX}<RoutingRules><RoutingRule>{rule}</RoutingRule></RoutingRules>")


class Documents(SynchronousTestCase):
    """What a configuration may say."""

    @given(WEBSITES)
    def test_round_trip(self, website: Website) -> None:
        """What is written is read again."""
        self.assertEqual(parse_website(website_document(website)), website)

    @given(st.lists(PIECES, max_size=14))
    def test_nothing_but_refusals(self, pieces: list[str]) -> None:
        """Any document is read or refused."""
        try:
            website = parse_website("".join(pieces).encode())
        except S3Error:
            return
        self.assertTrue(website.index or website.elsewhere)

    def refused(self, body: bytes) -> tuple[str, str, str]:
        """Code, message and argument for a document."""
        with self.assertRaises(S3Error) as caught:
            parse_website(body)
        error = caught.exception
        return error.code, error.message, error.elements.get("ArgumentName", "")

    def test_malformed(self) -> None:
        """What is not in the schema."""
        for body in (
            b"",
            b"<x/>",
            written("<Other/>"),
            written(INDEX + INDEX),
            written("<IndexDocument/>"),
            written(INDEX + "<ErrorDocument/>"),
            written("<RedirectAllRequestsTo/>"),
            written("<RedirectAllRequestsTo><HostName/></RedirectAllRequestsTo>"),
            written(INDEX + "<RoutingRules/>"),
            written(INDEX + "<RoutingRules><Rule/></RoutingRules>"),
            ruled(""),
            ruled("<Redirect/>"),
            ruled("<Condition><KeyPrefixEquals>a</KeyPrefixEquals></Condition>"),
            ruled("<Redirect><Other>a</Other></Redirect>"),
        ):
            self.assertEqual(self.refused(body)[0], "MalformedXML", body)

    def test_arguments(self) -> None:
        """Index and error documents, and what excludes them."""
        for body, message, name in (
            (
                written(""),
                "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
                "IndexDocument",
            ),
            (
                written("<ErrorDocument><Key>e</Key></ErrorDocument>"),
                "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
                "IndexDocument",
            ),
            (
                written("<IndexDocument><Suffix>/i</Suffix></IndexDocument>"),
                "The IndexDocument Suffix is not well formed",
                "IndexDocument",
            ),
            (
                written("<IndexDocument><Suffix/></IndexDocument>"),
                "The IndexDocument Suffix is not well formed",
                "IndexDocument",
            ),
            (
                written(INDEX + "<ErrorDocument><Key/></ErrorDocument>"),
                "The ErrorDocument Key is not well formed",
                "ErrorDocument",
            ),
            (
                written(INDEX + "<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>"),
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
                "RedirectAllRequestsTo",
            ),
        ):
            self.assertEqual(self.refused(body), ("InvalidArgument", message, name))

    def test_rules(self) -> None:
        """Rules that can not be, in AWS's words."""
        protocol = (
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected "
            "automatically."
        )
        host = "<HostName>h</HostName>"
        for body, message in (
            (ruled("<Redirect><Protocol>ftp</Protocol></Redirect>"), protocol),
            (
                written(f"<RedirectAllRequestsTo>{host}<Protocol>HTTP</Protocol></RedirectAllRequestsTo>"),
                protocol,
            ),
            (
                ruled(
                    "<Redirect><ReplaceKeyWith>a</ReplaceKeyWith>"
                    "<ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith></Redirect>"
                ),
                "You can only define ReplaceKeyPrefix or ReplaceKey but not both.",
            ),
            (
                ruled(f"<Condition/><Redirect>{host}</Redirect>"),
                "Condition cannot be empty. To redirect all requests without a condition, the condition element "
                "shouldn't be present.",
            ),
            *(
                (
                    ruled(f"<Redirect><HttpRedirectCode>{code}</HttpRedirectCode></Redirect>"),
                    f"The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except 300.",
                )
                for code in ("300", "306", "200", "314", "")
            ),
            *(
                (
                    ruled(
                        f"<Condition><HttpErrorCodeReturnedEquals>{code}</HttpErrorCodeReturnedEquals></Condition>"
                        f"<Redirect>{host}</Redirect>"
                    ),
                    f"The provided HTTP error code ({code}) is not valid. Valid codes are 4XX or 5XX.",
                )
                for code in ("399", "600", "x", "", "4" * 5000, "\u0664\u0660\u0664")
            ),
        ):
            self.assertEqual(self.refused(body), ("InvalidRequest", message, ""))

    def test_number_of_rules(self) -> None:
        """As many as may be, and one more."""
        rule = "<RoutingRule><Redirect><HostName>h</HostName></Redirect></RoutingRule>"
        most = written(f"{INDEX}<RoutingRules>{rule * MAX_RULES}</RoutingRules>")
        self.assertEqual(len(parse_website(most).rules), MAX_RULES)
        code, message, _ = self.refused(written(f"{INDEX}<RoutingRules>{rule * (MAX_RULES + 1)}</RoutingRules>"))
        self.assertEqual(code, "InvalidRequest")
        self.assertIn("51 routing rules provided", message)

    def test_cache(self) -> None:
        """It gives what a document says, and keeps so many."""
        read: list[bytes] = []

        def parse(document: bytes) -> int:
            read.append(document)
            return int(document)

        cache = DocumentCache(parse, 2)
        self.assertEqual([cache.get(b"%d" % number) for number in (1, 2, 1, 3, 1, 2)], [1, 2, 1, 3, 1, 2])
        self.assertEqual(read, [b"1", b"2", b"3", b"2"])


class Routing(SynchronousTestCase):
    """Where readers go."""

    def test_conditions(self) -> None:
        """The first rule counts of which all holds; one for an error only when there is that error."""
        first = RoutingRule(Redirect("1"), "docs/", "404")
        second = RoutingRule(Redirect("2"), "docs/")
        third = RoutingRule(Redirect("3"), None, "404")
        website = Website("i", rules=(first, second, third))
        for key, error, rule in (
            ("docs/a", None, second),
            ("docs/a", "404", first),
            ("a", "404", third),
            ("a", "403", None),
            ("a", None, None),
            ("doc", None, None),
        ):
            self.assertEqual(website.rule_for(key, error), rule, (key, error))
        always = RoutingRule(Redirect("4"))
        self.assertEqual(Website("i", rules=(always,)).rule_for(""), always)

    def test_location(self) -> None:
        """What a redirect does not say stays as it was."""
        asked = Asked("http", "site.test:81", "docs/a b", "q=1&r")
        for redirect, expected in (
            (Redirect("other"), "http://other/docs/a%20b?q=1&r"),
            (Redirect("other:82", "https"), "https://other:82/docs/a%20b?q=1&r"),
            (Redirect(key="new.html"), "http://site.test:81/new.html?q=1&r"),
            (Redirect(prefix="papers/"), "http://site.test:81/papers/a%20b?q=1&r"),
            (Redirect(prefix=""), "http://site.test:81/a%20b?q=1&r"),
            (Redirect(prefix="#!/"), "http://site.test:81/#!/a%20b?q=1&r"),
            (Redirect(key="\u00e5\r\n"), "http://site.test:81/%C3%A5%0D%0A?q=1&r"),
            (Redirect(code="307"), "http://site.test:81/docs/a%20b?q=1&r"),
        ):
            self.assertEqual(location(asked, redirect, "docs/"), expected)

    @given(st.text(max_size=8), st.text(min_size=1, max_size=8), MAYBE, MAYBE)
    def test_safe(self, host: str, key: str, replaced: str | None, prefix: str | None) -> None:
        """Whatever the parts are, the URL goes into a header, and a host is where a host belongs."""
        asked = Asked("http", "site", key.encode("utf-8", "ignore").decode() or "k")
        moved = location(asked, Redirect(host.encode("utf-8", "ignore").decode() or None, None, None, replaced, prefix))
        for url in (moved, folder_location(asked)):
            self.assertTrue(all(" " < character < "\x7f" for character in url), url)
        self.assertFalse(folder_location(asked).startswith("//"))

    def test_folder(self) -> None:
        """The path with a slash, and never another host."""
        self.assertEqual(folder_location(Asked("http", "h", "a/b c")), "/a/b%20c/")
        self.assertEqual(folder_location(Asked("http", "h", "a", "q")), "/a/?q")
        self.assertEqual(folder_location(Asked("http", "h", "/evil.test")), "/%2Fevil.test/")


class Pages(SynchronousTestCase):
    """Error pages."""

    def test_page(self) -> None:
        """As AWS writes them."""
        error = S3Error("NoSuchKey", elements={"Key": "<a>&\u00e5"})
        self.assertEqual(
            error_page(error, "ID", "HOST", S3Error("AccessDenied")).decode(),
            "<html>\n<head><title>404 Not Found</title></head>\n<body>\n<h1>404 Not Found</h1>\n<ul>\n"
            "<li>Code: NoSuchKey</li>\n<li>Message: The specified key does not exist.</li>\n"
            "<li>Key: &lt;a&gt;&amp;\u00e5</li>\n<li>RequestId: ID</li>\n<li>HostId: HOST</li>\n</ul>\n"
            "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n"
            "<li>Code: AccessDenied</li>\n<li>Message: Access Denied</li>\n</ul>\n<hr/>\n</body>\n</html>\n",
        )

    @given(st.text(max_size=10))
    def test_headers(self, key: str) -> None:
        """Any key fits into a header."""
        headers = error_headers(S3Error("NoSuchKey", elements={"Key": key}))
        self.assertEqual(headers[0], ("x-amz-error-code", "NoSuchKey"))
        for _, value in headers:
            self.assertFalse(set("\r\n\0") & set(value))
            value.encode("latin-1")
        error_page(S3Error("NoSuchKey", elements={"Key": key}), "", "")
