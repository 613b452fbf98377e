"""The phrases in which responses name, reject and weigh option letters, in the languages of evaluations. Data only.

Each pattern of `STATEMENTS` and `TURNS` has one group, `letter`. They run on text whose decoration is gone and whose
options are named (`option_names.named`), every search linear: bounded gaps, no nested quantifiers.
"""

from __future__ import annotations

import re

_CLOSE = r"(?=[\s).,:;!?|\\—–\-\ue001]|$|[^\x00-\x7f])"
# `\ue000C\ue001` stands for the text of option C written without its letter.
_LETTER = rf"(?:\(?\s?|\ue000)(?P<letter>[A-Za-z]){_CLOSE}"
_CAPITAL = rf"(?:\(?\s?|\ue000)(?P<letter>[A-Z]){_CLOSE}"
_NOUN = (
    r"(?:that\s)?(?:(?:the|la|le|die|der|das|el|los|[ao](?=\s(?:letra|alternativa|opção)\b))\s|l['’])?(?:answer\s)?"
    r"(?:(?:option|choice|answer|letter|statement|选项|選項|選択肢|opci[óo]n|opção|alternativa|r[ée]ponse|antwort|letra|"
    r"lettre|buchstabe|proposition|вариант|chaguo|বিকল্প|विकल्प|선택지|보기)\s?)?(?::\s?)?"
)
_ADJECTIVE = (
    r"(?:(?:final|correct|best|right|most \w{1,20}|likely|only|true|selected|my|richtige[nr]?|korrekte|bonne|correcta|"
    r"correcte|правильный|верный|sahihi|সঠিক|सही)\s|最终|最終的な|正确的?|正しい|正確な)"
)
_SUBJECT = (
    rf"{_ADJECTIVE}{{0,3}}(?:\b(?:(?:answer|ans|option|choice)(?:\s(?:option|choice|letter))?|letter|statement|selection|"
    r"selected|select|solution|guess|conclusion|verdict|result|pick|r[ée]ponse|antwort(?:option)?|l[öo]sung|ergebnis|"
    r"respuesta|resposta|risposta|opci[óo]n|opção|alternativa|opzione|antwoord|odpowied[źz]|cevap|đáp án|jibu)\b|"
    r"答案|选项|選択肢|选择|答(?=\s?[:：])|(?:正确|错误|最?(?:符合|恰当|合适|适合)(?:题意|要求)?)的(?:选项|答案)?|最も?適切な(?:もの|の)|"
    r"正しい(?:もの|の)|선택지|(?:옳은|맞는|올바른)\s?것|(?:ال)?خيار(?:\sالصحيح)?|верны[йм]|правильны[йм]|response|回答|答え|正解|正答|解答|ответ(?:ом)?|вариант|정답|답|الإجابة(?:\s(?:الصحيحة|النهائية))?|الجواب(?:\sالصحيح)?|उत्?तर|উত্?তর(?:টি)?|คำตอบ(?:ที่ถูกต้อง)?|"
    r"సమాధానం)(?:\s(?:corrett?[ao]|correcta?|correcte|juste|exacte|finale?|final|sahihi))?"
)
# A chain of linking words: "is", "must therefore be", "turns out to be", "is given by", "can only be".
_LINK = (
    r"(?:(?:is|are|was|be|must|should|would|will|can|could|has to be|appears|seems|turns out|comes out|to be|as|"
    r"given by|found to be|out|only|just|most|likely|probably|obviously|clearly|certainly|definitely|surely|simply|"
    r"indeed|therefore|thus|then|hence|actually|still|est|es|ist|ni|lautet|donc|also|daher|somit|por lo tanto|entonces|"
    r"alors|bien|é|è|portanto|quindi|dunque|это|является|sería|seria|serait)\s)"
)
_BE = (
    rf"(?:\s?(?:(?:,\s?(?:therefore|thus|then|hence),?\s?)?\b{_LINK}{{1,6}}|\b(?:is|are|was|est|es|ist|ni|lautet)\b|"
    r"является|é|è|应该是|应为|应是|就是|应当是|是|为|為|は|が|은|는|هي|هو|है|হল|হলো|হচ্ছে|হবে|คือ|选|選|选择|】|:|=|\\to|→|—|–|-\s)\s?)"
)
_REMAINS = r"\s(?:remains|is (?:all that is |the only one )?left|survives)\b"
STATEMENTS = (
    # "The correct answer is (B)", "Answer: B", "答案是 B"
    re.compile(
        rf"{_SUBJECT}(?:\s(?:to|for|of|that|which|among)\s[^.\n:]{{1,60}}?)?(?:\s(?:here|now|then))?{_BE}{{1,3}}\s?{_NOUN}{_LETTER}",
        re.IGNORECASE,
    ),
    # "Option B is correct", "(B) 42 GeV is the correct answer"
    re.compile(
        r"(?<![A-Za-z'’])(?P<letter>[A-Z])(?:\)|(?:[).:]\s|\s?:\s)(?:(?!\b[A-E]\b)[^.\n?!]){0,80}?)?"
        r"\s(?:is|must be|seems|appears)\s"
        r"(?:(?:therefore|thus|the|most|likely|to be|indeed|only|clearly|probably)\s){0,4}"
        r"(?:(?:correct|right|best|true|accurate|appropriate|(?:more|most)\s\w{4,14})(?:\s(?:answer|option|choice|one|response|statement))?"
        r"|answer)"
        r"(?=\s?[.,;:!)]|\s?$|\s?\n|\s(?:because|since|as|and|here|for|given|among|to|of|in)\b)"
    ),
    # "making Option B the correct answer", "This makes B the best choice"
    re.compile(
        r"\b(?:mak(?:es?|ing)|confirm(?:s|ing)|identif(?:y|ies|ying)|establish(?:es|ing)|leav(?:es?|ing))\s"
        r"(?:[Oo]ption\s|[Cc]hoice\s|[Aa]nswer\s)?\(?\s?(?P<letter>[A-Z])\)?\s(?:as\s)?"
        r"(?:the\s)?(?:only\s|most\s)?(?:correct|right|best|suitable|likely|appropriate|accurate|valid|possible|viable)"
    ),
    # "Answer B", "Answer\n\nB"
    re.compile(
        r"(?:\b(?:answer|ans)\b|答案)(?:\.\s|\s?\n\s{0,4}|\s(?=\(?[A-Z]\)?\s?(?:$|\n|\.\s)))"
        rf"(?<!er\.\s)(?:option\s)?{_CAPITAL}",
        re.IGNORECASE,
    ),
    re.compile(rf"(?:^|\n)\s?(?:ans|answer)\.\s{_CAPITAL}", re.IGNORECASE),
    re.compile(r"(?:^|[\s,])(?P<letter>[b-j])\)?\sis\s(?:the\s)?(?:correct|right|best)\b"),
    re.compile(r"(?<![A-Za-z'’])(?P<letter>[A-Z])\sit\sis\b"),
    re.compile(
        r"(?<![A-Za-z'’])(?P<letter>[A-Z])\)?\sis\s(?:my|our)\s(?:final\s)?(?:answer|choice|pick|selection)\b(?!\s(?:if|unless|when))"
    ),
    re.compile(
        r"\b(?:ist|est|es|is)\s\(?(?P<letter>[B-Z])\)?\s(?:die|la|the)\s(?:richtige|korrekte|bonne|correct|respuesta|r[ée]ponse|right|best)\b"
    ),
    re.compile(r"\bist\s\(?(?P<letter>[A-Z])\)?\s(?:richtig|korrekt|zutreffend)\b"),
    re.compile(r"\btrifft\s(?:[Aa]ntwort|[Oo]ption|[Aa]ussage)\s\(?(?P<letter>[A-Z])\)?\szu\b"),
    re.compile(r"\((?P<letter>[a-z])\)\sis\s(?:the\s)?(?:correct|right|best)"),
    re.compile(r"(?<![A-Za-z])(?P<letter>[A-Z])\)?\s?(?:选项)?\s?(?:是|为)?\s?(?:最)?(?:正确|对的|符合|恰当|合适)"),
    re.compile(r"(?<![A-Za-z])(?P<letter>[A-Z])\)?\s?(?:가|이|은|는)\s?(?:정답|맞|옳|올바)"),
    re.compile(
        r"\b(?:[Aa]ussage|[Oo]ption|[Aa]ntwort)\s\(?(?P<letter>[A-Z])\)?\s(?:ist\s)?(?:richtig|korrekt|zutreffend|wahr)\b"
    ),
    re.compile(r"(?<![A-Za-z])(?P<letter>[A-Z])\)?\s?(?:が|は)\s?(?:最も)?(?:正解|正しい|適切|答え)"),
    re.compile(
        r"(?<![A-Za-z])(?P<letter>[A-Z])\)?\s(?:ist|est|es|é|è|está)\s(?:daher\s|also\s|donc\s|la\s|die\s|le\s|el\s|a\s|o\s)"
        r"{0,3}(?:bonne\s|richtige?\s?|korrekte?\s?|beste\s|seule\s|única\s|meilleure\s)?"
        r"(?:richtig|korrekt|antwort|r[ée]ponse|correcta?|correcte|respuesta|resposta|opci[óo]n|juste|exacte|corretta)",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:[Cc]orrect|[Ff]inal|[Rr]esult|(?:[Rr]ichtig|[Kk]orrekt)(?: ist(?: die)?(?: Antwort| Option| Aussage)?)?)"
        rf"\s?:?\s?(?<=[:tne]\s){_CAPITAL}"
    ),
    re.compile(
        r"\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s\(?(?P<letter>[A-Z])\)?"
        r"\s(?:best|it is|is the (?:most|only|one|closest))\b"
    ),
    re.compile(rf"(?:故选|应选|应该选|答案选|选择|因此选|所以选|故|选)\s?{_NOUN}{_CAPITAL}"),
    re.compile(rf"\banswer (?:choice|option|letter)\s{_CAPITAL}", re.IGNORECASE),
    re.compile(rf"(?:^|\s)A\s?:\s?(?P<letter>[B-J]){_CLOSE}(?=\s?(?:$|\n))"),
)
TURNS = (
    re.compile(rf"\b(?:go|going|goes) (?:with|for)\s{_NOUN}{_CAPITAL}", re.IGNORECASE),
    re.compile(
        r"\b(?:choose|pick|select|chose|picked|choosing|selecting|mark|tick|wähle|choisis|elijo|escojo|escolho)\s"
        rf"{_NOUN}{_CAPITAL}",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:[Ii]t|[Tt]hat|[Tt]his)(?: is| was|['’]s| must be| has to be)\s"
        rf"(?:in fact\s|indeed\s|therefore\s|actually\s)?{_NOUN}{_CAPITAL}(?!\s[a-z])"
    ),
    re.compile(
        r"\b(?:is|was|corresponds? to|corresponding to|match(?:es|ing)?|namely|i\.e\.,?|to|with|by|"
        rf"(?:hence|thus|therefore|so),?)\s(?:the\s)?(?:answer\s)?(?:option|choice|answer)\s{_CAPITAL}",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?:\bs['’]agit\s(?:donc\s)?(?:bien\s)?d[eu]|\b[Ss]e trata de|\b[Tt]rata-se d[aeo]|"
        rf"\bhandelt es sich (?:daher |also )?um|"
        rf"\bmich für|\bopt(?:e|ons) pour|\b[Oo]pto por|\b[Mm]e quedo con|\b[Ff]ico com)\s{_NOUN}{_CAPITAL}"
    ),
    re.compile(
        rf"[,:]\s(?:(?:la|die|a|l['’])\s?)?(?:opci[óo]n|opção|alternativa|letra|lettre|r[ée]ponse|[Aa]ntwort|[Oo]ption)\s"
        rf"{_CAPITAL}(?=\)?\.?\s?(?:$|\n))"
    ),
    re.compile(rf"(?<![A-Za-z'’])\(?(?P<letter>[A-Z])\)?{_REMAINS}"),
    re.compile(rf"\b(?:probably|presumably|most likely)\s{_NOUN}{_CAPITAL}(?=\)?\W{{0,3}}(?:$|\n))"),
    re.compile(
        rf"\bI(?:\swould|\swill|['’]d|['’]ll)?\s(?:answer|say|guess)\s(?:that\s)?{_NOUN}{_CAPITAL}(?=\)?\W{{0,3}}(?:$|\n))"
    ),
    re.compile(
        r"\b(?:[Oo]ption|[Cc]hoice)\s\(?(?P<letter>[A-Z])\)?\s(?:fits|works|satisfies|matches)"
        r"(?=(?:\s(?:best|perfectly|exactly|all|every))?\s?(?:\.|$|\n))"
    ),
    re.compile(rf"\b(?:left with|[Oo]nly)\s(?:option|choice)?\s?{_CAPITAL}"),
    re.compile(
        r"(?:\b(?:[Ss]o|[Tt]hus|[Hh]ence|[Tt]herefore|but|rather|[Mm]ust be|[Mm]eans|meaning|"
        r"leaving|leaves|elimination|it'?s|[Aa]lso|"
        r"[Dd]onc|[Pp]ortanto|[Ll]uego|[Dd]aher|[Ss]omit)|∴|⇒|因此|所以|故|したがって|よって)"
        rf"\s?[,:，、]?\s?(?:only\s)?(?:option\s|choice\s)?{_CAPITAL}(?=[).]?\s?(?:$|\n|\.|。))"
    ),
    re.compile(
        rf"(?:\b(?:matches|closest to|agrees with|pointing to|giving|leads? to)|,)\s(?:option\s|choice\s|answer\s)"
        rf"{_CAPITAL}(?=[).]?\s?(?:$|\n|\.))"
    ),
    re.compile(rf"\b(?:matches|[Cc]losest to|agrees with)\s{_CAPITAL}(?=[).]?\s?(?:$|\n|\.))"),
    re.compile(r"\b(?:[Hh]ence|[Tt]hus|[Tt]herefore|[Ss]o),?\s\((?P<letter>[a-z])\)(?=\W{0,3}(?:$|\n))"),
    re.compile(r",\s\((?P<letter>[A-Z])\)(?=\.?\s?(?:$|\n))"),
)
ORDINAL = re.compile(
    r"\b(?:is|be|choose|pick|select|with|answer:)\s(?:the\s)?(?P<ordinal>first|second|third|fourth|fifth|last)\s"
    r"(?:option|choice|answer|one|statement)\b",
    re.IGNORECASE,
)
ORDINAL_SUBJECT = re.compile(
    r"\b(?P<ordinal>first|second|third|fourth|fifth|last)\s(?:option|choice|answer|statement)\s(?:is|must be)\s"
    r"(?:therefore\s|thus\s)?(?:the\s)?(?:correct|right|best|true|answer)",
    re.IGNORECASE,
)
ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}
ENDING = re.compile(
    rf"(?:\b(?:is|are|was|be|ist|est|es|è|é)|[a-z]:|(?<![A-Z]\s)(?:→|⇒|->|\\to))\s{_NOUN}{_CAPITAL}(?=\)?\W{{0,3}}$)"
)
NUMBERED = re.compile(rf"{_SUBJECT}{_BE}{{1,3}}\s?\(?(?P<number>\d)\)?\s?\.?\s?(?:$|\n)", re.IGNORECASE)

# --- what takes the weight from a mention; each is looked for in the mention's own clause -----------------------

DENIED_BEFORE = re.compile(
    r"(?:\b(?:not(?!\s?,)|isn't|isn’t|never|neither|nor|nicht|n'est pas|no es|não é|unlike|instead of|rather than|"
    r"statt|anstatt|au lieu de|en lugar de)\b"
    r"(?!\s(?:true|correct|valid|accurate|an?\s\w+)\s(?:is|ist|est|es)\b)(?:(?!\bbut\b|\bsondern\b|\bmais\b|\bsino\b|\b(?:is|are)\s\w{1,9},)[^.;\n]){0,14}|不是|"
    r"并非|而不是|ではなく)$|"
    r"\b(?:wrong|incorrect|falsche?|fausse|incorrecta)\s(?:answer|option|choice|antwort|r[ée]ponse|"
    r"respuesta)\b[^.;\n]{0,20}$",
    re.IGNORECASE,
)
REJECTED_BEFORE = re.compile(
    r"\b(?:exclud\w{0,4}|eliminat(?!ion)\w{0,4}|rul(?:e|es|ed|ing) out|reject\w{0,4}|discard\w{0,4}|dismiss\w{0,4}|"
    r"cross(?:ed|ing)? out|ausschlie\w{0,6}|élimin\w{0,4}|descart\w{0,4})\b"
    r"(?:(?!leav|left|\bso\b|\bbut\b)[^.;\n]){0,60}$|"
    r"(?:排除|剔除|除外)[^.;\n。]{0,12}$",
    re.IGNORECASE,
)
DENIED_AFTER = re.compile(
    r"\)?[\s,]{0,2}(?:(?:is|are|was|would be|can be|seems|could be|ist|est|es|wäre|sont|son)\s(?:\w{1,12}\s){0,2}?"
    r"(?:not|incorrect|wrong|false|ruled out|eliminated|excluded|impossible|invalid|tempting|unlikely|a trap|"
    r"a distractor|falsch|inkorrekt|incorrecta?|incorrecte|faux|fausse|erróneo|errónea|errada?)\b|"
    r"(?:isn't|isn’t|cannot|can't|can’t|does not|doesn't|doesn’t|fails?|violates?|contradicts?|ignores?|n'est pas|"
    r"no es|ist nicht|não é|is out)\b|\s?(?:是|选项)?(?:不正确|错误|不对|不符合|错)|"
    r"\s?(?:は|が)(?:誤り|間違|不正解|正しくない))",
    re.IGNORECASE,
)
CONDITION_BEFORE = re.compile(
    r"(?:\b(?:if|unless|suppose|supposing|assuming|were|had|wenn|falls|si|otherwise)\b|如果|假如|若|もし)[^\n]{0,160}$",
    re.IGNORECASE,
)
MODAL = re.compile(
    r"\b(?:would|might|could|may|würde|wäre|könnte|serait|sería|seria|podría)\b|会是|就是|だろう", re.IGNORECASE
)
CONDITION_AFTER = re.compile(r"\)?[\s,]{0,2}(?:only\s)?(?:if|unless|provided|wenn|falls)\b", re.IGNORECASE)
OPINION_BEFORE = re.compile(
    r"\b(?:students?|people|textbooks?|some|many|others?|you|sources|beginners|author|one)\s(?:\w{1,14}\s){0,3}?"
    r"(?:say|says|think|thinks|believe|believes|give|gives|might|may|could|chose|choose|pick|argue|claim|assume|answer|"
    r"report|list)\b|\bat first (?:glance|sight|i)\b|\btempting\b|\bcommon (?:mistake|error|misconception|wrong)\b|"
    r"\bmistakenly\b|\b(?:may|might) seem\b|\b(?:first|initially) (?:thought|guessed)\b|\binitial(?:ly)?\b|"
    r"\bmanche\b|\bviele\b|\bcertains\b|\balgunos\b|有人|有些人|很多人",
    re.IGNORECASE,
)
CONTRAST = re.compile(
    r"\b(?:but|however|yet|actually|in fact|aber|mais|pero|mas|sondern|sino)\b|但是?|然而|しかし", re.IGNORECASE
)
HEDGED_BEFORE = re.compile(
    r"\b(?:(?:could|might|may)\sbe\s|(?:check|verify|try|consider|test|examine|compare)(?:ing)?:\s)(?:option\s)?\(?$",
    re.IGNORECASE,
)
YES = re.compile(
    r"^\W{0,4}(?:yes|correct|true|right|✓|✔|✅|☑|x|richtig|korrekt|wahr|ja|vrai|oui|sí|si|correcta?|correcte|verdadero|"
    r"正确|对|是|正しい|○)\W{0,3}(?:$|\s)",
    re.IGNORECASE,
)
NO = re.compile(
    r"^\W{0,4}(?:no|not|incorrect|false|wrong|✗|✘|❌|×|falsch|nein|faux|non|incorrecta?|incorrecte|falso|错误|错|不正确|否|誤り|×)"
    r"\W{0,3}(?:$|\s)",
    re.IGNORECASE,
)
TICKS, _CROSSES = "✓✔✅☑", "✗✘❌☒"
TICK = re.compile(f"[{TICKS}{_CROSSES}]")
TICK_BEFORE = re.compile(  # "✅ **C. Gamma rays**"
    rf"^[^\S\n]{{0,8}}(?:[-*]\s)?(?P<tick>{TICK.pattern})[\ufe0f\s*(]{{0,6}}(?:[Oo]ption\s)?(?P<letter>[A-Z])(?![A-Za-z])",
    re.MULTILINE,
)
TICK_AFTER = re.compile(  # "C ✓", a cell of a table
    rf"(?<=[\w|)*.:：])[^\S\n]{{0,4}}(?P<tick>{TICK.pattern})\ufe0f?(?=[^\S\n]{{0,4}}(?:$|[|,;.(]|\(?[A-Z]\b))",
    re.MULTILINE,
)
_JUDGEMENT = (
    r"yes|no|correct|incorrect|true|false|right|wrong|✓|✔|✅|✗|✘|❌|×|richtig|falsch|vrai|faux|correcta?|incorrecta?|"
    r"正确|错误|不正确|对|错|正しい|誤り"
)
JUDGED = re.compile(  # an option and its verdict side by side
    rf"(?<![A-Za-z'’])(?P<letter>[A-Z])[\s.):：、,|*—–-]{{1,8}}(?P<verdict>(?:{_JUDGEMENT}))(?![A-Za-z])", re.IGNORECASE
)
TRUTH = re.compile(r"\b(?:true|false)\b")
STATEMENT_TRUTH = re.compile(
    r"\bstatement\s(?P<number>[12]|ii?)\b[\s:]{1,2}(?:is\s)?(?:also\s|therefore\s)?(?P<truth>true|false)\b",
    re.IGNORECASE,
)
REMAINS_AFTER = re.compile(rf"\)?{_REMAINS}")
INSPECTED_BEFORE = re.compile(  # an option that is only looked at
    r"\b(?:look(?:ing)? at|consider(?:ing)?|examin(?:e|ing)|check(?:ing)?|test(?:ing)?|evaluat(?:e|ing)|"
    r"analy[sz](?:e|ing)|start(?:ing)? with|try(?:ing)?|compar(?:e|ing)|regarding|as for|turn(?:ing)? to)\s"
    r"(?:the\s)?(?:option|choice|answer)?\s?$",
    re.IGNORECASE,
)
OPTION_NOUN = re.compile(r"\b(?:option|choice)\s$", re.IGNORECASE)
ODD_ONE_OUT = re.compile(r"\b(?:NOT|EXCEPT)\b")
UNFINISHED = re.compile(r"\s(?:is|are|was|the|an?|of|and|or|to|it|we|because|since|with|by)\s*$")
NEXT_QUESTION = re.compile(
    r"(?:\n\s{0,4}\W{0,4}(?:question|problem|human|user|frage|pregunta|问题|题目|問題)\s?\d{0,3}|"
    r"[.!?]\s(?:question|problem)\s\d{1,3})\s?[:：]",
    re.IGNORECASE,
)
