"""What an affiliate signs its files with: a pair of keys, and a signature beside each file."""

import base64
import binascii
import json
import os
import re
import secrets
import stat
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affiliates.concurrency import read_small, write_secret
from affiliates.errors import Code, RefusedError, refused
from dashboards.cli import console
from dashboards.cli.options import HERE, GroupDir, Json, read_group_or_part

if TYPE_CHECKING:
    from affiliates.manifests.settings import KeySource, Settings


KeyFile = Annotated[Path, typer.Argument(help="Where the private key is put.", metavar="FILE")]
Signed = Annotated[Path, typer.Argument(help="A file of contributions, or a folder of part-files.", metavar="FILE", exists=True)]
Private = Annotated[Path, typer.Option("--with", help="The private key, as `key pair` made it.", metavar="KEYFILE", exists=True)]


def pair(file: KeyFile) -> None:
    """Make a pair of keys: the private one signs what is handed in, the public one goes into the manifest."""
    from affiliates import signing

    public = signing.new_pair(file)
    console.say(f"The private key is in {file}, for its owner's eyes alone. Into the manifest of its entity goes:")
    console.say(f"public_keys:\n  - {public}")


def sign(file: Signed, private: Private) -> None:
    """Put the signature of a file beside it, as FILE.sig."""
    from affiliates import signing

    console.say(signing.sign_beside(file, private))


app = typer.Typer(
    help="The group key: make one, compare it. And the keys that sign what is handed in.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command()(pair)
app.command()(sign)


WHERE = {"file": "File", "env": "Environment variable", "canaries": "A trustee's canaries", "destroyed": "Destroyed on"}
USUAL = ("device", "email", "person", "phone")
"""Namespaces that a centre asks for sooner or later."""
_NAMESPACE = r"[a-z0-9][a-z0-9_.-]{0,31}"
FOR_THE_CENTRE = """\
Send it to the centre by any way: it is no secret. Then compare the fingerprint by telephone (mauwatch key check).
A namespace that comes later needs a new file."""
HAND_OVER = """\
Hand it to each affiliate through a secret store that both can reach, or encrypted for its keeper alone; never by mail or
chat, and never into git. Then compare the fingerprint by telephone: they run mauwatch key check.
Every affiliate changes to it at the same month's start: keys of two epochs are different people."""


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="A new file; one that is there is never overwritten.")],
    epoch: Annotated[str, typer.Option(help="Its name: a-z, 0-9, dot, dash; another than any before.")] = "1",
    as_json: Json = False,
) -> None:
    """Make a group key in a new file that its owner alone may read, and show its fingerprint."""
    from pydantic import ValidationError

    from affiliates.identity.keys import GroupKey
    from affiliates.manifests.settings import KeySource

    try:
        source = KeySource(file=_from_group(file), epoch=epoch)
    except ValidationError:
        raise typer.BadParameter("write an epoch of a-z, 0-9, dot and dash, at most 32 characters") from None
    # 256 bits from the operating system: 64 hex characters, the one form that every engine's HMAC takes as text.
    text = secrets.token_hex(32)
    key = GroupKey(text, source.epoch)
    _write(file, text)
    line = f"key: {{file: {json.dumps(source.file, ensure_ascii=False)}, epoch: {json.dumps(source.epoch)}}}"
    if as_json:
        answer = {"file": str(file), "epoch": key.epoch, "fingerprint": key.fingerprint, "group_yaml": line}
        console.print_json(answer)
        return
    console.say(f"{file}: a new group key, for its owner's eyes alone (mode 600).")
    console.say(f"Epoch {key.epoch}, fingerprint {key.fingerprint}\n\nIn group.yaml:\n  {line}\n\n{HAND_OVER}")


def _from_group(file: Path) -> str:
    """The file as group.yaml names it: from the group directory that it lies in, if it lies in one."""
    whole = file.resolve()
    group = next((folder for folder in whole.parents if (folder / "group.yaml").is_file()), None)
    return str(whole.relative_to(group) if group else whole)


def _write(file: Path, text: str) -> None:
    try:
        write_secret(file, f"{text}\n".encode("ascii"))
    # Overwritten, the old key would be gone, and with it every comparison with the months that it hashed.
    except FileExistsError:
        raise refused(Code.FILE_EXISTS, str(file), "is there already", "a key is never overwritten", "name a new file") from None


@app.command()
def check(
    group: GroupDir = HERE,
    file: Annotated[Path | None, typer.Option(help="Instead: a file that holds a key.", metavar="F")] = None,
    env: Annotated[str | None, typer.Option(help="Instead: an environment variable that does.", metavar="NAME")] = None,
    as_json: Json = False,
) -> None:
    """Read the key as the group does, and show epoch and fingerprint to compare by telephone, and what to mend."""
    from affiliates.manifests.settings import KeySource

    # Which of two keys was shown, nobody could tell by a fingerprint.
    if file is not None and env is not None:
        raise typer.BadParameter("--file and --env name two places")
    if file is None and env is None:
        settings = read_group_or_part(group).settings
        keys = [_of_epoch(settings, source, group) for source in settings.epochs]
    else:
        keys = [{"epoch": None, **_looked_at(KeySource(file=file and str(file.absolute()), env=env), Path())}]
    if as_json:
        console.print_json({"keys": keys})
        return
    for key in keys:
        (kind, name), *_ = key["source"].items()
        console.say(f"{WHERE[kind]}: {name}")
        if key["fingerprint"]:
            console.say(f"{_named(key['epoch'])} {key['fingerprint']}")
        for finding in key["findings"]:
            console.say(f"To mend: {finding}")


