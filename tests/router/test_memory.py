from homerun.router.memory import Memory


def test_what_comes_twice_is_remembered() -> None:
    memory: Memory[int] = Memory()
    memory.add(b"a", 1)
    assert not memory.known
    memory.add(b"a", 1)
    memory.add(b"b", 2)
    assert memory.known == {b"a": 1}


def test_it_is_bounded_in_number_and_size() -> None:
    memory: Memory[int] = Memory(most=100, longest=5)
    for number in range(1000):
        for _ in range(3):
            memory.add(b"%d" % number, number)
            memory.add(b"%d and more" % number, number)
    assert 0 < len(memory.known) <= 100
    assert all(len(said) <= 5 for said in memory.known)


def test_those_that_come_once_do_not_pile_up() -> None:
    memory: Memory[int] = Memory(most=10)
    for number in range(1000):
        memory.add(b"%d" % number, number)
    assert not memory.known and len(memory._once) <= 40
