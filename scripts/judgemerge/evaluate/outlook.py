"""What a study will need: what its verdicts show, or what is usual where there are none yet, put into `planning.py`.

A benchmark's outlook has several values of everything that planning asks for, one per judge or pair of judges, because
no two are alike; a need is given for the middle one, with the least and the greatest beside it. Baselines do not count
where there are two other judges: nobody plans a study to tell a model from a coin.

Where nothing was judged yet, three values stand in. They are what recorded and own judges showed on PandaLM, LLMBar,
Auto-J, MT-Bench and the demo's sets: merges of the same parents are wrong on nearly the same items (discordance .01 to
.05), experts and their merges differ on .04 to .2, judges that have nothing in common on .15 to .45; items that share a
prompt have an intraclass correlation of 0 to .25.
"""

import itertools
import math
import statistics
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate import alternative_annotator as alternative
from judgemerge.evaluate import corrected
from judgemerge.evaluate.bootstrap import effective_clusters
from judgemerge.evaluate.corrected_rows import codes_of, grade, judge_wins, wins
from judgemerge.evaluate.counts import cells_of, replicated
from judgemerge.evaluate.humans import combined_codes
from judgemerge.evaluate.planning import (
    DORNER,
    Duelling,
    Labelled,
    Spread,
    agreement_table,
    items_to_replace,
    kappa_variance,
)
from judgemerge.evaluate.replaceability import panel_of
from judgemerge.evaluate.tables import was_asked
from judgemerge.evaluate.verdict_arrays import CODES, BenchmarkArrays, JudgeArrays, benchmark_arrays, judge_arrays

DISCORDANCES = (0.02, 0.15, 0.35)
CORRELATIONS_OF_JUDGES = (0.9, 0.7, 0.4)  # of grades; with people .5
INTRACLASS = (0.0, 0.05, 0.25)
KAPPAS = (0.3, 0.5, 0.7)
CORRELATIONS = (0.7, 0.5, 0.3)
APART = (0.1, 0.2, 0.3)  # items on which person and judge are not equally near, of a judge like one more person
PEOPLE = 3
GRADES = 5
USUAL = "what is usual, for nothing was judged yet"
LEAST_PROMPTS = corrected.LEAST_LABELS
MOST_GRADES = 2000  # of more items a part shows how correlations vary; without each item in turn takes n² steps


TWO_JUDGES, TEST = "two judges", "alternative annotator test"
SIGNS = {TWO_JUDGES: ("", " apart"), TEST: ("ε ", "")}  # before and after a target in words


class Targets(NamedTuple):
    """What is wanted: to show `difference` with `power`; kappa, win rates and grades to within so much.

    `width` is half the interval of a corrected win rate; of a mean grade that part of the range of grades.
    """

    difference: float = 0.03
    power: float = 0.8
    confidence: float = 0.95
    kappa: float = 0.1
    width: float = 0.05


class Need(NamedTuple):
    """A row of the plan: how many of `unit` the `question` takes, from the easiest to the hardest judge or pair.

    `present` is how many there are now, `reached` what they are enough for, in the measure of `target`: a difference,
    or half an interval. Empty where it cannot be reached, or is not known; then the note says why.
    """

    benchmark: str
    question: str
    target: float
    unit: str
    needed: int | None
    least: int | None
    most: int | None
    present: int | None
    reached: float | None
    basis: str
    note: str = ""


@dataclass(frozen=True)
class Outlook:
    """What is known of the judges and people of one benchmark; `of_counts` and `of_verdicts` make it.

    `spreads` are of pairs of judges, `kappas` of each judge and people, `duels` of each judge with every person,
    `correlations` of each judge's opinions with people's. `people` is the mean of what people say, `reach` the range of
    their grades (1 for pairs). `epsilon` is None where nobody asks whether people may be replaced.
    """

    benchmark: str
    protocol: str
    n_items: int | None
    n_prompts: int | None
    spreads: tuple[Spread, ...]
    kappas: tuple[Labelled, ...]
    duels: tuple[tuple[Duelling, ...], ...]
    correlations: tuple[float, ...]
    people: Labelled
    reach: float
    epsilon: float | None
    basis: Mapping[str, str]


# ---- from counts alone ----


