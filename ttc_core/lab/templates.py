"""Story templates about people and their things; each returns the index of the quantity asked for."""

from __future__ import annotations

from ttc_core.lab.story import Story
from ttc_core.lab.words import DAYS, NAMES, PACKS, THINGS, events, gain, loss, pick_pack, pick_share


def running_quantity(story: Story, steps: int) -> int:
    """One person, one pile, one event after the other."""
    who, thing = story.rng.choice(NAMES), story.rng.choice(THINGS)
    if story.rng.random() < 0.6:
        pile = story.given(story.number(3))
        story.say(f"{who} has {story.values[pile]} {thing}.")
    else:
        count, each = pick_pack(story)
        story.say(f"{who} has {story.values[count]} {story.rng.choice(PACKS)} of {story.values[each]} {thing}.")
        pile = story.times(count, each)
    goal = events(story, who, pile, steps)
    story.say(f"How many {thing} does {who} have now?")
    return goal


def _relation(story: Story, who: str, thing: str, base: int, other: str) -> int:
    kind = story.rng.random()
    if kind < 0.35:
        more = story.given(story.number(2))
        story.say(f"{who} has {story.values[more]} more than {other}.")
        return story.do("+", base, more)
    if kind < 0.65:
        fewer = story.given(story.number(2))
        story.say(f"{who} has {story.values[fewer]} fewer than {other}.")
        return story.do("-", base, fewer)
    factor = story.given(story.rng.choice((2, 2, 3, 4)))
    if kind < 0.8:
        story.say(f"{who} has {story.values[factor]} times as many {thing} as {other}.")
        return story.times(factor, base)
    half = story.given(2)
    story.say(f"{who} has half as many {thing} as {other}.")
    return story.do("/", base, half)


