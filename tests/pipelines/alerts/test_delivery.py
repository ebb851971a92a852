"""Messages about alerts, to a real mail server and a real web server: none lost, none sent twice but by the same key."""

import importlib
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import chain, repeat
from operator import attrgetter
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
import yaml

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from affiliates.periods import month_before
from dashboards.cli import main
from pipelines.alerts import delivery, heartbeat, responses, sending
from pipelines.alerts.channels import domains, may_have_figures
from pipelines.alerts.responses import Closing, JobRun
from pipelines.definitions import build_defs
from pipelines.defs import in_process, instance
from pipelines.licences import registry
from pipelines.licences.registry import builtin
from pipelines.store import alert_log, contributions, outbox
from pipelines.store.outbox import Message
from pipelines.workflows.report import Report
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.crash import POINTS, QUICK
from tests.support.databases import SQLITE, both_databases, rows_of
from tests.support.groups import NOW, SECRET, entity, product, source, write_group
from tests.support.paths import ROOT
from tests.support.receivers import Hooks, Mails, mail_server, web_server

APRIL, MAY = "2025-04", "2025-05"


@pytest.fixture(scope="module")
def mail_host() -> Iterator[Mails]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def web_host() -> Iterator[Hooks]:
    with web_server() as server:
        yield server


@pytest.fixture
def mails(mail_host: Mails) -> Mails:
    mail_host.taken = []
    mail_host.people = []
    mail_host.refusing = False
    return mail_host


@pytest.fixture
def hooks(web_host: Hooks) -> Hooks:
    web_host.taken = []
    web_host.status = 200
    return web_host


def write(directory: Path, millions: Mapping[str, float], channels: Sequence[Mapping[str, Any]], **settings: Any) -> Path:
    """A product that is counted by hand until June 2025, or for ever where the months are later ones, and alerts.yaml."""
    counts = [
        {"month": m, "users": round(p * 1e6), "unit": "people", "document": "calls", "attested_by": "CFO"}
        for m, p in millions.items()
    ]
    life = {"from": f"{min(millions)}-01", "to": "2025-06-01" if max(millions) < "2025-06" else None, "settles_after": 0}
    store = settings.pop("store", SQLITE)
    write_group(directory, [entity("a", [product("phones", **life, sources=[], counts=counts)])], store=store, lg_k=14)
    (directory / "alerts.yaml").write_text(yaml.safe_dump({"channels": list(channels), **settings}))
    return directory


def legal(name: str, url: str, **settings: Any) -> dict[str, Any]:
    """A channel of counsel's, as alerts.yaml has it."""
    return {"name": name, "audience": "legal", "urls": [url], **settings}


def last_month() -> str:
    """For the command, which has the time from this machine."""
    return f"{month_before(datetime.now(UTC).date()):%Y-%m}"


def go(directory: Path, now: datetime = NOW) -> Report:
    return run(directory, read_group(directory), now)


def messages(directory: Path, store: str = SQLITE) -> list[dict[str, Any]]:
    return rows_of(store, directory)["outbox"]


