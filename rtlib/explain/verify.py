"""Check: an answer of a model is held against the facts; what cannot be traced to one of them is a problem.

It would rather refuse a good answer than let a wrong one pass: the deterministic text is there in any case. An answer
is plain prose. A number in it is measured, rounded at most, and counts what the fact counts. What is quoted from the
facts, three words in a row, may be said; beside that, no word that says how much, no state but the measured one,
nothing that turns a sentence into its contrary, and no sentence that begins as a command does.

In English every word has to be one of the facts or of a vocabulary of plain words (``languages/english.toml``), in
which there is no name. For other languages there is none: there a name is known by its capital letter (in German by
not being in a list of nouns), by the beginning of a sentence, or by being well known; numbers stand in digits; and
what a sentence says without a number, name, state or quantity is believed.

What no check of words sees: whether a true number is said of the right thing, and whether a sentence of plain words
is true. "The simulator reads from the topic" is made of the facts' words alone. So the numbers stand beside the
answer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from rtlib.explain.facts import Facts
from rtlib.explain.grounding import Borne, borne_by
from rtlib.explain.language import Language, language_of
from rtlib.explain.number_words import spoken
from rtlib.explain.plain_text import unplain
from rtlib.explain.quantities import GLUED, SPOKEN, figures, forms, is_borne, is_sign, joined, unnamed

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
SENTENCE = re.compile(r"(?:[^.!?;:\n]|[.:](?=\S))+")
# The facts may be silent: "They do not say why", "There is no information about it".
SILENT = re.compile(
    r"\b(?:do not|does not|don't|doesn't|cannot|can't) (?:\w+ )?"
    r"(?:say|tell|mention|show|include|contain|explain|cover|give|describe|answer|state|know)\b"
    r"|\bno (?:\w+ )?(?:information|facts?|answer|mention|reason given)\b"
    r"|\bnot (?:\w+ )?(?:in|part of|among|covered by|mentioned in|included in|given in|available in|answered by) "
    r"the (?:given |provided |available )?facts\b",
    re.IGNORECASE,
)
# Neither a state nor a quantity: as well, written down, 5 more, how much, the most recent.
ASIDE = re.compile(
    r"\b(?:writ\w+|noted?) down\b|\bas well\b|(?<=\d )more\b|\bhow (?:much|many)\b|\bmost recent", re.IGNORECASE
)
# What is asked of the reader within a sentence: "so move the records", "if it waits, open the log", "you have to".
COMMANDED = re.compile(
    r"(?:\b(?:so|then|please|just|now)|\b(?:if|when|whenever|once|to|before|after)\b[^,]*,) (?P<told>[a-z]+) "
    r"(?:the|it|them|this|that|these|those|its|your|an?|any|each|every)\b"
    r"|\byou (?!can\b|may\b|could\b|might\b|see\b|are looking\b|read\b|think\b)(?:\w+)",
    re.IGNORECASE,
)
BEING = frozenset({
    "am", "is", "are", "was", "were", "be", "been", "being", "has", "have", "had", "get", "got", "seem", "seems",
    "become", "becomes", "became", "remain", "come", "comes", "came", "arrive", "arrives", "arrived", "go", "goes",
    "went", "run", "runs", "ran", "stay", "stays",
})  # fmt: skip
WHOLE = frozenset({
    "pipeline", "system", "everything", "everyone", "others", "they", "readers", "sources", "all", "rest",
})  # fmt: skip
# Parts that data platforms have and this one does not, for languages without a vocabulary.
STRANGERS = frozenset({
    "airflow", "athena", "beam", "bigquery", "cassandra", "celery", "clickhouse", "cloudflare", "cosmos",
    "couchbase", "dagster", "databricks", "delta", "druid", "dynamodb", "elasticsearch", "eventhub", "fabric",
    "firehose", "fivetran", "flink", "flume", "glue", "grafana", "hadoop", "hbase", "hive", "hudi", "iceberg",
    "influxdb", "kibana", "kinesis", "kubernetes", "lambda", "looker", "mongodb", "mysql", "nats", "nifi", "oracle",
    "pinot", "postgres", "postgresql", "prefect", "presto", "prometheus", "pubsub", "pulsar", "rabbitmq", "redis",
    "redpanda", "redshift", "sagemaker", "samza", "splunk", "storm", "superset", "synapse", "tableau", "terraform",
    "timescale", "trino", "vertica", "zookeeper", "slack", "pagerduty", "opsgenie", "memcached", "minio",
    "hazelcast", "debezium", "snowpipe", "mainframe", "cron", "rocksdb", "duckdb", "sqlite", "mariadb", "neo",
    "solr", "logstash", "datadog", "jenkins", "github", "gitlab", "openai", "chatgpt", "azure", "aws", "gcp",
    "google", "amazon", "teradata", "nagios", "sqs", "sns", "salesforce", "sharepoint", "bitcoin",
})  # fmt: skip


def problems(answer: str, facts: Facts, *, said: str = "", language: str = "English") -> tuple[str, ...]:
    """Everything in an answer that the facts do not bear out, in words; nothing when it may be shown.

    Args:
        answer: What the model said.
        facts: All it was told.
        said: What was made of the same facts without a model: words of it may be said as well.
        language: The answer's, by its English name.

    Raises:
        ConfigError: There is no way to check an answer in this language.
    """
    speech, borne = language_of(language), borne_by(facts, said)
    text = unicodedata.normalize("NFKC", answer).replace("’", "'").strip()
    found = list(unplain(answer, text, borne.text))
    found += [f"{told} is in none of the facts" for told in _unborne(answer, text, borne, speech)]
    found += [f"{told} is a number in words" for told in spoken(text, speech.numerals)]
    quoted = borne.quotes(text) + [one.span() for one in ASIDE.finditer(text)]
    found += [f"{word} is no part of this pipeline" for word in _strange(text, borne, speech, quoted)]
    for sentence in SENTENCE.finditer(text):
        words = list(WORD.finditer(text, *sentence.span()))
        found += _said_wrong(text, words, quoted, borne, speech)
    return tuple(dict.fromkeys(found))


def _unborne(answer: str, text: str, borne: Borne, speech: Language) -> Iterator[str]:
    """The numbers of a text that no fact bears out, as they are written."""
    yield from (one for one in answer if is_sign(one))
    yield from (told for told in GLUED.findall(text) if told not in borne.text)
    text = unnamed(text, borne.text)
    for sentence in SENTENCE.finditer(text):
        told = figures(sentence.group(), speech)
        yield from joined(sentence.group(), told)
        for one in told:
            if not is_borne(one, borne.figures, sentence.group(), speech):
                yield one.written


def _strange(text: str, borne: Borne, speech: Language, quoted: list[tuple[int, int]]) -> Iterator[str]:
    """Words that were not given and are not in the vocabulary; without one, what looks like a name."""
    for match in WORD.finditer(text):
        word = match.group()
        judged = speech.quantities.fullmatch(word) or speech.grave.fullmatch(word)
        if judged or _is_within(match, quoted) or (forms(word) & borne.words and not _is_renamed(text, match, borne)):
            continue
        if speech.closed:
            if _is_renamed(text, match, borne) or not _is_known(word, speech):
                yield word
        elif word.lower() in STRANGERS or _is_name(text, match, speech):
            yield word


def _is_renamed(text: str, match: re.Match[str], borne: Borne) -> bool:
    """True for a plain word that is made a name by its capital letter: Kafka Streams, a Delta Lake."""
    word = match.group()
    named = word.lower().removesuffix("'s") in borne.names or word == "I"
    return word[0].isupper() and not _begins(text, match) and not named


def _begins(text: str, match: re.Match[str]) -> bool:
    before = text[: match.start()].rstrip()
    return not before or before[-1] in '.!?:;(“"\n'


def _is_known(word: str, speech: Language) -> bool:
    told = word.lower()
    listed = told in SPOKEN or told in speech.states or told in speech.times or told in speech.negations
    is_name = any(letter.isupper() for letter in word[1:])
    return not is_name and (listed or bool(forms(word) & speech.words))


def _is_name(text: str, match: re.Match[str], speech: Language) -> bool:
    word = match.group().split("'")[-1]
    return any(one.isupper() for one in word[1:]) or (
        word[0].isupper() and not _begins(text, match) and not speech.nouns.fullmatch(word)
    )


def _said_wrong(
    text: str, words: list[re.Match[str]], quoted: list[tuple[int, int]], borne: Borne, speech: Language
) -> Iterator[str]:
    """What a sentence says that nobody measured: how much, how it is, what to do."""
    told = [one.group().lower() for one in words]
    # What is no word of the facts or of the language is told of by itself, and so is a quantity.
    known = {one for one in told[:1] if _is_known(one, speech) or forms(one) & borne.words or not speech.closed}
    first = next((one for one in known if not speech.quantities.fullmatch(one)), "")
    if first and not _is_within(words[0], quoted) and not _opens(text, words, borne, speech):
        yield f"a sentence that begins with {words[0].group()!r} may be a command"
    if speech.closed:
        yield from _commanded(text[words[0].start() : words[-1].end()] if words else "", speech)
    silent = [one.span() for one in SILENT.finditer(text)]
    for at, word in enumerate(told):
        if _is_within(words[at], quoted) or _is_asked(text, words[at], silent):
            continue
        before = told[max(0, at - 4) : at]
        if word in speech.states:
            denied = any(one in speech.negations for one in before)
            of_another = not denied and any(one in WHOLE | borne.others for one in before)
            if denied == (borne.status in speech.states[word]) or of_another:
                yield f"that it is {'not ' if denied else ''}{words[at].group()!r} is in none of the facts"
        elif speech.quantities.fullmatch(word) or _is_grave(word, before, borne, speech):
            yield f"{words[at].group()} is in none of the facts"
        elif (
            word in speech.now and borne.old and any(one.isdigit() for one in text[words[0].start() : words[-1].end()])
        ):
            yield f"{words[at].group()!r} is not when it was measured"
        elif word in speech.negations and not _may_deny(words[at], told, at, silent, speech):
            yield f"{words[at].group()!r} turns the facts round"


def _commanded(sentence: str, speech: Language) -> Iterator[str]:
    for match in COMMANDED.finditer(sentence):
        verb = (match["told"] or "").lower()
        if not verb or not (verb in speech.openers or verb.endswith(("s", "ed", "ing"))):
            yield f"{match.group()[-60:]!r} may be a command"


def _is_grave(word: str, before: list[str], borne: Borne, speech: Language) -> bool:
    """True for what went wrong; a word of the facts may stand beside a noun ("late events"), but not say how it is."""
    said_of_it = not speech.closed or bool(BEING & set(before)) or word not in borne.words
    return said_of_it and bool(speech.grave.fullmatch(word))


def _may_deny(word: re.Match[str], told: list[str], at: int, silent: list[tuple[int, int]], speech: Language) -> bool:
    """True for a negation of what the facts do not tell, and of a state, which is held against the measured one."""
    following = told[at + 1 : at + 4]
    grave = any(speech.grave.fullmatch(one) for one in told)
    if not speech.closed:
        return not grave
    return _is_within(word, silent) or any(one in speech.states for one in following)


def _is_asked(text: str, word: re.Match[str], silent: list[tuple[int, int]]) -> bool:
    """True for what the facts are said not to tell: "they do not say why it is slow"."""
    between = [text[end : word.start()] for _, end in silent if end <= word.start()]
    return any(re.fullmatch(r" (?:why|whether|how|if) (?:(?!and |but |or |so )[a-z]+ ){1,6}", one) for one in between)


def _opens(text: str, words: list[re.Match[str]], borne: Borne, speech: Language) -> bool:
    """True when a sentence begins as one that tells something: with an article, a pronoun, a number, a given name."""
    first = words[0]
    before = text[: first.start()].rstrip()
    if re.search(r"\d\W*$", before[-3:]) and not re.search(r"[.!?;:\n]\s*$", before[-2:]):
        return True  # a number stands before it
    word = first.group().lower().split("'")[0]
    if word in speech.adverbs and first.group().lower() in speech.openers:
        return len(words) == 1 or _opens(text, words[1:], borne, speech) or words[1].group().endswith("ing")
    named = word in borne.names and (first.group()[0].isupper() or word in borne.others)
    return word in speech.openers or named or word in SPOKEN or (speech.closed and word.endswith("ing"))


def _is_within(word: re.Match[str], spans: list[tuple[int, int]]) -> bool:
    return any(start <= word.start() and word.end() <= end for start, end in spans)
