"""Document collections made on the spot: six domains with a vocabulary each, deterministic, without a network.

Every document is about one subject, every sentence says something about it in words of the domain, and most words stand
in many documents: a search must weigh several words of a question together, as in manuals that repeat themselves.
`workshop` is what a study fine-tunes for; its words stand in no other domain.
"""

import random
from dataclasses import dataclass

from judgemerge.core.errors import JudgemergeError, did_you_mean


@dataclass(frozen=True)
class Domain:
    """Words by slot, templates of sentences over the slots, and what the subjects of documents are called."""

    subject: str
    slots: dict[str, list[str]]
    sentences: list[str]


def _words(text: str) -> list[str]:
    return [word.replace("_", " ") for word in text.split()]


_SHARED = {
    "when": _words(
        "every_morning after_each_shift once_a_week before_winter at_noon twice_a_day after_the_holidays "
        "in_spring during_a_break late_in_the_evening on_the_first_of_the_month when_it_rains"
    ),
    "why": [
        "because nobody noticed it last year",
        "so that nothing has to be done twice",
        "although it takes longer",
        "since the old rule was dropped",
        "unless somebody asks for another way",
        "which saves a good deal of time",
    ],
    "amount": _words("two three four five six eight ten twelve fifteen twenty thirty forty"),
}