class Crashing:
    """Runs that are killed, each in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.support.crash"]
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> "Crashing":
        assert self._line() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def run(self, directory: Path, at: str | None, through_dagster: bool) -> int:
        """The signal that ended it, as a number below zero, or its exit code."""
        assert self.process.stdin
        request = {"directory": str(directory), "at": at, "through_dagster": through_dagster}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()


def test_every_kill_point_is_a_function_that_is_there() -> None:
    """Points are written as text: after a renaming no run meets the old name, and most are tried by `--thorough` alone."""
    for name, (at, after) in POINTS.items():
        for module, function, _, _ in filter(None, (at, after)):
            assert callable(attrgetter(function)(importlib.import_module(module))), name


@pytest.mark.parametrize("store_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)], indirect=True)
def test_killed_at_every_point(
    tmp_path: Path, mails: Mails, hooks: Hooks, store_url: str, another_store: Callable[..., str], request: pytest.FixtureRequest
) -> None:
    """`kill -9` at points between measuring and delivery, and the run again. The alert that is lost would be the one before a
    threshold; a second message by another key would be a second alert. `--thorough`: at all 39, without and with Dagster, on
    either database."""
    thorough = request.config.getoption("--thorough")
    ways, points = ((False, True), list(POINTS)) if thorough else ((False,), list(QUICK))
    repeats = Counter[str]()
    channels_ = [legal("mail", mails.url()), legal("hook", hooks.url())]
    before_it = write(tmp_path / "before", {MAY: 690}, channels_, store=store_url)
    with contributions.open_store(store_url, before_it, create=True):
        pass
    with Crashing() as crashing:
        for through_dagster in ways:
            for number, at in enumerate(points):
                mails.taken, hooks.taken = [], []
                directory, url = tmp_path / f"{number}-{through_dagster}", another_store(store_url)
                shutil.copytree(before_it, directory)
                write(directory, {MAY: 690}, channels_, store=url)
                assert crashing.run(directory, at, through_dagster) == -9, at
                before = len(mails.taken), len(hooks.taken)
                assert crashing.run(directory, None, through_dagster) == 0, at
                rows = rows_of(url, directory)
                assert [r["action"] for r in rows["incidents"] if r["action"] != "looked"] == ["raised"], at
                keys = {row["channel"]: row["key"] for row in rows["outbox"]}
                assert len(rows["outbox"]) == len(keys) == 2, at
                assert set(mails.keys) == {keys["mail"]}, at
                assert {body["key"] for body in hooks.bodies()} == {keys["hook"]}, at
                assert Counter(row["outcome"] for row in rows["deliveries"])["sent"] == 2, at
                repeats[at] = len(mails.taken) + len(hooks.taken) - 2
                assert repeats[at] <= sum(before), at
    print(f"killed at {len(points)} points; sent again by the same key: {sorted(at for at, n in repeats.items() if n)}")
    assert repeats["one is taken"] >= 1, "nobody can know whether it was taken"


def test_what_a_mail_and_a_webhook_hold(tmp_path: Path, mails: Mails, hooks: Hooks) -> None:
    """Figures to allowed domains alone: a mail with one recipient elsewhere, or a web server there, gets a link."""
    inside, outside = mails.url(), mails.url("counsel@example.com,partner@example.org")
    directory = write(
        tmp_path, {MAY: 690.123}, [legal("in", inside), legal("out", outside), legal("hook", hooks.url())],
        allowed_domains=["example.com"], link="https://mauwatch.example.com", legend="Privileged and confidential.",
    )  # fmt: skip
    assert go(directory).clean
    assert sorted(map(len, mails.people)) == [1, 1, 1]
    by_person = {people[0]: mails.text(n) for n, people in enumerate(mails.people) if "out" not in people}
    texts = [mails.text(n) for n in range(3)]
    assert sum("690,123,000" in text for text in texts) == 1
    assert "690,123,000" not in by_person["partner@example.org"]
    for mail, text in zip(mails.taken, texts, strict=True):
        assert mail.get_content_type() == "text/plain"
        assert f"Key: {mail['X-Mauwatch-Key']}" in text
        assert "Privileged and confidential." in text
        assert "https://mauwatch.example.com/alerts/1" in text
    _, _, headers, body = hooks.taken[0]
    assert headers["X-Mauwatch-Key"] == body["key"]
    assert (body["kind"], body["action"], body["level"], body["alert"]) == ("threshold", "raised", "act", "1")
    assert body["link"] == "https://mauwatch.example.com/alerts/1"
    assert "690,123,000" not in json.dumps(body)
    assert len({*mails.keys, body["key"]}) == 3, "a mail's two recipients share its key"


def test_domains() -> None:
    """A channel whose reach isn't known gets no figure."""
    assert domains("mailto://smtp.example.org?from=a@example.org&to=b@example.com&cc=c@example.org") == {
        "example.com", "example.org",
    }  # fmt: skip
    assert domains("jsons://hooks.example.com/path") == {"hooks.example.com"}
    assert domains("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ") == {"slack.com"}
    assert domains("nonsense") == frozenset()
    assert may_have_figures("jsons://hooks.example.com/path", ["example.com"])
    assert not may_have_figures("jsons://badexample.com/path", ["example.com"])
    assert not may_have_figures("nonsense", ["example.com"])
    assert not may_have_figures("jsons://hooks.example.com/path", [])


def test_a_legal_alert_goes_to_legal_alone(tmp_path: Path, hooks: Hooks) -> None:
    """And one about data to who mends it; a month is missing beside the one that is near the threshold."""
    where = [
        {"name": audience, "audience": audience, "urls": [hooks.url(f"/{audience}")]} for audience in ("legal", "finance", "ops")
    ]
    directory = write(tmp_path, {APRIL: 680}, where)
    go(directory, NOW + timedelta(days=2))
    assert {path: {b["kind"] for b in hooks.bodies(path)} for path in ("/legal", "/finance", "/ops")} == {
        "/legal": {"threshold"}, "/finance": set(), "/ops": {"missing_data"},
    }  # fmt: skip
    assert "680" not in json.dumps(hooks.bodies("/ops"))


def test_a_channel_that_fails_is_tried_again_and_holds_up_no_other(tmp_path: Path, mails: Mails, hooks: Hooks) -> None:
    directory = write(tmp_path, {MAY: 690}, [legal("mail", mails.url()), legal("hook", hooks.url())])
    mails.refusing = True
    report = go(directory)
    assert [str(f) for f in report.findings] == [
        "1 message of channel mail isn't delivered, the first since 2025-06-01 12:00 UTC"
    ]
    assert len(hooks.bodies()) == 1
    mails.refusing = False
    assert not go(directory, NOW + timedelta(seconds=20)).clean, "not before its time"
    assert mails.taken == []
    assert go(directory, NOW + timedelta(minutes=2)).clean
    assert (mails.keys, len(hooks.bodies())) == ([m["key"] for m in messages(directory) if m["channel"] == "mail"], 1)


