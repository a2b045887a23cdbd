"""Any name is one segment of an address."""

from __future__ import annotations

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st
from werkzeug.routing import Map, Rule

from daemon.console.segment import CONVERTERS

ROUTES = Map([Rule("/agents/<name:aid>/pause", endpoint="pause")], converters=CONVERTERS)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_name_is_found_again_in_the_address_made_of_it(name):
    routes = ROUTES.bind("localhost")
    address = routes.build("pause", {"aid": name})
    assert routes.match(unquote(address)) == ("pause", {"aid": name})
