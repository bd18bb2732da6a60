"""Story templates that no model is ever trained on, in words that all occur in training."""

from __future__ import annotations

from ttc_core.lab.story import Story
from ttc_core.lab.words import DAYS, NAMES, PACKS, THINGS, events


def backwards(story: Story, steps: int) -> int:
    """The end is known, the beginning is asked for."""
    who, thing = story.rng.choice(NAMES), story.rng.choice(THINGS)
    pile = story.given(story.number(3))
    told: list[str] = []
    end = story.values[pile]
    while story.steps < steps:
        kind = story.rng.random()
        if kind < 0.4:
            gone = story.given(story.number(2))
            told.append(f"Then {who} gives away {story.values[gone]}.")
            pile = story.do("+", pile, gone)
        elif kind < 0.8 and story.values[pile] > 3:
            found = story.given(story.number(2, min(story.size, story.values[pile] - 1)))
            told.append(f"Then {who} finds {story.values[found]} more.")
            pile = story.do("-", pile, found)
        elif story.values[pile] % 2 == 0:
            told.append(f"Then {who} doubles the pile.")
            pile = story.do("/", pile, story.given(2))
    story.say(f"{who} has some {thing}.")
    story.sentences += reversed(told)
    story.say(f"{who} has {end} now. How many {thing} does {who} have at first?")
    return pile


def mean_of_days(story: Story, steps: int) -> int:
    """The average of several days, then more events."""
    who, thing = story.rng.choice(NAMES), story.rng.choice(THINGS)
    days = story.rng.sample(DAYS, story.rng.randint(2, 4))
    found = [story.number(2) for _ in days]
    found[-1] += -sum(found) % len(days)
    parts = [story.given(value) for value in found]
    listed = " and ".join(f"{value} on {day}" for value, day in zip(found, days, strict=True))
    story.say(f"{who} finds {listed}. {who} makes {len(days)} equal parts of all {thing} and keeps one.")
    goal = events(story, who, story.do("/", story.total(parts), story.given(len(days))), steps)
    story.say(f"How many {thing} does {who} have now?")
    return goal


def two_workers(story: Story, steps: int) -> int:
    """Two people with different rates work the same hours; the rates may be added up first."""
    one, other = story.rng.sample(NAMES, 2)
    thing = story.rng.choice(THINGS)
    mine, yours = story.given(story.number(2, 20)), story.given(story.number(2, 20))
    hours = story.given(story.number(2, 9))
    story.say(f"{one} makes {story.values[mine]} {thing} per hour.")
    story.say(f"{other} makes {story.values[yours]} {thing} per hour.")
    story.say(f"They work {story.values[hours]} hours and put all in one pile.")
    made = story.do("*", story.do("+", mine, yours), hours)
    first, second = story.do("*", hours, mine, counted=False), story.do("*", hours, yours, counted=False)
    story.also("+", first, second, made)
    goal = events(story, one, made, steps)
    story.say(f"How many {thing} are there now?")
    return goal


def packs_of_packs(story: Story, steps: int) -> int:
    """Packs inside packs, shared by children."""
    who, thing = story.rng.choice(NAMES), story.rng.choice(THINGS)
    outer, inner, each = (story.given(story.number(2, 9)) for _ in range(3))
    big, little = story.rng.sample(PACKS, 2)
    story.say(
        f"{who} buys {story.values[outer]} {big} of {story.values[inner]} {little} of {story.values[each]} {thing}."
    )
    whole = story.do("*", story.do("*", outer, inner), each)
    story.also("*", outer, story.do("*", inner, each, counted=False), whole)
    goal = events(story, who, whole, steps)
    story.say(f"How many {thing} does {who} have now?")
    return goal
