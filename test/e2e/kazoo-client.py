"""A stock client (kazoo) against a server at argv[1] with digest credentials argv[2]. Prints ok, or what went wrong."""

import logging
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError, NotEmptyError, RolledBackError

logging.disable(logging.CRITICAL)
hosts, credentials = sys.argv[1:3]


def connect():
    client = KazooClient(hosts=hosts, auth_data=[("digest", credentials)], timeout=6)
    client.start(timeout=10)
    return client


def fails(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind:
        return
    raise AssertionError(f"expected {kind.__name__}")


zk, other = connect(), connect()
assert zk.command(b"ruok") == "imok"
assert "zk_znode_count" in zk.command(b"mntr")

zk.create("/k", b"one")
data, stat = zk.get("/k")
assert (data, stat.version, stat.dataLength, stat.numChildren) == (b"one", 0, 3, 0)
assert zk.set("/k", b"two").version == 1
fails(NodeExistsError, zk.create, "/k")
fails(BadVersionError, zk.set, "/k", b"x", version=0)
fails(NoNodeError, zk.get, "/none")
assert zk.create("/k/s-", sequence=True) == "/k/s-0000000000"
path, stat = zk.create("/k/with-stat", b"abc", include_data=True)
assert path == "/k/with-stat" and stat.dataLength == 3
fails(NotEmptyError, zk.delete, "/k")
assert sorted(zk.get_children("/k")) == ["s-0000000000", "with-stat"]
assert zk.get_acls("/k")[0][0].perms == 31
assert zk.sync("/k") == "/k"

# One-shot watches, three kinds.
seen, done = [], threading.Event()


def note(event):
    seen.append((event.type, event.path))
    if len(seen) == 3:
        done.set()


zk.exists("/w", watch=note)
other.create("/w")
zk.get("/w", watch=lambda event: note(event))
zk.get_children("/w", watch=lambda event: note(event))
other.create("/w/c")
other.set("/w", b"x")
assert done.wait(10), seen
assert seen == [("CREATED", "/w"), ("CHILD", "/w"), ("CHANGED", "/w")], seen

# Transactions.
good = zk.transaction()
good.check("/k", version=1)
good.create("/k/t", b"t")
good.set_data("/k", b"three")
good.delete("/k/with-stat")
assert good.commit()[1] == "/k/t"
bad = zk.transaction()
bad.create("/k/never")
bad.delete("/none")
bad.create("/k/neither")
results = bad.commit()
assert isinstance(results[0], RolledBackError) and isinstance(results[1], NoNodeError), results
assert zk.exists("/k/never") is None

# Ephemeral nodes, and recipes that lean on them.
other.create("/e", ephemeral=True)
assert zk.exists("/e").ephemeralOwner == other.client_id[0]
counter = zk.Counter("/count")
counter += 5
assert other.Counter("/count").value == 5
order = []
with zk.Lock("/lock", "first"):
    waiter = threading.Thread(target=lambda: other.Lock("/lock", "second").acquire() and order.append("second"))
    waiter.start()
    order.append("first")
waiter.join(10)
assert order == ["first", "second"], order
other.stop()
assert zk.exists("/e") is None

# A broken connection: the session and the watch survive.
again = threading.Event()
zk.get("/k", watch=lambda event: again.set())
session = zk.client_id
zk._connection._socket.shutdown(2)
zk.retry(zk.set, "/k", b"four")
assert again.wait(10)
assert zk.client_id == session
zk.stop()
print("ok")
