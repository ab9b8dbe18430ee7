"""Settings from command line, environment and file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.settings import Settings, SettingsError, docs_table, schema
from twisted_s3.settingsources import load, read_config


def check_endpoint(text: str) -> None:
    """Take ``tcp:`` and ``unix:``."""
    if not text.startswith(("tcp:", "unix:")):
        raise ValueError("no such type")


class SettingsCase(SynchronousTestCase):
    def file(self, text: str | bytes) -> Path:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "s3store.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def load(
        self,
        arguments: dict[str, Any] | None = None,
        environ: dict[str, str] | None = None,
        toml: str | bytes | None = None,
    ) -> Settings:
        arguments = dict(arguments or {})
        if toml is not None:
            self.path = self.file(toml)
            arguments["config"] = str(self.path)
        return load(arguments, environ or {}, check_endpoint)

    def refused(self, *args: Any, **kwargs: Any) -> str:
        error = self.assertRaises(SettingsError, self.load, *args, **kwargs)
        self.assertNotIn("\n", str(error))
        return str(error)


class PrecedenceTests(SettingsCase):
    def test_defaults(self) -> None:
        settings = self.load()
        self.assertEqual(settings.data_dir, Path.cwd() / "s3store-data")
        self.assertEqual(settings.endpoints, ("tcp:9000:interface=127.0.0.1",))
        self.assertEqual((settings.region, settings.workers), ("us-east-1", 1))
        self.assertEqual((settings.durability, settings.access_log, settings.log_format), ("strict", True, "text"))

    def test_each_source_overrules_the_next(self) -> None:
        toml = "[server]\nregion = 'of-file'\nworkers = 2\nport = 1\nlog_format = 'json'"
        environ = {"S3STORE_REGION": "of-env", "S3STORE_WORKERS": "3", "S3STORE_PORT": "2"}
        settings = self.load({"region": "of-command", "port": "3"}, environ, toml)
        self.assertEqual(
            (settings.region, settings.port, settings.workers, settings.log_format), ("of-command", 3, 3, "json")
        )

    def test_every_setting_from_every_text_source(self) -> None:
        texts = {"config": None, "host": "::1", "port": "1", "durability": "none", "log_format": "json"}
        texts |= {
            "endpoint": "tcp:1",
            "website_endpoint": "tcp:2",
            "log_level": "warn",
            "region": "x",
            "access_log": "no",
            "allow_sigv2": "off",
        }
        texts |= {"presigned_checksums": "check", "default_object_ownership": "ObjectWriter"}
        texts |= {"default_public_access_block": "off", "verify_reads": "on", "scrub": "deep"}
        texts |= {"default_encryption": "AES256", "sse_c_over_http": "never"}
        for setting in schema():
            text = texts.get(setting.name, "2000" if int in setting.kind.toml or float in setting.kind.toml else "x.y")
            text = "3" if setting.name in ("workers", "disk_threads") else text
            if text is not None:
                by_command = self.load({setting.name: [text] if setting.repeatable else text})
                by_environ = self.load({}, {setting.variable: text})
                self.assertEqual(by_command, by_environ)
                self.assertNotEqual(getattr(by_command, setting.name), setting.default, setting.name)

    def test_config_from_the_environment(self) -> None:
        path = self.file("[server]\nport = 7")
        self.assertEqual(self.load({}, {"S3STORE_CONFIG": str(path)}).port, 7)

    def test_toml_types(self) -> None:
        toml = """[server]
            data_dir = "/d"
            host = "::1"
            port = 0
            domain = ["s3.Example.com", "s3.test:9000"]
            access_log = false
            idle_timeout = 1
            header_timeout = 1.5
            credentials = "/c.json"
            """
        settings = self.load(toml=toml)
        self.assertEqual(settings.endpoints, ("tcp:0:interface=\\:\\:1",))
        self.assertEqual(settings.domain, ("s3.example.com", "s3.test:9000"))
        self.assertEqual((settings.access_log, settings.idle_timeout, settings.header_timeout), (False, 1.0, 1.5))
        self.assertEqual((settings.data_dir, settings.credentials), (Path("/d"), Path("/c.json")))

    def test_endpoint_as_text_and_as_list(self) -> None:
        self.assertEqual(self.load(toml="[server]\nendpoint = 'tcp:1'").endpoints, ("tcp:1",))
        self.assertEqual(self.load(toml="[server]\nendpoint = ['tcp:1', 'unix:/s']").endpoints, ("tcp:1", "unix:/s"))
        self.assertEqual(self.load({}, {"S3STORE_ENDPOINT": "tcp:1 unix:/s"}).endpoints, ("tcp:1", "unix:/s"))
        self.assertEqual(self.load({"endpoint": ["tcp:1", "unix:/a"]}).endpoints, ("tcp:1", "unix:/a"))

    def test_endpoint_overrules_a_port_below_and_the_other_way_round(self) -> None:
        self.assertEqual(self.load({"endpoint": ["tcp:1"]}, {"S3STORE_PORT": "2"}).endpoints, ("tcp:1",))
        settings = self.load({"port": "2"}, {}, "[server]\nendpoint = 'tcp:1'")
        self.assertEqual(settings.endpoints, ("tcp:2:interface=127.0.0.1",))

    def test_negated_switches(self) -> None:
        self.assertFalse(self.load({"no_access_log": "true"}).access_log)
        self.assertFalse(self.load({}, {"S3STORE_NO_ACCESS_LOG": "1"}).access_log)
        self.assertFalse(self.load(toml="[server]\nno_access_log = true").access_log)
        self.assertTrue(self.load({"access_log": "true"}, {"S3STORE_ACCESS_LOG": "no"}).access_log)

    def test_websites(self) -> None:
        self.assertEqual(self.load().website_endpoint, ())
        settings = self.load({"website_endpoint": ["tcp:1", "unix:/w"], "port": "2"})
        self.assertEqual(settings.website_endpoint, ("tcp:1", "unix:/w"))
        self.assertEqual(settings.endpoints, ("tcp:2:interface=127.0.0.1",))
        self.assertEqual(
            self.load({}, {"S3STORE_WEBSITE_DOMAIN": "A.test b.test"}).website_domain, ("a.test", "b.test")
        )

    def test_json_round_trip(self) -> None:
        settings = self.load(
            {"endpoint": ["tcp:1", "unix:/s"], "website_endpoint": ["tcp:2"], "config": str(self.file(""))}
        )
        self.assertEqual(Settings.from_json(settings.to_json()), settings)
        self.assertNotIn("\n", settings.to_json())

    def test_user_variables_are_not_settings(self) -> None:
        self.load({}, {"S3STORE_ACCESS_KEY": "a", "S3STORE_SECRET_KEY": "b", "PATH": "/bin"})

    def test_docs_table_has_every_setting(self) -> None:
        table = docs_table()
        for setting in schema():
            self.assertIn(f"``{setting.variable}``", table)
            self.assertIn(f"{setting.option}", table)


class RefusalTests(SettingsCase):
    def test_unknown_variable(self) -> None:
        self.assertIn("S3STORE_PROT: unknown", self.refused({}, {"S3STORE_PROT": "1"}))
        self.assertIn("S3STORE_port: unknown", self.refused({}, {"S3STORE_port": "1"}))

    def test_unknown_toml(self) -> None:
        message = self.refused(toml="[server]\nprot = 1")
        self.assertIn(f"{self.path}: unknown setting 'prot'", message)
        self.assertIn("unknown table or setting 'port'", self.refused(toml="port = 1"))
        self.assertIn("unknown table or setting 'sever'", self.refused(toml="[sever]\nport = 1"))
        self.assertIn("unknown setting 'config'", self.refused(toml="[server]\nconfig = 'x'"))
        self.assertIn("must be a table", self.refused(toml="server = 1"))

    def test_unreadable_toml(self) -> None:
        self.assertIn("is not TOML", self.refused(toml="[server\n"))
        self.assertIn("is not UTF-8", self.refused(toml=b"\xff"))
        self.assertIn("No such file", self.refused({"config": "/nowhere/x.toml"}))
        self.assertIn("Is a directory", self.refused({"config": "/"}))

    def test_every_source_is_named_and_checked_even_when_overruled(self) -> None:
        self.assertIn("--port: 'x' is not a port number", self.refused({"port": "x"}))
        self.assertIn("S3STORE_PORT: '65536' is not a port", self.refused({"port": "1"}, {"S3STORE_PORT": "65536"}))
        message = self.refused({"port": "1"}, {"S3STORE_PORT": "1"}, "[server]\nport = -1")
        self.assertIn(f"{self.path}: port in [server]: '-1' is not a port", message)

    def test_bad_values(self) -> None:
        for name, value in [
            ("port", ""), ("port", "1.5"), ("port", "٣"), ("workers", "0"), ("workers", "many"), ("region", ""),
            ("region", "US East"), ("domain", ["-x.com"]), ("domain", ["a..b"]), ("durability", "lax"),
            ("log_format", "xml"), ("log_level", "loud"), ("host", ""), ("host", "a b"), ("data_dir", ""),
            ("data_dir", "a\0b"), ("idle_timeout", "nan"), ("idle_timeout", "inf"), ("idle_timeout", "-1"),
            ("idle_timeout", "0"), ("shutdown_grace", "-0.1"), ("max_header_bytes", "1"), ("endpoint", ["nothing"]),
            ("endpoint", [""]), ("website_endpoint", ["nothing"]),
        ]:  # fmt: skip
            option = "--" + name.replace("_", "-")
            self.assertTrue(self.refused({name: value}).startswith(option), (name, value))

    def test_bad_toml_types(self) -> None:
        for text in ("port = '1'", "port = true", "port = 1.0", "access_log = 1", "access_log = 'no'", "host = 1"):
            self.assertIn("must be", self.refused(toml=f"[server]\n{text}"))
        for text in ("endpoint = [1]", "domain = 1", "data_dir = []", "host = {}"):
            self.assertIn("must be str", self.refused(toml=f"[server]\n{text}"))
        self.assertIn("is empty", self.refused(toml="[server]\nendpoint = []"))

    def test_contradictions(self) -> None:
        self.assertIn("stands in place of --port", self.refused({"endpoint": ["tcp:1"], "port": "1"}))
        self.assertIn("contradicts", self.refused({"access_log": "true", "no_access_log": "true"}))

    def test_message_is_one_line_whatever_was_given(self) -> None:
        self.refused({"durability": "a\nb\x1b[2J"})
        self.refused({}, {"S3STORE_A\nB": "1"})
        self.refused(toml='[server]\n"a\\nb" = 1')

    @given(
        st.sampled_from([s for s in schema() if s.name not in ("config", "endpoint")]),
        st.text(st.characters(codec="utf-8")),
    )
    def test_any_text_is_taken_or_refused(self, setting: Any, text: str) -> None:
        try:
            settings = load({}, {setting.variable: text}, check_endpoint)
        except SettingsError as error:
            self.assertTrue(str(error).isprintable())
        else:
            self.assertEqual(Settings.from_json(settings.to_json()), settings)

    @given(st.binary())
    def test_any_file_is_taken_or_refused(self, data: bytes) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            try:
                read_config(Path(file.name))
            except SettingsError as error:
                self.assertTrue(str(error).isprintable())
