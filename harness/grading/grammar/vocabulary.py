"""The vocabulary of answers: commands, functions, connectors, units, number words. Data only."""

from __future__ import annotations


def names(*lines: str) -> frozenset[str]:
    """The space-separated names of all lines."""
    return frozenset(name for line in lines for name in line.split())


FUNCTIONS = names(
    "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc asin acos atan sinh cosh tanh coth sech csch"
    " arcsinh arccosh arctanh asinh acosh atanh artanh arsinh arcosh log ln lg exp sqrt cbrt abs gcd lcm max"
    " min floor ceil ceiling det binom cis sgn sign arg"
)
GREEK = names(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi rho sigma tau"
    " upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar"
)
CONNECTORS: dict[str, tuple[str, str]] = {
    "and": ("conn", "and"),
    "or": ("conn", "or"),
    "et": ("conn", "and"),
    "y": ("sym", "y"),
    "und": ("conn", "and"),
    "oder": ("conn", "or"),
    "infinity": ("const", "inf"),
    "infty": ("const", "inf"),
    "inf": ("const", "inf"),
    "oo": ("const", "inf"),
    "degrees": ("deg", "°"),
    "degree": ("deg", "°"),
    "deg": ("deg", "°"),
    "percent": ("pct", "%"),
    "mod": ("mod", "mod"),
    "choose": ("op", "choose"),
    "union": ("set", "cup"),
    "in": ("in", "in"),
    "times": ("op", "*"),
    "where": ("end_text", "where"),
    "approximately": ("rel", "≈"),
}

COMMANDS: dict[str, tuple[str, str]] = {
    "\\frac": ("frac", ""),
    "\\dfrac": ("frac", ""),
    "\\tfrac": ("frac", ""),
    "\\cfrac": ("frac", ""),
    "\\nicefrac": ("frac", ""),
    "\\sfrac": ("frac", ""),
    "\\binom": ("binom", ""),
    "\\dbinom": ("binom", ""),
    "\\tbinom": ("binom", ""),
    "\\choose": ("op", "choose"),
    "\\sqrt": ("sqrt", ""),
    "\\pi": ("const", "pi"),
    "\\infty": ("const", "inf"),
    "\\infinity": ("const", "inf"),
    "\\cdot": ("op", "*"),
    "\\times": ("op", "*"),
    "\\ast": ("op", "*"),
    "\\div": ("op", "/"),
    "\\over": ("op", "over"),
    "\\pm": ("pm", "+"),
    "\\mp": ("pm", "-"),
    "\\circ": ("deg", "°"),
    "\\degree": ("deg", "°"),
    "\\percent": ("pct", "%"),
    "\\le": ("rel", "<="),
    "\\leq": ("rel", "<="),
    "\\leqslant": ("rel", "<="),
    "\\leqq": ("rel", "<="),
    "\\ge": ("rel", ">="),
    "\\geq": ("rel", ">="),
    "\\geqslant": ("rel", ">="),
    "\\geqq": ("rel", ">="),
    "\\lt": ("rel", "<"),
    "\\gt": ("rel", ">"),
    "\\ne": ("rel", "!="),
    "\\neq": ("rel", "!="),
    "\\not": ("not", ""),
    "\\approx": ("rel", "≈"),
    "\\simeq": ("rel", "≈"),
    "\\doteq": ("rel", "≈"),
    "\\equiv": ("rel", "≡"),
    "\\cong": ("rel", "≅"),
    "\\sim": ("rel", "~"),
    "\\perp": ("rel", "⊥"),
    "\\parallel": ("rel", "∥"),
    "\\subset": ("rel", "⊂"),
    "\\supset": ("rel", "⊃"),
    "\\subseteq": ("rel", "⊆"),
    "\\supseteq": ("rel", "⊇"),
    "\\mapsto": ("rel", "↦"),
    "\\in": ("in", "in"),
    "\\ni": ("in", "in"),
    "\\cup": ("set", "cup"),
    "\\cap": ("set", "cap"),
    "\\bigcup": ("set", "cup"),
    "\\setminus": ("set", "minus"),
    "\\smallsetminus": ("set", "minus"),
    "\\backslash": ("set", "minus"),
    "\\emptyset": ("set", "empty"),
    "\\varnothing": ("set", "empty"),
    "\\R": ("set", "R"),
    "\\Z": ("set", "Z"),
    "\\N": ("set", "N"),
    "\\Q": ("set", "Q"),
    "\\C": ("set", "C"),
    "\\lfloor": ("open", "⌊"),
    "\\rfloor": ("close", "⌋"),
    "\\lceil": ("open", "⌈"),
    "\\rceil": ("close", "⌉"),
    "\\langle": ("open", "⟨"),
    "\\rangle": ("close", "⟩"),
    "\\lbrace": ("open", "{"),
    "\\rbrace": ("close", "}"),
    "\\lbrack": ("open", "["),
    "\\rbrack": ("close", "]"),
    "\\lvert": ("bar", "|"),
    "\\rvert": ("bar", "|"),
    "\\vert": ("bar", "|"),
    "\\Vert": ("bar", "||"),
    "\\lVert": ("bar", "||"),
    "\\rVert": ("bar", "||"),
    "\\mid": ("bar", "mid"),
    "\\ldots": ("ldots", ""),
    "\\dots": ("ldots", ""),
    "\\cdots": ("ldots", ""),
    "\\dotsc": ("ldots", ""),
    "\\dotsb": ("ldots", ""),
    "\\dotsm": ("ldots", ""),
    "\\to": ("arrow", "->"),
    "\\rightarrow": ("arrow", "->"),
    "\\Rightarrow": ("arrow", "=>"),
    "\\implies": ("arrow", "=>"),
    "\\iff": ("arrow", "=>"),
    "\\land": ("conn", "and"),
    "\\wedge": ("conn", "and"),
    "\\lor": ("conn", "or"),
    "\\vee": ("conn", "or"),
    "\\neg": ("sym", "neg"),
    "\\lnot": ("sym", "neg"),
    "\\sum": ("big", "sum"),
    "\\prod": ("big", "prod"),
    "\\int": ("big", "int"),
    "\\lim": ("big", "lim"),
    "\\prime": ("prime", "'"),
    "\\top": ("sym", "T"),
    "\\intercal": ("sym", "T"),
    "\\colon": ("colon", ":"),
    "\\imath": ("sym", "i"),
    "\\angle": ("label", "angle"),
    "\\measuredangle": ("label", "angle"),
    "\\triangle": ("label", "triangle"),
    "\\cr": ("row", ""),
    "\\Pr": ("sym", "P"),
    "\\newline": ("row", ""),
    "\\omicron": ("sym", "o"),
    "\\nabla": ("sym", "nabla"),
    "\\partial": ("sym", "partial"),
    "\\tg": ("func", "tan"),
    "\\ctg": ("func", "cot"),
    "\\arctg": ("func", "arctan"),
    "\\forall": ("sym", "forall"),
    "\\exists": ("sym", "exists"),
    "\\Re": ("func", "re"),
    "\\Im": ("func", "im"),
}
DROPPED = frozenset(
    "\\" + name
    for name in names(
        "left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr middle displaystyle textstyle",
        "scriptstyle limits nolimits quad qquad enspace thinspace space bf rm it sf tt cal large Large small",
        "normalsize boldmath hfill nonumber notag hline centering mathstrut strut null relax thickspace medspace",
        "negthinspace ensuremath therefore because LARGE huge n",
    )
)
_TEXT_STYLES = names("text mbox textbf textit textrm texttt textsf textnormal textup textsc emph hbox underline")
_MATH_STYLES = names(
    "mathrm mathbf mathit mathsf mathtt mathnormal boldsymbol bm mathcal mathbb Bbb mathfrak overline bar hat vec",
    "overrightarrow widehat tilde widetilde boxed fbox framebox",
)
# How a style command's argument reads: as words or as math letters.
STYLES: dict[str, str] = {
    **{"\\" + name: "text" for name in _TEXT_STYLES},
    **{"\\" + name: "math" for name in _MATH_STYLES},
}
ACCENTS = frozenset(
    "\\" + name for name in names("overline bar hat vec overrightarrow widehat tilde widetilde boxed fbox")
)

