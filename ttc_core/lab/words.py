"""Names, things and the events that can happen to a pile of things."""

from __future__ import annotations

from collections.abc import Callable

from ttc_core.lab.story import Rejected, Story

NAMES = ("Mia", "Leo", "Ana", "Tom", "Zoe", "Max", "Ivy", "Sam")
THINGS = ("shells", "coins", "pens", "cards", "beads", "stamps", "books", "apples")
PACKS = ("bags", "boxes", "packs")
DAYS = ("Monday", "Tuesday", "Friday", "Sunday")
SHARES = (5, 10, 20, 25, 30, 40, 50, 75)


def pick_share(story: Story, whole: int) -> int:
    """Draw a percentage that leaves a whole number of the quantity.

    Raises:
        Rejected: if there is none.
    """
    fitting = [p for p in SHARES if story.values[whole] * p % 100 == 0]
    if not fitting:
        raise Rejected
    return story.given(story.rng.choice(fitting))


def pick_divisor(story: Story, whole: int) -> int:
    """Draw a divisor from 2 to 9 that leaves at least 2.

    Raises:
        Rejected: if there is none.
    """
    value = story.values[whole]
    fitting = [k for k in range(2, 10) if value % k == 0 and value >= 2 * k]
    if not fitting:
        raise Rejected
    return story.given(story.rng.choice(fitting))


def pick_pack(story: Story, limit: int | None = None) -> tuple[int, int]:
    """Draw a number of packs and a number of things in each, the product at most about twice the size."""
    count = story.number(2, min(9, story.size))
    each = story.number(2, max(3, (limit or 2 * story.size) // count))
    return story.given(count), story.given(each)


def gain(story: Story, who: str, pile: int) -> int:
    """Some more come."""
    extra = story.given(story.number(2))
    other = story.rng.choice([name for name in NAMES if name != who])
    value = story.values[extra]
    story.say(f"{who} finds {value} more.", f"{who} gets {value} from {other}.", f"{who} makes {value} more.")
    return story.do("+", pile, extra)


def loss(story: Story, who: str, pile: int) -> int:
    """Some go."""
    gone = story.given(story.number(2, min(story.size, story.values[pile] - 1)))
    value = story.values[gone]
    story.say(f"{who} gives away {value}.", f"{who} loses {value}.", f"{who} sells {value}.")
    return story.do("-", pile, gone)


def growth(story: Story, who: str, pile: int) -> int:
    """The pile is multiplied."""
    if story.values[pile] > max(30, story.size):
        raise Rejected
    factor = story.given(story.rng.choice((2, 2, 3, 4)))
    if story.values[factor] == 2:
        story.say(f"{who} doubles the pile.")
    else:
        story.say(f"{who} makes the pile {story.values[factor]} times as big.")
    return story.times(factor, pile)


def split(story: Story, who: str, pile: int) -> int:
    """The pile is divided and one part kept."""
    parts = pick_divisor(story, pile)
    value = story.values[parts]
    story.say(
        f"{who} makes {value} equal parts and keeps one.",
        f"{who} shares with {value - 1} others equally." if value > 2 else f"{who} gives away half.",
    )
    return story.do("/", pile, parts)


def packs_in(story: Story, who: str, pile: int) -> int:
    """Whole packs come."""
    count, each = pick_pack(story)
    story.say(f"{who} buys {story.values[count]} {story.rng.choice(PACKS)} of {story.values[each]}.")
    return story.do("+", pile, story.times(count, each))


def packs_out(story: Story, who: str, pile: int) -> int:
    """Whole packs go."""
    count, each = pick_pack(story, min(story.values[pile] - 1, 2 * story.size))
    story.say(f"{who} sells {story.values[count]} {story.rng.choice(PACKS)} of {story.values[each]}.")
    return story.do("-", pile, story.times(count, each))


def percent_change(story: Story, who: str, pile: int) -> int:
    """The pile changes by a percentage."""
    share = pick_share(story, pile)
    more = story.rng.random() < 0.4
    value = story.values[share]
    story.say(f"{who} gets {value}% more." if more else f"{who} loses {value}%.")
    return story.percent(share, pile, more)


def two_days(story: Story, who: str, pile: int) -> int:
    """Some come on each of two days; the two may be added up first."""
    first, second = story.given(story.number(2)), story.given(story.number(2))
    one, other = story.rng.sample(DAYS, 2)
    story.say(f"{who} finds {story.values[first]} on {one} and {story.values[second]} on {other}.")
    result = story.do("+", story.do("+", pile, first), second)
    story.also("+", pile, story.do("+", first, second, counted=False), result)
    return result


Event = Callable[[Story, str, int], int]
SHORT_EVENTS: tuple[Event, ...] = (gain, gain, loss, loss, growth, split)
LONG_EVENTS: tuple[Event, ...] = (packs_in, packs_out, percent_change, two_days)


def events(story: Story, who: str, pile: int, steps: int) -> int:
    """Let things happen to a pile until the story has the wanted number of steps.

    Raises:
        Rejected: if the numbers do not work out after many tries.
    """
    for _ in range(200):
        if story.steps >= steps:
            return pile
        room = steps - story.steps
        options = SHORT_EVENTS + LONG_EVENTS if room > 1 else SHORT_EVENTS
        before = story.steps, len(story.values), len(story.equations), len(story.sentences)
        try:
            pile = story.rng.choice(options)(story, who, pile)
        except Rejected:
            story.steps = before[0]
            del story.values[before[1] :], story.equations[before[2] :], story.sentences[before[3] :]
    raise Rejected