def of_counts(
    benchmark: str,
    protocol: str,
    n_items: int | None,
    n_prompts: int | None = None,
    truths: Mapping[str, int] | None = None,
    epsilon: float | None = None,
) -> Outlook:
    """Return the usual outlook of a benchmark of which no verdict is there; `truths` counts its gold labels."""
    per_prompt = n_items / n_prompts if n_items and n_prompts else 1.0
    effects = [1 + (per_prompt - 1) * correlation for correlation in INTRACLASS]
    pairwise = protocol == "pairwise"
    sizes = DISCORDANCES if pairwise else [difference_variance(0.5, between) for between in CORRELATIONS_OF_JUDGES]
    shares = list((truths or {"first": 1, "second": 1}).values()) if pairwise else [1.0] * GRADES
    shares = [share for share in shares if share]
    tables = [agreement_table(kappa, shares) for kappa in KAPPAS]
    variance = win_variance(truths or {"first": 1, "second": 1}) if pairwise else 1.0
    sample = {"design_effect": effects[1], "per_prompt": per_prompt, "n_items": n_items or math.inf}
    return Outlook(
        benchmark=benchmark,
        protocol=protocol,
        n_items=n_items,
        n_prompts=n_prompts,
        spreads=tuple(Spread(size, pairwise, effect, per_prompt) for size, effect in zip(sizes, effects, strict=True)),
        kappas=tuple(Labelled(kappa_variance(table, is_graded=not pairwise), **sample) for table in tables),
        duels=tuple((Duelling(apart / 2, apart / 2, effects[1], per_prompt),) * PEOPLE for apart in APART),
        correlations=CORRELATIONS,
        people=Labelled(variance, **sample),
        reach=1.0 if pairwise else GRADES - 1.0,
        epsilon=epsilon,
        basis=dict.fromkeys(("spreads", "kappas", "duels", "correlations"), USUAL),
    )


def win_variance(truths: Mapping[str, int]) -> float:
    """Return the variance of wins (1, a tie ½) where people say so; even wins and losses have the most."""
    ties = truths.get("tie", 0) / sum(truths.values())
    return (1 - ties) / 4


def difference_variance(with_people: float, between: float) -> float:
    """Return n times the variance of r_a − r_b, two judges' correlations of ranks with people, both `with_people`.

    `between` is that of the judges. Pearson and Filon (1898) for plain correlations, as far as those of ranks vary
    more: by 1 + r² / 2 (Bonett and Wright 2000, doi:10.1007/BF02294183).
    """
    square = with_people**2
    covariance = between * (1 - 2 * square) - square * (1 - 2 * square - between**2) / 2
    return 2 * ((1 - square) ** 2 - covariance) * (1 + square / 2)


# ---- from items and verdicts ----


def of_verdicts(
    items: Sequence[Item],
    verdicts_by_judge: Mapping[str, Sequence[Verdict]],
    baselines: Collection[str],
    epsilon: float | None,
    source: str,
) -> Outlook:
    """Return what items and the verdicts that are there show; what they do not show is usual."""
    benchmark = benchmark_arrays(items)
    protocol = items[0].protocol
    truths = {label: int((benchmark.truth == CODES[label]).sum()) for label in ("first", "second", "tie")}
    known = protocol == "pairwise" and benchmark.n_items
    usual = of_counts(
        benchmark.benchmark,
        protocol,
        benchmark.n_items or len(items),
        benchmark.n_clusters or len({item.cluster for item in items}),
        truths if known else None,
        epsilon,
    )
    judged = {judge: (judge_arrays(benchmark, judge, some), some) for judge, some in verdicts_by_judge.items()}
    there = {judge: both for judge, both in judged.items() if any(both[0].recorded)}
    models = {judge: both for judge, both in there.items() if judge not in baselines}
    chosen = models if len(models) > 1 else there
    if not chosen or not benchmark.n_items:
        return usual
    arrays = {judge: one for judge, (one, _) in chosen.items()}
    parts = {
        "spreads": tuple(spreads(benchmark, arrays)),
        "kappas": tuple(kappas(benchmark, arrays.values())),
        "duels": tuple(duellings(benchmark, chosen.values())),
        "correlations": tuple(correlations(benchmark, chosen.values())),
    }
    shown = {name: value for name, value in parts.items() if value}
    n_pairs = len(parts["spreads"])
    words = {name: f"{len(value)} judge{'s' * (len(value) > 1)} of {source}" for name, value in shown.items()}
    words |= {"spreads": f"{n_pairs} pair{'s' * (n_pairs > 1)} of judges of {source}"} if n_pairs else {}
    people = people_say(benchmark)
    grades = benchmark.truth if protocol == "pointwise" else np.array([0.0, 1.0])
    return replace(
        usual,
        **shown,
        people=labelled(benchmark, float(people.var()), people, benchmark.cluster),
        reach=float(np.ptp(grades)) or 1.0,
        basis={**usual.basis, **words},
    )