def compared_people(story: Story, steps: int) -> int:
    """People described by comparison with one another; asked for their total or a difference."""
    together = story.rng.random() < 0.7
    longest = min(5, (steps + 2) // 2) if together else min(5, steps)
    people = story.rng.sample(NAMES, max(2, story.rng.randint(2, longest)))
    thing = story.rng.choice(THINGS)
    owned = [story.given(story.number(4))]
    story.say(f"{people[0]} has {story.values[owned[0]]} {thing}.")
    for index, who in enumerate(people[1:], start=1):
        base = index - 1 if story.rng.random() < 0.7 else story.rng.randrange(index)
        owned.append(_relation(story, who, thing, owned[base], people[base]))
    if together:
        goal = story.total(owned)
        story.say("They put all in one pile.")
        goal = events(story, story.rng.choice(people), goal, steps)
        story.say(f"How many {thing} are there now?")
        return goal
    last, first = people[-1], people[0]
    grown = events(story, last, owned[-1], steps - 1)
    ahead = story.values[grown] > story.values[owned[0]]
    story.say(f"How many {'more' if ahead else 'fewer'} {thing} does {last} have than {first}?")
    return story.do("-", grown, owned[0]) if ahead else story.do("-", owned[0], grown)


def shares(story: Story, steps: int) -> int:
    """Several people put their things together and share them equally."""
    thing = story.rng.choice(THINGS)
    people = story.rng.sample(NAMES, story.rng.randint(2, min(4, max(2, steps - 1))))
    owned = [story.number(2) for _ in people]
    count = story.rng.randint(2, 6)
    owned[-1] += -sum(owned) % count
    parts = [story.given(value) for value in owned]
    for who, value in zip(people, owned, strict=True):
        story.say(f"{who} has {value} {thing}.")
    whole = story.total(parts)
    lucky = people[0]
    if count == len(people):
        story.say("They share all equally.")
    else:
        story.say(f"They put all in one pile and make {count} equal parts. {lucky} keeps one.")
    goal = events(story, lucky, story.do("/", whole, story.given(count)), steps)
    story.say(f"How many {thing} does {lucky} have now?")
    return goal


def shopping(story: Story, steps: int) -> int:
    """Several goods at their prices, perhaps a discount, paid from a purse."""
    who = story.rng.choice(NAMES)
    goods = story.rng.sample([t[:-1] for t in THINGS if t != "coins"], story.rng.randint(1, min(4, (steps + 1) // 2)))
    bought = []
    for good in goods:
        price = story.given(story.number(2, min(60, story.size)))
        count = story.given(story.number(2, min(9, story.size)))
        story.say(f"{'An' if good == 'apple' else 'A'} {good} costs {story.values[price]} coins.")
        bought.append((good, price, count))
    story.say(f"{who} buys " + " and ".join(f"{story.values[n]} {good}s" for good, _, n in bought) + ".")
    cost = story.total([story.times(count, price) for _, price, count in bought])
    if steps - story.steps >= 3 or (steps - story.steps == 2 and story.rng.random() < 0.5):
        share = pick_share(story, cost)
        story.say(f"There is {story.values[share]}% off.")
        cost = story.percent(share, cost, more=False)
    if story.steps >= steps:
        story.say(f"How many coins does {who} pay?")
        return cost
    if story.steps < steps - 1 and story.rng.random() < 0.5:
        count = story.given(story.rng.randint(2, 5))
        story.say(f"{who} does this {story.values[count]} times.")
        cost = story.times(count, cost)
    purse = story.given(story.values[cost] + story.number(2))
    story.say(f"{who} has {story.values[purse]} coins and pays for it.")
    goal = events(story, who, story.do("-", purse, cost), steps)
    story.say(f"How many coins does {who} have now?")
    return goal


def trade(story: Story, steps: int) -> int:
    """Two piles that change independently and through gifts between their owners."""
    one, other = story.rng.sample(NAMES, 2)
    thing = story.rng.choice(THINGS)
    mine, yours = story.given(story.number(6)), story.given(story.number(6))
    story.say(f"{one} has {story.values[mine]} {thing} and {other} has {story.values[yours]} {thing}.")
    while story.steps < steps - 1:
        if steps - story.steps > 2 and story.rng.random() < 0.5:
            gift = story.given(story.number(2, min(story.size, story.values[mine] - 1)))
            story.say(f"{one} gives {story.values[gift]} to {other}.")
            mine, yours = story.do("-", mine, gift), story.do("+", yours, gift)
        else:
            yours = story.rng.choice((gain, loss))(story, other, yours)
        if story.rng.random() < 0.5:
            mine, yours, one, other = yours, mine, other, one
    if story.rng.random() < 0.5:
        story.say(f"How many {thing} do they have together?")
        return story.do("+", mine, yours)
    if story.values[mine] < story.values[yours]:
        mine, yours, one, other = yours, mine, other, one
    story.say(f"How many more {thing} does {one} have than {other}?")
    return story.do("-", mine, yours)


def left_over(story: Story, steps: int) -> int:
    """A pile is packed; asked for what does not fill a pack."""
    who, thing = story.rng.choice(NAMES), story.rng.choice(THINGS)
    count, each = pick_pack(story)
    story.say(f"{who} has {story.values[count]} {story.rng.choice(PACKS)} of {story.values[each]} {thing}.")
    pile = events(story, who, story.times(count, each), steps - 1)
    room = story.given(story.number(3, 9))
    story.say(f"{who} fills {story.rng.choice(PACKS)} of {story.values[room]}. How many {thing} are left over?")
    return story.do("mod", pile, room)


def savings(story: Story, steps: int) -> int:
    """So much in and so much out every day for some days, on top of what was there."""
    who = story.rng.choice(NAMES)
    income = story.number(4, min(60, story.size + 4))
    gets, spends, days = story.given(income), story.given(story.number(1, income - 1)), story.given(story.number(2, 9))
    start = story.given(story.number(3))
    story.say(
        f"{who} gets {income} coins and pays {story.values[spends]} coins every day.",
        f"Every day {who} gets {income} coins and pays {story.values[spends]} coins.",
    )
    story.say(f"{who} has {story.values[start]} coins at first. {who} does this for {story.values[days]} days.")
    saved = story.do("*", days, story.do("-", gets, spends))
    earned, spent = story.do("*", days, gets, counted=False), story.do("*", days, spends, counted=False)
    story.also("-", earned, spent, saved)
    goal = events(story, who, story.do("+", start, saved), steps)
    story.say(f"How many coins does {who} have now?")
    return goal


def rates(story: Story, steps: int) -> int:
    """A machine with a constant rate works on several days; the hours may be added up first."""
    thing = story.rng.choice(THINGS)
    who = story.rng.choice(NAMES)
    rate = story.given(story.number(2, min(40, story.size)))
    days = story.rng.sample(DAYS, story.rng.randint(1, 2) if steps < 6 else story.rng.randint(2, 3))
    hours = [story.given(story.number(2, 9)) for _ in days]
    story.say(f"{who} makes {story.values[rate]} {thing} per hour.")
    working = " and ".join(f"{story.values[h]} hours on {day}" for h, day in zip(hours, days, strict=True))
    story.say(f"{who} works {working}.")
    made = story.total([story.times(h, rate) for h in hours])
    if len(hours) == 2:
        story.also("*", story.do("+", hours[0], hours[1], counted=False), rate, made)
    goal = events(story, who, made, steps)
    story.say(f"How many {thing} does {who} have now?")
    return goal