def test_waits_grow_to_six_hours(tmp_path: Path, hooks: Hooks) -> None:
    directory = write(tmp_path, {MAY: 690}, [legal("hook", hooks.url())])
    hooks.status = 500
    now = NOW
    waits = list[float]()
    go(directory)
    for _ in range(11):
        failed = [d for d in rows_of(SQLITE, directory)["deliveries"] if d["outcome"] == "failed"]
        until = max(d["until"] for d in failed)
        waits.append(round((until - now).total_seconds() / 60))
        now = until + timedelta(seconds=1)
        with contributions.open_store(SQLITE, directory) as store:
            delivery.deliver(store, directory, read_group(directory), lambda now=now: now)  # type: ignore[misc]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]
    assert len(hooks.taken) == 12
    assert len({body["key"] for body in hooks.bodies()}) == 1


def test_no_redirect_is_followed(tmp_path: Path, hooks: Hooks) -> None:
    """It could carry figures out of the allowed domains."""
    directory = write(tmp_path, {MAY: 690}, [legal("hook", hooks.url())])
    hooks.status = 307
    assert not go(directory).clean
    assert {path for _, path, _, _ in hooks.taken} == {"/hook"}


@both_databases
def test_several_senders_at_once_send_each_message_once(tmp_path: Path, hooks: Hooks, store_url: str) -> None:
    where = [legal(f"hook-{n}", hooks.url()) for n in range(6)]
    directory = write(tmp_path, {MAY: 690}, where, store=store_url)
    group = read_group(directory)
    hooks.status = 500
    go(directory)
    hooks.taken = []
    hooks.status = 200
    later = NOW + timedelta(minutes=5)

    def deliver(_: int) -> None:
        with contributions.open_store(store_url, directory) as store:
            delivery.deliver(store, directory, group, lambda: later)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(deliver, range(4)))
    assert sorted(body["key"] for body in hooks.bodies()) == sorted(m["key"] for m in messages(directory, store_url))
    assert len(hooks.bodies()) == 6


def test_a_run_ended_by_the_name_of_its_job_alone() -> None:
    """As the store may have it from before a run's periods were noted: nothing else would ever end it."""
    assert JobRun("mauwatch_days", "2025-05-19", "2025-05-22", ("b/app",)).covers("mauwatch_days")
    assert not JobRun("mauwatch_days", "2025-05-19", "2025-05-22", ("b/app",)).covers("mauwatch_months")


def message(number: int, **changes: Any) -> Message:
    """A message about one alert, that waits to be sent."""
    alert = {"opened": 1, "action": "raised", "level": "watch", "created_at": NOW, "payload": {}}
    return Message(**{"id": number, "key": f"{number}", "channel": "mail", "address": 0, **alert, **changes})


def test_what_may_be_sent_when() -> None:
    """A message that is being sent is nobody else's, unless its sender has ended or has taken too long."""
    sending = {"outcome": outbox.SENDING, "sender": "elsewhere 1 2"}
    young = message(1, **sending, until=NOW + timedelta(minutes=1))
    old = message(1, **sending, until=NOW - timedelta(minutes=1))
    assert list(outbox.due([young], NOW, lambda s: False)) == []
    assert list(outbox.due([young], NOW, lambda s: True)) == [young]
    assert list(outbox.due([old], NOW, lambda s: False)) == [old]
    failed = message(1, outcome=outbox.FAILED, until=NOW + timedelta(minutes=1))
    closed = message(2, action="closed")
    assert list(outbox.due([failed, closed], NOW, lambda s: False)) == [], "nobody hears that it ended before that it began"
    other = message(3, channel="hook")
    assert list(outbox.due([failed, closed, other], NOW, lambda s: False)) == [other]
    assert list(outbox.due([message(1, outcome=outbox.SENT), closed], NOW, lambda s: False)) == [closed]


def test_a_worse_level_silences_the_lower_ones() -> None:
    low, other = message(1), message(2, channel="hook")
    high = message(3, level="act")
    assert list(outbox.superseded([low, other, high])) == [low]
    assert list(outbox.superseded([message(1, outcome=outbox.SENT), high])) == []
    assert list(outbox.superseded([low, message(2, action="cleared", level="watch")])) == []


def test_nobody_acknowledges_and_the_next_channel_hears(tmp_path: Path, hooks: Hooks) -> None:
    where = [legal("first", hooks.url("/first")), legal("next", hooks.url("/next"), escalation=True)]
    directory = write(tmp_path, {MAY: 690}, where, escalate_after=2)
    for days in (0, 1, 2, 3, 30):
        go(directory, NOW + timedelta(days=days))
    assert [b["action"] for b in hooks.bodies("/first")] == ["raised"]
    assert [b["action"] for b in hooks.bodies("/next")] == ["escalated"]
    group = read_group(directory)
    with contributions.open_store(SQLITE, directory) as store:
        responses.close(store, group, builtin(), 1, Closing("counsel", "granted", "2025/17"), NOW + timedelta(days=31))
        delivery.deliver(store, directory, group, lambda: NOW + timedelta(days=31))
    assert [b["action"] for b in hooks.bodies("/next")] == ["escalated", "closed"]


