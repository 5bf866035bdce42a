"""The replay's store holds what the plain one holds, whatever is written in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from stream.entries import Changes
from stream.pending import MemoryStore
from stream.replay.store import SpilledStore

RECORDS = [kind + bytes([at]) for kind in (b"o", b"p", b"z") for at in range(8)]
SOME = st.lists(st.sampled_from(RECORDS), max_size=12, unique=True)
ENTRIES = st.lists(
    st.tuples(st.sampled_from([b"1:a", b"1:b"]), st.sampled_from([None, b"x", b"y"])), max_size=4
)
CHANGES = st.builds(Changes, st.just(1), ENTRIES, SOME.map(sorted), SOME, st.just(b"here"))


@given(st.lists(CHANGES, max_size=6))
def test_it_holds_what_the_plain_store_holds(writes):
    plain, spilled = MemoryStore(), SpilledStore()
    for number, changes in enumerate(writes):
        for store in (plain, spilled):
            store.write(changes, {"t": number})
    assert spilled.entries == plain.entries
    assert spilled.records == plain.records
    assert spilled.position() == plain.position()
    assert spilled.offsets() == plain.offsets()
    for since in (b"p", b"o", b"z", b"p\x04"):
        assert spilled.due(since, 2) == plain.due(since, 2)
