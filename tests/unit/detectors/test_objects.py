"""Objects and endpoints of requests."""

from typing import Any

import pytest

from detectors.objects import MAX_NAME_CHARS, locate
from schemas.event import Event


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"path": "/v1/files/17"}, ("/v1/files/{id}", "17")),
        ({"path": "/v1/files/17/"}, ("/v1/files/{id}/", "17")),
        ({"path": "/v1/files/17/versions/3"}, ("/v1/files/{id}/versions/{id}", "3")),
        ({"path": "/v1/files/17.json"}, ("/v1/files/{id}", "17")),
        ({"path": "/d/6f9619ff-8b86-d011-b42d-00cf4fc964ff"}, ("/d/{id}", "6f9619ff-8b86-d011-b42d-00cf4fc964ff")),
        ({"path": "/d/deadbeef01"}, ("/d/{id}", "deadbeef01")),
        ({"path": "/d/cus_NffrFeUfNV2Hib9"}, ("/d/{id}", "cus_NffrFeUfNV2Hib9")),
        ({"path": "/d/defaced"}, None),
        ({"path": "/d/internationalisation"}, None),
        ({"path": "/v1/files"}, None),
        ({"path": "/"}, None),
        ({"path": ""}, None),
        ({"path": "/img/17.png"}, None),
        ({"path": "/film/00012.ts"}, None),
        ({"path": "/v1/users/bob", "route": "/v1/users/{name}"}, ("/v1/users/{name}", "bob")),
        ({"path": "/v1/users/bob/keys", "route": "/v1/users/:name/keys"}, ("/v1/users/:name/keys", "bob")),
        ({"path": "/v1", "route": "/v1/users/:name/keys"}, None),
        ({"path": "/v1/users/", "route": "/v1/users/{name}"}, None),
        ({"path": "/v1/users", "route": "/v1/users"}, None),
        ({"target": "file:17", "path": "/v1/download"}, ("file", "17")),
        ({"target": "file:17", "route": "/v1/download"}, ("/v1/download", "17")),
        ({"target": "path:/x/9", "path": "/x/9"}, ("/x/{id}", "9")),
        ({"target": "host:web1"}, None),
        ({"target": "file:"}, None),
        ({"path": "/view", "query": "lang=en&order_id=17"}, ("/view?order_id={id}", "17")),
        ({"path": "/view", "query": "orderId=17"}, ("/view?orderId={id}", "17")),
        ({"path": "/view", "query": "page=17&limit=20"}, None),
        ({"path": "/view", "query": "user=bob"}, None),
        ({"query": "id=17"}, None),
        ({}, None),
    ],
)
def test_place(fields: dict[str, Any], place: tuple[str, str] | None) -> None:
    assert locate(Event("api.request", **fields)) == place


def test_names_are_bounded() -> None:
    place = locate(Event("api.request", path="/x" * 2000 + "/17"))
    assert place is not None
    assert len(place[0]) == MAX_NAME_CHARS
    place = locate(Event("api.request", target="file:" + "x" * 5000))
    assert place is not None
    assert len(place[1]) == MAX_NAME_CHARS
