"""The user's own cookies: which are kept, what is said about bad ones, and a browser's store read for real."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from kick_clip_generator.core.errors import Cancelled, InputError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.settings import Settings, load_settings
from kick_clip_generator.sources.platforms import browser_store
from kick_clip_generator.sources.platforms.cookies import jar_of, lines_of, parse_cookies, user_cookies

SECRET = "s3cr3t-value"


def line(domain: str, name: str = "session", value: str = SECRET, *, expires: str = "4102444800") -> str:
    return "\t".join((domain, "TRUE" if domain.startswith(".") else "FALSE", "/", "TRUE", expires, name, value))


def lent(path: Path, text: str) -> Settings:
    path.write_text(text, encoding="utf-8")
    return load_settings({"cookies_file": path})


def names(cookies: tuple[str, ...]) -> list[str]:
    return [cookie.split("\t")[5] for cookie in cookies]


def complaint(path: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        user_cookies(lent(path, text))
    message = str(caught.value)
    assert SECRET not in message
    assert message.endswith(".")
    assert caught.value.exit_code == 2
    return message


def test_without_a_wish_there_are_none() -> None:
    assert user_cookies(load_settings()) == ()


def test_only_those_of_the_platforms_are_kept(tmp_path: Path) -> None:
    hosts = [".kick.com", "kick.com", ".twitch.tv", ".youtube.com", ".google.com", "x.ttvnw.net", ".googlevideo.com"]
    others = ["bank.example", ".evilkick.com", ".kick.com.example", ".com", "notyoutube.com"]
    settings = lent(tmp_path / "c.txt", "\n".join(line(host) for host in others + hosts))
    assert [cookie.split("\t")[0] for cookie in user_cookies(settings)] == hosts


def test_all_usual_spellings_of_the_file(tmp_path: Path) -> None:
    lines = [
        "# Netscape HTTP Cookie File",
        "",
        "# a comment",
        "#HttpOnly_" + line(".kick.com", "http_only"),
        line(".kick.com", "browser_session", expires="0"),
        line(".kick.com", "no_expiry", expires=""),
        line(".kick.com", "fraction", expires="4102444800.25"),
        line(".kick.com", "small").replace("TRUE", "true"),
        line(".kick.com", "empty", ""),
        line(".kick.com", "cut_off", "").rstrip("\t"),
    ]
    wanted = ["http_only", "browser_session", "no_expiry", "fraction", "small", "empty", "cut_off"]
    for text in ("\n".join(lines), "\r\n".join(lines), "\ufeff" + "\n".join(lines)):
        found = user_cookies(lent(tmp_path / "c.txt", text))
        assert names(found) == wanted
        assert all(cookie.count("\t") == 6 and not cookie.startswith("#") for cookie in found)
        os.utime(tmp_path / "c.txt", ns=(1, 1))


@pytest.mark.parametrize(
    "bad",
    [
        f"session={SECRET}",
        line(".kick.com").replace("\t", " "),
        line("bank.example") + "\tmore",
        line(".kick.com", value=f"{SECRET}\x1b[31m"),
        line(".kick.com", value=f"{SECRET}; other=1"),
        line(".kick.com", name=""),
        line("kick.com/path"),
        line(".kick.com", expires="tomorrow"),
        line(".kick.com").replace("\t/\t", f"\t{SECRET}\t"),
        line(".kick.com", value="x" * 20_000),
    ],
)
def test_a_bad_line_is_named_by_its_number_alone(tmp_path: Path, bad: str) -> None:
    message = complaint(tmp_path / "cookies.txt", f"# Netscape HTTP Cookie File\n{line('.kick.com')}\n{bad}\n")
    assert "Line 3 of cookies.txt" in message


def test_other_formats_are_named(tmp_path: Path) -> None:
    assert "JSON" in complaint(tmp_path / "c.json", f'[{{"name": "a", "value": "{SECRET}"}}]')
    assert "lines" in complaint(tmp_path / "c.txt", "#\n" * 60_000)
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00" + SECRET.encode("utf-16"))
    with pytest.raises(InputError, match="no text file"):
        user_cookies(load_settings({"cookies_file": tmp_path / "b.txt"}))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no cookie file missing\.txt"):
        user_cookies(load_settings({"cookies_file": tmp_path / "missing.txt"}))
    with pytest.raises(InputError, match="no file"):
        user_cookies(load_settings({"cookies_file": tmp_path}))
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(9_000_000)
    with pytest.raises(InputError, match="too much"):
        user_cookies(load_settings({"cookies_file": tmp_path / "large.txt"}))


def test_a_file_without_any_of_the_platforms_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = lent(tmp_path / "c.txt", line("bank.example"))
    with caplog.at_level(logging.WARNING):
        assert user_cookies(settings) == user_cookies(settings) == ()
    assert len(caplog.records) == 1
    assert SECRET not in caplog.text


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    first = user_cookies(lent(path, line(".kick.com", "one")))
    assert user_cookies(load_settings({"cookies_file": path})) is first
    assert names(user_cookies(lent(path, line(".kick.com", "another")))) == ["another"]


def test_lines_survive_a_jar() -> None:
    lines = (line(".kick.com", "a"), line("www.twitch.tv", "b", expires="0"))
    assert lines_of(jar_of(lines)) == lines
    assert parse_cookies("\n".join(lines), "x") == lines


def test_a_jar_leaves_out_what_has_expired() -> None:
    assert [cookie.name for cookie in jar_of((line(".kick.com", "old", expires="1000"), line(".kick.com", "new")))] == [
        "new"
    ]


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """A Firefox profile with a store of cookies, as Firefox 142 makes it: expiry in milliseconds."""
    folder = tmp_path / "profile"
    folder.mkdir()
    with sqlite3.connect(folder / "cookies.sqlite") as store:
        store.execute("PRAGMA user_version = 16")
        store.execute(
            "CREATE TABLE moz_cookies (id INTEGER PRIMARY KEY, originAttributes TEXT NOT NULL DEFAULT '', name TEXT, "
            "value TEXT, host TEXT, path TEXT, expiry INTEGER, lastAccessed INTEGER, creationTime INTEGER, "
            "isSecure INTEGER, isHttpOnly INTEGER, inBrowserElement INTEGER DEFAULT 0, sameSite INTEGER DEFAULT 0)"
        )
        for host, name in ((".kick.com", "session_token"), ("www.twitch.tv", "auth-token"), (".bank.example", "pin")):
            store.execute(
                "INSERT INTO moz_cookies (name, value, host, path, expiry, isSecure) VALUES (?, ?, ?, '/', ?, 1)",
                (name, f"{SECRET}-{name}", host, (int(time.time()) + 10**6) * 1000),
            )
    store.close()
    return folder


def of_browser(specification: str, **changes: object) -> Settings:
    return load_settings({"cookies_from_browser": specification, **changes})


def test_cookies_of_a_browser(profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    found = user_cookies(of_browser(f"firefox:{profile}"))
    assert sorted(names(found)) == ["auth-token", "session_token"]
    assert {cookie.split("\t")[0] for cookie in found} == {".kick.com", "www.twitch.tv"}
    assert any(cookie.endswith(f"\t{SECRET}-session_token") for cookie in found)
    assert len(list(jar_of(found))) == 2, "none has expired"
    assert not list(scratch.iterdir()), "the copy of the store is gone"
    (profile / "cookies.sqlite").unlink()
    assert user_cookies(of_browser(f"firefox:{profile}")) is found, "a browser is asked once"


def test_what_the_child_prints_is_the_platforms_own(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert browser_store.main(f"firefox:{profile}", ["kick.com"]) == ""
    printed = capsys.readouterr().out
    assert "session_token" in printed
    assert "bank" not in printed
    assert "pin" not in printed
    assert "twitch" not in printed


@pytest.mark.parametrize(
    ("specification", "said"),
    [
        ("netscape", "is no browser"),
        ("firefox+nokeyring", "is no browser"),
        ("firefox:{}", "has no cookies on this computer"),
    ],
)
def test_browsers_that_have_none(tmp_path: Path, specification: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        user_cookies(of_browser(specification.format(tmp_path)))
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_failure_is_remembered_for_a_while(profile: Path) -> None:
    """For a locked keyring asks its owner each time."""
    settings = of_browser(f"firefox:{profile}")
    away = (profile / "cookies.sqlite").rename(profile / "away")
    with pytest.raises(InputError, match="has no cookies"):
        user_cookies(settings)
    away.rename(profile / "cookies.sqlite")
    with pytest.raises(InputError, match="has no cookies"):
        user_cookies(settings)


def test_a_store_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "cookies.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(InputError, match="--cookies"):
        user_cookies(of_browser(f"firefox:{tmp_path}"))


class TestAStoreThatNeverAnswers:
    @pytest.fixture
    def stalled(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        """Python runs this file before any program: the child waits as it would for the owner of a keyring."""
        (tmp_path / "sitecustomize.py").write_text("import time\ntime.sleep(60)\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return f"firefox:{tmp_path}"

    def test_it_has_a_time_limit(self, stalled: str) -> None:
        with pytest.raises(InputError, match="in 1 s"):
            user_cookies(of_browser(stalled, resolve_timeout=1))

    def test_a_stopped_run_does_not_wait(self, stalled: str) -> None:
        cancel = CancelToken()
        threading.Timer(0.3, cancel.cancel).start()
        with pytest.raises(Cancelled):
            user_cookies(of_browser(stalled, resolve_timeout=30), cancel)