# Marks that make another name of a letter.
NAME_MARKS = {
    "\\hat": "hat",
    "\\widehat": "hat",
    "\\bar": "bar",
    "\\overline": "bar",
    "\\tilde": "tilde",
    "\\widetilde": "tilde",
}

# Two letters that are words among words and products of variables elsewhere (v + at).
SHORT_WORDS = names("is of as by on to it if an at be so we no do he me my up us am go de la le el es du au")
# Three letters that are words everywhere; other short runs are products of variables.
UNIT_WORDS = names(
    "cup cups day days way ways the our one two ten six men per units unit boy boys girl box cat cats dog dogs egg eggs"
    " pen pens hat car cars are for set sets not all odd yes was has had but any can its let may new now see who"
    " why you use her his she him did get got how out off old too top try say says sum red big low few end ago yet nor"
    " via non est sont une les des der die das ist ein los las por para son que con cm mm km kg mg ft mi hr hrs sec"
    " secs min mins mph usd lbs oz ml mol kph pct"
)
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty"
)
NUMBER_WORDS = {
    **{word: n for n, word in enumerate(_ONES.split())},
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "十": 10,
    "零": 0,
}
# What a value must be: never left out. What kind of value it is: may be left out, never exchanged.
CONDITIONS = names(
    "odd even prime composite rational irrational divisible multiple integer integers natural whole real coprime square"
    " squarefree perfect positive negative nonzero nonnegative distinct not except excluding unless other increasing"
    " decreasing convergent divergent than"
)
DESCRIPTIONS = names(
    "east west north south northeast northwest southeast southwest up down left right upward downward clockwise"
    " counterclockwise anticlockwise increase decrease rise fall raise drop gain loss lost profit maximum"
    " minimum max min"
    " largest smallest greatest least highest lowest above below before after am pm ahead behind faster slower"
    " more less"
    " greater fewer longer shorter higher lower older younger inside outside forward backward discount markup"
    " first last"
    " off ago now hence early late earlier later"
    " wins losses boys girls men women male female morning afternoon evening night deposit withdrawal"
)
# Words behind a value that say nothing about it.
NEUTRAL_WORDS = names(
    "unit units way ways possibility possibilities total altogether each per of the a an in on at for and to is are"
    " approximately about exactly only long tall wide deep away apart old time times value values solution solutions"
    " answer remaining left_over all together overall on average by from that this these those its their his her such"
    " different number numbers case cases choice choices outcome outcomes arrangement arrangements combination"
    " combinations result size length area volume cost amount price distance speed age respectively approx roughly"
    " element elements term terms possible piece pieces item items"
)
# Quantities whose value may stand right behind their name.
QUANTITIES = names(
    "center centre radius diameter vertex focus foci directrix slope intercept length width height area perimeter"
    " volume mean median mode variance period amplitude sum product maximum minimum domain range real imaginary"
    " eccentricity"
)
MAGNITUDES = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
# Names of the constants that an integration leaves free.
CONSTANTS = names("C c K C_1 C_2 C_3 c_1 c_2 c_3 C_0 A B A_1 A_2 K_1 K_2")
