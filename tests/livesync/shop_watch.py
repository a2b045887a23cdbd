"""The part of the application that names what is watched; few of its processes import it."""

from livesync.watching import watch
from tests.livesync.shop import Book, number_of

watch(Book, identify=number_of)
