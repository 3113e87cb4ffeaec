"""Which letter follows which in English.

Counted in the docstrings of Python 3.11's standard library: 3,513 words that occur in three modules or more, each
weighted by its count to the power 0.75, which lies between running text and a dictionary; half a count added to every
pair. Only these frequencies are kept, no words, so that any word can be read.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SYMBOLS = " abcdefghijklmnopqrstuvwxyz"  # the blank stands for a word's start and end

# A row for each symbol, in it a digit of base 36 for each symbol that may follow: the information of that pair in
# half bits, so that "2" stands for a probability of one half.
_HALF_BITS = (
    "y797999cb7ifa9a89h877bd9jgj",  # start of a word
    "9va89nfbv9ne696vbq685cdggcn",  # a
    "a7jbe4rjr98r5gr7eraae6rlr7k",  # b
    "96ubo6uk79u98jl4jiae69uuugu",  # c
    "2ahmb4pdn6jubuo9lucagalmufu",  # d
    "4ah87ccekfrkab7hce668kdfafo",  # e
    "57rdi89kr4rrbrk5kr8gb8rrrdr",  # f
    "2cjlm5lba7rmbfadjr99f8mrrri",  # g
    "65ssm3ssm6ssghh6ssbhbesssgs",  # h
    "dbc9aa9bvjvg8947clb77vbvevd",  # i
    "8akkk1kkkekkkkk8kkk8k6kkkkk",  # j
    "39fog3odo7oobobocoo7oeobooo",  # k
    "57fia4ekn6ul6nl7fuhaaaihu8m",  # l
    "75asj3sss8ssdag76sjbhaslsjs",  # m
    "58k877d6jaqfehd9gnk86cdqven",  # n
    "7eb98gacvepda84c9v5a98bagln",  # o
    "85mff5jje9tn6no78t6d7ahmtbt",  # p
    "dkkkkkkkkkkkekekkkkkk0kkkkk",  # q
    "57jcb4ebm7veeb97gva99befvbv",  # r
    "3bvcv5gjc8vgfhvaall869mjpdv",  # s
    "48nei5iw56widil8fw89b9pfwcw",  # t
    "cbaad7dctatt786e8t566tttltt",  # u
    "c4pgp2ppp6pppppbpppippppppp",  # v
    "66qqh7qq54qqcqa7qq7aqqqhqqq",  # w
    "57j7o6ooh6oogaoo7ooh4oooceo",  # x
    "1qffqbjhqaqqdcba8qh97qlcqqq",  # y
    "b7jjj1jjj7jjjcj9jjjjjjjjjej",  # z
)


@lru_cache(maxsize=1)
def english_pairs() -> NDArray[np.float64]:
    """Probability that a symbol (column) follows another (row), float64 [27, 27]; each row sums to 1."""
    half_bits = np.array([[int(digit, 36) for digit in row] for row in _HALF_BITS], dtype=np.float64)
    pairs = 2.0 ** (-half_bits / 2)
    pairs /= pairs.sum(axis=1, keepdims=True)
    pairs.setflags(write=False)
    return pairs
