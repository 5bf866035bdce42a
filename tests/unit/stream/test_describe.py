"""What a cluster says of its topics, one broker of one thing and another of the next."""

import asyncio
from types import SimpleNamespace

from stream.cluster import describe

TOLD = {
    name: {"topic": name, "error_code": 0, "partitions": [{"replicas": [1]}], "authorized_operations": 1 << 8}
    for name in ("old", "new")
}


class Admin:
    """Asks a broker that has heard of both topics, then one that has not heard of the new one yet."""

    async def _send_request(self, request):
        return SimpleNamespace(to_object=lambda: {"topics": [*TOLD.values()]})

    async def describe_configs(self, resources):
        known = (0, "", 2, "old", [("cleanup.policy", "delete")])
        return [SimpleNamespace(resources=[known, (3, "", 2, "new", [])])]


def test_a_topic_that_one_broker_has_not_heard_of_yet_is_not_taken_for_one_without_settings():
    found = asyncio.run(describe(Admin(), ["old", "new"]))
    assert found.keys() == {"old"}
    assert found["old"].configuration == {"cleanup.policy": "delete"}