DOMAINS: dict[str, Domain] = {
    "workshop": Domain(
        "{machine} {series}",
        {
            "machine": _words(
                "lathe milling_cutter surface_grinder drill_press band_saw shaper broaching_rig gear_hobber "
                "honing_bench swaging_press"
            ),
            "series": _words("KX-20 KX-45 RB-7 RB-11 TN-300 TN-410 VL-8 VL-16 QM-2 QM-9 ZD-60 ZD-75"),
            "part": _words(
                "spindle gasket bushing chuck quill tailstock arbor leadscrew gib_strip carriage idler_pulley "
                "collet worm_gear drawbar knee_clamp saddle ratchet_pawl thrust_washer coolant_nozzle swarf_tray "
                "turret cam_follower"
            ),
            "fault": _words(
                "chatter backlash runout galling scoring seizure misalignment overheating pitting leakage "
                "vibration slippage"
            ),
            "remedy": _words(
                "regreasing shimming lapping reboring retorquing degaussing deburring flushing realigning "
                "preloading rebalancing recalibrating"
            ),
            "tool": _words(
                "dial_gauge feeler_gauge torque_wrench arbor_puller hook_spanner bore_micrometer vee_block "
                "allen_key lapping_plate spirit_level"
            ),
            "fluid": _words("hydraulic_oil cutting_emulsion lithium_grease kerosene slideway_oil molybdenum_paste"),
            "unit": _words("newton_metres microns bar strokes revolutions millimetres"),
        },
        [
            "{fault} of the {part} is cured by {remedy} with the {tool}.",
            "The {part} takes {amount} {unit} when it is set with the {tool}.",
            "Fitters treat the {part} with {fluid} {when}.",
            "If {fault} returns, the {part} is exchanged together with the {part2} {why}.",
            "Before {remedy}, the {part} is cleaned with {fluid}.",
            "A worn {part} shows as {fault} near the {part2}.",
            "The {tool} must not touch the {part} while {remedy} goes on.",
            "{remedy} of the {part} is due {when}, {why}.",
        ],
    ),
    "kitchen": Domain(
        "{style} {dish}",
        {
            "style": _words("baked roasted pickled smoked creamy spicy rustic festive cold glazed stuffed braised"),
            "dish": _words("soup pie stew salad omelette dumpling pudding casserole risotto pancake"),
            "ingredient": _words(
                "onion carrot lentil barley butter thyme paprika mushroom cabbage apple walnut honey cream "
                "vinegar leek potato ginger pumpkin bacon parsley nutmeg raisin"
            ),
            "flaw": _words(
                "bitterness lumps dryness sourness burning sogginess saltiness curdling toughness blandness"
            ),
            "action": _words(
                "whisking simmering kneading chopping straining marinating folding frying steaming chilling"
            ),
            "pot": _words(
                "copper_pan wooden_spoon clay_pot sieve rolling_pin cast-iron_skillet mixing_bowl paring_knife "
                "grater ladle"
            ),
            "liquid": _words("chicken_stock olive_oil white_wine warm_milk lemon_juice salted_water"),
            "unit": _words("spoonfuls grams minutes slices cups degrees"),
        },
        [
            "{flaw} of the {ingredient} is avoided by {action} in the {pot}.",
            "The {ingredient} needs {amount} {unit} when it goes into the {pot}.",
            "Cooks cover the {ingredient} with {liquid} {when}.",
            "If {flaw} remains, the {ingredient} is served together with the {ingredient2} {why}.",
            "Before {action}, the {ingredient} is rinsed with {liquid}.",
            "An old {ingredient} is known by its {flaw} beside the {ingredient2}.",
            "The {pot} should not be moved while {action} goes on.",
            "{action} of the {ingredient} is done {when}, {why}.",
        ],
    ),
    "garden": Domain(
        "{place} {plant}",
        {
            "place": _words(
                "shaded sunny terraced walled coastal potted climbing alpine woodland dwarf hardy southern"
            ),
            "plant": _words("rose clematis fern tulip hydrangea lavender peony bamboo iris quince"),
            "organ": _words(
                "root bud stem leaf bulb trellis seedling hedge bark petal compost_heap flower_bed rhizome "
                "cutting shoot lawn_edge mulch graft tuber vine pergola pod"
            ),
            "pest": _words("mildew aphids rot frost_damage wilting rust blight slugs moss scab"),
            "care": _words("pruning watering grafting mulching weeding thinning staking repotting spraying dividing"),
            "implement": _words(
                "secateurs garden_fork watering_can dibber hand_trowel pruning_saw rake wheelbarrow hoe bamboo_cane"
            ),
            "feed": _words("nettle_brew bone_meal wood_ash rainwater leaf_mould fish_manure"),
            "unit": _words("litres centimetres handfuls weeks rows barrows"),
        },
        [
            "{pest} of the {organ} is stopped by {care} with the {implement}.",
            "The {organ} wants {amount} {unit} when it is planted with the {implement}.",
            "Gardeners dress the {organ} with {feed} {when}.",
            "If {pest} comes back, the {organ} is burnt together with the {organ2} {why}.",
            "Before {care}, the {organ} is soaked in {feed}.",
            "A weak {organ} shows {pest} close to the {organ2}.",
            "The {implement} stays away from the {organ} while {care} goes on.",
            "{care} of the {organ} is done {when}, {why}.",
        ],
    ),
    "library": Domain(
        "{kind} {room}",
        {
            "kind": _words("public municipal scientific historical parish mobile children's music legal private"),
            "room": _words(
                "archive reading_room catalogue lending_desk map_room newspaper_hall bindery study basement annex"
            ),
            "thing": _words(
                "atlas manuscript shelf_mark index_card novel periodical folio glossary bookplate microfilm "
                "ledger pamphlet"
            ),
            "trouble": _words("fading loss dust mould misfiling delay theft damage dampness confusion"),
            "work": _words("cataloguing binding copying lending sorting stamping scanning shelving counting labelling"),
            "aid": _words(
                "reading_lamp date_stamp card_box trolley step_ladder magnifier paper_knife scanner glue_brush notebook"
            ),
            "unit": _words("volumes pages days shelves readers copies"),
        },
        [
            "{trouble} of the {thing} is prevented by {work} with the {aid}.",
            "The {thing} has {amount} {unit} when it lies beside the {aid}.",
            "Librarians check the {thing} {when}, {why}.",
            "If {trouble} is found, the {thing} is kept together with the {thing2} {why}.",
            "{work} of the {thing} is finished {when}.",
        ],
    ),
    "travel": Domain(
        "{sort} {vehicle}",
        {
            "sort": _words("early cheap northern coastal crowded delayed overnight direct scenic local"),
            "vehicle": _words("train ferry coach flight tram caravan steamer shuttle taxi bicycle_tour"),
            "item": _words(
                "ticket passport suitcase timetable seat platform visa lounge cabin map luggage_tag compartment harbour"
            ),
            "mishap": _words(
                "a_strike a_delay a_storm a_mix-up an_overbooking a_closure a_detour seasickness a_queue a_fine"
            ),
            "step": _words("booking boarding changing checking packing waiting transferring rebooking paying asking"),
            "helper": _words(
                "conductor guide porter booking_office purser stewardess customs_officer ticket_machine agent pilot"
            ),
            "unit": _words("kilometres hours coins stations bags passengers"),
        },
        [
            "After {mishap} the {item} is replaced by {step} at the {helper}.",
            "The {item} costs {amount} {unit} when the {helper} sells it.",
            "Travellers show the {item} to the {helper} {when}.",
            "If {mishap} is likely, the {item} is kept together with the {item2} {why}.",
            "{step} with the {item} is possible {when}, {why}.",
        ],
    ),
    "weather": Domain(
        "{adjective} {region}",
        {
            "adjective": _words("upper lower eastern western inner outer dry wet windy quiet"),
            "region": _words("valley coast plateau island delta ridge moor basin foothills lowland"),
            "sign": _words(
                "cloud_bank pressure fog humidity wind_vane barometer rainfall thunder frost breeze drizzle hail "
                "snow_line"
            ),
            "change": _words("a_rise a_fall a_sudden_turn a_lull a_surge a_drop calm a_shift a_warming a_cooling"),
            "watch": _words(
                "measuring observing recording comparing forecasting plotting reporting averaging filtering warning"
            ),
            "device": _words(
                "rain_gauge thermometer weather_balloon radar buoy satellite_image hygrometer chart wind_sock telescope"
            ),
            "unit": _words("degrees millimetres knots hectopascals readings nights"),
        },
        [
            "{change} of the {sign} is known by {watch} with the {device}.",
            "The {sign} gives {amount} {unit} when it is read from the {device}.",
            "Observers note the {sign} {when}, {why}.",
            "If {change} follows, the {sign} is compared with the {sign2} {why}.",
            "{watch} of the {sign} is done {when}.",
        ],
    ),
}


