"""Which columns of a condition hold texts, as far as the condition itself tells. Pure.

Another engine compares texts by its columns' collations, which may take `Bot` for `bot`. The condition is evaluated here byte by
byte. So texts are made plain in the SQL that is printed, and for that it must be known which columns are texts: numbers and days
must stay what they are. No table is looked at: a column that stands with a text is a text.
"""

from collections.abc import Iterator, Sequence

from sqlglot import exp

_OF_TEXTS = (exp.Lower, exp.Upper, exp.Length, exp.Like, exp.ILike, exp.StartsWith, exp.DPipe)
"""Whose operands are texts whatever they are."""
COMPARISONS = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
ORDERINGS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
"""Which of two texts comes first is a matter of collation even where equality isn't."""


def text_columns(tree: exp.Expr) -> set[str]:
    """The names of a condition's columns that hold texts, by what stands beside them anywhere in the condition."""
    texts = set[str]()
    groups = list(_groups(tree))
    # A column that turns out to be a text may make another one a text, so until nothing changes.
    while True:
        known = len(texts)
        for are_texts, operands in groups:
            if are_texts or any(is_text(operand, texts) for operand in operands):
                texts.update(column.name for operand in operands for column in _columns(operand))
        if len(texts) == known:
            return texts


def is_text(node: exp.Expr, texts: set[str]) -> bool:
    """Whether a part of a condition is a text; `texts` are the columns that are known to be."""
    match node:
        case exp.Literal():
            return bool(node.is_string)
        case exp.Lower() | exp.Upper() | exp.DPipe():
            return True
        case exp.Column():
            return node.name in texts
        case exp.Paren() | exp.Coalesce() | exp.Case():
            return any(is_text(value, texts) for value in _values(node))
        case _:
            return False


def orders_texts(node: exp.Expr, texts: set[str]) -> bool:
    """Whether a comparison by `<`, `between` and the like is one of texts."""
    return any(is_text(operand, texts) for operand in _compared(node))


def unclear(tree: exp.Expr, texts: set[str]) -> list[str]:
    """The names of columns that are compared with columns alone, so that nothing tells whether they are texts."""
    names = list[str]()
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ, exp.In):
        operands = [_bare(operand) for operand in _compared(node)]
        if all(isinstance(operand, exp.Column) and operand.name not in texts for operand in operands):
            names += [operand.name for operand in operands]
    return list(dict.fromkeys(names))


def _groups(tree: exp.Expr) -> Iterator[tuple[bool, list[exp.Expr]]]:
    """Parts of a condition that are of one type, and whether that is text whatever they are."""
    for node in tree.walk():
        if isinstance(node, _OF_TEXTS):
            yield True, [node.this] + ([node.expression] if isinstance(node, exp.Binary | exp.StartsWith) else [])
        elif isinstance(node, (*COMPARISONS, exp.In, exp.Between)):
            yield False, _compared(node)
        elif isinstance(node, exp.Coalesce | exp.Case):
            yield False, _values(node)
        if isinstance(node, exp.Case) and node.this is not None:
            yield False, [node.this, *(branch.this for branch in node.args["ifs"])]


def _compared(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.In):
        return [node.this, *node.expressions]
    if isinstance(node, exp.Between):
        return [node.this, node.args["low"], node.args["high"]]
    return [node.this, node.expression]


def _values(node: exp.Expr) -> list[exp.Expr]:
    """What a part of a condition may come out as: the same type as the part itself."""
    if isinstance(node, exp.Coalesce):
        return [node.this, *node.expressions]
    if isinstance(node, exp.Case):
        default: Sequence[exp.Expr] = [node.args["default"]] if node.args.get("default") else []
        return [*(branch.args["true"] for branch in node.args["ifs"]), *default]
    return [node.this] if isinstance(node, exp.Paren) else []


def _columns(node: exp.Expr) -> Iterator[exp.Column]:
    """The columns that a part of a condition may come out as."""
    if isinstance(node, exp.Column):
        yield node
    for value in _values(node):
        yield from _columns(value)


def _bare(node: exp.Expr) -> exp.Expr:
    return _bare(node.this) if isinstance(node, exp.Paren) else node
