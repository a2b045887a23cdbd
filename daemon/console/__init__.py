"""The console: the pages at `/`, and the actions on them.

A page is one module in `daemon/console/pages` and one template of the same name:

    PAGE = ConsolePage("/queues", "queues.html", _facts, label="Queues")

    def _facts(visit: Visit) -> Facts:
        return {"queues": Client(visit.connection).getQueues()}

and a line in `PAGES` of `daemon/console/pages/__init__.py`. The facts are read from one snapshot of
the database, which is `visit.connection` and the current one. The template extends `base.html`, and
what it shows keeps up by itself: `console.js` asks for the page again after a commit, and changes
those elements only that differ. Rows of a table have a `data-key`, by which they are recognized.

An action is a form and a function that runs in one transaction, with the name of the user:

    PAUSE = Action("/queues/<name>/pause", _pause, PAGE)

    def _pause(visit: Visit) -> str:
        Client(visit.connection).pause(visit.arguments["name"])
        return f"Queue {visit.arguments['name']} is paused"

    {% call form(visit, "/queues/" ~ name ~ "/pause") %}<button>Pause</button>{% endcall %}

The sentence that it returns is shown on the page, and kept in the list of actions. An operator may
do it, unless the action says another `role`; `visit.may(action)` tells the template. It raises
FieldFault for bad input: nothing is done, and the page is shown again with the message at the
field (macro `field`). It may run twice, after a conflict. Actions stand in `ACTIONS`.
"""
