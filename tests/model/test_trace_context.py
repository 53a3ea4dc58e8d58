from homerun.model.trace_context import TraceContext, own_span

ID = "9bbf0c0e0c9d4f0b8c0a3a1d5c1f7e21"


def test_a_trace_that_the_router_began_has_the_routers_span_and_is_not_sampled() -> None:
    assert TraceContext.parse(ID) == (ID, "1bbf0c0e0c9d4f0b", False)


def test_a_trace_of_the_client_says_whose_span_it_is_and_whether_it_is_sampled() -> None:
    assert TraceContext.parse(f"{ID}/00f067aa0ba902b7;o=1") == (ID, "00f067aa0ba902b7", True)
    assert TraceContext.parse(f"{ID}/00f067aa0ba902b7;o=0") == (ID, "00f067aa0ba902b7", False)


def test_a_span_is_never_zero() -> None:
    assert own_span("8" + "0" * 31) == "0" * 15 + "1"
