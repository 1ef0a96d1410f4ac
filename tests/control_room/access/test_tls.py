import shutil
import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from control_room.access.certificate import Certificate
from control_room.access.roles import AccessError
from tests.control_room.access.house import PASSWORD, House, house, wait_for
from tests.control_room.access.pages import make_certificate


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=folder / "page.pem")


@contextmanager
def tls_house(folder: Path, said: list[str] | None = None) -> Iterator[House]:
    told = [] if said is None else said
    certificate = Certificate(*make_certificate(folder), told.append)
    with house(folder, certificate=certificate) as opened:
        yield opened


def test_pages_and_lines_over_tls(users_file: Path) -> None:
    folder = users_file.parent
    with tls_house(folder) as home, home.log_in("Ada", verify=trusting(folder)) as browser:
        assert home.url.startswith("https://")
        assert "__Host-lamproom" in browser.cookies
        answer = browser.get("/")
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        with home.line(browser, ssl=trusting(folder)) as line:
            assert "snapshot" in str(line.recv(timeout=20))
        plain = home.url.rstrip("/").replace("https", "http")
        assert browser.post("/logout", headers={"origin": plain}).status_code == 403
        login = browser.post("/login", data={"name": "Ada", "password": PASSWORD})
        for cookie in login.headers.get_list("set-cookie"):
            assert "Secure" in cookie


def test_nothing_older_than_tls_1_2(users_file: Path) -> None:
    folder = users_file.parent
    with tls_house(folder) as home:
        port = int(home.url.rsplit(":", 1)[1].rstrip("/"))
        for version, taken in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
            context = trusting(folder)
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # that is what is tested
                context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
                context.maximum_version = version
            with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
                try:
                    context.wrap_socket(line, server_hostname="localhost").close()
                    assert taken
                except ssl.SSLError:
                    assert not taken


def test_a_renewed_certificate_counts_for_the_next_who_connects(users_file: Path) -> None:
    folder, said = users_file.parent, list[str]()
    with tls_house(folder, said) as home:
        with home.client(verify=trusting(folder)) as browser:
            assert browser.get("/login").status_code == 200
        before = trusting(folder)
        (folder / "page.pem").write_text("half a certificate")
        assert wait_for(lambda: any("former certificate stays" in line for line in said))
        with home.client(verify=before) as browser:
            assert browser.get("/login").status_code == 200
        renewed = folder / "renewed"
        renewed.mkdir()
        certificate, key = make_certificate(renewed)
        shutil.copy(certificate, folder)  # its key is still on the way
        assert wait_for(
            lambda: any(
                "does not belong to the certificate" in line and "; the former" in line
                for line in said
            )
        )
        with home.client(verify=before) as browser:
            assert browser.get("/login").status_code == 200
        shutil.copy(key, folder)
        assert wait_for(lambda: any("renewed certificate is in use" in line for line in said))
        with home.client(verify=trusting(folder)) as browser:
            assert browser.get("/login").status_code == 200


def test_certificates_that_can_not_be_used_are_named(tmp_path: Path) -> None:
    said = list[str]()
    certificate, key = make_certificate(tmp_path, days=10)
    Certificate(certificate, key, said.append)
    assert "ends on" in said[0]
    assert Certificate(certificate, key, said.append).first_name() in ("localhost", "127.0.0.1")
    with pytest.raises(AccessError, match=r"--tls-key .*none\.key: can't be read"):
        Certificate(certificate, tmp_path / "none.key", said.append)
    other = tmp_path / "other"
    other.mkdir()
    foreign = make_certificate(other)[1]
    with pytest.raises(AccessError, match=f"{foreign}: does not belong to .* {certificate}"):
        Certificate(certificate, foreign, said.append)
    foreign.write_bytes(_pem(rsa.generate_private_key(65537, 2048)))
    with pytest.raises(AccessError, match=f"{foreign}: does not belong to .* {certificate}"):
        Certificate(certificate, foreign, said.append)
    foreign.write_bytes(_pem(ec.generate_private_key(ec.SECP256R1()), b"secret"))
    with pytest.raises(AccessError, match=f"--tls-key {foreign}: has a password"):
        Certificate(certificate, foreign, said.append)
    foreign.write_text("no key")
    with pytest.raises(AccessError, match=f"--tls-key {foreign}: is no private key; PEM"):
        Certificate(certificate, foreign, said.append)
    certificate.write_text("no certificate")
    with pytest.raises(AccessError, match=f"--tls-certificate {certificate}: is no cert"):
        Certificate(certificate, key, said.append)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


def test_behind_a_proxy_only_what_came_by_tls_counts(users_file: Path) -> None:
    with house(users_file.parent, proxy="127.0.0.1") as home:
        public = {"host": "mine.example", "origin": "https://mine.example"}
        tls = public | {"x-forwarded-proto": "https", "x-forwarded-for": "10.0.0.7"}
        form = {"name": "Ada", "password": PASSWORD}
        with home.client(headers=public) as browser:
            refused = browser.post("/login", data=form)
            assert refused.status_code == 403
            assert "did not come over https" in refused.text
        with home.client(headers=tls) as browser:
            answer = browser.post("/login", data=form)
            assert answer.status_code == 303
            cookie = answer.headers.get_list("set-cookie")[0]
            assert cookie.startswith("__Host-lamproom=")
            assert "Secure" in cookie
            assert home.said[-1] == "Ada (admin) logged in from 10.0.0.7"
            spoofed = tls | {"x-forwarded-for": "1.2.3.4, 10.0.0.9"}
            browser.post("/login", data=form | {"password": "wrong wrong wrong"}, headers=spoofed)
            assert "from 10.0.0.9 refused" in home.said[-1], "what the proxy saw, not what was sent"


def test_without_a_proxy_nobody_says_where_they_come_from(home: House) -> None:
    with home.client() as browser:
        form = {"name": "Ada", "password": "wrong wrong wrong"}
        browser.post("/login", data=form, headers={"x-forwarded-for": "10.0.0.7"})
        assert "from 127.0.0.1 refused" in home.said[-1]
