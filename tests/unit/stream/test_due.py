import pytest

from stream.due import AHEAD, Queue
from stream.entries import Changes
from stream.entry import instant, instant_of, record
from stream.pending import MemoryStore


def written(store, queue, at_of, epoch=1, gone=()):
    records = sorted(record(b"p", at, b"%03d" % at) for at in at_of)
    store.write(Changes(epoch, [], records, [*gone], b""), {})
    queue.written(epoch, records, [*gone])


def times(found):
    return [at for at, _ in found]


def test_instants_sort_as_numbers_do_and_come_back():
    numbers = [-1e300, -2.5, -1.0, -5e-324, 0.0, 5e-324, 1.0, 1.5, 1.7e9, 1e300]
    packed = [instant(one) for one in numbers]
    assert packed == sorted(packed)
    assert [instant_of(one) for one in packed] == numbers
    assert instant(-0.0) == instant(0.0)


def test_nothing_is_due_before_the_clock_has_passed_the_wait():
    queue = Queue(b"p", MemoryStore(), b"p")
    queue.push(10.0, b"a")
    assert queue.take(15.0, 5.0, 9) == []
    assert queue.take(15.1, 5.0, 9) == [(10.0, b"a")]
    assert queue.next_at == float("inf")


def test_memory_and_disk_are_one_order():
    store = MemoryStore()
    queue = Queue(b"p", store, b"p")
    written(store, queue, range(0, 20, 2))
    for at in range(1, 20, 2):
        queue.push(float(at), b"%03d" % at)
    assert times(queue.take(99.0, 0.0, 7)) == [*range(7)]
    assert times(queue.take(99.0, 0.0, 99)) == [*range(7, 20)]


@pytest.mark.parametrize("read", [0, 1, AHEAD, AHEAD + 1])
def test_more_than_is_read_ahead_comes_once_each_and_what_is_written_meanwhile_too(read):
    store = MemoryStore()
    queue = Queue(b"p", store, b"p")
    many = 3 * AHEAD
    written(store, queue, range(0, 2 * many, 2))
    before = times(queue.take(1e9, 0.0, read))
    written(store, queue, range(2 * read + 1, 2 * many, 2), epoch=2)
    after = times(queue.take(1e9, 0.0, 10 * many))
    assert before + after == [*range(0, 2 * read, 2), *range(2 * read, 2 * many)]


def test_what_is_read_ahead_and_then_gone_from_disk_does_not_come():
    store = MemoryStore()
    queue = Queue(b"p", store, b"p")
    written(store, queue, range(5))
    written(store, queue, (), epoch=2, gone=[record(b"p", 2, b"002"), record(b"p", 9, b"009")])
    assert times(queue.take(99.0, 0.0, 99)) == [0, 1, 3, 4]


def test_what_is_frozen_is_due_until_it_is_written_and_once_after():
    store = MemoryStore()
    queue = Queue(b"p", store, b"p")
    queue.push(1.0, b"001")
    queue.push(2.0, b"002")
    queue.freeze(1)
    assert times(queue.take(1.5, 0.0, 9)) == [1]
    written(store, queue, [2])
    assert times(queue.take(99.0, 0.0, 9)) == [2]


def test_a_new_queue_goes_on_where_the_freeze_says():
    store = MemoryStore()
    queue = Queue(b"p", store, b"p")
    written(store, queue, range(5))
    queue.take(2.5, 0.0, 9)
    queue.push(1.0, b"late")
    since = queue.freeze(2)
    assert since == record(b"p", 1.0, b"late")
    queue.take(1.5, 0.0, 9)
    assert times(Queue(b"p", store, queue.freeze(3)).take(99.0, 0.0, 9)) == [3, 4]
