"""What generated training data never contains, so that benchmarks can ask it (the same in every run).

20 % of the (a, b, noun) triples, by a hash of the triple, are left out of every word problem with a product;
so are all triples of eight operand pairs, which training meets only in drills and plain statements. 20 % of the
sums and products with a two-digit operand are left out of drills and statements. Operands count in any order.
"""

import hashlib

UNSEEN_PAIRS = frozenset({(2, 9), (3, 4), (3, 8), (4, 7), (5, 6), (6, 9), (7, 7), (8, 9)})
SHARE = 0.2


def triple_is_held_out(a: int, b: int, noun: str) -> bool:
    """Whether no training word problem may have a × b of this noun (plural, as in the text)."""
    return is_unseen_pair(a, b) or _falls_out(f"{min(a, b)} {max(a, b)} {noun}")


def is_unseen_pair(a: int, b: int) -> bool:
    """Whether the pair of operands is in no training word problem, whatever the noun."""
    return (min(a, b), max(a, b)) in UNSEEN_PAIRS


def sum_is_held_out(a: int, b: int) -> bool:
    """Whether a + b may only be asked by a benchmark.

    Sums of two single digits never are, nor of multiples of ten: 20 + 8 is a step of split products.
    """
    return max(a, b) > 9 and max(a, b) % 10 != 0 and _falls_out(f"{min(a, b)} + {max(a, b)}")


def product_is_held_out(a: int, b: int) -> bool:
    """Whether a × b may only be asked by a benchmark; the table up to 9 × 9 never is."""
    return max(a, b) > 9 and _falls_out(f"{min(a, b)} * {max(a, b)}")


def _falls_out(key: str) -> bool:
    digest = hashlib.sha256(key.encode()).digest()  # not hash(): it differs between processes
    return int.from_bytes(digest[:8], "big") < SHARE * 2**64