def test_an_acknowledged_alert_goes_no_further(tmp_path: Path, hooks: Hooks) -> None:
    where = [legal("first", hooks.url("/first")), legal("next", hooks.url("/next"), escalation=True)]
    directory = write(tmp_path, {MAY: 690}, where, escalate_after=2)
    go(directory)
    with contributions.open_store(SQLITE, directory) as store:
        responses.acknowledge(store, read_group(directory), 1, "counsel", NOW)
        with pytest.raises(RefusedError, match="has been acknowledged"):
            responses.acknowledge(store, read_group(directory), 1, "another", NOW)
        with pytest.raises(RefusedError, match="isn't open"):
            responses.acknowledge(store, read_group(directory), 9, "counsel", NOW)
        with pytest.raises(RefusedError, match="isn't closed by this reason"):
            responses.close(store, read_group(directory), builtin(), 1, Closing("counsel", "accepted", "2025/17"), NOW)
    go(directory, NOW + timedelta(days=9))
    assert hooks.bodies("/next") == []


@pytest.mark.parametrize("kind", ["get", "post"])
def test_the_heartbeat(tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """It beats after a run that succeeded, and not when a product was refused or somebody couldn't be told: then whoever waits
    for it rings. That it can't be reached is a finding, and no error."""
    monkeypatch.setenv("BEAT", f"http://127.0.0.1:{hooks.port}/beat")
    beat = {"url_env": "BEAT", "kind": kind}
    directory = write(tmp_path, {MAY: 100}, [legal("hook", hooks.url())], heartbeat=beat)
    assert go(directory).clean
    assert [(method, path) for method, path, _, _ in hooks.taken] == [(kind.upper(), "/beat")]
    hooks.status = 500
    assert [str(f) for f in go(directory).findings] == ["the heartbeat's address can't be reached: it answers with 500"]
    hooks.taken = []
    hooks.status = 200
    monkeypatch.setenv("BEAT", f"ftp://user:{SECRET}@example.com/")
    assert [str(f) for f in go(directory).findings] == [
        "the heartbeat's address can't be reached: its URL isn't one of http or https"
    ]
    monkeypatch.delenv("BEAT")
    assert "has no URL" in str(go(directory).findings)
    monkeypatch.setenv("BEAT", f"http://127.0.0.1:{hooks.port}/beat")
    write_group(directory, [entity("b", [product(sources=[source(files="gone.csv")], to="2025-06-01")])])
    assert any(p.refusals for p in go(directory).products)
    assert hooks.taken == []


def test_a_run_that_somebody_could_not_be_told_of_has_no_heartbeat(
    tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEAT", f"http://127.0.0.1:{hooks.port}/beat")
    directory = write(tmp_path, {MAY: 690}, [legal("hook", "json://127.0.0.1:9/hook")], heartbeat={"url_env": "BEAT"})
    assert not go(directory).clean
    assert hooks.taken == []


def test_an_alert_that_no_channel_gets_is_a_finding(tmp_path: Path, hooks: Hooks) -> None:
    directory = write(tmp_path, {MAY: 690}, [{"name": "ops", "audience": "ops", "urls": [hooks.url()]}])
    assert [str(f) for f in go(directory).findings] == ["no channel gets alerts of the kind threshold, and one is open"]


Called = Callable[..., tuple[int, str]]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Called:
    """The command in this process: its exit code, and all that it wrote."""

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mauwatch", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out + output.err

    return call


TOKEN = "t0ken-of-a-channel-4711"  # noqa: S105


def test_no_address_is_kept_or_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: Called) -> None:
    """Whoever has a channel's address may write to counsel in mauwatch's name. No address is in what a run keeps or says."""
    monkeypatch.setenv("HOOK", f"json://user:{SECRET}@127.0.0.1:9/{TOKEN}")
    monkeypatch.setenv("BEAT", f"http://127.0.0.1:9/{TOKEN}")
    where: list[dict[str, Any]] = [
        {"name": "env", "audience": "legal", "url_env": "HOOK"},
        {"name": "file", "audience": "legal", "url_file": "hook.url"},
        {
            "name": "mail",
            "audience": "legal",
            "urls": [f"mailto://user:{SECRET}@127.0.0.1:9?to=x@example.com&from=y@example.com"],
        },
        {"name": "odd", "audience": "legal", "urls": [f"nonsense-{TOKEN}"]},
    ]
    directory = write(tmp_path / "group", {last_month(): 690}, where, heartbeat={"url_env": "BEAT"})
    (directory / "hook.url").write_text(f"slack://{TOKEN}/x")
    (directory / "hook.url").chmod(0o600)
    answers = [called("run", "--log-json", "--group", directory)]
    answers += [called(*command, "--group", directory) for command in (["run"], ["alerts"], ["alerts", "send"], ["doctor"])]
    answers += [called("alerts", "test", channel["name"], "--group", directory) for channel in where]
    assert {code for code, _ in answers} == {1}
    assert not [text for _, text in answers if TOKEN in text or SECRET in text]
    kept = [path for path in (directory / ".mauwatch").rglob("*") if path.is_file()]
    assert any("dagster" in str(path) for path in kept)
    for path in kept:
        content = path.read_bytes()
        assert TOKEN.encode() not in content, path
        assert SECRET.encode() not in content, path


def test_the_command(tmp_path: Path, hooks: Hooks, called: Called) -> None:
    """Answers, exit codes, and who is named where."""
    directory = write(tmp_path / "group", {last_month(): 701}, [legal("hook", hooks.url())])
    here = ["--group", directory]
    assert called("alerts", *here)[0] == 2, "no store yet"
    assert called("run", *here)[0] == 0
    code, text = called("alerts", *here)
    assert (code, "701,000,000" in text) == (1, True)
    (alert,) = json.loads(called("alerts", "list", *here, "--json")[1])
    assert (alert["level"], alert["open"], alert["acknowledged_by"], alert["undelivered"]) == ("over", True, None, 0)
    number = alert["id"]
    assert called("alerts", *here, "ack", number, "--by", "General Counsel")[0] == 2, "of which group?"
    assert called("alerts", "ack", number, "--by", " ", *here)[0] == 2
    assert called("alerts", "ack", number, "--by", "General Counsel", *here)[0] == 0
    assert called("alerts", *here)[0] == 0, "seen"
    close = ["alerts", "close", number, "--by", "General Counsel"]
    assert called(*close, "--reason", "tired", "--matter", "1", *here)[0] == 2
    assert called(*close, "--reason", "granted", *here)[0] == 2, "no matter"
    assert called(*close, "--reason", "confirmed", "--matter", "2025/17", *here)[0] == 2, "no reason of this kind"
    closed = json.loads(called(*close, "--reason", "granted", "--matter", "2025/17", *here, "--json")[1])
    assert (closed["open"], closed["closed_by"], closed["reason_code"], closed["matter"]) == (
        False, "General Counsel", "granted", "2025/17",
    )  # fmt: skip
    assert called("run", *here)[0] == 0
    assert json.loads(called("alerts", *here, "--json")[1]) == []
    assert [b["action"] for b in hooks.bodies()] == ["raised", "closed"]
    assert called("alerts", "test", "hook", *here)[0] == 0
    assert hooks.bodies()[-1]["title"] == "[test] test: a test message"
    assert called("alerts", "test", "nobody", *here)[0] == 2


def test_a_run_that_fails_as_a_whole_is_told(tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the key nothing can be computed, and nothing would ever say so but a line on somebody's terminal."""
    directory = write(tmp_path, {MAY: 100}, [{"name": "ops", "audience": "ops", "urls": [hooks.url()]}])
    group = read_group(directory)
    in_process.run(directory, group, NOW)
    key = (directory / "group.key").read_text()
    (directory / "group.key").unlink()
    with pytest.raises(RefusedError):
        in_process.run(directory, group, NOW + timedelta(days=1))
    assert [(b["kind"], b["action"]) for b in hooks.bodies()] == [("failed_run", "found")]
    (directory / "group.key").write_text(key)
    in_process.run(directory, group, NOW + timedelta(days=2))
    assert [(b["kind"], b["action"]) for b in hooks.bodies()] == [("failed_run", "found"), ("failed_run", "ended")]


def test_a_channel_that_comes_later_hears_of_what_is_open(tmp_path: Path, hooks: Hooks) -> None:
    """An alert raised before anybody was named would never reach anybody: nothing raises it again."""
    directory = write(tmp_path, {MAY: 690}, [])
    assert go(directory).alerts == ["1, act: llama/700000000, acknowledged by nobody"]
    late, step = legal("late", hooks.url("/late")), legal("step", hooks.url("/step"), escalation=True)
    rules = {"channels": [late, step], "allowed_domains": ["127.0.0.1"]}
    (directory / "alerts.yaml").write_text(yaml.safe_dump(rules))
    for hours in (240, 241):
        go(directory, NOW + timedelta(hours=hours))
    (message,) = hooks.bodies("/late")
    assert (message["action"], message["level"], message["title"].startswith("[act]")) == ("raised", "act", True)
    assert hooks.bodies("/step") == [], "three days begin once somebody has been told"
    go(directory, NOW + timedelta(hours=240 + 73))
    assert [b["action"] for b in hooks.bodies("/step")] == ["escalated"]
    more = legal("second", hooks.url("/second")), legal("step-2", hooks.url("/step-2"), escalation=True)
    (directory / "alerts.yaml").write_text(yaml.safe_dump({**rules, "channels": [late, step, *more]}))
    for day in (13.5, 13.6):
        go(directory, NOW + timedelta(days=day))
    assert [b["action"] for b in hooks.bodies("/second")] == ["raised"]
    assert [b["action"] for b in hooks.bodies("/step-2")] == ["escalated"]
    assert len(hooks.bodies("/late")) == len(hooks.bodies("/step")) == 1, "who was told is told once"
    with contributions.open_store(SQLITE, directory) as store:
        responses.acknowledge(store, read_group(directory), 1, "counsel", NOW + timedelta(days=14))
    (directory / "alerts.yaml").write_text(yaml.safe_dump({**rules, "channels": [late, legal("more", hooks.url("/more"))]}))
    go(directory, NOW + timedelta(days=15))
    assert hooks.bodies("/more") == [], "somebody has seen it"


def test_every_message_says_what_tests_the_month(tmp_path: Path, hooks: Hooks) -> None:
    """Who hears of an alert only when it is escalated or closed has to read the same as who was told first."""
    where = [legal("first", hooks.url("/first")), legal("step", hooks.url("/step"), escalation=True)]
    directory = write(tmp_path, {MAY: 720}, where, allowed_domains=["127.0.0.1"])
    (directory / "readings.yaml").write_text(yaml.safe_dump({
        "readings": [{"name": "people", "audiences": ["external"], "counts": "unique_people"}],
        "of_record": [{"reading": "people", "adopted_by": "Counsel", "from": "2025-01-01"}],
    }))  # fmt: skip
    llama = yaml.safe_load((ROOT / "pipelines" / "licences" / "data" / "llama.yaml").read_text())["licences"]
    entry = next(entry for entry in llama if entry["id"] == "llama-2")
    clause = entry["clauses"][0] | {"test_date": "2025-06-03", "measured_period": MAY}
    later = entry | {"id": "llama-9", "name": "Llama 9", "version_date": {"date": "2025-06-03"}, "clauses": [clause]}
    (directory / "licences").mkdir()
    (directory / "licences" / "llama-9.yaml").write_text(yaml.safe_dump({"licences": [later]}, sort_keys=False))
    go(directory)
    go(directory, NOW + timedelta(days=4))
    with contributions.open_store(SQLITE, directory) as store:
        group, known = read_group(directory), registry.from_directory(directory)
        responses.close(store, group, known, 1, Closing("counsel", "granted", "2025/17"), NOW + timedelta(days=5))
        delivery.deliver(store, directory, group, lambda: NOW + timedelta(days=5))
    bodies = [*hooks.bodies("/first"), *hooks.bodies("/step")]
    assert [b["action"] for b in bodies] == ["raised", "closed", "escalated", "closed"]
    for body in bodies:
        assert "tested by Llama 9" in body["message"], body["action"]
        assert "people, the reading of record" in body["message"], body["action"]
        assert "Probability" not in body["message"], "of what is over nobody asks how likely it is"


@pytest.mark.parametrize(
    ("ended", "open_"),
    [
        (JobRun("mauwatch_days", "2025-05-20", "2025-05-21", ("b/app",)), ["b/mail, 2025-05-20 to 2025-05-21 by mauwatch_days"]),
        (JobRun("mauwatch_days", "2025-05-19", "2025-05-22"), []),
        (JobRun("mauwatch_days", "2025-05-21", "2025-05-22"), None),
        (JobRun("mauwatch_days", "2025-05-20", "2025-05-21", ("c/app",)), None),
        (JobRun("__ASSET_JOB", "2025-05-19", "2025-05-22", ("b/app", "b/mail")), []),
        (JobRun("mauwatch_months", "2025-05-19", "2025-05-22"), None),
        (JobRun("mauwatch_alerts"), None),
    ],
)
def test_only_a_run_of_the_same_ends_a_failed_one(tmp_path: Path, ended: JobRun, open_: list[str] | None) -> None:
    """Each morning's run succeeds for other days: it would end the alert of those that nobody has computed."""
    group = read_group(write(tmp_path, {MAY: 100}, []))
    failed = JobRun("mauwatch_days", "2025-05-20", "2025-05-21", ("b/app", "b/mail"))
    responses.run_ended(tmp_path, group, failed, lambda: NOW, failed=True)
    responses.run_ended(tmp_path, group, ended, lambda: NOW + timedelta(hours=1), failed=False)
    with contributions.open_store(SQLITE, tmp_path) as store:
        (alert,) = alert_log.current(store).values()
    assert alert.subjects.splitlines() == (failed.subjects if open_ is None else open_)


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")
def test_dagsters_sensors(tmp_path: Path, hooks: Hooks) -> None:
    """A run that fails under `serve` is an alert; messages that wait are sent without anybody running anything."""
    where = [{"name": "ops", "audience": "ops", "urls": [hooks.url("/ops")]}, legal("hook", hooks.url())]
    directory = write(tmp_path, {MAY: 690}, where, allowed_domains=["127.0.0.1"])
    write_group(directory, [entity("b", [product(sources=[source(files="gone.csv", complete_through="2025-05-31")])])])
    repository = build_defs(directory, clock=lambda: NOW).get_repository_def()
    with instance.open_instance(directory, read_group(directory)) as dagster:
        job = repository.get_job("mauwatch_days")
        failing = job.execute_in_process(
            instance=dagster, raise_on_error=False, asset_selection=[dg.AssetKey(["b", "app"])], partition_key="2025-05-20"
        )
        assert not failing.success
        sensor = repository.get_sensor_def("mauwatch_alerts_failed")
        assert isinstance(sensor, dg.RunStatusSensorDefinition)
        event = next(
            e for e in dagster.all_logs(failing.run_id) if e.dagster_event and e.dagster_event.is_run_failure
        ).dagster_event
        assert event
        context = dg.build_run_status_sensor_context("mauwatch_alerts_failed", event, dagster, failing.dagster_run)
        sensor(context.for_run_failure())
        (body,) = hooks.bodies("/ops")
        assert (body["kind"], body["action"], "mauwatch_days" in body["message"]) == ("failed_run", "found", True)
        with Workspace(directory, read_group(directory), NOW) as workspace:
            workspace.store()
        figures = repository.get_job("mauwatch_figures").execute_in_process(instance=dagster, partition_key="2025-05")
        assert figures.success
        due = repository.get_sensor_def("mauwatch_alerts_due")
        (request,) = due.evaluate_tick(dg.build_sensor_context(dagster)).run_requests or []
        assert request.run_key == f"{NOW:%Y-%m-%d %H:%M}"
        assert repository.get_job("mauwatch_alerts").execute_in_process(instance=dagster).success
        assert [b["kind"] for b in hooks.bodies()] == ["threshold"]
        (request,) = due.evaluate_tick(dg.build_sensor_context(dagster)).run_requests or []
        assert request.run_key == f"{NOW:%Y-%m-%d}", "once a day from then on"
    with contributions.open_store(SQLITE, directory) as store:
        assert {alert.kind for alert in alert_log.current(store).values() if alert.is_open} == {
            "failed_run",
            "missing_data",
            "threshold",
        }


def failed_runs(directory: Path) -> list[str]:
    """What the alert of failed runs is about."""
    with contributions.open_store(SQLITE, directory) as store:
        return [
            line
            for alert in alert_log.current(store).values()
            if alert.kind == "failed_run"
            for line in alert.subjects.splitlines()
        ]


MAY_DAYS = date(2025, 5, 1), date(2025, 5, 31)


def by_file(directory: Path, *, refused: bool) -> Path:
    """A product with one file for May, in which a line is bad while it is `refused`."""
    manifest = product(**{"from": "2025-05-01"}, to="2025-06-01", sources=[source(files="e.csv", complete_through="2025-05-31")])
    rows = "".join(f"2025-05-{day:02}T12:00:00Z,u{n}@example.com\n" for day in range(1, 32) for n in range(3))
    bad = "a line of one field\n" if refused else ""
    write_group(directory, [entity("a", [manifest])], {"e.csv": f"at,user\n{rows}{bad}".encode()}, store=SQLITE)
    return directory


def test_a_range_ends_what_the_same_range_began(tmp_path: Path) -> None:
    """The runbook says so, and the alert of a refused range stayed open until a whole run."""
    group = read_group(by_file(tmp_path, refused=False))
    run(tmp_path, group, NOW, *MAY_DAYS)
    by_file(tmp_path, refused=True)
    run(tmp_path, group, NOW, *MAY_DAYS)
    assert failed_runs(tmp_path) == ["a/app, 2025-05-01 to 2025-05-31 by mauwatch run"]
    by_file(tmp_path, refused=False)
    run(tmp_path, group, NOW + timedelta(hours=1), date(2025, 5, 2), MAY_DAYS[1])
    assert failed_runs(tmp_path), "a day of the failed range is still to come"
    run(tmp_path, group, NOW + timedelta(hours=2), *MAY_DAYS)
    assert failed_runs(tmp_path) == []


def test_a_whole_run_ends_what_a_range_began_and_no_range_ends_a_whole_one(tmp_path: Path) -> None:
    group = read_group(by_file(tmp_path, refused=False))
    run(tmp_path, group, NOW)
    for failed in (JobRun("mauwatch run"), JobRun("mauwatch_months", "2025-05", "2025-05", ("a/app",))):
        responses.run_ended(tmp_path, group, failed, lambda: NOW, failed=True)
    run(tmp_path, group, NOW + timedelta(hours=1), *MAY_DAYS)
    assert failed_runs(tmp_path) == ["mauwatch run"], "the month's job is done by the month's days"
    run(tmp_path, group, NOW + timedelta(hours=2))
    assert failed_runs(tmp_path) == []


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")
def test_a_failure_of_which_nothing_is_due_ends_by_the_days_evaluation(tmp_path: Path) -> None:
    """Under `serve` the days that failed come with runs of other days, so that no run of the same days ever succeeds."""
    directory = by_file(tmp_path, refused=False)
    group = read_group(directory)
    run(directory, group, NOW)
    failures = [
        JobRun("mauwatch_days", "2025-05-20", "2025-05-21", ("a/app", "a/gone")),
        JobRun("mauwatch_figures", "2025-05", "2025-05"),
    ]
    for failed in failures:
        responses.run_ended(directory, group, failed, lambda: NOW, failed=True)
    assert len(failed_runs(directory)) == 3
    repository = build_defs(directory, clock=lambda: NOW + timedelta(hours=1)).get_repository_def()
    by_file(directory, refused=True)
    with instance.open_instance(directory, group) as dagster:
        (directory / "e.csv").unlink()  # What is refused may hold what is due.
        assert repository.get_job("mauwatch_alerts").execute_in_process(instance=dagster).success
        assert failed_runs(directory) == ["a/app, 2025-05-20 to 2025-05-21 by mauwatch_days"]
        by_file(directory, refused=False)
        assert repository.get_job("mauwatch_alerts").execute_in_process(instance=dagster).success
    assert failed_runs(directory) == []


class Dripping:
    """A service of this machine that takes every connection and answers a byte now and then, for ever."""

    def __init__(self, text: bytes) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()
        self.text = text
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self._drip, args=(connection,), daemon=True).start()

    def _drip(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            for letter in chain(self.text, repeat(ord("a"))):
                connection.send(bytes([letter]))
                time.sleep(0.1)


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes], Dripping]]:
    services = list[Dripping]()

    def serve(text: bytes) -> Dripping:
        services.append(Dripping(text))
        return services[-1]

    yield serve
    for service in services:
        service.socket.close()


