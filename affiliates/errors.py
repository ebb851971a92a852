"""The one shape of an error: which kind, what it is about, which rule, which values, what to do next.

An error that nobody foresaw gets that shape, too, by its kind, module and line: its text may quote anybody's identifier, so no
text of a library gets out. What libraries say by themselves on standard error is reduced, too (`libraries_reduced`).

Over 300 lines: a third of them are the codes.
"""

import difflib
import errno
import logging
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TextIO

_OURS = ("affiliates", "pipelines", "dashboards")
_turn = threading.Lock()
_before = list[tuple[Any, ...]]()
"""For whoever is inside `libraries_reduced`: what was there before the first."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./ -]{0,63}")
_LONGEST_NAME = 200
"""Characters up to which a text can be somebody's name for something, misspelt."""
# Five digits may be a part of a telephone or customer number, twelve hex characters a part of a key or a hashed person.
_NUMBER = re.compile(r"\d{5}|[0-9a-fA-F]{12}")
# Control characters, separators of lines and paragraphs, what turns the direction of writing, and halves of characters: a
# terminal or a mail program obeys them, and shows none of them.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\ud800-\udfff]")


class Code(StrEnum):
    """The kind of a refusal: a stable name, on which a program or a runbook may rely where a message's words may change.

    A code that was released keeps its name and its meaning.
    """

    meaning: str
    """What was refused, in one sentence; docs/runbook.md shows these beside the codes."""

    # An enum's member is made from what stands behind its name: a tuple here, of which the first part is the value.
    def __new__(cls, name: str, meaning: str) -> Self:
        code = str.__new__(cls, name)
        code._value_ = name
        code.meaning = meaning
        return code

    # What a command was asked for
    USAGE_INVALID = "usage-invalid", "A command can't do what its options and arguments ask for."
    RANGE_EMPTY = "range-empty", "What was asked for holds nothing: no day of a product's life, or nothing to erase."
    PRODUCT_UNKNOWN = "product-unknown", "No manifest has such a product, or none with a source."
    LICENCE_UNKNOWN = "licence-unknown", "The registry has no such licence."
    LICENCE_UNTESTABLE = "licence-untestable", "The licence has no clause that can be tested, or watched, in the way asked for."
    NOT_CONFIRMED = "not-confirmed", "What erases or overwrites was neither confirmed at a terminal nor by --yes."
    FILE_EXISTS = "file-exists", "A file or a folder is there already and isn't overwritten."
    FILE_UNUSABLE = "file-unusable", "A file of this machine can't be read or written."
    SOFTWARE_MISSING = "software-missing", "A library that this needs isn't installed."
    SYSTEM_UNSUPPORTED = "system-unsupported", "The operating system isn't supported."
    ERROR_UNFORESEEN = "error-unforeseen", "Something has failed in a way that nobody foresaw."

    # Manifests
    GROUP_MISSING = "group-missing", "The folder is no group directory."
    MANIFEST_UNREADABLE = "manifest-unreadable", "A manifest is no plain YAML with each key once, or lies where nothing reads it."
    MANIFEST_KEY_INVALID = "manifest-key-invalid", "A manifest has an unknown key, or lacks one that it must have."
    MANIFEST_VALUE_INVALID = "manifest-value-invalid", "A manifest's value is none of those that its key can have."
    MANIFEST_NAME_UNKNOWN = "manifest-name-unknown", "A manifest names an entity, a product or a reading that there isn't."
    MANIFEST_NAME_TWICE = "manifest-name-twice", "Two things of one kind have the same name."
    MANIFEST_INCONSISTENT = "manifest-inconsistent", "Two statements can't both hold, or one that is needed is missing."
    CONDITION_INVALID = "condition-invalid", "A condition is no row-wise SQL expression."
    CONDITION_COLUMNS_WRONG = "condition-columns-wrong", "A condition doesn't fit its source's columns or their types."
    CHANNEL_UNUSABLE = "channel-unusable", "An alert channel's address, or the heartbeat's, isn't where alerts.yaml says."
    DASHBOARD_UNUSABLE = "dashboard-unusable", "The dashboard can't be served as dashboard.yaml and the options say."

    # Keys and crosswalks
    KEY_INVALID = "key-invalid", "A group key isn't 64 lower-case hex characters, or is the public test key."
    KEY_MISSING = "key-missing", "A group key isn't where group.yaml says, or only a trustee has it."
    KEY_DESTROYED = "key-destroyed", "An epoch's group key was destroyed: its months can't be counted again."
    CANARIES_UNUSABLE = "canaries-unusable", "A trustee's file of canaries can't be read, or is of another epoch."
    SIGNING_KEY_UNUSABLE = "signing-key-unusable", "A private key for signatures can't be read."
    PACKET_UNUSABLE = (
        "packet-unusable",
        "A packet of headquarters can't be read, isn't whole, or is of another affiliate or version.",
    )
    DEAL_UNUSABLE = "deal-unusable", "A folder is no deal's, or its terms can't be read."
    DEAL_DESTROYED = "deal-destroyed", "The deal's key and sketches were destroyed."
    DEAL_FILE_OTHER = (
        "deal-file-other",
        "A file isn't one of the deal's: another key, month, lgK or way of writing identifiers, or the same on both sides.",
    )
    CROSSWALK_MISSING = "crosswalk-missing", "The crosswalk's snapshot isn't where group.yaml says."
    CROSSWALK_INVALID = (
        "crosswalk-invalid",
        "A snapshot can't be read, breaks its form, or isn't of its month, its key or so few people.",
    )
    LINKS_UNUSABLE = "links-unusable", "Tables of links can't be read, or don't join identifiers of the group's namespaces."

    # A product's sources
    SOURCE_MISSING = "source-missing", "No file, object, table or bucket is there."
    SOURCE_UNREACHABLE = "source-unreachable", "A source's service can't be reached, or may not be read."
    SOURCE_SETTING_WRONG = "source-setting-wrong", "A manifest's database or `complete_through` can't be followed."
    SOURCE_UNREADABLE = "source-unreadable", "A source is empty, damaged or cut off."
    SOURCE_CHANGED = "source-changed", "A source was written again while it was read."
    SOURCE_FORMAT_UNCLEAR = "source-format-unclear", "The files' format is unknown, or differs among them."
    SOURCE_FORMAT_OTHER = "source-format-other", "A file holds another format than its name or its manifest says."
    SOURCE_ENCODING_WRONG = "source-encoding-wrong", "A file of text isn't in UTF-8, or its lines don't end as lines do."
    SOURCE_TABLE_FORMAT = "source-table-format", "Files are a Delta, Iceberg or Hudi table's, and still hold deleted rows."
    SOURCE_DAYS_UNCLEAR = "source-days-unclear", "Files' names say their day otherwise than {day} does, or say none."
    SOURCE_COLUMNS_MISSING = "source-columns-missing", "Columns that the manifest names are missing, or files differ in theirs."
    SOURCE_LINES_INVALID = "source-lines-invalid", "A line of a CSV or JSON file can't be read as one event."
    SOURCE_TYPES_WRONG = "source-types-wrong", "A column's values aren't of the type that is needed."
    SOURCE_TIMES_UNCLEAR = "source-times-unclear", "Events' times can't be read, or say no zone."
    SOURCE_TIMES_IMPOSSIBLE = "source-times-impossible", "Events' times lie before 1971 or in the future."
    SOURCE_DAYS_ELSEWHERE = "source-days-elsewhere", "Events lie on another day than their file's name says."
    SOURCE_IDENTIFIERS_UNUSABLE = "source-identifiers-unusable", "A column of identifiers has a type without one spelling."
    NAMESPACE_CONTRADICTED = "namespace-contradicted", "One person has more identifiers in a month than group.yaml says."
    SOURCE_KEYS_INVALID = "source-keys-invalid", "A table of person keys breaks its form, or no canary proves its keys."
    EVENTS_UNIDENTIFIED = "events-unidentified", "Too many events have no usable identifier."
    EVENTS_OF_ONE_VALUE = "events-of-one-value", "One value of a column of identifiers stands for too many people."
    EVENTS_UNDECIDED = "events-undecided", "Too many events are left undecided by a condition."
    EVENTS_ALL_EXCLUDED = "events-all-left-out", "No event of a period counts: conditions leave out all of them."

    # Contributions
    CONTRIBUTION_UNREADABLE = "contribution-unreadable", "A file of contributions can't be read."
    CONTRIBUTION_TOO_LARGE = "contribution-too-large", "A file of contributions holds more than is read."
    CONTRIBUTION_COLUMNS_WRONG = "contribution-columns-wrong", "Columns or values are missing, or of another type."
    CONTRIBUTION_VALUES_INVALID = "contribution-values-invalid", "A value is none that the contract allows."
    CONTRIBUTION_VERSION_UNKNOWN = "contribution-version-unknown", "Its protocol or normalisation is unknown here."
    CONTRIBUTION_INCOMPLETE = "contribution-incomplete", "Rows are missing: perhaps it is a part of an export."
    CONTRIBUTION_ROWS_DIFFER = "contribution-rows-differ", "Rows of one contribution don't agree, or come twice."
    CONTRIBUTION_SKETCH_INVALID = "contribution-sketch-invalid", "A sketch is no HLL image, or of another lgK than its row says."
    CONTRIBUTION_PRODUCT_UNKNOWN = "contribution-product-unknown", "No manifest names its product."
    CONTRIBUTION_PERIOD_INVALID = "contribution-period-invalid", "Its period is none, or lies outside the product's life."
    CONTRIBUTION_COMPUTED_EARLY = "contribution-computed-early", "It was computed before its period was over, or in the future."
    CONTRIBUTION_EPOCH_WRONG = "contribution-epoch-wrong", "It was computed with another epoch's key, or that key was destroyed."
    CONTRIBUTION_CANARY_WRONG = "contribution-canary-wrong", "Its canary differs: its keys aren't the group's."
    CONTRIBUTION_CROSSWALK_WRONG = "contribution-crosswalk-wrong", "It was computed with another crosswalk than the month's."
    CONTRIBUTION_AUDIENCES_WRONG = "contribution-audiences-wrong", "Its audiences aren't those that it, or its manifest, says."
    CONTRIBUTION_IMPLAUSIBLE = "contribution-implausible", "Its numbers of events and users can't both be right."
    CONTRIBUTION_AMBIGUOUS = "contribution-ambiguous", "Another file holds the same periods, with other users."
    CONTRIBUTION_MONTH_CLOSED = "contribution-month-closed", "Its month is closed."
    CONTRIBUTION_ERASED = "contribution-erased", "What it holds was erased, and isn't stored again unasked."
    CONTRIBUTION_MORE_WRONG = "contribution-more-wrong", "More is wrong with the file than its receipt lists."
    SENDER_OTHER = "sender-other", "A file holds contributions of another affiliate than its sender."
    SENDER_UNKNOWN = "sender-unknown", "A file's sender is no entity of the group."
    SENDER_UNSIGNED = "sender-unsigned", "A file has no signature, and its sender has a public key."
    SENDER_SIGNATURE_WRONG = "sender-signature-wrong", "A file's signature is no key's of its sender."

    # The centre
    STORE_MISSING = "store-missing", "There is no store yet."
    STORE_UNUSABLE = "store-unusable", "The store, or Dagster's, can't be reached or written."
    STORE_SCHEMA = "store-schema", "The store's schema isn't this version's."
    STORE_DAMAGED = "store-damaged", "A sketch or a contribution of the store isn't what its digest says."
    STORE_GONE = "store-gone", "There was a store, and there is none where group.yaml says."
    CLOCK_WRONG = "clock-wrong", "This machine's clock can't be right."
    CONTRIBUTIONS_NOT_UNITED = "contributions-not-united", "A month's contributions are of two keys, or of two crosswalks."
    FIGURE_MISSING = "figure-missing", "There is no figure to show, to close or to forecast from."
    READING_GONE = "reading-gone", "A month is signed by a reading that readings.yaml doesn't have any more."
    MONTH_NOT_CLOSABLE = "month-not-closable", "The month can't be closed or restated as it is."
    MONTH_CHECKS_RED = "month-checks-red", "The month has red checks."
    ALERT_NOT_OPEN = "alert-not-open", "The alert isn't open, or was acknowledged."
    EVIDENCE_UNWRITABLE = "evidence-unwritable", "Evidence can't be written, or doesn't hold what it should prove."
    REPORT_UNWRITABLE = "report-unwritable", "The monthly report can't be written, or made."
    BUNDLE_CHANGED = "bundle-changed", "A file is no bundle of evidence, or was changed."
    SERIES_INVALID = "series-invalid", "A series' file holds no figures of even, finished periods."
    SERVE_RUNNING = "serve-running", "Another process serves the group already."
    PORT_TAKEN = "port-taken", "Another process listens on the port."

    # Scenarios
    SCENARIO_INVALID = "scenario-invalid", "A scenario's file isn't one that can be run."
    SCENARIO_CONTRADICTORY = "scenario-contradictory", "Two statements of a scenario can't both hold; the arithmetic is shown."
    SCENARIO_CONTRIBUTION_WRONG = (
        "scenario-contribution-wrong",
        "A target's contribution can't be united with the group's: of another key or month, or of a product of the group.",
    )
    SCENARIO_NOT_READ = "scenario-not-read", "A scenario needs what wasn't read with the one before it; a page reads it anew."
    SCENARIO_UNKNOWN = "scenario-unknown", "There is no such scenario that the asker may see."
    SCENARIO_KEPT = "scenario-kept", "A scenario of this name is kept, with another definition."
    SCENARIO_NOT_YOURS = "scenario-not-yours", "Only a scenario's owner says who may see it."
    SCENARIO_INPUTS_CHANGED = (
        "scenario-inputs-changed",
        "What a kept scenario rests on isn't as it was when the scenario was run.",
    )


