"""Domain mappings: a name of the user's own leads to a service, wherever the name is mapped."""

from typing import Any

import pytest

from homerun.store.base import Put
from homerun.wire.link import RouteSet, Snapshot
from tests.support.api import V2, WEB, Api, Refused, api, service
from tests.support.control import FakeRouter

pytestmark = pytest.mark.looptime

DOMAINS = "/apis/domains.cloudrun.com/v1/namespaces/homerun"
REGIONAL = "/v1/projects/homerun/locations/us-central1"


def mapping(domain: str = "www.example.com", service: str = "hello", **spec: Any) -> dict[str, Any]:
    """As gcloud writes one."""
    return {
        "apiVersion": "domains.cloudrun.com/v1",
        "kind": "DomainMapping",
        "metadata": {"name": domain, "annotations": {"run.googleapis.com/launch-stage": "BETA"}},
        "spec": {"routeName": service, **spec},
    }


def conditions(answer: Any) -> dict[str, str]:
    return {c["type"]: c["status"] for c in answer["status"]["conditions"]}


async def routed(a: Api, domain: str = "www.example.com") -> None:
    await a.world.until(lambda: domain in a.world.router.last(RouteSet).hosts)


async def test_a_domain_leads_to_its_service() -> None:
    async with api() as a:
        await a.deploy()
        made = await a("POST", f"{DOMAINS}/domainmappings", mapping())
        assert conditions(made) == {"Ready": "True", "CertificateProvisioned": "True", "DomainRoutable": "True"}
        assert made["status"]["resourceRecords"] == [{"name": "www", "type": "A", "rrdata": "127.0.0.1"}]
        assert (made["status"]["mappedRouteName"], made["status"]["url"]) == ("hello", "http://www.example.com:8080")
        assert made["metadata"]["namespace"] == "100000000001"
        assert made["metadata"]["labels"]["cloud.googleapis.com/location"] == "us-central1"
        assert made["spec"] == {"routeName": "hello", "certificateMode": "AUTOMATIC"}
        await routed(a)
        assert await a("GET", f"{DOMAINS}/domainmappings/www.example.com") == made
        assert await a("GET", f"{REGIONAL}/domainmappings/www.example.com") == made
        assert (await a("GET", f"{REGIONAL}/domainmappings"))["items"] == [made]
        [snapshot] = [m for m in FakeRouter(a.world.control).heard if isinstance(m, Snapshot)]
        assert "www.example.com" in snapshot.routes[0].hosts, "a router that comes later hears of it too"
        await a("DELETE", f"{DOMAINS}/domainmappings/www.example.com")
        await a.world.until(lambda: "www.example.com" not in a.world.router.last(RouteSet).hosts)
        with pytest.raises(Refused, match="NOT_FOUND"):
            await a("GET", f"{DOMAINS}/domainmappings/www.example.com")


async def test_it_may_come_before_its_service() -> None:
    async with api() as a:
        made = await a("POST", f"{DOMAINS}/domainmappings", mapping())
        assert conditions(made)["Ready"] == "False"
        assert "Service hello does not exist" in made["status"]["conditions"][0]["message"]
        await a.deploy()
        await routed(a)
        assert conditions(await a("GET", f"{DOMAINS}/domainmappings/www.example.com"))["Ready"] == "True"


async def test_a_domain_that_is_mapped_elsewhere_must_be_overridden() -> None:
    async with api() as a:
        await a.deploy()
        await a.deploy("other")
        elsewhere = REGIONAL.replace("us-central1", "europe-west1")
        first = await a("POST", f"{DOMAINS}/domainmappings", mapping())
        with pytest.raises(Refused, match="already exists in this region") as caught:
            await a("POST", f"{DOMAINS}/domainmappings", mapping(service="other"))
        assert caught.value.http == 409
        second = await a("POST", f"{elsewhere}/domainmappings", mapping(service="other"))
        assert second["status"]["conditions"][0]["reason"] == "MappingAlreadyExists"
        assert "resourceRecords" not in second["status"]
        await a("DELETE", f"{elsewhere}/domainmappings/www.example.com")
        assert conditions(await a("GET", f"{DOMAINS}/domainmappings/www.example.com")) == conditions(first)
        abroad = V2.replace("us-central1", "europe-west1")
        await a.done(await a("POST", f"{abroad}/services?serviceId=other", service(WEB)))
        third = await a("POST", f"{elsewhere}/domainmappings", mapping(service="other", forceOverride=True))
        assert conditions(third)["Ready"] == "True"
        await a.world.until(lambda: _leads_to(a, "europe-west1/services/other"))
        assert not _leads_to(a, "us-central1/services/hello")
        assert conditions(await a("GET", f"{DOMAINS}/domainmappings/www.example.com"))["Ready"] == "False"


def _leads_to(a: Api, service: str) -> bool:
    """Does the router know the domain as that of `service`?"""
    latest = [m for m in a.world.router.all(RouteSet) if m.service.endswith(service)][-1]
    return "www.example.com" in latest.hosts


async def test_a_dry_run_changes_nothing() -> None:
    async with api() as a:
        made = await a("POST", f"{DOMAINS}/domainmappings?dryRun=all", mapping())
        assert made["metadata"]["name"] == "www.example.com"
        assert (await a("GET", f"{DOMAINS}/domainmappings"))["items"] == []
        await a("POST", f"{DOMAINS}/domainmappings", mapping())
        await a("DELETE", f"{DOMAINS}/domainmappings/www.example.com?dryRun=all")
        assert len((await a("GET", f"{DOMAINS}/domainmappings"))["items"]) == 1


