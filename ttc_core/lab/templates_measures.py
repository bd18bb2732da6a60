"""Story templates about ages, areas, units, recipes and groups."""

from __future__ import annotations

from ttc_core.lab.story import Rejected, Story
from ttc_core.lab.words import DAYS, NAMES, PACKS, THINGS, events, pick_divisor, pick_pack, pick_share


def ages(story: Story, steps: int) -> int:
    """Ages by comparison, now and in some years."""
    people = story.rng.sample(NAMES, story.rng.randint(2, max(2, min(4, steps // 2))))
    old = [story.given(story.number(3, 12))]
    story.say(f"{people[0]} is {story.values[old[0]]} years old.")
    for index, who in enumerate(people[1:], start=1):
        factor = story.rng.choice((0, 0, 2, 3))
        base, other = old[index - 1], people[index - 1]
        if factor and story.values[base] * factor < 100:
            story.say(f"{who} is {factor} times as old as {other}.")
            old.append(story.times(story.given(factor), base))
        else:
            more = story.given(story.number(2, 30))
            story.say(f"{who} is {story.values[more]} years older than {other}.")
            old.append(story.do("+", base, more))
    later, count = story.given(story.number(2, 20)), story.given(len(people))
    if story.steps + len(people) <= steps:
        story.say(f"How old are they together in {story.values[later]} years?")
        return _ages_together(story, old, later, count)
    story.say(f"How old is {people[-1]} in {story.values[later]} years?")
    return story.do("+", old[-1], later)


def _ages_together(story: Story, old: list[int], later: int, count: int) -> int:
    goal = story.do("+", story.total(old), story.times(count, later))
    older = [story.do("+", age, later, counted=False) for age in old]
    result = older[0]
    for age in older[1:-1]:
        result = story.do("+", result, age, counted=False)
    story.also("+", result, older[-1], goal)
    return goal


def _rectangle(story: Story) -> tuple[int, int]:
    side = min(30, max(4, story.size // 2))
    return story.given(story.number(2, side)), story.given(story.number(2, min(12, side)))


def areas(story: Story, steps: int) -> int:
    """Rectangles joined and cut out; perhaps the yield of the whole field."""
    who, thing = story.rng.choice(NAMES), story.rng.choice(THINGS)
    long, wide = _rectangle(story)
    story.say(f"A garden is {story.values[long]} m long and {story.values[wide]} m wide.")
    area = story.do("*", long, wide)
    parts = 0
    while steps - story.steps >= 2 and (parts == 0 or story.rng.random() < 0.6):
        long, wide = _rectangle(story)
        size = f"{story.values[long]} m long and {story.values[wide]} m wide"
        part = story.do("*", long, wide)
        if story.rng.random() < 0.5 and story.values[part] < story.values[area]:
            story.say(f"A part {size} is cut off.")
            area = story.do("-", area, part)
        else:
            story.say(f"A part {size} is added.")
            area = story.do("+", area, part)
        parts += 1
    if story.steps >= steps:
        story.say("How many square m is the garden now?")
        return area
    each = story.given(story.number(2, 9))
    story.say(f"{who} gets {story.values[each]} {thing} from every square m.")
    goal = events(story, who, story.times(each, area), steps)
    story.say(f"How many {thing} does {who} have now?")
    return goal


def fences(story: Story, steps: int) -> int:
    """The way around a garden, once or several times, and what it costs."""
    who = story.rng.choice(NAMES)
    long, wide = _rectangle(story)
    two = story.given(2)
    story.say(f"A garden is {story.values[long]} m long and {story.values[wide]} m wide.")
    around = story.do("*", two, story.do("+", long, wide))
    story.also("+", story.do("*", two, long, counted=False), story.do("*", two, wide, counted=False), around)
    if story.rng.random() < 0.5:
        gate = story.given(story.number(1, 3))
        story.say(f"A fence goes around it but for {story.values[gate]} m.")
        around = story.do("-", around, gate)
    else:
        laps = story.given(story.number(2, 6))
        story.say(f"A fence goes around it {story.values[laps]} times.")
        around = story.times(laps, around)
    if story.steps >= steps:
        story.say("How many m long is the fence?")
        return around
    return _pay(story, who, around, f"Every m costs {who}", steps)


def _pay(story: Story, who: str, amount: int, each_costs: str, steps: int) -> int:
    """Ends a story: the amount has a price, and who pays it has coins left to go on with."""
    price = story.given(story.number(2, 9))
    story.say(f"{each_costs} {story.values[price]} coins.")
    cost = story.times(price, amount)
    if story.steps >= steps:
        story.say(f"How many coins does {who} pay?")
        return cost
    purse = story.given(story.values[cost] + story.number(5))
    story.say(f"{who} has {story.values[purse]} coins and pays for it.")
    goal = events(story, who, story.do("-", purse, cost), steps)
    story.say(f"How many coins does {who} have now?")
    return goal


UNITS = (
    ("hours", "minutes", 60, 59),
    ("weeks", "days", 7, 6),
    ("minutes", "seconds", 60, 59),
    ("dozens", "eggs", 12, 11),
)


def unit_changes(story: Story, steps: int) -> int:
    """Amounts given in two units, added up in the smaller one; the larger ones may be added up first."""
    big, small, factor, most = story.rng.choice(UNITS)
    who = story.rng.choice(NAMES)
    verb = "buys" if small == "eggs" else "works"
    parts, rows = story.rng.randint(1, 2 if steps < 8 else 3), []
    for day in story.rng.sample(DAYS, parts):
        many, few = story.given(story.number(2, 9 if factor < 60 else 5)), story.given(story.number(2, most))
        story.say(f"On {day} {who} {verb} {story.values[many]} {big} and {story.values[few]} {small}.")
        rows.append((many, few))
    unit = story.given(factor)
    goal = story.total([story.do("+", story.do("*", many, unit), few) for many, few in rows])
    if parts == 2:
        wholes = story.do("*", story.do("+", rows[0][0], rows[1][0], counted=False), unit, counted=False)
        story.also("+", wholes, story.do("+", rows[0][1], rows[1][1], counted=False), goal)
    if small == "eggs":
        goal = events(story, who, goal, steps)
        story.say(f"How many eggs does {who} have now?")
        return goal
    while story.steps < steps:
        goal = _more_time(story, who, small, goal)
    story.say(f"How many {small} does {who} work?")
    return goal


def _more_time(story: Story, who: str, small: str, time: int) -> int:
    kind = story.rng.random()
    if kind < 0.4:
        extra = story.given(story.number(2))
        story.say(f"{who} works {story.values[extra]} {small} more.")
        return story.do("+", time, extra)
    if kind < 0.7:
        rest = story.given(story.number(2, min(story.size, story.values[time] - 1)))
        story.say(f"{who} rests {story.values[rest]} {small} of it.")
        return story.do("-", time, rest)
    factor = story.given(story.rng.choice((2, 3)))
    story.say(f"{who} does this {story.values[factor]} times.")
    return story.times(factor, time)


def recipe(story: Story, steps: int) -> int:
    """A recipe in two stages: cakes per day, eggs per cake; eggs come in packs and cost coins."""
    who = story.rng.choice(NAMES)
    eggs, cakes, days = (story.given(story.number(2, min(9, story.size))) for _ in range(3))
    story.say(f"One cake takes {story.values[eggs]} eggs.")
    story.say(f"{who} makes {story.values[cakes]} cakes every day for {story.values[days]} days.")
    need = story.do("*", eggs, story.do("*", cakes, days))
    story.also("*", story.do("*", eggs, cakes, counted=False), days, need)
    if story.rng.random() < 0.5 and story.values[need] > 3:
        owned = story.given(story.number(2, min(story.size, story.values[need] - 1)))
        story.say(f"{who} has {story.values[owned]} eggs at first and buys the others.")
    else:
        count, each = pick_pack(story, story.values[need] - 1)
        story.say(f"{who} has {story.values[count]} {story.rng.choice(PACKS)} of {story.values[each]} eggs at first.")
        story.say(f"{who} buys the others.")
        owned = story.times(count, each)
    need = story.do("-", need, owned)
    if story.steps >= steps:
        story.say(f"How many eggs does {who} buy?")
        return need
    return _pay(story, who, need, "An egg costs", steps)


def groups(story: Story, steps: int) -> int:
    """People come and go; in the end each of them takes some things."""
    thing = story.rng.choice(THINGS)
    people = story.given(story.number(4))
    story.say(f"There are {story.values[people]} children in a garden.")
    each_takes = steps > 3 and story.rng.random() < 0.5
    while story.steps < steps - each_takes:
        people = _movement(story, people, steps - each_takes - story.steps)
    if not each_takes:
        story.say("How many children are there now?")
        return people
    each = story.given(story.number(2, 9))
    story.say(f"Each of them takes {story.values[each]} {thing}. How many {thing} do they have together?")
    return story.times(each, people)


def _movement(story: Story, people: int, room: int) -> int:
    kind = story.rng.random()
    if room > 1 and kind < 0.25:
        share = pick_share(story, people)
        story.say(f"Then {story.values[share]}% go home.")
        return story.percent(share, people, more=False)
    if room > 1 and kind < 0.5:
        count, each = story.given(story.number(2, 6)), story.given(story.number(2, 9))
        story.say(f"Then {story.values[count]} groups of {story.values[each]} come.")
        return story.do("+", people, story.times(count, each))
    if kind < 0.65:
        parts = pick_divisor(story, people)
        story.say(f"They make {story.values[parts]} equal groups and one group stays.")
        return story.do("/", people, parts)
    if kind < 0.85:
        gone = story.given(story.number(2, min(story.size, story.values[people] - 1)))
        story.say(f"Then {story.values[gone]} of them go home.")
        return story.do("-", people, gone)
    if story.values[people] > LARGE_GROUP:
        raise Rejected
    more = story.given(story.number(2))
    story.say(f"Then {story.values[more]} more come.")
    return story.do("+", people, more)


LARGE_GROUP = 400
