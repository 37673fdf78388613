"""What a model may state: relations between facts by their ids, in any language; all else is refused."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import num2words  # type: ignore[import-untyped]

from rtlib.components import ARCHITECTURE_COMPONENTS_LIST, component
from rtlib.errors import ConfigError
from rtlib.explain.facts import Fact, Facts, facts_of
from rtlib.explain.grounding import PLACEHOLDER, QUOTED, Kind, ground
from rtlib.explain.number_words import SPELLED, language_code, languages, number_words
from rtlib.explain.plain_text import normalized
from rtlib.explain.verify import MAX_RUN, MAX_SENTENCES, problems
from rtlib.graph import build
from rtlib.records import Observation, Reading, Status
from support.adversarial_answers import MEANT, MEANT_ABROAD, RECOGNISED, RECOGNISED_ABROAD

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
FACTS = Facts(
    title="Events topic",
    plain="An append-only log in four partitions. It keeps events in order.",
    status=Status.HEALTHY,
    reason="it answers",
    numbers=(
        Fact("arriving", 46.5, "records/s"),
        Fact("in the topic", 12_362.0, "records"),
        Fact("schema version", 3.0, ""),
        Fact("answers in", 7.0, "ms"),
    ),
    age="just now",
    stale=False,
    sources=("Simulator",),
    readers=("KPI query", "Archive query"),
    trouble="",
    product="Apache Kafka",
)
GROUNDING = ground(FACTS)

HONEST = {
    "English": (
        "{subject.title} takes in {number.arriving} and keeps {number.in_the_topic}.",
        "{subject.title}: {subject.state} ({subject.reason}).",
        "{subject.purpose}",
        "{source.simulator} sends events to {subject.title}, and {reader.kpi_query} reads them at its own pace.",
        "{number.arriving} arrive at {subject.title}, which answers in {number.answers_in}!",
        "{subject.title}'s newest schema is {number.schema_version}.",
    ),
    "German": (
        "{subject.title} nimmt {number.arriving} auf und enthält {number.in_the_topic}.",
        "{source.simulator} liefert die Ereignisse, und {reader.kpi_query} liest sie in eigenem Tempo.",
    ),
    "French": (
        "{subject.title} reçoit {number.arriving} et garde {number.in_the_topic}.",
        "{reader.kpi_query} lit les événements de {subject.title} à son rythme, après l'arrivée.",
    ),
    "Spanish": ("{subject.title} recibe {number.arriving} y los guarda en orden para {reader.kpi_query}.",),
    "Italian": ("{subject.title} è alimentato da {source.simulator} e risponde in {number.answers_in}.",),
    "Portuguese": ("{subject.title} recebe os eventos de {source.simulator} e conserva a ordem.",),
    "Dutch": ("{reader.archive_query} leest uit {subject.title} in eigen tempo.",),
    "Polish": ("{subject.title} otrzymuje {number.arriving} i przechowuje {number.in_the_topic}.",),
    "Swedish": ("{subject.title} tar emot {number.arriving} och svarar på {number.answers_in}.",),
    "Turkish": ("{subject.title}, {source.simulator} tarafından gönderilen olayları saklar.",),
    "Russian": ("{subject.title} получает {number.arriving} и хранит {number.in_the_topic}.",),
    "Arabic": ("{subject.title} يستقبل {number.arriving} ويحفظ {number.in_the_topic}.",),
    "Persian": ("{subject.title} رویدادها را از {source.simulator} می\u200cگیرد.",),
    "Hebrew": ("{subject.title} מקבל {number.arriving} ושומר {number.in_the_topic}.",),
    "Japanese": ("{subject.title}は{number.arriving}を受け取り、{number.in_the_topic}を保持します。",),
    "Chinese": ("{subject.title}接收{number.arriving}，保存{number.in_the_topic}。",),
    "Korean": ("{subject.title}은 {number.arriving}를 받아 {number.in_the_topic}를 보관합니다.",),
    "Bangla": ("{subject.title} {number.arriving} গ্রহণ করে এবং {number.in_the_topic} রাখে।",),
}
BEHIND_ONE_FACT, BEHIND_TWO_FACTS = "{subject.title}: ", "{subject.title} ({subject.product}): "


def problems_of(*sentences: str, facts: Facts = FACTS, language: str = "English") -> tuple[str, ...]:
    return problems(sentences, ground(facts), language=language)


def shown(sentence: str, facts: Facts = FACTS) -> str:
    return ground(facts).fill(normalized(sentence))


def lowered(answer: str) -> str:
    """As a sentence continues that a fact began: a capital letter does not give it away."""
    return answer[0].lower() + answer[1:]


@pytest.mark.parametrize(("language", "sentence"), [(name, row) for name, rows in HONEST.items() for row in rows])
def test_an_honest_sentence_passes_in_every_language_by_the_same_rules(language: str, sentence: str) -> None:
    assert problems_of(sentence, language=language) == ()
    assert not PLACEHOLDER.search(shown(sentence))


@pytest.mark.parametrize("answer", [*RECOGNISED, *MEANT, " ", "It keeps events in the order they came. " * 60])
def test_an_adversarial_answer_is_refused_as_it_stands_and_behind_a_fact(answer: str) -> None:
    assert problems_of(answer)
    assert problems_of(BEHIND_ONE_FACT + lowered(answer))


@pytest.mark.parametrize("answer", RECOGNISED)
def test_numbers_names_states_markup_and_addresses_are_refused_wherever_they_stand(answer: str) -> None:
    assert problems_of(BEHIND_TWO_FACTS + lowered(answer))


@pytest.mark.parametrize(("language", "answer"), RECOGNISED_ABROAD + MEANT_ABROAD)
def test_an_adversarial_answer_in_another_language_is_refused_too(language: str, answer: str) -> None:
    assert problems_of(answer, language=language)
    assert problems_of(BEHIND_ONE_FACT + lowered(answer), language=language)
    if (language, answer) in RECOGNISED_ABROAD:
        assert problems_of(BEHIND_TWO_FACTS + lowered(answer), language=language)


def test_the_meaning_of_words_between_two_facts_is_believed_and_this_is_all_that_is() -> None:
    believed = [answer for answer in MEANT if not problems_of(BEHIND_TWO_FACTS + lowered(answer))]
    assert sorted(believed) == sorted(MEANT)
    assert not problems_of("{source.simulator} reads from {subject.title}.")  # it is the other way round
    assert len(set(RECOGNISED)) >= 150


@pytest.mark.parametrize(
    ("sentence", "problem"),
    [
        ("{subject.title} holds 13 of {number.in_the_topic}.", "writes out the number '13'"),
        ("{subject.title} has fifty of {number.in_the_topic}.", "spells out the number 'fifty'"),
        ("{subject.title} hands {number.in_the_topic} to Redis.", "has 'Redis', which may be a name"),
        ("{subject.title} feeds the kpi query and {reader.archive_query}.", "writes out the name 'KPI query'"),
        ("{subject.title} is unhealthy, unlike {source.simulator}.", "writes out the state 'healthy'"),
        ("{subject.title} is not {subject.state}.", "adds words to a quoted state or text"),
        ("{source.simulator} is as {subject.state} as {subject.title}.", "adds words to a quoted state or text"),
        ("{subject.title} keeps events in order.", "refers to fewer than two facts"),
        ("{subject.title} and {subject.title} are down.", "refers to fewer than two facts"),
        ("Now {subject.title} takes in {number.arriving}.", "does not begin with a fact"),
        ("{number.lost} left {subject.title}.", "refers to {number.lost}, which is not a fact"),
        (
            "{subject.title} { takes in {number.arriving}.",
            "has '{', which may be markup or part of an address",
        ),
        ("{subject.title} reads {source.simulator}. it is down.", "contains a second sentence or an address"),
        ("{subject.title} sends {number.arriving} to evil.example.", "contains a second sentence or an address"),
        ("{subject.title} is -{number.arriving}.", "writes a sign or a letter next to a number"),
        ("{subject.title} is {number.schema_version}k.", "writes a sign or a letter next to a number"),
        ("{number.answers_in}{number.arriving}{subject.title}.", "writes a sign or a letter next to a number"),
        ("{subject.title} has {number.arriving}\u0336.", "writes a sign or a letter next to a number"),
        (f"{{subject.title}} {'very ' * 20} {{source.simulator}}.", f"has more than {MAX_RUN} characters between"),
        ("{subject.title} \u202eshows {source.simulator}.", "has control or hidden characters"),
        ("{subject.title} has dаta from {source.simulator}.", "has 'dаta', which mixes two alphabets"),
    ],
)
def test_a_problem_names_the_sentence_and_what_is_wrong_with_it(sentence: str, problem: str) -> None:
    good = HONEST["English"][0]
    assert any(reason.startswith(f"sentence 2 {problem}") for reason in problems_of(good, sentence))


def test_an_answer_has_at_least_one_sentence_and_not_too_many() -> None:
    good = HONEST["English"][0]
    assert problems_of() == (f"0 sentences, not 1 to {MAX_SENTENCES}",)
    assert problems_of(*[good] * MAX_SENTENCES) == ()
    assert problems_of(*[good] * (MAX_SENTENCES + 1))
    talkative = replace(FACTS, plain="It keeps events. " * 20)
    assert problems_of(*["{subject.purpose}"] * MAX_SENTENCES, facts=talkative) == ("longer than 2,000 characters",)


@given(st.characters(categories=["Nd", "Nl", "No"]))
def test_a_digit_of_any_script_is_refused_outside_a_fact(digit: str) -> None:
    assert problems_of(f"{{subject.title}} holds {digit} of {{number.in_the_topic}}.")


@pytest.mark.parametrize("language", sorted({*languages()} - {"Chinese"}))  # whose numerals are digits to Unicode
def test_a_number_is_refused_as_num2words_spells_it_in_each_language(language: str) -> None:
    spelled = [num2words(value, lang=language_code(language)) for value in SPELLED]
    passing = [
        word
        for word in spelled
        if not problems_of(f"{{subject.title}} {word} {{reader.kpi_query}}.", language=language)
    ]
    assert [word for word in passing if len(word) > 1] == []  # one letter alone is a word like others, in Korean


@given(st.lists(st.one_of(st.sampled_from(sorted(GROUNDING.references)).map("{{{}}}".format), st.text()), max_size=6))
def test_whatever_passes_has_no_number_or_sign_beside_those_of_the_facts(parts: list[str]) -> None:
    sentence = normalized("".join(parts))
    if problems([sentence], GROUNDING, language="German") == ():
        prose = PLACEHOLDER.sub("", sentence)
        assert not [sign for sign in prose if unicodedata.category(sign)[0] in "NSC"]
        assert not set(prose) & set("<>[]{}@/\\&#*_`$%")


@pytest.mark.parametrize("status", Status)
def test_a_state_is_quoted_from_the_facts_and_never_written_by_the_model(status: Status) -> None:
    facts = replace(FACTS, status=status)
    quoted = "{subject.title}: {subject.state}."
    assert problems_of(quoted, facts=facts) == ()
    assert shown(quoted, facts) == f"Events topic: {status.value}."
    assert problems_of(f"{{subject.title}} is {status.value} and feeds {{reader.kpi_query}}.", facts=facts)


def test_a_number_brings_its_unit_and_without_a_unit_its_name() -> None:
    assert shown("{subject.title}: {number.arriving}, {number.schema_version}") == (
        "Events topic: 46.5 records/s, schema version 3."
    )


@pytest.mark.parametrize("old", [{"stale": True}, {"status": Status.STOPPED}])
def test_an_old_number_says_that_it_is_old_whatever_the_model_writes_around_it(old: dict[str, object]) -> None:
    text = shown("{subject.title} now takes in {number.arriving}.", replace(FACTS, **old))  # type: ignore[arg-type]
    assert text == "Events topic now takes in 46.5 records/s (last seen)."


def test_a_stopped_neighbour_has_a_state_and_no_other_neighbour_has_one() -> None:
    facts = replace(FACTS, status=Status.DEGRADED, trouble="Simulator")
    assert problems_of("{cause.title}: {cause.state}.", facts=facts) == ()
    assert shown("{cause.title}: {cause.state}.", facts) == "Simulator: stopped."
    assert problems_of("{cause.title}: {cause.state}.") and problems_of("{source.simulator}: {source.simulator.state}.")


def test_digits_in_the_name_of_a_site_come_from_the_fact() -> None:
    facts = replace(FACTS, site="Oakland, 3rd Street", numbers=(Fact("worst site, Oakland, 3rd Street", 8.0, "min"),))
    sentence = "{subject.site} has {number.worst_site_oakland_3rd_street}."
    assert (problems_of(sentence, facts=facts), shown(sentence, facts)) == ((), "Oakland, 3rd Street has 8 min.")
    assert problems_of(
        "{subject.title} at oakland, 3rd street has {number.worst_site_oakland_3rd_street}.", facts=facts
    )


def test_an_id_in_another_form_of_unicode_is_the_same_id() -> None:
    for sentence in ("｛subject.title} feeds {reader.kpi_query}.", "{ｓubject.ti\u200ctle} feeds {reader.kpi_query}."):
        assert (problems_of(sentence), shown(sentence)) == ((), "Events topic feeds KPI query.")


def test_two_facts_of_one_name_keep_an_id_each() -> None:
    twice = ground(replace(FACTS, numbers=(Fact("rows", 1.0, "rows"), Fact("rows", 2.0, "rows"))))
    assert [row.text for row in twice.references.values() if row.kind is Kind.NUMBER] == ["1 row", "2 rows"]


@pytest.mark.parametrize("part", [row.id for row in ARCHITECTURE_COMPONENTS_LIST])
def test_every_part_can_be_explained_by_its_own_facts_in_every_state(part: str) -> None:
    for status in (state for state in Status if state is not Status.PLANNED):
        readings = (Reading("rows", 5.0, "rows", NOW - timedelta(seconds=1)),)
        graph = build({component(part).probe or "": Observation(status, "exit code 137", NOW, readings)}, now=NOW)
        grounding = ground(facts_of(graph.node(part), graph=graph))
        woven = [f"{{{key}}}" for key, row in grounding.references.items() if row.kind not in QUOTED]
        sentences = ("{subject.title}: {subject.state}.", "{subject.purpose}.", " goes with ".join(woven))
        assert problems(sentences, grounding) == ()


@pytest.mark.parametrize("language", ["Klingon", "Hindi", "Greek", "Thai", ""])
def test_a_language_whose_number_words_are_unknown_is_refused_with_those_that_are_known(language: str) -> None:
    with pytest.raises(ConfigError, match="could not be checked") as error:
        problems_of(HONEST["English"][0], language=language)
    assert "German" in error.value.cure and "Japanese" in error.value.cure


def test_every_language_on_offer_is_known_by_its_name_and_its_code() -> None:
    assert len(languages()) > 40
    for name, code in languages().items():
        assert language_code(name) == language_code(name.lower()) == code
        assert number_words(name) or code == "zh"
