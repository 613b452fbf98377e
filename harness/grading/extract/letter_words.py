"""The words in which responses name, judge, choose and reject options, by role. Data only, all languages together.

A clause about an option is a chain of roles, whatever its language: ANSWER LINK letter ("the answer is B"), letter LINK
GOOD ("B is correct"), CHOOSE letter ("I pick B"), SO letter ("hence B"). `letter_frames` reads the chains. A phrase of
several words is one token; scripts without spaces are matched phrase by phrase.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from harness.grading.grammar.clean import translate


class Role:
    """What a word does in a clause about an option; bits, since a word can have several roles."""

    ANSWER: Final = 1 << 0  # what is asked for: "answer", "solution"
    OPTION: Final = 1 << 1  # one of those offered: "option", "statement"
    OPTIONS: Final = 1 << 2  # all of them: "options", "each"
    DET: Final = 1 << 3  # articles and the like
    LINK: Final = 1 << 4  # "is", ":", "lautet"
    ADVERB: Final = 1 << 5  # what may stand in a link: "therefore", "must"
    NEG: Final = 1 << 6  # "not", "rather than"
    GOOD: Final = 1 << 7
    BAD: Final = 1 << 8
    FIT: Final = 1 << 9  # what the right option does: "holds"
    FAIL: Final = 1 << 10  # what a wrong one does: "violates"
    ONLY: Final = 1 << 11
    CHOOSE: Final = 1 << 12
    LEAVE: Final = 1 << 13  # "leaves", "left with": what is left is chosen
    MATCH: Final = 1 << 14  # "corresponds to": what the result meets
    SO: Final = 1 << 15
    BUT: Final = 1 << 16
    PRONOUN: Final = 1 << 17
    OPINION: Final = 1 << 18  # a first idea, a trap
    OTHERS: Final = 1 << 19  # people who are quoted
    SAY: Final = 1 << 20  # what those others do
    IF: Final = 1 << 21  # what opens a condition or a concession
    MODAL: Final = 1 << 22
    SUPPOSE: Final = 1 << 23  # "assume that", "let us say"
    INSPECT: Final = 1 << 24  # "consider", "as for"
    REJECT: Final = 1 << 25
    BECAUSE: Final = 1 << 26  # what opens a reason
    PREPOSITION: Final = 1 << 27  # what may follow a subject: "the answer to ..."
    AND: Final = 1 << 28


_R = Role
# One string per role, phrases parted by "|", lower case.
_WORDS: dict[int, str] = {
    _R.ANSWER: (
        "answer|answers|ans|solution|conclusion|verdict|result|response|pick|guess|selection|selected|"
        "prediction|key|antwort|antwortoption|antwortmöglichkeit|antwortbuchstabe|lösung|loesung|ergebnis|"
        "lösungsbuchstabe|réponse|reponse|solución|respuesta|resposta|gabarito|solução|risposta|soluzione|"
        "antwoord|odpowiedź|odpowiedz|cevap|yanıt|jibu|ответ|ответом|đáp án|odpověď|svar|svaret|jawaban|"
        "răspuns|răspunsul|απάντηση|答案|回答|答え|こたえ|正解|正答|解答|本题答案|정답|답|الإجابة|الاجابة|"
        "الجواب|جواب|पाठ उत्तर|उत्तर|उत्‍तर|जवाब|উত্তর|উত্তরটি|সমাধান|คำตอบ|ข้อที่ถูกต้อง|సమాధానం|పరిష్కారం|பதில்|విடై"
    ),
    _R.OPTION: (
        "option|choice|letter|statement|alternative|proposition|item|candidate|buchstabe|aussage|möglichkeit|"
        "antwortwahl|wahl|auswahl|affirmation|lettre|choix|opción|opcion|letra|alternativa|inciso|literal|"
        "afirmación|opção|assertiva|afirmativa|opzione|lettera|affermazione|optie|opcja|seçenek|şık|chaguo|"
        "вариант|вариантом|утверждение|пункт|буква|phương án|lựa chọn|pilihan|opsi|选项|選項|选择项|项|項|"
        "選択肢|肢|記号|보기|선택지|선택|번|الخيار|خيار|الحرف|विकल्प|বিকল্প|বিকল্পটি|ตัวเลือก|ข้อ|ఎంపిక"
    ),
    _R.OPTIONS: (
        "options|choices|each|every|statements|alternatives|letters|optionen|opciones|opções|选项中|各选项|选项分析"
    ),
    _R.DET: (
        "both|all|the|la|le|les|die|der|das|dem|den|el|los|las|lo|il|gli|i|l'|l’|d'|d’|o|a|os|as|um|de|du|"
        "del|da|do|della|one|my|our|your|meine|ma|mi|mia|minha|final|finale|finali|final是|de la|dass|that|"
        "among|这个|该|の|一|个|第|definitiva|definitive|endgültige|endgültig|finalement|的|题意|题目|要求|"
        "最终|最終|最终的|最終的な|最后|总的"
    ),
    _R.LINK: (
        "comes out as|comes out to|works out as|turns out as|says|reads|is|are|was|were|be|been|being|equals|"
        "means|seems|appears|looks|'s|becomes|=|:|→|->|=>|⇒|–|—|-|\\to|\\rightarrow|】|ist|sind|lautet|war|"
        "wäre|bleibt|est|sont|está|estão|sta|serait|es|sería|seria|son|é|são|è|sono|sarebbe|is that|ni|là|to|"
        "es la|to be|jest|это|является|является:|будет|是|为|為|就是|应该是|应是|应为|应当是|应该为|應該是|"
        "即|即为|应该选|应选|选|選|选择|は|が|はおそらく|은|는|이|가|هي|هو|है|हैं|হল|হলো|হচ্ছে|হবে|คือ|ได้แก่|"
        "dir|adalah|este|är|er|:="
    ),
    _R.ADVERB: (
        "nonetheless|nevertheless|more|much|slightly|far|quite|rather|arguably|undeniably|absolutely|"
        "almost certainly|trotzdem|dennoch|néanmoins|sin embargo es|if i had to choose|if i had to guess|"
        "if i had to pick|if i had to|if i must|if forced|unless i'm mistaken|unless i am mistaken|"
        "if i'm not mistaken|if i am not mistaken|vermutlich|vraisemblablement|supongo que|creo que|acho que|"
        "must|should|would|will|shall|can|could|may|might|has|have|to|appears|seems|seem|appear|turns|out|"
        "comes|given|found|by|as|most|likely|probably|possibly|perhaps|maybe|obviously|clearly|certainly|"
        "definitely|surely|simply|indeed|just|still|now|here|also|undoubtedly|presumably|evidently|"
        "necessarily|exactly|finally|again|i think|i believe|in my opinion|in this case|at last|of course|"
        "wohl|wahrscheinlich|eindeutig|offensichtlich|hier|damit|nur|demnach|bien|probablement|sans doute|"
        "ici|probablemente|claramente|provavelmente|probabilmente|скорее всего|очевидно|应该|應該|应当|应|"
        "当然|显然|可能|大概|肯定|必然|只能|也就是|只有|やはり|おそらく|たぶん|明らかに|아마|아마도|바로"
    ),
    _R.NEG: (
        "not|isn't|isn’t|aren't|aren’t|wasn't|wasn’t|never|neither|nor|rather than|instead of|unlike|"
        "as opposed to|cannot be|can't be|can’t be|cannot|can't|can’t|wouldn't|wouldn’t|shouldn't|don't|"
        "doesn't|don’t|doesn’t|except|nicht|kein|keine|nie|statt|anstatt|weder|noch|n'|n’|ne|pas|jamais|"
        "au lieu de|plutôt que|n'est pas|n’est pas|no|nunca|en lugar de|en vez de|não|nao|nem|em vez de|non|"
        "invece di|не|нет|вместо|niet|değil|không phải|不是|并不是|并非|而不是|而非|不|不选|不能选|不应选|非|"
        "ではなく|ではない|じゃない|でない|아니라|아니고|아닙니다|아니다|아닌|ليس|ليست|नहीं|না|নয়|ไม่ใช่|siyo"
    ),
    _R.GOOD: (
        "correct|right|best|better|true|accurate|appropriate|valid|suitable|proper|optimal|ideal|closest|"
        "likeliest|most likely|most probable|most plausible|more plausible|preferable|logical|"
        "reasonable|strongest|richtig|"
        "richtige|richtiger|richtiges|richtigen|korrekt|korrekte|korrekten|zutreffend|zutreffende|wahr|beste|"
        "besten|passende|bonne|bon|correcte|corrects|juste|exacte|exact|vraie|vrai|meilleure|valide|adéquate|"
        "appropriée|correcta|correcto|verdadera|verdadero|mejor|acertada|adecuada|válida|correta|correto|"
        "certa|certo|verdadeira|verdadeiro|melhor|adequada|corretta|corretto|giusta|giusto|esatta|esatto|"
        "vera|migliore|верный|верно|верным|верна|правильный|правильно|правильным|правильная|правилен|juist|"
        "juiste|poprawna|prawidłowa|doğru|đúng|chính xác|sahihi|benar|tepat|rätt|corect|正确|正确的|正確|"
        "正確的|对|对的|符合|符合题意|最符合|最合适|最恰当|恰当|合适|合适的|成立|正しい|正しいもの|正しいの|"
        "正しく|適切|最適|妥当|適切なもの|最も適切|正当|맞는|맞습니다|맞다|옳은|옳습니다|옳다|올바른|정확|"
        "정확한|가장 적절한|가장|적절|것|것은|것이|صحيحة|الصحيحة|صحيح|الصحيح|الأصح|الأنسب|सही|सर्वोत्तम|সঠিক|"
        "ถูกต้อง|ถูก|సరైన|సరైనది"
    ),
    _R.BAD: (
        "incorrect|wrong|false|invalid|inaccurate|inappropriate|impossible|unlikely|tempting|implausible|"
        "ruled|eliminated|excluded|rejected|discarded|irrelevant|unrelated|insufficient|incomplete|untrue|"
        "misleading|a trap|a distractor|distractor|too|off|out|not correct|unsuitable|falsch|falsche|"
        "falschen|inkorrekt|unzutreffend|unwahr|ausgeschlossen|incorrecte|faux|fausse|inexacte|exclue|"
        "incorrecta|incorrecto|falsa|falso|errónea|erróneo|equivocada|descartada|incorreta|incorreto|errada|"
        "errado|sbagliata|sbagliato|errata|scorretta|неверный|неверно|неверна|неправильный|неправильно|"
        "неправилен|onjuist|fout|yanlış|sai|sio|错误|错误的|错|錯誤|不正确|不正確|不对|不符合|不符合题意|"
        "不符|不成立|排除|不合适|誤り|誤|間違い|間違って|不正解|不適切|正しくない|틀린|틀렸습니다|틀립니다|"
        "틀리|잘못|옳지|خاطئة|خاطئ|غير صحيح|غير صحيحة|गलत|ভুল|ผิด"
    ),
    _R.FIT: (
        "best describes|best explains|best fits|best matches|best represents|best captures|meets|fulfills|"
        "fulfils|passes|wins|applies|übrig|prevails|succeeds|suffices|erfüllt|satisface|respecte|répond|"
        "makes the most sense|makes most sense|make the most sense|fits|works|makes sense|make sense|"
        "holds true|holds up|checks out|holds|satisfies|satisfy|matches|match|follows|remains|survives|"
        "qualifies|agrees|stands|does|explains|passt|stimmt|bleibt|gilt|trifft|trifft zu|zutrifft|convient|"
        "reste|encaja|cumple|queda|coincide|serve|confere|left|当选|当選|残る|남는다|подходит|остаётся|"
        "остается"
    ),
    _R.FAIL: (
        "fails|fail|violates|violate|contradicts|contradict|ignores|ignore|neglects|neglect|lacks|omits|"
        "misses|overestimates|underestimates|confuses|assumes|doesn't|doesn’t|does not|do not|isn't|isn’t|"
        "cannot|can't|can’t|stimmt nicht|scheidet aus|passt nicht|entfällt|widerspricht|échoue|contredit|"
        "falla|viola|contradice"
    ),
    _R.ONLY: (
        "only|just|alone|nur|einzig|allein|seule|seul|seulement|sólo|solo|solamente|só|somente|apenas|"
        "soltanto|只有|仅|只|のみ|だけ|только"
    ),
    _R.CHOOSE: (
        "going to say|i mean|i meant|we mean|going to answer|going to guess|gehe mit|votaría por|voto por|"
        "voterais|marcaría|elegiría|escogería|diría|dirais|dirait|choisirais|escolheria|diria|sceglierei|"
        "direi|würde wählen|plädiere für|tendiere zu|выбрал бы|говорю|choose|chose|chosen|choosing|pick|"
        "picks|picked|picking|select|selects|selecting|mark|tick|circle|favour|favours|favor|favors|prefer|"
        "supports|support|suggests|suggest|indicates|indicate|implies|confirms|go with|going with|went with|"
        "go for|going for|opt for|opting for|settle on|settle for|settling on|stick with|sticking with|"
        "leaning toward|leaning towards|lean toward|lean towards|lean to|inclined toward|inclined towards|"
        "inclined to|inclined to say|bet on|bet is on|vote for|decides for|decide for|speaks for|speak for|"
        "argues for|argue for|in favour of|in favor of|points to|point to|pointing to|pointing toward|"
        "pointing towards|narrows down to|boils down to|comes down to|leads to|lead to|leads us to|"
        "leading to|lands on|conclude|concluding|conclude that|i say|i'd say|would say|will say|i'll say|"
        "i answer|would answer|i'd answer|i guess|i'd guess|would guess|i'd put|report|submit|final pick|"
        "wähle|wählen|tippe auf|nehme|entscheide mich für|mich für|spricht für|sprechen für|fällt auf|"
        "choisis|choisir|choisit|opte pour|optons pour|retiens|retient|penche pour|elijo|elegir|elegimos|"
        "escojo|selecciono|opto por|optamos por|me quedo con|marco|me inclino por|escolho|escolher|marcar|"
        "fico com|assinalar|scelgo|scegliere|opto per|выбираю|выбираем|выбрать|kies|seçiyorum|选|選|选择|"
        "選擇|应选|应该选|应选择|应该选择|故选|故选择|因此选|因此选择|所以选|所以选择|本题选|本题应选|则选|"
        "选出|为选|選ぶ|選びます|고르|선택한다"
    ),
    _R.LEAVE: (
        "leaves|leaving|leave|left with|left only with|that leaves|leaves only|leaves us with|"
        "leaving us with|leaving only|makes|making|make|übrig bleibt|bleibt nur|laisse|deja|queda|quedando|"
        "nos deja|resta|restando|sobra|剩下|只剩|只剩下|剩下的是|残るのは|残りは|남는 것은"
    ),
    _R.MATCH: (
        "we get|we obtain|we have|we arrive at|we find|corresponds to|correspond to|corresponding to|matches|"
        "matching|match|agrees with|agree with|agreeing with|consistent with|closest to|nearest to|equal to|"
        "equivalent to|namely|i.e.|i.e|aligns with|aligned with|that is|gives|giving|yields|yielding|"
        "which is|identical to|best described by|described by|represented by|shown in|explained by|"
        "supported by|captured by|given by|given in|stated in|found in|listed as|close to|trifft|entspricht|"
        "handelt es sich um|handelt sich um|nämlich|d.h.|correspond à|correspondant à|s'agit de|s'agit d'|"
        "s’agit de|s'agit donc de|s'agit bien de|à savoir|corresponde a|corresponde a la|se trata de|"
        "coincide con|es decir|corresponde à|trata-se de|trata-se da|ou seja|corrisponde a|si tratta di|cioè|"
        "соответствует|对应|对应的是|对应于|与|符合|也就是|即|に対応|に一致|に該当|에 해당"
    ),
    _R.SO: (
        "that's why|that’s why|that is why|which is why|this is why|deswegen|c'est pourquoi|por eso|así que|"
        "therefore we|so|thus|hence|therefore|then|ergo|consequently|accordingly|∴|因此|因而|所以|故|于是|"
        "综上|综上所述|从而|由此可见|可知|したがって|従って|よって|ゆえに|だから|つまり|以上より|daher|somit|"
        "folglich|also|deshalb|demnach|damit|donc|ainsi|luego|entonces|por lo tanto|por tanto|"
        "por consiguiente|por ende|en conclusión|en conclusion|en résumé|par conséquent|portanto|logo|assim|"
        "então|quindi|perciò|dunque|pertanto|следовательно|значит|поэтому|итак|таким образом|따라서|그러므로|"
        "그래서|لذلك|إذن|لذا|इसलिए|अतः|তাই|সুতরাং|ดังนั้น|in conclusion|in summary|overall|as a result|"
        "by elimination|by the process of elimination|for this reason|that means|which means|meaning|"
        "kwa hivyo|hivyo|vậy|do đó|dolayısıyla|o halde|in short|to conclude|to summarize"
    ),
    _R.BUT: (
        "ではなく|아니라|but|however|yet|actually|in fact|in reality|instead|rather|whereas|aber|sondern|"
        "jedoch|tatsächlich|mais|en fait|cependant|plutôt|pero|sino|sin embargo|en realidad|mas|porém|"
        "na verdade|ma|bensì|invece|а|но|однако|на самом деле|但|但是|而是|而|然而|其实|实际上|しかし|実際は|"
        "하지만|그러나|بل|لكن|बल्कि|lekin"
    ),
    _R.PRONOUN: (
        "it|that|this|it's|it’s|that's|that’s|this's|which|es|dies|das|c'|c’|ce|cela|ça|esto|eso|isso|isto|"
        "ciò|это|这|这就是|那|これ|それ|이것|هذا|هذه|यह"
    ),
    _R.OPINION: (
        "at first|tempted|tempting|misled|fooled|at first glance|at first sight|at first i|common mistake|"
        "common error|common misconception|common wrong|usual mistake|typical mistake|frequent mistake|"
        "mistakenly|wrongly|erroneously|naively|initially|first thought|first guessed|initial|originally|"
        "previous answer|was thinking|one might|one may|one could|you might|you may|you could|may seem|"
        "might seem|i thought|man könnte|häufiger fehler|auf den ersten blick|zuerst dachte|on pourrait|"
        "à première vue|erreur courante|podría pensarse|a primera vista|error común|à primeira vista|"
        "erro comum|на первый взгляд|сначала|有人|有些人|很多人|一些人|许多人|乍一看|容易误选|误选|最初|起初|"
        "一见|最初は|多くの人|一見|처음에는"
    ),
    _R.OTHERS: (
        "user|users|students|student|people|textbook|textbooks|book|some|many|others|beginners|author|authors|critics|"
        "opponents|sources|someone|you|he|she|they|friend|colleague|classmate|teacher|manche|viele|einige|"
        "certains|beaucoup|algunos|muchos|muitos|alguns|molti|alcuni|некоторые|многие|学生|老师"
    ),
    _R.SAY: (
        "would say|will say|would answer|would guess|"
        "say|says|said|think|thinks|believe|believes|give|gives|might|may|could|chose|choose|chooses|pick|"
        "picks|argue|argues|claim|claims|assume|assumes|report|reports|list|lists|suggest|suggests|select|"
        "selects|sagen|denken|meinen|glauben|wählen|pensent|disent|croient|choisissent|dicen|piensan|creen|"
        "eligen|dizem|pensam|escolhem|dicono|pensano|scelgono|думают|считают|выбирают|认为|觉得|选|说"
    ),
    _R.IF: (
        "if|unless|had|although|though|even|whether|supposing|provided|despite|otherwise|wenn|falls|obwohl|"
        "zwar|hätte|si|bien que|aunque|siempre que|se|embora|sebbene|benché|если|хотя|如果|假如|若|若是|倘若|"
        "虽然|尽管|即使|もし|たとえ|만약|만일|비록|إذا|لو|अगर|यदि|যদি"
    ),
    _R.MODAL: (
        "would|might|could|may|würde|würden|wäre|könnte|serait|pourrait|sería|podría|seria|poderia|sarebbe|"
        "potrebbe|бы|会|会是|就是|可能|だろう|かもしれない|でしょう|것이다"
    ),
    _R.SUPPOSE: (
        "suppose|assume|assumed|pretend|imagine|hypothesize|let's say|let us say|let me assume|claim that|"
        "angenommen|nehmen wir an|supposons|supongamos|suponhamos|假设|假定|仮に|가정"
    ),
    _R.INSPECT: (
        "look at|looking at|consider|considers|considered|considering|examine|examining|check|checking|test|"
        "testing|evaluate|evaluating|analyze|analyse|analyzing|analysing|analysis of|start with|"
        "starting with|begin with|try|trying|compare|comparing|compared|compared to|compared with|regarding|"
        "as for|turn to|turning to|versus|vs|between|torn between|hesitate between|about|why|why not|discuss|"
        "review|verify|verifying|examined|betrachten|prüfen|zu|zwischen|examinons|regardons|considérons|"
        "entre|concernant|analizamos|veamos|sobre|analisando|vejamos|рассмотрим|对于|关于|看|分析|检查|比较|"
        "について|を検討"
    ),
    _R.REJECT: (
        "exclude|excludes|excluded|excluding|eliminate|eliminates|eliminated|eliminating|rule out|rules out|"
        "ruled out|ruling out|reject|rejects|rejected|rejecting|discard|discards|discarded|discarding|"
        "dismiss|dismissed|dismissing|cross out|crossed out|crossing out|crosses out|avoid|ignoring|"
        "disregard|scratch|ausschließen|schließen|ausgeschlossen|éliminer|éliminons|élimine|exclure|excluons|"
        "descartar|descartamos|descartado|eliminamos|descarto|eliminando|excluir|escludere|escludiamo|"
        "исключаем|исключить|排除|排除了|剔除|除外|除去|除外し|除いて|제외"
    ),
    _R.BECAUSE: (
        "because|since|as|for|due|given|owing|where|which|who|with|by|namely|and|or|but|not|denn|weil|da|car|"
        "parce|puisque|porque|ya|pues|pois|perché|poiché|потому|так|因为|由于|なぜなら|왜냐하면|because of|"
        "on|in|under|from|at|after|based|here|best|rather|instead|according"
    ),
    _R.PREPOSITION: (
        "to|for|of|that|which|among|amongst|here|in|from|given|based|by|according|would|on|within|out|after|"
        "using|under|with|to the|à|de|pour|parmi|zu|zur|für|auf|unter|a|para|entre|su|per|di|на|из|的|中|at|"
        "i|we"
    ),
    _R.AND: (
        "and|or|&|/|,|und|oder|et|ou|y|o|u|e|и|или|和|或|或者|与|及|と|や|または|、|및|또는|và|hoặc|و|أو|और|"
        "या|lub|of|\\&|+|as well as|en"
    ),
}

ROLES: dict[str, int] = {}
for _role, _phrases in _WORDS.items():
    for _phrase in translate(_phrases).split("|"):
        _phrase = " ".join(_phrase.split())
        ROLES[_phrase] = ROLES.get(_phrase, 0) | _role

_UNSPACED = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u3005"
_single = sorted((p for p in ROLES if re.fullmatch(rf"[{_UNSPACED}]+", p)), key=lambda p: (-len(p), p))
_TOKEN = re.compile(
    r"[ldcjsn]['’](?=[^\W\d_]{2})|"
    rf"[^\W\d_{_UNSPACED}\u0900-\u0dff]+(?:['’][^\W\d_]{{1,3}})?|[\u0900-\u0dff\u200c\u200d]+|"
    rf"{'|'.join(_single)}|\d+|->|=>|:=|\S"
)
_PHRASES: dict[str, list[tuple[tuple[str, ...], str]]] = {}  # first token -> the others, the whole phrase
for _phrase in sorted(ROLES, key=len, reverse=True):
    _first, *_rest = _TOKEN.findall(_phrase)
    if _rest:
        _PHRASES.setdefault(_first, []).append((tuple(_rest), _phrase))


class Token(NamedTuple):
    """A word, phrase, number or mark, and the roles that it can have."""

    text: str
    roles: int


_TOKENS = {phrase: Token(phrase, roles) for phrase, roles in ROLES.items()}


def tokens(text: str) -> list[Token]:
    """The tokens of a few words of lower case text. Linear in it."""
    words = _TOKEN.findall(text)
    out: list[Token] = []
    after_phrase = 0  # the index behind the last phrase of several words
    for at, word in enumerate(words):
        if at < after_phrase:
            continue
        if word in _PHRASES:
            for rest, phrase in _PHRASES[word]:
                if tuple(words[at + 1 : at + 1 + len(rest)]) == rest:
                    out.append(_TOKENS[phrase])
                    after_phrase = at + 1 + len(rest)
                    break
            if at < after_phrase:
                continue
        out.append(_TOKENS.get(word) or Token(word, 0))
    return out
