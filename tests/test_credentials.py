"""Users and their keys: where they come from, and what is refused."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.daemon import ROOT
from twisted_s3.credentials import UserReload, Users, UserSources, canonical_id, ready_to_paste
from twisted_s3.interfaces import ICredentials
from twisted_s3.model import User
from twisted_s3.settings import Settings, SettingsError

PAIR = {"S3STORE_ACCESS_KEY": "environ", "S3STORE_SECRET_KEY": "secret-of-environ"}


class CredentialsCase(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def sources(
        self, environ: dict[str, str] | None = None, toml: str | None = None, document: object = None
    ) -> UserSources:
        config = credentials = None
        if toml is not None:
            config = self.directory / "s.toml"
            config.write_text(toml)
            config.chmod(0o600)
        if document is not None:
            credentials = self.directory / "c.json"
            credentials.write_text(document if isinstance(document, str) else json.dumps(document))
            credentials.chmod(0o600)
        settings = Settings(config=config, credentials=credentials, data_dir=self.directory / "data")
        return UserSources.of(settings, environ or {})

    def refused(self, *args: Any, **kwargs: Any) -> str:
        error = self.assertRaises(SettingsError, self.sources(*args, **kwargs).configured)
        self.assertNotIn("\n", str(error))
        return str(error)


class SourceTests(CredentialsCase):
    def test_nothing_configured(self) -> None:
        self.assertEqual(self.sources().configured(), [])
        self.assertFalse((self.directory / "data").exists())

    def test_environment_user_is_administrator_before_all_others(self) -> None:
        toml = "[[users]]\naccess_key='alice'\nsecret_key='secret-of-alice'\n"
        document = {"credentials": [{"accessKey": "bob", "secretKey": "secret-of-bob"}]}
        users = self.sources(PAIR, toml, document).configured()
        self.assertEqual([u.access_key for u in users], ["environ", "alice", "bob"])
        self.assertEqual([u.administrator for u in users], [True, False, False])

    def test_first_user_is_administrator(self) -> None:
        toml = "".join(f"[[users]]\naccess_key='user{n}'\nsecret_key='secret-of-{n}'\n" for n in range(3))
        users = self.sources({}, toml).configured()
        self.assertEqual([u.administrator for u in users], [True, False, False])

    def test_all_fields(self) -> None:
        toml = """[[users]]
            access_key = "alice"
            secret_key = "se/cr+t=of,alice"
            canonical_id = "c1"
            display_name = "Alice Ä"
            email = "a@example.com"
            """
        expected = User("alice", "se/cr+t=of,alice", "c1", "Alice Ä", "a@example.com", administrator=True, name="alice")
        self.assertEqual(self.sources({}, toml).configured(), [expected])

    def test_several_keys(self) -> None:
        """All keys of a user are of one person; each may end at a time of its own."""
        toml = """[[users]]
            access_key = "first"
            secret_key = "secret-of-first"
            name = "alice"
            email = "a@example.com"
            keys = [{access_key = "second", secret_key = "secret-of-second", expires = "2030-01-01T00:00:00Z"}]
            [[users]]
            policy = "readonly:photos"
            [[users.keys]]
            access_key = "third"
            secret_key = "secret-of-third"
            """
        first, second, third = self.sources({}, toml).configured()
        self.assertEqual(
            second,
            structs.replace(first, access_key="second", secret_key="secret-of-second", expires=1893456000.0),
        )
        self.assertEqual((first.name, first.administrator, first.expires), ("alice", True, None))
        self.assertEqual((third.name, third.administrator), ("third", False))
        self.assertIn(b"arn:aws:s3:::photos/*", third.policy or b"")
        users = Users([first, second, third])
        self.assertIs(users.get_owner(first.canonical_id), first)
        self.assertIs(users.get_owner(""), first)
        self.assertIs(users.get_by_email("A@example.com"), first)
        self.assertIsNone(users.get_by_email(""))

    def test_policies(self) -> None:
        """By name, as text, as a table of TOML, as JSON."""
        document = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}
        text = json.dumps(document)
        toml = f"""[[users]]
            access_key = "first"
            secret_key = "secret-of-first"
            [[users]]
            access_key = "second"
            secret_key = "secret-of-second"
            policy = '{text}'
            [[users]]
            access_key = "third"
            secret_key = "secret-of-third"
            [users.policy]
            Version = "2012-10-17"
            [users.policy.Statement]
            Effect = "Deny"
            Action = "s3:*"
            Resource = "*"
            """
        users = self.sources({}, toml).configured()
        self.assertEqual([user.policy for user in users], [None, text.encode(), text.encode()])
        entries = [
            {"accessKey": "one", "secretKey": "secret-of-one"},
            {"accessKey": "two", "secretKey": "secret-of-two", "policy": document},
        ]
        made = self.sources(PAIR, "", json.dumps({"credentials": entries})).configured()
        self.assertEqual([user.policy for user in made], [None, None, text.encode()])

    def test_bad_policies_and_keys(self) -> None:
        """What is no policy, a policy for the administrator, what is no list of keys, and no time."""
        for extra, problem in (
            ('policy = "readnothing"', "no ready-made policy 'readnothing'"),
            ('policy = "{}"', "policy: Missing required field Statement"),
            ("policy = 3", "policy: "),
            ("policy = {a = 1979-05-27}", "policy: "),
            ('policy = "readonly"', "the first user is the administrator"),
            ("keys = 3", "keys must be a list"),
            ("keys = [3]", "key 1: is not a key pair"),
            ('keys = [{access_key = "abc", name = "x"}]', "key 1: unknown setting 'name'"),
            ('keys = [{access_key = "abc", secret_key = "short"}]', "the secret key must have 8"),
            ('keys = [{access_key = "first", secret_key = "another-secret"}]', "'first' is there twice"),
            ('expires = "tomorrow"', "expires is not a time"),
        ):
            toml = f"""[[users]]
                access_key = "first"
                secret_key = "secret-of-first"
                {extra}
                """
            self.assertIn(problem, self.refused({}, toml), extra)

    def test_defaults_are_stable(self) -> None:
        [user] = self.sources(PAIR).configured()
        self.assertEqual((user.display_name, user.canonical_id), ("environ", canonical_id("environ")))
        self.assertRegex(user.canonical_id, "^[0-9a-f]{64}$")
        self.assertNotEqual(canonical_id("environ"), canonical_id("Environ"))

    def test_no_secret_in_a_repr(self) -> None:
        sources = self.sources(PAIR)
        self.assertNotIn("secret-of", repr(sources) + repr(sources.configured()) + repr(Users(sources.configured())))

    def test_half_a_pair(self) -> None:
        for name in PAIR:
            [missing] = set(PAIR) - {name}
            self.assertTrue(self.refused({name: PAIR[name]}).startswith(missing))

    def test_rules_hold_for_every_source(self) -> None:
        for access_key, secret_key, problem in [
            ("ab", "long enough", "access key must have 3"),
            ("abc", "7 chars", "secret key must have 8"),
            ("a=c", "long enough", "without '=', ','"),
            ("a,c", "long enough", "without '=', ','"),
            ("a c", "long enough", "without '=', ','"),
            ("äöü", "long enough", "ASCII"),
            ("abc", "long\tenough", "control"),
        ]:
            document = {"credentials": [{"accessKey": access_key, "secretKey": secret_key}]}
            toml = f"[[users]]\naccess_key = {json.dumps(access_key)}\nsecret_key = {json.dumps(secret_key)}"
            environ = {"S3STORE_ACCESS_KEY": access_key, "S3STORE_SECRET_KEY": secret_key}
            for message in (self.refused(environ), self.refused({}, toml), self.refused({}, None, document)):
                self.assertIn(problem, message)
                self.assertNotIn(secret_key, message)

    def test_shortest_keys_are_taken(self) -> None:
        self.sources({"S3STORE_ACCESS_KEY": "abc", "S3STORE_SECRET_KEY": "8 chars!"}).configured()

    def test_twice(self) -> None:
        document = {"credentials": [{"accessKey": "environ", "secretKey": "something else"}]}
        self.assertIn("'environ' is there twice", self.refused(PAIR, None, document))
        toml = "".join(
            f"[[users]]\naccess_key='user{n}'\nsecret_key='secret-of-{n}'\ncanonical_id='c'\n" for n in range(2)
        )
        self.assertIn("canonical id of 'user1'", self.refused({}, toml))

    def test_malformed_toml_users(self) -> None:
        self.assertIn("list of users", self.refused({}, "users = 1"))
        self.assertIn("list of users", self.refused({}, "[users]\naccess_key='abc'"))
        self.assertIn("user 1: is not a user", self.refused({}, "users = [1]"))
        self.assertIn("user 1: unknown setting 'admin'", self.refused({}, "[[users]]\nadmin = true"))
        self.assertIn("access_key must be text", self.refused({}, "[[users]]\naccess_key = 123"))
        self.assertIn("access key must have 3", self.refused({}, "[[users]]\nsecret_key = 'long enough'"))

    def test_malformed_json(self) -> None:
        for document in ("", "[]", "{}", "nul", '{"credentials":{}}', '{"credentials":[1]}', "[" * 100_000):
            self.assertIn("c.json", self.refused({}, None, document))
        entry = {"accessKey": "abc", "secretKey": "long enough"}
        self.assertIn("unknown", self.refused({}, None, {"credentials": [entry | {"x": ""}]}))
        self.assertIn("must be an object", self.refused({}, None, {"credentials": [entry], "x": 1}))
        settings = Settings(credentials=self.directory / "none.json", data_dir=self.directory)
        error = self.assertRaises(SettingsError, UserSources.of(settings, {}).configured)
        self.assertIn("No such file", str(error))

    @given(st.recursive(st.none() | st.booleans() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
    def test_any_json_is_taken_or_refused(self, document: object) -> None:
        for whole in (document, {"credentials": document}, {"credentials": [document]}):
            with tempfile.NamedTemporaryFile("w") as file:
                json.dump(whole, file)
                file.flush()
                sources = UserSources(None, Path(file.name), Path("/nowhere"), {})
                try:
                    sources.configured()
                except SettingsError as error:
                    self.assertTrue(str(error).isprintable())


class GeneratedPairTests(CredentialsCase):
    def test_made_once_and_kept(self) -> None:
        [user], made = self.sources().load_or_generate()
        assert made is not None
        self.assertEqual((made.access_key, made.secret_key), (user.access_key, user.secret_key))
        self.assertTrue(user.administrator)
        path = self.sources().generated
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(path.parent.stat().st_mode), 0o700)
        self.assertEqual([p.name for p in path.parent.iterdir()], ["credentials.json"])
        self.assertEqual(self.sources().load_or_generate(), ([user], None))
        self.assertEqual(self.sources().load(), [user])

    def test_mode_whatever_the_umask(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        self.sources().load_or_generate()
        self.assertEqual(stat.S_IMODE(self.sources().generated.stat().st_mode), 0o600)

    def test_not_made_when_users_are_configured(self) -> None:
        _, made = self.sources(PAIR).load_or_generate()
        self.assertIsNone(made)
        self.assertFalse((self.directory / "data").exists())

    def test_not_read_when_users_are_configured(self) -> None:
        self.sources().load_or_generate()
        self.assertEqual([u.access_key for u in self.sources(PAIR).load()], ["environ"])

    def test_damaged_file_is_refused_and_kept(self) -> None:
        path = self.sources().generated
        path.parent.mkdir(parents=True)
        path.write_text("")
        self.assertRaises(SettingsError, self.sources().load_or_generate)
        self.assertEqual(path.read_text(), "")

    def test_pairs_differ(self) -> None:
        [one], _ = self.sources().load_or_generate()
        self.sources().generated.unlink()
        [two], _ = self.sources().load_or_generate()
        self.assertNotEqual((one.access_key, one.secret_key), (two.access_key, two.secret_key))

    def test_racing_processes_agree(self) -> None:
        code = (
            "import sys; from pathlib import Path; from twisted_s3.credentials import UserSources\n"
            "sources = UserSources(None, None, Path(sys.argv[1]), {})\n"
            "print('ready', flush=True); sys.stdin.read()\n"
            "[user], made = sources.load_or_generate(); print(user.access_key, user.secret_key, made is not None)"
        )
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", code, str(self.directory / "data")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
            for _ in range(4)
        ]  # fmt: skip
        for racer in racers:
            assert racer.stdout is not None
            self.assertEqual(racer.stdout.readline(), "ready\n")
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.close()
        results = []
        for racer in racers:
            assert racer.stdout is not None
            with racer.stdout:
                results.append(racer.stdout.read().split())
            self.assertEqual(racer.wait(30), 0)
        self.assertEqual(len({tuple(pair) for *pair, _ in results}), 1)
        self.assertEqual(sorted(made for *_, made in results), ["False", "False", "False", "True"])

    def test_ready_to_paste(self) -> None:
        [user], made = self.sources().load_or_generate()
        assert made is not None
        text = ready_to_paste(made, "http://127.0.0.1:9000", "us-east-1", Path("/d"))
        self.assertIn(f"export AWS_ACCESS_KEY_ID={user.access_key}\n", text)
        self.assertIn(f"export AWS_SECRET_ACCESS_KEY={user.secret_key}\n", text)
        self.assertIn("aws --endpoint-url http://127.0.0.1:9000 s3 ls\n", text)
        boto3_lines = text.partition("boto3:\n")[2].replace("\n    ", "\n").replace("\n                  ", " ")
        compile(boto3_lines.replace("    import", "import", 1), "pasted", "exec")


class UsersTests(SynchronousTestCase):
    def test_lookup_and_replacement(self) -> None:
        alice, bob = User("alice", "secret-of-alice", "a"), User("bob", "secret-of-bob", "b")
        users = Users([alice])
        verifyObject(ICredentials, users)
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(users.get_user("alice"))), alice)
        self.assertEqual(users.get_owner("a"), alice)
        users.replace([bob])
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(users.get_user("alice"))))
        self.assertIsNone(users.get_owner("a"))
        self.assertEqual(users.get_owner("b"), bob)


class ReloadTests(CredentialsCase):
    def test_reload(self) -> None:
        users = Users()
        sources = self.sources({}, "[[users]]\naccess_key='alice'\nsecret_key='secret-of-alice'")
        reload = UserReload(sources, users)
        with capturedLogs() as events:
            reload.reload()
        self.assertEqual(len(users), 1)
        self.assertEqual([formatEvent(e) for e in events], ["users loaded: 1"])

    def test_malformed_file_leaves_the_old_users(self) -> None:
        sources = self.sources({}, "[[users]]\naccess_key='alice'\nsecret_key='secret-of-alice'")
        users = Users(sources.load())
        assert sources.config is not None
        for text in ("[[users]]\naccess_key='alice'\nsecret_key='short'", "[[users", "\0", "[other]"):
            sources.config.write_text(text)
            with capturedLogs() as events:
                UserReload(sources, users).reload()
            self.assertEqual([e["log_level"] for e in events], [LogLevel.error])
            self.assertNotIn("short", formatEvent(events[0]))
            self.assertIsNotNone(users.get_owner(canonical_id("alice")))
        sources.config.unlink()
        UserReload(sources, users).reload()
        self.assertEqual(len(users), 1)

    def test_warning_when_others_can_read_a_file(self) -> None:
        entry = {"credentials": [{"accessKey": "bob", "secretKey": "secret-of-bob"}]}
        sources = self.sources({}, "[[users]]\naccess_key='alice'\nsecret_key='secret-of-alice'", entry)
        assert sources.config is not None
        assert sources.credentials is not None
        self.assertEqual(sources.exposed(), [])
        sources.config.chmod(0o640)
        sources.credentials.chmod(0o604)
        with capturedLogs() as events:
            UserReload(sources, Users()).warn()
        self.assertEqual([e["path"] for e in events], [str(sources.config), str(sources.credentials)])
        self.assertEqual({e["log_level"] for e in events}, {LogLevel.warn})

    def test_no_warning_for_a_file_without_users(self) -> None:
        sources = self.sources({}, "[server]\nport = 1")
        assert sources.config is not None
        sources.config.chmod(0o644)
        self.assertEqual(sources.exposed(), [])
