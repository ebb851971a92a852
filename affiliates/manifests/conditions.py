"""Row-wise conditions on events: a checked subset of PostgreSQL's SQL, as polars expressions or as another engine's SQL. Pure.

polars alone accepts aggregates and window functions, and silently gives their one value to all rows, so that
`max(amount) > 5` would count everybody. Only the expressions that are listed here get through.
"""

from collections.abc import Callable

import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from affiliates.errors import Code, refused
from affiliates.manifests import condition_texts

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
# Left out, since engines differ: `/` (whole numbers divide to whole numbers in PostgreSQL, not in polars), `*` (PostgreSQL
# raises an error when a number gets too large), casts of numbers (rounded in PostgreSQL, cut off in polars) and regular
# expressions (another dialect).
_WHAT_IS_ALLOWED = (
    "use comparisons, and/or/not, in, between, like, is null, is distinct from, case, + and -, "
    "lower, upper, length, starts_with, coalesce and date 'YYYY-MM-DD' on one row's columns"
)


_DEEPEST = 250
"""Expressions in one another. polars takes time by the square of them: 3,000 comparisons joined by `or` took a minute."""


def check(condition: str, subject: str) -> set[str]:
    """The columns that a condition reads. `subject` names the condition in a refusal.

    Raises `RefusedError` (condition-invalid) for an expression that isn't row-wise, or that means different things in different
    engines.
    """
    return {column.name for column in _tree(condition, subject).find_all(exp.Column)}


def sql(
    condition: str, dialect: str, column: Callable[[str], str], text: Callable[[str], str], order: Callable[[str], str] = str
) -> str:
    """The condition in another engine's SQL, which compares texts byte by byte, whatever collation a column has.

    `dialect` is sqlglot's name. `column` gives a column in that engine's SQL, and `text` a column as a text without collation.
    `order` makes a text of the SQL one whose order is that of its bytes. Raises `RefusedError` as `check` does, and
    (condition-invalid) where columns are compared with each other alone, so that nothing tells whether they are texts.
    """
    tree = _tree(condition, "a condition")
    texts = condition_texts.text_columns(tree)
    if unclear := condition_texts.unclear(tree, texts):
        raise refused(
            Code.CONDITION_INVALID,
            "a condition",
            "columns are compared with each other, and nothing says whether they are texts",
            ", ".join(unclear),
            "write `a || '' = b || ''` for texts, or `a + 0 = b + 0` for numbers",
        )

    # The innermost first, since the operands of each are parsed anew.
    orderings = [node for node in tree.find_all(*condition_texts.ORDERINGS) if condition_texts.orders_texts(node, texts)][::-1]
    whole = exp.Paren(this=tree)
    for named in list(tree.find_all(exp.Column)):
        there: exp.Expr = exp.maybe_parse((text if named.name in texts else column)(named.name), dialect=dialect)
        named.replace(there)
    for node in orderings:
        for name in ("this", "expression", "low", "high"):
            if (operand := node.args.get(name)) is not None:
                node.set(name, exp.maybe_parse(order(operand.sql(dialect)), dialect=dialect))
    return str(whole.this.sql(dialect))


