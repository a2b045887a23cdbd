"""Tasks that a request of a real Zope has enqueued see its site, user and addresses.

Covers `daemon.zope`.
"""

from __future__ import annotations

import importlib
import sys

import pytest
from werkzeug.test import Client as HttpClient

from scheduler import Client
from scheduler.store import open_database, transact
from tests.docs.test_documents import blocks
from tests.faults.processes import Daemon, serving
from tests.ports import free_port
from tests.waiting import wait_for

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

CONF = """
%define INSTANCE {folder}
instancehome $INSTANCE
<zodb_db main>
  mount-point /
  <zeoclient>
    server 127.0.0.1:{port}
    storage 1
  </zeoclient>
</zodb_db>
"""


@pytest.fixture
def zope(tmp_path, monkeypatch):
    """A Zope with a shelf in it, served by a ZEO server; its WSGI application and its URI."""
    pytest.importorskip("Zope2")
    (code,) = blocks("zope.md", "python")
    (tmp_path / "bookshop.py").write_text(code)
    port = free_port()
    conf = tmp_path / "zope.conf"
    conf.write_text(CONF.format(folder=tmp_path, port=port))
    (tmp_path / "etc").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    with serving(tmp_path / "data.fs", port):
        import Zope2
        from Zope2.Startup.run import make_wsgi_app

        from scheduler.runtime.hook_registry import REGISTRY

        monkeypatch.setattr(REGISTRY, "_hooks", [])
        app = make_wsgi_app({}, str(conf))
        bookshop = importlib.import_module("bookshop")
        plant(Zope2, bookshop)
        yield app, f"zeo://127.0.0.1:{port}?wait_timeout=30", tmp_path
        Zope2.DB.close()
    sys.modules.pop("bookshop", None)


def plant(zope, bookshop):
    """Put a shelf, and a user who may see it, into the database."""
    import transaction

    root = zope.app()
    root.acl_users._doAddUser("reader", "secret", ["Manager"], [])
    root._setObject("shelf", bookshop.Shelf("shelf"))
    transaction.commit()
    root._p_jar.close()


@pytest.mark.timeout(240)
def test_a_task_of_a_request_has_its_user_addresses_and_acquisition(zope, monkeypatch):
    app, uri, folder = zope
    client = HttpClient(app)
    host = "VirtualHostBase/https/books.example.org:443/VirtualHostRoot"
    with pytest.raises(ValueError, match="no shelf"):
        client.get("/shelf/broken", auth=("reader", "secret"))
    answer = client.get(f"/{host}/shelf/announce", auth=("reader", "secret"))
    assert answer.get_data(as_text=True) == "it will be announced"
    database = open_database(uri)
    try:
        ((user, request),) = transact(database, origins)
        assert (user, request.split()[0]) == ("reader", "GET")
        assert request.endswith("/shelf/announce")
        monkeypatch.setenv("PYTHONPATH", f"{folder}:{':'.join(sys.path)}")
        monkeypatch.setenv("ZOPE_CONFIG", str(folder / "zope.conf"))
        daemon = Daemon(folder, uri, workers=1, hooks=["daemon.zope:ZopeHooks"])
        try:
            found = wait_for(lambda: transact(database, announced), what="the announcement")
            assert "hook" not in daemon.text()
        finally:
            daemon.close()
    finally:
        database.close()
    assert found == ["https://books.example.org/shelf", "/shelf", "reader"]


def origins(connection):
    return [task.getOrigin()[2:] for _, task in Client(connection).getSpool()]


def announced(connection):
    return connection.root()["Application"]._getOb("shelf").announced
