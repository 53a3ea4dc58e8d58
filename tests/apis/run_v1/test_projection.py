"""What another schema has a place for."""

from homerun.apis.run_v1.projection import kept


def test_fields_that_the_schema_lacks_are_left_out_all_the_way_down() -> None:
    probe = {"httpGet": {"path": "/", "host": "h", "httpHeaders": [{"name": "A", "x": 1}]}, "successThreshold": 1}
    sent = {"image": "x", "imagePullPolicy": "Always", "startupProbe": probe, "resources": {"limits": {"cpu": "1"}}}
    assert kept(sent, "run.v2", "GoogleCloudRunV2Container") == {
        "image": "x",
        "startupProbe": {"httpGet": {"path": "/", "httpHeaders": [{"name": "A"}]}, "successThreshold": 1},
        "resources": {"limits": {"cpu": "1"}},
    }


def test_nothing_is_shared_with_what_was_sent() -> None:
    sent = {"args": ["a"], "resources": {"limits": {"cpu": "1"}}}
    made = kept(sent, "run.v2", "GoogleCloudRunV2Container")
    made["args"].append("b")
    made["resources"]["limits"]["cpu"] = "2"
    assert sent == {"args": ["a"], "resources": {"limits": {"cpu": "1"}}}
