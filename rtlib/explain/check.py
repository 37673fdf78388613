"""Check: an answer of a model is held against the facts; what cannot be traced to one of them is a problem.

It would rather refuse a good answer than let a wrong one pass: the deterministic text is there in any case. In
English a number may be written in words; an answer in another language has to write digits, and a number word of it is
a problem. Where nouns are written with capitals, as in German, most of them count as invented names. What it cannot
judge is a sentence without a number or a name: whether a true number is said of the right thing is left to the reader,
who sees the numbers beside it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator

from rtlib.explain.words import spoken

LONGEST = 1500
MARKUP = re.compile(
    r"<[^>]*>|</|\]\s*\(|https?:|www\.|```|javascript:|&#?\w+;"
    r"|[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e]"  # what cannot be seen, or turns the writing round
)
OBEYED = re.compile(
    r"\b(ignor\w*|disregard\w*|previous (rule|instruction)s?|system prompt|my instructions|as an? (ai|language model)"
    r"|developer mode|jailbreak\w*|password|api key)\b",
    re.IGNORECASE,
)
NUMBER = re.compile(r"(?<![\w.,])[-−]?\d+(?:[.,\u00a0\u202f'’ ]\d{3})*(?:[.,]\d+)?(?:\s?%)?|\d+(?:[.,]\d+)*(?:\s?%)?")
GLUED = re.compile(r"\w*\d[^\W\d_]\w*")  # 7k, 7bn, 3x: the number with something that changes it
# 3rd Street, Tokyo 3: where the facts have these two words they are a name and no number.
NAMED = re.compile(r"\b\d+[^\W\d_]+ [^\W\d_]+\b|\b[^\W\d_]+ \d+(?!\w|[.,]\d|\s?%)")
ADDRESS = re.compile(r"\S*@\S+|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b", re.IGNORECASE)
SMALL = {word: value for value, word in enumerate(
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
     "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
)}  # fmt: skip
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "dozen": 12}
WORDS = re.compile(rf"\b(?:(?:{'|'.join([*SMALL, *TENS, *SCALES])})(?:[\s-]+(?:and\s+)?)?)+(?![a-z])", re.IGNORECASE)
FRACTIONS = re.compile(
    r"\b(half|halves|halved|thirds?|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|quarters?|twice|thrice"
    r"|doubl\w+|tripl\w+|quadrupl\w+|\w+fold|hundreds|thousands|millions|billions|trillions?|dozens|scores"
    r"|hundredths?|one per ?cent|(?:none|nothing|all|most) of (?:its|the|them))\b",
    re.IGNORECASE,
)
# Parts that data platforms have and this one does not: a sentence that begins with one is caught by them alone.
STRANGERS = frozenset({
    "airflow", "athena", "beam", "bigquery", "cassandra", "celery", "clickhouse", "cloudflare", "cosmos", "couchbase",
    "dagster", "databricks", "delta", "druid", "dynamodb", "elasticsearch", "eventhub", "fabric", "firehose",
    "fivetran", "flink", "flume", "glue", "grafana", "hadoop", "hbase", "hive", "hudi", "iceberg", "influxdb",
    "kibana", "kinesis", "kubernetes", "lambda", "looker", "mongodb", "mysql", "nats", "nifi", "oracle", "pinot",
    "postgres", "postgresql", "prefect", "presto", "prometheus", "pubsub", "pulsar", "rabbitmq", "redis", "redpanda",
    "redshift", "sagemaker", "samza", "splunk", "storm", "superset", "synapse", "tableau", "terraform", "timescale",
    "trino", "vertica", "zookeeper", "slack", "pagerduty", "opsgenie", "memcached", "minio", "hazelcast", "debezium",
    "snowpipe", "mainframe", "cron", "rocksdb", "duckdb", "sqlite", "mariadb", "neo4j", "solr", "logstash", "datadog",
    "jenkins", "github", "gitlab", "openai", "chatgpt", "azure", "aws", "gcp", "google", "amazon",
    # states: only what the facts say of one may be said
    "healthy", "degraded", "stopped", "crashed", "broken", "idle", "offline", "unhealthy", "failed", "lost",
})  # fmt: skip


def problems(
    answer: str,
    *,
    numbers: Collection[float],
    words: str,
    percents: Collection[float] = (),
    number_words: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Everything in an answer that the facts do not bear out, in words; nothing when it may be shown.

    Args:
        answer: What the model said.
        numbers: The values it may say, each in the unit in which it is told.
        words: All text it was given: names that are not in it are invented.
        percents: Those values that may stand before a per cent sign.
        number_words: Of the answer's language, where it is not English (``words.number_words``); each is a problem.
    """
    text = unicodedata.normalize("NFKC", answer).strip()
    for name in (one for one in NAMED.findall(words) if not one[0].islower()):
        text = re.sub(rf"\b{re.escape(name)}(?!\w|[.,]\d|\s?%)", name.strip("0123456789"), text)
    found = [] if text else ["it is empty"]
    if len(text) > LONGEST:
        found.append(f"it is longer than {LONGEST:,} letters")
    if MARKUP.search(answer) or MARKUP.search(text):
        found.append("it holds markup or a link")
    if any(unicodedata.category(one) == "Cf" for one in answer):
        found.append("it holds signs that cannot be seen")
    if any(one.lower() not in words.lower() for one in ADDRESS.findall(text)):
        found.append("it holds an address")
    if OBEYED.search(text):
        found.append("it speaks of its instructions instead of the pipeline")
    found += [f"{told.strip()} is in none of the facts" for told in _unborne(answer, text, numbers, percents)]
    found += [f"{told.strip()} is in none of the facts" for told in GLUED.findall(text) if told not in words]
    found += [f"{told} is a number in words" for told in spoken(text, number_words)]
    found += [f"{name} is no part of this pipeline" for name in _strange(text, words)]
    return tuple(dict.fromkeys(found))


