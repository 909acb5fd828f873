"""The tasks of the shipped set of small programs: what is asked, a reference, a likely mistake, and calls to test."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """A function to write. `wrong` differs from `reference` by a mistake that the calls find.

    The first of `calls` (arguments as Python writes them) is shown as the example.
    """

    level: str
    head: str
    asks: str
    reference: str
    wrong: str
    calls: tuple[str, ...]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.head.split("(")[0]


EASY = (
    Program(
        "easy",
        "sum_of_evens(numbers)",
        "returns the sum of the even numbers in a list of whole numbers",
        "def sum_of_evens(numbers):\n    return sum(n for n in numbers if n % 2 == 0)",
        "def sum_of_evens(numbers):\n    return sum(n for n in numbers if n % 2)",
        ("[1, 2, 3, 4]", "[]", "[7]", "[-2, -4, 5]", "[0, 10, 11]"),
    ),
    Program(
        "easy",
        "count_vowels(text)",
        "counts the vowels (a, e, i, o, u in either case) in a text",
        "def count_vowels(text):\n    return sum(c in 'aeiou' for c in text.lower())",
        "def count_vowels(text):\n    return sum(c in 'aeiou' for c in text)",
        ("'Orange tree'", "''", "'rhythm'", "'AEIOU'", "'Queue up, Ian'"),
    ),
    Program(
        "easy",
        "reverse_words(text)",
        "returns the words of a text in the opposite order with one space between them",
        "def reverse_words(text):\n    return ' '.join(text.split()[::-1])",
        "def reverse_words(text):\n    return text[::-1]",
        ("'one two three'", "''", "'alone'", "'  too   many spaces '"),
    ),
    Program(
        "easy",
        "is_mirror(text)",
        "tells whether a text reads the same in both directions when only its letters count, in either case",
        "def is_mirror(text):\n    found = [c for c in text.lower() if c.isalpha()]\n    return found == found[::-1]",
        "def is_mirror(text):\n    return text.lower() == text.lower()[::-1]",
        ("'Never odd or even'", "'Step on no pets!'", "'almost'", "''", "'A1 b2 a'"),
    ),
    Program(
        "easy",
        "second_largest(numbers)",
        "returns the second largest of the different numbers in a list, or None when there are fewer than two",
        "def second_largest(numbers):\n"
        "    found = sorted(set(numbers))\n"
        "    return found[-2] if len(found) > 1 else None",
        "def second_largest(numbers):\n    return sorted(numbers)[-2] if len(numbers) > 1 else None",
        ("[4, 9, 7]", "[5, 5]", "[]", "[3, 8, 8, 1]", "[-1, -2]"),
    ),
    Program(
        "easy",
        "digit_sum(n)",
        "returns the sum of the decimal digits of a whole number, its sign aside",
        "def digit_sum(n):\n    return sum(int(d) for d in str(abs(n)))",
        "def digit_sum(n):\n    return n % 9",
        ("472", "0", "-19", "1000000", "99"),
    ),
    Program(
        "easy",
        "unique_in_order(items)",
        "returns a list without its repetitions, each item where it came first",
        "def unique_in_order(items):\n"
        "    found = []\n"
        "    for item in items:\n"
        "        if item not in found:\n"
        "            found.append(item)\n"
        "    return found",
        "def unique_in_order(items):\n    return sorted(set(items))",
        ("[3, 1, 3, 2, 1]", "[]", "['b', 'a', 'b']", "[0, 0, 0]"),
    ),
    Program(
        "easy",
        "longest_word(text)",
        "returns the longest word of a text, the first one of several, and '' for a text without words",
        "def longest_word(text):\n    return max(text.split(), key=len) if text.split() else ''",
        "def longest_word(text):\n    return sorted(text.split(), key=len)[-1] if text.split() else ''",
        ("'a quick brown fox'", "''", "'one two six'", "'to be or not'"),
    ),
    Program(
        "easy",
        "in_binary(n)",
        "returns a whole number from 0 up as a text of 0 and 1, without a prefix",
        "def in_binary(n):\n"
        "    digits = ''\n"
        "    while n:\n"
        "        digits = str(n % 2) + digits\n"
        "        n = n // 2\n"
        "    return digits or '0'",
        "def in_binary(n):\n"
        "    digits = ''\n"
        "    while n:\n"
        "        digits = str(n % 2) + digits\n"
        "        n = n // 2\n"
        "    return digits",
        ("10", "0", "1", "255", "64"),
    ),
    Program(
        "easy",
        "shared(a, b)",
        "returns what two lists have in common, sorted and each once",
        "def shared(a, b):\n    return sorted(set(a) & set(b))",
        "def shared(a, b):\n    return sorted(x for x in a if x in b)",
        ("[1, 2, 3], [3, 2, 5]", "[], [1]", "[4, 4, 1], [4, 1, 1]", "['x'], ['y']"),
    ),
    Program(
        "easy",
        "running_total(numbers)",
        "returns the list of the sums of the first one, first two, first three numbers and so on",
        "def running_total(numbers):\n"
        "    totals, total = [], 0\n"
        "    for n in numbers:\n"
        "        total = total + n\n"
        "        totals.append(total)\n"
        "    return totals",
        "def running_total(numbers):\n    return [sum(numbers[:i]) for i in range(len(numbers))]",
        ("[1, 2, 3]", "[]", "[5, -5, 5]", "[10]"),
    ),
    Program(
        "easy",
        "clamp_all(numbers, low, high)",
        "returns the list with every number below low replaced by low and every number above high by high",
        "def clamp_all(numbers, low, high):\n    return [max(low, min(high, n)) for n in numbers]",
        "def clamp_all(numbers, low, high):\n    return [n for n in numbers if low <= n <= high]",
        ("[1, 5, 9], 2, 8", "[], 0, 1", "[3, 3], 3, 3", "[-7, 7], -1, 1"),
    ),
    Program(
        "easy",
        "initials(name)",
        "returns the first letters of the words of a name as capitals, each followed by a point",
        "def initials(name):\n    return ''.join(word[0].upper() + '.' for word in name.split())",
        "def initials(name):\n    return '.'.join(word[0].upper() for word in name.split())",
        ("'ada king lovelace'", "'Plato'", "''", "'Jean  luc'"),
    ),
    Program(
        "easy",
        "steps_to_one(n)",
        "counts how often a whole number from 1 up must be halved (when even) or tripled and increased by one (when"
        " odd) until it is 1",
        "def steps_to_one(n):\n"
        "    steps = 0\n"
        "    while n != 1:\n"
        "        n = n // 2 if n % 2 == 0 else 3 * n + 1\n"
        "        steps = steps + 1\n"
        "    return steps",
        "def steps_to_one(n):\n"
        "    steps = 1\n"
        "    while n != 1:\n"
        "        n = n // 2 if n % 2 == 0 else 3 * n + 1\n"
        "        steps = steps + 1\n"
        "    return steps",
        ("6", "1", "7", "16", "27"),
    ),
    Program(
        "easy",
        "in_pieces(items, size)",
        "cuts a list into lists of the given size; the last one may be shorter",
        "def in_pieces(items, size):\n    return [items[i:i + size] for i in range(0, len(items), size)]",
        "def in_pieces(items, size):\n    return [items[i:i + size] for i in range(0, len(items) - size + 1, size)]",
        ("[1, 2, 3, 4, 5], 2", "[], 3", "[1, 2, 3], 1", "[1, 2], 5"),
    ),
)

MEDIUM = (
    Program(
        "medium",
        "squeeze(text)",
        "replaces every run of the same character by the character and the length of the run, but leaves out a length"
        " of one",
        "def squeeze(text):\n"
        "    said, i = '', 0\n"
        "    while i < len(text):\n"
        "        j = i\n"
        "        while j < len(text) and text[j] == text[i]:\n"
        "            j = j + 1\n"
        "        said = said + text[i] + (str(j - i) if j - i > 1 else '')\n"
        "        i = j\n"
        "    return said",
        "def squeeze(text):\n"
        "    said, i = '', 0\n"
        "    while i < len(text):\n"
        "        j = i\n"
        "        while j < len(text) and text[j] == text[i]:\n"
        "            j = j + 1\n"
        "        said = said + text[i] + str(j - i)\n"
        "        i = j\n"
        "    return said",
        ("'aaabccdd'", "''", "'abc'", "'zzzzzzzzzzzz'", "'aabaa'"),
    ),
    Program(
        "medium",
        "shift_letters(text, by)",
        "moves every letter a to z and A to Z so many places on in the alphabet, beginning again after z, keeps its"
        " case, and leaves all else alone; by may be negative",
        "def shift_letters(text, by):\n"
        "    said = ''\n"
        "    for c in text:\n"
        "        if 'a' <= c <= 'z':\n"
        "            c = chr((ord(c) - 97 + by) % 26 + 97)\n"
        "        elif 'A' <= c <= 'Z':\n"
        "            c = chr((ord(c) - 65 + by) % 26 + 65)\n"
        "        said = said + c\n"
        "    return said",
        "def shift_letters(text, by):\n    return ''.join(chr(ord(c) + by) if c.isalpha() else c for c in text)",
        ("'Hello, zoo!', 3", "'abc', -1", "'', 5", "'Same 123', 26", "'xyz', 29"),
    ),
    Program(
        "medium",
        "turned(items, by)",
        "returns a list turned to the right by so many places (to the left where by is negative); by may be larger"
        " than the list, and the list may be empty",
        "def turned(items, by):\n"
        "    if not items:\n"
        "        return []\n"
        "    cut = -by % len(items)\n"
        "    return items[cut:] + items[:cut]",
        "def turned(items, by):\n    return items[-by:] + items[:-by]",
        ("[1, 2, 3, 4], 1", "[1, 2, 3], -1", "[], 4", "[1, 2, 3], 7", "['a'], 0"),
    ),
    Program(
        "medium",
        "flat(items)",
        "returns all that is in a list of lists of any depth as one flat list",
        "def flat(items):\n"
        "    found = []\n"
        "    for item in items:\n"
        "        found = found + (flat(item) if isinstance(item, list) else [item])\n"
        "    return found",
        "def flat(items):\n"
        "    found = []\n"
        "    for item in items:\n"
        "        found = found + (item if isinstance(item, list) else [item])\n"
        "    return found",
        ("[1, [2, [3, []], 4]]", "[]", "[[[['x']]]]", "['ab', ['cd']]"),
    ),
    Program(
        "medium",
        "closes(text)",
        "tells whether the brackets (), [] and {} in a text are closed in the right order; all else in it is ignored",
        "def closes(text):\n"
        "    opened = []\n"
        "    pairs = {')': '(', ']': '[', '}': '{'}\n"
        "    for c in text:\n"
        "        if c in '([{':\n"
        "            opened.append(c)\n"
        "        elif c in pairs:\n"
        "            if not opened or opened.pop() != pairs[c]:\n"
        "                return False\n"
        "    return not opened",
        "def closes(text):\n    return all(text.count(a) == text.count(b) for a, b in ['()', '[]', '{}'])",
        ("'f(a[1], {2})'", "'(]'", "')('", "''", "'([)]'", "'(('"),
    ),
    Program(
        "medium",
        "by_length(words)",
        "returns a dictionary from each length to the sorted list of the words of that length, each word once",
        "def by_length(words):\n"
        "    found = {}\n"
        "    for word in sorted(set(words)):\n"
        "        found.setdefault(len(word), []).append(word)\n"
        "    return found",
        "def by_length(words):\n"
        "    found = {}\n"
        "    for word in words:\n"
        "        found.setdefault(len(word), []).append(word)\n"
        "    return found",
        ("['bee', 'ant', 'oak', 'by']", "[]", "['x', 'x', 'y']", "['two', 'four', 'one']"),
    ),
    Program(
        "medium",
        "joined_spans(spans)",
        "joins spans (lists of two whole numbers, start and end) that overlap or touch, and returns those that are"
        " left, sorted; [1, 3] and [3, 5] touch, [1, 3] and [4, 5] do not",
        "def joined_spans(spans):\n"
        "    found = []\n"
        "    for start, end in sorted(spans):\n"
        "        if found and start <= found[-1][1]:\n"
        "            found[-1][1] = max(found[-1][1], end)\n"
        "        else:\n"
        "            found.append([start, end])\n"
        "    return found",
        "def joined_spans(spans):\n"
        "    found = []\n"
        "    for start, end in sorted(spans):\n"
        "        if found and start <= found[-1][1]:\n"
        "            found[-1][1] = end\n"
        "        else:\n"
        "            found.append([start, end])\n"
        "    return found",
        ("[[5, 8], [1, 3], [3, 4]]", "[]", "[[1, 9], [2, 3]]", "[[1, 3], [4, 5]]", "[[2, 2], [0, 1]]"),
    ),
    Program(
        "medium",
        "roman(n)",
        "writes a whole number from 1 to 3999 in Roman numerals",
        "def roman(n):\n"
        "    values = [1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1]\n"
        "    signs = ['M', 'CM', 'D', 'CD', 'C', 'XC', 'L', 'XL', 'X', 'IX', 'V', 'IV', 'I']\n"
        "    said = ''\n"
        "    for value, sign in zip(values, signs):\n"
        "        said = said + sign * (n // value)\n"
        "        n = n % value\n"
        "    return said",
        "def roman(n):\n"
        "    said = ''\n"
        "    for value, sign in zip([1000, 500, 100, 50, 10, 5, 1], 'MDCLXVI'):\n"
        "        said = said + sign * (n // value)\n"
        "        n = n % value\n"
        "    return said",
        ("1987", "4", "9", "3999", "40", "1"),
    ),
    Program(
        "medium",
        "primes_between(a, b)",
        "returns the list of the prime numbers from a to b, both included",
        "def primes_between(a, b):\n"
        "    found = []\n"
        "    for n in range(max(a, 2), b + 1):\n"
        "        if all(n % d for d in range(2, int(n ** 0.5) + 1)):\n"
        "            found.append(n)\n"
        "    return found",
        "def primes_between(a, b):\n"
        "    return [n for n in range(a, b + 1) if all(n % d for d in range(2, int(n ** 0.5)))]",
        ("10, 20", "0, 5", "14, 16", "7, 7", "24, 30", "-5, 2"),
    ),
    Program(
        "medium",
        "columns_of(rows)",
        "turns a list of rows into the list of columns; rows that are too short count as if they ended in zeros",
        "def columns_of(rows):\n"
        "    width = max([len(row) for row in rows] or [0])\n"
        "    return [[row[i] if i < len(row) else 0 for row in rows] for i in range(width)]",
        "def columns_of(rows):\n    return [list(column) for column in zip(*rows)]",
        ("[[1, 2], [3]]", "[]", "[[1, 2, 3]]", "[[], [5]]", "[[1, 2], [3, 4]]"),
    ),
    Program(
        "medium",
        "headline(text)",
        "writes every word of a text with a capital first letter and the rest small, but the words a, an, the, of, and,"
        " in all small unless they are the first word",
        "def headline(text):\n"
        "    small = ['a', 'an', 'the', 'of', 'and', 'in']\n"
        "    words = text.lower().split()\n"
        "    return ' '.join(w if w in small and i > 0 else w[0].upper() + w[1:] for i, w in enumerate(words))",
        "def headline(text):\n    return ' '.join(w[0].upper() + w[1:] for w in text.split())",
        ("'the lord OF the rings'", "''", "'a tale in TWO parts'", "'and then'", "'sound and fury'"),
    ),
    Program(
        "medium",
        "by_vowels(words)",
        "returns the words of a list sorted by how many vowels (a, e, i, o, u in either case) they have, the fewest"
        " first, and those with equally many from the longest to the shortest, then alphabetically",
        "def by_vowels(words):\n"
        "    def vowels(word):\n"
        "        return sum(c in 'aeiou' for c in word.lower())\n"
        "    return sorted(words, key=lambda w: (vowels(w), -len(w), w))",
        "def by_vowels(words):\n"
        "    def vowels(word):\n"
        "        return sum(c in 'aeiou' for c in word.lower())\n"
        "    return sorted(words, key=lambda w: (vowels(w), len(w), w))",
        ("['tea', 'sky', 'plant', 'io']", "[]", "['b', 'cc', 'a']", "['Otto', 'Anna', 'Eve', 'ox']"),
    ),
    Program(
        "medium",
        "first_at_least(numbers, wanted)",
        "returns the position of the first number in a sorted list that is at least the wanted one, or the length of"
        " the list when there is none",
        "def first_at_least(numbers, wanted):\n"
        "    for i, n in enumerate(numbers):\n"
        "        if n >= wanted:\n"
        "            return i\n"
        "    return len(numbers)",
        "def first_at_least(numbers, wanted):\n"
        "    low, high = 0, len(numbers) - 1\n"
        "    while low < high:\n"
        "        middle = (low + high) // 2\n"
        "        if numbers[middle] < wanted:\n"
        "            low = middle + 1\n"
        "        else:\n"
        "            high = middle\n"
        "    return low",
        ("[1, 3, 3, 7], 3", "[], 1", "[1, 2], 9", "[5, 6], 0", "[2, 4, 6], 5"),
    ),
    Program(
        "medium",
        "differences(a, b)",
        "counts the positions at which two texts differ; what the longer one has beyond the shorter one counts too",
        "def differences(a, b):\n    return sum(x != y for x, y in zip(a, b)) + abs(len(a) - len(b))",
        "def differences(a, b):\n    return sum(x != y for x, y in zip(a, b))",
        ("'karolin', 'kathrin'", "'', 'abc'", "'same', 'same'", "'cat', 'cart'"),
    ),
    Program(
        "medium",
        "as_ranges(numbers)",
        "writes a sorted list of different whole numbers as a text with commas, where three or more in a row are"
        " written as first-last",
        "def as_ranges(numbers):\n"
        "    parts, i = [], 0\n"
        "    while i < len(numbers):\n"
        "        j = i\n"
        "        while j + 1 < len(numbers) and numbers[j + 1] == numbers[j] + 1:\n"
        "            j = j + 1\n"
        "        if j - i >= 2:\n"
        "            parts.append(str(numbers[i]) + '-' + str(numbers[j]))\n"
        "        else:\n"
        "            parts = parts + [str(n) for n in numbers[i:j + 1]]\n"
        "        i = j + 1\n"
        "    return ','.join(parts)",
        "def as_ranges(numbers):\n"
        "    parts, i = [], 0\n"
        "    while i < len(numbers):\n"
        "        j = i\n"
        "        while j + 1 < len(numbers) and numbers[j + 1] == numbers[j] + 1:\n"
        "            j = j + 1\n"
        "        parts.append(str(numbers[i]) + ('-' + str(numbers[j]) if j > i else ''))\n"
        "        i = j + 1\n"
        "    return ','.join(parts)",
        ("[1, 2, 3, 5, 6]", "[]", "[4]", "[7, 8, 9, 10]", "[1, 3, 4, 5]"),
    ),
    Program(
        "medium",
        "counted_words(text)",
        "returns a list of (word, count) for the words of a text in small letters, the most frequent first, and those"
        " of the same count in alphabetical order",
        "def counted_words(text):\n"
        "    words = text.lower().split()\n"
        "    return sorted([(w, words.count(w)) for w in set(words)], key=lambda pair: (-pair[1], pair[0]))",
        "def counted_words(text):\n"
        "    words = text.lower().split()\n"
        "    return sorted([(w, words.count(w)) for w in set(words)], key=lambda pair: (pair[1], pair[0]))",
        ("'the cat the Dog'", "''", "'b a c'", "'x X x y y'"),
    ),
    Program(
        "medium",
        "clock_plus(time, minutes)",
        "takes a time of day such as '09:05' and returns the time so many minutes later in the same form; the day"
        " begins again after 23:59, and minutes may be negative",
        "def clock_plus(time, minutes):\n"
        "    hours, rest = time.split(':')\n"
        "    total = (int(hours) * 60 + int(rest) + minutes) % 1440\n"
        "    return f'{total // 60:02d}:{total % 60:02d}'",
        "def clock_plus(time, minutes):\n"
        "    hours, rest = time.split(':')\n"
        "    total = int(hours) * 60 + int(rest) + minutes\n"
        "    return f'{total // 60:02d}:{total % 60:02d}'",
        ("'23:50', 25", "'00:00', -1", "'09:05', 0", "'12:34', 1440", "'08:30', 95"),
    ),
    Program(
        "medium",
        "both_diagonals(rows)",
        "returns the sum of all numbers that lie on either diagonal of a square list of rows; the one in the middle"
        " counts once",
        "def both_diagonals(rows):\n"
        "    n = len(rows)\n"
        "    return sum(rows[i][j] for i in range(n) for j in range(n) if i == j or i + j == n - 1)",
        "def both_diagonals(rows):\n"
        "    n = len(rows)\n"
        "    return sum(rows[i][i] + rows[i][n - 1 - i] for i in range(n))",
        ("[[1, 2, 3], [4, 5, 6], [7, 8, 9]]", "[]", "[[7]]", "[[1, 2], [3, 4]]"),
    ),
    Program(
        "medium",
        "snake(name)",
        "turns a name such as parseHTTPReply into small words with underscores such as parse_http_reply: a new word"
        " begins at a capital after a small letter, and at a capital before a small letter",
        "def snake(name):\n"
        "    said = ''\n"
        "    for i, c in enumerate(name):\n"
        "        before = i > 0 and name[i - 1].islower()\n"
        "        after = i > 0 and i + 1 < len(name) and name[i + 1].islower()\n"
        "        if c.isupper() and (before or after):\n"
        "            said = said + '_'\n"
        "        said = said + c.lower()\n"
        "    return said",
        "def snake(name):\n"
        "    said = ''\n"
        "    for i, c in enumerate(name):\n"
        "        if c.isupper() and i > 0:\n"
        "            said = said + '_'\n"
        "        said = said + c.lower()\n"
        "    return said",
        ("'parseHTTPReply'", "'plain'", "'myName'", "'URL'", "'readJSON'", "''"),
    ),
    Program(
        "medium",
        "moving_average(numbers, width)",
        "returns the list of the averages of every width neighbouring numbers, each rounded down to a whole number;"
        " it is empty when there are fewer numbers than that",
        "def moving_average(numbers, width):\n"
        "    return [sum(numbers[i:i + width]) // width for i in range(len(numbers) - width + 1)]",
        "def moving_average(numbers, width):\n"
        "    return [sum(numbers[i:i + width]) // width for i in range(len(numbers))]",
        ("[1, 2, 6, 4], 2", "[], 1", "[5], 2", "[3, 3, 3], 3", "[10, 0, 5], 1"),
    ),
)

HARD = (
    Program(
        "hard",
        "inward(rows)",
        "returns the numbers of a list of rows of equal length in the order of a spiral that starts at the top left,"
        " goes down first, and turns left at every corner, inwards",
        "def inward(rows):\n"
        "    found = []\n"
        "    columns = [list(c) for c in zip(*rows)]\n"
        "    while columns and columns[0]:\n"
        "        found = found + columns[0]\n"
        "        rest = [list(r) for r in zip(*columns[1:])]\n"
        "        columns = rest[::-1]\n"
        "    return found",
        "def inward(rows):\n"
        "    found = []\n"
        "    rows = [list(r) for r in rows]\n"
        "    while rows and rows[0]:\n"
        "        found = found + rows[0]\n"
        "        rows = [list(c) for c in zip(*rows[1:])][::-1]\n"
        "    return found",
        ("[[1, 2, 3], [4, 5, 6], [7, 8, 9]]", "[]", "[[5]]", "[[1, 2, 3]]", "[[1], [2]]", "[[1, 2], [3, 4], [5, 6]]"),
    ),
    Program(
        "hard",
        "reckon(text)",
        "works out a text such as '2 + 3 * 4 - 1' with whole numbers and the signs + - *, where * comes before + and -;"
        " there may be spaces or none; do not use eval",
        "def reckon(text):\n"
        "    total, product, sign, number = 0, None, 1, ''\n"
        "    for c in text.replace(' ', '') + '+':\n"
        "        if c.isdigit():\n"
        "            number = number + c\n"
        "        else:\n"
        "            product = int(number) if product is None else product * int(number)\n"
        "            number = ''\n"
        "            if c != '*':\n"
        "                total = total + sign * product\n"
        "                product = None\n"
        "                sign = 1 if c == '+' else -1\n"
        "    return total",
        "def reckon(text):\n"
        "    total, sign, number = 0, '+', ''\n"
        "    for c in text.replace(' ', '') + '+':\n"
        "        if c.isdigit():\n"
        "            number = number + c\n"
        "        else:\n"
        "            n = int(number)\n"
        "            number = ''\n"
        "            total = total + n if sign == '+' else total - n if sign == '-' else total * n\n"
        "            sign = c\n"
        "    return total",
        ("'2 + 3 * 4 - 1'", "'7'", "'2*3*4'", "'10-2-3'", "'1 - 2 * 3'", "'12+3*10'"),
    ),
    Program(
        "hard",
        "from_roman(text)",
        "returns the number that Roman numerals stand for (1 to 3999), or None for a text that is not how that number"
        " is properly written, such as IIII, IC, VX or an empty one",
        "def from_roman(text):\n"
        "    table = [(1000, 'M'), (900, 'CM'), (500, 'D'), (400, 'CD'), (100, 'C'), (90, 'XC'), (50, 'L'),\n"
        "             (40, 'XL'), (10, 'X'), (9, 'IX'), (5, 'V'), (4, 'IV'), (1, 'I')]\n"
        "    def write(n):\n"
        "        said = ''\n"
        "        for value, sign in table:\n"
        "            said = said + sign * (n // value)\n"
        "            n = n % value\n"
        "        return said\n"
        "    values = {sign: value for value, sign in table if len(sign) == 1}\n"
        "    total = 0\n"
        "    for i, c in enumerate(text):\n"
        "        if c not in values:\n"
        "            return None\n"
        "        following = values.get(text[i + 1], 0) if i + 1 < len(text) else 0\n"
        "        total = total + (-values[c] if values[c] < following else values[c])\n"
        "    return total if 0 < total < 4000 and write(total) == text else None",
        "def from_roman(text):\n"
        "    values = {'M': 1000, 'D': 500, 'C': 100, 'L': 50, 'X': 10, 'V': 5, 'I': 1}\n"
        "    total = 0\n"
        "    for i, c in enumerate(text):\n"
        "        if c not in values:\n"
        "            return None\n"
        "        following = values.get(text[i + 1], 0) if i + 1 < len(text) else 0\n"
        "        total = total + (-values[c] if values[c] < following else values[c])\n"
        "    return total or None",
        ("'MCMXC'", "'IIII'", "'IC'", "'VX'", "''", "'XLII'", "'MMMCMXCIX'", "'ABC'"),
    ),
    Program(
        "hard",
        "longest_climb(numbers)",
        "returns the length of the longest strictly rising sequence that is left when any numbers of a list are struck"
        " out",
        "def longest_climb(numbers):\n"
        "    best = []\n"
        "    for i, n in enumerate(numbers):\n"
        "        best.append(1 + max([best[j] for j in range(i) if numbers[j] < n] or [0]))\n"
        "    return max(best or [0])",
        "def longest_climb(numbers):\n"
        "    best, now = 0, 0\n"
        "    for i, n in enumerate(numbers):\n"
        "        now = now + 1 if i and numbers[i - 1] < n else 1\n"
        "        best = max(best, now)\n"
        "    return best",
        ("[10, 9, 2, 5, 3, 7, 101, 18]", "[]", "[3, 3, 3]", "[1, 5, 2, 3, 4]", "[9, 8, 7]"),
    ),
    Program(
        "hard",
        "edits(a, b)",
        "returns the least number of changes that turn one text into another, where a change inserts, removes or"
        " replaces one character, or swaps two neighbours",
        "def edits(a, b):\n"
        "    table = [[i + j if i == 0 or j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]\n"
        "    for i in range(1, len(a) + 1):\n"
        "        for j in range(1, len(b) + 1):\n"
        "            cost = 0 if a[i - 1] == b[j - 1] else 1\n"
        "            best = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + cost)\n"
        "            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:\n"
        "                best = min(best, table[i - 2][j - 2] + 1)\n"
        "            table[i][j] = best\n"
        "    return table[len(a)][len(b)]",
        "def edits(a, b):\n"
        "    row = list(range(len(b) + 1))\n"
        "    for i, x in enumerate(a):\n"
        "        new = [i + 1]\n"
        "        for j, y in enumerate(b):\n"
        "            new.append(min(new[j] + 1, row[j + 1] + 1, row[j] + (x != y)))\n"
        "        row = new\n"
        "    return row[-1]",
        ("'form', 'from'", "'kitten', 'sitting'", "'', 'abc'", "'same', 'same'", "'abcd', 'badc'"),
    ),
    Program(
        "hard",
        "unfold(text)",
        "writes out a text in which a number before square brackets says how often what is in them is repeated, at any"
        " depth, so that 2[a3[b]] is abbbabbb",
        "def unfold(text):\n"
        "    stack, said, number = [], '', ''\n"
        "    for c in text:\n"
        "        if c.isdigit():\n"
        "            number = number + c\n"
        "        elif c == '[':\n"
        "            stack.append((said, int(number)))\n"
        "            said, number = '', ''\n"
        "        elif c == ']':\n"
        "            before, times = stack.pop()\n"
        "            said = before + said * times\n"
        "        else:\n"
        "            said = said + c\n"
        "    return said",
        "def unfold(text):\n"
        "    stack, said, number = [], '', 0\n"
        "    for c in text:\n"
        "        if c.isdigit():\n"
        "            number = int(c)\n"
        "        elif c == '[':\n"
        "            stack.append((said, number))\n"
        "            said = ''\n"
        "        elif c == ']':\n"
        "            before, times = stack.pop()\n"
        "            said = before + said * times\n"
        "        else:\n"
        "            said = said + c\n"
        "    return said",
        ("'2[a3[b]]'", "''", "'plain'", "'12[x]'", "'0[gone]left'", "'a2[b]c2[d]'"),
    ),
    Program(
        "hard",
        "next_day(cells)",
        "takes a text of . and # that stands for a ring of cells (the last one is a neighbour of the first) and returns"
        " it a day later: a # stays when exactly one of its two neighbours is a #, and a . becomes # when both are",
        "def next_day(cells):\n"
        "    said, n = '', len(cells)\n"
        "    for i, c in enumerate(cells):\n"
        "        near = (cells[i - 1] == '#') + (cells[(i + 1) % n] == '#')\n"
        "        said = said + ('#' if near == (1 if c == '#' else 2) else '.')\n"
        "    return said",
        "def next_day(cells):\n"
        "    said = ''\n"
        "    for i, c in enumerate(cells):\n"
        "        near = cells[max(0, i - 1):i].count('#') + cells[i + 1:i + 2].count('#')\n"
        "        said = said + ('#' if near == (1 if c == '#' else 2) else '.')\n"
        "    return said",
        ("'##.#.'", "''", "'.#.'", "'#.#.'", "'##..#'", "'....'"),
    ),
    Program(
        "hard",
        "best_load(weights, values, most)",
        "returns the largest sum of values of things whose weights together are at most the given one, where each thing"
        " can be taken up to two times",
        "def best_load(weights, values, most):\n"
        "    best = [0] * (most + 1)\n"
        "    for w, v in list(zip(weights, values)) * 2:\n"
        "        for room in range(most, w - 1, -1):\n"
        "            best[room] = max(best[room], best[room - w] + v)\n"
        "    return best[most]",
        "def best_load(weights, values, most):\n"
        "    best = [0] * (most + 1)\n"
        "    for w, v in zip(weights, values):\n"
        "        for room in range(most, w - 1, -1):\n"
        "            best[room] = max(best[room], best[room - w] + v)\n"
        "    return best[most]",
        ("[3, 4], [5, 6], 10", "[], [], 5", "[2], [3], 7", "[5], [9], 4", "[1, 3, 4], [1, 4, 5], 8"),
    ),
    Program(
        "hard",
        "next_larger(n)",
        "returns the next larger whole number that has the same decimal digits as a positive one, or -1 when there is"
        " none",
        "def next_larger(n):\n"
        "    d = list(str(n))\n"
        "    i = len(d) - 2\n"
        "    while i >= 0 and d[i] >= d[i + 1]:\n"
        "        i = i - 1\n"
        "    if i < 0:\n"
        "        return -1\n"
        "    j = len(d) - 1\n"
        "    while d[j] <= d[i]:\n"
        "        j = j - 1\n"
        "    d[i], d[j] = d[j], d[i]\n"
        "    return int(''.join(d[:i + 1] + d[i + 1:][::-1]))",
        "def next_larger(n):\n"
        "    d = list(str(n))\n"
        "    for i in range(len(d) - 1, 0, -1):\n"
        "        if d[i - 1] < d[i]:\n"
        "            d[i - 1], d[i] = d[i], d[i - 1]\n"
        "            return int(''.join(d))\n"
        "    return -1",
        ("2017", "12", "531", "7", "1342", "59884848459853"),
    ),
    Program(
        "hard",
        "justified(words, width)",
        "lays words out in lines of exactly the given width: as many words on a line as fit with at least one space"
        " between them, further spaces given out from the left; the last line and a line of one word have single"
        " spaces and are filled up with spaces at the right; returns the list of lines, and no word is wider than"
        " the width",
        "def justified(words, width):\n"
        "    lines, line = [], []\n"
        "    for word in words:\n"
        "        if line and len(' '.join(line + [word])) > width:\n"
        "            lines.append(line)\n"
        "            line = []\n"
        "        line.append(word)\n"
        "    if line:\n"
        "        lines.append(line)\n"
        "    said = []\n"
        "    for number, line in enumerate(lines):\n"
        "        gaps = len(line) - 1\n"
        "        text = ' '.join(line)\n"
        "        if gaps and number < len(lines) - 1:\n"
        "            spaces = width - sum(len(w) for w in line)\n"
        "            text = line[0]\n"
        "            for i, w in enumerate(line[1:]):\n"
        "                text = text + ' ' * (spaces // gaps + (1 if i < spaces % gaps else 0)) + w\n"
        "        said.append(text + ' ' * (width - len(text)))\n"
        "    return said",
        "def justified(words, width):\n"
        "    lines, line = [], ''\n"
        "    for word in words:\n"
        "        if line and len(line) + 1 + len(word) > width:\n"
        "            lines.append(line)\n"
        "            line = word\n"
        "        else:\n"
        "            line = line + ' ' + word if line else word\n"
        "    if line:\n"
        "        lines.append(line)\n"
        "    return [text + ' ' * (width - len(text)) for text in lines]",
        ("['this', 'is', 'a', 'plain', 'text'], 11", "[], 5", "['one'], 6", "['a', 'b', 'c', 'd'], 5"),
    ),
    Program(
        "hard",
        "in_words(n)",
        "writes a whole number from 0 to 999 in English words with hyphens and the word and, such as"
        " 'two hundred and forty-one'",
        "def in_words(n):\n"
        "    ones = ('zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen'\n"
        "            ' sixteen seventeen eighteen nineteen').split()\n"
        "    tens = 'twenty thirty forty fifty sixty seventy eighty ninety'.split()\n"
        "    if n < 20:\n"
        "        return ones[n]\n"
        "    if n < 100:\n"
        "        return tens[n // 10 - 2] + ('-' + ones[n % 10] if n % 10 else '')\n"
        "    return ones[n // 100] + ' hundred' + (' and ' + in_words(n % 100) if n % 100 else '')",
        "def in_words(n):\n"
        "    ones = ('zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen'\n"
        "            ' sixteen seventeen eighteen nineteen').split()\n"
        "    tens = 'twenty thirty forty fifty sixty seventy eighty ninety'.split()\n"
        "    if n < 20:\n"
        "        return ones[n]\n"
        "    if n < 100:\n"
        "        return tens[n // 10 - 2] + '-' + ones[n % 10]\n"
        "    return ones[n // 100] + ' hundred and ' + in_words(n % 100)",
        ("241", "0", "13", "40", "500", "909", "999"),
    ),
    Program(
        "hard",
        "five_frames(rolls)",
        "returns the score of a bowling game of five frames instead of ten by the usual rules: a strike counts the next"
        " two rolls again, a spare the next one; after a strike or a spare in the fifth frame there are bonus rolls,"
        " which are in the list",
        "def five_frames(rolls):\n"
        "    total, i = 0, 0\n"
        "    for frame in range(5):\n"
        "        if rolls[i] == 10:\n"
        "            total = total + 10 + rolls[i + 1] + rolls[i + 2]\n"
        "            i = i + 1\n"
        "        elif rolls[i] + rolls[i + 1] == 10:\n"
        "            total = total + 10 + rolls[i + 2]\n"
        "            i = i + 2\n"
        "        else:\n"
        "            total = total + rolls[i] + rolls[i + 1]\n"
        "            i = i + 2\n"
        "    return total",
        "def five_frames(rolls):\n    return sum(rolls)",
        (
            "[3, 4, 10, 5, 5, 6, 2, 1, 1]",
            "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]",
            "[10, 10, 10, 10, 10, 10, 10]",
            "[5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5]",
            "[1, 2, 3, 4, 5, 4, 3, 2, 10, 7, 1]",
        ),
    ),
    Program(
        "hard",
        "fewest_coins(amount, coins)",
        "returns the sorted list of the fewest coins that make an amount exactly, any number of each kind; None when it"
        " cannot be made; of several lists with equally few coins the one that comes first when lists are compared",
        "def fewest_coins(amount, coins):\n"
        "    best = [[]] + [None] * amount\n"
        "    for total in range(1, amount + 1):\n"
        "        for coin in coins:\n"
        "            if coin <= total and best[total - coin] is not None:\n"
        "                found = sorted(best[total - coin] + [coin])\n"
        "                if best[total] is None or (len(found), found) < (len(best[total]), best[total]):\n"
        "                    best[total] = found\n"
        "    return best[amount]",
        "def fewest_coins(amount, coins):\n"
        "    found = []\n"
        "    for coin in sorted(coins, reverse=True):\n"
        "        while amount >= coin:\n"
        "            found.append(coin)\n"
        "            amount = amount - coin\n"
        "    return sorted(found) if amount == 0 else None",
        ("6, [1, 3, 4]", "0, [5]", "7, [2, 4]", "30, [1, 10, 25]", "9, [2, 3, 6, 7]"),
    ),
    Program(
        "hard",
        "work_order(needs)",
        "takes a dictionary from each task to the list of tasks that must be done before it and returns all tasks in an"
        " order in which that holds, always the alphabetically first of those that can be done next; None when there"
        " is no such order; every task is a key",
        "def work_order(needs):\n"
        "    done = []\n"
        "    while len(done) < len(needs):\n"
        "        ready = sorted(t for t in needs if t not in done and all(b in done for b in needs[t]))\n"
        "        if not ready:\n"
        "            return None\n"
        "        done.append(ready[0])\n"
        "    return done",
        "def work_order(needs):\n"
        "    done = []\n"
        "    while len(done) < len(needs):\n"
        "        ready = sorted(t for t in needs if t not in done and all(b in done for b in needs[t]))\n"
        "        if not ready:\n"
        "            return None\n"
        "        done = done + ready\n"
        "    return done",
        (
            "{'a': ['c'], 'b': [], 'c': []}",
            "{}",
            "{'x': ['y'], 'y': ['x']}",
            "{'d': ['b'], 'c': [], 'b': ['a'], 'a': []}",
            "{'m': [], 'a': ['m'], 'z': []}",
        ),
    ),
    Program(
        "hard",
        "say_again(text, times)",
        "reads a text of digits aloud and writes down what was heard, so many times over: 1 is read as one 1 and"
        " becomes 11, 11 becomes 21, 21 becomes 1211; a run of ten or more is read as runs of at most nine",
        "def say_again(text, times):\n"
        "    for _ in range(times):\n"
        "        said, i = '', 0\n"
        "        while i < len(text):\n"
        "            j = i\n"
        "            while j < len(text) and text[j] == text[i] and j - i < 9:\n"
        "                j = j + 1\n"
        "            said = said + str(j - i) + text[i]\n"
        "            i = j\n"
        "        text = said\n"
        "    return text",
        "def say_again(text, times):\n"
        "    for _ in range(times):\n"
        "        said, i = '', 0\n"
        "        while i < len(text):\n"
        "            j = i\n"
        "            while j < len(text) and text[j] == text[i]:\n"
        "                j = j + 1\n"
        "            said = said + str(j - i) + text[i]\n"
        "            i = j\n"
        "        text = said\n"
        "    return text",
        ("'1', 4", "'', 3", "'22', 5", "'7777777777', 1", "'31', 0"),
    ),
)

PROGRAMS: tuple[Program, ...] = (*EASY, *MEDIUM, *HARD)