def labelled(benchmark: BenchmarkArrays, variance: float, values: np.ndarray, cluster: np.ndarray) -> Labelled:
    """Return what labels say of a number that depends on (n,) values as a mean does; `cluster` is theirs."""
    effect = float(alternative.design_effect(values.astype(float), cluster))
    per_prompt = benchmark.n_items / effective_clusters(benchmark.cluster_sizes)
    return Labelled(variance, effect, per_prompt, benchmark.n_items)


def spreads(benchmark: BenchmarkArrays, judges: Mapping[str, JudgeArrays]) -> Iterator[Spread]:
    """Yield how far every two judges are apart: in accuracy over the orders both have, or in Spearman's correlation."""
    if benchmark.protocol == "pairwise":
        for one, other in itertools.combinations(judges.values(), 2):
            orders = np.array(one.recorded) & np.array(other.recorded)
            if orders.any():
                right = [(judge.codes == benchmark.truth[:, None])[:, orders].mean(axis=1) for judge in (one, other)]
                yield Spread.of(right[0] - right[1], benchmark.cluster)
        return
    part = in_part(benchmark)
    for one, other in itertools.combinations(judges.values(), 2):
        read = part & np.isfinite(one.scores) & np.isfinite(other.scores)
        values = [pseudo_values(benchmark.truth[read], judge.scores[read]) for judge in (one, other)]
        if all(np.isfinite(some).all() and len(some) > 1 for some in values):
            yield Spread.of(values[0] - values[1], benchmark.cluster[read], is_share=False)


def in_part(benchmark: BenchmarkArrays) -> np.ndarray:
    """Return which items are looked at for correlations, (n_items,): whole prompts, at most MOST_GRADES items."""
    upto = np.cumsum(benchmark.cluster_sizes)
    return (upto <= max(MOST_GRADES, upto[0]))[benchmark.cluster]