@pytest.mark.parametrize(
    ("domain", "route", "field"),
    [
        ("localhost", "hello", "metadata.name"),
        ("-x.example.com", "hello", "metadata.name"),
        ("a..b", "hello", "metadata.name"),
        ("http://example.com", "hello", "metadata.name"),
        ("x.us-central1.run.localhost", "hello", "metadata.name"),
        ("www.example.com", "", "spec.routeName"),
    ],
)
async def test_bad_mappings_are_refused(domain: str, route: str, field: str) -> None:
    async with api() as a:
        with pytest.raises(Refused) as caught:
            await a("POST", f"{DOMAINS}/domainmappings", mapping(domain, route))
        assert caught.value.fields == [field]


async def test_mappings_are_listed_in_pages_and_by_label() -> None:
    async with api() as a:
        for index in range(3):
            body = mapping(f"w{index}.example.com")
            body["metadata"]["labels"] = {"n": str(index)}
            await a("POST", f"{DOMAINS}/domainmappings", body)
        first = await a("GET", f"{DOMAINS}/domainmappings?limit=2")
        rest = await a("GET", f"{DOMAINS}/domainmappings?limit=2&continue={first['metadata']['continue']}")
        assert [len(first["items"]), len(rest["items"])] == [2, 1]
        assert len((await a("GET", f"{DOMAINS}/domainmappings?labelSelector=n%3D1"))["items"]) == 1


@pytest.mark.parametrize("parent", [DOMAINS, REGIONAL, "/v1/projects/homerun"])
async def test_every_domain_is_authorized(parent: str) -> None:
    async with api() as a:
        answer = await a("GET", f"{parent}/authorizeddomains")
        assert all(domain["id"] in "www.example.com" for domain in answer["domains"]), "that is how gcloud checks it"


async def test_a_service_without_its_default_address_is_reached_by_its_domain_only() -> None:
    async with api() as a:
        await a("POST", f"{DOMAINS}/domainmappings", mapping())
        body = {**service(), "defaultUriDisabled": True}
        made = (await a.done(await a("POST", f"{V2}/services?serviceId=hello", body)))["response"]
        assert (made["uri"], made["urls"]) == ("", [])
        await routed(a)
        assert a.world.router.last(RouteSet).hosts == ["www.example.com"]
        shown = await a("GET", "/apis/serving.knative.dev/v1/namespaces/homerun/services/hello")
        assert not {"url", "address"} & shown["status"].keys()
        enabled = await a.done(await a("PATCH", f"{V2}/services/hello?updateMask=defaultUriDisabled", {}))
        assert enabled["response"]["urls"] == ["http://hello-100000000001.us-central1.run.localhost:8080"]
        assert len(a.world.router.last(RouteSet).hosts) == 2


# Certificates


def provisioned(answer: Any) -> dict[str, Any]:
    [found] = [c for c in answer["status"]["conditions"] if c["type"] == "CertificateProvisioned"]
    return found  # type: ignore[no-any-return]


async def test_with_tls_its_url_is_secure_and_its_certificate_a_file() -> None:
    async with api(https="0.0.0.0:443") as a:
        await a.deploy()
        made = await a("POST", f"{DOMAINS}/domainmappings", mapping())
        assert made["status"]["url"] == "https://www.example.com"
        assert conditions(made)["Ready"] == "True"
        assert "www.example.com.crt of the folder `certificates`" in provisioned(made)["message"]


@pytest.mark.parametrize(
    ("certificate", "status", "ready", "text"),
    [
        ({}, "Unknown", "Unknown", "The DNS of www.example.com must lead here"),
        ({"state": "PENDING"}, "Unknown", "Unknown", "Waiting for a certificate"),
        ({"state": "PENDING", "notAfter": "2033-01-01T00:00:00Z"}, "True", "True", "Good until 2033"),
        ({"state": "ISSUED", "notAfter": "2033-01-01T00:00:00Z"}, "True", "True", "Good until 2033"),
        ({"state": "OWN"}, "True", "True", "a certificate of your own"),
        (
            {"state": "FAILED", "message": "no such name", "retryTime": "2023-12-01T00:00:00Z"},
            "False",
            "False",
            "no such name. It is tried again at 2023-12-01T00:00:00Z.",
        ),
        (
            {"state": "FAILED", "message": "no", "retryTime": "soon", "notAfter": "2033-01-01T00:00:00Z"},
            "True",
            "True",
            "Not renewed, and good until 2033-01-01T00:00:00Z: no. It is tried again at soon.",
        ),
        (
            {"state": "FAILED", "message": "no", "retryTime": "soon", "notAfter": "2020-01-01T00:00:00Z"},
            "False",
            "False",
            "no. It is tried again at soon.",
        ),
    ],
)
async def test_with_acme_its_status_says_what_has_become_of_its_certificate(
    certificate: dict[str, Any], status: str, ready: str, text: str
) -> None:
    async with api(https="0.0.0.0:443", acme="me@example.com") as a:
        await a.deploy()
        await a("POST", f"{DOMAINS}/domainmappings", mapping())
        if certificate:
            await a.world.store.apply(Put("Certificate", "certificates/www.example.com", certificate))
        found = await a("GET", f"{DOMAINS}/domainmappings/www.example.com")
        assert conditions(found) == {"Ready": ready, "CertificateProvisioned": status, "DomainRoutable": "True"}
        assert text in provisioned(found)["message"]


async def test_with_acme_a_service_that_is_missing_is_still_what_is_said_first() -> None:
    async with api(https="0.0.0.0:443", acme="me@example.com") as a:
        made = await a("POST", f"{DOMAINS}/domainmappings", mapping())
        assert "Service hello does not exist" in made["status"]["conditions"][0]["message"]