def expression(condition: str, schema: pl.Schema, subject: str) -> pl.Expr:
    """The condition as a boolean expression over a frame with a schema; null for a row that the condition leaves undecided.

    Raises `RefusedError` as `check` does, and (condition-columns-wrong) for a missing column or types that don't fit.
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
    # Tried on a frame without rows: polars says only then whether the types fit.
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
            ", ".join(f"{column.name} is {_type_name(schema[column.name])}" for column in tree.find_all(exp.Column)),
            "compare like with like; text columns of CSV and JSON lines get a type by `types`",
        )
    return expr.cast(pl.Boolean)


def _widened(node: exp.Expr, schema: pl.Schema) -> exp.Expr:
    """Small whole numbers as bigint: in polars they would wrap around, 10 - 20 being 246."""
    if isinstance(node, exp.Column) and schema[node.name].is_integer() and schema[node.name] not in (pl.Int64, pl.UInt64):
        return exp.cast(node.copy(), exp.DType.BIGINT)
    return node


def _type_name(dtype: pl.DataType) -> str:
    return "text" if dtype == pl.String else str(dtype).lower()


def _tree(condition: str, subject: str) -> exp.Expr:
    """The condition's syntax tree, all of whose nodes are allowed."""
    too_deep = False
    try:
        statements = sqlglot.parse(condition, dialect="postgres")
        too_deep = any(statement is not None and _depth(statement) > _DEEPEST for statement in statements)
    except (ParseError, TokenError):
        statements = []
    except RecursionError:
        too_deep = True
    if too_deep:
        next_step = "write `column in (one, another)` for many values of a column"
        values = f"{len(condition):,} characters, at most {_DEEPEST} levels"
        raise refused(Code.CONDITION_INVALID, subject, "a condition is nested too deeply", values, next_step)
    if len(statements) != 1 or not isinstance(statements[0], exp.Expr):
        raise refused(Code.CONDITION_INVALID, subject, "a condition is not one SQL expression", "", _WHAT_IS_ALLOWED)
    tree = statements[0]
    for node in tree.walk():
        if kind := _kind_of_many_rows(node):
            raise refused(
                Code.CONDITION_INVALID,
                subject,
                f"{kind} in a condition",
                _masked(node),
                f"a condition looks at one event at a time: {_WHAT_IS_ALLOWED}",
            )
        if not _is_allowed(node):
            raise refused(Code.CONDITION_INVALID, subject, "not supported in a condition", _masked(node), _WHAT_IS_ALLOWED)
    whole = exp.Paren(this=tree)
    # The innermost first, since what is replaced is a copy.
    for node in reversed(list(tree.find_all(exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ))):
        # polars says null for `null is true`, PostgreSQL false: in `x is not true` that would lose rows.
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Boolean):
            node = node.replace(exp.NullSafeEQ(this=node.this.copy(), expression=node.expression.copy()))
        # Without parentheses polars (2.1) reads `a is distinct from b or c` as `a is distinct from (b or c)`.
        if isinstance(node, exp.NullSafeEQ | exp.NullSafeNEQ):
            node.replace(exp.Paren(this=node.copy()))
    result: exp.Expr = whole.this.copy()
    return result


def _depth(tree: exp.Expr) -> int:
    """How many expressions lie in one another at the most."""
    level = [tree]
    depth = 0
    while level:
        depth += 1
        level = [inner for node in level for inner in node.iter_expressions()]
    return depth


def _kind_of_many_rows(node: exp.Expr) -> str | None:
    """What an expression over more rows than one is called; nothing for any other expression."""
    if isinstance(node, exp.AggFunc):
        return "aggregate"
    if isinstance(node, exp.Window):
        return "window function"
    return "subquery" if isinstance(node, exp.Subquery | exp.Select) else None


def _is_allowed(node: exp.Expr) -> bool:
    """Whether an expression means the same in all engines: by its kind, and some kinds by what is in them."""
    match node:
        case exp.Cast():  # `date 'YYYY-MM-DD'` alone
            return bool(node.this.is_string and node.to.this == exp.DType.DATE)
        case exp.Between():
            return not node.args.get("symmetric")
        case exp.Column():  # A table's name before it would name another row's column.
            return not node.table
        case exp.Like() | exp.ILike():  # Engines differ on what a backslash in a pattern escapes.
            return bool(node.expression.is_string and "\\" not in node.expression.name)
        case exp.In():
            return not (node.args.get("query") or node.args.get("unnest"))
        case _:
            return isinstance(node, _ALLOWED)


def _masked(node: exp.Expr) -> str:
    """The SQL without its literals: somebody's identifier may stand among them."""
    hidden = node.transform(lambda inner: exp.Literal.string("…") if isinstance(inner, exp.Literal) else inner)
    return str(hidden.sql("postgres"))
