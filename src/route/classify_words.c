/* The one table of what words speak for. A row is several words of one weight. What tells how a thing is asked for (verbs, question words) is
 * LEADS; what is said of its size and form is ANYWHERE. A word is in a row because of what people use it for, not because some example has it:
 * bench/complexity says what a change is worth. */
#include "route/classify_int.h"

const char *const tongue_code[TONGUES] = {
    [ANY] = "", [EN] = "en", [DE] = "de", [FR] = "fr", [ES] = "es", [ZH] = "zh", [JA] = "ja", [KO] = "ko",
};

const char *const sign_name[SIGNS] = {
    [GREETING] = "greeting",
    [THANKS] = "acknowledgement",
    [SMALL_TALK] = "small talk",
    [FACT] = "simple fact",
    [CODE] = "code",
    [WRITING] = "writing",
    [REWRITING] = "rewriting",
    [TRANSLATION] = "translation",
    [SUMMARY] = "summary",
    [EXTRACTION] = "extraction",
    [EXPLANATION] = "explanation",
    [HOW_TO] = "how-to",
    [ANALYSIS] = "analysis",
    [COMPARISON] = "comparison",
    [PROOF] = "proof",
    [STEPS] = "several steps",
    [PLANNING] = "planning",
    [LONG_FORM] = "long-form",
    [CONSTRAINTS] = "several constraints",
    [BRIEF] = "brief",
    [MORE] = "follow-up",
    [COUNTED] = "long-form",
    [LEAD] = "",
    [NOT] = "",
    [STOP_WORD] = "",
    [URGENT] = "urgent",
    [FRESH] = "current events",
};