@dataclass(frozen=True)
class Refusal:
    """Why something was refused. A refusal isn't raised itself: `RefusedError` carries one or many of them."""

    code: Code
    """The kind."""
    subject: str
    """What was refused: a file with its line, a product, a command."""
    rule: str
    """The rule that the subject breaks."""
    values: str
    """Counts, days, column names or settings that show the breach, never an identifier or a key; may be empty."""
    next_step: str
    """What a person does now, without a full stop."""

    def __post_init__(self) -> None:
        # A file's or a column's name may stand among them: it must neither move a terminal nor begin a line of its own.
        for name in ("subject", "rule", "values", "next_step"):
            object.__setattr__(self, name, in_plain_sight(getattr(self, name)))

    def __str__(self) -> str:
        values = f" ({self.values})" if self.values else ""
        return f"{self.subject}: {self.rule}{values}. Next: {self.next_step}."

    def to_dict(self) -> dict[str, str]:
        """The four parts of the text, by name, as receipts and JSON answers have them."""
        # Without the code: other programs read this shape in receipts and JSON answers.
        return {"subject": self.subject, "rule": self.rule, "values": self.values, "next_step": self.next_step}


class RefusedError(Exception):
    """Something was refused, for one or more reasons. Nothing was changed.

    `refusals` stand in the order in which a person would mend them.
    """

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__(*refusals)
        self.refusals = refusals

    def __str__(self) -> str:
        return "\n".join(str(refusal) for refusal in self.refusals)


