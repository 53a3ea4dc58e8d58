from homerun.model.container import Container
from homerun.model.probe import Check
from homerun.model.probe_words import failure, outcome


def container(**json: object) -> Container:
    return Container.parse({"image": "i", **json}, name="web-1", takes_requests=True)


def test_a_probe_that_nobody_declared_is_the_default_and_to_declare_the_same_makes_no_difference() -> None:
    said = 'Default STARTUP TCP probe succeeded after 1 attempt for container "web-1" on port 8080.'
    same = {"tcpSocket": {}, "timeoutSeconds": 240, "periodSeconds": 240, "failureThreshold": 1}
    for each in (container(), container(startupProbe=same)):
        assert outcome(each, Check.STARTUP, well=True, times=1) == said


def test_any_other_is_named_with_its_kind_and_what_it_asks() -> None:
    each = container(livenessProbe={"httpGet": {"path": "/livez"}})
    said = 'LIVENESS HTTP probe failed 3 times consecutively for container "web-1" on port 8080 path "/livez".'
    assert outcome(each, Check.LIVENESS, well=False, times=3) == said
    tcp = container(startupProbe={"tcpSocket": {"port": 7}})
    assert outcome(tcp, Check.STARTUP, well=False, times=1) == (
        'STARTUP TCP probe failed 1 time consecutively for container "web-1" on port 7.'
    )


def test_a_failure_has_its_reason() -> None:
    each = container(livenessProbe={"grpc": {}})
    said = 'LIVENESS GRPC probe failed 3 times consecutively for container "web-1" on port 8080'
    lacked = failure(each, Check.LIVENESS, times=3, wrong="The answer was NOT_SERVING.", found="")
    assert lacked == f"{said}. The answer was NOT_SERVING."
    assert failure(each, Check.LIVENESS, times=3, wrong="x", found="it listens on no port") == (
        f"{said}: it listens on no port"
    )