def document(domain: str, number: int, seed: int, n_sections: int = 5, n_sentences: int = 7) -> tuple[str, list[str]]:
    """Return title and sections of one document; the same arguments give the same text on every machine."""
    if domain not in DOMAINS:
        raise JudgemergeError(f"made documents: unknown domain '{domain}'{did_you_mean(domain, DOMAINS)}")
    rng = random.Random(f"{domain}:{seed}:{number}")
    rules = DOMAINS[domain]
    subject = rules.subject.format(**{slot: rng.choice(words) for slot, words in rules.slots.items()})
    sections = []
    for _ in range(n_sections):
        templates = rng.sample(rules.sentences * 2, n_sentences)
        sections.append(" ".join(_sentence(rules, template, subject, rng) for template in templates))
    return subject, sections


def _sentence(rules: Domain, template: str, subject: str, rng: random.Random) -> str:
    words = {slot: rng.choice(choices) for slot, choices in (rules.slots | _SHARED).items()}
    second = (
        next(slot[:-1] for slot in (*(f"{name}2" for name in rules.slots), " ") if "{" + slot + "}" in template)
        if ("2}" in template)
        else None
    )
    if second:
        words[second + "2"] = rng.choice([word for word in rules.slots[second] if word != words[second]])
    text = template.format(**words)
    if rng.random() < 0.5:
        text = f"On the {subject}, {text[0].lower()}{text[1:]}"
    return text[0].upper() + text[1:]


def texts(domain: str, n_documents: int, seed: int) -> list[str]:
    """Return whole documents as plain text: title, then a paragraph per section."""
    documents = (document(domain, number, seed) for number in range(n_documents))
    return ["\n\n".join([title[0].upper() + title[1:], *sections]) for title, sections in documents]


def files_of(domain: str, n_documents: int, seed: int) -> dict[str, str]:
    """Return file name → content: plain text, Markdown and HTML in turn, so that every loader of text has work."""
    contents = {}
    for number in range(n_documents):
        title, sections = document(domain, number, seed)
        heading, kind = title[0].upper() + title[1:], ("txt", "md", "html")[number % 3]
        if kind == "html":
            body = "".join(f"<p>{section}</p>\n" for section in sections)
            content = f"<html><head><title>{heading}</title></head><body><h1>{heading}</h1>\n{body}</body></html>\n"
        else:
            content = "\n\n".join([f"# {heading}" if kind == "md" else heading, *sections]) + "\n"
        contents[f"{domain}_{number:04d}.{kind}"] = content
    return contents