def processes_of_ours() -> list[str]:
    commands = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
    return [command for command in commands if "sender" in command]


def test_a_silent_service_holds_up_no_other_channel_and_no_run(
    tmp_path: Path, hooks: Hooks, dripping: Callable[[bytes], Dripping], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte a second held the run, the other channels and the heartbeat for hours: a library's limit is for each read (B-18)."""
    monkeypatch.setattr(sending, "EACH", 5.0)
    web = dripping(b"HTTP/1.1 200 OK\r\nX: ")
    mail = dripping(b"220 ")
    silent = [legal(f"silent-{n}", f"json://127.0.0.1:{web.port}/{n}") for n in range(2)]
    mute = f"mailto://127.0.0.1:{mail.port}?from=m@example.com&to=o@example.com&mode=insecure"
    directory = write(tmp_path, {MAY: 690}, [*silent, legal("mail", mute), legal("good", hooks.url())])
    report = go(directory)
    assert [body["kind"] for body in hooks.bodies()] == ["threshold"], "the channel behind the silent ones"
    assert sorted(str(finding).split(" isn't delivered")[0] for finding in report.findings) == [
        "1 message of channel mail",
        *(f"1 message of channel silent-{n}" for n in range(2)),
    ]
    said = {row["said"] for row in rows_of(SQLITE, directory)["deliveries"] if row["outcome"] == "failed"}
    assert said == {"no end of it within 5 s"}
    assert processes_of_ours() == []
    assert [thread.name for thread in threading.enumerate() if "mauwatch" in thread.name] == []


def test_a_heartbeat_and_a_test_message_have_an_end(
    tmp_path: Path, dripping: Callable[[bytes], Dripping], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "EACH", 2.0)
    service = dripping(b"HTTP/1.1 200 OK\r\nX: ")
    url = f"json://127.0.0.1:{service.port}/x"
    directory = write(tmp_path, {MAY: 690}, [legal("silent", url)], heartbeat={"url_env": "HEARTBEAT"})
    monkeypatch.setenv("HEARTBEAT", f"http://127.0.0.1:{service.port}/")
    group = read_group(directory)
    (finding,) = heartbeat.ping(group.alerting, directory)
    assert str(finding) == "the heartbeat's address can't be reached: no end of it within 2 s"
    assert delivery.try_channel(group.alerting.channels[0], group.alerting, directory, "test") == ["no end of it within 2 s"]
    assert processes_of_ours() == []


def test_a_sending_has_an_end_and_the_rest_waits(
    tmp_path: Path, hooks: Hooks, dripping: Callable[[bytes], Dripping], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty silent services, 30 s each, would hold a run for ten minutes."""
    monkeypatch.setattr(sending, "EACH", 2.0)
    monkeypatch.setattr(sending, "ALL", 3.0)
    monkeypatch.setattr(sending, "_AT_ONCE", 1)
    service = dripping(b"HTTP/1.1 200 OK\r\nX: ")
    silent = [legal(f"silent-{n}", f"json://127.0.0.1:{service.port}/{n}") for n in range(5)]
    directory = write(tmp_path, {MAY: 690}, silent)
    report = go(directory)
    assert len(report.findings) == 5
    attempts = {row["message"] for row in rows_of(SQLITE, directory)["deliveries"]}
    assert 1 <= len(attempts) < 5, "what wasn't begun has no attempt, and waits"
    assert len(messages(directory)) == 5


def test_who_sends_ends_with_the_process_that_waits(dripping: Callable[[bytes], Dripping]) -> None:
    """A run that is killed would leave a process behind, which goes on sending what the next run sends again."""
    service = dripping(b"HTTP/1.1 200 OK\r\nX: ")
    program = f"""
import sys
from pipelines.alerts.sending import Senders
with Senders() as senders:
    senders.begin(('x', 0), {{'what': 'ping', 'url': 'http://127.0.0.1:{service.port}/', 'kind': 'get'}})
    print(senders._busy['x', 0]._process.pid, flush=True)
    sys.stdin.read()
"""
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    gone, _ = psutil.wait_procs([child], timeout=60)
    assert gone == [child]
