from homerun.model.revision import RevisionSpec

BODY = {"name": "projects/p/locations/r/services/s/revisions/v", "containers": [{"image": "i"}]}


def test_defaults() -> None:
    spec = RevisionSpec.parse(BODY)
    assert (spec.concurrency, spec.timeout, spec.min_instances, spec.max_instances) == (80, 300, 0, 100)


def test_affinity_is_asked_for() -> None:
    assert not RevisionSpec.parse(BODY).affinity
    assert RevisionSpec.parse({**BODY, "sessionAffinity": True}).affinity


def test_less_than_a_cpu_takes_one_request_at_a_time() -> None:
    container = {"image": "i", "resources": {"limits": {"cpu": "500m"}}}
    assert RevisionSpec.parse({**BODY, "containers": [container]}).concurrency == 1


def test_a_service_finds_its_variables() -> None:
    spec = RevisionSpec.parse({**BODY, "containers": [{"image": "i"}, {"image": "i"}]})
    of_all = {"K_SERVICE": "s", "K_CONFIGURATION": "s", "K_REVISION": "v"}
    ingress, sidecar = spec.containers
    assert spec.environment(ingress) == {"PORT": "8080", **of_all}
    assert spec.environment(sidecar) == of_all


def test_a_container_without_a_name_is_called_after_its_service() -> None:
    assert RevisionSpec.parse(BODY).ingress.name == "s-1"
