"""The index of words: which texts have a word, or a part of one, in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from BTrees.OOBTree import OOBTree, OOTreeSet, intersection
from persistent import Persistent

WORD = re.compile(r"\w+")
EXACT, PREFIX, INSIDE = 3, 2, 1
PART = 3
"""How many letters the parts have by which words are found."""


class WordIndex(Persistent):
    """The words of some texts with the ids of the texts, and the words by their parts.

    Transactions that change texts merge, unless a tree's bucket splits, or both bring a word or a
    part that is new, or take the last one away.
    """

    def __init__(self) -> None:
        self._ids = OOBTree()
        self._words = OOBTree()

    def add(self, id: str, text: str) -> None:
        """Note that *text* is that of *id*."""
        for word in words(text):
            if word not in self._ids:
                self._ids[word] = OOTreeSet()
                self._add_word(word)
            self._ids[word].insert(id)

    def remove(self, id: str, text: str) -> None:
        """Forget *text*, which is that of *id*."""
        for word in words(text):
            self._ids[word].remove(id)
            if not self._ids[word]:
                del self._ids[word]
                self._remove_word(word)

    def search(self, text: str) -> dict[str, int]:
        """Return who has every word of *text* in it, with how well that fits: more is better.

        A word is found anywhere in one of the text's; as a whole word or at its beginning it
        counts more. Nobody has no words at all.
        """
        wanted = words(text)
        if not wanted:
            return {}
        scores = [self._scores(word) for word in wanted]
        shared = set(scores[0]).intersection(*scores[1:])
        return {one: sum(score[one] for score in scores) for one in shared}

    def _scores(self, wanted: str) -> dict[str, int]:
        scores: dict[str, int] = {}
        for word in self._candidates(wanted):
            if wanted in word:
                score = EXACT if word == wanted else PREFIX if word.startswith(wanted) else INSIDE
                for one in self._ids[word]:
                    scores[one] = max(score, scores.get(one, 0))
        return scores

    def _candidates(self, wanted: str) -> Iterable[str]:
        """Return the words that have all parts of *wanted*; all words, where it is too short."""
        found: Any = None
        for part in _parts(wanted):
            having = self._words.get(part, ())
            found = having if found is None else intersection(found, having) if having else ()
            if not found:
                return ()
        words_found: Iterable[str] = self._ids.keys() if found is None else found
        return words_found

    def _add_word(self, word: str) -> None:
        for part in _parts(word):
            if part not in self._words:
                self._words[part] = OOTreeSet()
            self._words[part].insert(word)

    def _remove_word(self, word: str) -> None:
        for part in _parts(word):
            self._words[part].remove(word)
            if not self._words[part]:
                del self._words[part]


def words(text: str) -> set[str]:
    """Return the words of *text*, as they are compared: whatever their case and encoding."""
    return set(WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def _parts(word: str) -> set[str]:
    return {word[start : start + PART] for start in range(len(word) - PART + 1)}
