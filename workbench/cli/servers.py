"""Commands on named servers: list, add, change, remove, test, and give them their keys."""

import argparse
import asyncio
import getpass
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from workbench import servers
from workbench.backends.servers import KEYRING, KINDS, VARIABLE, Server, check_variable, kind_of, name_of
from workbench.cli.output import FAILED, table
from workbench.cli.stores import open_database
from workbench.errors import InvalidRequest
from workbench.settings import Settings
from workbench.store.servers import ServerStore
from workbench.terminal import harmless

ID = "its name: ollama@NAME or openai@NAME"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`models servers list`, `add`, `change`, `remove`, `test` and `key`."""
    of_servers = commands.add_parser("servers", help="several servers by name: Ollama's and OpenAI-compatible ones")
    over = of_servers.add_subparsers(required=True, metavar="COMMAND")
    listing = over.add_parser("list", help="the servers that there are")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(do=list_servers)
    adding = over.add_parser("add", help="add a server, once it has answered")
    changing = over.add_parser("change", help="change a server's address, model or key")
    for command in (adding, changing):
        command.add_argument("id", help=ID)
        _kept_flags(command)
    adding.add_argument("address", help="such as http://192.168.1.20:11434 or https://api.groq.com/openai/v1")
    adding.set_defaults(do=add_server)
    changing.add_argument("--address")
    changing.set_defaults(do=change_server)
    removing = over.add_parser("remove", help="forget a server and its key; its runs stay")
    removing.add_argument("--yes", action="store_true", help="do not ask")
    testing = over.add_parser("test", help="ask a server how it is")
    giving = over.add_parser("key", help="keep another key in the keyring: typed, or from standard input")
    for command, do in ((removing, remove_server), (testing, try_server), (giving, give_key)):
        command.add_argument("id", help=ID)
        command.set_defaults(do=do)


def _kept_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", help="the model that is chosen first")
    command.add_argument("--keep-alive", metavar="TIME", help="how long a model stays loaded (Ollama): 10m, forever, 0")
    key = command.add_mutually_exclusive_group()
    key.add_argument("--key-env", metavar="VARIABLE", help="its key is in this environment variable")
    key.add_argument("--keyring", action="store_true", help="keep its key in the keyring; you are asked for it")
    key.add_argument("--no-key", action="store_true", help="it needs none")
    command.add_argument("--untested", action="store_true", help="do not ask it first")


def list_servers(arguments: argparse.Namespace, settings: Settings) -> int:
    """One line per server; where its key is, never the key."""
    with _store(settings) as store:
        found = store.all()
    if arguments.json:
        for server in found:
            print(json.dumps({"id": server.id, **server.model_dump()}))
        return 0
    if not found:
        print("There are none yet: python -m workbench models servers add ollama@NAME ADDRESS", file=sys.stderr)
    rows = [[one.id, one.model, servers.where_the_key_is(one).removeprefix("key from "), one.address] for one in found]
    table(["SERVER", "MODEL", "KEY FROM", "ADDRESS"], rows)
    return 0


def add_server(arguments: argparse.Namespace, settings: Settings) -> int:
    """Keep a new server."""
    server = Server(kind=kind_of(arguments.id), name=name_of(arguments.id), address=arguments.address)
    if not server.name or server.kind not in KINDS:
        raise InvalidRequest(f"{arguments.id!r} is no name of a server.", "Write it as ollama@lab or openai@groq.")
    with _store(settings) as store:
        if store.find(server.id):
            raise InvalidRequest(f"There is a server {server.id} already.", "Use `models servers change`.")
        return _keep(arguments, settings, store, server)


def change_server(arguments: argparse.Namespace, settings: Settings) -> int:
    """Keep a server otherwise."""
    with _store(settings) as store:
        server = servers.find(store, arguments.id)
        if arguments.address is not None:
            server = server.model_copy(update={"address": arguments.address})
        return _keep(arguments, settings, store, server)


def _keep(arguments: argparse.Namespace, settings: Settings, store: ServerStore, server: Server) -> int:
    server = _with_flags(arguments, server)
    secret = _asked_for(server) if arguments.keyring else None
    if not arguments.untested:
        trial = asyncio.run(servers.tried(server, settings, secret))
        if not trial.answers:
            print(harmless(f"{trial}\n{trial.status.hint}".rstrip()), file=sys.stderr)
            print("It was not kept. Mend that, or add --untested.", file=sys.stderr)
            return FAILED
        print(harmless(str(trial)), file=sys.stderr)
    kept = servers.keep(store, server, settings, secret)
    if kept.in_the_open:
        print(servers.PLAIN_TEXT, file=sys.stderr)
    print(kept.id)
    return 0


def _with_flags(arguments: argparse.Namespace, server: Server) -> Server:
    options = dict(server.options)
    if arguments.keep_alive is not None:
        options["keep_alive"] = arguments.keep_alive
    changes: dict[str, object] = {"options": options}
    if arguments.model is not None:
        changes["model"] = arguments.model
    if arguments.key_env is not None:
        changes["key_from"] = VARIABLE + check_variable(arguments.key_env)
    if arguments.keyring or arguments.no_key:
        changes["key_from"] = KEYRING if arguments.keyring else ""
    return server.model_copy(update=changes)


def _asked_for(server: Server) -> SecretStr:
    """The key, typed unseen or from standard input: other programs can read a command line. Raises InvalidRequest."""
    if trouble := servers.keyring_trouble():
        raise InvalidRequest(trouble, "Put the key into .env, and say --key-env with its variable.")
    typed = getpass.getpass(f"Key of {server.id}: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not typed.strip():
        raise InvalidRequest("There is no key to keep.", "Type it, or give it on standard input.")
    return SecretStr(typed.strip())


def remove_server(arguments: argparse.Namespace, settings: Settings) -> int:
    """Forget a server."""
    with _store(settings) as store:
        server = servers.find(store, arguments.id)
        if not arguments.yes and not _confirmed(server):
            print("Nothing was removed.", file=sys.stderr)
            return 0
        servers.remove(store, server)
    print(f"The server {server.id} was removed.", file=sys.stderr)
    return 0


def _confirmed(server: Server) -> bool:
    if not sys.stdin.isatty():
        raise InvalidRequest("A server is forgotten with its key.", "Add --yes to say that you mean it.")
    print(f"Forget {server.id} at {server.address} and its key? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def try_server(arguments: argparse.Namespace, settings: Settings) -> int:
    """Say how a server is; 0 when it answers."""
    with _store(settings) as store:
        server = servers.find(store, arguments.id)
    trial = asyncio.run(servers.tried(server, settings))
    print(harmless(f"{server.id}: {trial}"))
    if trial.status.hint and not trial.status.ready:
        print(harmless(f"  {trial.status.hint}"))
    return 0 if trial.answers else FAILED


def give_key(arguments: argparse.Namespace, settings: Settings) -> int:
    """Keep a server's key in the keyring, in place of what it had."""
    with _store(settings) as store:
        server = servers.find(store, arguments.id)
        server = server.model_copy(update={"key_from": KEYRING})
        servers.keep(store, server, settings, _asked_for(server))
    print(f"The key of {server.id} is in the keyring.", file=sys.stderr)
    return 0


@contextmanager
def _store(settings: Settings) -> Iterator[ServerStore]:
    with open_database(settings) as database:
        yield ServerStore(database)