def _unborne(answer: str, text: str, numbers: Collection[float], percents: Collection[float]) -> Iterator[str]:
    """The numbers of a text that no fact bears out, as they are written."""
    known = set(numbers)
    yield from (one for one in answer if _is_sign(one))
    for match in NUMBER.finditer(text):
        told = match.group()
        allowed = percents if told.endswith("%") else known
        sign = -1 if told[0] in "-−" else 1
        if not any(_is_rounded(value, digits, {sign * one for one in allowed}) for value, digits in _readings(told)):
            yield told
    for match in WORDS.finditer(text):
        value = _spoken(match.group())
        if value != 1 and not _is_rounded(value, 0, known):  # "one" is a pronoun as often as a number
            yield match.group()
    yield from (match.group() for match in FRACTIONS.finditer(text))


def _is_sign(one: str) -> bool:
    """True for a single sign that is a number: a fraction, a circled five, a Chinese numeral."""
    kind = unicodedata.category(one)
    return kind in ("No", "Nl") or (kind == "Lo" and unicodedata.numeric(one, None) not in (None, 1.0))


def _readings(written: str) -> Iterator[tuple[float, int]]:
    """What a number may mean, with how many decimals: 1,234 is one thousand in English and one point two in German."""
    plain = re.sub(r"[\s\u00a0\u202f'’%−-]", "", written)
    for thousands, point in ((",", "."), (".", ",")):
        whole, _, decimals = plain.partition(point)
        groups = whole.split(thousands)
        well_grouped = len(groups) == 1 or all(len(one) == 3 for one in groups[1:])
        if well_grouped and (decimals.isdigit() or not decimals) and "".join(groups).isdigit():
            yield float(f"{''.join(groups)}.{decimals or 0}"), len(decimals)


def _is_rounded(value: float, decimals: int, known: Collection[float]) -> bool:
    """True when a fact rounds to this value: to its decimals, or to at least two leading digits."""
    if any(abs(one - value) <= 0.5 * 10**-decimals + 1e-9 for one in known):
        return True
    if decimals or value < 100 or value % 10:
        return False
    zeros = len(str(int(value))) - len(str(int(value)).rstrip("0"))
    places = min(zeros, len(str(int(value))) - 2)
    return any(one >= 100 and abs(one - value) <= 0.5 * 10**places for one in known)


def _spoken(words: str) -> float:
    """The value of English number words: twenty-five, two hundred and six, three thousand."""
    total, part = 0, 0
    for word in re.findall(r"[a-z]+", words.lower()):
        if word in SCALES and SCALES[word] >= 1_000:
            total, part = total + max(part, 1) * SCALES[word], 0
        elif word in SCALES:
            part = max(part, 1) * SCALES[word]
        else:
            part += SMALL.get(word, 0) + TENS.get(word, 0)
    return float(total + part)


def _strange(text: str, words: str) -> Iterator[str]:
    """Names that were not given: capitals within a sentence or a word, and well-known strangers anywhere."""
    given = {one.lower() for one in re.findall(r"[^\W\d_]+", words)}
    for match in re.finditer(r"[^\W\d_]+", text):
        word = match.group()
        begins = not text[: match.start()].strip() or text[: match.start()].rstrip()[-1] in ".!?:;(“\"'\n"
        is_name = word[0].isupper() and not begins or any(letter.isupper() for letter in word[1:])
        if (is_name or word.lower() in STRANGERS) and word.lower() not in given and word != "I":
            yield word
