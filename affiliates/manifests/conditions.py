"""Row-wise conditions on events: a checked subset of PostgreSQL, as polars expressions.

polars alone accepts aggregates and window functions and silently broadcasts their one value over
all rows, so that `max(amount) > 5` would count everybody: only what is listed here gets through.
"""

from collections.abc import Callable

import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from affiliates.errors import Code, refused

_ALLOWED: tuple[type[exp.Expr], ...] = (
    exp.And,
    exp.Or,
    exp.Not,
    exp.Paren,
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.Is,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.In,
    exp.Between,
    exp.Like,
    exp.ILike,
    exp.Add,
    exp.Sub,
    exp.Neg,
    exp.Lower,
    exp.Upper,
    exp.Coalesce,
    exp.StartsWith,
    exp.Length,
    exp.DPipe,
    exp.Case,
    exp.If,
    exp.Cast,
    exp.DataType,
    exp.Column,
    exp.Identifier,
    exp.Literal,
    exp.Boolean,
    exp.Null,
)
# Left out for what they mean elsewhere: `/` (whole numbers divide to whole numbers in PostgreSQL,
# not in polars), `*` (PostgreSQL says when a number gets too large), casts of numbers (rounded there,
# cut off here) and regular expressions (another dialect).
_WHAT_IS_ALLOWED = (
    "use comparisons, and/or/not, in, between, like, is null, is distinct from, case, + and -, "
    "lower, upper, length, starts_with, coalesce and date 'YYYY-MM-DD' on one row's columns"
)


def check(condition: str, subject: str) -> set[str]:
    """The columns that a condition reads.

    Raises `RefusedError` for anything that isn't row-wise or means different things in different engines.
    """
    return {column.name for column in _tree(condition, subject).find_all(exp.Column)}


def sql(condition: str, dialect: str, column: Callable[[str], str]) -> str:
    """The condition in another engine's SQL, its columns named as `column` has them there."""

    def named(node: exp.Expr) -> exp.Expr:
        return exp.maybe_parse(column(node.name), dialect=dialect, into=exp.Column) if isinstance(node, exp.Column) else node

    return str(_tree(condition, "a condition").transform(named).sql(dialect))


def expression(condition: str, schema: pl.Schema, subject: str) -> pl.Expr:
    """The condition over a frame of that schema, as a boolean expression (null where undecided).

    Raises `RefusedError` for a missing column or for types that don't fit.
    """
    tree = _tree(condition, subject)
    missing = sorted({column.name for column in tree.find_all(exp.Column)} - set(schema))
    if missing:
        raise refused(
            Code.CONDITION_COLUMNS_WRONG,
            subject,
            "a condition names a column that isn't there",
            ", ".join(missing),
            "correct the condition",
        )
    tree = tree.transform(lambda node: _widened(node, schema))
    try:
        # Quoted, since the names were matched exactly as they are written in the file.
        expr = pl.sql_expr(tree.sql("postgres", identify=True))
        result = pl.DataFrame(schema=schema).lazy().select(expr.alias("_")).collect().schema["_"]
    except pl.exceptions.PolarsError:
        result = None
    if result not in (pl.Boolean, pl.Null):
        raise refused(
            Code.CONDITION_COLUMNS_WRONG,
            subject,
            "the types in a condition don't fit together" if result is None else "a condition must be true or false",
            ", ".join(f"{c.name} is {_spoken(schema[c.name])}" for c in tree.find_all(exp.Column)),
            "compare like with like; text columns of CSV and JSON lines get a type by `types`",
        )
    return expr.cast(pl.Boolean)


def _widened(node: exp.Expr, schema: pl.Schema) -> exp.Expr:
    """Small whole numbers as bigint: in polars they would wrap around, 10 - 20 being 246."""
    if isinstance(node, exp.Column) and schema[node.name].is_integer() and schema[node.name] not in (pl.Int64, pl.UInt64):
        return exp.cast(node.copy(), exp.DType.BIGINT)
    return node


def _spoken(dtype: pl.DataType) -> str:
    return "text" if dtype == pl.String else str(dtype).lower()


def _tree(condition: str, subject: str) -> exp.Expr:
    try:
        statements = sqlglot.parse(condition, dialect="postgres")
    except (ParseError, TokenError):
        statements = []
    if len(statements) != 1 or not isinstance(statements[0], exp.Expr):
        raise refused(Code.CONDITION_INVALID, subject, "a condition is not one SQL expression", "", _WHAT_IS_ALLOWED)
    tree = statements[0]
    for node in tree.walk():
        if isinstance(node, exp.AggFunc | exp.Window | exp.Subquery | exp.Select):
            what = (
                "aggregate"
                if isinstance(node, exp.AggFunc)
                else "window function"
                if isinstance(node, exp.Window)
                else "subquery"
            )
            raise refused(
                Code.CONDITION_INVALID,
                subject,
                f"{what} in a condition",
                _masked(node),
                f"a condition looks at one event at a time: {_WHAT_IS_ALLOWED}",
            )
        fine = isinstance(node, _ALLOWED)
        if isinstance(node, exp.Cast):
            fine = node.this.is_string and node.to.this == exp.DType.DATE
        elif isinstance(node, exp.Between):
            fine = not node.args.get("symmetric")
        elif isinstance(node, exp.Column):
            fine = not node.table
        elif isinstance(node, exp.Like | exp.ILike):
            fine = node.expression.is_string and "\\" not in node.expression.name
        elif isinstance(node, exp.In):
            fine = not (node.args.get("query") or node.args.get("unnest"))
        if not fine:
            raise refused(Code.CONDITION_INVALID, subject, "not supported in a condition", _masked(node), _WHAT_IS_ALLOWED)
    # polars says null for `null is true`, PostgreSQL false: in `x is not true` that would lose rows.
    return tree.transform(
        lambda node: (
            exp.NullSafeEQ(this=node.this, expression=node.expression)
            if isinstance(node, exp.Is) and isinstance(node.expression, exp.Boolean)
            else node
        )
    )


def _masked(node: exp.Expr) -> str:
    """The SQL without its literals: somebody's identifier may stand among them."""
    hidden = node.transform(lambda n: exp.Literal.string("…") if isinstance(n, exp.Literal) else n)
    return str(hidden.sql("postgres"))
