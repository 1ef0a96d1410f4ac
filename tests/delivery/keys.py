"""Key files as a site has them."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from delivery.signing import Signer
from delivery.trust import trust_file


def pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a pair of keys; gives the private and the public file."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


class Keys:
    """A trust folder, and who signs with what."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trusted = folder / "trusted"
        self.trusted.mkdir()
        self.private: dict[str, Path] = {}

    def add(self, sender: str, site: str = "", gateway: str = "") -> Signer:
        """Make a sender's pair and trust it."""
        name = trust_file(sender, site, gateway)
        private, public = pair(self.folder, name.removesuffix(".pub"))
        public.rename(self.trusted / name)
        self.private[name.removesuffix(".pub")] = private
        return Signer.from_file(private)

    def add_file(self, file: str) -> Signer:
        """Make a pair and trust it under the name of a file."""
        private, public = pair(self.folder, file.removesuffix(".pub"))
        public.rename(self.trusted / file)
        return Signer.from_file(private)

    def stranger(self) -> Signer:
        """Make a signer whom nobody trusts."""
        return Signer.from_file(pair(self.folder, "stranger")[0])