def refused(code: Code, subject: str, rule: str, values: str, next_step: str) -> RefusedError:
    """The error of a single refusal, to be raised."""
    return RefusedError(Refusal(code, subject, rule, values, next_step))


def is_unforeseen(error: BaseException) -> bool:
    """Whether nobody foresaw an error: it is no refusal, no full disk, which everything else would meet too, and no wish to end.

    A panic of a library in Rust is unforeseen, though Python doesn't call it an `Exception`.
    """
    if isinstance(error, RefusedError) or (isinstance(error, OSError) and error.errno in _FULL):
        return False
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def place_of(error: BaseException) -> str:
    """An error's kind, and our innermost module and line on its way: "ValueError in affiliates.periods, line 41".

    The module is a library's where no line of ours is among them.
    """
    frames = [(frame.f_globals.get("__name__", ""), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    # But for this module, through which every error comes that is caught here.
    frames = [place for place in frames if place[0] != __name__]
    ours = [place for place in frames if place[0].partition(".")[0] in _OURS]
    module, line = (ours or frames or [("", 0)])[-1]
    kind = type(error).__name__
    return f"{kind} in {module}, line {line}" if module else kind


def unforeseen_refusal(subject: str, error: BaseException) -> Refusal:
    """The refusal of a subject for an error that nobody foresaw; it quotes nothing of the error's text."""
    next_step = "run it again; if it comes again, tell mauwatch's maintainers this kind, module and line"
    return Refusal(Code.ERROR_UNFORESEEN, subject, "an error that nobody foresaw", place_of(error), next_step)


@contextmanager
def unforeseen_into(subject: str, note: Callable[[Refusal], None], foreseen: type[Exception] | None = None) -> Iterator[None]:
    """Gives an error inside that nobody foresaw to `note`, as the refusal of `subject`, and goes on behind the block.

    `foreseen`: a kind of error that whoever calls has foreseen, and that is raised.
    """
    try:
        yield
    except BaseException as error:  # Of these, `is_unforeseen` lets pass what is no error.
        if not is_unforeseen(error) or (foreseen is not None and isinstance(error, foreseen)):
            raise
        note(unforeseen_refusal(subject, error))


@contextmanager
def refused_if_unforeseen(subject: str) -> Iterator[None]:
    """Raises an error inside that nobody foresaw as a `RefusedError` of `subject`, without the error itself behind it."""
    refusals = list[Refusal]()
    with unforeseen_into(subject, refusals.append):
        yield
    if refusals:
        raise RefusedError(*refusals) from None


def reduce_libraries() -> None:
    """Reduces what libraries print by themselves to kind, module and line, from now on: their texts may quote anybody.

    That is warnings, log records that nobody handles, and errors in threads and finalisers.
    """
    warnings.showwarning = _show_warning
    logging.lastResort = _ReducedHandler(logging.WARNING)
    threading.excepthook = lambda given: _say_error(given.exc_type, given.exc_value, given.exc_traceback)
    sys.unraisablehook = lambda given: _say_error(given.exc_type, given.exc_value, given.exc_traceback)


@contextmanager
def libraries_reduced() -> Iterator[None]:
    """As `reduce_libraries`, inside. Of several threads the last that leaves puts back what was there before the first."""
    with _turn:
        hooks = warnings.showwarning, logging.lastResort, threading.excepthook, sys.unraisablehook
        _before.append(_before[0] if _before else hooks)
        reduce_libraries()
    try:
        yield
    finally:
        with _turn:
            hooks = _before.pop()
            if not _before:
                warnings.showwarning, logging.lastResort, threading.excepthook, sys.unraisablehook = hooks


class _ReducedHandler(logging.Handler):
    """Says which library has something to say, how bad it is, and where; never its text, which may hold a value."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record without its message and its error."""
        kind = f", {record.exc_info[0].__name__}" if record.exc_info and record.exc_info[0] else ""
        _say(f"{record.levelname.lower()} of {record.name}{kind}, in {record.module}, line {record.lineno}")


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    _say(f"a warning: {category.__name__} in {filename.rpartition('/')[2]}, line {lineno}")


def _say_error(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if kind is not SystemExit:
        _say(f"an error that nobody foresaw: {place_of((error or kind()).with_traceback(trace))}")


def _say(text: str) -> None:
    if sys.stderr is not None:
        print(text, file=sys.stderr)


def alike(name: str, known: Iterable[str], most: int = 1, least: float = 0.6) -> list[str]:
    """The known names that look much like a name, the likest first and at most `most` of them.

    `least` is the similarity that is enough, from 0 to 1, by `difflib`'s ratio.
    """
    # The comparison takes time by the square of the lengths; no name is as long.
    names = [other for other in known if len(other) <= _LONGEST_NAME]
    return difflib.get_close_matches(name, names, most, least) if len(name) <= _LONGEST_NAME else []


def did_you_mean(name: str, known: Iterable[str], several: bool = False) -> str:
    """A text for a name that isn't known: with the known name that looks much like it, or the name alone where none does.

    `several`: up to three known names, which may look less alike.
    """
    near = alike(name, known, 3, 0.5) if several else alike(name, known)
    name = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    return f"{name}; did you mean {' or '.join(near)}?" if near else name


def printable(text: str) -> str:
    """A stranger's text where the text can only be a name, else `…`: it could be somebody's number or address, or a key."""
    return text if _NAME.fullmatch(text) and not _NUMBER.search(text) else "…"


def unseen_sign(text: str) -> str | None:
    """The first character of a text that isn't shown but obeyed, such as U+001B; a tab and a line's end are among them."""
    match = _UNSEEN.search(text)
    return f"U+{ord(match[0]):04X}" if match else None


def in_plain_sight(text: str) -> str:
    """A text with `\\x1b` in the place of each character that isn't shown but obeyed: it stays one line, and does nothing."""
    return _UNSEEN.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def lines_in_plain_sight(text: str) -> str:
    """As `in_plain_sight`, of a text whose own ends of lines are meant."""
    return "\n".join(map(in_plain_sight, text.split("\n"))) if _UNSEEN.search(text) else text


def json_in_plain_sight(text: str) -> str:
    """JSON with escapes in the place of each character that isn't shown but obeyed; it still says the same."""
    return _UNSEEN.sub(lambda match: match[0] if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text)


def short_digest(digest: str) -> str:
    """The first 12 characters of a SHA-256 in hex, which tell it from another; `none` for no text, `…` for any other text."""
    return digest[:12] if re.fullmatch("[0-9a-f]{64}", digest) else "…" if digest else "none"