@app.command()
def canaries(
    file: Annotated[Path, typer.Argument(help="The file for the centre.", metavar="FILE")],
    group: Annotated[Path, typer.Option("--group", help="A group directory whose key is here.", metavar="DIR")] = Path(),
    epoch: Annotated[str | None, typer.Option(help="The key's; else the newest.", metavar="E")] = None,
    namespace: Annotated[
        list[str] | None, typer.Option(help="One more, beside those of the manifests and the usual ones.", metavar="NAME")
    ] = None,
    as_json: Json = False,
) -> None:
    """For the key's trustee: write what the centre checks contributions by, with which it can hash nobody."""
    from affiliates.identity.canaries import to_file
    from affiliates.identity.keyring import Keyring
    from affiliates.manifests.loader import read_group

    manifests = read_group(group, edge=True)
    sources = [s for p in manifests.products.values() for s in p.sources]
    # A namespace that is missing from the file can't be checked by the centre, so the usual ones are always in it.
    names = sorted({*USUAL, *(namespace or ()), *(i.namespace for s in sources for i in s.identifiers)})
    wrong = [name for name in names if not re.fullmatch(_NAMESPACE, name)]
    if wrong:
        raise typer.BadParameter("a namespace is a-z, 0-9, dot, dash and underscore, at most 32 characters")
    key = Keyring(manifests.settings, group).canaries_from_key(epoch)
    if file.exists():
        _check_replaceable(file)
    to_file(key, names, file)
    line = f"key: {{canaries: {json.dumps(file.name, ensure_ascii=False)}, epoch: {json.dumps(key.epoch)}}}"
    if as_json:
        answer = {"file": str(file), "epoch": key.epoch, "fingerprint": key.fingerprint, "namespaces": names, "group_yaml": line}
        console.print_json(answer)
        return
    console.say(f"{file}: what the centre needs in the place of the key, which isn't in it.")
    console.say(f"Epoch {key.epoch}, fingerprint {key.fingerprint}\nNamespaces: {', '.join(names)}")
    console.say(f"\nIn the centre's group.yaml:\n  {line}\n\n{FOR_THE_CENTRE}")


def _check_replaceable(file: Path) -> None:
    """Only an older file of canaries is written over: whoever names the key's file by mistake would lose it."""
    from affiliates.identity.canaries import from_file

    try:
        from_file(file)
    except RefusedError:
        raise refused(Code.FILE_EXISTS, str(file), "is there already", "and is no file of canaries", "name a new file") from None


def _named(epoch: str | None) -> str:
    return f"Epoch {epoch}, fingerprint" if epoch else "Fingerprint"


def _of_epoch(settings: "Settings", source: "KeySource", directory: Path) -> dict[str, Any]:
    """An epoch's key, what its trustee gave in its place, or the day on which it was destroyed."""
    from affiliates.identity.keyring import Keyring

    if source.file or source.env:
        return {"epoch": source.epoch, **_looked_at(source, directory)}
    fingerprint = Keyring(settings, directory).fingerprint(source.from_ or date.min)
    where = {"canaries": str(directory / source.canaries)} if source.canaries else {"destroyed": str(source.destroyed)}
    return {"epoch": source.epoch, "source": where, "fingerprint": fingerprint, "findings": []}


def _looked_at(source: "KeySource", directory: Path) -> dict[str, Any]:
    """Where a key is kept, its fingerprint, and what to mend. Raises `RefusedError` for what is no key."""
    from affiliates.identity.keys import read_key

    held = _held(source, directory)
    if held is not None and (why := unusable(held)):
        raise refused(Code.KEY_INVALID, "the group key", why, f"{len(held)} bytes", "write it as 64 lower-case hex characters")
    fingerprint = read_key(source, directory).fingerprint
    where = {"file": str(directory / source.file)} if source.file else {"env": source.env}
    return {"source": where, "fingerprint": fingerprint, "findings": findings(held or b"", _mode(source, directory))}


def _held(source: "KeySource", directory: Path) -> bytes | None:
    """The bytes as they are kept; None where they can't be read, of which `read_key` says why."""
    from affiliates.identity.keys import MOST_BYTES

    if source.file is None:
        text = os.environ.get(source.env or "")
        return None if text is None else os.fsencode(text)
    try:
        return read_small(directory / source.file, MOST_BYTES)
    except OSError:
        return None


def _mode(source: "KeySource", directory: Path) -> int | None:
    return stat.S_IMODE((directory / source.file).stat().st_mode) if source.file else None


def unusable(held: bytes) -> str | None:
    """Why these bytes are no group key, where it can be told what they are instead.

    The same secret in another form would be another key: the 64 characters are used as they are, and never decoded.
    """
    text = held.strip()
    if re.fullmatch(rb"[0-9a-fA-F]{64}", text):
        return None if text == text.lower() else "has hex characters in capitals"
    # openssl rand and cloud key stores give raw bytes, which aren't the text that the others hash with.
    if len(held) == 32 and not held.isascii():
        return "looks like 32 raw bytes"
    try:
        decoded = base64.b64decode(text.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) == 32:
        return "looks like base64 of 32 bytes"
    return None


def findings(held: bytes, mode: int | None) -> list[str]:
    """What to mend about a key that can be used."""
    to_mend = []
    # Whoever can read the key can test who is in every sketch, so a key that others may have read is no secret.
    if mode is not None and mode & (stat.S_IRWXG | stat.S_IRWXO):
        to_mend.append(f"others may read or change its file (mode {mode:o}): chmod 600, and think of a new key")
    # One line's end is what editors add, and is stripped by everybody; other white space isn't.
    if held.rstrip(b"\n") != held.strip() or held.count(b"\n") > 1 or (mode is None and held != held.strip()):
        to_mend.append("white space around it, which an engine other than mauwatch may take for a part of the key")
    return to_mend
