"""The body of the page of evidence: figures, who is in the group, what is missing, and what people vouch for."""

from collections.abc import Sequence

from affiliates.manifests.group import affiliate_of
from affiliates.manifests.namespaces import Namespace, ranges_of
from dashboards.report.sheets import Sheets
from dashboards.report.wording import Content, covered, entity_name, interval, people, subject_name
from pipelines.counting import convention


def figures(sheets: Sheets, files: Content) -> None:
    """All figures, of the group, its affiliates and their products, by each reading that differs in them."""
    sheets.heading("The figures")
    sheets.text_line(
        "Users in the month. A product's users are in its affiliate's figure, and these in the group's, each person once."
    )
    published = files["figures"]["published"]
    for position, figures_by_reading in enumerate(published):
        publication = figures_by_reading["publication"]
        # Two readings over the same inputs have the same figures; printed twice, they would look like two counts.
        if any(other["publication"]["inputs"] == publication["inputs"] for other in published[:position]):
            sheets.text_line(f"By {publication['reading']}: the same figures; its test takes their sum over products.")
            continue
        signed = f", signed by {publication['signed_by']}" if publication["signed_by"] else ", not signed"
        known = publication["known_at"][:16].replace("T", " ")
        sheets.text_line(
            f"By {publication['reading']}: {publication['state']}{signed}; known at {known} UTC, way of counting number "
            f"{publication['method']}."
        )
        rows = [
            (
                subject_name(files["group"], figure),
                people(figure["estimate"]),
                interval(figure["lower"], figure["upper"]),
                interval(figure["identity_low"], figure["identity_high"]) if figure["identity_high"] is not None else "–",
                f"{figure['standard_error']:,.0f}",
                covered(figure),
            )
            for figure in _in_order(figures_by_reading["figures"])
        ]
        heads = ("", "estimate", "at least to at most", "same or different people", "sketch error", "covered")
        sheets.rows(heads, rows, (33, 21, 41, 41, 15, 23), (1, 2, 3, 4, 5))
        sheets.ln(1)


def conventions(sheets: Sheets, files: Content) -> None:
    """What the figures take for granted, right below them."""
    said = {name: Namespace.model_validate(of_it) for name, of_it in files["group"]["namespaces"].items()}
    version = files["figures"]["published"][0]["publication"]["method"]
    for line in convention.lines(files["inputs"]["namespaces"], ranges_of(said), version, advised=False):
        sheets.text_line(line)


def _in_order(rows: Sequence[Content]) -> list[Content]:
    """The group's figure, then the affiliates', the largest first, each with its products' beneath."""
    scopes = {"group": 0, "affiliate": 1, "product": 2}
    sizes = {row["subject"]: -(row["estimate"] or 0) for row in rows if row["scope"] == "affiliate"}

    def place(row: Content) -> tuple[bool, int, str, int, str]:
        """Where a row stands."""
        affiliate = affiliate_of(row["subject"])
        return row["scope"] != "group", sizes.get(affiliate, 0), affiliate, scopes[row["scope"]], row["subject"]

    return sorted(rows, key=place)


def membership(sheets: Sheets, group: Content) -> None:
    """Who is in the group on each day that counts, by which path, and who isn't."""
    for position, drawn in enumerate(group["drawn"]):
        share = float(drawn["control_share"]) * 100
        # Only a difference between two dates is news; the same list twice hides one.
        same = [other["on"] for other in group["drawn"][:position] if other["members"] == drawn["members"]]
        if same:
            sheets.text_line(f"The same on {drawn['on']} as on {same[0]}.")
            continue
        sheets.heading(f"Who is in the group on {drawn['on']}, by control of more than {share:g} %")
        rows = [
            (entity_name(group, m["entity"]), "; ".join(m["path"]) or "the ultimate parent, which nobody controls")
            for m in drawn["members"]
        ]
        sheets.rows(("affiliate", "why: who holds which share of whom, step by step"), rows, (50, 124))
        sheets.lines([f"Not in it: {entity_name(group, o['entity'])}, {o['why']}" for o in drawn["outside"]], grey=True)


def coverage(sheets: Sheets, files: Content) -> None:
    """What is missing or was left out, by each reading, and what the figures rest on."""
    sheets.heading("Coverage, and what is left out")
    published = files["figures"]["published"]
    named: dict[str, dict[str, None]] = {}
    for by_reading in published:
        rows = [row for row in by_reading["figures"] if row["scope"] == "group"]
        incomplete = [f"not complete: {line}" for row in rows for line in row["reasons"].splitlines()]
        left_out = [f"not counted: {line}" for line in by_reading["publication"]["not_counted"].splitlines()]
        for line in (*incomplete, *left_out):
            named.setdefault(line, {})[by_reading["publication"]["reading"]] = None
    if not any(line.startswith("not complete") for line in named):
        sheets.text_line("All that was due is there, and was computed after it had settled.")
    # What only some of the readings lack is said of those.
    sheets.lines(line if len(names) == len(published) else f"{line} (by {', '.join(names)})" for line, names in named.items())
    grades = files["inputs"]["grades"]
    sheets.text_line("Rests on: " + "; ".join(f"{n} product{'s' * (n > 1)} by {grade}" for grade, n in grades.items() if n) + ".")
    stated = [
        f"{given['affiliate']}/{given['product']}: a {given['kind']} of {given['users']:,} {given['unit']}, in "
        f"{given['document']}, vouched for by {given['attested_by']}"
        for given in files["inputs"]["given"]
    ]
    sheets.lines(stated)


def attestations(sheets: Sheets, closing: Content | None) -> None:
    """What people vouch for, and figures published elsewhere beside these."""
    sheets.heading("Attestations and reconciliation")
    if closing is None:
        sheets.text_line("The month isn't signed: nobody's attestation has been collected yet.")
        return
    # Incomplete lists come first: those are what counsel has to see.
    sheets.lines(_attested(a) for a in sorted(closing["attestations"], key=lambda a: a["products_complete"]))
    if closing["not_attested"]:
        sheets.text_line(f"Nobody has attested for: {', '.join(closing['not_attested'])}.")
    rows = [
        (
            r["product"],
            f"{r['published']:,} {r['unit']}",
            people(r["ours"]["estimate"]) if r["ours"] else "–",
            f"{r['difference']:+,}" if r["ours"] else "–",
            f"{r['source']}, {r['on']}",
            r["reason"],
        )
        for r in closing["reconciliation"]
    ]
    if rows:
        heads = ("product", "published", "here", "difference", "where", "why they differ")
        sheets.rows(heads, rows, (26, 28, 24, 24, 32, 40), (1, 2, 3))
    else:
        sheets.text_line("No figure published elsewhere was compared.")


def _attested(a: Content) -> str:
    whole = "all products are listed" if a["products_complete"] else "products are missing from the list"
    document = f" ({a['document']}{', SHA-256 ' + a['sha256'][:16] + '…' if a['sha256'] else ''})" if a["document"] else ""
    return f"{a['affiliate']}, by {a['by']} on {a['on']}: {whole}. Active: {a['active']}. Left out: {a['exclusions']}.{document}"
