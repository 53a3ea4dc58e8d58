"""Google's own Python client for Secret Manager, unmodified, over REST and gRPC."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.api_core.exceptions import AlreadyExists, Conflict, FailedPrecondition, GoogleAPICallError, NotFound
from google.cloud import secretmanager_v1
from google.cloud.secretmanager_v1 import Secret, SecretVersion
from google.iam.v1 import policy_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from homerun.wire.crc32c import crc32c
from tests.clients.conftest import Make

pytestmark = pytest.mark.sockets

PROJECT = "projects/homerun"
Fresh = Callable[[str], str]
Client = secretmanager_v1.SecretManagerServiceClient


@pytest.fixture
def client(make: Make) -> Client:
    return make(Client)


def created(client: Client, id: str, *payloads: bytes) -> Secret:
    secret = client.create_secret(parent=PROJECT, secret_id=id, secret=Secret(replication={"automatic": {}}))
    for payload in payloads:
        client.add_secret_version(parent=secret.name, payload={"data": payload})
    return secret


def test_a_secret_from_create_to_delete(client: Client, fresh: Fresh) -> None:
    id = fresh("db")
    made = created(client, id)
    assert made.name == f"projects/100000000001/secrets/{id}" and made.create_time
    version = client.add_secret_version(
        parent=made.name, payload={"data": b"hunter2\x00\xff", "data_crc32c": crc32c(b"hunter2\x00\xff")}
    )
    assert (version.state, version.client_specified_payload_checksum) == (SecretVersion.State.ENABLED, True)
    for name in (version.name, f"{PROJECT}/secrets/{id}/versions/latest"):
        answer = client.access_secret_version(name=name)
        assert (answer.name, answer.payload.data) == (version.name, b"hunter2\x00\xff")
        assert answer.payload.data_crc32c == crc32c(b"hunter2\x00\xff")
    assert client.get_secret(name=made.name) == made
    client.delete_secret(name=made.name)
    with pytest.raises(NotFound):
        client.access_secret_version(name=version.name)


def test_aliases_labels_and_masks(client: Client, fresh: Fresh) -> None:
    made = created(client, fresh("db"), b"one", b"two")
    made.version_aliases["prod"] = 1
    made.labels["app"] = "shop"
    changed = client.update_secret(secret=made, update_mask=FieldMask(paths=["version_aliases", "labels"]))
    assert dict(changed.version_aliases) == {"prod": 1} and dict(changed.labels) == {"app": "shop"}
    assert client.access_secret_version(name=f"{made.name}/versions/prod").payload.data == b"one"
    with pytest.raises(Conflict):  # its etag is an old one
        client.update_secret(secret=made, update_mask=FieldMask(paths=["labels"]))


def test_versions_are_switched_and_destroyed(client: Client, fresh: Fresh) -> None:
    made = created(client, fresh("db"), b"one", b"two", b"three")
    second = f"{made.name}/versions/2"
    assert client.disable_secret_version(name=second).state == SecretVersion.State.DISABLED
    # In the client for REST a 400 is no FailedPrecondition.
    with pytest.raises(GoogleAPICallError, match="is in DISABLED state"):
        client.access_secret_version(name=second)
    assert client.enable_secret_version(name=second).state == SecretVersion.State.ENABLED
    destroyed = client.destroy_secret_version(name=second)
    assert destroyed.state == SecretVersion.State.DESTROYED and destroyed.destroy_time
    with pytest.raises(GoogleAPICallError, match="is in DESTROYED state") as caught:
        client.enable_secret_version(name=second)
    assert caught.value.code == 400 or isinstance(caught.value, FailedPrecondition)
    assert [v.name.rpartition("/")[2] for v in client.list_secret_versions(parent=made.name)] == ["3", "2", "1"]
    enabled = client.list_secret_versions(request={"parent": made.name, "filter": "state:ENABLED"})
    assert [v.name.rpartition("/")[2] for v in enabled] == ["3", "1"]


def test_lists_come_in_pages(client: Client, fresh: Fresh) -> None:
    ids = {fresh("page") for _ in range(5)}
    for id in ids:
        created(client, id)
    pages = list(client.list_secrets(request={"parent": PROJECT, "page_size": 2, "filter": "name:page"}).pages)
    assert max(len(page.secrets) for page in pages) == 2
    names = {secret.name.rpartition("/")[2] for page in pages for secret in page.secrets}
    assert ids <= names


def test_policies(client: Client, fresh: Fresh) -> None:
    made = created(client, fresh("db"))
    policy = client.get_iam_policy(request={"resource": made.name})
    binding = policy_pb2.Binding(role="roles/secretmanager.secretAccessor", members=["user:ann@example.com"])
    policy.bindings.append(binding)
    assert list(client.set_iam_policy(request={"resource": made.name, "policy": policy}).bindings) == [binding]
    asked = ["secretmanager.versions.access", "run.services.get"]
    tested = client.test_iam_permissions(request={"resource": made.name, "permissions": asked})
    assert list(tested.permissions) == asked[:1]


def test_what_is_refused_is_what_google_refuses(client: Client, fresh: Fresh) -> None:
    made = created(client, fresh("db"))
    with pytest.raises((AlreadyExists, Conflict)):
        created(client, made.name.rpartition("/")[2])
    with pytest.raises(NotFound, match="not found or has no versions"):
        client.access_secret_version(name=f"{made.name}/versions/latest")
    with pytest.raises(GoogleAPICallError, match="is not the CRC-32C of the data"):
        client.add_secret_version(parent=made.name, payload={"data": b"x", "data_crc32c": 1})


def test_regional_ones(client: Client, fresh: Fresh) -> None:
    parent = f"{PROJECT}/locations/us-central1"
    made = client.create_secret(parent=parent, secret_id=fresh("db"), secret=Secret())
    client.add_secret_version(parent=made.name, payload={"data": b"here"})
    assert client.access_secret_version(name=f"{made.name}/versions/1").payload.data == b"here"
    assert made.name in [secret.name for secret in client.list_secrets(parent=parent)]