def pseudo_values(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return (n,) numbers whose mean is about Spearman's correlation, and their variance over n its variance."""
    n = len(truth)
    if n < 3:
        return np.full(n, np.nan)
    cells = cells_of(truth, score, np.arange(n), n)
    whole, _, without = replicated(cells, np.zeros((0, n)), ["spearman"])
    return n * whole["spearman"] - (n - 1) * without["spearman"]


def kappas(benchmark: BenchmarkArrays, judges: Iterable[JudgeArrays]) -> Iterator[Labelled]:
    """Yield what a label says of each judge's kappa with the gold labels."""
    for judge in judges:
        if benchmark.protocol == "pairwise":
            said, truth = combined_codes(judge), benchmark.truth
            table = np.zeros((len(CODES), len(CODES)))
            cluster = benchmark.cluster
        else:
            read = np.isfinite(judge.scores)
            truth, said, cluster = benchmark.truth[read], judge.scores[read], benchmark.cluster[read]
            if not len(truth) or not np.all(np.r_[truth, said] == np.round(np.r_[truth, said])):
                continue
            lowest, highest = min(truth.min(), said.min()), max(truth.max(), said.max())
            if highest - lowest > 20:
                continue
            truth, said = ((some - lowest).astype(int) for some in (truth, said))
            table = np.zeros((int(highest - lowest) + 1,) * 2)
        np.add.at(table, (truth.astype(int), said.astype(int)), 1)
        used = (table.sum(axis=0) + table.sum(axis=1)) > 0
        if benchmark.protocol == "pairwise":
            table = table[used][:, used]
        if used.sum() < 2:
            continue
        variance = kappa_variance(table, is_graded=benchmark.protocol == "pointwise")
        if math.isfinite(variance):
            yield labelled(benchmark, variance, truth == said, cluster)


def duellings(
    benchmark: BenchmarkArrays, judges: Iterable[tuple[JudgeArrays, Sequence[Verdict]]]
) -> Iterator[tuple[Duelling, ...]]:
    """Yield each judge's duels with all people who labelled enough items; nothing where there are no three of them."""
    panel = panel_of(benchmark)
    for judge, verdicts in judges:
        asked = was_asked(benchmark, verdicts)
        outcome = judge.scores if panel.are_grades else combined_codes(judge).astype(float)
        labels = np.where(asked & (outcome != CODES["error"] if not panel.are_grades else True), outcome, np.nan)
        every = alternative.duels(panel, labels, asked)
        if not alternative.refusal(panel, every, asked):
            yield tuple(Duelling.of(duel) for duel in every if duel.n >= alternative.LEAST_ITEMS)


def people_say(benchmark: BenchmarkArrays) -> np.ndarray:
    """Return what people say of each item, (n_items,): how much the first answer wins, or the mean grade."""
    value, of_truth = (wins, corrected_win) if benchmark.protocol == "pairwise" else (grade, float)
    return np.array(
        [value([vote.vote for vote in item.votes]) if item.votes else of_truth(item.truth) for item in benchmark.items],
        dtype=float,
    )


def corrected_win(truth: str) -> float:
    """Return how much of an item with this gold label the first answer wins."""
    return wins([truth])


def correlations(
    benchmark: BenchmarkArrays, judges: Iterable[tuple[JudgeArrays, Sequence[Verdict]]]
) -> Iterator[float]:
    """Yield Pearson's correlation of each judge's opinions with those of people; none of a judge without a spread."""
    people = people_say(benchmark)
    for judge, verdicts in judges:
        if benchmark.protocol == "pairwise":
            opinions = judge_wins(*codes_of(benchmark.items, verdicts))
        else:
            opinions = judge.scores
        value = corrected.correlation(corrected.Units.of(people, opinions))
        if math.isfinite(value):
            yield value


# ---- the plan ----


def needs(outlook: Outlook, targets: Targets, n_labels: int | None = None) -> list[Need]:
    """Return the plan of one benchmark; `n_labels` is how many labels there are for a corrected number."""
    rows = [_judges(outlook, targets), _kappa(outlook, targets)]
    if outlook.epsilon is not None:
        rows.append(_people(outlook, targets, outlook.epsilon))
    return [*rows, *_corrected(outlook, targets, n_labels)]


def _judges(outlook: Outlook, targets: Targets) -> Need:
    rule = targets.power, targets.confidence
    shown = [one.detectable(outlook.n_items, *rule) for one in outlook.spreads] if outlook.n_items else []
    return Need(
        outlook.benchmark,
        TWO_JUDGES,
        targets.difference,
        "items",
        *three([one.items(targets.difference, *rule) for one in outlook.spreads]),
        outlook.n_items,
        finite(statistics.median(shown)) if shown else None,
        outlook.basis["spreads"],
        "accuracy" if outlook.protocol == "pairwise" else "Spearman's correlation",
    )


def _kappa(outlook: Outlook, targets: Targets) -> Need:
    confidence, n_items = targets.confidence, outlook.n_items
    reached = [one.half(n_items, confidence) for one in outlook.kappas] if n_items else []
    return Need(
        outlook.benchmark,
        "kappa",
        targets.kappa,
        "labels",
        *three([one.labels(targets.kappa, confidence) for one in outlook.kappas]),
        n_items,
        statistics.median(reached) if reached else None,
        outlook.basis["kappas"],
    )


def _people(outlook: Outlook, targets: Targets, epsilon: float) -> Need:
    needed = [items_to_replace(duels, epsilon, targets.power) for duels in outlook.duels]
    n_never = sum(one is None for one in needed)
    note = f"{n_never} of {len(needed)} judges never pass, for people are ahead of them by ε or more" if n_never else ""
    return Need(
        outlook.benchmark,
        TEST,
        epsilon,
        f"labels each of {len(outlook.duels[0])} people",
        *three(needed),
        None,
        None,
        outlook.basis["duels"],
        note,
    )


def _corrected(outlook: Outlook, targets: Targets, n_labels: int | None) -> Iterator[Need]:
    """Yield the labels that a win rate, or a mean grade, takes alone, and with a judge of what there is to judge."""
    half, n_items = targets.width * outlook.reach, outlook.people.n_items
    name = "win rate" if outlook.protocol == "pairwise" else "mean grade"

    def row(question: str, values: Sequence[int | None], basis: str, note: str) -> Need:
        about = outlook.benchmark, f"{name}, {question}", half, "labels"
        return Need(*about, *three(values), n_labels, None, basis, note)

    def with_judges(of_many: bool) -> list[int | None]:
        judged = replace(outlook.people, n_items=math.inf) if of_many else outlook.people
        every = [replace(judged, correlation=value) for value in outlook.correlations]
        return [one.labels(half, targets.confidence, LEAST_PROMPTS) for one in every]

    alone = outlook.people.labels(half, targets.confidence, LEAST_PROMPTS) or 0
    yield row("labels alone", [alone], "", "more labels than there are items" if alone > n_items else "")
    values = with_judges(of_many=False)
    is_out_of_reach = None in values
    factor = statistics.median(1 / max(1 - value**2, 1e-3) for value in outlook.correlations)
    ceiling = max(math.ceil(alone / DORNER), LEAST_PROMPTS)
    note = f"a label counts for {factor:.2f} = 1 / (1 − ρ²)"
    note += f"; with a judge no better than what it judges at least {ceiling:,}"
    if is_out_of_reach:
        note += f"; if many more than these {n_items:,} items are judged"
        values = with_judges(of_many=True)
    yield row("corrected by a judge", values, outlook.basis["correlations"], note)


def finite(value: float) -> float | None:
    """Return a number, or None for one that is not known."""
    return value if math.isfinite(value) else None


def three(values: Sequence[int | None]) -> tuple[int | None, int | None, int | None]:
    """Return the middle, the least and the greatest of some needs; what can never be reached is the greatest."""
    if not values:
        return None, None, None
    ordered = sorted(values, key=lambda value: math.inf if value is None else value)
    return ordered[(len(ordered) - 1) // 2], ordered[0], ordered[-1]


# ---- in words ----


def page(rows: Sequence[Need], targets: Targets, outlooks: Sequence[Outlook]) -> str:
    """Return the plan as text for a terminal."""
    lines = [f"power {targets.power:g}, confidence {targets.confidence:g}"]
    for outlook in outlooks:
        size = "size unknown" if outlook.n_items is None else f"{outlook.n_items:,} items"
        prompts = "" if outlook.n_prompts is None else f" on {outlook.n_prompts:,} prompts"
        prompts = ", each taken for a prompt of its own" if outlook.n_items and not prompts else prompts
        lines += ["", f"{outlook.benchmark}: {size}{prompts}"]
        own = [row for row in rows if row.benchmark == outlook.benchmark]
        lines += [_line(row) for row in own]
        about = [f"{row.question}: {row.note}" for row in own if row.note]
        sources: dict[str, list[str]] = {}
        for row in own:
            if row.basis:
                sources.setdefault(row.basis, []).append(row.question)
        about += [
            f"from {source}" + (f": {', '.join(questions)}" if len(sources) > 1 else "")
            for source, questions in sources.items()
        ]
        indents = {"initial_indent": " " * 4, "subsequent_indent": " " * 6}
        lines += [line for text in about for line in textwrap.wrap(text, 115, **indents)]
    return "\n".join(lines)


def _line(row: Need) -> str:
    sign, ending = SIGNS.get(row.question, ("± ", ""))
    needed, *ends = ("never" if value is None else f"{value:,}" for value in (row.needed, row.least, row.most))
    between = f"{ends[0]} to {ends[1]}" if ends[0] != ends[1] else ""
    there = "" if row.present is None else f"there are {row.present:,}"
    if row.reached is not None:
        there = f"{row.present:,} {'show' if ending else 'give'} {sign}{row.reached:.3f}"
    target = f"{row.question} {sign}{row.target:g}{ending}"
    return f"  {target:<42}{needed:>8} {row.unit:<27}{between:<20}{there}".rstrip()