/* clang-format off */
const struct sign_row sign_rows[] = {
    /* ---- English ---- */
    { EN, GREETING,    100, LEADS,    "hi|hello|hey|hiya|howdy|good morning|good afternoon|good evening|good night|greetings|yo|hi there|hello there|what's up|sup|goodbye|bye|see you|see ya|"
                                      "talk to you later|talk to you tomorrow|happy birthday|merry christmas|happy new year|congratulations|congrats|welcome back|cheers|have a great|have a nice|have a good|"
                                      "have a lovely|enjoy your|take care|good luck|nice to meet you|evening|morning|long time no see|lovely weekend|brb|good weekend" },
    { EN, THANKS,      100, ANYWHERE, "thanks|thank you|thx|ty|much appreciated|you're welcome|well done|good job|nice work|great work|good work|got it|i get it|understood|i understood|sounds good|never mind|"
                                      "nevermind|my bad|no worries|no problem|all good|that's all|that is all|did the trick|it works|works now|that works|worked perfectly|makes sense|good point|"
                                      "exactly what i needed|merged|all set|i found it|ignore my|ignore that|ignore this|good idea|fair enough|was a great success|works fine|that worked|it worked|"
                                      "i appreciate|appreciate it|no rush|my pleasure|glad to hear|good to know|solved|that's hilarious|that's funny|my mistake|that helped|very helpful|so helpful|love it|looks good|lgtm|noted" },
    { EN, THANKS,      100, LEADS,    "yes|yep|yeah|yup|no|nope|nah|sure|cool|great|nice|perfect|awesome|excellent|wonderful|lol|haha|hmm|hm|wow|right|alright|all right|fine|agreed|correct|done|stop|sorry|"
                                      "oops|good|test|ping|testing|just testing|go ahead|of course|absolutely|indeed" },
    { ANY, THANKS,     100, LEADS,    "ok|okay|okey|k|lol|haha|hahaha|hm|hmm|mmh|super|bravo|pong|ping|test" },
    { EN, SMALL_TALK,  100, ANYWHERE, "how are you|how is it going|how's it going|how was your|who are you|are you there|can you hear me|do you like|i love this|tell me a joke|another joke|your favorite|"
                                      "your favourite|what are you|are you human|are you real|i'm back|just saying|just wanted to say|nice weather|i'm bored|i'm tired|your name|how do you feel|say ok|"
                                      "how are things|how was yours|pick a number|flip a coin|roll a dice|guess what|just walking|i slept|long day|anyway|tell me something|say hi|say hello|"
                                      "can you remember|do you remember|do you have feelings|do you sleep|do you ever|do you dream|are you an ai|are you a robot|how old are you|where are you from|on my way|i'm hungry|good mood" },
    { EN, FACT,        100, LEADS,    "who|when|where|how many|how tall|how old|how long|how far|how big|how high|how deep|how fast|how heavy|how much is|how much does|what is the capital|what's the capital|"
                                      "what year|what day|what time|what date|what color|what colour|what country|what city|what currency|what language|what month|what number|which|what does the word|"
                                      "what's the|what is the|what's a synonym|what's another word|what is another word|define|what does it stand|"
                                      "what file|what port|is it|is there|is a|is an|are there|name the|name three|name two|name one|name a|convert|what is your|do you know|in what year|in which|"
                                      "does|did|do|was|were|has|how much|whose|what percentage|what is pi" },
    { EN, FACT,        150, LEADS,    "how do you spell|how do you say|how do i say|how do you pronounce|how do i spell|how do i pronounce|reply with|answer with|respond with|just say|say only" },
    { EN, FACT,         80, ANYWHERE, "tell me what the|tell me who|tell me when|tell me where|stand for|opposite of|synonym for|plural of|capital of|square root of|boiling point|melting point|chemical symbol|"
                                      "yes or no|true or false|author of|population of|prime number|time zone|times|percent of|quick question|the single word|nothing else|one word" },
    { EN, CODE,        100, ANYWHERE, "write a function|python function|sql query|regular expression|list comprehension|unit test|unit tests|one liner|stack trace|traceback|segfault|segmentation fault|docstring|docstrings|"
                                      "type hints|commit message|dockerfile|cron expression|makefile|pull request|merge conflict|syntax error|typeerror|valueerror|indexerror|keyerror|nullpointerexception|"
                                      "still fails|doesn't compile|does not compile|throws an error|this error|error message|this code|this function|this snippet|this regex|this command|this script|this query|"
                                      "this css|this html|the bug|a bug|undefined reference|it fails|fails with|open ports|in git|in bash|in python|in javascript|in rust|in java|in sql|"
                                      "flexbox|last commit" },
    { EN, CODE,        100, LEADS,    "fix|debug|implement|code|refactor|rename|complete|lint|compile|program|script|simplify|solve|calculate|compute|deploy|configure|install|optimise|optimize|port" },
    { EN, WRITING,     100, LEADS,    "write|draft|compose|create|generate|make|suggest|give me|give an|give a|give this|design a logo|produce|invent|brainstorm|come up with|reply|respond|answer|recommend a|list|"
                                      "describe|show me|name five|name ten|provide|prepare|build|craft|help me|continue the story|fill in|add|propose a name|turn on" },
    { EN, WRITING,      70, ANYWHERE, "recipe|haiku|limerick|poem|cover letter|bullet points|birthday card|alt text|checklist|blog post|headline|slogan|packing list" },
    { EN, REWRITING,   100, LEADS,    "rewrite|rephrase|paraphrase|reword|proofread|correct|shorten|polish|improve|edit|reformat|format|turn this|turn these|turn the|make it|make this|make that|make the|convert this|convert the|"
                                      "convert these|fix the typos|fix the grammar|fix the spelling|sort these|sort the|sort this|capitalise|capitalize|expand|change|replace|update|simplify this|clean up|tidy|revise|put this|tone down|give this a|give this|title|"
                                      "put these|put the|order these|arrange|rearrange|reorder|split this|merge these|trim|tighten|abbreviate|anonymise|check the grammar|check this|spell check" },
    { EN, REWRITING,    60, ANYWHERE, "more polite|more formal|less formal|passive voice|in plain english|make it shorter|second person|third person" },
    { EN, TRANSLATION, 100, LEADS,    "translate|translate this|translate to|translate into" },
    { EN, TRANSLATION,  70, ANYWHERE, "into english|into german|into french|into spanish|into italian|into chinese|into japanese|into korean|to english|to german|to french|to spanish|in spanish|in french|translation of" },
    { EN, SUMMARY,     100, ANYWHERE, "tl dr|tldr|summary of|sum up|in a nutshell" },
    { EN, SUMMARY,     100, LEADS,    "summarise|summarize|summarise the|condense|recap|outline the|boil down|abridge" },
    { EN, EXTRACTION,  100, LEADS,    "extract|pull|classify|label|categorise|categorize|tag|find all|identify the|list all|pick out|parse|detect|count the|highlight|match" },
    { EN, EXTRACTION,   80, ANYWHERE, "positive or negative|positive negative or neutral|sentiment of|the sentiment|make a list|from this text|from the text|from the following|who has to" },
    { EN, EXPLANATION, 100, LEADS,    "explain|why|describe how|tell me about|tell me how|tell me why|teach me|clarify|elaborate|how does|how do|how did|how can|how come|what is a|what is an|what's a|what are|what causes|"
                                      "what happens|what was the|what were|what does this|what does the|what do|what did|give an example|interpret|walk me|introduce|help me understand|what went wrong|what's wrong|what is wrong|what is the difference|what's the difference between|why is|"
                                      "what makes|what would|what could|what should|what caused|what led|what role|what effect|how are they|how are these|how is the|how is it made|how is a|how was the|how were the" },
    { EN, EXPLANATION,  80, ANYWHERE, "how it works|how they work|and why|why does|say why|difference between|what's the difference|like i'm five|to a child|to a ten|meaning of|works internally|how a|explained" },
    { EN, HOW_TO,      100, LEADS,    "how do i|how can i|how should i|how to|how would i|how would you|what should i|where can i|what's the best way|what is the best way|which tool|how does one|can i|should i|how could i|any tips|"
                                      "what can i" },
    { EN, HOW_TO,       70, ANYWHERE, "best way to|a few tips|tips for|good way to|how do i|how to" },

    { EN, ANALYSIS,     95, LEADS,    "analyse|analyze|evaluate|assess|critique|criticise|critically|audit|investigate|diagnose|examine|critically evaluate|weigh|argue|reason about|scrutinise|scrutinize|forecast|estimate the|"
                                      "quantify|prioritise|prioritize|rank them|rank your|review the|review this|review our|interpret the results|reverse engineer|reconstruct|root cause|threat model|simulate|model the|"
                                      "work through|determine the root|think carefully|reflect on|debate|predict|test the hypothesis|red team|stress test|identify every|deconstruct|model|"
                                      "find the flaw|find flaws|score each|judge|appraise|dissect|unpack|refute|rebut|challenge the|argue for|argue against" },
    { EN, ANALYSIS,     45, ANYWHERE, "analysis|implications|hypothes*|trade offs|tradeoffs|trade off|tradeoff|root cause|pros and cons|strengths and weaknesses|in depth|critically|both sides|nuanced|empirical|evidence|risk assessment|"
                                      "consequences|counterargument*|limitations|its limits|open questions|contributing factors|ethical|game theory|logical fallacy|failure modes|threat model|post mortem|rigorous*|"
                                      "weaknesses|the risks|complexity|confidence interval|confidence intervals|anomalies|seasonality|bottleneck*|state of the art|assumptions|reasoning|rival|ambiguity|scenarios|severity|security implications|"
                                      "interleaving*|deadlock|race condition|race conditions|sample size|objections|root causes|vulnerabilit*|"
                                      "critical review|critical assessment|critical reading|critical|confounders|methodology|sensitivity|break even|cost benefit|for and against|long term effects|stakeholders|feasibility|hidden assumptions|threat assessment|biases|flaws" },
    { EN, ANALYSIS,     40, LEADS,    "justify|recommend|conclude|discuss|propose|explain your reasoning|explain each|support your|back up|point out|draw conclusions|defend|show your reasoning|rank|rate|form hypotheses|identify" },
    { EN, COMPARISON,   75, LEADS,    "compare|contrast|compare and contrast|weigh up|benchmark|distinguish between" },
    { EN, COMPARISON,   25, ANYWHERE, "in terms of|versus|compared to|compared with|compare|advantages and disadvantages|decision matrix|alternatives|differences between|compare their|pros and cons|which is better|better choice" },
    { EN, PROOF,       110, LEADS,    "prove|disprove|prove that|derive|show that|prove or disprove|deduce|formally verify|prove it|derive the" },
    { EN, PROOF,        45, ANYWHERE, "by induction|by contradiction|theorem|lemma|necessary and sufficient|rigorous proof|all integer solutions|formally|proof of|prove|minimise|maximise|minimize|maximize|is minimal|converges|"
                                      "diverges|if and only if|derivation|differential equation|differential equations|eigenvalue*|irrational|lagrangian|"
                                      "full proof|with proof|with a proof|formal proof|complete proof" },
    { EN, STEPS,        40, ANYWHERE, "step by step|then reconcile|each step|at each step|first then|in stages|walk through|worked examples|multi step|for each|each of|every table|every function|every choice|each phase|"
                                      "clause by clause|line by line|migration path|action items|rollback|several phases|one by one|each transformation|root to leaf" },
    { EN, PLANNING,     85, LEADS,    "design|plan|architect|develop|devise|construct|formulate|optimise this|optimize this|invent a protocol|schedule|organise a|organize a|refactor the whole|refactor this|outline and|propose an|propose a|model" },
    { EN, PLANNING,     40, ANYWHERE, "strategy|strategies|roadmap|architecture|technical design|design document|data model|migration|milestones|timeline|budget|proposal|curriculum|lesson plan|training plan|business plan|marketing plan|"
                                      "schema|distributed|fault tolerant|crash safe|scalab*|concurren*|consistency|protocol|compiler|b tree|write ahead|threat model|conflict resolution|experiment|end to end|high availability|"
                                      "backwards compatible|downtime|itinerary|exactly once|from scratch|search index|three year|project plan|requirements|"
                                      "financial model|financial plan|capacity plan|rollout|disaster recovery|indexing|governance|state machine" },
    { EN, LONG_FORM,    70, ANYWHERE, "essay|dissertation|thesis|white paper|whitepaper|literature review|comprehensive|in depth report|in depth|detailed analysis|full report|research paper|grant proposal|complete guide|novel|first chapter|"
                                      "chapters|three pages|several pages|long form|exhaustive|detailed technical|detailed plan|complete plan|full lesson|short story of|design document|at least two pages|term paper|business plan|"
                                      "screenplay|four act|three act|handbook|business case|specification|privacy policy|terms of service|case study|user manual|syllabus" },
    { EN, LONG_FORM,    35, ANYWHERE, "detailed|complete|thorough*|in detail|extensive|full|report|with sections|long|guide to|article" },
    { EN, COUNTED,     100, ANYWHERE, "word|words" },
    { EN, CONSTRAINTS,  28, ANYWHERE, "must|must not|at most|at least|no more than|no less than|not more than|without|within|constraint|constraints|subject to|given the|given that|under|only|taking into account|taking account of|considering|"
                                      "keep the|keeps|unchanged|no dependencies|no internet|preserve|stays|exactly|cannot|can't|never|limited to|less than|fewer than|capacity|budget of|with a budget|no downtime|needs to|need to be|"
                                      "has to|have to|as well as|per day|a day|except|ensure|each other|consistent|next to|opposite|not exceed|windows" },
    { EN, BRIEF,       100, ANYWHERE, "briefly|in short|keep it short|in a few sentences|in one sentence|in a sentence|in two sentences|in one line|one sentence|in simple words|in simple terms|simply|shortly|like i'm five|in plain english|"
                                      "a few sentences|a few words|one line|short answer|in brief|quick|quickly|one paragraph|short|a tweet|to a child|recipe|a ten year old|how to change" },
    { EN, MORE,        100, LEADS,    "go on|continue|keep going|do it|next|more|another|another one|again|try again|one more|and then|what about|and for|and in|and of|proceed|carry on|the rest|finish it|yes do|please do|all of it|"
                                      "go ahead|elaborate|expand on that|why|same for|now for|now the|next part|part two|keep going please" },
    { EN, LEAD,          0, ANYWHERE, "please|and|then|now|next|also|first|second|finally|to|you|me|let's|lets|can|could|would|will|or|but|so|just|quickly|that|carefully|i want|afterwards|us|question|it" },
    { EN, NOT,           0, ANYWHERE, "no need to|no need|don't|do not|not to|you already|as you|the way you" },
    { EN, STOP_WORD,    10, ANYWHERE, "the|of|is|are|was|what|how|with|this|for|that|it|my|your|from|have|has|be|on|and|to|which|does|these|its|there|their|by|at|we|you|i" },

    /* ---- German ---- */
    { DE, GREETING,    100, LEADS,    "hallo|guten morgen|guten tag|guten abend|gute nacht|moin|servus|tschüss|tschüs|bis später|bis bald|bis morgen|bis dann|auf wiedersehen|schönes wochenende|schönen abend|schönen tag|schönen feierabend|"
                                      "alles gute|herzlichen glückwunsch|frohe weihnachten|grüß gott|hallo zusammen|grüezi" },
    { DE, THANKS,      100, ANYWHERE, "danke|vielen dank|dankeschön|besten dank|hat geklappt|hat funktioniert|passt so|alles klar|schon gut|kein problem|gern geschehen|verstanden|läuft jetzt|es läuft|läuft es|funktioniert jetzt|das war's|weiß bescheid|"
                                      "einverstanden|hilft mir sehr" },
    { DE, THANKS,      100, LEADS,    "ja|nein|gerne|gut|prima|toll|genau|stimmt|klar|passt|perfekt|klasse|okay|in ordnung|ja gerne|nee|jo|schade|sorry|entschuldigung|macht nichts" },
    { DE, SMALL_TALK,  100, ANYWHERE, "wie geht's|wie geht es|wer bist du|bist du da|erzähl mir einen witz|erzähl einen witz|einen witz|magst du|wie heißt du|was machst du|schönes wetter|mir ist langweilig" },
    { DE, FACT,        100, LEADS,    "wer|wann|wo|wie viele|wieviele|wie viel|wieviel|wie hoch|wie alt|wie groß|wie lang|wie weit|wie schnell|wie spät|welche|welcher|welches|in welchem|in welcher|was ist die hauptstadt|was ist der|was ist die|"
                                      "was ist das|wie sagt man|wie schreibt man|wie heißt|wie nennt man|ist es|gibt es|nenne drei|was heißt|was kostet|woher|seit wann" },
    { DE, FACT,             80, ANYWHERE,    "wie viel uhr|welcher tag|hauptstadt von" },
    { DE, CODE,        100, ANYWHERE, "python funktion|funktion die|sql abfrage|regulären ausdruck|fehlermeldung|dieser code|diesen code|diese funktion|letzten commit|in git|den fehler|einen fehler|programmier*|stacktrace|kompilier*" },
    { DE, CODE,        100, LEADS,    "behebe|implementiere|programmiere|debugge|löse|berechne|vereinfache|ergänze" },
    { DE, WRITING,     100, LEADS,    "schreib|schreibe|schreiben|verfasse|formuliere|erstelle|gib mir|mach mir|mach|nenne|nenn|liste|beschreibe|zeig|zeige|entwirf eine|antworte|empfiehl|schlag|schlage|hilf mir|dichte|erfinde" },
    { DE, WRITING,      70, ANYWHERE, "rezept|gedicht|geburtstagskarte|bewerbung|anschreiben|stichpunkte" },
    { DE, REWRITING,   100, LEADS,    "formuliere|korrigiere|überarbeite|verbessere|kürze|umschreibe|schreibe um|ändere|wandle|sortiere|formatiere|mach es|mach das|ersetze|vereinfache" },
    { DE, REWRITING,    60, ANYWHERE, "höflicher|förmlicher|umformulier*|rechtschreibung|kürzer|lockerer" },
    { DE, TRANSLATION, 100, LEADS,    "übersetze|übersetz|übersetzen|übersetzt" },
    { DE, TRANSLATION,  70, ANYWHERE, "übersetze|übersetzen|ins englische|ins deutsche|ins französische|ins spanische|auf englisch|auf deutsch" },
    { DE, SUMMARY,     100, ANYWHERE, "zusammenfassung|fasse|fass|zusammenfassen|zusammengefasst|kurzfassung" },
    { DE, EXTRACTION,  100, LEADS,    "extrahiere|finde alle|liste alle|klassifiziere|ordne|suche alle|zähle|markiere|erkenne|lies aus" },
    { DE, EXPLANATION, 100, LEADS,    "erkläre|erklär|was ist der unterschied|erläutere|warum|wieso|weshalb|wie funktioniert|wie funktionieren|was bedeutet|was ist ein|was ist eine|was sind|wie entsteht|was passiert|beschreibe|wie kommt es|wozu" },
    { DE, EXPLANATION,  80, ANYWHERE, "unterschied zwischen|funktioniert|was der begriff" },
    { DE, HOW_TO,      100, LEADS,    "wie kann ich|wie setze ich|wie mache ich|wie kann man|wie macht man|wie bekomme ich|wie erstelle ich|wie lösche ich|wie installiere ich|was soll ich|wie lerne ich|wo kann ich|wie richte ich" },
    { DE, ANALYSIS,     95, LEADS,    "analysiere|bewerte|beurteile|untersuche|evaluiere|diskutiere|erörtere|prüfe kritisch|hinterfrage|argumentiere|wäge|schätze|priorisiere|interpretiere|analysieren|bewerten|prognostiziere" },
    { DE, ANALYSIS,     45, ANYWHERE, "analyse|hypothes*|vor und nachteile|abwägung*|begründe|begründung|auswirkungen|risiken|risiko|kritisch|folgen|ursachen|fehlerfälle|schwachstellen|einfluss|stärken und schwächen|wechselwirkung*|ethisch*|empirisch*|empfehlung|empfiehl|"
                                      "wäge|bewerte|diskutiere|"
                                      "für und wider|stellungnahme|nimm stellung|begründet" },
    { DE, COMPARISON,   75, LEADS,    "vergleiche|vergleich|stelle gegenüber|vergleichen" },
    { DE, COMPARISON,   25, ANYWHERE, "hinsichtlich|im vergleich|gegenüber|alternativen|anhand von|gegenüberstellung" },
    { DE, PROOF,       110, LEADS,    "beweise|beweis|zeige dass|widerlege|leite|leite her|leiten sie|beweisen sie" },
    { DE, PROOF,        45, ANYWHERE, "beweis|satz des|satz von|induktion|widerspruch|herleitung|irrational|theorem" },
    { DE, STEPS,        40, ANYWHERE, "schritt für schritt|in etappen|etappen|jeden schritt|jeder schritt|phasen|schrittweise|stufenweise" },
    { DE, PLANNING,     85, LEADS,    "plane|entwirf|entwickle|konzipiere|gestalte|erarbeite|optimiere|organisiere|modelliere" },
    { DE, PLANNING,     40, ANYWHERE, "konzept|strategie|migrationsplan|projektplan|architektur|datenmodell|verteilt*|budget|meilenstein*|stundenplan|trainingsplan|zeitplan|marketingplan|konsistenz|geschäftsplan|fahrplan|tägige reise|machbarkeit*" },
    { DE, LONG_FORM,    70, ANYWHERE, "aufsatz|ausführlich*|umfassend*|hausarbeit|abhandlung|detailliert*|facharbeit|bericht über|essay|masterarbeit|gutachten|im detail" },
    { DE, COUNTED,     100, ANYWHERE, "wörter|wörtern|worte|worten" },
    { DE, CONSTRAINTS,  28, ANYWHERE, "höchstens|mindestens|ohne|nicht mehr als|nur|nie|muss|darf|dürfen|müssen|kein|keine|maximal|unter berücksichtigung|innerhalb|außer|mit budget|mehr als|sowie|jeweils" },
    { DE, BRIEF,       100, ANYWHERE, "kurz|kurze|kurzen|kurzes|in einem satz|in zwei sätzen|in drei sätzen|einfach|knapp|in wenigen sätzen|mit einfachen worten|stichwortartig" },
    { DE, MORE,        100, LEADS,    "weiter|mach weiter|noch eins|noch einmal|nochmal|noch eine|und für|und auf|fahre fort|fahr fort|bitte weiter|und jetzt|und weiter|mehr davon" },
    { DE, LEAD,          0, ANYWHERE, "bitte|und|dann|jetzt|nun|danach|zuerst|anschließend|kannst du|könntest du|kannst du mir|können sie|mir|auch|du|mal" },
    { DE, NOT,           0, ANYWHERE, "nicht nötig|du musst nicht|brauchst nicht|für die|für deine" },
    { DE, STOP_WORD,    10, ANYWHERE, "der|die|das|und|ist|ein|eine|nicht|mit|wie|auf|für|den|dem|zu|von|ich|im|es|einen|diese|diesen|sich|wird|hat|was|mir|dass|aus|bei|nach" },

    /* ---- French ---- */
    { FR, GREETING,    100, LEADS,    "bonjour|salut|bonsoir|bonne nuit|bonne soirée|bonne journée|coucou|au revoir|à bientôt|à demain|à plus tard|bon week end|joyeux anniversaire|bonne année|bon appétit" },
    { FR, THANKS,      100, ANYWHERE, "merci|merci beaucoup|c'est parfait|ça marche|d'accord|pas de problème|ça fonctionne|compris|j'ai compris|de rien|exactement ce qu'il|c'est bon|bien reçu|laisse tomber" },
    { FR, THANKS,      100, LEADS,    "oui|non|parfait|super|génial|bien|très bien|entendu|voilà|désolé|pardon|excellent|cool|ok" },
    { FR, SMALL_TALK,  100, ANYWHERE, "ça va|comment vas tu|comment allez vous|qui es tu|tu es là|raconte moi une blague|une blague|quoi de neuf|tu aimes|comment t'appelles tu" },
    { FR, FACT,        100, LEADS,    "qui|quand|où|combien|quel|quelle|quels|quelles|quel âge|en quelle année|quelle heure|comment dit on|comment on dit|comment s'écrit|est ce que|y a t il|que veut dire|comment s'appelle|dans quel|à quelle|c'est quoi la" },
    { FR, FACT,             80, ANYWHERE,    "quelle heure|quel jour|quelle date|à quelle distance|capitale de" },
    { FR, CODE,        100, ANYWHERE, "fonction python|une fonction|requête sql|expression régulière|message d'erreur|ce code|cette fonction|dernier commit|le bug|un bug|dans git|un programme|un script" },
    { FR, CODE,        100, LEADS,    "corrige|débogue|implémente|programme|résous|calcule|simplifie|complète" },
    { FR, WRITING,     100, LEADS,    "écris|écrivez|rédige|rédigez|compose|crée|génère|donne|donne moi|donnez|propose|liste|décris|montre|montre moi|réponds|invente|aide moi|fais|fais moi|suggère" },
    { FR, WRITING,      70, ANYWHERE, "recette|poème|lettre de motivation|carte d'anniversaire|lettre formelle" },
    { FR, REWRITING,   100, LEADS,    "réécris|reformule|reformulez|corrige|corrigez|raccourcis|améliore|modifie|remplace|transforme|trie|mets|rends|convertis|vérifie|vérifier|reformuler|réécrire" },
    { FR, REWRITING,    60, ANYWHERE, "plus poli|plus polie|plus court|les fautes|l'orthographe|la grammaire" },
    { FR, TRANSLATION, 100, LEADS,    "traduis|traduisez|traduire|traduit" },
    { FR, TRANSLATION,  70, ANYWHERE, "traduire|en anglais|en allemand|en espagnol|en français|traduction de" },
    { FR, SUMMARY,     100, LEADS,    "résume|résumez|résumer|synthétise|récapitule" },
    { FR, SUMMARY,      80, ANYWHERE, "un résumé|résumer" },
    { FR, EXTRACTION,  100, LEADS,    "extrais|extraire|trouve tous|trouve toutes|classe|classifie|repère|relève|compte|identifie" },
    { FR, EXPLANATION, 100, LEADS,    "explique|expliquez|explique moi|pourquoi|comment fonctionne|comment marche|quelle est la différence|qu'est ce que|qu'est ce qu'un|qu'est ce qu'une|que signifie|que se passe|c'est quoi|décris|comment ça marche|à quoi sert" },
    { FR, EXPLANATION,  80, ANYWHERE, "différence entre|comment fonctionne|expliquer|pourquoi" },
    { FR, HOW_TO,      100, LEADS,    "comment faire|comment puis je|comment je|comment peut on|comment installer|comment annuler|comment créer|que dois je|comment supprimer|comment apprendre|où puis je" },
    { FR, ANALYSIS,     95, LEADS,    "analyse|analysez|évalue|évaluez|critique|discute|examine|étudie|argumente|pèse|hiérarchise|diagnostique|interprète|estime|audite|débats" },
    { FR, ANALYSIS,     45, ANYWHERE, "analyser|hypothèse*|avantages et les inconvénients|avantages et inconvénients|justifie|justifier|conséquences|implications|risques|efficacité|compromis|causes|enjeux|limites|forces et faiblesses|arguments|évaluer|évalue|recommande|recommandation|"
                                      "pour et contre|critique|esprit critique" },
    { FR, COMPARISON,   75, LEADS,    "compare|comparez|confronte|comparer" },
    { FR, COMPARISON,   25, ANYWHERE, "en termes de|par rapport à|versus|alternatives|comparaison|selon les critères" },
    { FR, PROOF,       110, LEADS,    "démontre|démontrez|prouve|prouvez|montre que|montrez que|dérive|déduis|établis que" },
    { FR, PROOF,        45, ANYWHERE, "théorème|par récurrence|par l'absurde|démonstration|irrationnel*|est minimale|preuve" },
    { FR, STEPS,        40, ANYWHERE, "étape par étape|par étapes|chaque étape|pas à pas|phases|chaque choix" },
    { FR, PLANNING,     85, LEADS,    "conçois|concevez|planifie|élabore|élaborez|développe|organise|imagine une architecture|optimise|propose une stratégie|bâtis" },
    { FR, PLANNING,     40, ANYWHERE, "stratégie|plan marketing|plan d'action|architecture|modèle de données|distribué*|feuille de route|calendrier|indicateurs|budget|migration|jalons|optimisation|cahier des charges|business plan|tolérant*" },
    { FR, LONG_FORM,    70, ANYWHERE, "dissertation|mémoire|rapport détaillé|exhaustif|exhaustive|essai|plan complet|guide complet|approfondi*|en profondeur|détaillée|détaillé|en détail|plan marketing complet" },
    { FR, COUNTED,     100, ANYWHERE, "mot|mots" },
    { FR, CONSTRAINTS,  28, ANYWHERE, "au plus|au moins|sans|pas plus de|maximum|minimum|doit|doivent|uniquement|seulement|jamais|en tenant compte|avec un budget|dans la limite|contrainte*|ne pas|sur douze mois|chaque" },
    { FR, BRIEF,       100, ANYWHERE, "brièvement|en bref|en une phrase|en deux phrases|en quelques phrases|simplement|en quelques mots|court|courte|en termes simples" },
    { FR, MORE,        100, LEADS,    "continue|continuez|encore|encore un|encore une|la suite|vas y|et en|et pour|encore une fois|un autre|une autre|poursuis" },
    { FR, LEAD,          0, ANYWHERE, "s'il te plaît|s'il vous plaît|stp|svp|et|puis|ensuite|maintenant|d'abord|enfin|peux tu|pouvez vous|pourrais tu|pourriez vous|tu|moi|veuillez|aussi|me" },
    { FR, NOT,           0, ANYWHERE, "pas besoin de|inutile de|pour ton|pour votre|pour ta" },
    { FR, STOP_WORD,    10, ANYWHERE, "le|la|les|des|est|une|un|du|et|que|dans|pour|ce|cette|de|en|il|je|tu|vous|nous|ton|mon|sur|avec|aux|au|qu" },

    /* ---- Spanish ---- */
    { ES, GREETING,    100, LEADS,    "hola|buenos días|buenas tardes|buenas noches|buenas|adiós|hasta luego|hasta mañana|nos vemos|feliz cumpleaños|que tengas un buen|feliz año|chao|saludos" },
    { ES, THANKS,      100, ANYWHERE, "gracias|muchas gracias|muy amable|funcionó|ya funciona|entendido|de nada|no hay problema|está bien|me ha servido|lo entiendo|ya entendí|no te preocupes" },
    { ES, THANKS,      100, LEADS,    "sí|no|vale|perfecto|genial|bien|muy bien|claro|de acuerdo|listo|exacto|perdón|lo siento|estupendo|ok|bueno" },
    { ES, SMALL_TALK,  100, ANYWHERE, "qué tal|cómo estás|cómo está usted|quién eres|estás ahí|un chiste|cuéntame un chiste|te gusta|cómo te llamas|qué haces" },
    { ES, FACT,        100, LEADS,    "quién|quiénes|cuándo|dónde|cuántos|cuántas|cuánto|cuánta|cuál|cuáles|en qué año|qué hora|qué día|qué significa|cómo se dice|cómo se escribe|en qué país|qué idioma|qué edad|es verdad|hay|qué moneda|nombra tres" },
    { ES, FACT,             80, ANYWHERE,    "qué hora|qué día|de qué color|a qué distancia|capital de" },
    { ES, CODE,        100, ANYWHERE, "función en python|una función|consulta sql|expresión regular|mensaje de error|este código|esta función|último commit|en git|el error|un script|un programa" },
    { ES, CODE,        100, LEADS,    "arregla|depura|implementa|programa|resuelve|calcula|simplifica|completa" },
    { ES, WRITING,     100, LEADS,    "escribe|escriba|escríbeme|redacta|redacte|crea|genera|dame|haz|hazme|sugiere|enumera|describe|muéstrame|responde|inventa|ayúdame|lista|prepara|compón" },
    { ES, WRITING,      70, ANYWHERE, "receta|poema|carta de presentación|tarjeta de cumpleaños|carta formal" },
    { ES, REWRITING,   100, LEADS,    "reescribe|reformula|corrige|corrija|acorta|mejora|edita|modifica|convierte|ordena|cambia|reemplaza|hazlo|hazla|formatea" },
    { ES, REWRITING,    60, ANYWHERE, "más corto|más formal|más educado|los errores|la ortografía|la gramática" },
    { ES, TRANSLATION, 100, LEADS,    "traduce|traduzca|tradúceme|traducir|tradúcelo" },
    { ES, TRANSLATION,  70, ANYWHERE, "al inglés|al español|al francés|al alemán|en inglés|traducir" },
    { ES, SUMMARY,     100, LEADS,    "resume|resuma|resúmeme|resumir|sintetiza" },
    { ES, SUMMARY,      80, ANYWHERE, "un resumen|resumir" },
    { ES, EXTRACTION,  100, LEADS,    "extrae|extraiga|encuentra todos|encuentra todas|clasifica|identifica|cuenta las|cuenta los|saca|señala" },
    { ES, EXPLANATION, 100, LEADS,    "explica|explique|explícame|por qué|cuál es la diferencia|cómo funciona|cómo funcionan|qué es un|qué es una|qué es el|qué es la|qué es|qué son|qué pasa|qué causa|aclara|describe|para qué sirve" },
    { ES, EXPLANATION,  80, ANYWHERE, "diferencia entre|cómo funciona|explicar" },
    { ES, HOW_TO,      100, LEADS,    "cómo puedo|cómo deshago|cómo hago|cómo se hace|cómo instalo|cómo creo|qué debo|cómo elimino|cómo aprender|dónde puedo|cómo hacer" },
    { ES, ANALYSIS,     95, LEADS,    "analiza|analice|evalúa|evalúe|critica|discute|examina|investiga|argumenta|valora|pondera|prioriza|diagnostica|interpreta|estima|audita|debate" },
    { ES, ANALYSIS,     45, ANYWHERE, "hipótesis|ventajas y desventajas|pros y contras|justifica|justificar|consecuencias|implicaciones|riesgo|riesgos|causas|impacto|perspectivas|debilidades|evidencia|limitaciones|analizar|evaluar|en profundidad|recomienda|recomendación|"
                                      "a favor y en contra|previsiones|crítica|crítico" },
    { ES, COMPARISON,   75, LEADS,    "compara|compare|contrasta|comparar" },
    { ES, COMPARISON,   25, ANYWHERE, "en cuanto a|en términos de|según coste|frente a|alternativas|comparación|respecto a" },
    { ES, PROOF,       110, LEADS,    "demuestra|demuestre|prueba que|deduce|deriva|refuta|demostrar" },
    { ES, PROOF,        45, ANYWHERE, "teorema|por inducción|por contradicción|demostración|irracional|infinitos números" },
    { ES, STEPS,        40, ANYWHERE, "paso a paso|por etapas|cada paso|cada etapa|fases|cada decisión" },
    { ES, PLANNING,     85, LEADS,    "diseña|planifica|planea|elabora|desarrolla|organiza|concibe|optimiza|formula|diseñe" },
    { ES, PLANNING,     40, ANYWHERE, "estrategia|plan de|plan alternativo|arquitectura|modelo de datos|distribuid*|hoja de ruta|cronograma|presupuesto|microservicios|entrenamiento completo|migrar|hitos|plan de negocio" },
    { ES, LONG_FORM,    70, ANYWHERE, "ensayo|informe exhaustivo|exhaustivo|detallado|detallada|tesis|monografía|guía completa|completo|en detalle|a fondo|informe detallado" },
    { ES, COUNTED,     100, ANYWHERE, "palabra|palabras" },
    { ES, CONSTRAINTS,  28, ANYWHERE, "como máximo|al menos|sin|no más de|máximo|mínimo|debe|deben|solo|sólo|nunca|teniendo en cuenta|con un presupuesto|dentro de|restricci*|únicamente|por semana|con una" },
    { ES, BRIEF,       100, ANYWHERE, "brevemente|en breve|en una frase|en dos frases|en pocas palabras|breve|corto|corta|de forma sencilla|en palabras simples" },
    { ES, MORE,        100, LEADS,    "continúa|sigue|otra vez|otro|otra|más|y en|y para|adelante|sigue adelante|de nuevo|una más|uno más" },
    { ES, LEAD,          0, ANYWHERE, "por favor|y|luego|ahora|después|también|primero|puedes|podrías|me|finalmente|entonces|quiero|a" },
    { ES, NOT,           0, ANYWHERE, "no hace falta|no es necesario|por el|por tu" },
    { ES, STOP_WORD,    10, ANYWHERE, "el|la|los|las|es|un|una|que|de|en|y|con|para|por|del|se|mi|tu|su|al|lo|este|esta|entre|como" },

    /* ---- Chinese: what is longer goes first of itself, for every find counts and the best of a kind is taken ---- */
    { ZH, GREETING,    100, LEADS,    "你好|您好|早上好|下午好|晚上好|晚安|早安|再见|拜拜|嗨|大家好|生日快乐|新年快乐|祝你" },
    { ZH, THANKS,      100, ANYWHERE, "谢谢|多谢|感谢|明白了|知道了|没问题|不客气|好的|收到|懂了|辛苦了|没事|太好了|可以了" },
    { ZH, THANKS,      100, LEADS,    "嗯|哦|行|对|是的|不用|好吧|哈哈|好|没错" },
    { ZH, SMALL_TALK,  100, ANYWHERE, "笑话|你是谁|在吗|你叫什么|吃了吗|心情|怎么样|聊聊|你喜欢" },
    { ZH, FACT,        100, ANYWHERE, "是谁|谁是|哪里|哪儿|多少|几个|几点|几岁|什么时候|哪一年|哪年|哪国|多高|多大|多长|多远|首都|星期几|怎么读|怎么说|怎么写|什么颜色|是不是|对吗" },
    { ZH, CODE,        100, ANYWHERE, "函数|代码|程序|脚本|报错|错误信息|正则|编程|实现一个|调试|算法题|单元测试|sql" },
    { ZH, WRITING,     100, LEADS,    "写|帮我写|起草|给我|生成|创建|列出|列举|推荐|编写|拟|撰写|帮我|想几个|设计一个标" },
    { ZH, WRITING,      90, ANYWHERE, "写一|写个|写封|做法|食谱|一首|帮我写|描述" },
    { ZH, REWRITING,   100, ANYWHERE, "改写|改成|改得|润色|修改|缩短|纠正|改正|更礼貌|重写|校对|换成|排序|优化一下|改为" },
    { ZH, TRANSLATION, 100, ANYWHERE, "翻译|译成|译为" },
    { ZH, SUMMARY,     100, ANYWHERE, "总结|概括|摘要|归纳|简述|概述" },
    { ZH, EXTRACTION,  100, ANYWHERE, "提取|找出|分类|抽取|标出|识别|统计一下" },
    { ZH, EXPLANATION, 100, ANYWHERE, "解释|说明|为什么|是什么|什么是|介绍|原理|怎么工作|如何工作|什么意思|区别|讲讲|说说" },
    { ZH, HOW_TO,      100, ANYWHERE, "怎么做|怎样|如何|怎么才能|怎么办|怎么用|怎么安装|有什么方法" },
    { ZH, ANALYSIS,     85, LEADS,    "分析|评估|论证|评价|探讨|讨论|研究|剖析|权衡|论述|预测|批判|审查|诊断|反驳" },
    { ZH, ANALYSIS,     40, ANYWHERE, "分析|评估|论证|论述|优缺点|利弊|取舍|原因和影响|影响|风险|假设|因果|批判|根本原因|优先级|理由|弊端|可行性|局限|建议|推荐方案|"
                                      "得失|正反|角度" },
    { ZH, COMPARISON,   75, LEADS,    "比较|对比|对照" },
    { ZH, COMPARISON,   30, ANYWHERE, "方面的|相比|比较|对比|之间的差异|哪一个最|哪个更" },
    { ZH, PROOF,       110, LEADS,    "证明|推导|求证|证明一下|反证" },
    { ZH, PROOF,        60, ANYWHERE, "证明|推导|定理|归纳法|反证法|无理数|求解所有" },
    { ZH, STEPS,        45, ANYWHERE, "一步一步|逐步|分步|每一步|分阶段|步骤|逐条|逐一|分别" },
    { ZH, PLANNING,     80, LEADS,    "设计|制定|规划|策划|构建|拟定|安排|开发一" },
    { ZH, PLANNING,     40, ANYWHERE, "方案|计划|架构|分布式|系统|策略|路线图|预算|微服务|数据模型|里程碑|并发|迁移|规划|设计|可扩展" },
    { ZH, LONG_FORM,    60, ANYWHERE, "文章|论文|报告|详细|全面|深入|长篇|完整|作文|详尽" },
    { ZH, COUNTED,     100, ANYWHERE, "字" },
    { ZH, CONSTRAINTS,  28, ANYWHERE, "不超过|至少|最多|必须|不能|只能|包含|每天|以内|不得|条件|同时|要求|并且|预算|避免|除了|满足" },
    { ZH, BRIEF,       100, ANYWHERE, "一句话|简单|简短|两句|三句|简要|短诗|几句|一下就行|通俗" },
    { ZH, MORE,        100, LEADS,    "继续|接着|还有呢|再来|再来一个|下一个|然后呢|那|再|更多" },
    { ZH, LEAD,          0, ANYWHERE, "请|并|然后|帮我|麻烦|再|能不能|可以|给我|为我|把|和|先|最后" },
    { ZH, NOT,           0, ANYWHERE, "不用再|不需要|昨天的|之前的|你的" },
    { ZH, STOP_WORD,    10, ANYWHERE, "的|了|是|我|你|这|在|有|不|什么|吗|呢|把|们|个|为|请" },

    /* ---- Japanese ---- */
    { JA, GREETING,    100, LEADS,    "こんにちは|こんばんは|おはよう|おやすみ|さようなら|またね|はじめまして|お疲れ|やあ|どうも|もしもし|おめでとう|じゃあね|ただいま" },
    { JA, THANKS,      100, ANYWHERE, "ありがとう|了解|わかりました|分かりました|承知|なるほど|助かりました|すみません|ごめん|お願いします。|大丈夫です|完璧|いいですね|感謝" },
    { JA, THANKS,      100, LEADS,    "はい|いいえ|うん|うまくいきました|そうですね|そうです|オッケー|よし|笑" },
    { JA, SMALL_TALK,  100, ANYWHERE, "元気|冗談|ジョーク|あなたは誰|調子はどう|いい天気|好きですか|名前は|暇|疲れた" },
    { JA, FACT,        100, ANYWHERE, "誰|どこ|いつ|何年|何人|何時|いくつ|いくら|首都|高さは|何日|何歳|何度|どのくらい|どれくらい|何語|何個|の読み方|何と言い|何曜日|ですか？" },
    { JA, CODE,        100, ANYWHERE, "関数|コード|プログラム|スクリプト|エラー|バグ|正規表現|クエリ|実装|デバッグ|テストを書" },
    { JA, WRITING,     100, ANYWHERE, "書いて|作って|作成して|考えて|教えて|俳句|作り方|レシピ|挙げて|提案して|作文|返信|文面|リストにして|詩" },
    { JA, REWRITING,   100, ANYWHERE, "書き直|直して|丁寧に|言い換え|修正して|訂正|短くして|校正|添削|並べ替え|整形|変えて|変換して" },
    { JA, TRANSLATION, 100, ANYWHERE, "翻訳|訳して|英訳|和訳" },
    { JA, SUMMARY,     100, ANYWHERE, "要約|まとめて|概要|要点" },
    { JA, EXTRACTION,  100, ANYWHERE, "抽出|抜き出|分類し|取り出|見つけて|探して|数えて" },
    { JA, EXPLANATION, 100, ANYWHERE, "説明|解説|なぜ|とは|どうして|仕組み|意味|違い|どういう|について教" },
    { JA, HOW_TO,      100, ANYWHERE, "方法|やり方|どうすれば|どうやって|使い方|するには|コツ" },
    { JA, ANALYSIS,     85, ANYWHERE, "分析し|分析せ|評価し|検討し|考察し|論じ|論ぜ|議論し|検証し|批判し|診断し|予測し|"
                                      "多角的|賛否|是非" },
    { JA, ANALYSIS,     40, ANYWHERE, "利点と欠点|長所と短所|メリットとデメリット|根拠|影響|原因|リスク|仮説|トレードオフ|観点|優先順位|推奨|順位|限界|課題|弱点|trade" },
    { JA, COMPARISON,   75, ANYWHERE, "比較し|比較せ|対比し|比べて|比較検討" },
    { JA, PROOF,       110, ANYWHERE, "証明し|証明せ|導出し|導出せ|示しなさい|を示せ|導け|証明を" },
    { JA, PROOF,        40, ANYWHERE, "定理|帰納法|背理法|無理数|公式" },
    { JA, STEPS,        45, ANYWHERE, "一歩ずつ|段階的|各段階|ステップ|順を追って|手順ごと|それぞれ" },
    { JA, PLANNING,     80, ANYWHERE, "設計し|計画を立|計画し|立案|構築し|策定|設計を" },
    { JA, PLANNING,     40, ANYWHERE, "計画|戦略|アーキテクチャ|分散|システム|移行|予算|ロードマップ|マイクロサービス|設計書|並行" },
    { JA, LONG_FORM,    60, ANYWHERE, "論文|レポート|詳しく|詳細|包括的|長文|徹底|小説|エッセイ|報告書|網羅" },
    { JA, COUNTED,     100, ANYWHERE, "字" },
    { JA, CONSTRAINTS,  28, ANYWHERE, "以内|以上|必ず|ただし|だけ|せずに|使わずに|条件|制約|超えない|含め|考慮|しながら|毎日|なしで" },
    { JA, BRIEF,       100, ANYWHERE, "簡単に|一文で|二文で|三文で|短く|簡潔|一言で|手短|わかりやすく" },
    { JA, MORE,        100, LEADS,    "続けて|続き|もう一つ|もう一度|次|他に|では|それで|もっと|さらに" },
    { JA, LEAD,          0, ANYWHERE, "次に|そして|また|まず|それから" },
    { JA, STOP_WORD,    10, ANYWHERE, "の|は|を|に|が|で|と|て|か|です|ます|ください|この|する|した" },

    /* ---- Korean ---- */
    { KO, GREETING,    100, LEADS,    "안녕|반가|잘 자|좋은 아침|좋은 하루|다음에 봐|잘 가|생일 축하|새해 복|하이|여보세요|굿모닝|수고" },
    { KO, THANKS,      100, ANYWHERE, "고마워|고맙|감사|알겠|알았|이해했|괜찮아|됐어|완벽|잘 돼|해결됐|미안|죄송|수고" },
    { KO, THANKS,      100, LEADS,    "네|응|예|아니|그래|좋아|맞아|오케이|ㅋㅋ|ㅎㅎ|넵" },
    { KO, SMALL_TALK,  100, ANYWHERE, "농담|기분|잘 지내|누구야|뭐 해|심심|날씨 좋|이름이 뭐|거기 있|좋아해" },
    { KO, FACT,        100, ANYWHERE, "누구|어디|언제|몇 |수도는|얼마|어느|몇년|높이는|뭐야?|무슨 요일|무슨 색|인구|맞나요" },
    { KO, CODE,        100, ANYWHERE, "함수|코드|프로그램|스크립트|오류|에러|버그|정규식|쿼리|query|구현|디버그" },
    { KO, WRITING,     100, ANYWHERE, "써 줘|써줘|써 주|작성|만들어|알려 줘|알려줘|알려 주|추천|레시피|시를|편지|목록|지어 줘|제목" },
    { KO, REWRITING,   100, ANYWHERE, "고쳐|바꿔|다듬|수정해|줄여|공손하게|교정|다시 써|정렬|변환" },
    { KO, TRANSLATION, 100, ANYWHERE, "번역|영어로|한국어로|일본어로" },
    { KO, SUMMARY,     100, ANYWHERE, "요약|정리해|간추" },
    { KO, EXTRACTION,  100, ANYWHERE, "추출|뽑아|분류해|찾아 줘|찾아줘|골라" },
    { KO, EXPLANATION, 100, ANYWHERE, "설명|무엇인|왜|원리|뜻|차이|이란|어떻게 작동|무슨 의미" },
    { KO, HOW_TO,      100, ANYWHERE, "어떻게 하|방법|하려면|사용법|하는 법|어떻게 해" },
    { KO, ANALYSIS,     85, ANYWHERE, "분석하|분석해 |평가하|평가해|논하|논의|검토하|고찰|비판|진단하|예측하|"
                                      "찬반|논거|득실" },
    { KO, ANALYSIS,     40, ANYWHERE, "장단점|근거|영향|원인|위험|가설|측면|한계|우선순위|타당|절충|추천해|변화에 대해|정당화" },
    { KO, COMPARISON,   75, ANYWHERE, "비교하|비교해|대조" },
    { KO, PROOF,       110, ANYWHERE, "증명하|증명해|유도하|유도해|보이시오|보여라|도출" },
    { KO, PROOF,        40, ANYWHERE, "정리를|귀납법|귀류법|무리수|공식" },
    { KO, STEPS,        45, ANYWHERE, "단계별|각 단계|차근차근|단계로|순서대로|하나씩|각각" },
    { KO, PLANNING,     80, ANYWHERE, "설계하|설계해|계획을 세|계획하|기획|수립|구축하" },
    { KO, PLANNING,     40, ANYWHERE, "계획|전략|아키텍처|분산|시스템|전환|예산|로드맵|마이크로서비스|이전 계획|동시성" },
    { KO, LONG_FORM,    60, ANYWHERE, "논문|보고서|자세히|상세|포괄적|에세이|분량|소설|심층|완전한" },
    { KO, COUNTED,     100, ANYWHERE, "자" },
    { KO, CONSTRAINTS,  28, ANYWHERE, "이내|이상|반드시|최대|최소|없이|조건|제약|포함|고려|넘지|하지 않|제외|매일" },
    { KO, BRIEF,       100, ANYWHERE, "간단히|한 문장|두 문장|짧게|간략|쉽게|한마디|세 문장" },
    { KO, MORE,        100, LEADS,    "계속|하나 더|다시|다음|그리고|더|이어서" },
    { KO, LEAD,          0, ANYWHERE, "그리고|먼저|또" },
    { KO, STOP_WORD,    10, ANYWHERE, "은 |는 |이 |가 |을 |를 |의 |에 |요|해|줘|다|니" },

    /* ---- beside the score: is it urgent, does it ask about what is going on now? ---- */
    { EN, URGENT, 100, ANYWHERE, "urgent|urgently|asap|as soon as possible|right away|immediately|emergency|it's an emergency|time sensitive|"
                                 "time critical|deadline is today|due today|due tonight|within the hour|right this minute" },
    { DE, URGENT, 100, ANYWHERE, "dringend|dringende|dringender|dringendes|eilt|eilig|sofort|umgehend|notfall|schnellstmöglich|so schnell wie möglich|"
                                 "unverzüglich|heute noch fertig|brandeilig" },
    { FR, URGENT, 100, ANYWHERE, "urgent|urgente|urgence|en urgence|immédiatement|tout de suite|au plus vite|dès que possible|le plus vite possible|"
                                 "sans délai" },
    { ES, URGENT, 100, ANYWHERE, "urgente|urgentemente|urgencia|cuanto antes|lo antes posible|inmediatamente|de inmediato|ahora mismo|es una emergencia" },
    { ZH, URGENT, 100, ANYWHERE, "紧急|緊急|加急|尽快|盡快|立刻|马上|馬上|赶紧|十万火急|立即" },
    { JA, URGENT, 100, ANYWHERE, "至急|緊急|今すぐ|大至急|急ぎ|急いで|一刻も早く|早急に|ただちに" },
    { KO, URGENT, 100, ANYWHERE, "긴급|급해|급합니다|급하게|시급|지금 당장|당장|최대한 빨리|빨리 좀|즉시" },
    { EN, FRESH, 100, ANYWHERE, "today's news|latest news|news today|current news|breaking news|the latest on|latest version of|latest release|latest update|"
                                "latest updates|latest developments|in the news|what's happening in|current events|weather today|today's weather|weather tomorrow|"
                                "weather forecast|weather right now|weather this week|current weather|stock price|share price|current price|price today|"
                                "exchange rate|who won the game|who won last night|last night's game|yesterday's game|score of the game|live score|this week's|"
                                "as of today|right now in|current president|current prime minister|current ceo|trending now|trending today|who is currently|"
                                "currently in office|recent news|recently announced|released yet|came out this week" },
    { DE, FRESH, 100, ANYWHERE, "heutige nachrichten|aktuelle nachrichten|neueste nachrichten|neuesten nachrichten|nachrichten von heute|aktuelle lage|"
                                "aktuellen stand|aktueller stand|aktuelle ereignisse|wetter heute|wetter morgen|wetterbericht|wie wird das wetter|wie ist das wetter|"
                                "aktienkurs|börsenkurs|wechselkurs|aktueller preis|aktuelle preis|wer hat gestern|gestern gewonnen|neueste version|aktuelle version|"
                                "amtierende|derzeitige|derzeitiger|diese woche passiert|was ist heute" },
    { FR, FRESH, 100, ANYWHERE, "actualités|l'actualité|dernières nouvelles|nouvelles du jour|infos du jour|météo|temps fait-il|temps fera-t-il|"
                                "cours de l'action|cours de la bourse|taux de change|prix actuel|président actuel|actuel président|dernière version|"
                                "qui a gagné hier|match d'hier|en ce moment|ces derniers jours|cette semaine" },
    { ES, FRESH, 100, ANYWHERE, "noticias de hoy|últimas noticias|noticias recientes|noticias actuales|actualidad|el tiempo hoy|qué tiempo hace|qué tiempo hará|"
                                "clima hoy|pronóstico del tiempo|precio actual|cotización|tipo de cambio|presidente actual|actual presidente|última versión|"
                                "quién ganó ayer|partido de ayer|esta semana|en este momento" },
    { ZH, FRESH, 100, ANYWHERE, "今天的新闻|今日新闻|最新消息|最新新闻|最新版本|最新的新闻|天气预报|今天天气|今天的天气|明天天气|明天的天气|股价|汇率|实时|目前的总统|"
                                "现任|昨天的比赛|昨晚的比赛|热搜|近期新闻|最近发生|今日金价" },
    { JA, FRESH, 100, ANYWHERE, "今日のニュース|最新のニュース|最新ニュース|最新情報|最新版|最新バージョン|今日の天気|明日の天気|天気予報|株価|為替|現在の首相|現在の大統領|現職|"
                                "昨日の試合|昨夜の試合|速報|今週の|最近の出来事" },
    { KO, FRESH, 100, ANYWHERE, "오늘 뉴스|오늘의 뉴스|최신 뉴스|최근 뉴스|최신 소식|최신 버전|오늘 날씨|내일 날씨|일기예보|날씨 예보|주가|환율|현재 대통령|현직|어제 경기|"
                                "어젯밤 경기|속보|실시간|이번 주" },
};
/* clang-format on */
const size_t nsign_rows = COUNTOF(sign_rows);
