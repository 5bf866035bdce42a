"""The rules that keep the rooms apart, as a checker of sources: path and text in, faults out."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

IMPURE = frozenset(
    (
        *("faust", "mode", "aiokafka", "httpx", "prometheus_client", "asyncio", "socket", "subprocess"),
        *("time", "random", "uuid", "secrets", "os", "logging"),
    )
)
"""What a Core module never imports: clocks, sockets, randomness, the environment, logs."""
CLOCKS = frozenset(["now", "utcnow", "today"])
"""Methods of datetime's classes that read the clock."""
OPEN_TO_ALERTS = (
    "stream.events",
    "stream.wire",
    "stream.instant",
    "stream.refusal",
    "stream.digits",
    "stream.dead_letter",
    "stream.settings",
    "stream.topics",
    "stream.topic_watch",
    "stream.engine",
)
HTTPX_ROOM = "alerts/http.py"
BANNED_NAMES = frozenset(
    ["util", "utils", "helper", "helpers", "manager", "managers", "common", "data", "info", "misc"],
)
TAGS = ("Core.", "Edge.", "Shell.")
MODULE_LINES = 300
FUNCTION_LINES = 40

Function = ast.FunctionDef | ast.AsyncFunctionDef


def faults(path: str, source: str, tags: Mapping[str, str] | None = None) -> list[str]:
    """Return what one module breaks; ``tags`` gives other modules' tags by dotted name."""
    tree = ast.parse(source)
    tag = tag_of(tree)
    imports = sorted(imported(tree))
    found = [
        *_form(path, source, tree, tag),
        *_rooms(path, imports),
        *((*_purity(imports, tags or {}), *_clocks(tree)) if tag == "Core." else ()),
        *(f"import at line {node.lineno} is relative" for node in ast.walk(tree) if _is_relative(node)),
    ]
    return [f"{path}: {fault}" for fault in found]


def tag_of(tree: ast.Module) -> str:
    """Return the first word of the module's docstring, empty without one."""
    return ((ast.get_docstring(tree) or "").split() or [""])[0]


def module_name(path: str) -> str:
    """Return the dotted name of the module at ``path``."""
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.Module) -> set[str]:
    """Return every dotted name that is imported anywhere in the module, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _is_relative(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and node.level > 0


def _within(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def _form(path: str, source: str, tree: ast.Module, tag: str) -> Iterator[str]:
    lines = len(source.splitlines())
    if lines > MODULE_LINES:
        yield f"{lines} lines: want at most {MODULE_LINES}"
    if tag not in TAGS:
        yield f"docstring begins {tag!r}: want one of {', '.join(TAGS)}"
    where = PurePosixPath(path)
    named = where.parent.name if where.name == "__init__.py" else where.stem
    if named in BANNED_NAMES:
        yield f"module name {named!r} says nothing"
    for node in ast.walk(tree):
        if (
            isinstance(node, Function)
            and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
        ):
            yield f"{node.name} has {length} lines: want at most {FUNCTION_LINES}"
    yield from (f"{name} has no docstring" for name in _undocumented(tree))


def _rooms(path: str, imports: list[str]) -> Iterator[str]:
    for name in imports:
        if path.startswith("stream/") and _within(name, ("alerts",)):
            yield f"imports {name}: stream knows nothing of alerts"
        if path.startswith("alerts/") and _within(name, ("stream",)) and not _within(name, OPEN_TO_ALERTS):
            yield f"imports {name}: alerts takes from stream only {', '.join(OPEN_TO_ALERTS)}"
        if _within(name, ("httpx",)) and path != HTTPX_ROOM:
            yield f"imports {name}: httpx is used only in {HTTPX_ROOM}"


def _purity(imports: list[str], tags: Mapping[str, str]) -> Iterator[str]:
    for name in imports:
        if name.split(".")[0] in IMPURE:
            yield f"is Core and imports {name}"
        room = tags.get(name) or tags.get(name.rpartition(".")[0])
        if room in ("Edge.", "Shell."):
            yield f"is Core and imports {name}, which is {room[:-1]}"


def _clocks(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            owner = ast.unparse(node.value)
            if owner.split(".")[-1] in ("datetime", "date"):
                yield f"is Core and reads the clock: {owner}.{node.attr}"


def _undocumented(tree: ast.Module) -> Iterator[str]:
    scopes: list[tuple[str, ast.AST]] = [("", tree)]
    while scopes:
        prefix, scope = scopes.pop()
        for node in getattr(scope, "body", ()):
            if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
                continue
            if not ast.get_docstring(node) and not _is_stub(node):
                yield f"{prefix}{node.name}"
            if isinstance(node, ast.ClassDef):
                scopes.append((f"{prefix}{node.name}.", node))


def _is_stub(node: Function | ast.ClassDef) -> bool:
    return [ast.unparse(statement) for statement in node.body] == ["..."]
