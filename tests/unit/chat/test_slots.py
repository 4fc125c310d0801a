"""Which slot a sequence gets, and what it finds there."""

from services.chat.engine.slots import Place, Slots


def fill(slots, tokens):
    """Serve a sequence and free its slot."""
    place = slots.take(tokens)
    slots.extend(place.slot, tokens[place.cached_tokens :])
    return place.slot


def test_new_sequences_take_the_lowest_slots():
    slots = Slots(3)

    places = [slots.take([token, token]) for token in (1, 2, 3)]

    assert [place.slot for place in places] == [0, 1, 2]
    assert not any(place.cached_tokens or place.is_copy for place in places)
    assert not slots.has_free()


def test_a_sequence_alone_may_stay_in_any_slot_so_kept_tokens_are_kept_long():
    slots = Slots(3)
    for tokens in ([1, 2, 3], [4, 5, 6], [7, 8, 9]):
        slots.free(fill(slots, tokens))

    assert slots.take([4, 5, 6, 6]) == Place(1, 1, 3)


def test_of_slots_that_are_alike_the_one_that_was_freed_first_is_taken():
    slots = Slots(3)
    for tokens in ([1, 2], [4, 5], [7, 8], [1, 2]):
        slots.free(fill(slots, tokens))

    assert slots.take([30, 31]).slot == 1


def test_sequences_that_run_stay_close_together():
    slots = Slots(8)
    for token in range(8):
        fill(slots, [token, token])
    for slot in (0, 1, 2, 4, 6, 7):
        slots.free(slot)

    assert slots.take([20, 20]).slot == 4


def test_a_prefix_of_a_busy_slot_is_copied():
    slots = Slots(2)
    fill(slots, [1, 2, 3, 4])

    assert slots.take([1, 2, 3, 9, 9]) == Place(1, 0, 3)
    assert list(slots.tokens_of(1)) == [1, 2, 3]


def test_a_kept_slot_is_not_overwritten_for_a_small_part_of_it():
    slots = Slots(2)
    slots.free(fill(slots, [1, 2, 3, 4, 5, 6, 7, 8]))

    assert slots.take([1, 2, 9, 9, 9]) == Place(1, 0, 2)


def test_the_last_token_of_a_prompt_is_always_computed():
    slots = Slots(1)
    slots.free(fill(slots, [1, 2, 3]))

    assert slots.take([1, 2, 3]) == Place(0, 0, 2)


def test_a_slot_forgets_what_the_next_sequence_does_not_share():
    slots = Slots(1)
    slots.free(fill(slots, [1, 2, 3, 4]))

    place = slots.take([1, 2, 7, 8])

    assert place.cached_tokens == 2
    assert list(slots.tokens_of(0)) == [1, 2]


def test_sequences_move_together_when_others_have_ended():
    slots = Slots(8)
    for token in range(8):
        fill(slots, [token, token, token])
    for slot in (1, 2, 3, 4, 5, 6):
        slots.free(slot)

    assert slots.try_move() == Place(1, 7, 3)
    assert slots.busy == [0, 1]
    assert slots.try_move() is None
    slots.extend(1, [9])
    assert list(slots.tokens_of(1)) == [7, 7, 7, 9]
    assert list(slots.tokens_of(7)) == [7, 7, 7]


def test_what_a_move_leaves_behind_is_overwritten_first():
    slots = Slots(3)
    for token in range(3):
        fill(slots, [token, token, token])
    for slot in (0, 1, 2):
        slots.free(slot)
    for token in (10, 11, 12):
        slots.take([token, token])
    slots.free(1)
    assert slots.try_move().source == 0
    slots.free(1)
    slots.free(2)

    assert slots.take([20, 20]).slot == 0


def test_nothing_moves_where_all_are_side_by_side_or_one_is_alone():
    slots = Slots(4)
    assert slots.try_move() is None
    for token in range(4):
        fill(slots, [token])
    assert slots.try_move() is None
    slots.free(0)
    assert slots.try_move() is None
    slots.free(2)
    slots.free(1)
    assert slots.try_move() is None
    assert slots.busy == [3]
