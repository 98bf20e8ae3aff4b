"""Who may come in, and what is told to those who may not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_site import HERE, Api, an_api

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.server import serve
from kick_clip_generator.service import credentials
from kick_clip_generator.service.credentials import PasswordHash, hash_password, hash_token, is_password
from kick_clip_generator.service.door import (
    Door,
    TooManyAttempts,
    WrongPassword,
    is_own,
    require_password,
    set_password,
)
from kick_clip_generator.service.secrets import secret_key
from kick_clip_generator.service.throttle import Throttle

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_N", 2**4)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with an_api(tmp_path) as api:
        yield api


@pytest.fixture
def locked(api: Api) -> Api:
    set_password(api.library, PASSWORD)
    return api


def test_here_nobody_needs_a_login_until_a_password_is_set(api: Api) -> None:
    assert api.client.get("/api/clips").status_code == 200
    assert api.client.get("/api/session").json() == {"login_needed": False, "logged_in": True}


def test_with_a_password_only_health_is_open_and_says_nothing(locked: Api) -> None:
    visitor = locked.visitor()
    for path in ("/api/clips", "/api/stats", "/api/metrics", "/api/openapi.json", "/api/events", "/", "/nope"):
        answer = visitor.get(path)
        assert answer.status_code == 401 and answer.headers["content-type"] == "application/problem+json", path
        assert "Bearer" in answer.headers["www-authenticate"]
    assert visitor.get("/api/health").json() == {"status": "ok"}
    assert visitor.get("/api/session").json() == {"login_needed": True, "logged_in": False}


def test_a_browser_is_led_to_the_login(locked: Api) -> None:
    answer = locked.visitor().get("/", headers={"Accept": "text/html,*/*"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_logging_in_and_out(locked: Api) -> None:
    visitor = locked.visitor()
    assert visitor.post("/api/session", json={"password": "wrong"}).status_code == 401
    entered = visitor.post("/api/session", json={"password": PASSWORD})
    cookie = entered.headers["set-cookie"].lower()
    assert entered.json()["logged_in"] and "httponly" in cookie and "samesite=lax" in cookie
    assert visitor.get("/api/clips").status_code == 200
    secret = visitor.cookies["clips_session"]
    visitor.delete("/api/session")
    assert visitor.get("/api/clips", headers={"Cookie": f"clips_session={secret}"}).status_code == 401


def test_the_login_page(locked: Api) -> None:
    visitor = locked.visitor()
    assert 'type="password"' in visitor.get("/login").text
    assert "wrong" in visitor.post("/login", data={"password": "no"}).text
    entered = visitor.post("/login", data={"password": PASSWORD}, follow_redirects=False)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert "Log out" in visitor.get("/login").text
    visitor.post("/login", data={"leave": "yes"})
    assert visitor.get("/api/clips").status_code == 401


def test_another_page_cannot_log_somebody_in(locked: Api) -> None:
    answer = locked.visitor().post("/login", data={"password": PASSWORD}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


def test_guessing_is_slowed_down_by_address(locked: Api) -> None:
    visitor = locked.visitor()
    codes = [visitor.post("/api/session", json={"password": f"guess {n}"}).status_code for n in range(7)]
    assert codes == [401] * 5 + [429] * 2
    refused = visitor.post("/api/session", json={"password": PASSWORD})
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) > 0
    assert locked.visitor("192.0.2.8").post("/api/session", json={"password": PASSWORD}).status_code == 200


def test_tokens_let_programs_in_until_they_are_taken_away(locked: Api) -> None:
    door = Door(locked.library, locked.settings)
    made = door.add_token("a script")
    visitor, carried = locked.visitor(), {"Authorization": f"Bearer {made.token}"}
    listed = visitor.get("/api/tokens", headers=carried)
    assert listed.status_code == 200 and [row["name"] for row in listed.json()["tokens"]] == ["a script"]
    assert made.token not in listed.text
    assert visitor.delete(f"/api/tokens/{made.id}", headers=carried).status_code == 204
    assert visitor.get("/api/clips", headers=carried).status_code == 401


def test_wrong_tokens_are_slowed_down_too(locked: Api) -> None:
    visitor = locked.visitor()
    codes = [visitor.get("/api/clips", headers={"Authorization": f"Bearer x{n}"}).status_code for n in range(7)]
    assert codes == [401] * 5 + [429] * 2


def test_odd_credentials_are_no_credentials(locked: Api) -> None:
    visitor = locked.visitor("192.0.2.9")
    for headers in (
        {"Authorization": "Basic eDp5"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {'x' * 10_000}"},
        {"Cookie": "clips_session"},
        {"Cookie": f"clips_session={'y' * 10_000}"},
        {"Cookie": "clips_session=é; a\x7f=b"},
    ):
        assert (
            visitor.get("/api/clips", headers={k: v.encode("latin-1") for k, v in headers.items()}).status_code == 401
        )


def test_secrets_are_kept_as_hashes(locked: Api) -> None:
    door = Door(locked.library, locked.settings)
    session, token = door.log_in(PASSWORD, "here"), door.add_token("t").token
    stored = b"".join(path.read_bytes() for path in locked.settings.database_path.parent.glob("clips.db*"))
    for secret in (PASSWORD, session, token):
        assert secret.encode() not in stored


def test_a_request_that_carries_a_secret_is_not_kept(locked: Api) -> None:
    visitor = locked.visitor()
    for _ in range(2):
        visitor.post("/api/session", json={"password": PASSWORD}, headers={"Idempotency-Key": "k"})
    made = [visitor.post("/api/tokens", json={"name": "t"}, headers={"Idempotency-Key": "k"}).json() for _ in range(2)]
    assert made[0]["token"] != made[1]["token"]


def test_a_new_password_ends_all_sessions(locked: Api) -> None:
    session = Door(locked.library, locked.settings).log_in(PASSWORD, "here")
    set_password(locked.library, "another password")
    door = Door(locked.library, locked.settings)
    assert not door.is_session(session)
    with pytest.raises(WrongPassword):
        door.log_in(PASSWORD, "here")
    set_password(locked.library, None)
    assert not Door(locked.library, locked.settings).needs_login


def test_a_password_of_the_settings_is_one(tmp_path: Path) -> None:
    with an_api(tmp_path, server_password=PASSWORD) as api:
        visitor = api.visitor()
        assert visitor.get("/api/clips").status_code == 401
        assert visitor.post("/api/session", json={"password": "x"}).status_code == 401
        assert visitor.post("/api/session", json={"password": PASSWORD}).status_code == 200
        assert PASSWORD not in repr(api.settings)


@pytest.mark.parametrize("password", ["", "short", "x" * 1001])
def test_no_password_that_is_none(password: str) -> None:
    with pytest.raises(InputError):
        hash_password(password)


def test_a_password_hash_goes_through_the_library_and_back() -> None:
    kept = PasswordHash.from_dict(hash_password("pässwörd \ud800 x").to_dict())
    assert is_password("pässwörd \ud800 x", kept) and not is_password("pässwörd", kept)
    assert hash_password("the same one").digest != hash_password("the same one").digest
    assert hash_token("t", "key") == hash_token("t", "key") != hash_token("t", "other key")


def test_the_secret_key_is_made_once(tmp_path: Path) -> None:
    settings = Settings(database_path=tmp_path / "clips.db")
    with Library.open(settings.database_path) as library:
        key = secret_key(library, settings)
        assert len(key) >= 32 and secret_key(library, settings) == key
        assert secret_key(library, Settings(secret_key="chosen", flask_secret_key="older")) == "chosen"
        assert secret_key(library, Settings(flask_secret_key="older")) == "older"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_other_computers_come_in_only_with_a_password(tmp_path: Path, host: str) -> None:
    settings = Settings(host=host, database_path=tmp_path / "clips.db")
    with Library.open(settings.database_path) as library:
        with pytest.raises(InputError, match="password"):
            require_password(library, settings)
        set_password(library, PASSWORD)
        require_password(library, settings)


def test_serve_refuses_to_start_open_to_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="SERVER_PASSWORD"):
        serve(Settings(host="0.0.0.0", port=1 + 2**15, database_path=tmp_path / "clips.db", output_dir=tmp_path / "o"))


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.com", False),
    ],
)
def test_own_addresses(host: str, own: bool) -> None:
    assert is_own(host) is own


def test_names_of_a_proxy_are_allowed_when_the_settings_say_so(tmp_path: Path) -> None:
    with an_api(tmp_path, allowed_hosts="Clips.Example.com") as api:
        assert api.client.get("/api/health", headers={"Host": "clips.example.com"}).status_code == 200
        assert api.client.get("/api/health", headers={"Host": "evil.example.com"}).status_code == 403
        refused = api.client.post("/api/retrain", headers={"Origin": "https://evil.example"})
        assert refused.status_code == 403 and refused.headers["content-type"] == "application/problem+json"
        assert api.client.get("/api/health", headers={"Origin": HERE}).status_code == 200


def test_a_throttle_forgets_and_forgives() -> None:
    throttle = Throttle(2, 60.0)
    assert throttle.wait_s("a") == 0
    throttle.note_failure("a")
    assert throttle.wait_s("a") == 0
    throttle.note_failure("a")
    assert 0 < throttle.wait_s("a") <= 60 and throttle.wait_s("b") == 0
    throttle.forgive("a")
    assert throttle.wait_s("a") == 0
    passing = Throttle(1, 0.0)
    passing.note_failure("a")
    assert passing.wait_s("a") == 0


def test_a_throttle_does_not_grow_with_the_addresses_of_an_attacker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Throttle, "NAMES", 10)
    throttle = Throttle(1, 60.0)
    for n in range(100):
        throttle.note_failure(str(n))
    assert throttle.wait_s("99") > 0 and throttle.wait_s("5") == 0 and len(throttle._failures) == 10


def test_all_addresses_together_are_slowed_down(locked: Api) -> None:
    door = Door(locked.library, locked.settings)
    door._of_all = Throttle(3, 60.0)
    for n in range(3):
        with pytest.raises(WrongPassword):
            door.log_in("wrong", f"192.0.2.{n}")
    with pytest.raises(TooManyAttempts):
        door.log_in(PASSWORD, "198.51.100.1")
