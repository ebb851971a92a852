"""dashboard.yaml and the legend: a mistake in who may see what is refused at once, and not found when somebody has seen it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from affiliates.errors import RefusedError
from affiliates.manifests.dashboard_settings import Dashboard
from affiliates.manifests.loader import read_group
from tests.support.groups import entity, product, write_group

URL = "https://mauwatch.example.com"
PROXY: dict[str, Any] = {"addresses": ["10.0.0.5"]}
OIDC: dict[str, Any] = {"issuer": "https://login.example.com", "client_id": "m", "client_secret_env": "M_SECRET"}
RIGHTS: dict[str, Any] = {"viewers": {"a@example.com": {"roles": ["viewer"]}}}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"proxy": PROXY, "oidc": OIDC, "url": URL, **RIGHTS}, "needs one of `proxy` and `oidc`"),
    ({"proxy": PROXY, **RIGHTS}, "needs `url`"),
    ({"proxy": PROXY, "url": URL}, "needs `groups` or `viewers`"),
    ({"url": URL}, "needs `proxy` or `oidc`"),
    (RIGHTS, "needs `proxy` or `oidc`"),
    ({"proxy": PROXY, "url": "http://mauwatch.example.com", **RIGHTS}, "is not https"),
    ({"proxy": PROXY, "url": f"{URL}/pages", **RIGHTS}, "has a path"),
    ({"proxy": {"addresses": []}, "url": URL, **RIGHTS}, "addresses"),
    ({"proxy": {"addresses": ["proxy.example.com"]}, "url": URL, **RIGHTS}, "is no IP address"),
    ({"proxy": {**PROXY, "user_header": "X_User"}, "url": URL, **RIGHTS}, "user_header"),
    ({"oidc": {**OIDC, "issuer": "http://login.example.com"}, "url": URL, **RIGHTS}, "is not https"),
    ({"oidc": {**OIDC, "scopes": ["email"]}, "url": URL, **RIGHTS}, "must name `openid`"),
    ({"oidc": {**OIDC, "client_secret": "x"}, "url": URL, **RIGHTS}, "client_secret"),
    ({"proxy": PROXY, "url": URL, "viewers": {"a": {"roles": ["root"]}}}, "roles"),
    ({"proxy": PROXY, "url": URL, "viewers": {"a": {"roles": []}}}, "roles"),
    ({"proxy": PROXY, "url": URL, "viewers": {"a": {"roles": ["affiliate"]}}}, "needs `affiliates`"),
    ({"proxy": PROXY, "url": URL, "viewers": {"a": {"roles": ["viewer"], "affiliates": ["one"]}}}, "and for no other"),
    ({"proxy": PROXY, "url": URL, "viewers": {"a": {"roles": ["affiliate"], "affiliates": ["won"]}}}, "did you mean one?"),
]


def _directory(tmp_path: Path, **settings: Any) -> Path:
    return write_group(tmp_path / "group", [entity("one", [product()])], **settings)


@pytest.mark.parametrize(("content", "rule"), WRONG)
def test_a_mistake_is_said(tmp_path: Path, content: dict[str, Any], rule: str) -> None:
    directory = _directory(tmp_path)
    (directory / "dashboard.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(RefusedError) as refused:
        read_group(directory)
    assert rule in str(refused.value)
    assert "dashboard.yaml:" in str(refused.value)


def test_rights_are_those_of_the_name_and_of_all_groups() -> None:
    dashboard = Dashboard.model_validate(
        {
            "url": URL, "proxy": PROXY, **RIGHTS,
            "groups": {"legal": {"roles": ["legal"]}, "one": {"roles": ["affiliate"], "affiliates": ["one"]}},
        }
    )  # fmt: skip
    assert dashboard.rights("a@example.com", ["legal", "one", "strangers"]) == (
        frozenset({"viewer", "legal", "affiliate"}),
        frozenset({"one"}),
    )
    # The name of a group is nobody's name, and a name is no group.
    assert dashboard.rights("legal", ["a@example.com"]) == (frozenset(), frozenset())
    assert dashboard.rights("A@example.com", []) == (frozenset(), frozenset())


def test_without_the_file_nobody_logs_in(tmp_path: Path) -> None:
    assert not read_group(_directory(tmp_path)).dashboard.is_of_a_team


def test_a_secret_is_in_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    oidc = Dashboard.model_validate({"url": URL, "oidc": OIDC, **RIGHTS}).oidc
    assert oidc is not None
    monkeypatch.setenv("M_SECRET", " s3cret\n")
    assert oidc.client_secret() == "s3cret"
    monkeypatch.setenv("M_SECRET", "")
    with pytest.raises(RefusedError, match="has no client secret"):
        oidc.client_secret()


def test_the_legend_is_one_text(tmp_path: Path) -> None:
    """A page with another text of counsel's than a message, or with none, may cost the privilege."""
    old, new = "Privileged, by alerts.yaml.", "Privileged, by group.yaml."
    directory = _directory(tmp_path)
    assert read_group(directory).legend == ""
    (directory / "alerts.yaml").write_text(yaml.safe_dump({"legend": old}))
    assert read_group(directory).legend == old
    _directory(tmp_path, legend=new)
    with pytest.raises(RefusedError, match="is another text than `legend`"):
        read_group(directory)
    (directory / "alerts.yaml").write_text(yaml.safe_dump({"escalate_after": 2}))
    group = read_group(directory)
    # What messages and evidence show is the same text.
    assert (group.legend, group.alerting.legend) == (new, new)
