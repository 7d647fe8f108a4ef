"""Synthetic judge tasks with a known truth, for the demo study and the tests. No person wrote or judged anything here.

A question asks for words of one kind; an answer gives four, of which `n_good` follow the rule of the category and the
others break it. The hidden quality of an answer is `n_good`, so

* pairwise: the answer with more good words is better; equal counts are a tie (one pair in five);
* pointwise: the hidden grade is GRADES[n_good]: 1, 3, 5, 8 or 10.

Three simulated annotators vote on every item and err at a stated rate. As with real benchmarks the item's `truth` is
made from the votes (majority; median for grades), so it is itself wrong now and then; the hidden truth is kept in
`extra["hidden"]`. Questions are divided between the splits base, train and test once and for all; none is in two.
"""

import random
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import Literal

from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.items import CLASSES, PROTOCOLS, Item, Protocol, Vote

Split = Literal["base", "train", "test"]

N_WORDS = 4
LOWEST, HIGHEST = 1, 10
GRADES = (1, 3, 5, 8, 10)  # hidden grade by number of good words
SPLITS = ("base", "train", "test")
# Share of the mean error rate of each annotator: one careful, one average, one hasty.
ANNOTATORS = {"careful": 0.5, "average": 1.0, "hasty": 1.5}
# What an annotator votes who does not read.
HABITS = {"pairwise": "first", "pointwise": 8}


@dataclass(frozen=True)
class Category:
    """One kind of question; `rule` says which words are good, `good` and `bad` hold the words of the answers."""

    rule: str
    questions: tuple[str, ...]
    good: str
    bad: str


CATEGORIES = {
    "knowledge": Category(
        rule="the words name animals, not things",
        questions=("Name animals of {place}.", "Which animals live in {place}?", "List animals seen near {place}."),
        good="fox owl deer bear wolf horse sheep goat",
        bad="spoon lamp chair rope brick shelf jacket ladder",
    ),
    "arithmetic": Category(
        rule="the numbers are even, not odd",
        questions=(
            "Name even bus lines of {place}.",
            "List even house numbers in {place}.",
            "Give even years of {place}.",
        ),
        good="12 18 24 36 40 52 58 66",
        bad="13 17 25 37 41 53 59 65",
    ),
    "instruction": Category(
        rule="the words are English, as asked, not German",
        questions=("Describe {place} in English.", "In English, what is in {place}?", "Use English words for {place}."),
        good="bridge river garden street meadow harbour tower market",
        bad="Wasser Strasse Wiese Hafen Turm Kirche Wald Fluss",
    ),
    "courtesy": Category(
        rule="the words are polite, not rude",
        questions=("Greet a guest from {place}.", "Write politely to {place}.", "Thank the people of {place}."),
        good="please thanks welcome gladly kindly pardon certainly sincerely",
        bad="nonsense rubbish stupid lazy silly boring shame ugly",
    ),
}
PLACES = (
    "Arland Borvia Celdor Dranmark Esteria Farnis Gorland Helvia Istra Jorvik Kelmar Lunden Mirova Norhaven Ostrava "
    "Pelham Quorn Rosheim Selby Tarnow Ulmen Varna Westen Yarrow"
)


def questions(split: Split) -> list[tuple[str, str]]:
    """Return the (category, question) pairs of a split; the division is fixed, so that no seed can mix the splits."""
    if split not in SPLITS:
        raise JudgemergeError(f"demo tasks: split '{split}' is unknown{did_you_mean(split, SPLITS)}")
    by_category = []
    for name, category in CATEGORIES.items():
        texts = [text.format(place=place) for text in category.questions for place in PLACES.split()]
        random.Random(f"demo questions {name}").shuffle(texts)
        by_category += [(name, text) for text in texts[SPLITS.index(split) :: len(SPLITS)]]
    return by_category


