"""The words of the page of evidence, for a reader who doesn't know the program. Pure."""

WORDS = (
    (
        "affiliate",
        "an entity that is controlled by the ultimate parent on the day that counts: by more than the named share of "
        "its capital, held by members of the group, or by contract",
    ),
    (
        "at best, at worst",
        "of what could be brought: that it adds nobody whom the rest doesn't have, and that everybody in it is somebody else",
    ),
    ("at least, at most", "the ends of the 95 % interval: the true number lies between them in at least 95 of 100 cases"),
    ("audience", "who a user is to the group: external (the public), internal (its staff), automated (programs such as robots)"),
    ("ceiling", "a number that a product's users can't exceed, such as its registered accounts; it is in the upper end alone"),
    ("count", "a number of users of a product in a month that a person has vouched for, where there is no sketch"),
    ("covered", "the days, or months, of a product for which data was handed in, of those that were due"),
    ("crosswalk", "a table that joins the identifiers of one person, so that the person counts once"),
    ("digest", "64 characters that are computed from a text or a file, and change when any character of it changes"),
    ("estimate", "the number of people if identifiers that nothing joins, and counts, belong to different people"),
    (
        "identifier, namespace",
        "what a product knows a user by, and the kind of it: an e-mail address, a telephone number, a device",
    ),
    (
        "identifiers per person",
        "how many identifiers of a namespace one person has in a month, as the group says: with at most three, 900 identifiers "
        "are of at least 300 people",
    ),
    (
        "key",
        "what an identifier becomes by a secret of the group: the same identifier gives the same key, and no key gives its "
        "identifier back",
    ),
    ("ledger", "the list of all that was published, tested and erased; each entry holds the digest of the entry before"),
    (
        "preliminary, closed, restated",
        "nobody has signed the month's figures, and they can change; a named person has signed them; "
        "somebody has signed other figures later, and both are kept",
    ),
    (
        "reading",
        "a way to read the clause where its words leave something open, written down by the group; the "
        "reading of record is the one that the group stands by",
    ),
    (
        "same or different people",
        "the people if all identifiers that nothing joins belong to as few people as the group's word "
        "on identifiers per person allows, and if they all belong to different people: the truth lies between",
    ),
    ("settled", "computed after the late events of its days had come, by the number of days that the product itself has named"),
    (
        "sketch, sketch error",
        "a summary of keys that tells how many different ones there were, and keeps none of them; the sketch "
        "error is one standard error of what it tells, in people",
    ),
    ("sum of products", "all products' people added up: a person of two products counts twice"),
    ("threshold", "the number of users that the clause names"),
    (
        "under, over, undetermined",
        "the upper end isn't above the threshold; the lower end is above it; neither, so it can't be "
        "told. Not measured: nothing was handed in for the month. Granted: a grant of the licensor covers "
        "it. Exempt: the text itself leaves this use out",
    ),
    ("vie", "a variable interest entity: it is controlled by contract, whoever holds its shares"),
)
"""Each word, or words that belong together, with what it means; in the order of the alphabet."""
