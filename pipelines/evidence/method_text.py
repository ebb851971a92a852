"""How figures were counted, in words for a reader who isn't of the trade; part of every bundle of evidence."""

from pipelines.counting.convention import FIRST_WITH_CONTRADICTIONS, FIRST_WITH_RANGES

# Part of every bundle, word by word: a changed text changes bundles' digests.
_UNITED = """\
Each affiliate turns its users' identifiers into keys by a secret that the group shares (HMAC-SHA256 over the normalised
identifier and its namespace), and hands over a HyperLogLog sketch of the keys for each product and day, or month. No identifier
leaves it. A canary in each contribution, a sketch of fixed identifiers, proves that normalisation, key and hash were the group's.

The centre unites the sketches of all products of the members of the group, whoever owns them: within a namespace (a kind of
identifier) each key counts once. Across namespaces that no crosswalk joins nobody can tell who is who: between all the same
people and all different ones lies the identity interval.
"""
_BEFORE_RANGES = """
The estimate takes unjoined namespaces for different people. The interval reaches from the 95 % lower bound if they are the same
to the 95 % upper bound if they are different, with counts and ceilings of products that gave no sketch. There is no upper bound
while anything that was due is missing or was computed before its late events had arrived, and nothing stands in for it.
"""
_WITH_RANGES = """
The estimate takes each identifier that the crosswalk doesn't join, and everybody in a count, for another person. How many
identifiers of a namespace one person has is as the group says (group.json, `namespaces`): with at most k a person, N identifiers
are of at least N / k people; where the group says nothing, they only show that somebody is there. The interval reaches from the
95 % lower bound of the namespace that needs the most people to the 95 % upper bound if all identifiers are different people, or
several people's where people share one, with counts and ceilings of products that gave no sketch. There is no upper bound while
anything that was due is missing or was computed before its late events had arrived, and nothing stands in for it.
"""
_WITH_CONTRADICTIONS = """
Nor is there one where two numbers of a product contradict each other, such as an attested count and its sketches: one of the two
is wrong, and the figure names both.
"""
_RESULTS = """
A test is under the threshold only when there is an upper bound and it doesn't exceed it; over only when the lower bound does;
else it is undetermined.
"""


def method_text(method: int) -> str:
    """How figures of a version of counting were made, in words for a reader who isn't of the trade."""
    bounds = _BEFORE_RANGES if method < FIRST_WITH_RANGES else _WITH_RANGES
    return _UNITED + bounds + (_WITH_CONTRADICTIONS if method >= FIRST_WITH_CONTRADICTIONS else "") + _RESULTS
