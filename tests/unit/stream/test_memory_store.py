"""The store in memory holds what its writes say, whatever they are and in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from stream.entries import Changes
from stream.pending import MemoryStore

RECORDS = [kind + bytes([at]) for kind in (b"o", b"p", b"z") for at in range(8)]
SOME = st.lists(st.sampled_from(RECORDS), max_size=12, unique=True)
ENTRIES = st.lists(
    st.tuples(st.sampled_from([b"1:a", b"1:b"]), st.sampled_from([None, b"x", b"y"])), max_size=4
)
CHANGES = st.builds(Changes, st.just(1), ENTRIES, SOME.map(sorted), SOME, st.just(b"here"))


@given(st.lists(CHANGES, max_size=6))
def test_it_holds_what_was_written_and_not_deleted_since(writes):
    store, entries, records = MemoryStore(), {}, set()
    for number, changes in enumerate(writes):
        store.write(changes, {"t": number})
        entries.update(changes.entries)
        records = records - {*changes.gone} | {*changes.records}
        assert store.offsets() == {"t": number}
        assert store.position() == b"here"
    keys = [b"1:a", b"1:b"]
    assert store.get_many(keys) == [entries.get(key) for key in keys]
    for since in (b"p", b"o", b"z", b"p\x04"):
        wanted = sorted(one for one in records if one >= since and one[:1] == since[:1])
        assert store.due(since, 2) == wanted[:2]
        assert store.due(since, 99) == wanted
