"""What an operator may do to a store with a stock client. argv: hosts, digest credentials, verb, path, text. Prints one line."""

import logging
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NotEmptyError
from kazoo.security import make_digest_acl

logging.disable(logging.CRITICAL)
hosts, credentials, verb, path, *rest = sys.argv[1:]
zk = KazooClient(hosts=hosts, auth_data=[("digest", credentials)], timeout=6)
zk.start(timeout=10)


def walk(at):
    nodes = 1
    for name in zk.get_children(at):
        nodes += walk(at + "/" + name)
    return nodes


if verb == "get":
    print(zk.get(path)[0].decode())
elif verb == "count":
    print(walk(path))
elif verb == "acl":
    print(",".join(sorted(acl.id.scheme for acl in zk.get_acls(path)[0])))
elif verb == "deleteall":
    # Live processes stand for election again at once: their places are all that may be left.
    for name in zk.get_children(path):
        try:
            zk.delete(path + "/" + name, recursive=True)
        except NotEmptyError:
            assert name == "elections", name
    print("gone")
elif verb == "set":
    zk.ensure_path(path)
    zk.set(path, rest[0].encode())
    print("set")
elif verb == "large":
    zk.ensure_path(path)
    zk.set(path, b"x" * int(rest[0]))
    print("set")
elif verb == "private":
    zk.ensure_path(path)
    user, password = rest[0].split(":")
    zk.set_acls(path, [make_digest_acl(user, password, all=True)])
    print("private")
zk.stop()
