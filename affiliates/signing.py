"""Signatures (Ed25519) by which the centre knows that a file of contributions comes from who it says.

Signed is the SHA-256 of the file's bytes; of a folder, the SHA-256 of its part-files' SHA-256s, in hex, sorted, a line each,
whatever the parts are called and without what engines put beside them (_SUCCESS, .crc). Inside the folder, a shell says it so:

    ls -A | grep -v '^[._]' | while IFS= read -r f; do sha256sum < "$f"; done | cut -c1-64 | sort | sha256sum
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from affiliates.concurrency import read_small, write_secret
from affiliates.errors import Code, refused

ENDING = ".sig"
"""The ending of a signature's file, which lies beside the signed file and holds the signature in base64."""
MOST_BYTES = 1024
"""The size of a signature's file at most; a signature has 88 bytes."""
_MOST_KEY_BYTES = 1 << 14
"""The size of a private key's file at most; an Ed25519 key in PEM has 119 bytes."""
_A_USABLE_KEY = "one that `mauwatch key pair` made"


def new_pair(path: Path) -> str:
    """Write a new private key (PEM, for its owner's eyes alone) and return its public half (base64).

    Raises `RefusedError` (file-exists) where there is a file already.
    """
    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        write_secret(path, text)
    except FileExistsError:
        raise refused(
            Code.FILE_EXISTS, "the private key", "a file is there already", path.name, "name another one; keys are never replaced"
        ) from None
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


def sign(path: Path, private: Path) -> str:
    """The signature (base64) of a file or a folder of part-files, by the private key in a file.

    Raises `RefusedError` (signing-key-unusable) where that file is no such key, and `OSError` where `path` can't be read.
    """
    return sign_digest(digest_of(path), private)


def sign_digest(digest: str, private: Path) -> str:
    """The signature (base64) of a digest from `digest_of`, by the private key in a file. Raises as `sign` does."""
    return base64.b64encode(_key(private).sign(bytes.fromhex(digest))).decode()


def public_of(private: Path) -> str:
    """The public half (base64) of the private key in a file. Raises `RefusedError` (signing-key-unusable) as `sign` does."""
    return base64.b64encode(_key(private).public_key().public_bytes_raw()).decode()


def _key(private: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(read_small(private, _MOST_KEY_BYTES), None)
    except OSError as error:
        raise refused(
            Code.SIGNING_KEY_UNUSABLE,
            "the private key",
            "can't be read",
            f"{private.name}: {error.strerror}",
            f"use {_A_USABLE_KEY}",
        ) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise refused(
            Code.SIGNING_KEY_UNUSABLE,
            "the private key",
            "is no Ed25519 key in PEM, without a password",
            private.name,
            f"use {_A_USABLE_KEY}",
        )
    return key


def sign_beside(path: Path, private: Path) -> Path:
    """Write the signature of a file or a folder beside it, and return the signature's path. Raises as `sign` does."""
    # The absolute path: `.` has no name that could be replaced.
    beside = path.absolute().with_name(path.name + ENDING)
    beside.write_text(sign(path, private) + "\n", encoding="ascii")
    return beside


def verify(path: Path, signature: str, public_keys: Sequence[str]) -> bool:
    """Whether a file or a folder was signed by one of the public keys (base64)."""
    return verify_digest(digest_of(path), signature, public_keys)


def verify_digest(digest: str, signature: str, public_keys: Sequence[str]) -> bool:
    """Whether a digest from `digest_of` was signed by one of the public keys (base64); false where `signature` is none."""
    try:
        signature_bytes = base64.b64decode(signature.strip(), validate=True)
    except (ValueError, binascii.Error):
        return False
    for key in public_keys:
        try:
            Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(signature_bytes, bytes.fromhex(digest))
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


def digest_of(path: Path) -> str:
    """The digest that is signed for a file or a folder (SHA-256 in hex)."""
    if not path.is_dir():
        return file_digest(path)
    return folder_digest(file_digest(part) for part in parts_of(path))


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes (hex)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(parts: Iterable[str]) -> str:
    """SHA-256 (hex) over the digests of part-files (hex), in any order."""
    # Sorted by digest: an engine that writes the same rows again gives its part-files other names.
    return hashlib.sha256("".join(f"{part}\n" for part in sorted(parts)).encode()).hexdigest()


def parts_of(folder: Path) -> list[Path]:
    """The part-files of a folder, by name: all but what engines put beside them (_SUCCESS, .crc)."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))
