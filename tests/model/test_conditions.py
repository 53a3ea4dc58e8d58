from homerun.model.conditions import FAILED, SUCCEEDED, condition, find, merge


def test_empty_texts_are_left_out() -> None:
    assert condition("Ready", SUCCEEDED, 0) == {
        "type": "Ready",
        "state": "CONDITION_SUCCEEDED",
        "lastTransitionTime": "1970-01-01T00:00:00.000000Z",
    }


def test_a_condition_that_did_not_change_keeps_its_time() -> None:
    old = [condition("Ready", SUCCEEDED, 1), condition("RoutesReady", FAILED, 1)]
    merged = merge(old, [condition("Ready", SUCCEEDED, 2), condition("RoutesReady", SUCCEEDED, 2)])
    assert merged == [old[0], condition("RoutesReady", SUCCEEDED, 2)]


def test_find_by_type() -> None:
    ready = condition("Ready", SUCCEEDED, 1)
    assert find([ready], "Ready") is ready
    assert find([ready], "Active") is None
