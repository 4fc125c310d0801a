"""Sums, differences, products and quotients of numbers with up to two digits."""

from training.chat.author import Author
from training.chat.dialogue import Message, exchange
from training.chat.lexicon import phrases

_PHRASES = phrases("arithmetic")

_WORDS = {"+": "sum", "-": "difference", "*": "product", "/": "quotient"}
_TYPED = {"+": "+", "-": "-", "*": "*x\u00d7*", "/": "/\u00f7:/"}
"""How people type each sign; what stands twice is typed twice as often."""
_SHOWN = {"+": "+", "-": "-", "*": "\u00d7", "/": "\u00f7"}


def calculation(author: Author) -> tuple[Message, ...]:
    """A calculation, asked for in signs, in words or as a little story."""
    sign = author.one("++--**/")
    a, b = _numbers(author, sign)
    name, other = author.some([author.person() for _ in range(3)], 2, 2)
    day, later = author.some(("Monday", "Tuesday", "Friday", "Sunday", "Saturday"), 2, 2)
    slots = {"name": name, "other": other, "day": day, "day2": later}
    things = author.one(_PHRASES["things"])
    patterns = _PHRASES[_WORDS[sign] if author.chance(0.6) else "signed"]
    typed = author.one(_TYPED[sign])
    question = author.ask(*patterns, a=a, b=b, sign=typed, things=things, **slots)
    solution = _solution(a, b, sign)
    if things in question and author.chance(0.5):
        result = solution.split(" = ")[-1]
        return exchange(question, f"{solution}, so the answer is {result} {things}.")
    return exchange(question, f"{solution}.")


def _numbers(author: Author, sign: str) -> tuple[int, int]:
    most = 20 if author.chance(0.3) else 99
    a, b = author.number(0 if author.chance(0.1) else 1, most), author.number(1, most)
    if sign == "*" and author.chance(0.55):
        return author.one(((a, author.number(2, 12)), (author.number(2, 12), b)))
    if sign == "-" and author.chance(0.85):
        return max(a, b), min(a, b)
    if sign == "/":
        b = author.number(2, 12)
        return b * author.number(1, 99 // b), b
    return a, b


def _solution(a: int, b: int, sign: str) -> str:
    """Return the calculation as it is written, with its steps where it is long."""
    result = {"+": a + b, "-": a - b, "*": a * b, "/": a // max(b, 1)}[sign]
    steps = ""
    if sign == "*" and any(each > 12 and each % 10 for each in (a, b)):
        steps = f"{_product_steps(a, b)} = "
    if sign in "+-" and max(a, b) > 9:
        steps = _sum_steps(a, b if sign == "+" else -b)
    return f"{a} {_SHOWN[sign]} {b} = {steps}{result}"


def _sum_steps(a: int, b: int) -> str:
    """Return a sum by tens and ones, `60 + 13 = ` for 46 and 27; nothing where one is all."""
    sign = 1 if b >= 0 else -1
    tens = a // 10 * 10 + sign * (abs(b) // 10 * 10)
    ones = a % 10 + sign * (abs(b) % 10)
    if not tens or not ones:
        return ""
    return f"{tens} {'+' if ones > 0 else '-'} {abs(ones)} = "


def _product_steps(a: int, b: int) -> str:
    """Return a product by the tens and the ones of its longer number."""
    times = _SHOWN["*"]
    if b > 12 and b % 10:
        tens, ones = b // 10 * 10, b % 10
        return f"{a} {times} {tens} + {a} {times} {ones} = {a * tens} + {a * ones}"
    tens, ones = a // 10 * 10, a % 10
    return f"{tens} {times} {b} + {ones} {times} {b} = {tens * b} + {ones * b}"


def several(author: Author) -> tuple[Message, ...]:
    """Some calculations at once."""
    signs = [author.one("++--**/") for _ in range(author.number(2, 8))]
    sums = [(*_numbers(author, sign), sign) for sign in signs]
    is_tight = author.chance(0.2)
    asked = [
        f"{a}{author.one(_TYPED[sign])}{b}" if is_tight else f"{a} {author.one(_TYPED[sign])} {b}"
        for a, b, sign in sums
    ]
    separator = author.one((", ", ", ", "; ", "\n"))
    question = author.ask(*_PHRASES["several"], q=separator.join(asked))
    solved = [_solution(a, b, sign) for a, b, sign in sums]
    return exchange(question, "\n".join(solved) if separator == "\n" else f"{', '.join(solved)}.")


def comparison(author: Author) -> tuple[Message, ...]:
    """Which of two numbers is larger or smaller."""
    a, b = author.some(range(100), 2, 2)
    kind = author.one(("larger", "smaller", "larger"))
    question = author.ask(*_PHRASES[kind], a=a, b=b)
    low, high = sorted((a, b))
    truth = f"{high} is larger than {low}" if kind == "larger" else f"{low} is smaller than {high}"
    if " than " in question:
        return exchange(question, f"{'Yes' if a > b else 'No'}, {truth}.")
    return exchange(question, f"{truth}.")


def neighbour(author: Author) -> tuple[Message, ...]:
    """What comes of one number: the next, the one before, its double, its half, or its kind."""
    a = author.number(1, 98)
    kind, number, answer = author.one(
        (
            ("next", a, f"{a + 1} comes after {a}."),
            ("previous", a, f"{a - 1} comes before {a}."),
            ("double", a, f"{_solution(a, 2, '*')}."),
            ("half", 2 * (a // 2), f"{_solution(2 * (a // 2), 2, '/')}."),
            ("even", a, f"{a} is {'odd' if a % 2 else 'even'}."),
        )
    )
    return exchange(author.ask(*_PHRASES[kind], a=number), answer)


def counting(author: Author) -> tuple[Message, ...]:
    """The numbers from one to another."""
    start, stop = sorted(author.some(range(1, 21), 2, 2))
    question = author.ask(*_PHRASES["count_up"], a=start, b=stop)
    return exchange(question, f"{', '.join(map(str, range(start, stop + 1)))}.")