def make_items(
    protocol: Protocol, split: Split, n_items: int, seed: int, annotator_error: float = 0.1, habit: float = 0.0
) -> list[Item]:
    """Return `n_items` different items, the categories in turn; the same arguments give the same items.

    `annotator_error` is the mean error rate of the three annotators (ANNOTATORS: 0.5, 1 and 1.5 times it). An erring
    annotator picks one of the two other classes, or moves the grade by one or two points. With probability `habit` an
    annotator gives the HABITS vote without reading: from such careless data a model learns to favour the answer that
    is shown first and to grade leniently.
    """
    if protocol not in PROTOCOLS:
        raise JudgemergeError(f"demo tasks: protocol '{protocol}' is unknown{did_you_mean(protocol, PROTOCOLS)}")
    for name, rate, highest in (("annotator_error", annotator_error, 0.6), ("habit", habit, 1)):
        if not 0 <= rate <= highest:
            raise JudgemergeError(f"demo tasks: {name} is {rate}; give a rate from 0 to {highest}")
    generator = random.Random(f"demo {protocol} {split} {seed}")
    all_questions = questions(split)
    by_category = {name: [text for other, text in all_questions if other == name] for name in CATEGORIES}
    items, seen = [], set()
    while len(items) < n_items:
        category = list(CATEGORIES)[len(items) % len(CATEGORIES)]
        question = generator.choice(by_category[category])
        n_good = [generator.randint(0, N_WORDS) for _ in range(2 if protocol == "pairwise" else 1)]
        answers = [_answer(generator, category, count) for count in n_good]
        hidden = better(*n_good) if protocol == "pairwise" else GRADES[n_good[0]]
        votes = tuple(
            Vote(annotator, _vote(generator, protocol, hidden, share * annotator_error, habit))
            for annotator, share in ANNOTATORS.items()
        )
        identity = (question, frozenset(answers))  # a pair and its swapped twin are one item
        if identity in seen:
            continue
        seen.add(identity)
        item = Item(
            id=f"{protocol}-{split}-{seed}-{len(items):05d}",
            benchmark=f"demo_{protocol}",
            protocol=protocol,
            turns=(question,),
            responses=tuple((answer,) for answer in answers),
            truth=_truth(votes),
            cluster=" ".join(question.lower().split()),
            origin={"source": "demo", "row": len(items)},
            votes=votes,
            category=category,
            extra={"hidden": hidden, "n_good": n_good},
        )
        items.append(item)
    return items


def better(n_good_first: int, n_good_second: int) -> str:
    """Return the hidden truth of a pair: more good words win."""
    if n_good_first == n_good_second:
        return "tie"
    return "first" if n_good_first > n_good_second else "second"


def _answer(generator: random.Random, category: str, n_good: int) -> str:
    words = generator.sample(CATEGORIES[category].good.split(), n_good)
    words += generator.sample(CATEGORIES[category].bad.split(), N_WORDS - n_good)
    generator.shuffle(words)
    return " ".join(words)


def _vote(generator: random.Random, protocol: Protocol, hidden: str | int, error: float, habit: float) -> str | int:
    if generator.random() < habit:
        return HABITS[protocol]
    if generator.random() >= error:
        return hidden
    if protocol == "pairwise":
        return generator.choice([other for other in CLASSES if other != hidden])
    near = [hidden + step for step in (-2, -1, 1, 2)]
    return generator.choice([value for value in near if LOWEST <= value <= HIGHEST])


def _truth(votes: tuple[Vote, ...]) -> str | float:
    """Return the median grade, or the class of most votes; three different classes: nobody agrees, so a tie."""
    labels = [vote.vote for vote in votes]
    if not isinstance(labels[0], str):
        return median(labels)
    winner, n_votes = Counter(labels).most_common(1)[0]
    return winner if n_votes > 1 else "tie"


def corpus(seed: int, n_sentences: int = 4000) -> list[str]:
    """Return plain text: sentences of common English words, then the words of the tasks in any order.

    It teaches nothing about quality. It is there for the tokenizer, which needs variety to reach its size.
    """
    generator = random.Random(f"demo corpus {seed}")
    common = COMMON_WORDS.split()
    texts = []
    for _ in range(n_sentences):
        words = generator.choices(common, k=generator.randint(4, 12))
        texts.append(" ".join(words).capitalize() + generator.choice((".", ".", ".", "?", "!")))
    numbers = [str(number) for number in range(100)]
    for _ in range(100):  # often enough that every word of a prompt or an answer becomes one token
        words = numbers + PLACES.split() + JUDGE_WORDS.split()
        for category in CATEGORIES.values():
            words += category.good.split() + category.bad.split() + " ".join(category.questions).split()
        generator.shuffle(words)
        texts += [" ".join(words).replace("{place}", ""), "\n".join(words).replace("{place}", "")]
    return texts


JUDGE_WORDS = "Which answer is better: A, B or tie? Grade the from 1 to 10. Question: Answer Verdict: Score:"

COMMON_WORDS = """
a able about above accept across act active add after again against age agree air all allow almost alone along already
also although always among amount and animal another answer any appear apple area argue arm around arrive art article
as ask at attack author away baby back bad ball bank base be beautiful because become bed before begin behind believe
below beside best better between beyond big bird black blood blue board boat body book both bottom box boy brain
branch bread break bright bring broad brother brown build burn business but buy by call camp can capital car card care
carry case catch cause centre century certain chance change character charge check child choose circle city claim
class clean clear climb clock close cloth cloud coast code cold collect colour column come comfort common company
compare complete computer condition consider contain continue control cook cool copy corner correct cost could count
country course cover create cross crowd cry culture current cut daily dance danger dark data daughter day dead deal
dear death decide deep degree depend describe desert design detail develop die differ difficult dinner direct discover
discuss disease distance divide do doctor dog door double doubt down draw dream dress drink drive drop dry during each
ear early earth ease east eat edge education effect egg eight either electric else empty end energy engine enjoy
enough enter equal error even evening event ever every exact example except exercise expect explain eye face fact fail
fair fall family famous far farm fast father favour fear feed feel few field fight figure fill film final find fine
finger finish fire first fish fit five flat floor flow flower fly follow food foot for force foreign form forward four
free fresh friend from front fruit full function further future game gas general gentle get girl give glass go gold
good govern grade grand grass great green ground group grow guess guide hair half hall hand happen happy hard hat have
he head health hear heart heat heavy help her here high hill him his history hit hold hole home hope hospital hot
hotel hour house how however huge human hundred hunt hurt husband ice idea if image imagine improve in include
increase indeed industry inside instead interest into iron island it job join journey judge jump just keep key kill
kind king kitchen know lady lake land language large last late laugh law lay lead learn least leave left leg length
less lesson let letter level library lie life lift light like line lip list listen little live local long look lose
lot loud love low machine main make man manner many map mark master match material matter may mean measure meat
medicine meet member memory mention metal method middle might mile milk million mind minute miss mix model modern
moment money month moon more morning most mother mountain mouth move much music must name narrow nation nature near
necessary neck need neighbour never new news next nice night no noise none nor north nose not note nothing notice now
number object observe ocean of off offer office often oil old on once one only open operate opinion opposite or orange
order organ other our out outside over own page pain paint pair paper parent park part party pass past path pattern
pay peace people perfect perhaps period person phone photo phrase pick picture piece place plain plan plant plate play
point police poor popular position possible pound power practice prepare present press pretty prevent price print
prison private problem process produce product program promise proper protect prove provide public pull pure purpose
push put quality quarter queen question quick quiet quite race radio rain raise range rate rather reach read ready
real reason receive record red reduce region remain remember repeat reply report represent require respect response
rest result return rich ride right ring rise road rock roll room root rose round row rule run sad safe sail salt same
sand save say scale school science score sea search season seat second secret section see seed seem sell send sense
sentence separate serious serve set settle seven several shade shake shape share sharp she ship shirt shoe shoot shop
short should shoulder shout show side sign silver similar simple since sing single sister sit six size skill skin sky
sleep slip slow small smell smile smoke snow so social society soft soil soldier solve some son song soon sort sound
south space speak special speech speed spell spend spirit spot spread spring square stage stand star start state
station stay steam steel step still stone stop store storm story straight strange stream strong student study subject
success such sudden sugar suggest suit summer sun supply support sure surface surprise swim symbol system table take
talk tall taste teach team tear tell ten term test than that the their them then theory there these they thick thin
thing think third this those though thought thousand thread three through throw tie time tiny to today together tone
too tool tooth top total touch toward town track trade train travel tree triangle trip trouble truck true trust try
turn twenty two type uncle under unit until up use usual valley value various verdict very view village visit voice
vote wait walk wall want war warm wash watch water wave way we wear weather week weight well west what wheel when
where whether which while white who whole whose why wide wife wild will wind window wing winter wire wise wish with
within without woman wonder wood word work world worth would write wrong yard year yellow yes yet you young your
"""
